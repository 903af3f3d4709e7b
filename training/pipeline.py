"""The offline stages, each a folder of the run, from the dataset to the fusion.

A stage is skipped when what it was made from has not changed; it appears whole or not at all.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from features.encode import ItemEncoder, UserEncoder
from features.schema import TEXT_RECIPE, compose_text
from features.text import TextFeaturizer
from features.text_cache import CachedFeaturizer, TextCache
from graph.build import build_graph, popularity
from graph.cases import Cases
from graph.dataset import Dataset, load_dataset, save_dataset
from graph.item_graph import ItemGraph
from graph.read import check_folder
from graph.roles import HoldOutRule
from graph.split import Split, hold_out
from graph.stage import ROOMS, StageResult, hash_files, run_stage
from graph.tables import read_dataset
from models import checkpoint
from retrieval.evidence import Catalogue as EvidenceCatalogue
from retrieval.pairwise import PairTable
from training.adaptation import train_adaptation
from training.catalogue import (
    Catalogue,
    build_catalogue,
    encode_users,
    item_records,
    user_records,
)
from training.errors import TrainingError
from training.featurizers import FeaturizerSource
from training.founding import found
from training.fusion import EmbedUsers, fit_scorer
from training.histories import Sequences
from training.inputs import HOLDINGS, Inputs
from training.pairs import build_pairs
from training.settings import Settings
from training.tower_settings import AdaptationSettings, tower_config
from training.users import UserEmbedder

__all__ = ["HOLDINGS", "Inputs", "Run"]

COMPARISON_ONLY = "comparison_only"
"""Entry of a stage's summary: the settings in use that a server would not follow."""


