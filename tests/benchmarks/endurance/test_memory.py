import os

import pytest

from benchmarks.endurance.memory import Memory, Sample, Samples, memory


def held(own: int) -> Memory:
    return Memory(own=own, rss=own)


def samples(*levels: int, pid: int = 1) -> Samples:
    return Samples([Sample(10.0 * n, {pid: held(own)}) for n, own in enumerate(levels)])


def test_growth_is_counted_between_levels_and_one_peak_is_none() -> None:
    assert samples(100, 100, 100, 900, 110, 110, 110).growth(0.0)[1] == pytest.approx(0.1)


def test_what_was_before_is_not_counted() -> None:
    assert samples(10, 10, 100, 100, 100, 100, 100, 100).growth(20.0)[1] == pytest.approx(0.0)


def test_worker_that_has_only_begun_is_left_out() -> None:
    taken = samples(100, 100, 100)
    taken.taken[-1] = Sample(20.0, {1: held(100), 2: held(50)})
    assert set(taken.growth(0.0)) == {1}


def test_own_memory_is_what_was_allocated() -> None:
    before = memory(os.getpid()).own
    kept = bytearray(os.urandom(1)) * 50_000_000
    grown = memory(os.getpid()).own - before
    assert grown > 45_000_000
    assert len(kept) == 50_000_000
