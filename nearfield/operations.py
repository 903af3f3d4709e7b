"""What a client can do, as steps that touch no network."""

from collections.abc import Sequence

from nearfield import batches, kinds, requests, responses
from nearfield.asking import ask
from nearfield.batch import Batch
from nearfield.enums import VectorDtype
from nearfield.health import until_serving
from nearfield.inputs import NewItem, RecommendQuery, SimilarQuery, User
from nearfield.options import Options
from nearfield.results import ItemEmbedding, Recommendations, SimilarItems, UserEmbedding
from nearfield.retries import Retries
from nearfield.rota import Rota
from nearfield.rpcs import EMBED_ITEM, EMBED_USER, FIND_SIMILAR_ITEMS, RECOMMEND
from nearfield.server_info import ServerInfo
from nearfield.session import Session
from nearfield.steps import Budget, Steps
from nearfield.streams import Streams


class Operations:
    """Each operation once, for the blocking and the awaiting client alike."""

    def __init__(self, options: Options, rota: Rota) -> None:
        self._retries = Retries.of(options, rota)
        self._session = Session(options, self._retries)
        self._options = options
        self.streams = Streams(self._session)

    def server_info(self, timeout_s: float | None, request_id: str) -> Steps[ServerInfo]:
        """Ask what the server is, holds and allows."""
        usual_s = self._options.timeouts.info_s
        budget = Budget.whole(request_id, usual_s if timeout_s is None else timeout_s)
        return (yield from self._session.ask_info(budget))

    def wait_until_ready(self, timeout_s: float, request_id: str) -> Steps[None]:
        """Ask until the server says that it serves."""
        return (yield from until_serving(Budget.whole(request_id, timeout_s)))

    def embed_item(
        self, item: str | NewItem, dtype: VectorDtype, timeout_s: float | None, request_id: str
    ) -> Steps[ItemEmbedding]:
        """Ask for an item's vector."""
        budget = self._single(timeout_s, request_id)
        request = requests.embed_item(item, dtype, budget.request_id)
        answer = yield from ask(EMBED_ITEM, request, self._retries, budget)
        return responses.item_embedding(answer, responses.answer_info(answer.info))

    def embed_user(
        self, user: str | User, dtype: VectorDtype, timeout_s: float | None, request_id: str
    ) -> Steps[UserEmbedding]:
        """Ask for a person's vector."""
        budget = self._single(timeout_s, request_id)
        request = requests.embed_user(user, dtype, budget.request_id)
        answer = yield from ask(EMBED_USER, request, self._retries, budget)
        return responses.user_embedding(answer, responses.answer_info(answer.info))

    def recommend(
        self, query: RecommendQuery, timeout_s: float | None, request_id: str
    ) -> Steps[Recommendations]:
        """Ask for items for one person."""
        budget = self._single(timeout_s, request_id)
        request = requests.recommend(query, budget.request_id)
        answer = yield from ask(RECOMMEND, request, self._retries, budget)
        return responses.recommendations(answer, responses.answer_info(answer.info))

    def similar_items(
        self, query: SimilarQuery, timeout_s: float | None, request_id: str
    ) -> Steps[SimilarItems]:
        """Ask for items near an item or a vector."""
        budget = self._single(timeout_s, request_id)
        request = requests.find_similar(query, budget.request_id)
        answer = yield from ask(FIND_SIMILAR_ITEMS, request, self._retries, budget)
        return responses.similar_items(answer, responses.answer_info(answer.info))

    def embed_items(
        self,
        items: Sequence[str | NewItem],
        dtype: VectorDtype,
        timeout_s: float | None,
        request_id: str,
    ) -> Steps[Batch[ItemEmbedding]]:
        """Ask for the vectors of many items."""
        prepared = batches.prepared(items, lambda item: requests.embed_item(item, dtype, ""))
        budget = self._batch(timeout_s, request_id)
        return (yield from batches.run(kinds.ITEMS, prepared, self._session, budget))

    def embed_users(
        self,
        users: Sequence[str | User],
        dtype: VectorDtype,
        timeout_s: float | None,
        request_id: str,
    ) -> Steps[Batch[UserEmbedding]]:
        """Ask for the vectors of many people."""
        prepared = batches.prepared(users, lambda user: requests.embed_user(user, dtype, ""))
        budget = self._batch(timeout_s, request_id)
        return (yield from batches.run(kinds.USERS, prepared, self._session, budget))

    def recommend_many(
        self, queries: Sequence[RecommendQuery], timeout_s: float | None, request_id: str
    ) -> Steps[Batch[Recommendations]]:
        """Ask for items for many people."""
        prepared = batches.prepared(queries, lambda query: requests.recommend(query, ""))
        budget = self._batch(timeout_s, request_id)
        return (yield from batches.run(kinds.RECOMMENDATIONS, prepared, self._session, budget))

    def similar_items_many(
        self, queries: Sequence[SimilarQuery], timeout_s: float | None, request_id: str
    ) -> Steps[Batch[SimilarItems]]:
        """Ask for items near each of many."""
        prepared = batches.prepared(queries, lambda query: requests.find_similar(query, ""))
        budget = self._batch(timeout_s, request_id)
        return (yield from batches.run(kinds.SIMILAR_ITEMS, prepared, self._session, budget))

    def _single(self, timeout_s: float | None, request_id: str) -> Budget:
        usual_s = self._options.timeouts.call_s
        return Budget.whole(request_id, usual_s if timeout_s is None else timeout_s)

    def _batch(self, timeout_s: float | None, request_id: str) -> Budget:
        if timeout_s is None:
            return Budget.each(request_id, self._options.timeouts.chunk_s)
        return Budget.whole(request_id, timeout_s)
