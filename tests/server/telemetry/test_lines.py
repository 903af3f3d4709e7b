import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from server.telemetry.lines import LineWriter


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        os.close(reading)  # first, so that a thread that writes still is let go
        os.close(writing)


def test_lines_arrive_whole_and_in_order() -> None:
    with pipe() as (reading, writing), os.fdopen(os.dup(reading), "rb") as read:
        with closing(LineWriter(writing, most=10_000)) as writer:
            for number in range(3000):  # 24 KB, which a pipe holds
                writer.write(f"line {number}")
        assert [read.readline() for _ in range(3000)] == [b"line %d\n" % n for n in range(3000)]
        assert writer.dropped == 0


def test_lines_of_several_threads_do_not_mix() -> None:
    with pipe() as (reading, writing):
        with closing(LineWriter(writing, most=10_000)) as writer:

            def write(letter: str) -> None:
                for _ in range(200):
                    writer.write(letter * 20)

            threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
        written = os.read(reading, 1 << 16).split()
    assert sorted(written) == sorted([(letter * 20).encode() for letter in "abcd"] * 200)


def test_nobody_waits_for_a_reader_that_does_not_read_and_what_is_lost_is_counted() -> None:
    with pipe() as (_, writing):
        writer = LineWriter(writing, most=5, flush_s=0.1)
        line = "x" * (1 << 20)  # more than a pipe holds: the thread hangs in it
        for _ in range(20):
            writer.write(line)
        assert 14 <= writer.dropped <= 15
        writer.close()


def test_reader_that_is_gone_costs_lines_and_nothing_else() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with closing(LineWriter(writing, most=10)) as writer:
        writer.write("one")
        writer.write("two")
    os.close(writing)
    assert writer.dropped == 2
