from pathlib import Path

import pytest

from tests.support.once import made_once


def test_several_processes_get_the_folder_that_the_first_has_made(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "file").write_text("made")

    for _ in range(2):
        folder = made_once(tmp_path / "thing", make)
        assert (folder / "file").read_text() == "made"
    assert made == [tmp_path / "thing"]


def test_what_could_not_be_made_is_not_taken_for_made(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        raise RuntimeError("no room")

    with pytest.raises(RuntimeError, match="no room"):
        made_once(tmp_path / "thing", fail)
    with pytest.raises(FileExistsError):
        made_once(tmp_path / "thing", lambda folder: None)
