"""Everything that computes answers from one generation, put together; blocking, no wire."""

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from features.providers import Choice
from retrieval.evidence import HISTORY_LENGTH
from server.explanation import Explainer
from server.fusion import Fuser
from server.hits import HitWriter
from server.items import ItemEmbedder
from server.limits import Limits
from server.recommend import Recommender
from server.runtime import Models
from server.search import Search
from server.similar import SimilarFinder
from server.stores.catalogue import Catalogue
from server.stores.people import People
from server.users import UserEmbedder

POPULAR = 2_000
"""Most popular items that are kept at hand: twice the largest k by default."""


class Engine:
    """Answers from one generation; threads may share it.

    Raises:
        MissingProviderError: CUDA was insisted on and does not run here.
        IndexFileError: the generation's index cannot be opened.
    """

    def __init__(
        self, generation: Generation, limits: Limits, *, choice: Choice, threads: int
    ) -> None:
        self.generation = generation
        self.models = Models(generation, choice=choice, threads=threads)
        self.catalogue = Catalogue(generation)
        calibration = generation.manifest.calibration
        self.search = Search(generation, self.catalogue, calibration=calibration)
        fuser = Fuser(generation, self.models) if generation.pairs else None
        most_events = generation.manifest.history_length
        if fuser is not None:
            most_events = max(most_events, HISTORY_LENGTH)
        self.most_events = most_events
        """Newest events of a history that anything reads."""
        self.people = people = People(generation, self.catalogue, most_events=most_events)
        self.writer = writer = HitWriter(self.catalogue)
        explainer = Explainer(generation, self.catalogue, most=limits.max_explanation_paths)
        self.items = ItemEmbedder(
            generation,
            self.catalogue,
            self.models,
            most_neighbours=limits.max_neighbours_per_relation,
        )
        self.users = UserEmbedder(generation, people, self.models)
        self.recommender = Recommender(
            people, self.users, self.search, explainer, writer, fuser, most_events=most_events
        )
        self.similar = SimilarFinder(generation, self.catalogue, self.search, writer)
        by_popularity = np.argsort(-generation.popularity, kind="stable")
        self.popular: NDArray[np.int64] = by_popularity[:POPULAR].astype(np.int64)
        """Rows of the most popular items, best first."""
