"""A nearfield server inside the process, for tests of what calls nearfield.

with FakeServer() as server, nearfield.Client(server.target) as client:
    client.recommend("user-7")
"""

from nearfield.testing.dispatch import Method
from nearfield.testing.limits import USUAL_LIMITS
from nearfield.testing.reasons import status_of
from nearfield.testing.server import FakeCall, FakeServer
from nearfield.testing.world import FakeItem, FakeWorld

__all__ = ["USUAL_LIMITS", "FakeCall", "FakeItem", "FakeServer", "FakeWorld", "Method", "status_of"]
