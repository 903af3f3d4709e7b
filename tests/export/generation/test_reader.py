import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.generation import (
    Generation,
    GenerationCorruptError,
    GenerationForTestsError,
    GenerationMissingError,
    GenerationTooNewError,
    GenerationUnsupportedError,
    Manifest,
    read,
)
from export.generation.errors import GenerationFileError
from export.generation.manifest import MANIFEST_FILE, FileInfo, IndexInfo, read_manifest, render
from tests.support.generation import tiny_contents, tiny_world, write_tiny_generation

SLOT_OF_CREATOR = 2


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_generation(tmp_path_factory.mktemp("generations"))


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(written, tmp_path / "copy")


def opened(folder: Path, *, verify: bool = True) -> Generation:
    return read(folder, verify=verify, allow_test_featurizer=True)


def file_names(folder: Path) -> list[str]:
    return [*read_manifest(folder).files]


def rewrite(folder: Path, change: Callable[[Manifest], Manifest]) -> None:
    """Write a manifest that is whole, as another program would."""
    changed = change(read_manifest(folder)).named()
    (folder / MANIFEST_FILE).write_bytes(render(changed))


def list_as_it_is(folder: Path, name: str, data: bytes) -> None:
    """Let the manifest agree with a file that was replaced."""
    info = FileInfo(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    rewrite(folder, lambda manifest: replace(manifest, files={**manifest.files, name: info}))


def remove(path: Path) -> None:
    path.unlink()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def test_every_array_reads_as_it_was_written(written: Path) -> None:
    contents = tiny_contents()
    generation = opened(written)

    for name in ("text", "hgnn", "item_vectors", "popularity", "item_type", "user_features"):
        np.testing.assert_array_equal(getattr(generation, name), getattr(contents, name))
    for name in ("graph_indptr", "graph_neighbours", "graph_weights", "graph_users"):
        np.testing.assert_array_equal(getattr(generation, name), getattr(contents, name))
    for name in ("history_indptr", "history_rows", "history_weight", "history_seen"):
        np.testing.assert_array_equal(getattr(generation, name), getattr(contents, name))
    np.testing.assert_array_equal(generation.layers[0], contents.layers[0])
    assert [each.shape for each in generation.layer_inputs] == [(60, 64), (60, 24)]
    assert generation.hgnn_path.read_bytes() == contents.models.hgnn
    assert generation.user_tower_path.read_bytes() == contents.models.user_tower
    assert generation.item_tower_path.read_bytes() == contents.models.item_tower
    assert generation.item_encoder == contents.item_encoder
    assert generation.user_encoder == contents.user_encoder


def test_items_and_people_read_as_they_were_written(written: Path) -> None:
    world = tiny_world()
    generation = opened(written)

    assert [generation.record(row) for row in range(len(generation))] == [*world.records]
    assert generation.item_ids.lookup(world.item_ids).tolist() == [*range(60)]
    assert generation.user_ids.ids(range(20)) == [*world.user_ids]
    for user, history in enumerate(world.histories):
        assert generation.history(user).rows.tolist() == history.tolist()
    assert [*generation.title] == [each.title for each in world.records]


def test_neighbours_are_those_of_the_slot(written: Path) -> None:
    world = tiny_world()
    generation = opened(written)

    for row in range(len(generation)):
        near = generation.neighbours(row, SLOT_OF_CREATOR)
        creator = world.records[row].creator
        assert all(world.records[n].creator == creator and n != row for n in near.rows)
        assert not near.users.any()
        for slot in (0, 1):
            near = generation.neighbours(row, slot)
            assert (generation.item_type[near.rows] == slot).all()
            assert (np.diff(near.weights) <= 0).all()
            assert (near.users >= 2).all()


@pytest.mark.parametrize(("row", "slot"), [(-1, 0), (60, 0), (0, -1), (0, 3)])
def test_a_list_that_does_not_exist_is_an_error(written: Path, row: int, slot: int) -> None:
    with pytest.raises(IndexError, match=f"row {row}, slot {slot}"):
        opened(written).neighbours(row, slot)


@pytest.mark.parametrize("row", [-1, 20])
def test_a_user_that_does_not_exist_is_an_error(written: Path, row: int) -> None:
    with pytest.raises(IndexError, match=f"no user in row {row}"):
        opened(written).history(row)


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (remove, GenerationMissingError),
        (cut_short, GenerationCorruptError),
        (empty, GenerationCorruptError),
        (flip_a_bit, GenerationCorruptError),
    ],
)
def test_damage_to_any_file_is_refused_and_the_file_named(
    folder: Path, damage: Callable[[Path], None], error: type[GenerationFileError]
) -> None:
    for name in file_names(folder):
        path = folder / name
        whole = path.read_bytes()
        damage(path)
        with pytest.raises(error) as refused:
            opened(folder)
        assert refused.value.path == path
        assert name in str(refused.value)
        path.write_bytes(whole)
    assert len(opened(folder)) == 60


