"""Items near a known item, a new item or a vector."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from server.answers import ItemVector, SimilarItems
from server.errors import UnknownItemError
from server.hits import HitWriter
from server.items import known_item
from server.lists import Outcome
from server.plan import Ask
from server.requests import SimilarTask
from server.search import Search
from server.stopwatch import Stopwatch
from server.stores.catalogue import Catalogue

NO_ROWS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Origin:
    """Where a search starts.

    Shapes:
        vector: (D,), unit norm. exclude: (n,) rows, the item itself where it is known.
    """

    vector: NDArray[np.float32]
    exclude: NDArray[np.int64]
    item: ItemVector | None
    """The item behind the vector; None for a bare vector."""


class SimilarFinder:
    """Finds items like others in one generation; threads may share it."""

    def __init__(
        self, generation: Generation, catalogue: Catalogue, search: Search, writer: HitWriter
    ) -> None:
        self._generation = generation
        self._catalogue = catalogue
        self._search = search
        self._writer = writer

    def find(
        self, tasks: Sequence[SimilarTask], watch: Stopwatch
    ) -> list[SimilarItems | Exception]:
        """Find items like many others together, in order; an unknown id fails alone."""
        origins = [self._origin(task) for task in tasks]
        asks = [
            Ask(origin.vector, task.shape, origin.exclude)
            for task, origin in zip(tasks, origins, strict=True)
            if isinstance(origin, _Origin)
        ]
        with watch.stage("retrieval"):
            outcomes = iter(self._search.run(asks))
            return [
                self._answer(task, origin.item, next(outcomes))
                if isinstance(origin, _Origin)
                else origin
                for task, origin in zip(tasks, origins, strict=True)
            ]

    def _origin(self, task: SimilarTask) -> _Origin | Exception:
        query = task.query
        if isinstance(query, ItemVector):
            return _Origin(query.vector, NO_ROWS, query)
        if not isinstance(query, str):
            return _Origin(query, NO_ROWS, None)
        row = self._catalogue.row(query)
        if row is None:
            return UnknownItemError(query)
        item = known_item(self._generation, self._catalogue, row)
        return _Origin(item.vector, np.array([row], dtype=np.int64), item)

    def _answer(self, task: SimilarTask, item: ItemVector | None, outcome: Outcome) -> SimilarItems:
        return SimilarItems(
            lists=self._writer.lists(outcome, titles=task.shape.titles),
            provenance=item.provenance if item else None,
            featurizer=item.featurizer if item else "",
            notices=(*(item.notices if item else ()), *outcome.notices),
            next_page_token=outcome.next_page_token,
            seed=task.shape.seed,
        )
