"""Stages: skipped when unchanged, whole or not there, resumable."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from graph.errors import StageError
from graph.stage import hash_files, run_stage

CODE = ("graph.stage",)


class Work:
    """Work that writes a number and counts its calls."""

    def __init__(self, value: int = 1) -> None:
        self.value = value
        self.calls = 0

    def __call__(self, folder: Path) -> dict[str, Any]:
        self.calls += 1
        (folder / "out").mkdir(exist_ok=True)
        (folder / "out" / "number.txt").write_text(str(self.value))
        return {"value": self.value}


def quiet(line: str) -> None:
    """Say nothing."""


def test_the_same_inputs_are_not_worked_on_twice(tmp_path: Path) -> None:
    folder, work, lines = tmp_path / "step", Work(7), list[str]()
    first = run_stage(folder, {"seed": 1}, work, code=CODE, say=lines.append)
    second = run_stage(folder, {"seed": 1}, work, code=CODE, say=lines.append)
    assert (first.ran, second.ran, work.calls) == (True, False, 1)
    assert second.summary == {"value": 7}
    assert first.inputs == second.inputs
    assert (folder / "out" / "number.txt").read_text() == "7"
    assert lines[0] == "step: working"
    assert lines[-1] == "step: unchanged, kept"


def test_other_inputs_replace_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "step"
    run_stage(folder, {"seed": 1}, Work(1), code=CODE, say=quiet)
    (folder / "stray").touch()
    result = run_stage(folder, {"seed": 2}, Work(2), code=CODE, say=quiet)
    assert result.ran
    assert (folder / "out" / "number.txt").read_text() == "2"
    assert not (folder / "stray").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["step"]


@pytest.mark.parametrize("harm", ["missing", "shorter", "record"])
def test_damaged_outputs_are_made_again(tmp_path: Path, harm: str) -> None:
    folder, work = tmp_path / "step", Work(12)
    run_stage(folder, {}, work, code=CODE, say=quiet)
    path = folder / "out" / "number.txt"
    if harm == "missing":
        path.unlink()
    elif harm == "shorter":
        path.write_text("1")
    else:
        (folder / "stage.json").write_text('{"inputs"')
    assert run_stage(folder, {}, work, code=CODE, say=quiet).ran
    assert path.read_text() == "12"


def test_failing_work_leaves_the_old_outputs_alone(tmp_path: Path) -> None:
    folder = tmp_path / "step"
    run_stage(folder, {"seed": 1}, Work(1), code=CODE, say=quiet)

    def fail(partial: Path) -> dict[str, Any]:
        (partial / "half").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_stage(folder, {"seed": 2}, fail, code=CODE, say=quiet)
    assert (folder / "out" / "number.txt").read_text() == "1"
    assert not (folder / "half").exists()
    assert not run_stage(folder, {"seed": 1}, Work(1), code=CODE, say=quiet).ran


def test_interrupted_work_finds_its_checkpoint_again_unless_inputs_changed(
    tmp_path: Path,
) -> None:
    folder, found = tmp_path / "step", list[bool]()

    def work(partial: Path) -> dict[str, Any]:
        found.append((partial / "checkpoint").exists())
        (partial / "checkpoint").touch()
        if len(found) != 3:
            raise KeyboardInterrupt
        return {}

    for seed in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            run_stage(folder, {"seed": seed}, work, code=CODE, say=quiet)
    assert run_stage(folder, {"seed": 2}, work, code=CODE, say=quiet).ran
    assert found == [False, False, True]


def test_failed_work_that_left_nothing_leaves_no_folder(tmp_path: Path) -> None:
    def fail(partial: Path) -> dict[str, Any]:
        raise OSError("no such table")

    with pytest.raises(OSError, match="no such table"):
        run_stage(tmp_path / "step", {}, fail, code=CODE, say=quiet)
    assert [*tmp_path.iterdir()] == []


def test_other_code_counts_as_other_inputs(tmp_path: Path) -> None:
    work = Work()
    run_stage(tmp_path / "step", {}, work, code=("tables.order",), say=quiet)
    run_stage(tmp_path / "step", {}, work, code=("graph.relations",), say=quiet)
    assert work.calls == 2


def test_a_module_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"code: expected modules.*, got 'graph\.ordre'"):
        run_stage(tmp_path / "step", {}, Work(), code=("tables.order", "graph.ordre"), say=quiet)
    assert not (tmp_path / "step").exists()


def test_inputs_that_json_cannot_write_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="step: inputs must be what JSON can write"):
        run_stage(tmp_path / "step", {"path": tmp_path}, Work(), code=CODE, say=quiet)
    assert not (tmp_path / "step").exists()


def test_the_record_lists_what_the_stage_left(tmp_path: Path) -> None:
    run_stage(tmp_path / "step", {}, Work(123), code=CODE, say=quiet)
    record = json.loads((tmp_path / "step" / "stage.json").read_text())
    assert record["outputs"] == {"out/number.txt": 3}


def test_files_are_hashed_by_content_and_named_by_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "x" / "a").write_bytes(b"abc")
    assert hash_files(tmp_path, [tmp_path / "a", tmp_path / "x" / "a"]) == {
        "a": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x/a": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }


def test_of_two_processes_one_works_and_the_other_keeps_what_it_made(tmp_path: Path) -> None:
    folder, lines, begun, waiting = tmp_path / "step", list[str](), Event(), Event()
    work, again = Work(5), Work(6)

    def slow(partial: Path) -> dict[str, Any]:
        begun.set()
        assert waiting.wait(10)
        return work(partial)

    def note(line: str) -> None:
        lines.append(line)
        waiting.set()

    def run(work: Callable[[Path], dict[str, Any]], say: Callable[[str], None]) -> bool:
        return run_stage(folder, {"seed": 1}, work, code=CODE, say=say).ran

    # The lock is of the open file, so two threads are to it what two processes are.
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(run, slow, quiet)
        assert begun.wait(10)
        second = pool.submit(run, again, note)
        assert (first.result(10), second.result(10)) == (True, False)
    assert (work.calls, again.calls) == (1, 0)
    assert lines == ["step: another process works on it, waiting", "step: unchanged, kept"]
    assert [path.name for path in tmp_path.iterdir()] == ["step"]


def test_a_lock_that_a_killed_process_left_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / ".step.lock").touch()
    assert run_stage(tmp_path / "step", {}, Work(), code=CODE, say=quiet).ran
    assert [path.name for path in tmp_path.iterdir()] == ["step"]


def test_on_a_shelf_what_is_made_from_the_same_is_made_once_for_all(tmp_path: Path) -> None:
    work, shelf = Work(3), tmp_path / "shelf"
    results = [
        run_stage(tmp_path / run / "step", {"seed": 1}, work, code=CODE, say=quiet, shelf=shelf)
        for run in ("one", "other")
    ]
    assert [result.ran for result in results] == [True, False]
    assert work.calls == 1
    for run in ("one", "other"):
        assert (tmp_path / run / "step" / "out" / "number.txt").read_text() == "3"
    moved = (tmp_path / "one").rename(tmp_path / "elsewhere")
    assert json.loads((moved / "step" / "stage.json").read_text())["summary"] == {"value": 3}


def test_on_a_shelf_other_inputs_stand_beside_and_the_link_follows(tmp_path: Path) -> None:
    folder, shelf = tmp_path / "run" / "step", tmp_path / "shelf"
    run_stage(
        folder, {"seed": 0}, Work(0), code=CODE, say=quiet
    )  # a stage of its own, before there was one
    for value in (1, 2, 1):
        result = run_stage(folder, {"seed": value}, Work(value), code=CODE, say=quiet, shelf=shelf)
        assert (folder / "out" / "number.txt").read_text() == str(value)
    assert not result.ran
    assert len(list(shelf.iterdir())) == 2
