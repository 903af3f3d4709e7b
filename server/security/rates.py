"""How much of the server each caller has had: a bucket of calls, and calls under way."""

import time
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType

from server.security.caller_table import CallerTable, Sharing, key_of
from server.security.callers import UNLIMITED, Caller, CallerLimits
from server.security.errors import CallerBusyError, RateLimitedError

BUSY_RETRY_S = 0.5
"""What a caller with too many calls under way is told to wait: nobody knows when one ends."""
REMEMBERED_HERE = 4096
"""Callers whose limits are kept worked out in a process."""
_ROUNDING = 1e-6


class Account:
    """One call of a caller: counted as under way until its block ends, and charged inside it."""

    __slots__ = ("_bucket", "_rates", "_row")

    def __init__(self, rates: "Rates", row: int, bucket: "Bucket") -> None:
        self._rates = rates
        self._row = row
        self._bucket = bucket

    def charge(self, cost: float) -> None:
        """Take the cost of the call out of the bucket.

        Raises:
            RateLimitedError: there is not enough in it; nothing is taken.
        """
        self._rates.charge(self._row, self._bucket, cost)

    def refund(self, cost: float) -> None:
        """Give back what was taken for work that was not done."""
        self._rates.refund(self._row, self._bucket, cost)

    def __enter__(self) -> "Account":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._rates.end(self._row)


class Unlimited(Account):
    """A call of somebody who is not held to anything."""

    __slots__ = ()

    def __init__(self) -> None:
        pass

    def charge(self, cost: float) -> None:
        """Do nothing."""

    def refund(self, cost: float) -> None:
        """Do nothing."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing."""


class Bucket:
    """A caller's limits and key, worked out."""

    __slots__ = ("burst", "given", "key", "most", "rate")

    def __init__(self, caller: Caller, defaults: CallerLimits) -> None:
        limits = caller.limits.over(defaults)
        self.given = caller.limits
        self.key = key_of(caller.name)
        self.rate = limits.calls_per_s
        self.burst = max(float(limits.burst_calls or limits.calls_per_s or 1.0), 1.0)
        self.most = limits.max_concurrent_calls


class Rates:
    """Holds callers to their limits, in constant time for each call. For one event loop.

    A bucket fills at `calls_per_s` up to `burst_calls`, and a call takes its cost out of it. A call
    that costs more than the bucket holds passes when it is full and leaves a debt, which the calls
    after it wait for: large batches are late, not impossible. Nobody is charged for more elements
    than a batch may have, which bounds the debt.

    All workers of a node count together (`Sharing`), so a caller's limits are the same on one
    connection as on many. Source: the generic cell rate algorithm, which needs to keep one number.

    Memory is bounded by `remembered` callers: beyond it one that has been quiet for long starts
    with a full bucket next time. Calls under way are never forgotten.
    """

    def __init__(
        self,
        defaults: CallerLimits,
        *,
        sharing: Sharing | None = None,
        remembered: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._defaults = defaults
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._unlimited = Unlimited() if defaults == UNLIMITED else None
        self._table = CallerTable(remembered, sharing)

    def admit(self, caller: Caller) -> Account:
        """Let a call in that will be charged once it is known what it costs, at least one.

        `with rates.admit(caller) as account: ...` Who does not enter leaves a call under way for
        ever.

        Raises:
            RateLimitedError: the bucket is too empty; the error says when it will not be.
            CallerBusyError: as many calls of the caller as it may have are under way.
        """
        if self._unlimited is not None and caller.limits is UNLIMITED:
            return self._unlimited
        bucket = self._bucket(caller)
        row = self._table.find(bucket.key)
        if row is None:
            raise RateLimitedError(BUSY_RETRY_S)
        if bucket.most is not None and self._table.calls(row) >= bucket.most:
            raise CallerBusyError(bucket.most, BUSY_RETRY_S)
        self._check(row, bucket, 1.0)
        self._table.count(row, 1)
        return Account(self, row, bucket)

    def charge(self, row: int, bucket: Bucket, cost: float) -> None:
        """See `Account.charge`."""
        if bucket.rate is not None:
            full_at = self._check(row, bucket, cost)
            self._table.set_full_at(row, full_at + cost / bucket.rate)

    def refund(self, row: int, bucket: Bucket, cost: float) -> None:
        """See `Account.refund`."""
        if bucket.rate is not None:
            self._table.set_full_at(row, self._table.full_at(row) - cost / bucket.rate)

    def end(self, row: int) -> None:
        """Count a call as over."""
        self._table.count(row, -1)

    def _check(self, row: int, bucket: Bucket, cost: float) -> float:
        """Find out whether a cost can be paid; gives the moment that it counts from."""
        now = self._clock()
        full_at = max(self._table.full_at(row), now)
        if bucket.rate is None:
            self._table.set_full_at(row, full_at)  # says when it was last heard
            return full_at
        missing = min(cost, bucket.burst) - (bucket.burst - (full_at - now) * bucket.rate)
        if missing > _ROUNDING:
            raise RateLimitedError(missing / bucket.rate)
        return full_at

    def _bucket(self, caller: Caller) -> Bucket:
        bucket = self._buckets.get(caller.name)
        if bucket is None or bucket.given is not caller.limits:  # another key, or a changed file
            bucket = self._buckets[caller.name] = Bucket(caller, self._defaults)
            if len(self._buckets) > REMEMBERED_HERE:
                self._buckets.popitem(last=False)
        return bucket
