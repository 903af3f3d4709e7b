"""A server under test: workers, a port for operators, and what they tell of themselves."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil

from benchmarks.endurance.memory import Memory, memory
from benchmarks.serving.processes import ServerError, serving
from nearfield.v1 import admin_pb2 as pb
from nearfield.v1.admin_pb2_grpc import AdminServiceStub

WORKERS = 2
PATIENCE_S = 60.0
POLL_S = 0.05


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    port: int
    admin_port: int
    process: psutil.Process
    """The supervisor."""
    log: Path


@contextmanager
def started(generations: Path, log: Path, flags: Sequence[str]) -> Iterator[Server]:
    """Serve an output folder with a port for operators for as long as the block lasts.

    Raises:
        ServerError: it ended, or did not answer in time.
    """
    wanted = ("--admin-port", "0", *flags)
    with serving(generations, log, *wanted, workers=WORKERS) as running:
        told = re.search(r"operators are served on \S+:(\d+)", log.read_text())
        if told is None:
            raise ServerError("the server does not say where it serves operators")
        yield Server(running.port, int(told[1]), running.process, log)


class Operator:
    """Asks a server's AdminService; blocking."""

    def __init__(self, server: Server) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{server.admin_port}")
        self._stub = AdminServiceStub(self._channel)

    def generations(self) -> list[str]:
        """Name what could answer."""
        answer = self._stub.ListGenerations(pb.ListGenerationsRequest(), timeout=PATIENCE_S)
        return sorted(each.name for each in answer.generations)

    def serving(self) -> str:
        """Name what answers."""
        answer = self._stub.ListGenerations(pb.ListGenerationsRequest(), timeout=PATIENCE_S)
        state = pb.GENERATION_STATE_SERVING
        return next(each.name for each in answer.generations if each.state == state)

    def activate(self, name: str) -> None:
        """Let a generation answer, and return when it does in every worker.

        A server that is about something else, a worker that starts for example, is asked again.
        """
        request = pb.ActivateGenerationRequest(name=name)
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._stub.ActivateGeneration(request, timeout=10 * PATIENCE_S)
            except grpc.RpcError as error:
                busy = error.code() is grpc.StatusCode.ABORTED
                if not busy or time.monotonic() > until:
                    raise
                time.sleep(1)
            else:
                return

    def workers(self) -> list[pb.Worker]:
        """Tell how the workers are."""
        return list(self._stub.ListWorkers(pb.ListWorkersRequest(), timeout=PATIENCE_S).workers)

    def memory(self) -> dict[int, Memory]:
        """Tell the memory of each worker that answers, by process id."""
        held: dict[int, Memory] = {}
        for each in self.workers():
            try:
                held[each.pid] = memory(each.pid)
            except psutil.NoSuchProcess:  # it has just died; the next look has its next life
                continue
        return held

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


def other(names: Sequence[str], name: str) -> str:
    """Name the generation after one, around."""
    return names[(names.index(name) + 1) % len(names)]


def settled(operator: Operator) -> None:
    """Return when every worker answers from the same generation."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        workers = operator.workers()
        if len({each.generation for each in workers}) == 1 and all(each.pid for each in workers):
            return
        time.sleep(POLL_S)
    raise ServerError("the workers do not answer from one generation")
