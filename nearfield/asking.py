"""One call with all its tries, as steps."""

import time
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from nearfield.errors import DeadlineExceededError, Status, StatusError
from nearfield.retries import Retries, Tries
from nearfield.rpcs import Rpc
from nearfield.steps import Budget, Call, Steps

A = TypeVar("A", bound=Message)


def ask(
    rpc: Rpc[A], request: Message, retries: Retries, budget: Budget, usual_s: float | None = None
) -> Steps[A]:
    """Make one call; where trying again may help and is allowed, try again.

    Every try and every pause is within the call's time. Where it ends in a pause, the error is what
    the last try met.

    Raises:
        NearfieldError: the call failed.
    """
    deadline = budget.deadline(usual_s)
    tries = Tries(retries, deadline, repeatable=rpc.repeatable)
    failed: StatusError | None = None
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise failed or too_late("the time was over before the request was sent", budget)
        try:
            answer = yield Call(rpc, request, left_s, budget.request_id)
        except StatusError as error:
            pause = tries.pause_after(error)
            if pause is None:
                raise
            failed = error
        else:
            assert isinstance(answer, rpc.answer), type(answer)
            retries.succeeded()
            return answer
        if pause.seconds > 0:
            yield pause


def too_late(message: str, budget: Budget) -> DeadlineExceededError:
    """Make the error for time that is over while nothing is under way."""
    status = Status(grpc.StatusCode.DEADLINE_EXCEEDED, message, request_id=budget.request_id)
    return DeadlineExceededError(status)
