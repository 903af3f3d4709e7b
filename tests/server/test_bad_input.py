"""Every kind of bad input, over a real server: each answer names the field, and it lives on."""

import re
from typing import TypeVar

import grpc
import numpy as np
import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo

from nearfield.v1 import embedding_pb2, types_pb2
from nearfield.v1 import recommendation_pb2 as pb
from server.engine import Engine
from tests.server.support import Client, codes, detail, reason, rich_status, running, violated

MessageT = TypeVar("MessageT", bound=Message)

EmbedItem = embedding_pb2.EmbedItemRequest
EmbedUser = embedding_pb2.EmbedUserRequest
Recommend = pb.RecommendRequest
FindSimilarItems = pb.FindSimilarItemsRequest

NAN = "".join(f"\\x{byte:02x}" for byte in np.array([np.nan] + [0.1] * 15, dtype="<f4").tobytes())


def repeated(value: str, times: int) -> str:
    return ", ".join([f'"{value}"'] * times)


BAD: list[tuple[type[Message], str, dict[str, str]]] = [
    (EmbedItem, "", {"item": "expected item_id or new_item, got neither"}),
    (EmbedItem, 'item_id: ""', {"item_id": "expected an id, got an empty string"}),
    (EmbedItem, f'item_id: "{"x" * 513}"', {"item_id": "expected at most 512 bytes, got 513"}),
    (
        EmbedItem,
        'item_id: "podcast-01" dtype: 9',
        {"dtype": "expected a value of VectorDtype, got 9"},
    ),
    (
        EmbedItem,
        "new_item {}",
        {"new_item.item_type": "expected one of 'audiobook', 'podcast', got ''"},
    ),
    (
        EmbedItem,
        'new_item { item_type: "film" title: "x" }',
        {"new_item.item_type": "expected one of 'audiobook', 'podcast', got 'film'"},
    ),
    *(
        (
            EmbedItem,
            f'new_item {{ item_type: "podcast" title: "{title}" }}',
            {
                "new_item": "expected text in title, description, genres or creator, "
                "found nothing to read"
            },
        )
        for title in ("", "  \\t ", "\\001\\002", "\u200b\u200d")
    ),
    (
        EmbedItem,
        f'new_item {{ item_type: "podcast" title: "{"x" * 1001}" }}',
        {"new_item.title": "expected at most 1000 characters, got 1001"},
    ),
    (
        EmbedItem,
        f'new_item {{ item_type: "podcast" title: "x" description: "{"x" * 1_000_000}" }}',
        {"new_item.description": "expected at most 20000 characters, got 1000000"},
    ),
    (
        EmbedItem,
        'new_item { item_type: "podcast" title: "x" year: 10000 '
        f'genres: "{"y" * 257}" language: "{"z" * 300}" }}',
        {
            "new_item.language": "expected at most 256 bytes, got 300",
            "new_item.genres[0]": "expected at most 256 bytes, got 257",
            "new_item.year": "expected -9999 to 9999, got 10000",
        },
    ),
    (
        EmbedItem,
        f'new_item {{ item_type: "podcast" title: "x" genres: [{repeated("g", 51)}] }}',
        {"new_item.genres": "expected 0 to 50 genres, got 51"},
    ),
    (
        EmbedItem,
        f'new_item {{ item_type: "podcast" title: "x" related_item_ids: [{repeated("g", 101)}] }}',
        {"new_item.related_item_ids": "expected 0 to 100 ids, got 101"},
    ),
    (EmbedUser, "", {"user": "expected user_id, history or demographics, got none of them"}),
    (
        EmbedUser,
        'user { history { item_id: "" } history { item_id: "a" signal: 7 } }',
        {
            "user.history[0].item_id": "expected an id, got an empty string",
            "user.history[1].signal": "expected a value of Signal, got 7",
        },
    ),
    *(
        (
            EmbedUser,
            f'user {{ history {{ item_id: "podcast-01" weight: {weight} }} }}',
            {"user.history[0].weight": f"expected 0.001 to 1000, got {shown}"},
        )
        for weight, shown in (
            ("nan", "nan"),
            ("inf", "inf"),
            ("-1", "-1.0"),
            ("0", "0.0"),
            ("1001", "1001.0"),
        )
    ),
    (
        EmbedUser,
        'user { history { item_id: "a" time { seconds: 1 } } history { item_id: "b" } }',
        {"user.history": "expected a time on every event or on none, got it on 1 of 2"},
    ),
    (
        EmbedUser,
        'user { user_id: "user-1" %s }' % ('history { item_id: "podcast-01" } ' * 1001),
        {"user.history": "expected 0 to 1000 events, got 1001"},
    ),
    (
        EmbedUser,
        f'user {{ user_id: "user-1" demographics {{ country: "{"x" * 257}" }} }}',
        {"user.demographics.country": "expected at most 256 bytes, got 257"},
    ),
    (Recommend, "k: 0", {"k": "expected 1 to 1000, got 0"}),
    (Recommend, "k: -5", {"k": "expected 1 to 1000, got -5"}),
    (Recommend, "k: 1001", {"k": "expected 1 to 1000, got 1001"}),
    (Recommend, "grouping: 8", {"grouping": "expected a value of Grouping, got 8"}),
    (
        Recommend,
        'filter { item_types: ["podcast", "film"] }',
        {"filter.item_types": "expected one of 'audiobook', 'podcast', got 'film'"},
    ),
    (
        Recommend,
        'filter { include_item_ids: ["a", ""] exclude_item_ids: [""] }',
        {
            "filter.include_item_ids[1]": "expected an id, got an empty string",
            "filter.exclude_item_ids[0]": "expected an id, got an empty string",
        },
    ),
    (
        Recommend,
        f"filter {{ exclude_item_ids: [{repeated('a', 10_001)}] }}",
        {"filter.exclude_item_ids": "expected 0 to 10000 ids, got 10001"},
    ),
    (
        Recommend,
        f'filter {{ languages: ["en", ""] genres: "{"x" * 257}" creators: "{"y" * 1001}" }}',
        {
            "filter.languages[1]": "expected a value, got an empty string",
            "filter.genres[0]": "expected at most 256 bytes, got 257",
            "filter.creators[0]": "expected at most 1000 characters, got 1001",
        },
    ),
    (
        Recommend,
        f"filter {{ all_genres: [{repeated('a', 10_001)}] }}",
        {"filter.all_genres": "expected 0 to 10000 values, got 10001"},
    ),
    (
        Recommend,
        "filter { year_from: 2001 year_to: 2000 }",
        {"filter.year_to": "expected 2001 to 9999, got 2000"},
    ),
    (
        FindSimilarItems,
        'item_id: "podcast-01" filter { year_from: -10000 year_to: 10000 }',
        {
            "filter.year_from": "expected -9999 to 9999, got -10000",
            "filter.year_to": "expected -9999 to 9999, got 10000",
        },
    ),
    (
        Recommend,
        'k: 5 quotas { item_type: "podcast" min: 3 } quotas { item_type: "audiobook" min: 3 }',
        {"quotas": "expected minimums of at most k = 5 together, got 6"},
    ),
    (
        Recommend,
        'quotas { item_type: "film" min: 11 } quotas { item_type: "podcast" min: 2 max: 1 }',
        {
            "quotas[0].item_type": "expected one of 'audiobook', 'podcast', got 'film'",
            "quotas[0].min": "expected 0 to 10, got 11",
            "quotas[1].max": "expected 2 to 1000, got 1",
        },
    ),
    (
        Recommend,
        'quotas { item_type: "podcast" } quotas { item_type: "podcast" min: -1 }',
        {"quotas[1].min": "expected 0 to 10, got -1"},
    ),
    (
        Recommend,
        'quotas { item_type: "podcast" } quotas { item_type: "podcast" }',
        {
            "quotas[1].item_type": "expected a type that passes the filter and has no "
            "quota yet, got 'podcast'"
        },
    ),
    (
        Recommend,
        'filter { item_types: "podcast" } quotas { item_type: "audiobook" }',
        {
            "quotas[0].item_type": "expected a type that passes the filter and has no "
            "quota yet, got 'audiobook'"
        },
    ),
    (
        Recommend,
        'grouping: GROUPING_PER_TYPE quotas { item_type: "podcast" } page_size: 3',
        {
            "quotas": "expected none where grouping is PER_TYPE",
            "page_size": "expected none where grouping is PER_TYPE",
        },
    ),
    (
        Recommend,
        "quotas {} quotas {} quotas {}",
        {"quotas": "expected 0 to 2 quotas, got 3"},
    ),
    (
        Recommend,
        "diversity: 1.5 exploration: -1 page_size: -1",
        {
            "diversity": "expected 0 to 1, got 1.5",
            "exploration": "expected 0 to 100, got -1.0",
            "page_size": "expected 0 to 1000, got -1",
        },
    ),
    (
        FindSimilarItems,
        'item_id: "podcast-01" diversity: nan exploration: inf page_token: "?"',
        {
            "diversity": "expected 0 to 1, got nan",
            "exploration": "expected 0 to 100, got inf",
            "page_token": "expected a next_page_token of this server",
        },
    ),
    (
        FindSimilarItems,
        'new_item { item_type: "podcast" title: "x" } page_size: 3',
        {"page_size": "expected none for a new item: embed it and page by its vector"},
    ),
    (FindSimilarItems, "", {"query": "expected item_id, new_item or vector, got none of them"}),
    (
        FindSimilarItems,
        'vector { data: "abc" dimensions: 3 }',
        {
            "vector.space_id": "expected the id of the vector's space, got none",
            "vector.data": "expected 64 bytes, got 3",
            "vector.dimensions": "expected 16, got 3",
        },
    ),
    (
        FindSimilarItems,
        'vector { space_id: "tiny-7" dimensions: 16 dtype: 5 }',
        {"vector.dtype": "expected a value of VectorDtype, got 5"},
    ),
    (
        FindSimilarItems,
        f'vector {{ space_id: "tiny-7" dimensions: 16 data: "{NAN}" }}',
        {"vector.data": "expected finite numbers, number 0 is nan"},
    ),
    (
        FindSimilarItems,
        'vector { space_id: "tiny-7" dimensions: 16 data: "%s" } k: 0' % ("\\x00" * 64),
        {
            "vector.data": "expected a direction, got only zeros",
            "k": "expected 1 to 1000, got 0",
        },
    ),
    (EmbedItem, 'item_id: "a" request_id: "é"', {"request_id": "expected at most 128"}),
    (EmbedItem, f'item_id: "a" request_id: "{"x" * 129}"', {"request_id": "expected at most 128"}),
]


