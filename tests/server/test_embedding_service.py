from dataclasses import replace

import numpy as np
import pytest

from export.generation import Generation
from nearfield.v1 import embedding_pb2 as pb
from nearfield.v1 import types_pb2
from server.engine import Engine
from server.limits import Limits
from tests.server.support import FlakyFeaturizer, codes, numbers, running
from tests.support.generation import TinyWorld


async def test_known_item_is_read_as_stored(engine: Engine, generation: Generation) -> None:
    row = 7
    async with running(engine) as client:
        answer = await client.embedding.EmbedItem(pb.EmbedItemRequest(item_id="audiobook-07"))
    assert answer.embedding.item_id == "audiobook-07"
    assert answer.embedding.item_type == "audiobook"
    assert answer.embedding.provenance == types_pb2.PROVENANCE_GRAPH
    assert answer.embedding.neighbours == engine.catalogue.degree[row] > 0
    assert answer.embedding.featurizer == ""
    np.testing.assert_array_equal(numbers(answer.embedding.vector), generation.item_vectors[row])
    assert answer.embedding.vector.space_id == generation.manifest.space_id


async def test_every_answer_says_where_it_comes_from(
    engine: Engine, generation: Generation
) -> None:
    async with running(engine) as client:
        request = pb.EmbedItemRequest(item_id="podcast-01", request_id="call 7")
        answer = await client.embedding.EmbedItem(request)
        other = await client.embedding.EmbedItem(pb.EmbedItemRequest(item_id="podcast-01"))
        named = await client.embedding.EmbedItem(
            pb.EmbedItemRequest(item_id="podcast-01"), metadata=(("x-request-id", "call 8"),)
        )
    assert answer.info.generation == generation.name
    assert answer.info.space_id == generation.manifest.space_id
    assert answer.info.request_id == "call 7"
    assert named.info.request_id == "call 8"
    assert len(other.info.request_id) == 32
    assert answer.info.timing.total_us > 0


async def test_half_precision_takes_half_the_bytes(engine: Engine) -> None:
    async with running(engine) as client:
        full = await client.embedding.EmbedItem(pb.EmbedItemRequest(item_id="podcast-01"))
        half = await client.embedding.EmbedItem(
            pb.EmbedItemRequest(item_id="podcast-01", dtype=types_pb2.VECTOR_DTYPE_FLOAT16)
        )
    assert full.embedding.vector.dtype == types_pb2.VECTOR_DTYPE_FLOAT32
    assert len(half.embedding.vector.data) * 2 == len(full.embedding.vector.data)
    np.testing.assert_allclose(
        numbers(half.embedding.vector), numbers(full.embedding.vector), atol=1e-3
    )


def as_new(world: TinyWorld, row: int, *, related: list[str], creator: bool) -> types_pb2.NewItem:
    record = world.records[row]
    return types_pb2.NewItem(
        item_type=record.item_type,
        title=record.title,
        description=record.description,
        genres=record.genres,
        language=record.language,
        creator=record.creator if creator else "",
        year=record.year,
        related_item_ids=related,
    )


async def test_known_item_told_anew_with_its_neighbours_gets_its_stored_vector(
    engine: Engine, generation: Generation, world: TinyWorld
) -> None:
    row = 10  # of no creator, so that the related items are all of its neighbours
    slots = range(generation.manifest.num_slots)
    rows = np.concatenate([generation.neighbours(row, slot).rows for slot in slots])
    assert world.records[row].creator == ""
    assert len(rows) > 0
    item = as_new(world, row, related=generation.item_ids.ids(rows), creator=False)
    async with running(engine) as client:
        answer = await client.embedding.EmbedItem(pb.EmbedItemRequest(new_item=item))
    assert answer.embedding.provenance == types_pb2.PROVENANCE_INDUCTIVE
    assert answer.embedding.neighbours == len(rows)
    assert answer.embedding.item_id == ""
    assert answer.embedding.featurizer == "flaky"
    np.testing.assert_allclose(
        numbers(answer.embedding.vector), generation.item_vectors[row], atol=1e-5
    )
    assert answer.info.timing.featurizer_us > 0
    assert answer.info.timing.model_us > 0


