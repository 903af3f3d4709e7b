# ruff: noqa: N802 - methods have the names that the contract gives the RPCs
"""AdminService: what an operator may ask of the supervisor."""

import asyncio
import errno
from collections.abc import AsyncIterator, Coroutine
from contextlib import ExitStack
from pathlib import Path

from export.generation import GenerationBusyError, GenerationError
from export.generation.errors import GenerationFileError
from export.generation.incoming import Incoming, receive
from nearfield.v1 import admin_pb2 as pb
from server.errors import (
    GenerationInvalidError,
    GenerationsBusyError,
    InvalidRequestError,
    StorageFullError,
    Violation,
)
from server.supervision.store import Entry
from server.supervision.supervisor import Change, Supervisor
from server.wire import write_moment

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
NO_STORE = "this server has one generation alone; start it with an output folder to change it"


class AdminService:
    """Answers AdminService; for one event loop."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._changes: set[asyncio.Task[Change]] = set()

    async def ListGenerations(
        self, request: pb.ListGenerationsRequest
    ) -> pb.ListGenerationsResponse:
        """List what the server has."""
        entries = await asyncio.to_thread(self._supervisor.store.list)
        return pb.ListGenerationsResponse(generations=map(self._write, entries))

    async def ActivateGeneration(
        self, request: pb.ActivateGenerationRequest
    ) -> pb.ActivateGenerationResponse:
        """Let a generation answer."""
        if not request.name:
            raise InvalidRequestError((Violation("name", "expected a name, got none"),))
        change = await self._whole(self._supervisor.activate(request.name))
        return pb.ActivateGenerationResponse(
            generation=await self._entry(change.name), trial=_trial(change)
        )

    async def RollBackGeneration(
        self, request: pb.RollBackGenerationRequest
    ) -> pb.RollBackGenerationResponse:
        """Go back to the generation before this one."""
        change = await self._whole(self._supervisor.roll_back())
        return pb.RollBackGenerationResponse(
            generation=await self._entry(change.name), trial=_trial(change)
        )

    def ListWorkers(self, request: pb.ListWorkersRequest) -> pb.ListWorkersResponse:
        """Tell how the workers are."""
        return pb.ListWorkersResponse(
            workers=[
                pb.Worker(
                    number=each.number,
                    pid=each.pid,
                    generation=each.generation,
                    restarts=each.restarts,
                )
                for each in self._supervisor.workers
            ]
        )

    async def PublishGeneration(
        self, requests: AsyncIterator[pb.PublishGenerationRequest]
    ) -> pb.PublishGenerationResponse:
        """Take a generation in, and activate it where that was asked for.

        Raises:
            GenerationInvalidError: what came is no generation.
            GenerationsBusyError: another one is being written there.
            StorageFullError: there is no room for it.
            InvalidRequestError: the messages are not a head and then pieces.
        """
        out = self._supervisor.store.out
        if out is None:
            raise GenerationInvalidError(NO_STORE)
        head = await anext(requests, None)
        if head is None or head.WhichOneof("part") != "head":
            raise InvalidRequestError((Violation("head", "expected a head first"),))
        try:
            name = await _take_in(out, head.head.manifest, requests)
        except GenerationBusyError as error:
            raise GenerationsBusyError from error
        except GenerationError as error:
            raise GenerationInvalidError(_told(error)) from error
        except OSError as error:
            if error.errno in NO_ROOM:
                raise StorageFullError from error
            raise
        if head.head.activate:
            await self._whole(self._supervisor.activate(name))
        return pb.PublishGenerationResponse(generation=await self._entry(name))

    async def _whole(self, change: Coroutine[None, None, Change]) -> Change:
        """Wait for a change, which goes on when the caller leaves: half of one would be worse."""
        task = asyncio.get_running_loop().create_task(change)
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    async def _entry(self, name: str) -> pb.Generation:
        entries = await asyncio.to_thread(self._supervisor.store.list)
        return next(self._write(each) for each in entries if each.name == name)

    def _write(self, entry: Entry) -> pb.Generation:
        supervisor = self._supervisor
        refusal = supervisor.refusals.get(entry.name, "")
        state = pb.GENERATION_STATE_REFUSED if refusal else pb.GENERATION_STATE_IDLE
        if entry.name == supervisor.serving:
            state, refusal = pb.GENERATION_STATE_SERVING, ""
        return pb.Generation(
            name=entry.name,
            space_id=entry.manifest.space_id,
            create_time=write_moment(entry.manifest.created),
            state=state,
            refusal=refusal,
            bytes=entry.bytes,
            previous=entry.name == supervisor.store.previous(),
        )


async def _take_in(
    out: Path, manifest: bytes, requests: AsyncIterator[pb.PublishGenerationRequest]
) -> str:
    """Write what comes, off the event loop, and return the generation's name."""
    with ExitStack() as stack:
        incoming: Incoming = await asyncio.to_thread(stack.enter_context, receive(out, manifest))
        async for request in requests:
            if request.WhichOneof("part") != "piece":
                raise InvalidRequestError((Violation("piece", "expected pieces after the head"),))
            await asyncio.to_thread(incoming.take, request.piece.path, request.piece.data)
        # What ends the block hashes every file.
        await asyncio.to_thread(stack.pop_all().close)
        return incoming.manifest.generation


def _told(error: GenerationError) -> str:
    """Say what is wrong, by the name of the file and not by where it is on this machine."""
    if isinstance(error, GenerationFileError):
        return f"{error.path.name}: {error.problem}"
    return str(error)


def _trial(change: Change) -> pb.Trial:
    report = change.report
    return pb.Trial(
        vector_difference=report.vector_difference,
        agreement=report.agreement,
        recall=report.recall,
        private_bytes=report.private_bytes,
        total_ms=round(change.total_s * 1000),
    )
