import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.approximate import ApproximateIndex
from retrieval.defaults import APPROXIMATE_FROM
from retrieval.errors import (
    IndexDamagedError,
    IndexFileError,
    IndexMismatchError,
    IndexMissingError,
    IndexTooNewError,
)
from retrieval.hnsw import GraphSettings
from retrieval.store import build_index, load_index

GOLDEN = Path(__file__).parent / "golden"
Edit = Callable[[dict[str, Any]], object]


def unit(count: int, dimensions: int = 8) -> NDArray[np.float32]:
    vectors = np.random.default_rng(1).normal(size=(count, dimensions))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    settings = GraphSettings(links=4, build_width=20, min_rows=50)
    ApproximateIndex.build(unit(200), np.repeat([0, 1], 100), settings).save(tmp_path)
    return tmp_path


def edit_header(folder: Path, edit: Edit) -> None:
    path = folder / "index.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_small_catalogue_gets_the_exact_index_and_a_large_one_the_approximate() -> None:
    rows = APPROXIMATE_FROM
    one_type = np.zeros(rows, dtype=np.int64)
    assert build_index(unit(rows - 1), one_type[1:]).kind == "exact"
    large = build_index(unit(rows), one_type)
    assert large.kind == "hnsw"
    assert large.search(unit(rows)[:5], 10).rows[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_large_catalogue_in_which_graphs_miss_too_much_is_searched_exactly() -> None:
    """Between clusters this tight a graph has no way across."""
    draw = np.random.default_rng(2)
    place = np.arange(APPROXIMATE_FROM) % 20
    vectors = draw.normal(size=(20, 32))[place] + 0.05 * draw.normal(size=(len(place), 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = build_index(vectors.astype(np.float32), np.zeros(len(place), dtype=np.int64))
    assert index.kind == "exact"


@pytest.mark.parametrize("name", ["index.json", "index.bin"])
def test_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(IndexMissingError, match="no such file") as caught:
        load_index(saved, unit(200))
    assert caught.value.path == saved / name


@pytest.mark.parametrize("keep", [0, 1, 1000, -1])
def test_truncated_body_is_refused_before_it_is_opened(saved: Path, keep: int) -> None:
    body = saved / "index.bin"
    body.write_bytes(body.read_bytes()[:keep])
    with pytest.raises(IndexDamagedError, match=r"index\.bin: is \d+ bytes long, expected"):
        load_index(saved, unit(200))


@pytest.mark.parametrize("place", [0, 100, 5000, -1])
def test_single_flipped_bit_is_noticed(saved: Path, place: int) -> None:
    body = saved / "index.bin"
    content = bytearray(body.read_bytes())
    content[place] ^= 4
    body.write_bytes(content)
    with pytest.raises(IndexDamagedError, match=r"index\.bin: .*\(digest differs\)"):
        load_index(saved, unit(200))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'"text"', b"\xff\xfe", b"null"])
def test_header_that_is_not_ours_is_refused(saved: Path, content: bytes) -> None:
    (saved / "index.json").write_bytes(content)
    with pytest.raises(IndexDamagedError, match=r"index\.json: "):
        load_index(saved, unit(200))


@pytest.mark.parametrize(
    ("edit", "error", "says"),
    [
        (lambda c: c.update(magic="other"), IndexDamagedError, "magic word"),
        (lambda c: c.update(version=2), IndexTooNewError, "has version 2, .* reads up to 1"),
        (lambda c: c.update(version=0), IndexDamagedError, "version is not a positive number"),
        (lambda c: c.update(version="1"), IndexDamagedError, "version is not a positive number"),
        (lambda c: c.pop("dimensions"), IndexDamagedError, "no field 'dimensions'"),
        (lambda c: c.update(count="many"), IndexDamagedError, "wrong kind"),
        (lambda c: c.update(settings=3), IndexDamagedError, "wrong kind"),
        (lambda c: c.update(graphs=[[1]]), IndexDamagedError, "wrong kind"),
        (lambda c: c.update(body="none"), IndexDamagedError, "wrong kind"),
        (lambda c: c.update(kind="oracle"), IndexDamagedError, "is of kind 'oracle'"),
        (lambda c: c.update(graphs=[[0, 90], [90, 200]]), IndexDamagedError, "holds graphs over"),
        (lambda c: c["settings"].update(colour=3), IndexDamagedError, "cannot be read here"),
        (lambda c: c.update(count=7), IndexMismatchError, "7 vectors of 8"),
    ],
)
def test_header_with_a_wrong_field_is_refused(
    saved: Path, edit: Edit, error: type[IndexFileError], says: str
) -> None:
    edit_header(saved, edit)
    with pytest.raises(error, match=says):
        load_index(saved, unit(200))


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        (unit(200, 9), "200 vectors of 8 dimensions, the catalogue has 200 of 9"),
        (unit(199), "200 vectors of 8 dimensions, the catalogue has 199 of 8"),
        (-unit(200), "vectors with other values"),
        (unit(200)[::-1], "vectors with other values"),
    ],
)
def test_index_of_other_vectors_is_refused(
    saved: Path, vectors: NDArray[np.float32], says: str
) -> None:
    with pytest.raises(IndexMismatchError, match=says):
        load_index(saved, vectors)


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_first_version_stays_readable(kind: str, tmp_path: Path) -> None:
    """Files written by the first version, never to be written again."""
    folder = shutil.copytree(GOLDEN / "v1" / kind, tmp_path / kind)
    vectors = np.load(GOLDEN / "v1" / "vectors.npy", allow_pickle=False)
    index = load_index(folder, vectors)
    assert (index.kind, len(index), index.dimensions) == (kind, 60, 4)
    assert index.search(vectors, 1).rows[:, 0].tolist() == list(range(60))


def test_files_that_were_verified_are_not_read_again(tmp_path: Path) -> None:
    vectors = unit(200)
    build_index(vectors, np.zeros(200, dtype=np.int64)).save(tmp_path)
    others = unit(200)[::-1].copy()
    with pytest.raises(IndexMismatchError, match="other values"):
        load_index(tmp_path, others)
    assert len(load_index(tmp_path, others, verified=True)) == 200
    with pytest.raises(IndexMismatchError, match="200 vectors"):
        load_index(tmp_path, others[:100], verified=True)