def parse(kind: type[MessageT], text: str) -> MessageT:
    return text_format.Parse(text, kind())


async def send(client: Client, request: Message) -> Message:
    match request:
        case EmbedItem():
            return await client.embedding.EmbedItem(request)
        case EmbedUser():
            return await client.embedding.EmbedUser(request)
        case Recommend():
            return await client.recommendation.Recommend(request)
        case FindSimilarItems():
            return await client.recommendation.FindSimilarItems(request)
    raise TypeError(type(request))


async def refused(client: Client, request: Message) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await send(client, request)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "text", "expected"), BAD, ids=[f"{k.__name__}-{t[:60]}" for k, t, _ in BAD]
)
async def test_broken_contract_is_refused_and_the_fields_are_named(
    engine: Engine, kind: type[Message], text: str, expected: dict[str, str]
) -> None:
    async with running(engine) as client:
        error = await refused(client, parse(kind, text))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        status = rich_status(error)
        assert reason(status) == "REQUEST_INVALID"
        found = violated(status)
        assert found.keys() == expected.keys()
        for field, problem in expected.items():
            assert found[field].startswith(problem)
            assert field in status.message
        await send(client, EmbedItem(item_id="podcast-01"))


@pytest.mark.parametrize("strange", ["nobody", "\x00\x01", "podcast-01 ", "Ñandú\u202e"])
async def test_unknown_ids_are_not_found_and_named(engine: Engine, strange: str) -> None:
    requests: list[Message] = [
        EmbedItem(item_id=strange),
        FindSimilarItems(item_id=strange),
        EmbedUser(user=types_pb2.UserInput(user_id=strange)),
    ]
    async with running(engine) as client:
        for request, expected in zip(
            requests, ("ITEM_UNKNOWN", "ITEM_UNKNOWN", "USER_UNKNOWN"), strict=True
        ):
            error = await refused(client, request)
            assert error.code() is grpc.StatusCode.NOT_FOUND
            assert reason(rich_status(error)) == expected
            assert ascii(strange[:80])[:-1] in (error.details() or "")


