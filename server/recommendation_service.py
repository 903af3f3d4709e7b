# ruff: noqa: N802 - methods have the names that the contract gives the RPCs
"""RecommendationService: items for a person, and items like an item."""

from nearfield.v1 import recommendation_pb2 as pb
from nearfield.v1.recommendation_pb2_grpc import RecommendationServiceServicer
from server.answering import Answering, status_of
from server.dispatch import Dispatcher
from server.validation import RequestReader


class RecommendationService(RecommendationServiceServicer):
    """Answers Recommend, FindSimilarItems and their batches."""

    def __init__(self, answering: Answering, reader: RequestReader, dispatcher: Dispatcher) -> None:
        self._answering = answering
        self._reader = reader
        self._dispatcher = dispatcher

    async def Recommend(
        self, request: pb.RecommendRequest, context: object
    ) -> pb.RecommendResponse:
        """Give the items that suit a person."""
        timed = await self._answering.one(
            request, self._reader.recommend, self._dispatcher.recommend
        )
        info = self._answering.info(timed.times)
        return pb.RecommendResponse(info=info, recommendation=timed.answer)

    async def BatchRecommend(
        self, request: pb.BatchRecommendRequest, context: object
    ) -> pb.BatchRecommendResponse:
        """Give the items that suit many people."""
        self._reader.check_batch(len(request.requests))
        answers, times = await self._answering.many(
            request.requests,
            self._reader.recommend,
            self._dispatcher.recommend,
            check=lambda tasks: self._reader.check_hits([task.shape for task in tasks]),
        )
        results = [
            pb.RecommendResult(
                status=status_of(answer),
                recommendation=None if isinstance(answer, Exception) else answer,
            )
            for answer in answers
        ]
        return pb.BatchRecommendResponse(info=self._answering.info(times), results=results)

    async def FindSimilarItems(
        self, request: pb.FindSimilarItemsRequest, context: object
    ) -> pb.FindSimilarItemsResponse:
        """Give the items near an item or a vector."""
        timed = await self._answering.one(
            request, self._reader.similar, self._dispatcher.find_similar
        )
        info = self._answering.info(timed.times)
        return pb.FindSimilarItemsResponse(info=info, similar_items=timed.answer)

    async def BatchFindSimilarItems(
        self, request: pb.BatchFindSimilarItemsRequest, context: object
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
