"""Reads what training left in a run folder, and checks that the parts belong together."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from export.errors import RunError
from export.generation import FeaturizerInfo
from features.encode import ItemEncoder, UserEncoder
from features.schema import ItemRecord
from features.years import join_years
from graph.item_graph import ItemGraph
from models.hgnn import HGNN
from models.hgnn_checkpoint import load_hgnn
from models.scorer import Scorer
from models.scorer_checkpoint import load_scorer
from models.tower_checkpoint import load_two_tower
from models.towers import TwoTower
from retrieval.calibrate import Calibration
from retrieval.pairwise import PairTable
from tables.dataset import Dataset, load_dataset

STAGES = ("dataset", "text", "graph", "foundation", "adaptation", "fusion")
STAGE_RECORD = "stage.json"
HOLDING_STAGES = ("graph", "adaptation", "fusion")
"""Stages that say what the run keeps from them; see `training.holdings.HOLDINGS`."""
HELD_NOTHING = "nothing"
COMPARED_STAGES = ("graph", "foundation", "adaptation")
"""Stages that name the settings in use that a server would not follow."""

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True, eq=False)
class RunParts:
    """The outputs of a finished run.

    Shapes:
        text: (N, F), unit rows. layers: (N, F_l) per hidden layer. hgnn: (N, D), unit rows.
        item_vectors: (N, V), unit rows.
    """

    folder: Path
    dataset: Dataset
    featurizer: FeaturizerInfo
    graph: ItemGraph
    network: HGNN
    towers: TwoTower
    item_encoder: ItemEncoder
    user_encoder: UserEncoder
    text: NDArray[np.float32]
    layers: tuple[NDArray[np.float32], ...]
    hgnn: NDArray[np.float32]
    item_vectors: NDArray[np.float32]
    pairs: PairTable
    scorer: Scorer
    calibration: Calibration | None

    @cached_property
    def content(self) -> NDArray[np.float32]:
        """What enters the networks (N, F_0): text vectors and the years beside them, unit rows."""
        rows = np.arange(len(self.dataset.items))
        return join_years(self.text, self.item_encoder.years.encode(self.records(rows)))

    def records(self, rows: NDArray[np.int64]) -> list[ItemRecord]:
        """Return the fields of some items."""
        return [ItemRecord.from_row(row) for row in self.dataset.items[rows].iter_rows(named=True)]


def read_run(folder: Path) -> RunParts:
    """Read a finished run.

    Raises:
        RunError: a stage has not finished or was made to be evaluated, a file is missing, or two
            stages do not fit.
        TableError: the data set cannot be read.
        GraphError: the graph cannot be read.
        CheckpointError: a network cannot be read.
        FeatureError: an encoder cannot be read.
    """
    for stage in STAGES:
        if not (folder / stage / STAGE_RECORD).is_file():
            raise RunError(
                folder / stage,
                "is not a finished stage; `python -m training all --data … --run …` makes them",
            )
    for stage in HOLDING_STAGES:
        _check_holding(folder / stage / STAGE_RECORD)
    for stage in COMPARED_STAGES:
        _check_settings(stage, folder / stage / STAGE_RECORD)
    foundation, adaptation = folder / "foundation", folder / "adaptation"
    network = load_hgnn(foundation)
    parts = RunParts(
        folder=folder,
        dataset=load_dataset(folder / "dataset"),
        featurizer=_featurizer(folder / "text" / "featurizer.json"),
        graph=ItemGraph.load(folder / "graph", mmap=True),
        network=network,
        towers=load_two_tower(adaptation),
        item_encoder=ItemEncoder.from_json(_text(adaptation / "item_encoder.json")),
        user_encoder=UserEncoder.from_json(_text(adaptation / "user_encoder.json")),
        text=_vectors(folder / "text" / "vectors.npy"),
        layers=tuple(
            _vectors(foundation / f"layer_{number}.npy")
            for number in range(1, network.config.layers)
        ),
        hgnn=_vectors(foundation / "vectors.npy"),
        item_vectors=_vectors(adaptation / "item_vectors.npy"),
        pairs=_pairs(folder / "fusion"),
        scorer=load_scorer(folder / "fusion"),
        calibration=_calibration(folder / "fusion"),
    )
    _check_catalogue(parts)
    _check_types(parts)
    _check_widths(parts)
    return parts


def _check_holding(record: Path) -> None:
    """Refuse a run that keeps interactions from its models to test them."""
    holding = _summary(record).get("holding")
    if holding != HELD_NOTHING:
        raise RunError(
            record,
            f"holding: expected {HELD_NOTHING!r}, got {holding!r}; a run of `python -m training "
            "evaluate` has not learned from everything and is not to serve",
        )


def _check_settings(stage: str, record: Path) -> None:
    """Refuse a run made with settings that a server would not follow for new items or events."""
    settings = _summary(record).get("comparison_only")
    if settings:
        names = ", ".join(f"{stage}.{name}" for name in settings)
        raise RunError(
            record,
            f"{names}: for comparison alone; a server does not do for new items and events what "
            "was done in training. Leave the setting out and run `python -m training all` again",
        )


def _check_catalogue(parts: RunParts) -> None:
    """Refuse items that are not those whose vectors the foundation made."""
    record = parts.folder / "foundation" / STAGE_RECORD
    if _summary(record).get("catalogue") != parts.dataset.catalogue:
        raise RunError(
            record,
            "catalogue: the items of the data set have changed since; run `python -m training "
            "foundation` and `python -m training adaptation`",
        )


def _summary(record: Path) -> dict[str, Any]:
    """Return what a stage had to say when it was finished."""
    content = _json(record)
    summary = content.get("summary") if isinstance(content, dict) else None
    return summary if isinstance(summary, dict) else {}


def _check_types(parts: RunParts) -> None:
    """Compare the item types and relations of every part with the data set's."""
    expected = parts.dataset.item_types
    for name, got in (
        ("graph/graph.json", parts.graph.item_types),
        ("foundation/model.json", parts.network.config.item_types),
        ("adaptation/model.json", parts.towers.config.item_types),
        ("adaptation/item_encoder.json", parts.item_encoder.item_types.ids),
    ):
        _expect(parts.folder / name, "item types", expected, got)
    _expect(
        parts.folder / "foundation/model.json",
        "content relations",
        parts.graph.content_relations,
        parts.network.config.content_relations,
    )


