"""Where tests write: to memory where there is room, for waiting for a disk would be a twentieth of their time."""

import os
import shutil
from pathlib import Path

ROOM = 2**30  # bytes; all that the suite keeps at one time is half of it


def folder_in_memory() -> Path | None:
    """Return a folder that is kept in memory, has room, and lets programs be started; None where there is none."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or not os.access(memory, os.W_OK):
        return None
    starts_programs = not os.statvfs(memory).f_flag & os.ST_NOEXEC
    return memory if starts_programs and shutil.disk_usage(memory).free >= ROOM else None
