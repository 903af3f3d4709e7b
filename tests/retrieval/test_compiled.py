import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import numba
import pytest
from numba.core.caching import CacheImpl, UserProvidedCacheLocator

from retrieval import compiled


def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where numba may write neither beside the source nor at home, but to TMPDIR."""
    monkeypatch.setattr(CacheImpl, "_locator_classes", [UserProvidedCacheLocator])
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(compiled, "_places", set())
    return tmp_path / f"nearfield-kernels-{os.geteuid()}"


def told(caplog: pytest.LogCaptureFixture) -> str:
    compiled.tell_places()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    return record.getMessage()


def test_code_is_kept_under_tmpdir_where_numba_finds_no_place(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    function: Any = compiled.compiled()(double)
    assert function(21) == 42
    assert list(place.rglob("*.nbc"))
    assert place.stat().st_mode & 0o777 == 0o700
    assert str(place) in told(caplog)


@pytest.mark.parametrize("kind", ["open to others", "a link", "no folder"])
def test_folder_that_somebody_else_may_have_filled_is_not_believed(
    place: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    match kind:
        case "open to others":
            place.mkdir()
            place.chmod(0o777)
        case "a link":
            place.symlink_to(place.parent)
        case "no folder":
            place.write_text("")
    function: Any = compiled.compiled()(double)
    assert function(21) == 42
    assert not list(place.parent.rglob("*.nbc"))
    assert "kept in memory" in told(caplog)


def test_place_that_numba_finds_itself_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    function: Any = compiled.compiled()(double)
    assert function(21) == 42
    compiled.tell_places()
    assert not caplog.records
