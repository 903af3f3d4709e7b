"""From vectors and filters to lists of rows: nearest items, or the most popular ones."""

from collections.abc import Sequence

import numpy as np

from export.generation import Generation
from retrieval.calibrate import Calibration
from retrieval.exact import ExactIndex
from retrieval.query import Selection
from retrieval.select import Selector
from retrieval.store import load_index
from server.fusion import Fuser
from server.lists import ListMaker, Outcome
from server.plan import Ask, Planner
from server.stores.catalogue import Catalogue


class Search:
    """Searches the catalogue of one generation; threads may share it.

    `calibration` says what the scorer's shares are worth; without it hits have no calibrated score.
    """

    def __init__(
        self,
        generation: Generation,
        catalogue: Catalogue,
        *,
        calibration: Calibration | None = None,
    ) -> None:
        self._planner = Planner(catalogue)
        self._lists = ListMaker(generation, calibration)
        # Its files are among those that the reader of the generation compares with their digests.
        index = load_index(generation.index_folder, generation.item_vectors, verified=True)
        self.index_kind = index.kind
        self._nearest = Selector(index, generation.item_vectors, generation.item_type)
        # Popularity is a vector space of one dimension: the same filters, the same order of ties.
        popularity = np.ascontiguousarray(generation.popularity)[:, None]
        self._popular = Selector(ExactIndex(popularity), popularity, generation.item_type)

    def run(self, asks: Sequence[Ask], fuser: Fuser | None = None) -> list[Outcome]:
        """Answer searches together, in order; `fuser` ranks those that have a listener."""
        plans = [self._planner.plan(ask) for ask in asks]
        found: dict[int, list[Selection]] = {}
        for selector, popular in ((self._nearest, False), (self._popular, True)):
            places = [i for i, ask in enumerate(asks) if (ask.vector is None) == popular]
            queries = [
                fuser.deepen(query) if fuser and asks[i].listener else query
                for i in places
                for query in plans[i].queries
            ]
            selections = iter(selector.select(queries))
            for i in places:
                found[i] = [next(selections) for _ in plans[i].queries]
        if fuser is not None:
            for i, ask in enumerate(asks):
                if ask.listener is not None:
                    found[i] = [
                        fuser.rank(ask.listener, query, nearest)
                        for query, nearest in zip(plans[i].queries, found[i], strict=True)
                    ]
        return [
            self._lists.make(ask, plan, found[i])
            for i, (ask, plan) in enumerate(zip(asks, plans, strict=True))
        ]
