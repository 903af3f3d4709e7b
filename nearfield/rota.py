"""Whose turn it is among several connections."""

import threading
import time
from itertools import count

AWAY_S = 1.0
"""How long a connection is passed over that could not be used, in seconds."""


class Rota:
    """Takes connections in turn and passes over those that were away a moment ago.

    After AWAY_S one call looks whether such a one is back, while the others go on passing it over.
    Where all are away, all are taken in turn: any may be back. Safe to share between threads.
    """

    def __init__(self, connections: int) -> None:
        self._looked_at_from = [0.0] * connections  # by the monotonic clock; 0 is there
        self._turns = count()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._looked_at_from)

    def take(self) -> int:
        """Give the place of the connection whose turn it is."""
        now = time.monotonic()
        with self._lock:
            fit = [place for place, moment in enumerate(self._looked_at_from) if moment <= now]
            places = fit or range(len(self))
            place = places[next(self._turns) % len(places)]
            if self._looked_at_from[place]:
                self._looked_at_from[place] = now + AWAY_S
            return place

    def note(self, place: int, *, there: bool) -> None:
        """Note whether somebody answered there in time, who is not about to leave."""
        if there and not self._looked_at_from[place]:
            return
        with self._lock:
            self._looked_at_from[place] = 0.0 if there else time.monotonic() + AWAY_S

    def any_there(self) -> bool:
        """Tell whether there is a connection of which nothing bad is known."""
        return not all(self._looked_at_from)
