"""The fake against the real server: what they refuse, warn of and fill in is the same."""

from collections.abc import Awaitable, Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from export.generation import read
from nearfield import (
    AsyncClient,
    Batch,
    Embedding,
    Event,
    Grouping,
    ItemFilter,
    Limits,
    NearfieldError,
    NewItem,
    Recommendations,
    RecommendQuery,
    ServerInfo,
    Signal,
    SimilarItems,
    SimilarQuery,
    SpaceVector,
    StatusError,
    TypeQuota,
    User,
)
from nearfield.testing import FakeItem, FakeServer, FakeWorld
from server.engine import Engine
from server.limits import Limits as ServerLimits
from tests.server.support import running
from tests.support.generation import VECTOR, tiny_world, write_tiny_generation

Answer = Embedding | Recommendations | SimilarItems | ServerInfo
Probe = Callable[[AsyncClient], Awaitable[Answer | Batch[Answer]]]

OF_THE_GENERATION = {"max_model_history_events"}
"""Limits that a server reads from what it serves."""
ONES = np.ones(VECTOR, np.float32)
NEW = NewItem("podcast", title="Out today")
TOO_LONG = [Event("podcast-01")] * 1001
PROBES: dict[str, Probe] = {
    "user": lambda c: c.embed_user("user-0"),
    "user with history": lambda c: c.embed_user(User("user-0", [Event("podcast-01")])),
    "history alone": lambda c: c.embed_user(User(history=[Event("podcast-01")])),
    "demographics alone": lambda c: c.embed_user(User(country="SE")),
    "unknown user": lambda c: c.embed_user("nobody"),
    "unknown user with history": lambda c: c.embed_user(User("nobody", [Event("podcast-01")])),
    "no user": lambda c: c.embed_user(""),
    "history too long": lambda c: c.embed_user(User("user-0", TOO_LONG)),
    "unknown history": lambda c: c.embed_user(User(history=[Event("nothing")])),
    "unknown item": lambda c: c.embed_item("nothing"),
    "no item": lambda c: c.embed_item(""),
    "id too long": lambda c: c.embed_item("x" * 513),
    "new item": lambda c: c.embed_item(NEW),
    "new item of no type": lambda c: c.embed_item(NewItem("game", title="x")),
    "new item without text": lambda c: c.embed_item(NewItem("podcast")),
    "description too long": lambda c: c.embed_item(NewItem("podcast", description="x" * 20_001)),
    "related": lambda c: c.embed_item(
        NewItem("podcast", title="x", related_item_ids=["podcast-01", "podcast-02"])
    ),
    "recommend": lambda c: c.recommend("user-0", k=5),
    "recommend usual k": lambda c: c.recommend("user-0"),
    "recommend by type": lambda c: c.recommend("user-0", k=3, grouping=Grouping.PER_TYPE),
    "recommend one type": lambda c: c.recommend(
        "user-0", k=3, items=ItemFilter(["podcast"]), grouping=Grouping.PER_TYPE
    ),
    "recommend no type": lambda c: c.recommend("user-0", items=ItemFilter(["game"])),
    "recommend to nobody": lambda c: c.recommend(User(), k=3),
    "recommend to somebody unknown": lambda c: c.recommend("nobody", k=3),
    "k of 0": lambda c: c.recommend("user-0", k=0),
    "k below 0": lambda c: c.recommend("user-0", k=-1),
    "k above the limit": lambda c: c.recommend("user-0", k=1001),
    "k above the catalogue": lambda c: c.recommend("user-0", k=1000, drop_seen=False),
    "all but one excluded": lambda c: c.recommend(
        User(), k=3, items=ItemFilter(include=["podcast-01"])
    ),
    "disliked item": lambda c: c.recommend(
        User(history=[Event("podcast-01", Signal.NEGATIVE)]),
        k=1,
        items=ItemFilter(include=["podcast-01"]),
    ),
    "saved item": lambda c: c.recommend(
        User(history=[Event("podcast-01", Signal.WEAK)]),
        k=1,
        items=ItemFilter(include=["podcast-01"]),
    ),
    "saved and then disliked item": lambda c: c.recommend(
        User(history=[Event("podcast-01", Signal.WEAK), Event("podcast-01", Signal.NEGATIVE)]),
        k=1,
        items=ItemFilter(include=["podcast-01"]),
    ),
    "similar": lambda c: c.similar_items("podcast-01", k=3),
    "similar to all": lambda c: c.similar_items("podcast-01", k=1000),
    "similar to nothing": lambda c: c.similar_items("nothing", k=3),
    "similar to a new item": lambda c: c.similar_items(NEW, k=3),
    "similar to a vector": lambda c: _near_vector(c),
    "similar to a vector of another space": lambda c: c.similar_items(SpaceVector(ONES, "other")),
    "filtered by attributes": lambda c: c.recommend(
        "user-0",
        k=50,
        items=ItemFilter(
            languages=["DE", "tlh"], genres=["crime", "romance"], creators=["crime  House"]
        ),
    ),
    "filtered by all genres": lambda c: c.recommend(
        "user-0", k=50, items=ItemFilter(all_genres=["crime", "no genre"])
    ),
    "filtered by year": lambda c: c.similar_items(
        "podcast-01", k=50, items=ItemFilter(year_from=2000, year_to=2000)
    ),
    "filtered by a year that nothing is of": lambda c: c.similar_items(
        "podcast-01", k=50, items=ItemFilter(year_from=2001)
    ),
    "years the wrong way round": lambda c: c.recommend(
        "user-0", items=ItemFilter(year_from=2001, year_to=2000)
    ),
    "quotas": lambda c: c.recommend(
        "user-0", quotas=[TypeQuota("podcast", 4), TypeQuota("audiobook", 0, 2)]
    ),
    "quota that cannot be met": lambda c: c.recommend(
        "user-0", items=ItemFilter(["podcast"], ["podcast-02"]), quotas=[TypeQuota("podcast", 2)]
    ),
    "quotas that allow little": lambda c: c.recommend(
        "user-0", quotas=[TypeQuota("podcast", max=1), TypeQuota("audiobook", max=1)]
    ),
    "too many minimums": lambda c: c.recommend("user-0", k=3, quotas=[TypeQuota("podcast", 4)]),
    "minimums above k together": lambda c: c.recommend(
        "user-0", k=3, quotas=[TypeQuota("podcast", 2), TypeQuota("audiobook", 2)]
    ),
    "quota of no type": lambda c: c.recommend("user-0", quotas=[TypeQuota("game")]),
    "quotas by type": lambda c: c.recommend(
        "user-0", quotas=[TypeQuota("podcast")], grouping=Grouping.PER_TYPE
    ),
    "diverse": lambda c: c.recommend("user-0", diversity=0.5),
    "too diverse": lambda c: c.recommend("user-0", diversity=1.5),
    "explored": lambda c: c.recommend("user-0", exploration=1.0, seed=3),
    "explored below 0": lambda c: c.similar_items("podcast-01", exploration=-1.0),
    "first page": lambda c: c.recommend("user-0", page_size=4),
    "last page": lambda c: _last_page(c),
    "page by type": lambda c: c.recommend("user-0", page_size=4, grouping=Grouping.PER_TYPE),
    "page of a new item": lambda c: c.similar_items(NEW, page_size=4),
    "page that nobody gave": lambda c: c.recommend("user-0", page_token="nonsense"),
    "page of another request": lambda c: _page_of_another_request(c),
    "server info": lambda c: c.server_info(),
    "batch of items": lambda c: c.embed_items(["nothing", NEW, NewItem("game", title="x"), ""]),
    "batch of users": lambda c: c.embed_users(["user-0", "nobody", User("user-0", TOO_LONG)]),
    "batch of recommendations": lambda c: c.recommend_many(
        [RecommendQuery("user-0", 2), RecommendQuery("user-0", 0), RecommendQuery("nobody", 2)]
    ),
    "batch of similar items": lambda c: c.similar_items_many(
        [SimilarQuery("podcast-01", 2), SimilarQuery("nothing", 2), SimilarQuery("podcast-01", 0)]
    ),
}


