"""Opens a generation: verified, then mapped, so that processes share its memory."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.generation.check import check_array
from export.generation.errors import (
    GenerationCorruptError,
    GenerationForTestsError,
    GenerationInvalidError,
    GenerationMissingError,
)
from export.generation.folder import locate
from export.generation.generation import Generation, Ready
from export.generation.ids import IdTable
from export.generation.layout import (
    ID_TABLES,
    ITEM_ENCODER_FILE,
    TEXT_COLUMNS,
    USER_ENCODER_FILE,
    array_specs,
    layer_name,
)
from export.generation.manifest import Manifest, read_manifest
from export.generation.texts import TextColumn
from export.generation.verify import check_files, check_index_kind, check_scoring
from features.encode import ItemEncoder, UserEncoder
from features.errors import EncoderError
from retrieval.pairwise import PairTable


def read(path: Path, *, verify: bool = True, allow_test_featurizer: bool = False) -> Generation:
    """Open a generation, or the current one of an output folder.

    Names, sizes, types and shapes are always checked. `verify` reads every file once to
    compare its hash; leave it out only where the same bytes were verified just before.

    Raises:
        GenerationMissingError: there is none, or a file is not there.
        GenerationCorruptError: a file was cut short or altered; the error names it.
        GenerationTooNewError: a later program wrote it.
        GenerationUnsupportedError: it has a kind of index or a file that is not known here.
        GenerationForTestsError: a fake made its text vectors and `allow_test_featurizer` is
            not set.
    """
    folder = locate(path)
    manifest = read_manifest(folder)
    check_index_kind(folder, manifest)
    check_scoring(folder, manifest)
    if manifest.featurizer.for_tests_only and not allow_test_featurizer:
        raise GenerationForTestsError(
            folder,
            f"its text vectors come from {manifest.featurizer.name!r}, a fake for tests: "
            "it must not serve",
        )
    check_files(folder, manifest, hashed=verify)
    return _open(folder, manifest)


def _open(folder: Path, manifest: Manifest) -> Generation:
    arrays = _arrays(folder, manifest)
    parts: dict[str, Any] = {name: _texts(name, arrays) for name in TEXT_COLUMNS}
    parts |= {name: _id_table(name, arrays) for name in ID_TABLES}
    hidden = range(1, len(manifest.dimensions.layers) + 1)
    parts["layers"] = tuple(arrays.pop(layer_name(number)) for number in hidden)
    parts["pairs"] = _pairs(arrays) if manifest.counts.pairs is not None else None
    parts["ready"] = _ready(arrays) if manifest.counts.listed is not None else None
    # Format 1 does not tell, so all counts as seen; from format 2 on there is an array.
    parts["history_seen"] = np.broadcast_to(np.True_, (manifest.counts.history,))
    return Generation(
        path=folder,
        manifest=manifest,
        item_encoder=_item_encoder(folder / ITEM_ENCODER_FILE),
        user_encoder=_user_encoder(folder / USER_ENCODER_FILE),
        **(parts | arrays),
    )


def _arrays(folder: Path, manifest: Manifest) -> dict[str, NDArray[Any]]:
    """Map every array and check its type and shape."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, spec in array_specs(manifest.counts, manifest.dimensions, manifest.num_slots).items():
        path = folder / f"{name}.npy"
        try:
            # A plain view: numpy's memmap class makes every slice slower.
            arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
            check_array(name, arrays[name], spec)
        except FileNotFoundError:
            raise GenerationMissingError(path, "no such file") from None
        except GenerationInvalidError as error:
            raise GenerationCorruptError(path, error.problem) from error
        except (ValueError, EOFError) as error:
            raise GenerationCorruptError(path, f"not a readable array: {error}") from error
    return arrays


def _pairs(arrays: dict[str, NDArray[Any]]) -> PairTable:
    """Take the arrays of the pair table out of `arrays`."""
    return PairTable(
        arrays.pop("pair_indptr"), arrays.pop("pair_targets"), arrays.pop("pair_weights")
    )


def _ready(arrays: dict[str, NDArray[Any]]) -> Ready:
    """Take what is ready for the users out of `arrays`."""
    lists = (arrays.pop(f"list_{name}") for name in ("rows", "scores", "chances"))
    return Ready(arrays.pop("user_vectors"), *lists)


def _id_table(name: str, arrays: dict[str, NDArray[Any]]) -> IdTable:
    """Take the arrays of one table out of `arrays`."""
    return IdTable(
        texts=_texts(name, arrays),
        hashes=arrays.pop(f"{name}_hashes"),
        rows=arrays.pop(f"{name}_rows"),
    )


def _texts(name: str, arrays: dict[str, NDArray[Any]]) -> TextColumn:
    """Take the arrays of one column out of `arrays`."""
    return TextColumn(data=arrays.pop(f"{name}_data"), offsets=arrays.pop(f"{name}_offsets"))


def _item_encoder(path: Path) -> ItemEncoder:
    try:
        return ItemEncoder.from_json(_text(path))
    except EncoderError as error:
        raise GenerationCorruptError(path, str(error)) from error


def _user_encoder(path: Path) -> UserEncoder:
    try:
        return UserEncoder.from_json(_text(path))
    except EncoderError as error:
        raise GenerationCorruptError(path, str(error)) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise GenerationMissingError(path, "no such file") from None
    except UnicodeDecodeError as error:
        raise GenerationCorruptError(path, f"not UTF-8: {error}") from error