async def test_vector_of_another_space_is_refused_whatever_its_length(engine: Engine) -> None:
    vector = types_pb2.Vector(data=bytes(8), dimensions=2, space_id="elsewhere")
    async with running(engine) as client:
        error = await refused(client, FindSimilarItems(vector=vector))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(rich_status(error)) == "SPACE_MISMATCH"
    assert "tiny-7" in (error.details() or "")


@pytest.mark.parametrize("elements", [0, 257, 10_000])
async def test_batch_of_the_wrong_length_is_refused(engine: Engine, elements: int) -> None:
    async with running(engine) as client:
        items = [EmbedItem(item_id="podcast-01")] * elements
        users = [EmbedUser(user=types_pb2.UserInput(user_id="user-1"))] * elements
        people = [Recommend(k=1)] * elements
        similar = [FindSimilarItems(item_id="podcast-01", k=1)] * elements
        for call in (
            client.embedding.BatchEmbedItems(embedding_pb2.BatchEmbedItemsRequest(requests=items)),
            client.embedding.BatchEmbedUsers(embedding_pb2.BatchEmbedUsersRequest(requests=users)),
            client.recommendation.BatchRecommend(pb.BatchRecommendRequest(requests=people)),
            client.recommendation.BatchFindSimilarItems(
                pb.BatchFindSimilarItemsRequest(requests=similar)
            ),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            expected = {"requests": f"expected 1 to 256 elements, got {elements}"}
            assert violated(rich_status(caught.value)) == expected


async def test_batch_that_asks_for_too_many_hits_is_refused(engine: Engine) -> None:
    requests = [Recommend(k=1000, grouping=types_pb2.GROUPING_PER_TYPE)] * 13
    async with running(engine) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.recommendation.BatchRecommend(pb.BatchRecommendRequest(requests=requests))
    expected = {"requests": "expected at most 25600 hits in all, got 26000"}
    assert violated(rich_status(caught.value)) == expected


async def test_k_above_the_catalogue_gives_all_there_is_and_says_why(engine: Engine) -> None:
    async with running(engine) as client:
        request = Recommend(k=1000, user=types_pb2.UserInput(user_id="user-1"))
        answer = (await client.recommendation.Recommend(request)).recommendation
        similar = await client.recommendation.FindSimilarItems(
            FindSimilarItems(item_id="podcast-01", k=1000)
        )
    assert len(answer.hits) == 50
    assert len(similar.similar_items.hits) == 59
    assert codes(answer.warnings) == codes(similar.similar_items.warnings) == {"FEWER_THAN_K"}
    assert answer.warnings[0].message == "k: 1000 asked for, only 50 items may be shown"


async def test_message_over_the_limit_is_refused(engine: Engine) -> None:
    async with running(engine, limits={"max_request_bytes": 100_000}) as client:
        large = EmbedItem(item_id="x" * 100_001)
        error = await refused(client, large)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        # gRPC itself refuses it, so that there are numbers of bytes and neither field nor reason.
        sizes = rf"\({large.ByteSize()} vs\. 100000\)"
        assert re.search(sizes, error.details() or "")
        assert "grpc-status-details-bin" not in dict(error.trailing_metadata() or ())
        await send(client, EmbedItem(item_id="podcast-01"))


async def test_unknown_method_is_refused_by_grpc_without_details(engine: Engine) -> None:
    async with running(engine) as client:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = client.channel.unary_unary(
            "/nearfield.v1.EmbeddingService/Forget"
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "grpc-status-details-bin" not in dict(caught.value.trailing_metadata() or ())


async def test_answer_over_the_limit_is_refused_with_advice(engine: Engine) -> None:
    async with running(engine, limits={"max_response_bytes": 2_000}) as client:
        await send(client, Recommend(k=3))
        error = await refused(client, Recommend(k=50, include_titles=True))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason(rich_status(error)) == "RESPONSE_TOO_LARGE"
    assert "smaller k" in (error.details() or "")


async def test_many_violations_are_cut_to_what_a_trailer_carries(engine: Engine) -> None:
    events = [types_pb2.HistoryEvent(item_id="", weight=-1.0)] * 1000
    async with running(engine) as client:
        error = await refused(client, EmbedUser(user=types_pb2.UserInput(history=events)))
    status = rich_status(error)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert len(violated(status)) == 20
    told = detail(status, ErrorInfo)
    assert told is not None
    assert dict(told.metadata) == {"violations": "2000"}


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x0a\x02\xc3\x28"])
async def test_bytes_that_are_no_message_are_refused(engine: Engine, data: bytes) -> None:
    async with running(engine) as client:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = client.channel.unary_unary(
            "/nearfield.v1.EmbeddingService/EmbedItem"
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(data)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert violated(rich_status(caught.value)).keys() == {"request"}
        await send(client, EmbedItem(item_id="podcast-01"))
