import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from export.generation import (
    GenerationBusyError,
    GenerationContents,
    GenerationCorruptError,
    Ready,
    read,
    write,
)
from retrieval.exact import ExactIndex
from retrieval.pairwise import PairTable
from tests.support.generation import CREATED, tiny_contents

LATER = datetime(2031, 1, 1, tzinfo=UTC)

WRITER_THAT_STOPS_MIDWAY = """
import sys, time
from dataclasses import replace
from pathlib import Path
from export.generation import write
from retrieval.exact import ExactIndex
from retrieval.pairwise import PairTable
from tests.support.generation import CREATED, tiny_contents

class Endless(ExactIndex):
    def save(self, folder):
        print("midway", flush=True)
        time.sleep(600)

contents = tiny_contents()
write(Path(sys.argv[1]), replace(contents, index=Endless(contents.item_vectors)), created=CREATED)
"""


class Failing(ExactIndex):
    """Fails when almost all is written."""

    error: BaseException = OSError(28, "No space left on device")

    def save(self, folder: Path) -> None:
        raise self.error


class Interrupted(Failing):
    error = KeyboardInterrupt()


def contents_with(index: type[ExactIndex]) -> GenerationContents:
    contents = tiny_contents()
    return replace(contents, index=index(contents.item_vectors))


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def writer_midway(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER_THAT_STOPS_MIDWAY, folder], stdout=subprocess.PIPE, text=True
    )
    output: IO[str] | None = process.stdout
    assert output is not None
    assert output.readline() == "midway\n"
    return process


def test_equal_contents_have_one_name_whenever_they_are_written(tmp_path: Path) -> None:
    first = write(tmp_path / "a", tiny_contents(), created=CREATED)
    second = write(tmp_path / "b", tiny_contents(), created=LATER)

    assert first.name == second.name
    assert len(first.name) == 16
    different = [
        path.name
        for path in first.rglob("*")
        if path.is_file() and path.read_bytes() != (second / path.relative_to(first)).read_bytes()
    ]
    assert different == ["manifest.json"]


def test_other_contents_have_another_name(tmp_path: Path) -> None:
    names = {write(tmp_path, tiny_contents(seed=seed), created=CREATED).name for seed in (7, 8)}

    assert len(names) == 2
    assert set(visible(tmp_path)) == names


def test_what_is_there_already_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path, tiny_contents(), created=CREATED)
    before = (path / "manifest.json").stat()

    assert write(tmp_path, tiny_contents(), created=LATER) == path
    assert (path / "manifest.json").stat().st_mtime_ns == before.st_mtime_ns
    assert visible(tmp_path) == [path.name]


def test_what_is_there_already_and_damaged_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = write(tmp_path, tiny_contents(), created=CREATED)
    (path / "text.npy").write_bytes(b"")

    with pytest.raises(GenerationCorruptError, match=r"text\.npy"):
        write(tmp_path, tiny_contents(), created=CREATED)


@pytest.mark.parametrize(("index", "error"), [(Failing, OSError), (Interrupted, KeyboardInterrupt)])
def test_a_failure_midway_leaves_nothing(
    tmp_path: Path, index: type[Failing], error: type[BaseException]
) -> None:
    with pytest.raises(error):
        write(tmp_path, contents_with(index), created=CREATED)

    assert visible(tmp_path) == []


def test_a_writer_killed_midway_leaves_nothing_under_a_final_name(tmp_path: Path) -> None:
    process = writer_midway(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)

    assert [name[:9] for name in visible(tmp_path)] == [".partial-"]
    path = write(tmp_path, tiny_contents(), created=CREATED)
    assert visible(tmp_path) == [path.name]  # the next writer cleans up
    assert len(read(path, allow_test_featurizer=True)) == 60


def test_two_writers_do_not_work_in_one_folder(tmp_path: Path) -> None:
    process = writer_midway(tmp_path)
    try:
        with pytest.raises(GenerationBusyError, match="another process is writing here"):
            write(tmp_path, tiny_contents(), created=CREATED)
    finally:
        process.kill()
        process.communicate(timeout=30)

    assert write(tmp_path, tiny_contents(), created=CREATED).is_dir()


def test_the_manifest_lists_every_file_with_its_length(tmp_path: Path) -> None:
    path = write(tmp_path, tiny_contents(), created=CREATED)
    listed = read(path, allow_test_featurizer=True).manifest.files

    there = {
        each.relative_to(path).as_posix(): each.stat().st_size
        for each in path.rglob("*")
        if each.is_file() and each.name != "manifest.json"
    }

    assert {name: info.bytes for name, info in listed.items()} == there


def test_an_empty_catalogue_without_people_can_be_written_and_read(tmp_path: Path) -> None:
    contents = tiny_contents()
    nothing = replace(
        contents,
        items=contents.items.head(0),
        user_ids=(),
        index=ExactIndex(contents.item_vectors[:0]),
        layers=tuple(layer[:0] for layer in contents.layers),
        graph_indptr=np.zeros(1, dtype=np.int64),
        history_indptr=np.zeros(1, dtype=np.int64),
        pairs=PairTable(
            np.zeros(1, dtype=np.int64), contents.pairs.targets[:0], contents.pairs.weights[:0]
        ),
        ready=Ready(
            contents.ready.vectors[:0],
            contents.ready.rows[:0],
            contents.ready.scores[:0],
            contents.ready.chances[:0],
        ),
        **{
            name: getattr(contents, name)[:0]
            for name in (
                "item_type",
                "text",
                "hgnn",
                "item_vectors",
                "popularity",
                "graph_neighbours",
                "graph_weights",
                "graph_users",
                "user_features",
                "history_rows",
                "history_weight",
                "history_seen",
            )
        },
    )

    generation = read(write(tmp_path, nothing, created=CREATED), allow_test_featurizer=True)

    assert len(generation) == 0
    assert generation.item_ids.lookup(["podcast-03"]).tolist() == [-1]
