"""What libraries raise on a full disk, in the words that they used on one."""

import errno
import sqlite3
from pathlib import Path

import pytest

from features import full_disk as room
from features.errors import CacheError
from features.full_disk import full_disk

DISK = "underlying IO error: No space left on device (os error 28)"
QUOTA = "Disk quota exceeded"


def caused(error: Exception, cause: Exception) -> Exception:
    try:
        raise error from cause
    except Exception as raised:  # noqa: BLE001 - of any class
        return raised


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError(DISK),
        caused(
            CacheError("cannot be written"), sqlite3.OperationalError("database or disk is full")
        ),
        caused(ValueError("cannot be written"), OSError(errno.ENOSPC, "No space left on device")),
    ],
)
def test_full_disk_is_told_with_its_folder_and_what_to_do(tmp_path: Path, error: Exception) -> None:
    told = full_disk(error, [tmp_path / "run"])
    assert "the disk is full (" in told
    assert told.endswith("MB are free); make room there and run the same command again")


def test_folder_is_that_of_the_file_where_the_error_names_one(tmp_path: Path) -> None:
    error = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "vectors.npy"))
    assert full_disk(error, [Path("/elsewhere")]).startswith(f"{tmp_path}: the disk is full")


@pytest.mark.parametrize("error", [OSError(errno.EDQUOT, QUOTA), RuntimeError(QUOTA)])
def test_quota_is_told_as_one(tmp_path: Path, error: Exception) -> None:
    assert "the quota is used up" in full_disk(error, [tmp_path])


@pytest.mark.parametrize(
    "said", ["12800 requested and 4096 written", "disk I/O error", "enforce fail at inline"]
)
def test_error_that_may_mean_it_is_believed_where_nothing_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    assert not full_disk(RuntimeError(said), [tmp_path])
    monkeypatch.setattr(room, "_free", lambda folder: 4096)
    assert full_disk(RuntimeError(said), [tmp_path])


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "Permission denied"), ValueError("no"), MemoryError()]
)
def test_other_errors_are_left_alone(tmp_path: Path, error: Exception) -> None:
    assert not full_disk(error, [tmp_path])
