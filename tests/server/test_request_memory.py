import pytest

from server.errors import InvalidRequestError, OverloadedError
from server.message_cost import Measure
from server.request_memory import RequestMemory


def size(count: int) -> Measure:
    return Measure(count, 0)


def test_requests_hold_memory_until_their_block_ends() -> None:
    memory = RequestMemory(100)
    with memory.take("one", size(40)), memory.take("two", size(40)):
        with pytest.raises(OverloadedError, match="100 bytes for requests under way"):
            memory.take("three", size(40))
        with memory.take("three", size(20)):
            pass
    with memory.take("three", size(40)):
        pass


def test_no_caller_gets_more_than_half() -> None:
    memory = RequestMemory(100)
    with memory.take("one", size(30)):
        with pytest.raises(OverloadedError):
            memory.take("one", size(30))
        with (
            memory.take("two", size(30)),
            memory.take("one", size(20)),
            memory.take("one", size(0)),
        ):
            pass
    with memory.take("one", size(50)):
        pass


def test_request_that_never_fits_is_the_callers_fault() -> None:
    with pytest.raises(InvalidRequestError, match="at most 50 bytes once it is parsed"):
        RequestMemory(100).take("one", size(51))
