"""How much memory there is, in this machine or in the container that holds us."""

from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")
"""Version 2, as a container sees its own group."""


def available_bytes(cgroup: Path = CGROUP) -> int:
    """Return what can still be taken, what the system would give back included."""
    free = int(psutil.virtual_memory().available)
    limit, used = _number(cgroup / "memory.max"), _number(cgroup / "memory.current")
    if limit is None or used is None:
        return free
    return min(free, limit - used + _reclaimable(cgroup / "memory.stat"))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group, or "max", which is no limit
        return None


def _reclaimable(path: Path) -> int:
    """Read how much of a group's memory is files that could be read again."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    fields = dict(line.split(maxsplit=1) for line in lines)
    return int(fields.get("inactive_file", 0)) + int(fields.get("active_file", 0))
