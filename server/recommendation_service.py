# ruff: noqa: N802 - methods have the names that the contract gives the RPCs
"""RecommendationService: items for a person, and items like an item."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial

from nearfield.v1 import recommendation_pb2 as pb
from server.answering import Answering, status_of
from server.bytes import inner
from server.calls import CURRENT
from server.dispatch import Dispatcher
from server.ready import ReadyAnswers
from server.stopwatch import Times
from server.surround import Answer, Later
from server.validation import RequestReader

READ_AT_ONCE = 16
"""Elements of a batch that are read in one turn of the event loop: about a millisecond."""
OK = b""
"""A google.rpc.Status that says so."""
_RECOMMENDATION = pb.RecommendResult.RECOMMENDATION_FIELD_NUMBER


class RecommendationService:
    """Answers Recommend, FindSimilarItems and their batches."""

    def __init__(
        self,
        answering: Answering,
        reader: RequestReader,
        dispatcher: Dispatcher,
        ready: ReadyAnswers | None,
    ) -> None:
        self._answering = answering
        self._reader = reader
        self._dispatcher = dispatcher
        self._ready = ready

    def Recommend(self, request: pb.RecommendRequest) -> Answer | Later:
        """Give the items that suit a person."""
        ready = self._read(request)
        if ready is None:
            return partial(self._recommend, request)
        CURRENT.get().read += 1
        head = pb.RecommendResponse(info=self._answering.info(Times()))
        field = pb.RecommendResponse.RECOMMENDATION_FIELD_NUMBER
        return head.SerializeToString() + inner(field, ready)

    async def BatchRecommend(self, request: pb.BatchRecommendRequest) -> bytes:
        """Give the items that suit many people."""
        requests = request.requests
        self._reader.check_batch(len(requests))
        ready: list[bytes | None] = []
        for place, each in enumerate(requests):
            if place % READ_AT_ONCE == 0:
                await asyncio.sleep(0)
            ready.append(self._read(each))
        CURRENT.get().read += len(ready) - ready.count(None)
        computed, times = await self._compute(requests, ready)
        results = (next(computed) if each is None else _result(each) for each in ready)
        field = pb.BatchRecommendResponse.RESULTS_FIELD_NUMBER
        head = pb.BatchRecommendResponse(info=self._answering.info(times)).SerializeToString()
        return head + b"".join(inner(field, each) for each in results)

    async def FindSimilarItems(
        self, request: pb.FindSimilarItemsRequest
    ) -> pb.FindSimilarItemsResponse:
        """Give the items near an item or a vector."""
        timed = await self._answering.one(
            request, self._reader.similar, self._dispatcher.find_similar
        )
        info = self._answering.info(timed.times)
        return pb.FindSimilarItemsResponse(info=info, similar_items=timed.answer)

    async def BatchFindSimilarItems(
        self, request: pb.BatchFindSimilarItemsRequest
    ) -> pb.BatchFindSimilarItemsResponse:
        """Give the items near each of many."""
        self._reader.check_batch(len(request.requests))
        answers, times = await self._answering.many(
            request.requests,
            self._reader.similar,
            self._dispatcher.find_similar,
            check=lambda tasks: self._reader.check_hits([task.shape for task in tasks]),
        )
        results = [
            pb.FindSimilarItemsResult(
                status=status_of(answer),
                similar_items=None if isinstance(answer, Exception) else answer,
            )
            for answer in answers
        ]
        return pb.BatchFindSimilarItemsResponse(info=self._answering.info(times), results=results)

    def _read(self, request: pb.RecommendRequest) -> bytes | None:
        if self._ready is None:
            return None
        return self._ready.recommendation(request, self._reader.default_k)

    async def _recommend(self, request: pb.RecommendRequest) -> pb.RecommendResponse:
        timed = await self._answering.one(
            request, self._reader.recommend, self._dispatcher.recommend
        )
        info = self._answering.info(timed.times)
        return pb.RecommendResponse(info=info, recommendation=timed.answer)

    async def _compute(
        self, requests: Sequence[pb.RecommendRequest], ready: Sequence[bytes | None]
    ) -> tuple[Iterator[bytes], Times]:
        """Answer the elements that could not be read; each as a RecommendResult's bytes."""
        pairs = list(zip(requests, ready, strict=True))
        hits = sum(self._reader.k(each) for each, read in pairs if read is not None)
        answers, times = await self._answering.many(
            [each for each, read in pairs if read is None],
            self._reader.recommend,
            self._dispatcher.recommend,
            check=lambda tasks: self._reader.check_hits([t.shape for t in tasks], besides=hits),
        )
        results = (
            pb.RecommendResult(
                status=status_of(answer),
                recommendation=None if isinstance(answer, Exception) else answer,
            ).SerializeToString()
            for answer in answers
        )
        return results, times


def _result(recommendation: bytes) -> bytes:
    """Write a RecommendResult with the status OK."""
    status, field = pb.RecommendResult.STATUS_FIELD_NUMBER, _RECOMMENDATION
    return inner(status, OK) + inner(field, recommendation)
