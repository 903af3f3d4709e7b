import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO

import pytest
from google.protobuf.message import Message
from rich.console import Console

from demo.show import Screens
from demo.story import NEW_ITEM, Person, Seen
from nearfield import Client, Event
from nearfield.testing import FakeItem, FakeServer, FakeWorld, Method
from nearfield.testing.dispatch import Dispatcher

SLOW_MS = 300.0
TYPES = ("childrens", "documentary", "film")
WORLD = FakeWorld(
    items=[
        FakeItem(f"{kind} {place}", kind, f"{kind} {place}")
        for kind in TYPES
        for place in range(15)
    ],
    histories={"somebody": ("film 0", "childrens 0")},
)
SOMEBODY = Person(
    user_id="somebody",
    age_bucket="25-34",
    gender="F",
    history=(Seen("The Newest", "film", 4, datetime(2000, 12, 31, tzinfo=UTC)),),
)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(WORLD) as server:
        yield server


@pytest.fixture
def screens(server: FakeServer) -> Iterator[Screens]:
    with Client(server.target) as client:
        yield Screens(Console(file=StringIO(), width=120), client)


def shown(screens: Screens) -> str:
    out = screens.console.file
    assert isinstance(out, StringIO)
    return out.getvalue()


def test_the_server_tells_its_generation_and_its_types(screens: Screens) -> None:
    screens.server()
    assert WORLD.generation in shown(screens)
    assert "15 childrens, 15 documentary, 15 film" in shown(screens)


def test_a_person_is_shown_with_ten_items_of_each_type(screens: Screens) -> None:
    answer = screens.person(SOMEBODY)
    assert [len(hits) for hits in answer.groups.values()] == [10, 10, 10]
    for hits in answer.groups.values():
        for hit in hits:
            assert hit.title in shown(screens)
    assert "The Newest" in shown(screens)
    assert "★★★★" in shown(screens)


def test_a_new_item_is_shown_with_its_nearest_and_its_times(screens: Screens) -> None:
    screens.new_item()
    assert NEW_ITEM.title in shown(screens)
    assert "TEXT_ONLY, 0 neighbours" in shown(screens)
    assert "seen by the client" in shown(screens)


def test_the_call_that_is_timed_is_the_first_to_bring_the_new_item(
    server: FakeServer, screens: Screens
) -> None:
    usual = Dispatcher(WORLD, server.limits, {})
    came: list[Message] = []

    def slow_at_first(request: Message) -> Message:
        came.append(request)
        if len(came) == 1:
            time.sleep(SLOW_MS / 1000)
        return usual.answer(request)

    for method in (Method.EMBED_ITEM, Method.FIND_SIMILAR_ITEMS):
        server.answer_with(method, slow_at_first)
    screens.new_item()
    told = re.search(r"client +([\d.]+) ms; the same call again: ([\d.]+) ms", shown(screens))
    assert told is not None
    first_ms, second_ms = map(float, told.groups())
    assert first_ms >= SLOW_MS > second_ms


def test_three_more_events_are_sent_with_the_request(screens: Screens) -> None:
    before = screens.person(SOMEBODY)
    events = [Event(f"documentary {place}") for place in range(3)]
    screens.after_three_more(SOMEBODY, events, before)
    _, after = shown(screens).split("after three more")
    assert after.count("+ documentary") == 3
    assert f"from {2 + len(events)} events" in after
