"""Waits until a server says that it serves, by the health service that gRPC defines."""

import time

from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from nearfield.asking import too_late
from nearfield.errors import DeadlineExceededError, UnavailableError
from nearfield.rpcs import Rpc
from nearfield.steps import Budget, Call, Pause, Steps

CHECK = Rpc("/grpc.health.v1.Health/Check", Int32Value, repeatable=True)
"""Asks how a service is.

The request is a message of one string, field 1, and the answer one of an enum, field 1: on the wire
the same as the two wrappers that come with protobuf. The health package with its own classes would
be one more dependency for two fields."""
WHOLE_SERVER = StringValue(value="")
SERVING = 1
STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 0.5
ONE_CHECK_S = 5.0
"""A server that accepts connections and does not answer is asked again after this."""


def until_serving(budget: Budget) -> Steps[None]:
    """Ask until the answer is SERVING.

    Raises:
        DeadlineExceededError: it was not in time; the message says what came last.
        NearfieldError: asking again does not help, for example for want of a health service.
    """
    deadline = budget.deadline()
    heard, pause_s = "", FIRST_PAUSE_S
    while (left_s := deadline - time.monotonic()) > 0:
        try:
            answer = yield Call(CHECK, WHOLE_SERVER, min(left_s, ONE_CHECK_S), budget.request_id)
        except (DeadlineExceededError, UnavailableError) as error:
            cut_short = isinstance(error, DeadlineExceededError) and left_s < ONE_CHECK_S
            if not (heard and cut_short):
                heard = f"{error.code.name}: {error.message}"
        else:
            assert isinstance(answer, Int32Value), type(answer)
            if answer.value == SERVING:
                return
            heard = f"it says {STATUSES.get(answer.value, answer.value)}"
        yield Pause(min(pause_s, max(0.0, deadline - time.monotonic())))
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
    raise too_late(f"the server is not ready: {heard or 'nobody was asked'}", budget)
