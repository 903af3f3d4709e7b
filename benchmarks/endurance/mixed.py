"""Calls of every kind by the SDK, as an application makes them, tries again included."""

import random
from collections.abc import Awaitable, Callable, Sequence

from benchmarks.endurance.drawing import Words, words_of
from benchmarks.endurance.faults import TURNED_AWAY
from export.generation import Generation
from nearfield import (
    AsyncClient,
    Batch,
    CallCancelledError,
    Connection,
    Event,
    NearfieldError,
    NewItem,
    RecommendQuery,
    StatusError,
    User,
)

CONNECTIONS = 64
"""The system deals them out to the workers by chance: of few, one worker may get nearly all."""
TIMEOUT_S = 15.0
HISTORY = 20
BATCH = 8
NEW = "new item"
"""Begins the names of calls that need the featurizer."""

Call = Callable[[], Awaitable[object]]


class Mixed:
    """Makes calls of several kinds; for one event loop."""

    def __init__(self, port: int, generation: Generation, seed: int) -> None:
        self.client = AsyncClient(
            f"127.0.0.1:{port}", connection=Connection(connections=CONNECTIONS)
        )
        self._rng = random.Random(seed)
        words: Words = words_of(generation)
        self._users = [each for each in words.texts["user_id"] if each != "nobody-knows"]
        self._items = [each for each in words.texts["item_id"] if each != "nobody-knows"]
        self._types: Sequence[str] = generation.manifest.item_types
        self._new = 0
        kinds: list[tuple[str, Call, int]] = [
            ("recommend by id", self._recommend_known, 6),
            ("recommend by history", self._recommend_history, 4),
            ("embed user", self._embed_user, 3),
            ("embed item", self._embed_known, 3),
            ("similar items", self._similar, 3),
            ("batch of recommendations", self._many, 1),
            (f"{NEW}, embedded", self._embed_new, 1),
            (f"{NEW}, similar ones", self._similar_new, 1),
        ]
        self._calls = [(name, call) for name, call, weight in kinds for _ in range(weight)]

    async def send(self) -> tuple[str, str]:
        """Make one call, and tell what it was and how it ended."""
        name, call = self._rng.choice(self._calls)
        try:
            answer = await call()
            if isinstance(answer, Batch):
                answer.results()
        except CallCancelledError:
            return name, TURNED_AWAY
        except StatusError as error:
            return name, error.reason or f"{error.code.name}: {error.message}"
        except NearfieldError as error:
            return name, f"{type(error).__name__}: {error}"
        return name, "OK"

    async def _recommend_known(self) -> object:
        return await self.client.recommend(self._rng.choice(self._users), timeout_s=TIMEOUT_S)

    async def _recommend_history(self) -> object:
        return await self.client.recommend(self._person(), k=10, timeout_s=TIMEOUT_S)

    async def _embed_user(self) -> object:
        return await self.client.embed_user(self._person(), timeout_s=TIMEOUT_S)

    async def _embed_known(self) -> object:
        return await self.client.embed_item(self._rng.choice(self._items), timeout_s=TIMEOUT_S)

    async def _similar(self) -> object:
        return await self.client.similar_items(self._rng.choice(self._items), timeout_s=TIMEOUT_S)

    async def _many(self) -> object:
        queries = [RecommendQuery(self._person(), k=10) for _ in range(BATCH)]
        return await self.client.recommend_many(queries, timeout_s=TIMEOUT_S)

    async def _embed_new(self) -> object:
        return await self.client.embed_item(self._new_item(), timeout_s=TIMEOUT_S)

    async def _similar_new(self) -> object:
        return await self.client.similar_items(self._new_item(), timeout_s=TIMEOUT_S)

    def _person(self) -> User:
        return User(history=[Event(each) for each in self._rng.sample(self._items, HISTORY)])

    def _new_item(self) -> NewItem:
        self._new += 1
        item_type = self._rng.choice(self._types)
        return NewItem(item_type, title=f"A title that nobody has, number {self._new}")
