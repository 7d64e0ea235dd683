"""Files that somebody names: read in full and at once, below a size, and never waited for."""

import codecs
import os
import stat
from pathlib import Path


class UnusableFileError(Exception):
    """The file cannot be used; the message is what follows its name, and does not hold its path."""


def read_given(path: Path, *, largest: int) -> bytes:
    """Return the content of the file at *path*, or at the end of links from there.

    Raises UnusableFileError for anything but a regular file (a pipe would be waited for, a device has no end) and for
    more than *largest* bytes.
    """
    try:
        # Without O_NONBLOCK a pipe that nobody writes to would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:  # not with fdopen at once: of a folder it leaves the descriptor open
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnusableFileError("is no regular file: copy its content into one, and name that")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(largest + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise UnusableFileError(f"cannot be read: {getattr(error, 'strerror', None) or 'no path'}") from None
    if len(content) > largest:
        raise UnusableFileError(f"is larger than {_size(largest)}")
    return content


def read_given_text(path: Path, *, largest: int) -> str:
    """Return the text in the file at *path*, line ends as they are; raise UnusableFileError as `read_given`.

    It is UTF-8, or UTF-16 with its mark, as which Excel saves "Unicode text".
    """
    content = read_given(path, largest=largest)
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise UnusableFileError("is not UTF-8: save it with that encoding") from None


def _size(number: int) -> str:
    return f"{number // 1_000_000} MB" if number >= 1_000_000 else f"{number // 1000} kB"
