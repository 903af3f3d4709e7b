"""Where the time of one Recommend goes."""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import psutil
from google.protobuf.message import Message
from threadpoolctl import threadpool_limits

from benchmarks.serving import figures
from benchmarks.serving.load import Load, measure
from benchmarks.serving.processes import Running, empty, serving
from export.generation import Generation
from nearfield.v1 import recommendation_pb2 as pb
from server.answering import Answering
from server.bytes import inner
from server.calls import CURRENT, Call
from server.dispatch import Dispatcher
from server.engine import Engine
from server.limits import Limits
from server.methods import METHODS
from server.places import Places
from server.ready import ReadyAnswers
from server.requests import ItemFilter, Person, RecommendTask, Shape
from server.security.gate import open_gate
from server.security.settings import SecuritySettings
from server.settings import Settings
from server.stopwatch import Stopwatch, Times
from server.texts import Texts
from server.validation import RequestReader

TIMES = 2_000
METHOD = METHODS[f"/{figures.RECOMMEND}"]


def report(options: argparse.Namespace) -> int:
    """Measure, and print the tables."""
    generation = figures.open_generation(options.generation)
    print("| step of Recommend by id, k = 10 | processor µs |\n|---|---:|")
    with threadpool_limits(1):  # as in a worker
        for name, taken in asyncio.run(_steps(generation)):
            print(f"| {name} | {taken:,.1f} |", flush=True)
    print("\n| whole call under load | processor µs of the server |\n|---|---:|")
    for name, taken in _calls(generation, options.calls):
        print(f"| {name} | {taken:,.0f} |", flush=True)
    return 0


async def _steps(generation: Generation) -> list[tuple[str, float]]:
    settings = Settings(generation=generation.path, security=SecuritySettings(authentication="off"))
    engine = Engine(generation, Limits(), choice="cpu", threads=1)
    dispatcher = Dispatcher(engine, Texts(None, None), settings)
    answering = Answering(dispatcher, generation.manifest)
    ready = ReadyAnswers.of(generation, engine.catalogue, most_events=engine.most_events)
    assert ready is not None
    gate = open_gate(settings.security, settings.host)
    places = Places(64, "calls")
    request = figures.by_id(generation)
    data, user = request.SerializeToString(), request.user.user_id
    call = Call(METHOD, None, asyncio.get_running_loop().time(), uuid4().hex)
    CURRENT.set(call)
    recommendation = ready.recommendation(request, 10)
    assert recommendation is not None
    caller = gate.authenticator.authenticate((), dict)
    head = pb.RecommendResponse(info=answering.info(Times()))

    def surround() -> None:
        gate.authenticator.authenticate((), dict)
        with gate.rates.admit(caller) as account, places.one():
            account.charge(1)

    steps: dict[str, Callable[[], object]] = {
        "read the request": lambda: pb.RecommendRequest.FromString(data),
        "make up a request id": lambda: uuid4().hex,
        "ask who calls, take a place": surround,
        "find the user": lambda: generation.user_ids.lookup([user]),
        "read the list, write ten hits": lambda: ready.recommendation(request, 10),
        "say what the answer says about itself": lambda: answering.info(Times()),
        "write the answer": lambda: head.SerializeToString() + inner(2, recommendation),
    }
    taken = [(name, _per_call(step)) for name, step in steps.items()]
    reader = RequestReader(
        Limits(),
        generation.manifest.item_types,
        dimensions=generation.manifest.dimensions.vector,
        space_id=generation.manifest.space_id,
        generation=generation.name,
    )
    inline = pb.RecommendRequest(user=figures.embed_user(generation).user, k=10)
    task = reader.recommend(inline)
    known = RecommendTask(Person(user), Shape(10, ItemFilter()))
    state = engine.people.state(task.person)
    others: dict[str, Callable[[], object]] = {
        "50 inline events: check and read": lambda: reader.recommend(inline),
        "50 inline events: find the items": lambda: engine.people.state(task.person),
        "50 inline events: user tower, alone": lambda: engine.users.vectors([state]),
        "50 inline events: user tower, one of 16": lambda: engine.users.vectors([state] * 16),
        "50 inline events: everything": lambda: engine.recommender.recommend([task], Stopwatch()),
        "known user, computed": lambda: engine.recommender.recommend([known], Stopwatch()),
    }
    for name, step in others.items():
        share = 16 if name.endswith("16") else 1
        taken.append((name, _per_call(step, TIMES // 10) / share))
    await dispatcher.close()
    return taken


def _per_call(step: Callable[[], object], times: int = TIMES) -> float:
    """Median over ten rounds, in microseconds of this thread's processor time."""
    rounds = []
    for _ in range(10):
        began = time.thread_time()
        for _ in range(times // 10):
            step()
        rounds.append((time.thread_time() - began) / (times // 10))
    return float(np.median(rounds)) * 1e6


def _calls(generation: Generation, calls: int) -> Iterator[tuple[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "server.log")
        by_id, person = figures.by_id(generation), figures.embed_user(generation)
        history = pb.RecommendRequest(user=person.user, k=10)
        with serving(generation.path, log, *figures.QUIET) as ours, empty(360) as limit:
            worker = ours.process.children()[0]
            yield "empty method", _cost(limit, limit.process, figures.RECOMMEND, by_id, calls)
            yield "Recommend by id", _cost(ours, worker, figures.RECOMMEND, by_id, calls)
            few = max(calls // 5, 500)
            yield "EmbedUser, 50 events", _cost(ours, worker, figures.EMBED_USER, person, few)
            yield "Recommend, 50 events", _cost(ours, worker, figures.RECOMMEND, history, few)


def _cost(
    server: Running, process: psutil.Process, method: str, request: Message, calls: int
) -> float:
    measure(server.port, method, request, Load(500))
    before = process.cpu_times()
    measure(server.port, method, request, Load(calls))
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / calls * 1e6
