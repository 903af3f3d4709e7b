"""The held-out cases -> the slices that are measured, each with a name.

Slices without a prefix hold the targets that occur in training, be it by a weak signal alone,
ranked inside their item type: "overall", each type by its name (see `type_names`), "warm" and
"cold" users (who had, or had not, touched the target's type before), "unseen users" (absent from
training) and the data set's own `test...` names; "popularity fifth / 1" (the rarest targets) to 5,
as `training.popularity` sorts those items of each type that somebody chose, and "history length /
1-4" and so on, by what the user did before; "country / X", "age / X" and "gender / X", of the known
ones the eight with the most targets. Targets that do not occur in training are apart: "unseen"
ranks them inside their type, "unseen alone" among the unseen items of their type, and where there
are targets of both kinds "all targets" ranks them together inside their type. "all types" ranks the
familiar targets among the whole catalogue. A catalogue of one type has no slices by type: they
would repeat the whole.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graph.cases import Cases
from training.popularity import FIFTHS, fifths
from training.ranking import Candidates, Scope

OVERALL = "overall"
WARM = "warm"
COLD = "cold"
UNSEEN_USERS = "unseen users"
ALL_TYPES = "all types"
ALL_TARGETS = "all targets"
UNSEEN = "unseen"
UNSEEN_ALONE = "unseen alone"
POPULARITY_FIFTH = "popularity fifth"
HISTORY_LENGTH = "history length"
PEOPLE: Mapping[str, str] = {"country": "country", "age_bucket": "age", "gender": "gender"}
"""Column of the users table -> name of its slices."""
_GROUPS = 8
_FIXED = frozenset(
    {
        *(OVERALL, WARM, COLD, UNSEEN_USERS, ALL_TYPES, ALL_TARGETS),
        *(UNSEEN, UNSEEN_ALONE, POPULARITY_FIFTH, HISTORY_LENGTH),
        *PEOPLE.values(),
    }
)
_OWN = "test"
"""The data set's own slices begin with it."""
SEPARATOR = " / "
"""Stands between the name of a slice and that of its part; no name of a part holds it."""
FIFTH_NAMES: Mapping[int, str] = {fifth: str(fifth) for fifth in range(1, FIFTHS + 1)}
_LONGER = (1, 5, 10, 20, 50, 100)
"""Lengths at which the next bucket of histories begins."""
LENGTH_NAMES: Mapping[int, str] = {
    0: "0",
    **{n: f"{start}-{end - 1}" for n, (start, end) in enumerate(pairwise(_LONGER), start=1)},
    len(_LONGER): f"{_LONGER[-1]}+",
}


@dataclass(frozen=True)
class Slice:
    """Some of the cases, and what their targets are ranked among.

    Shapes:
        chosen: (C,) bool.
    """

    name: str
    scope: Scope
    chosen: NDArray[np.bool_]
    pool_size: int
    """How many items the lists of these cases are drawn from; coverage is a share of them."""


def type_names(item_types: Sequence[str]) -> tuple[str, ...]:
    """Name the slice of each item type, no two alike and none like a slice of another kind.

    That is the type's own name, unless it could be taken for something else: the slice of a type
    called `warm`, or one that begins like the data set's own slices, is `type warm`. A separator
    inside a name becomes `/`.
    """
    return _distinct(item_types, "type ", lambda name: name in _FIXED or name.startswith(_OWN))


def _distinct(
    names: Sequence[str], prefix: str, reserved: Callable[[str], bool]
) -> tuple[str, ...]:
    """Write names that cannot be mistaken; those that need no change stay as they are."""
    plain = {name for name in names if SEPARATOR not in name and not reserved(name)}
    given = {name: name for name in plain}
    for name in names:
        if name in plain:
            continue
        written = "/".join(part.strip() for part in name.split("/")) if SEPARATOR in name else name
        while reserved(written) or written in given.values():
            written = prefix + written
        given[name] = written
    return tuple(given[name] for name in names)


@dataclass(frozen=True)
class _Part:
    name: str
    chosen: NDArray[np.bool_]  # (C,)
    items: NDArray[np.bool_]  # (N,), of the types asked for