async def _near_vector(client: AsyncClient) -> SimilarItems:
    space_id = (await client.server_info()).generation.space_id
    return await client.similar_items(SpaceVector(ONES, space_id), k=3)


async def _last_page(client: AsyncClient) -> Recommendations:
    first = await client.recommend("user-0", k=6, exploration=1.0, page_size=4)
    token = first.next_page_token
    return await client.recommend("user-0", k=6, exploration=1.0, page_token=token)


async def _page_of_another_request(client: AsyncClient) -> Recommendations:
    first = await client.recommend("user-0", page_size=4)
    return await client.recommend("user-1", page_token=first.next_page_token)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder: Path = write_tiny_generation(tmp_path_factory.mktemp("generations"))
    generation = read(folder, allow_test_featurizer=True)
    return Engine(generation, ServerLimits(), choice="cpu", threads=1)


@pytest.fixture(scope="module")
def world() -> FakeWorld:
    tiny = tiny_world()
    return FakeWorld(
        items=[
            FakeItem(
                item_id,
                record.item_type,
                record.title,
                record.language,
                record.genres,
                record.creator,
                record.year,
            )
            for item_id, record in zip(tiny.item_ids, tiny.records, strict=True)
        ],
        histories={
            user_id: [tiny.item_ids[row] for row in rows]
            for user_id, rows in zip(tiny.user_ids, tiny.histories, strict=True)
        },
        dimensions=VECTOR,
    )


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
async def test_fake_and_real_server_answer_alike(
    engine: Engine, world: FakeWorld, probe: Probe
) -> None:
    async with running(engine) as real, AsyncClient(f"127.0.0.1:{real.app.port}") as client:
        expected = await outline(probe, client)
    with FakeServer(world) as fake:
        async with AsyncClient(fake.target) as client:
            assert await outline(probe, client) == expected


async def outline(probe: Probe, client: AsyncClient) -> list[object]:
    """Say what came, apart from vectors, scores, names and times."""
    try:
        answer = await probe(client)
    except NearfieldError as error:
        return [outline_of(error)]
    return [outline_of(each) for each in (answer if isinstance(answer, Batch) else [answer])]


def outline_of(answer: Answer | NearfieldError) -> object:
    match answer:
        case StatusError():
            fields_at_fault = [each.field for each in answer.violations]
            return (type(answer), answer.reason, fields_at_fault, sorted(answer.metadata))
        case Embedding():
            named = (getattr(answer, "item_id", ""), getattr(answer, "user_id", ""))
            codes = {each.code for each in answer.warnings}
            return (named, answer.vector.shape, answer.provenance, codes)
        case Recommendations() | SimilarItems():
            groups = {kind: len(hits) for kind, hits in answer.groups.items()}
            codes = {each.code for each in answer.warnings}
            told = {
                "page": bool(answer.next_page_token),
                "seed": answer.seed is not None,
                "propensity": any(hit.propensity for hit in answer.hits),
            }
            return (len(answer.hits), groups, answer.provenance, codes, told)
        case ServerInfo():
            names = {each.name for each in fields(Limits)} - OF_THE_GENERATION
            limits = {name: getattr(answer.limits, name) for name in names}
            return (limits, answer.generation.item_types, answer.generation.users)
    return answer
