"""How much of the server each caller has had: a bucket of calls, and calls under way."""

import time
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType

from server.security.callers import UNLIMITED, Caller, CallerLimits
from server.security.errors import CallerBusyError, RateLimitedError

BUSY_RETRY_S = 0.5
"""What a caller with too many calls under way is told to wait: nobody knows when one ends."""


class Account:
    """What one caller may have and has had; `with` it for as long as the call lasts."""

    __slots__ = ("_burst", "_level", "_most", "_rate", "_seen", "given", "under_way")

    def __init__(self, now: float) -> None:
        self.under_way = 0
        """Calls that have been let in and have not ended."""
        self.given = UNLIMITED
        """The caller's own limits, as they were when last looked at."""
        self._rate: float | None = None
        self._burst = self._level = float("inf")
        self._most: int | None = None
        self._seen = now

    def limit(self, given: CallerLimits, defaults: CallerLimits, share: int) -> None:
        """Hold the caller to other limits from now on; what it has had stays had."""
        self.given = given
        limits = given.over(defaults)
        rate, most = limits.calls_per_s, limits.max_concurrent_calls
        self._rate = None if rate is None else rate / share
        self._burst = max((limits.burst_calls or rate or 1.0) / share, 1.0)
        self._level = min(self._level, self._burst)
        self._most = None if most is None else max(most // share, 1)

    def let_in(self, cost: float, now: float) -> None:
        """Charge a call, or refuse it and charge nothing; errors as in `Rates.take`."""
        if self._most is not None and self.under_way >= self._most:
            raise CallerBusyError(self._most, BUSY_RETRY_S)
        if self._rate is not None:
            level = min(self._burst, self._level + (now - self._seen) * self._rate)
            missing = min(cost, self._burst) - level
            if missing > 0:
                raise RateLimitedError(missing / self._rate)
            self._level = level - cost
            self._seen = now
        self.under_way += 1

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.under_way -= 1


class Rates:
    """Holds callers to their limits, in constant time for each call. For one event loop.

    A bucket fills at `calls_per_s` up to `burst_calls`, and a call takes its cost out of it. A call
    that costs more than the bucket holds passes when it is full and leaves a debt, which the calls
    after it wait for: large batches are late, not impossible.

    Each process counts for itself. With N processes behind one port each takes 1/N of every limit,
    at least one call. That adds up where connections spread evenly; a caller with a single
    connection is heard by one process alone and gets 1/N.

    Memory is bounded by `remembered` callers: beyond it the one that has been quiet for longest
    starts with a full bucket next time. Calls under way are never forgotten.
    """

    def __init__(
        self,
        defaults: CallerLimits,
        *,
        processes: int = 1,
        remembered: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._defaults = defaults
        self._share = processes
        self._remembered = remembered
        self._clock = clock
        self._accounts: OrderedDict[str, Account] = OrderedDict()
        self._free = Account(clock()) if defaults == UNLIMITED else None

    def __len__(self) -> int:
        """Count the callers that are remembered."""
        return len(self._accounts)

    def take(self, caller: Caller, cost: float = 1.0) -> Account:
        """Charge a call and count it as under way until the account's block ends.

        `with rates.take(caller, cost): answer()`. Who takes and does not enter leaves a call under
        way for ever.

        Raises:
            RateLimitedError: the bucket is too empty; the error says when it will not be.
            CallerBusyError: as many calls of the caller as it may have are under way.
        """
        if self._free is not None and caller.limits is UNLIMITED:
            self._free.under_way += 1
            return self._free
        account = self._account(caller)
        account.let_in(cost, self._clock())
        return account

    def _account(self, caller: Caller) -> Account:
        account = self._accounts.get(caller.name)
        if account is None:
            self._make_room()
            account = self._accounts[caller.name] = Account(self._clock())
            account.limit(caller.limits, self._defaults, self._share)
        else:
            self._accounts.move_to_end(caller.name)
        if account.given is not caller.limits:  # another key of the caller, or the file has changed
            account.limit(caller.limits, self._defaults, self._share)
        return account

    def _make_room(self) -> None:
        """Forget the quietest callers; one with calls under way counts as just heard.

        Every call under way is passed over at most once, and the server bounds those.
        """
        for _ in range(len(self._accounts)):
            if len(self._accounts) < self._remembered:
                return
            name, account = self._accounts.popitem(last=False)
            if account.under_way:
                self._accounts[name] = account
