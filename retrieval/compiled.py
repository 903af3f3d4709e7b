"""Compiles inner loops with numba, and finds a place where the compiled code is kept.

numba keeps it beside the source, in the cache folder of the user, or where NUMBA_CACHE_DIR says,
and refuses to compile where it may write in none of them. With a read-only checkout and home it is
kept in a folder of this user under TMPDIR, and where that does not work either, in memory: then
every process compiles for itself, which takes some seconds at its start.
"""

import logging
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

log = logging.getLogger(__name__)

Decorator = Callable[[Callable[..., object]], Any]

_places: set[str] = set()
"""What was made do with where numba found no place."""


def compiled(**options: object) -> Decorator:
    """Compile a function when it is first called; `options` are those of `numba.njit`."""
    njit: Any = numba.njit  # whose types name every option
    config: Any = numba.config  # whose content the types do not know

    def decorate(function: Callable[..., object]) -> Any:  # noqa: ANN401 - what numba returns
        kept: Any = njit(cache=True, **options)
        try:
            return kept(function)
        except RuntimeError:  # numba says: no locator available
            pass
        try:
            config.CACHE_DIR = str(_own_folder())
            made = kept(function)
        except (OSError, RuntimeError) as error:
            config.CACHE_DIR = ""
            _places.add(f"in memory, because {error}")
            return njit(**options)(function)
        _places.add(f"in {config.CACHE_DIR}")
        return made

    return decorate


def tell_places() -> None:
    """Write to the log where compiled code is kept, if it is not where numba keeps it."""
    for place in sorted(_places):
        log.warning(
            "neither the checkout nor the home can be written to, nor NUMBA_CACHE_DIR: compiled "
            "code is kept %s",
            place,
        )


def _own_folder() -> Path:
    """Make a folder under TMPDIR that this user alone may write to.

    What lies there is loaded and run, so a folder that somebody else made is not believed.

    Raises:
        OSError: there is none.
    """
    folder = Path(tempfile.gettempdir()) / f"nearfield-kernels-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not this user's alone")
    return folder
