"""Containers without an engine: an image that buildah builds, and processes in it as an engine would start them."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates,tini"  # of a base that could be Debian's own
BASE = "localhost/debian-python"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"  # this machine's: a registry may be reached through its company's
ENTER = """
set -e
root=$1 folder=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --bind /etc/hosts "$root/etc/hosts"
while [ "$1" != -- ]; do
    case $1 in
        tmpfs:*) mount -t tmpfs -o mode=1777 tmpfs "$root${1#tmpfs:}" ;;
        *) mount --bind "${1%%:*}" "$root${1#*:}" ;;
    esac
    shift
done
shift
mount -o remount,bind,ro "$root"
exec chroot "$root" /usr/bin/env -i -C "$folder" "$@"
"""


class NoContainers(Exception):
    """Why images cannot be built and entered on this machine."""


class Buildah:
    """Buildah with a storage of its own below *folder*."""

    def __init__(self, folder: Path) -> None:
        self.storage = f"--root {folder}/storage --runroot {folder}/run --storage-driver vfs"

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            ["buildah", *self.storage.split(), *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NoContainers(f"buildah {arguments[0]}: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def digest(self, name: str) -> str:
        """Return the image's name with its digest."""
        return f"{name}@{json.loads(self('inspect', '--type', 'image', name))['FromImageDigest']}"


def debian_base(buildah: Buildah, folder: Path) -> str:
    """Make an image of Debian's packages, of the release that this machine has, and return its name."""
    if os.geteuid() != 0:
        raise NoContainers("only root can make one from Debian's packages, and enter it")
    if missing := [name for name in ("buildah", "mmdebstrap", "unshare") if shutil.which(name) is None]:
        raise NoContainers(f"{', '.join(missing)} is not installed: scripts/install-programs long")
    tree = folder / "debian.tar"
    suite = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    made = subprocess.run(
        ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", suite.get("VERSION_CODENAME", "stable"), tree],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise NoContainers(f"mmdebstrap: {made.stderr[-2000:]}")
    container = buildah("from", "scratch")
    buildah("add", container, str(tree), "/")
    buildah("copy", container, CERTIFICATES, CERTIFICATES)
    buildah("commit", "--rm", container, BASE)
    return BASE


@dataclass(frozen=True)
class Image:
    """An image that is mounted at *tree*, with its *config*."""

    tree: Path
    config: Mapping[str, Any]

    @classmethod
    def of(cls, buildah: Buildah, name: str) -> "Image":
        """Mount the image called *name*."""
        container = buildah("from", "--pull-never", name)
        config = json.loads(buildah("inspect", "--type", "image", name))["OCIv1"]["config"]
        return cls(Path(buildah("mount", container)), config)

    @property
    def megabytes(self) -> float:
        """What the image's files take."""
        return sum(path.lstat().st_size for path in self.tree.rglob("*") if path.is_file() or path.is_symlink()) / 1e6

    def command(self, words: Sequence[str], *, environment: Mapping[str, str], mounts: Iterable[str] = ()) -> list[str]:
        """Return how to start *words* as an engine does: the image's entrypoint, user, folder and environment.

        The root is read-only but for *mounts*, like "/here:/data" or "tmpfs:/tmp"; there are no capabilities, no rights to
        be gained, and no processes to be seen but its own. Only the network is that of the machine.
        """
        user, _, group = self.config["User"].partition(":")
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in environment.items())]
        unprivileged = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
        unprivileged += ["--bounding-set=-all", "--inh-caps=-all"]
        return [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "enter"),
            *(str(self.tree), self.config["WorkingDir"], *mounts, "--"),
            *(*variables, *unprivileged, *self.config["Entrypoint"], *words),
        ]