async def test_new_item_without_neighbours_is_text_alone(engine: Engine, world: TinyWorld) -> None:
    item = as_new(world, 10, related=[], creator=False)
    async with running(engine) as client:
        answer = await client.embedding.EmbedItem(pb.EmbedItemRequest(new_item=item))
    assert answer.embedding.provenance == types_pb2.PROVENANCE_TEXT_ONLY
    assert answer.embedding.neighbours == 0
    assert np.linalg.norm(numbers(answer.embedding.vector)) == pytest.approx(1, abs=1e-5)


async def test_creator_brings_its_known_items_as_neighbours(engine: Engine) -> None:
    item = types_pb2.NewItem(item_type="podcast", title="Out today", creator=" History  HOUSE ")
    async with running(engine) as client:
        answer = await client.embedding.EmbedItem(pb.EmbedItemRequest(new_item=item))
        item.creator = "somebody else"
        alone = await client.embedding.EmbedItem(pb.EmbedItemRequest(new_item=item))
    assert answer.embedding.provenance == types_pb2.PROVENANCE_INDUCTIVE
    assert answer.embedding.neighbours == len(engine.catalogue.by_creator("history house", 30)) > 5
    assert alone.embedding.provenance == types_pb2.PROVENANCE_TEXT_ONLY


async def test_unknown_related_items_language_and_genres_are_warned_of(engine: Engine) -> None:
    item = types_pb2.NewItem(
        item_type="podcast",
        title="Новый подкаст 🎧",
        language="xx",
        genres=["unheard of"],
        related_item_ids=["podcast-02", "nobody-knows", "podcast-02"],
    )
    async with running(engine) as client:
        answer = await client.embedding.EmbedItem(pb.EmbedItemRequest(new_item=item))
    assert answer.embedding.neighbours == 1
    assert codes(answer.embedding.warnings) == {"UNKNOWN_RELATED_ITEMS", "UNKNOWN_CATEGORY"}
    warning = answer.embedding.warnings[-1]
    assert warning.field == "new_item.related_item_ids"
    assert list(warning.values) == ["nobody-knows"]


async def test_unknown_genres_are_named_beside_known_ones(
    engine: Engine, generation: Generation
) -> None:
    known = generation.item_encoder.genres.ids[0]
    genres = [known.upper(), "unheard of", "Telenovela", "UNHEARD OF ", " "]
    item = types_pb2.NewItem(item_type="podcast", title="Out today", genres=genres)
    async with running(engine) as client:
        answer = await client.embedding.EmbedItem(pb.EmbedItemRequest(new_item=item))
    (warning,) = answer.embedding.warnings
    assert codes([warning]) == {"UNKNOWN_CATEGORY"}
    assert warning.field == "new_item.genres"
    assert list(warning.values) == ["unheard of", "Telenovela"]
    assert "'Telenovela'" in warning.message


@pytest.mark.parametrize(
    "title",
    [
        "日本語の本",
        "كتاب عربي",
        "हिन्दी किताब",
        "a\x00b\x1f\u2028c",
        "\U0001f469\u200d\U0001f467",
        "e\u0301" * 50,
        "\uff46\uff55\uff4c\uff4c",
    ],
)
async def test_any_script_and_control_characters_are_embedded(engine: Engine, title: str) -> None:
    item = types_pb2.NewItem(item_type="podcast", title=title)
    async with running(engine) as client:
        answer = await client.embedding.EmbedItem(pb.EmbedItemRequest(new_item=item))
    assert np.linalg.norm(numbers(answer.embedding.vector)) == pytest.approx(1, abs=1e-5)


