"""Progress of long work where nobody looks at a terminal."""

import io

import pytest

from features.progress import EVERY_S, Progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


def test_a_line_at_most_every_half_minute_tells_pace_and_what_is_left(
    clock: Clock, log: io.StringIO
) -> None:
    with Progress("towers", unit="steps", total=1_000, stream=log, clock=clock) as progress:
        for _ in range(200):
            clock.now += 0.5
            progress.add(1, "loss 0.5000")
    assert log.getvalue().splitlines() == [
        "towers: 60 of 1,000 steps, 2.0/s, 7 min 50 s left, loss 0.5000",
        "towers: 120 of 1,000 steps, 2.0/s, 7 min 20 s left, loss 0.5000",
        "towers: 180 of 1,000 steps, 2.0/s, 6 min 50 s left, loss 0.5000",
    ]


def test_short_work_says_nothing(clock: Clock, log: io.StringIO) -> None:
    with Progress("texts", unit="texts", total=10, stream=log, clock=clock) as progress:
        clock.now += EVERY_S - 1
        progress.reach(10, 10)
    assert log.getvalue() == ""


def test_what_an_earlier_run_did_is_no_part_of_the_pace(clock: Clock, log: io.StringIO) -> None:
    with Progress("texts", unit="texts", begun=900, stream=log, clock=clock) as progress:
        clock.now += 50
        progress.reach(950, 1_000)
    assert log.getvalue() == "texts: 950 of 1,000 texts, 1.0/s, 50 s left\n"


def test_without_a_total_nothing_is_said_of_what_is_left(clock: Clock, log: io.StringIO) -> None:
    with Progress("graph", unit="chunks", stream=log, clock=clock) as progress:
        clock.now += 40
        progress.add(20_000)
    assert log.getvalue() == "graph: 20,000 chunks, 500/s\n"


def test_the_next_part_counts_from_nothing(clock: Clock, log: io.StringIO) -> None:
    with Progress("evaluate", unit="cases", stream=log, clock=clock) as progress:
        for name in ("popularity", "popularity", "text-knn"):
            progress.turn_to(name)
            clock.now += 31
            progress.reach(progress.done + 10, 7_300)
    assert [line.split(",")[0] for line in log.getvalue().splitlines()] == [
        "popularity: 10 of 7",
        "popularity: 20 of 7",
        "text-knn: 10 of 7",
    ]


def test_on_a_terminal_it_is_a_bar(clock: Clock) -> None:
    terminal = Terminal()
    with Progress("towers", unit="steps", total=10, stream=terminal, clock=clock) as progress:
        clock.now += 10 * EVERY_S
        progress.add(5, "loss 0.5000")
    assert "towers:" in terminal.getvalue()
    assert "5 of 10 steps" not in terminal.getvalue()
