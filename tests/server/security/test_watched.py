import logging
import os
from pathlib import Path

import pytest

from server.errors import StartError
from server.security.watched import POLL_S, Watched
from tests.server.security.support import Clock, put


def read(path: Path) -> str:
    try:
        text = path.read_text("utf-8")
    except OSError:
        raise StartError(f"{path}: gone") from None
    if "broken" in text:
        raise StartError(f"{path}: broken")
    return text


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return put(tmp_path / "file", b"first")


def test_change_is_seen_after_a_second_and_not_before(path: Path, clock: Clock) -> None:
    watched = Watched(path, read, clock)
    put(path, b"second")
    clock.now += POLL_S - 0.01
    assert watched.now() == "first"
    clock.now += 0.02
    assert watched.now() == "second"


def test_file_that_has_not_changed_is_not_read_again(path: Path, clock: Clock) -> None:
    readings: list[Path] = []

    def counted(file: Path) -> str:
        readings.append(file)
        return read(file)

    watched = Watched(path, counted, clock)
    for _ in range(5):
        clock.now += POLL_S
        watched.now()
    assert readings == [path]


def test_replacement_of_the_same_length_and_time_is_seen(path: Path, clock: Clock) -> None:
    watched = Watched(path, read, clock)
    found = path.stat()
    put(path, b"other")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    clock.now += POLL_S
    assert watched.now() == "other"


@pytest.mark.parametrize("content", [b"broken", None])
def test_file_that_broke_changes_nothing_and_is_told_once(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    watched = Watched(path, read, clock)
    if content is None:
        path.unlink()
    else:
        put(path, content)
    for _ in range(3):
        clock.now += POLL_S
        assert watched.now() == "first"
    (told,) = caplog.records
    assert told.levelno == logging.ERROR
    assert "what it said before holds" in told.message
    put(path, b"mended")
    clock.now += POLL_S
    assert watched.now() == "mended"


def test_file_that_became_readable_is_read(path: Path, clock: Clock) -> None:
    locked = True

    def read_if_let(file: Path) -> str:
        if locked and file.read_text("utf-8") != "first":
            raise StartError(f"{file}: not let")
        return read(file)

    watched = Watched(path, read_if_let, clock)
    put(path, b"second")
    clock.now += POLL_S
    assert watched.now() == "first"
    locked = False
    path.chmod(0o600)
    clock.now += POLL_S
    assert watched.now() == "second"


def test_file_that_is_broken_at_the_start_is_refused(path: Path, clock: Clock) -> None:
    put(path, b"broken")
    with pytest.raises(StartError, match="broken"):
        Watched(path, read, clock)


def test_folder_swapped_behind_a_link_is_seen(tmp_path: Path, clock: Clock) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name, "utf-8")
    link = tmp_path / "data"
    link.symlink_to("one")
    watched = Watched(link / "file", read, clock)
    fresh = tmp_path / "fresh"
    fresh.symlink_to("two")
    fresh.replace(link)
    clock.now += POLL_S
    assert watched.now() == "two"