@pytest.mark.parametrize("damage", [remove, cut_short])
def test_a_file_that_is_missing_or_short_is_noticed_even_unverified(
    folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(folder / "hgnn.npy")

    with pytest.raises(GenerationFileError, match=r"hgnn\.npy"):
        opened(folder, verify=False)


def test_an_array_of_another_shape_under_a_right_hash_is_refused(folder: Path) -> None:
    np.save(folder / "popularity.npy", np.zeros(59, dtype=np.float32))
    data = (folder / "popularity.npy").read_bytes()
    list_as_it_is(folder, "popularity.npy", data)

    with pytest.raises(
        GenerationCorruptError, match=r"popularity\.npy: expected float32 of \(60,\)"
    ):
        opened(folder)


def test_an_array_of_objects_is_never_unpickled(folder: Path) -> None:
    np.save(folder / "popularity.npy", np.array([{"a": 1}] * 60), allow_pickle=True)
    list_as_it_is(folder, "popularity.npy", (folder / "popularity.npy").read_bytes())

    with pytest.raises(GenerationCorruptError, match=r"popularity\.npy: not a readable array"):
        opened(folder)


@pytest.mark.parametrize("name", ["item_encoder.json", "user_encoder.json"])
def test_an_encoder_that_is_none_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"[]")
    list_as_it_is(folder, name, b"[]")

    with pytest.raises(GenerationCorruptError, match=name):
        opened(folder)


def test_an_index_of_an_unknown_kind_is_refused_by_name(folder: Path) -> None:
    rewrite(folder, lambda m: replace(m, index=IndexInfo(kind="quantum", settings={})))

    with pytest.raises(
        GenerationUnsupportedError, match="index of kind 'quantum', known are exact"
    ):
        opened(folder)


def test_a_newer_format_is_refused_by_number(folder: Path) -> None:
    rewrite(folder, lambda manifest: replace(manifest, format=4))

    with pytest.raises(GenerationTooNewError, match="format 4, this program reads up to 3"):
        opened(folder)


def test_a_file_that_the_format_does_not_have_is_refused(folder: Path) -> None:
    info = FileInfo(sha256="0" * 64, bytes=1)
    rewrite(folder, lambda m: replace(m, files={**m.files, "../outside": info}))

    with pytest.raises(GenerationUnsupportedError, match=r"lists \.\./outside"):
        opened(folder)


def test_a_file_that_the_manifest_leaves_out_is_missed(folder: Path) -> None:
    rewrite(
        folder,
        lambda m: replace(m, files={k: v for k, v in m.files.items() if k != "text.npy"}),
    )

    with pytest.raises(GenerationCorruptError, match=r"does not list text\.npy"):
        opened(folder)


def test_vectors_of_a_fake_do_not_serve(written: Path) -> None:
    with pytest.raises(
        GenerationForTestsError, match="'hash', a fake for tests: it must not serve"
    ):
        read(written)


@pytest.mark.parametrize("name", ["nothing", "file"])
def test_where_there_is_no_generation_the_path_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("text")

    with pytest.raises(GenerationMissingError, match=name):
        read(tmp_path / name)


def test_arrays_are_mapped_and_read_only(written: Path) -> None:
    generation = opened(written)

    mapped = Path("/proc/self/maps").read_text()

    for name in ("text.npy", "item_vectors.npy", "graph_neighbours.npy", "title_data.npy"):
        assert str(generation.path / name) in mapped
    with pytest.raises(ValueError, match="read-only"):
        generation.item_vectors[0, 0] = 1


def test_several_processes_read_one_generation_and_none_loads_torch(written: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from export.generation import read\n"
        "g = read(Path(sys.argv[1]), allow_test_featurizer=True)\n"
        "assert not {'torch', 'onnx', 'duckdb'} & set(sys.modules)\n"
        "print(g.item_ids.lookup(['podcast-03'])[0], float(g.item_vectors.sum()))"
    )
    readers = [
        subprocess.Popen([sys.executable, "-c", script, written], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]

    answers = {reader.communicate(timeout=60)[0] for reader in readers}

    assert answers == {f"33 {float(opened(written).item_vectors.sum())}\n"}
