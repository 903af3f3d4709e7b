"""Folders that are read-only, or on a small disk, in a process that alone sees them so.

Root may write whatever the bits of a file say, and a disk that is full cannot be made up: libraries
write from C. So a child process mounts what it needs in a namespace of its own.
"""

import shutil
import subprocess
import sys

import pytest

UNSHARED = ("unshare", "-m")
SEAL = 'for each; do mount --bind "$each" "$each" && mount -o remount,bind,ro "$each"; done'
"""For a shell: make folders read-only."""


def _may_mount() -> bool:
    if shutil.which(UNSHARED[0]) is None:
        return False
    command = [*UNSHARED, "mount", "-t", "tmpfs", "none", "/tmp"]
    return subprocess.run(command, capture_output=True).returncode == 0


needs_mounts = pytest.mark.skipif(
    sys.platform != "linux" or not _may_mount(), reason="this user may not mount (unshare -m)"
)


def resize(folder: object, kilobytes: int) -> None:
    """Give a folder a disk of its own of that size, or another size; in the child."""
    options = f"remount,size={kilobytes}k"
    if subprocess.run(["mountpoint", "-q", str(folder)]).returncode:
        options = f"size={kilobytes}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)
