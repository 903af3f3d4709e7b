"""A recommender over the tiny generation with richer attributes, asked by message."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from export.generation import Generation
from export.generation.layout import NO_YEAR
from export.generation.texts import TextColumn
from nearfield.v1 import recommendation_pb2 as pb
from nearfield.v1 import types_pb2
from retrieval.calibrate import Calibration
from server.answers import Recommendation, SimilarItems
from server.engine import Engine
from server.explanation import Explainer
from server.fusion import Fuser
from server.hits import HitWriter
from server.limits import Limits
from server.recommend import Recommender
from server.requests import SimilarTask
from server.search import Search
from server.similar import SimilarFinder
from server.stopwatch import Stopwatch
from server.stores.catalogue import Catalogue
from server.stores.people import People
from server.users import UserEmbedder
from server.validation import RequestReader

LANGUAGES = ("en", "de", "")
GENRES = ("history", "history|science", "crime|romance", "romance", "")
CREATORS = ("Ann", "Bo", "")
YEARS = (1990, 2000, 2010, NO_YEAR)


def varied(generation: Generation) -> Generation:
    """Give the items of a generation attributes that differ."""
    draw = np.random.default_rng(0)

    def column(values: Sequence[str]) -> TextColumn:
        return TextColumn.from_texts(values[n] for n in draw.integers(0, len(values), 60))

    return replace(
        generation,
        language=column(LANGUAGES),
        genres=column(GENRES),
        creator=column(CREATORS),
        year=np.array([YEARS[n] for n in draw.integers(0, len(YEARS), 60)], dtype=np.int32),
    )


@dataclass(frozen=True)
class Answers:
    """Reads messages and answers them, in the calling thread."""

    generation: Generation
    reader: RequestReader
    recommender: Recommender
    finder: SimilarFinder

    @classmethod
    def of(
        cls, generation: Generation, engine: Engine, calibration: Calibration | None = None
    ) -> "Answers":
        """Put together what an engine does, over another generation."""
        manifest = generation.manifest
        catalogue = Catalogue(generation)
        people = People(generation, catalogue, most_events=1000)
        search = Search(generation, catalogue, calibration=calibration)
        writer = HitWriter(catalogue)
        return cls(
            generation,
            RequestReader(
                Limits(),
                manifest.item_types,
                dimensions=manifest.dimensions.vector,
                space_id=manifest.space_id,
                generation=manifest.generation,
            ),
            Recommender(
                people,
                UserEmbedder(generation, people, engine.models),
                search,
                Explainer(generation, catalogue, most=3),
                writer,
                Fuser(generation, engine.models),
                most_events=1000,
            ),
            SimilarFinder(generation, catalogue, search, writer),
        )

    def recommend(self, *requests: pb.RecommendRequest) -> list[Recommendation]:
        """Answer some requests together."""
        return self.recommender.recommend([*map(self.reader.recommend, requests)], Stopwatch())

    def similar(self, request: pb.FindSimilarItemsRequest) -> SimilarItems:
        """Answer one request."""
        task = self.reader.similar(request)
        assert isinstance(task.query, str)
        (answer,) = self.finder.find([SimilarTask(task.query, task.shape)], Stopwatch())
        assert isinstance(answer, SimilarItems)
        return answer


def known(number: int) -> types_pb2.UserInput:
    """A person of the generation."""
    return types_pb2.UserInput(user_id=f"user-{number}")


def ids(answer: Recommendation | SimilarItems) -> list[str]:
    """The ids of the hits, list after list."""
    return [hit.item_id for each in answer.lists for hit in each.hits]
