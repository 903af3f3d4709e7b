import threading
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from server.breaker import Breaker, BreakerSettings, Change, RestingError, Verdict

SETTINGS = BreakerSettings(failures=3, first_rest_s=1.0, longest_rest_s=4.0)


VERDICTS: st.SearchStrategy[Verdict] = st.sampled_from(
    ("answered", "failed", "hopeless", "unclear")
)


class TroubleError(Exception):
    """What a question of a test ends with."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(f"it {verdict}")


def judge(error: Exception) -> Verdict:
    assert isinstance(error, TroubleError)
    return error.verdict


class Bench:
    """A breaker with a clock of its own, and what it told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.changes: list[Change] = []
        self.breaker = Breaker(SETTINGS, judge, told=self.changes.append, clock=lambda: self.now)

    def ask(self, verdict: Verdict = "answered") -> None:
        with self.breaker.question():
            if verdict != "answered":
                raise TroubleError(verdict)

    def fail(self, verdict: Verdict = "failed", times: int = 1) -> None:
        for _ in range(times):
            with pytest.raises(TroubleError):
                self.ask(verdict)

    @property
    def state(self) -> str:
        return self.breaker.state

    def rests(self) -> float:
        with pytest.raises(RestingError) as caught:
            self.ask()
        return caught.value.seconds


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_failures_one_after_the_other_open_it_and_answers_between_them_do_not_count(
    bench: Bench,
) -> None:
    bench.fail(times=2)
    bench.ask()
    bench.fail(times=2)
    assert bench.state == "closed"
    bench.fail()
    assert bench.rests() == 1.0
    assert bench.changes == [Change("open", 1.0, "it failed")]


def test_what_is_not_there_at_all_opens_it_at_once(bench: Bench) -> None:
    bench.fail("hopeless")
    assert bench.rests() == 1.0


def test_what_says_nothing_neither_opens_it_nor_makes_failures_forgotten(bench: Bench) -> None:
    bench.fail(times=2)
    bench.fail("unclear", times=5)
    assert bench.state == "closed"
    bench.fail()
    assert bench.state == "open"


def test_rest_grows_with_each_probe_that_fails_up_to_the_longest_and_begins_anew(
    bench: Bench,
) -> None:
    bench.fail("hopeless")
    rests = []
    for _ in range(4):
        rests.append(bench.rests())
        bench.now += rests[-1]
        bench.fail()
    assert rests == [1.0, 2.0, 4.0, 4.0]
    bench.now += 4.0
    bench.ask()
    assert bench.state == "closed"
    bench.fail("hopeless")
    assert bench.rests() == 1.0


def test_only_one_question_is_asked_while_half_open(bench: Bench) -> None:
    bench.fail("hopeless")
    bench.now += 1.0
    with bench.breaker.question():
        assert bench.state == "half_open"
        assert bench.rests() == 0.0
    bench.ask()
    assert [each.state for each in bench.changes] == ["open", "half_open", "closed"]


def test_probe_that_says_nothing_leaves_the_next_one_its_turn(bench: Bench) -> None:
    bench.fail("hopeless")
    bench.now += 1.0
    bench.fail("unclear")
    assert bench.state == "open"
    bench.ask()
    assert bench.state == "closed"


def test_probe_that_is_broken_off_leaves_the_next_one_its_turn(bench: Bench) -> None:
    bench.fail("hopeless")
    bench.now += 1.0
    with pytest.raises(KeyboardInterrupt), bench.breaker.question():
        raise KeyboardInterrupt
    bench.ask()
    assert bench.state == "closed"


def test_probe_begins_and_ends_though_nobody_can_be_told() -> None:
    def broken(change: Change) -> None:
        raise OSError("no space left for metrics")

    now = 0.0
    breaker = Breaker(SETTINGS, judge, told=broken, clock=lambda: now)
    with suppress(TroubleError), breaker.question():
        raise TroubleError("hopeless")
    now += SETTINGS.first_rest_s
    with breaker.question():
        pass
    assert breaker.state == "closed"


def test_answer_to_an_old_question_changes_nothing(bench: Bench) -> None:
    with bench.breaker.question():  # it will be answered after others have failed
        bench.fail("hopeless")
    assert bench.state == "open"
    bench.now += 1.0
    bench.ask()
    with suppress(TroubleError), bench.breaker.question():
        bench.fail("hopeless")
        bench.now += 1.0
        bench.ask()
        raise TroubleError("hopeless")
    assert bench.state == "closed"


def test_of_many_threads_one_probes(bench: Bench) -> None:
    bench.fail("hopeless")
    bench.now += 1.0
    together, rested = threading.Barrier(8), list[RestingError]()
    probing = threading.Event()

    def probe() -> None:
        together.wait(10)
        try:
            with bench.breaker.question():
                probing.wait(10)
        except RestingError as error:
            rested.append(error)
            if len(rested) == 7:
                probing.set()

    threads = [threading.Thread(target=probe) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(rested) == 7
    assert bench.state == "closed"


@given(st.lists(VERDICTS | st.none()))
def test_it_never_stays_open_for_longer_than_the_longest_rest(
    steps: list[Verdict | None],
) -> None:
    bench = Bench()
    for step in steps:
        if step is None:
            bench.now += 1.0
            continue
        with suppress(TroubleError, RestingError):
            bench.ask(step)
    bench.now += SETTINGS.longest_rest_s
    bench.ask()
    assert bench.state == "closed"


def test_longest_rest_below_the_first_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected at least first_rest_s, which is 5"):
        BreakerSettings(first_rest_s=5.0, longest_rest_s=4.0)