async def test_batch_of_items_answers_as_the_singles_do(engine: Engine, world: TinyWorld) -> None:
    requests = [
        pb.EmbedItemRequest(item_id="podcast-03"),
        pb.EmbedItemRequest(new_item=as_new(world, 4, related=["podcast-04"], creator=True)),
        pb.EmbedItemRequest(new_item=as_new(world, 5, related=[], creator=False)),
        pb.EmbedItemRequest(item_id="audiobook-03", dtype=types_pb2.VECTOR_DTYPE_FLOAT16),
    ]
    async with running(engine) as client:
        singles = [(await client.embedding.EmbedItem(each)).embedding for each in requests]
        batch = await client.embedding.BatchEmbedItems(pb.BatchEmbedItemsRequest(requests=requests))
    assert [each.status.code for each in batch.results] == [0, 0, 0, 0]
    for single, result in zip(singles, batch.results, strict=True):
        assert result.embedding.provenance == single.provenance
        assert result.embedding.neighbours == single.neighbours
        np.testing.assert_allclose(
            numbers(result.embedding.vector), numbers(single.vector), atol=1e-6
        )


async def test_texts_of_a_batch_go_to_the_featurizer_together(engine: Engine) -> None:
    featurizer = FlakyFeaturizer()
    items = [types_pb2.NewItem(item_type="podcast", title=f"part {n}") for n in range(17)]
    requests = [pb.EmbedItemRequest(new_item=item) for item in items]
    async with running(engine, featurizer) as client:
        await client.embedding.BatchEmbedItems(pb.BatchEmbedItemsRequest(requests=requests))
    assert [len(texts) for texts in featurizer.calls] == [17]


def user(user_id: str = "", *item_ids: str, **changes: str) -> types_pb2.UserInput:
    events = [types_pb2.HistoryEvent(item_id=item_id) for item_id in item_ids]
    demographics = types_pb2.Demographics(**changes)
    return types_pb2.UserInput(user_id=user_id, history=events, demographics=demographics)


async def test_known_user_is_embedded_from_the_stored_history(
    engine: Engine, world: TinyWorld
) -> None:
    stored = world.histories[3]
    person = world.users[3]
    told = user(
        "",
        *(world.item_ids[row] for row in stored),
        country=person.country or "",
        age_bucket=person.age_bucket or "",
        gender=person.gender or "",
    )
    async with running(engine) as client:
        known = await client.embedding.EmbedUser(pb.EmbedUserRequest(user=user("user-3")))
        inline = await client.embedding.EmbedUser(pb.EmbedUserRequest(user=told))
    assert known.embedding.provenance == types_pb2.PROVENANCE_GRAPH
    assert inline.embedding.provenance == types_pb2.PROVENANCE_INDUCTIVE
    assert known.embedding.history_events == inline.embedding.history_events == 10
    np.testing.assert_allclose(
        numbers(known.embedding.vector), numbers(inline.embedding.vector), atol=1e-6
    )


async def test_inline_history_counts_as_the_newest_part(engine: Engine) -> None:
    both = user("user-3", "podcast-00", "nowhere")
    async with running(engine) as client:
        known = await client.embedding.EmbedUser(pb.EmbedUserRequest(user=user("user-3")))
        more = await client.embedding.EmbedUser(pb.EmbedUserRequest(user=both))
    assert more.embedding.provenance == types_pb2.PROVENANCE_GRAPH
    assert more.embedding.history_events == 11
    assert codes(more.embedding.warnings) == {"UNKNOWN_HISTORY_ITEMS"}
    assert not np.allclose(numbers(known.embedding.vector), numbers(more.embedding.vector))


