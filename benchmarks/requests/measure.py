"""What the fields of a request cost, and what diversity trades."""

import argparse
import sys
import time

import numpy as np

from export.generation import Generation, GenerationError, read
from nearfield.v1 import recommendation_pb2 as pb
from nearfield.v1 import types_pb2
from server.answers import Recommendation
from server.engine import Engine
from server.limits import Limits
from server.stopwatch import Stopwatch
from server.validation import RequestReader

TRADE_OFFS = (0.0, 0.1, 0.3, 0.5, 0.7, 1.0)


class Asking:
    """Asks an engine by message."""

    def __init__(self, generation: Generation) -> None:
        manifest = generation.manifest
        self._engine = Engine(generation, Limits(), choice="cpu", threads=1)
        self._reader = RequestReader(
            Limits(),
            manifest.item_types,
            dimensions=manifest.dimensions.vector,
            space_id=manifest.space_id,
            generation=manifest.generation,
        )

    def answer(self, user_id: str, request: pb.RecommendRequest) -> tuple[Recommendation, float]:
        """Answer a request for a user, and tell the milliseconds that it took."""
        asked = pb.RecommendRequest(user=types_pb2.UserInput(user_id=user_id))
        asked.MergeFrom(request)
        began = time.process_time()
        task = self._reader.recommend(asked)
        (answer,) = self._engine.recommender.recommend([task], Stopwatch())
        return answer, (time.process_time() - began) * 1e3


def report(options: argparse.Namespace) -> int:
    """Measure, and print the tables."""
    try:
        generation = read(options.generation, verify=False)
    except GenerationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    people = generation.user_ids.ids(np.arange(min(options.people, len(generation.user_ids))))
    asking = Asking(generation)
    print("| request | median, ms | 99th percentile, ms |\n|---|--:|--:|")
    for name, request in requests(generation).items():
        asking.answer(people[0], request)
        taken = [asking.answer(user_id, request)[1] for user_id in people]
        print(f"| {name} | {np.median(taken):.2f} | {np.percentile(taken, 99):.2f} |")
    print("\n| diversity | mean cosine of two hits | mean score |\n|--:|--:|--:|")
    for trade_off in TRADE_OFFS:
        request = pb.RecommendRequest(diversity=trade_off)
        hits = [
            [hit for each in asking.answer(user_id, request)[0].lists for hit in each.hits]
            for user_id in people
        ]
        alike = np.mean([likeness(generation, [hit.item_id for hit in each]) for each in hits])
        score = np.mean([hit.score for each in hits for hit in each])
        print(f"| {trade_off:g} | {alike:.3f} | {score:.2f} |")
    return 0


def requests(generation: Generation) -> dict[str, pb.RecommendRequest]:
    """Give one request for each field, the genre and the years being those of the first item."""
    record = generation.record(0)
    year = record.year or 0
    types = generation.manifest.item_types
    return {
        "plain": pb.RecommendRequest(),
        "a genre": pb.RecommendRequest(filter=pb.ItemFilter(genres=record.genres[:1])),
        "ten years": pb.RecommendRequest(
            filter=pb.ItemFilter(year_from=year - 5, year_to=year + 4)
        ),
        "a minimum of 2 for each type": pb.RecommendRequest(
            quotas=[pb.TypeQuota(item_type=name, min=2) for name in types]
        ),
        "diversity": pb.RecommendRequest(diversity=0.3),
        "exploration": pb.RecommendRequest(exploration=1.0, seed=1),
        "20 of k = 500": pb.RecommendRequest(k=500, page_size=20),
        "explanations": pb.RecommendRequest(explain=True),
    }


def likeness(generation: Generation, item_ids: list[str]) -> float:
    """Give the mean cosine between two items of a list."""
    vectors = generation.item_vectors[generation.item_ids.lookup(item_ids)]
    return float((vectors @ vectors.T)[~np.eye(len(vectors), dtype=np.bool_)].mean())
