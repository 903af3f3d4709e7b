"""What operators may ask, over the wire, of a server with real workers."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import psutil
import pytest

from export.generation.incoming import Incoming
from export.generation.manifest import MANIFEST_FILE
from nearfield.v1 import admin_pb2 as pb
from nearfield.v1.admin_pb2_grpc import AdminServiceStub
from server.calls import Call
from server.methods import Method
from server.security.authenticator import Metadata
from server.security.exposure import is_loopback
from server.supervision.admin import AdminApp
from server.supervision.supervisor import Supervisor
from server.surround import Watcher
from tests.server.serve_tiny import TINY
from tests.server.supervision.support import damage, supervising, two_generations
from tests.server.support import make_settings, reason, rich_status, violated
from tests.support.generation import write_tiny_output

if TYPE_CHECKING:  # it exists in the stubs alone
    from nearfield.v1.admin_pb2_grpc import AdminServiceAsyncStub

SERVING, IDLE, REFUSED = (
    pb.GENERATION_STATE_SERVING,
    pb.GENERATION_STATE_IDLE,
    pb.GENERATION_STATE_REFUSED,
)
PIECE = 1000


class Told:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.ended_calls: list[tuple[str, str, str, str]] = []

    def began(self, call: Call, metadata: Metadata) -> None:
        pass

    def turned_away(self, method: Method) -> None:
        pass

    def ended(self, call: Call, code: grpc.StatusCode) -> None:
        self.ended_calls.append((call.method.name, call.caller, call.request_id, code.name))


@asynccontextmanager
async def connected(
    out: Path, *watchers: Watcher, **changes: object
) -> AsyncIterator[tuple[grpc.aio.Channel, Supervisor]]:
    """Run a server with a port for operators, and connect to that."""
    async with supervising(out, workers=1) as supervisor:
        settings = make_settings(generation=out, admin_port=0, **changes)
        admin = AdminApp(supervisor, settings, watchers=watchers)
        await admin.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{admin.port}") as channel:
                yield channel, supervisor
        finally:
            await admin.stop()


@asynccontextmanager
async def operating(out: Path) -> "AsyncIterator[tuple[AdminServiceAsyncStub, Supervisor]]":
    """Run a server with a port for operators, and call there."""
    async with connected(out) as (channel, supervisor):
        yield AdminServiceStub(channel), supervisor


def messages(folder: Path, *, activate: bool = False) -> Iterator[pb.PublishGenerationRequest]:
    """Cut a generation into messages."""
    manifest = (folder / MANIFEST_FILE).read_bytes()
    yield pb.PublishGenerationRequest(head=pb.GenerationHead(manifest=manifest, activate=activate))
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        if path.name == MANIFEST_FILE:
            continue
        content, name = path.read_bytes(), path.relative_to(folder).as_posix()
        for start in range(0, len(content), PIECE):
            piece = pb.FilePiece(path=name, data=content[start : start + PIECE])
            yield pb.PublishGenerationRequest(piece=piece)


async def states(admin: "AdminServiceAsyncStub") -> dict[str, int]:
    answer = await admin.ListGenerations(pb.ListGenerationsRequest())
    return {each.name: each.state for each in answer.generations}


async def test_generations_are_listed_activated_and_rolled_back(tmp_path: Path) -> None:
    first, second = two_generations(tmp_path)
    async with operating(tmp_path) as (admin, _):
        assert await states(admin) == {first: SERVING, second: IDLE}
        answer = await admin.ActivateGeneration(pb.ActivateGenerationRequest(name=second))
        assert (answer.generation.name, answer.generation.state) == (second, SERVING)
        assert answer.trial.agreement == 1.0
        assert answer.trial.vector_difference < 1e-5
        assert await states(admin) == {first: IDLE, second: SERVING}
        listed = await admin.ListGenerations(pb.ListGenerationsRequest())
        assert [each.name for each in listed.generations if each.previous] == [first]
        back = await admin.RollBackGeneration(pb.RollBackGenerationRequest())
        assert back.generation.name == first
        workers = (await admin.ListWorkers(pb.ListWorkersRequest())).workers
        assert [(each.number, each.generation, each.restarts) for each in workers] == [
            (0, first, 0)
        ]
        assert all(each.pid for each in workers)


async def test_generation_that_is_sent_can_be_activated(tmp_path: Path) -> None:
    first = write_tiny_output(tmp_path / "here", seed=7).name
    there = write_tiny_output(tmp_path / "there", seed=8)
    async with operating(tmp_path / "here") as (admin, _):
        sent = await admin.PublishGeneration(messages(there))
        assert (sent.generation.name, sent.generation.state) == (there.name, IDLE)
        again = await admin.PublishGeneration(messages(there, activate=True))
        assert again.generation.state == SERVING
        assert await states(admin) == {first: IDLE, there.name: SERVING}


@pytest.mark.parametrize(
    ("file", "said"),
    [("text.npy", "text.npy"), (MANIFEST_FILE, "manifest.json")],
)
async def test_what_was_damaged_on_the_way_leaves_nothing_behind(
    tmp_path: Path, file: str, said: str
) -> None:
    first = write_tiny_output(tmp_path / "here", seed=7).name
    there = write_tiny_output(tmp_path / "there", seed=8)
    damage(tmp_path / "there", there.name, file)
    async with operating(tmp_path / "here") as (admin, _):
        with pytest.raises(grpc.aio.AioRpcError, match=said) as caught:
            await admin.PublishGeneration(messages(there))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason(rich_status(caught.value)) == "GENERATION_INVALID"
        assert str(tmp_path) not in str(caught.value)
        assert await states(admin) == {first: SERVING}
    left = {each.name for each in (tmp_path / "here" / "generations").iterdir()}
    assert left == {first, ".lock"}


async def test_file_that_no_manifest_lists_is_refused(tmp_path: Path) -> None:
    write_tiny_output(tmp_path / "here", seed=7)
    there = write_tiny_output(tmp_path / "there", seed=8)

    def with_another() -> Iterator[pb.PublishGenerationRequest]:
        yield next(messages(there))
        piece = pb.FilePiece(path="../../outside", data=b"harm")
        yield pb.PublishGenerationRequest(piece=piece)

    async with operating(tmp_path / "here") as (admin, _):
        with pytest.raises(grpc.aio.AioRpcError, match="does not list it"):
            await admin.PublishGeneration(with_another())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await admin.PublishGeneration(iter(list(messages(there))[1:2]))
    assert violated(rich_status(caught.value)) == {"head": "expected a head first"}
    assert not (tmp_path / "outside").exists()


async def test_generation_cut_short_is_refused(tmp_path: Path) -> None:
    write_tiny_output(tmp_path / "here", seed=7)
    there = write_tiny_output(tmp_path / "there", seed=8)
    async with operating(tmp_path / "here") as (admin, _):
        with pytest.raises(grpc.aio.AioRpcError, match="expected"):
            await admin.PublishGeneration(iter(list(messages(there))[:-1]))


@pytest.mark.parametrize("sent_before", [0, 1])
async def test_bytes_that_are_no_message_of_a_stream_are_the_callers_fault(
    tmp_path: Path, sent_before: int
) -> None:
    first = write_tiny_output(tmp_path / "here", seed=7).name
    there = write_tiny_output(tmp_path / "there", seed=8)
    sent = [each.SerializeToString() for each in messages(there)][:sent_before]
    async with connected(tmp_path / "here") as (channel, _):
        publish: grpc.aio.StreamUnaryMultiCallable[bytes, bytes]
        publish = channel.stream_unary("/nearfield.v1.AdminService/PublishGeneration")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await publish(iter([*sent, b"\xa9"]))
        assert await states(AdminServiceStub(channel)) == {first: SERVING}
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason(rich_status(caught.value)) == "REQUEST_INVALID"


async def test_sending_a_generation_goes_the_way_of_every_call(tmp_path: Path) -> None:
    write_tiny_output(tmp_path / "here", seed=7)
    there = write_tiny_output(tmp_path / "there", seed=8)
    told = Told()
    async with connected(tmp_path / "here", told) as (channel, _):
        admin = AdminServiceStub(channel)
        metadata = (("x-request-id", "mine"),)
        await admin.PublishGeneration(messages(there), metadata=metadata)
        with pytest.raises(grpc.aio.AioRpcError):
            await admin.PublishGeneration(iter([]), metadata=metadata)
    assert told.ended_calls == [
        ("PublishGeneration", "anybody", "mine", code) for code in ("OK", "INVALID_ARGUMENT")
    ]


async def test_publisher_that_falls_silent_is_let_go_and_others_hear_that_it_is_busy(
    tmp_path: Path,
) -> None:
    first = write_tiny_output(tmp_path / "here", seed=7).name
    there = write_tiny_output(tmp_path / "there", seed=8)
    begun = asyncio.Event()

    async def silent() -> AsyncIterator[pb.PublishGenerationRequest]:
        sent = messages(there)
        yield next(sent)
        yield next(sent)
        begun.set()
        await asyncio.Event().wait()

    async with connected(tmp_path / "here", message_timeout_s=1.0) as (channel, _):
        admin = AdminServiceStub(channel)
        hanging = asyncio.ensure_future(admin.PublishGeneration(silent()))
        await begun.wait()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await admin.PublishGeneration(messages(there))
        assert caught.value.code() is grpc.StatusCode.ABORTED
        assert reason(rich_status(caught.value)) == "GENERATIONS_BUSY"
        with pytest.raises(grpc.aio.AioRpcError, match="within 1 s") as caught:
            await hanging
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await states(admin) == {first: SERVING}
        await admin.PublishGeneration(messages(there))
        assert len(await states(admin)) == 2


async def test_full_disk_is_told_as_such_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_tiny_output(tmp_path / "here", seed=7).name
    there = write_tiny_output(tmp_path / "there", seed=8)

    def full(incoming: Incoming, path: str, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    async with operating(tmp_path / "here") as (admin, _):
        monkeypatch.setattr(Incoming, "take", full)
        with pytest.raises(grpc.aio.AioRpcError, match="no room") as caught:
            await admin.PublishGeneration(messages(there))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason(rich_status(caught.value)) == "STORAGE_FULL"
        assert str(tmp_path) not in str(caught.value)
        assert await states(admin) == {first: SERVING}
    left = {each.name for each in (tmp_path / "here" / "generations").iterdir()}
    assert left == {first, ".lock"}


async def test_refused_generation_is_told_with_why(tmp_path: Path) -> None:
    first, second = two_generations(tmp_path)
    damage(tmp_path, second, "user_tower.onnx")
    async with operating(tmp_path) as (admin, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await admin.ActivateGeneration(pb.ActivateGenerationRequest(name=second))
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert reason(rich_status(caught.value)) == "GENERATION_REFUSED"
        assert await states(admin) == {first: SERVING, second: REFUSED}
        listed = (await admin.ListGenerations(pb.ListGenerationsRequest())).generations
        assert ["user_tower.onnx" in each.refusal for each in listed if each.refusal] == [True]
        assert str(tmp_path) not in f"{caught.value}{listed}"


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("", grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"),
        ("nothing", grpc.StatusCode.NOT_FOUND, "GENERATION_UNKNOWN"),
        ("x" * 256, grpc.StatusCode.NOT_FOUND, "GENERATION_UNKNOWN"),
        ("\0", grpc.StatusCode.NOT_FOUND, "GENERATION_UNKNOWN"),
    ],
)
async def test_name_of_nothing_is_refused(
    tmp_path: Path, name: str, code: grpc.StatusCode, why: str
) -> None:
    write_tiny_output(tmp_path)
    async with operating(tmp_path) as (admin, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await admin.ActivateGeneration(pb.ActivateGenerationRequest(name=name))
        with pytest.raises(grpc.aio.AioRpcError, match="no generation that answered before"):
            await admin.RollBackGeneration(pb.RollBackGenerationRequest())
    assert caught.value.code() is code
    assert reason(rich_status(caught.value)) == why


async def test_operators_are_served_on_loopback_whatever_the_host_is(tmp_path: Path) -> None:
    write_tiny_output(tmp_path)
    security = {"authentication": "off", "insecure_allowed": True}
    settings = make_settings(generation=tmp_path, host="0.0.0.0", admin_port=0, security=security)
    admin = AdminApp(Supervisor(settings, [], TINY), settings)
    await admin.start()
    listening = psutil.Process().net_connections("tcp")
    (host,) = (each.laddr.ip for each in listening if each.laddr.port == admin.port)
    assert is_loopback(host)
    await admin.stop()
