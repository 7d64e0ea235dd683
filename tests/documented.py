"""What the documentation says, taken apart: its pages, and the commands that it tells people to type."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "sandbox" / "README.md"])
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def named(page: Path) -> str:
    """Return what a page is called in the names of tests."""
    return str(page.relative_to(ROOT))


def typed() -> Iterator[tuple[str, str]]:
    """Yield every command of a console block, in order and without its remark, with its page."""
    for page in PAGES:
        for _, language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.splitlines() if language == "console" else []:
                if line.strip().startswith("$ "):
                    yield named(page), shlex.join(shlex.split(line.strip()[2:], comments=True))