def split_into_slices(
    cases: Cases, candidates: Candidates, people: pl.DataFrame | None = None
) -> tuple[Slice, ...]:
    """Name every slice that has cases, the most general first.

    `people` is the users table, without which there are no slices by country, age and gender.
    """
    familiar = candidates.trained[cases.target]
    simple = list(_by_type(cases, candidates))
    full = [*_in_detail(cases, candidates), *_by_popularity(cases, candidates, familiar)]
    full += _by_history(cases, candidates, familiar)
    if people is not None:
        full += _by_person(cases, candidates, people, familiar)
    everything = np.ones(len(candidates), dtype=np.bool_)
    groups = [
        ("", Scope.TYPE, full, familiar, everything),
        (ALL_TYPES, Scope.ALL, simple, familiar, everything),
        (ALL_TARGETS, Scope.TYPE, simple, np.ones(len(cases), dtype=np.bool_), everything),
        (UNSEEN, Scope.TYPE, simple, ~familiar, everything),
        (UNSEEN_ALONE, Scope.UNSEEN, simple, ~familiar, ~candidates.trained),
    ]
    if familiar.all() or not familiar.any():
        del groups[2]  # the same as what is familiar or unseen
    if len(candidates.item_types) == 1:
        del groups[1]  # the same as inside the type
    slices = []
    for prefix, scope, parts, within, admitted in groups:
        for part in parts:
            chosen = part.chosen & within
            pool = admitted if scope is Scope.ALL else admitted & part.items
            if chosen.any():
                slices.append(Slice(_join(prefix, part.name), scope, chosen, int(pool.sum())))
    return tuple(slices)


def _by_type(cases: Cases, candidates: Candidates) -> Iterator[_Part]:
    yield _Part(OVERALL, np.ones(len(cases), np.bool_), np.ones(len(candidates), np.bool_))
    if len(candidates.item_types) == 1:
        return
    target_type = candidates.item_type[cases.target]
    for number, name in enumerate(type_names(candidates.item_types)):
        yield _Part(name, target_type == number, candidates.item_type == number)


def _in_detail(cases: Cases, candidates: Candidates) -> Iterator[_Part]:
    by_type = list(_by_type(cases, candidates))
    yield from by_type
    for whole, chosen in [(WARM, cases.warm), (COLD, ~cases.warm), *_own(cases)]:
        for part in by_type:
            yield _Part(_join(whole, part.name), chosen & part.chosen, part.items)


def _own(cases: Cases) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield users absent from training and the data set's `test...` names, where some differ."""
    if not cases.unseen_person.all():
        yield UNSEEN_USERS, cases.unseen_person
    own = [name for name in np.unique(cases.slice_name).tolist() if name.startswith(_OWN)]
    for name, written in zip(own, _distinct(own, f"{_OWN} ", lambda _: False), strict=True):
        chosen = cases.slice_name == name
        if not chosen.all():
            yield written, chosen


def _by_popularity(
    cases: Cases, candidates: Candidates, familiar: NDArray[np.bool_]
) -> Iterator[_Part]:
    fifth = fifths(candidates.popularity, candidates.item_type)[cases.target]
    chosen = familiar & (fifth > 0)
    yield from _buckets(POPULARITY_FIFTH, fifth, chosen, FIFTH_NAMES, len(candidates))


def _by_history(
    cases: Cases, candidates: Candidates, familiar: NDArray[np.bool_]
) -> Iterator[_Part]:
    bucket = np.searchsorted(_LONGER, np.diff(cases.history_indptr), side="right")
    yield from _buckets(HISTORY_LENGTH, bucket, familiar, LENGTH_NAMES, len(candidates))


def _by_person(
    cases: Cases, candidates: Candidates, people: pl.DataFrame, familiar: NDArray[np.bool_]
) -> Iterator[_Part]:
    for column, whole in PEOPLE.items():
        of_case = people[column].cast(pl.String)[cases.user_row]
        asked = of_case.filter(pl.Series(familiar)).drop_nulls().value_counts()
        largest = asked.sort("count", column, descending=[True, False])[column].head(_GROUPS)
        group = np.full(len(cases), -1)
        for number, value in enumerate(largest):
            group[(of_case == value).fill_null(value=False).to_numpy()] = number
        names = _distinct(largest.to_list(), f"{whole} ", lambda _: False)
        yield from _buckets(
            whole, group, familiar & (group >= 0), dict(enumerate(names)), len(candidates)
        )


def _buckets(
    whole: str,
    bucket: NDArray[np.int64],
    targets: NDArray[np.bool_],
    names: Mapping[int, str],
    items: int,
) -> Iterator[_Part]:
    """Yield the buckets that hold some of the targets, unless one holds them all."""
    for number in _several(np.unique(bucket[targets])):
        chosen = bucket == number
        yield _Part(_join(whole, names[int(number)]), chosen, np.ones(items, np.bool_))


def _several(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return numbers if len(numbers) > 1 else numbers[:0]


def _join(prefix: str, name: str) -> str:
    """Name a slice of a slice: the whole of "unseen" is "unseen", its books "unseen / book"."""
    if not prefix:
        return name
    return prefix if name == OVERALL else prefix + SEPARATOR + name