def _check_widths(parts: RunParts) -> None:
    """Compare the shapes of the vectors with the catalogue and the networks."""
    items, widths = len(parts.dataset.items), parts.network.config.widths
    towers = parts.towers.config
    shapes = {
        "text/vectors.npy": (parts.text, widths[0] - parts.item_encoder.years.width),
        **{
            f"foundation/layer_{i}.npy": (layer, widths[i])
            for i, layer in enumerate(parts.layers, start=1)
        },
        "foundation/vectors.npy": (parts.hgnn, parts.network.config.vector_dimensions),
        "adaptation/item_vectors.npy": (parts.item_vectors, towers.dimensions),
    }
    for name, (vectors, width) in shapes.items():
        _expect(parts.folder / name, "shape", (items, width), vectors.shape)
    model = parts.folder / "adaptation" / "model.json"
    expected = parts.network.config.vector_dimensions
    _expect(model, "known_dimensions", expected, towers.known_dimensions)
    _expect(model, "text_dimensions", widths[0], towers.text_dimensions)
    _expect(
        parts.folder / "text" / "featurizer.json",
        "dimensions",
        parts.text.shape[1],
        parts.featurizer.dimensions,
    )


def _expect(path: Path, what: str, expected: _Value, got: _Value) -> None:
    if got != expected:
        raise RunError(path, f"{what}: expected {expected} as in the other stages, got {got}")


def _featurizer(path: Path) -> FeaturizerInfo:
    content = _json(path)
    try:
        return FeaturizerInfo(**content)
    except TypeError as error:
        raise RunError(path, f"not the description of a featurizer: {error}") from error


def _pairs(folder: Path) -> PairTable:
    try:
        return PairTable.load(folder)
    except (OSError, ValueError, EOFError) as error:
        raise RunError(folder, f"holds no readable pairs: {error}") from error


def _calibration(folder: Path) -> Calibration | None:
    try:
        return Calibration.load(folder)
    except (OSError, ValueError) as error:
        raise RunError(folder, f"holds no readable calibration: {error}") from error


def _json(path: Path) -> Any:  # noqa: ANN401 (whatever the file holds; the callers check)
    try:
        return json.loads(_text(path))
    except ValueError as error:
        raise RunError(path, f"not readable as JSON: {error}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RunError(path, "no such file") from None


def _vectors(path: Path) -> NDArray[np.float32]:
    try:
        vectors: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise RunError(path, "no such file") from None
    except (ValueError, EOFError) as error:
        raise RunError(path, f"not a readable array: {error}") from error
    if vectors.dtype != np.float32 or vectors.ndim != 2:
        raise RunError(
            path, f"expected float32 of (rows, width), got {vectors.dtype} of {vectors.shape}"
        )
    return vectors.view(np.ndarray)