class Run:
    """A run folder: the stages in order, and what they left.

    With a `shelf` the stages stand there, for several runs to share, and the run's folder holds
    links to them.
    """

    def __init__(self, folder: Path, inputs: Inputs, *, shelf: Path | None = None) -> None:
        self.folder = folder
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
        rooms: Sequence[str] = ROOMS,
    ) -> StageResult:
        """Make a stage of this run, or find it made; see `graph.stage.run_stage`."""
        return run_stage(self.folder / stage, made_from, work, rooms=rooms, shelf=self.shelf)

    def stage_hash(self, stage: str) -> str:
        """Name what a stage was made from, as its own record says."""
        return _stage_hash(self.folder / stage)

    def make_dataset(self) -> StageResult:
        """Read, check and order the data set.

        Raises:
            DataError: it cannot be used, or `strict` refuses it.
        """
        inputs = self.inputs
        check_folder(inputs.data)

        def work(folder: Path) -> dict[str, Any]:
            dataset = read_dataset(
                inputs.data,
                strict=inputs.strict,
                as_of=inputs.as_of,
                rejected_path=folder / "rejected.parquet",
                seed=inputs.settings.seed,
            )
            save_dataset(dataset, folder)
            report = dataset.problems.render()
            if report:
                tqdm.write(report)
            return {"items": len(dataset.items), "interactions": len(dataset.interactions)}

        made_from = {
            "files": hash_files(sorted(path for path in inputs.data.iterdir() if path.is_file())),
            "strict": inputs.strict,
            "as_of": inputs.as_of,
            "seed": inputs.settings.seed,
        }
        return self.make("dataset", made_from, work, rooms=("features", "graph"))

    @cached_property
    def whole(self) -> Dataset:
        """The data set after its checks."""
        return load_dataset(self.folder / "dataset")

    @cached_property
    def dataset(self) -> Dataset:
        """What the run is shown of it."""
        return self.inputs.view.of_dataset(self.whole)

    @cached_property
    def held_out(self) -> Split:
        """What may be learned from and what is asked, whatever the towers' age."""
        days, seed = self.inputs.view.held_days, self.settings.seed
        if days is None:
            split = HOLDINGS[self.inputs.holding](self.whole, seed)
        else:
            split = hold_out(self.whole, HoldOutRule("time", days), seed=seed)
        return self.inputs.view.of_split(self.whole, split)

    @cached_property
    def split(self) -> Split:
        """What the towers learn from and what is asked."""
        return self.inputs.view.of_towers(self.dataset, self.held_out, self.settings.seed)

    @cached_property
    def heard(self) -> pl.DataFrame:
        """What of that, beside negative signals, is heard at all."""
        train = self.split.train
        if self.settings.adaptation.weak_signals:
            return train
        return train.filter(pl.col("role") == "strong")

    def hear(self, cases: Cases) -> Cases:
        """Leave in the cases' histories what the towers are to hear."""
        return cases if self.settings.adaptation.weak_signals else cases.without_weak()

    def make_text(self, source: FeaturizerSource, cache: Path) -> StageResult:
        """Embed every item's text, whatever the view; those embedded before come from `cache`."""
        records = item_records(self.whole.items)
        texts = [compose_text(record) for record in records]

        def work(folder: Path) -> dict[str, Any]:
            with source.open() as featurizer, closing(TextCache(cache)) as store:
                vectors = _embed(featurizer, store, texts)
                described = {
                    "name": featurizer.name,
                    "revision": featurizer.revision,
                    "recipe": TEXT_RECIPE,
                    "dimensions": featurizer.dimensions,
                    "for_tests_only": featurizer.for_tests_only,
                }
            np.save(folder / "vectors.npy", vectors)
            (folder / "featurizer.json").write_text(json.dumps(described, indent=2) + "\n")
            return {"texts": len(texts)}

        made_from = {
            "revision": source.revision,
            "recipe": TEXT_RECIPE,
            "texts": texts,
        }
        return self.make("text", made_from, work, rooms=("features",))

    @cached_property
    def text(self) -> NDArray[np.float32]:
        """Text vectors (N, F), unit rows, of the items that the run is shown."""
        first, end = self.inputs.view.rows(self.whole)
        return _vectors(self.folder / "text" / "vectors.npy")[first:end]

    def make_graph(self) -> StageResult:
        """Join items that the same people chose, and items of one creator."""
        settings = self.settings.graph

        def work(folder: Path) -> dict[str, Any]:
            with tqdm(desc="graph", unit="chunk", disable=None) as bar:

                def report(done: int, total: int) -> None:
                    bar.total = total
                    bar.update(done - bar.n)

                graph = build_graph(
                    self.dataset.items,
                    self.inputs.view.of_graph(self.held_out.train),
                    settings,
                    work_folder=folder,
                    on_progress=report,
                )
            graph.save(folder)
            return {
                "neighbours": len(graph.neighbours),
                "holding": self.inputs.graph_part,
                COMPARISON_ONLY: settings.comparison_only,
            }

        made_from = {
            "dataset": _stage_hash(self.folder / "dataset"),
            "holding": self.inputs.graph_part,
            "settings": dataclasses.asdict(settings),
        }
        return self.make("graph", made_from, work, rooms=("features", "graph"))

    @cached_property
    def graph(self) -> ItemGraph:
        """The item-item graph of what is learned from."""
        return ItemGraph.load(self.folder / "graph")

    def make_foundation(self) -> StageResult:
        """Train the HGNN and embed the whole catalogue with it."""
        settings = self.settings.foundation

        def work(folder: Path) -> dict[str, Any]:
            hgnn, progress, layers = found(self.graph, self.text, settings, folder)
            checkpoint.save(folder, hgnn)
            *hidden, z = layers
            for number, layer in enumerate(hidden, start=1):
                np.save(folder / f"layer_{number}.npy", layer)
            np.save(folder / "vectors.npy", z)
            return {
                "epochs": progress.epoch,
                "best_epoch": progress.best_epoch,
                "catalogue": self.dataset.catalogue,
                COMPARISON_ONLY: settings.comparison_only,
            }

        made_from = {
            "text": _stage_hash(self.folder / "text"),
            "graph": _stage_hash(self.folder / "graph"),
            "settings": dataclasses.asdict(settings),
        }
        return self.make("foundation", made_from, work)

    @cached_property
    def hgnn_vectors(self) -> NDArray[np.float32]:
        """HGNN vectors z (N, D), unit rows."""
        return _vectors(self.folder / "foundation" / "vectors.npy")

    def make_adaptation(self) -> StageResult:
        """Train the towers over the frozen foundation and embed the catalogue with them.

        The interactions may have changed since the foundation was trained, the items not.

        Raises:
            TrainingError: the foundation knows another catalogue.
        """
        self._check_catalogue()
        settings = self.settings.adaptation
        return self.make(
            "adaptation",
            {
                "foundation": _stage_hash(self.folder / "foundation"),
                "dataset": _stage_hash(self.folder / "dataset"),
                "holding": self.inputs.part,
                "settings": dataclasses.asdict(settings),
            },
            lambda folder: self._adapt(folder, self.hgnn_vectors, settings),
        )

    def make_fusion(self) -> StageResult:
        """Learn what items speak for, and weigh that against the towers."""
        settings = self.settings.fusion

        def work(folder: Path) -> dict[str, Any]:
            with tqdm(desc="pairs", unit="item", disable=None) as bar:

                def report(done: int, total: int) -> None:
                    bar.total = total
                    bar.update(done - bar.n)

                pairs = build_pairs(
                    self.graph,
                    self.heard,
                    self.settings.graph,
                    settings,
                    on_progress=report,
                )
            pairs.save(folder)
            people, items = self.tower_vectors("adaptation", self.hgnn_vectors)
            lent = self.hear(self.split.valid)
            scorer = fit_scorer(self.evidence(pairs, items), people, lent, settings)
            checkpoint.save_scorer(folder, scorer)
            return {"pairs": len(pairs.targets), "holding": self.inputs.part}

        made_from = {
            "adaptation": _stage_hash(self.folder / "adaptation"),
            "graph": _stage_hash(self.folder / "graph"),
            "edges": dataclasses.asdict(self.settings.graph),
            "settings": dataclasses.asdict(settings),
        }
        return self.make(
            "fusion",
            made_from,
            work,
            rooms=("features", "retrieval", "graph", "models", "training"),
        )

    def evidence(self, pairs: PairTable, items: NDArray[np.float32]) -> EvidenceCatalogue:
        """Put together what the scorer weighs; `items` (N, V) are the item tower's vectors."""
        people = popularity(self.split.train, len(self.dataset.items)).astype(np.float32)
        return EvidenceCatalogue(pairs, items, self.hgnn_vectors, people, self.dataset.item_type)

    def tower_vectors(
        self, stage: str, hgnn: NDArray[np.float32] | None
    ) -> tuple[EmbedUsers, NDArray[np.float32]]:
        """Load the towers of a stage: how they embed the people of cases, and all items (N, V)."""
        towers = checkpoint.load_two_tower(self.folder / stage)
        catalogue, users, _ = self.tower_inputs(hgnn)
        embedder = UserEmbedder(towers, catalogue, torch.from_numpy(users))
        items = catalogue.embed_all(towers)
        return (lambda cases: embedder.embed_cases(self.hear(cases), items)), items.numpy()

    def make_plain_two_tower(self) -> StageResult:
        """Train the towers without the graph (2T), which evaluation compares with."""
        settings = self.settings.adaptation
        return self.make(
            "two_tower",
            {
                "text": _stage_hash(self.folder / "text"),
                "dataset": _stage_hash(self.folder / "dataset"),
                "holding": self.inputs.part,
                "settings": dataclasses.asdict(settings),
            },
            lambda folder: self._adapt(folder, None, settings),
        )

    def _check_catalogue(self) -> None:
        """Refuse items that the foundation has not seen as they are now."""
        record = json.loads((self.folder / "foundation" / "stage.json").read_text())
        if record["summary"].get("catalogue") != self.dataset.catalogue:
            raise TrainingError(
                f"{self.inputs.data}: the items are not those that the foundation of "
                f"{self.folder} was trained on; run the command `foundation`"
            )

    def _adapt(
        self, folder: Path, hgnn: NDArray[np.float32] | None, settings: AdaptationSettings
    ) -> dict[str, Any]:
        catalogue, users, encoders = self.tower_inputs(hgnn)
        config = tower_config(self.dataset.item_types, catalogue, *encoders, settings)
        sequences = Sequences.from_interactions(self.heard, len(self.dataset.users))
        towers, progress = train_adaptation(
            config, catalogue, users, sequences, self.hear(self.split.valid), settings, folder
        )
        checkpoint.save(folder, towers)
        np.save(folder / "item_vectors.npy", catalogue.embed_all(towers).numpy())
        (folder / "item_encoder.json").write_text(encoders[0].to_json() + "\n")
        (folder / "user_encoder.json").write_text(encoders[1].to_json() + "\n")
        return {
            "epochs": progress.epoch,
            "best_epoch": progress.best_epoch,
            "holding": self.inputs.part,
            COMPARISON_ONLY: settings.comparison_only,
        }

    def tower_inputs(
        self, hgnn: NDArray[np.float32] | None
    ) -> tuple[Catalogue, NDArray[np.int64], tuple[ItemEncoder, UserEncoder]]:
        """Encode items and people; `hgnn` None leaves the graph out."""
        items = ItemEncoder.fit(item_records(self.dataset.items))
        people = UserEncoder.fit(user_records(self.dataset.users))
        catalogue = build_catalogue(self.dataset.items, items, self.text, hgnn)
        return catalogue, encode_users(self.dataset.users, people), (items, people)


def _embed(featurizer: TextFeaturizer, cache: TextCache, texts: list[str]) -> NDArray[np.float32]:
    with tqdm(total=len(texts), desc="text vectors", unit="text", disable=None) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total  # equal texts are embedded once
            bar.update(done - bar.n)

        return CachedFeaturizer(featurizer, cache, on_progress=report).embed(texts)


def _vectors(path: Path) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return vectors


def _stage_hash(folder: Path) -> str:
    """Name what a stage was made from, as its own record says."""
    name: str = json.loads((folder / "stage.json").read_text())["inputs"]
    return name
