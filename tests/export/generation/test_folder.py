from pathlib import Path

import pytest

from export.generation import GenerationMissingError, find_all, locate, read, switch
from tests.support.generation import write_tiny_generation, write_tiny_output


def test_an_output_folder_stands_for_its_current_generation(tmp_path: Path) -> None:
    path = write_tiny_output(tmp_path)

    assert locate(tmp_path) == locate(tmp_path / "current") == locate(path) == path
    assert read(tmp_path, allow_test_featurizer=True).name == path.name


def test_a_generation_that_is_open_stays_itself_through_a_switch(tmp_path: Path) -> None:
    first = write_tiny_output(tmp_path, seed=7)
    generation = read(tmp_path, allow_test_featurizer=True)

    second = write_tiny_output(tmp_path, seed=8)

    assert generation.path == first
    assert locate(tmp_path) == second


def test_switching_back_is_switching(tmp_path: Path) -> None:
    first = write_tiny_output(tmp_path, seed=7)
    write_tiny_output(tmp_path, seed=8)

    link = switch(tmp_path, first.name)

    assert link == tmp_path / "current"
    assert link.readlink() == Path("generations") / first.name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "generations"]


def test_an_output_folder_can_be_moved(tmp_path: Path) -> None:
    write_tiny_output(tmp_path / "here")

    (tmp_path / "here").rename(tmp_path / "there")

    assert locate(tmp_path / "there").parent == tmp_path / "there" / "generations"


def test_a_generation_that_is_not_there_does_not_become_current(tmp_path: Path) -> None:
    path = write_tiny_output(tmp_path)

    with pytest.raises(GenerationMissingError, match="0123456789abcdef: no such generation"):
        switch(tmp_path, "0123456789abcdef")
    assert locate(tmp_path) == path


def test_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("generations/gone")

    with pytest.raises(GenerationMissingError, match="current: points to generations/gone"):
        locate(tmp_path)


def test_an_unfinished_generation_is_not_listed(tmp_path: Path) -> None:
    paths = [write_tiny_generation(tmp_path / "generations", seed=seed) for seed in (7, 8)]
    (tmp_path / "generations" / ".partial-1").mkdir()
    (tmp_path / "generations" / "no-manifest").mkdir()

    assert find_all(tmp_path) == sorted(paths)
    assert find_all(tmp_path / "nowhere") == []
