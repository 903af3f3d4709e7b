import logging
import os
import threading
import time
from pathlib import Path

import pytest

from server.errors import StartError
from server.security import watched as watched_module
from server.security.errors import CallersFileError
from server.security.watched import OVERDUE_S, Watched, read_file
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


def test_change_is_seen_by_itself_and_nobody_watches_what_is_gone(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_module, "POLL_S", 0.01)
    before = set(threading.enumerate())
    watched = Watched(path, read, clock)
    (thread,) = set(threading.enumerate()) - before
    put(path, b"second")
    until = time.monotonic() + 10
    while watched.now() == "first" and time.monotonic() < until:
        time.sleep(0.01)
    assert watched.now() == "second"
    del watched
    thread.join(10)
    assert not thread.is_alive()


def test_file_that_hangs_holds_up_nobody_who_asks(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    reached, mended = threading.Event(), threading.Event()

    def hanging(file: Path) -> str:
        if file.read_text("utf-8") == "second":
            reached.set()
            mended.wait(30)
        return read(file)

    watched = Watched(path, hanging, clock)
    put(path, b"second")
    looking = threading.Thread(target=watched.look)
    looking.start()
    assert reached.wait(10)
    for _ in range(3):
        clock.now += OVERDUE_S
        assert watched.now() == "first"
    (told,) = caplog.records
    assert "it hangs" in told.message
    mended.set()
    looking.join(10)
    assert watched.now() == "second"


def test_what_is_no_file_is_not_read(path: Path, clock: Clock) -> None:
    def reading(file: Path) -> bytes:
        return read_file(file, CallersFileError)

    watched = Watched(path, reading, clock)
    path.unlink()
    os.mkfifo(path)
    watched.look()
    assert watched.now() == b"first"
    for strange in (path, path.parent, Path("/dev/zero")):
        with pytest.raises(CallersFileError, match="expected a regular file"):
            Watched(strange, reading, clock)


def test_file_that_is_too_long_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_module, "MOST_BYTES", 5)
    assert read_file(path, CallersFileError) == b"first"
    put(path, b"second")
    with pytest.raises(CallersFileError, match="at most 5 bytes"):
        read_file(path, CallersFileError)


def test_file_that_has_not_changed_is_not_read_again(path: Path, clock: Clock) -> None:
    readings: list[Path] = []

    def counted(file: Path) -> str:
        readings.append(file)
        return read(file)

    watched = Watched(path, counted, clock)
    for _ in range(5):
        watched.look()
    assert readings == [path]


def test_replacement_of_the_same_length_and_time_is_seen(path: Path, clock: Clock) -> None:
    watched = Watched(path, read, clock)
    found = path.stat()
    put(path, b"other")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    watched.look()
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
        watched.look()
        assert watched.now() == "first"
    (told,) = caplog.records
    assert told.levelno == logging.ERROR
    assert "what it said before holds" in told.message
    put(path, b"mended")
    watched.look()
    assert watched.now() == "mended"


def test_file_that_became_readable_is_read(path: Path, clock: Clock) -> None:
    locked = True

    def read_if_let(file: Path) -> str:
        if locked and file.read_text("utf-8") != "first":
            raise StartError(f"{file}: not let")
        return read(file)

    watched = Watched(path, read_if_let, clock)
    put(path, b"second")
    watched.look()
    assert watched.now() == "first"
    locked = False
    path.chmod(0o600)
    watched.look()
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
    watched.look()
    assert watched.now() == "two"
