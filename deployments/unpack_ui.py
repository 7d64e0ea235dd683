"""`python -m deployments.unpack_ui`: unpack the pages of Prefect's UI where its server will look for them.

The server does so by itself when it first starts, if it may write there; from an image with a read-only root it may not.
Then all it logs is a warning, and its root address answers 404 while its health is good. What it unpacks is readable for
its own user alone, which at build time is root.

Prefect's chart names an empty folder of the pod for the pages, and the server fills it when it starts: with what is
unpacked here, to which a link leads from where it was packed.
"""

import shutil
import sys
from pathlib import Path

from prefect import __ui_static_path__, __ui_static_subpath__, __ui_v2_static_path__, __ui_v2_static_subpath__
from prefect.server.api.server import create_ui_app

PAGES = {__ui_static_path__: __ui_static_subpath__, __ui_v2_static_path__: __ui_v2_static_subpath__}
"""Where Prefect has its pages packed, and where it looks for them unpacked."""


def main() -> int:
    """Unpack the pages for every user, in place of what they were packed as; fail if one is not there then."""
    create_ui_app(ephemeral=False)
    for packed, unpacked in PAGES.items():
        if not Path(unpacked, "index.html").is_file():
            print(f"Prefect has not unpacked {packed}", file=sys.stderr)
            return 1
        for path in Path(unpacked).rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        shutil.rmtree(packed)
        Path(packed).symlink_to(unpacked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
