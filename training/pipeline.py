"""The offline stages, each a folder of the run, from the dataset to the fusion.

A stage is skipped when what it was made from has not changed; it appears whole or not at all. What
a stage does stands in `training.stages`, what it reads in `training.material`: their source, and
that of all they import, is among what it was made from. This module is not, so it only says what
each stage is made from and hands it that.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.schema import TEXT_RECIPE
from graph.stage import StageResult, hash_files, run_stage
from retrieval.evidence import Catalogue
from retrieval.pairwise import PairTable
from tables.parts import check_folder, data_files
from training.errors import TrainingError
from training.featurizers import FeaturizerSource
from training.inputs import Inputs
from training.material import Material
from training.settings import Settings
from training.stages.adaptation import adapt
from training.stages.dataset import write_dataset
from training.stages.foundation import lay_foundation
from training.stages.fusion import evidence_of, fuse
from training.stages.graph import write_graph
from training.stages.text import embed_texts, item_texts
from training.stages.towers import load_towers
from training.users import EmbedUsers

__all__ = ["Inputs", "Run"]


class Run(Material):
    """A run folder: the stages in order, and what they left.

    With a `shelf` the stages stand there, for several runs to share, and the run's folder holds
    links to them.
    """

    def __init__(self, folder: Path, inputs: Inputs, *, shelf: Path | None = None) -> None:
        settings = inputs.settings
        super().__init__(
            folder,
            inputs.holding,
            inputs.view,
            settings.seed,
            weak_signals=settings.adaptation.weak_signals,
        )
        self.inputs = inputs
        self.shelf = shelf

    @property
    def settings(self) -> Settings:
        """Hyperparameters of every stage."""
        return self.inputs.settings

    def make(
        self,
        stage: str,
        made_from: Mapping[str, Any],
        work: Callable[[Path], dict[str, Any]],
        *,
        code: Sequence[str],
    ) -> StageResult:
        """Make a stage of this run, or find it made; see `graph.stage.run_stage`."""
        return run_stage(self.folder / stage, made_from, work, code=code, shelf=self.shelf)

    def stage_hash(self, stage: str) -> str:
        """Name what a stage was made from, as its own record says."""
        name: str = json.loads((self.folder / stage / "stage.json").read_text())["inputs"]
        return name

    def make_dataset(self) -> StageResult:
        """Read, check and order the data set.

        Raises:
            DataError: it cannot be used, or `strict` refuses it.
        """
        data = self.inputs.data
        check_folder(data)
        told: dict[str, Any] = {
            "strict": self.inputs.strict,
            "as_of": self.inputs.as_of,
            "seed": self.settings.seed,
        }
        files = hash_files(data, data_files(data))
        return self.make(
            "dataset",
            {"files": files, **told},
            lambda folder: write_dataset(folder, data, **told),
            code=(write_dataset.__module__,),
        )

    def make_text(self, source: FeaturizerSource, cache: Path) -> StageResult:
        """Embed every item's text, whatever the view; those embedded before come from `cache`."""
        texts = item_texts(self.whole.items)
        return self.make(
            "text",
            {"revision": source.revision, "recipe": TEXT_RECIPE, "texts": texts},
            lambda folder: embed_texts(folder, texts, source, cache),
            code=(embed_texts.__module__,),
        )

    def make_graph(self) -> StageResult:
        """Join items that the same people chose, and items of one creator."""
        settings, holding = self.settings.graph, {"holding": self.inputs.graph_part}
        return self.make(
            "graph",
            {
                "dataset": self.stage_hash("dataset"),
                **holding,
                "settings": dataclasses.asdict(settings),
            },
            lambda folder: write_graph(folder, self, settings) | holding,
            code=(write_graph.__module__,),
        )

    def make_foundation(self) -> StageResult:
        """Train the HGNN and embed the whole catalogue with it."""
        settings = self.settings.foundation
        return self.make(
            "foundation",
            {
                "text": self.stage_hash("text"),
                "graph": self.stage_hash("graph"),
                "settings": dataclasses.asdict(settings),
            },
            lambda folder: lay_foundation(folder, self, settings),
            code=(lay_foundation.__module__,),
        )

    def make_adaptation(self) -> StageResult:
        """Train the towers over the frozen foundation and embed the catalogue with them.

        The interactions may have changed since the foundation was trained, the items not.

        Raises:
            TrainingError: the foundation knows another catalogue.
        """
        self._check_catalogue()
        return self._make_towers(
            "adaptation", "foundation", lambda: (self.hgnn_vectors, self.unchosen_vectors)
        )

    def make_plain_two_tower(self) -> StageResult:
        """Train the towers without the graph (2T), which evaluation compares with."""
        return self._make_towers("two_tower", "text", lambda: (self.centred_content,) * 2)

    def _make_towers(
        self,
        stage: str,
        over: str,
        known: Callable[[], tuple[NDArray[np.float32], NDArray[np.float32]]],
    ) -> StageResult:
        settings, holding = self.settings.adaptation, {"holding": self.inputs.part}
        return self.make(
            stage,
            {
                over: self.stage_hash(over),
                "dataset": self.stage_hash("dataset"),
                **holding,
                "settings": dataclasses.asdict(settings),
            },
            lambda folder: adapt(folder, self, *known(), settings) | holding,
            code=(adapt.__module__,),
        )

    def make_fusion(self) -> StageResult:
        """Learn what items speak for, and weigh that against the towers."""
        edges, settings = self.settings.graph, self.settings.fusion
        towers, holding = self.folder / "adaptation", {"holding": self.inputs.part}
        return self.make(
            "fusion",
            {
                "adaptation": self.stage_hash("adaptation"),
                "graph": self.stage_hash("graph"),
                "edges": dataclasses.asdict(edges),
                "settings": dataclasses.asdict(settings),
            },
            lambda folder: fuse(folder, self, towers, edges, settings) | holding,
            code=(fuse.__module__,),
        )

    def evidence(self, pairs: PairTable, items: NDArray[np.float32]) -> Catalogue:
        """Put together what the scorer weighs; `items` (N, V) are the item tower's vectors."""
        return evidence_of(self, pairs, items)

    def tower_vectors(
        self, stage: str, known: NDArray[np.float32]
    ) -> tuple[EmbedUsers, NDArray[np.float32]]:
        """Load the towers of a stage: how they embed the people of cases, and all items (N, V)."""
        return load_towers(self.folder / stage, self, known)

    def _check_catalogue(self) -> None:
        """Refuse items that the foundation has not seen as they are now."""
        record = json.loads((self.folder / "foundation" / "stage.json").read_text())
        if record["summary"].get("catalogue") != self.dataset.catalogue:
            raise TrainingError(
                f"{self.inputs.data}: the items are not those that the foundation of "
                f"{self.folder} was trained on; run the command `foundation`"
            )
        if "unchosen.npy" not in record["outputs"]:
            raise TrainingError(
                f"{self.folder / 'foundation'}: of an earlier version, without unchosen.npy; "
                "run the command `foundation`"
            )