async def test_demographics_of_the_request_replace_the_stored_ones(engine: Engine) -> None:
    async with running(engine) as client:
        stored = await client.embedding.EmbedUser(pb.EmbedUserRequest(user=user("user-3")))
        same = await client.embedding.EmbedUser(
            pb.EmbedUserRequest(user=user("user-3", country="se"))
        )
        moved = await client.embedding.EmbedUser(
            pb.EmbedUserRequest(user=user("user-3", country="DE"))
        )
        strange = await client.embedding.EmbedUser(
            pb.EmbedUserRequest(user=user("user-3", country="Atlantis"))
        )
    np.testing.assert_array_equal(numbers(stored.embedding.vector), numbers(same.embedding.vector))
    assert not np.allclose(numbers(stored.embedding.vector), numbers(moved.embedding.vector))
    assert codes(strange.embedding.warnings) == {"UNKNOWN_CATEGORY"}


async def test_demographics_alone_are_a_fallback(engine: Engine) -> None:
    async with running(engine) as client:
        answer = await client.embedding.EmbedUser(
            pb.EmbedUserRequest(user=user("a stranger", country="SE"))
        )
    assert answer.embedding.provenance == types_pb2.PROVENANCE_FALLBACK
    assert answer.embedding.history_events == 0
    assert codes(answer.embedding.warnings) == {"UNKNOWN_USER", "NO_HISTORY"}


async def test_history_of_unknown_items_counts_as_no_history(engine: Engine) -> None:
    async with running(engine) as client:
        answer = await client.embedding.EmbedUser(pb.EmbedUserRequest(user=user("", "x", "y")))
    assert answer.embedding.provenance == types_pb2.PROVENANCE_FALLBACK
    assert codes(answer.embedding.warnings) == {"UNKNOWN_HISTORY_ITEMS", "NO_HISTORY"}


async def test_times_decide_the_order_of_a_history(engine: Engine) -> None:
    ordered = user("", *(f"podcast-{n:02d}" for n in range(30)))
    for second, event in enumerate(ordered.history):
        event.time.seconds = second
    shuffled = types_pb2.UserInput(history=list(ordered.history)[::-1])
    manifest = replace(engine.generation.manifest, history_length=5)
    short = replace(engine.generation, manifest=manifest)
    async with running(Engine(short, Limits(), choice="cpu", threads=1)) as client:
        first = await client.embedding.EmbedUser(pb.EmbedUserRequest(user=ordered))
        second_answer = await client.embedding.EmbedUser(pb.EmbedUserRequest(user=shuffled))
    assert first.embedding.history_events == 5
    assert codes(first.embedding.warnings) == {"HISTORY_CUT"}
    np.testing.assert_array_equal(
        numbers(first.embedding.vector), numbers(second_answer.embedding.vector)
    )


async def test_repeats_in_a_history_are_kept_and_negative_events_are_not_heard(
    engine: Engine,
) -> None:
    person = user("", "podcast-01", "podcast-01", "podcast-02")
    person.history[2].signal = types_pb2.SIGNAL_NEGATIVE
    async with running(engine) as client:
        answer = await client.embedding.EmbedUser(pb.EmbedUserRequest(user=person))
        once = await client.embedding.EmbedUser(
            pb.EmbedUserRequest(user=user("", "podcast-01", "podcast-01"))
        )
    assert answer.embedding.history_events == 2
    np.testing.assert_array_equal(numbers(answer.embedding.vector), numbers(once.embedding.vector))


async def test_batch_of_users_answers_as_the_singles_do(engine: Engine) -> None:
    people = [user("user-1"), user("", "podcast-05"), user("user-2", "audiobook-01"), user("no")]
    requests = [pb.EmbedUserRequest(user=person) for person in people]
    async with running(engine) as client:
        singles = [(await client.embedding.EmbedUser(each)).embedding for each in requests[:3]]
        batch = await client.embedding.BatchEmbedUsers(pb.BatchEmbedUsersRequest(requests=requests))
    assert [each.status.code for each in batch.results] == [0, 0, 0, 5]
    assert not batch.results[3].HasField("embedding")
    for single, result in zip(singles, batch.results, strict=False):
        np.testing.assert_allclose(
            numbers(result.embedding.vector), numbers(single.vector), atol=1e-6
        )
