"""The numbers of an evaluation -> pictures with their words."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from training.measurement import (
    COVERAGE,
    GINI,
    HISTORY_SHARE,
    MISCALIBRATION,
    POPULARITY,
    SHARE,
    TARGET_POPULARITY,
    TARGET_SHARE,
    UNSEEN_ITEMS,
)
from training.metrics import HIT_RATE, MRR_ALL, NDCG
from training.page.dots import DotStyle, Panel, draw_dots
from training.page.drawings import Mix, draw_mix
from training.page.numbers import Numbers, written
from training.report import count_unseen, counted
from training.slices import (
    ALL_TARGETS,
    ALL_TYPES,
    COLD,
    HISTORY_LENGTH,
    OVERALL,
    PEOPLE,
    POPULARITY_FIFTH,
    SEPARATOR,
    UNSEEN,
    UNSEEN_ALONE,
    UNSEEN_USERS,
    WARM,
    type_names,
)

_USERS = (WARM, COLD, UNSEEN_USERS)


@dataclass(frozen=True)
class Picture:
    """A drawing, and its words for those who look and for those who listen."""

    title: str
    caption: str
    svg: str
    alt: str


@dataclass(frozen=True)
class _Group:
    """Slices that belong in one drawing."""

    title: str
    caption: str
    columns: int
    shared: bool
    """Whether its panels have one scale."""
    holds: Callable[[str, Sequence[str]], bool]
    """Whether a slice, given what stands before its first separator and the names of the types'
    slices, belongs."""


_GROUPS = (
    _Group(
        "Item types",
        "Each target competes with every item of its own type. Every panel has its own scale.",
        4,
        False,
        lambda head, types: head == OVERALL or head in types,
    ),
    _Group(
        "All types at once",
        "Each target competes with the whole catalogue; the panels are split by its type.",
        4,
        False,
        lambda head, types: head == ALL_TYPES,
    ),
    _Group(
        "Warm, cold and unseen users",
        "Warm users have touched the type of the target before, cold ones have not; unseen users "
        "are absent from training.",
        4,
        False,
        lambda head, types: head in _USERS,
    ),
    _Group(
        "Popularity of the target",
        "Items of each type sorted into five groups, each behind a fifth of the training "
        "interactions: 1 holds the rarest items, 5 the most popular. One scale.",
        5,
        True,
        lambda head, types: head == POPULARITY_FIFTH,
    ),
    _Group(
        "Length of the history",
        "By how many interactions the user had before. One scale.",
        4,
        True,
        lambda head, types: head == HISTORY_LENGTH,
    ),
    _Group(
        "Country, age and gender",
        "Of those that the data set tells, the eight with the most targets each. One scale.",
        4,
        True,
        lambda head, types: head in PEOPLE.values(),
    ),
    _Group(
        "Unseen items",
        "Targets that nobody touched in training: together with the others, ranked among all items "
        "of their type, and among the unseen ones alone.",
        4,
        False,
        lambda head, types: head in (ALL_TARGETS, UNSEEN, UNSEEN_ALONE),
    ),
    _Group("The data set's own slices", "", 4, False, lambda head, types: head.startswith("test")),
)


def slice_pictures(numbers: Numbers, types: Sequence[str]) -> Iterator[Picture]:
    """Draw the hit rate of every model on every slice, a drawing per kind of slice."""
    taken: set[str] = set()
    named = type_names(types)
    for group in _GROUPS:
        parts = [
            part
            for part in numbers.slices
            if part not in taken and group.holds(part.split(SEPARATOR)[0], named)
        ]
        taken.update(parts)
        if parts:
            panels = [
                Panel(
                    _called(part),
                    _counts(numbers, part),
                    numbers.by_model(part, HIT_RATE),
                )
                for part in parts
            ]
            look = DotStyle(served=numbers.served, shared=group.shared, columns=group.columns)
            yield Picture(
                group.title,
                group.caption,
                draw_dots(panels, numbers.models, look),
                _told(f"{HIT_RATE} by model", panels, numbers.served or numbers.models[-1]),
            )


def _counts(numbers: Numbers, part: str) -> str:
    users = counted(numbers.users(part), "user")
    unseen = numbers.of_cases(part, UNSEEN_ITEMS)
    return users if unseen is None else f"{users}, {count_unseen(unseen)}"


def _called(part: str) -> str:
    """Name a slice where its group is named already."""
    whole, _, name = part.partition(SEPARATOR)
    if whole == POPULARITY_FIFTH:
        return f"fifth {name}"
    if whole in (ALL_TYPES, HISTORY_LENGTH) and name:
        return name
    return part


def difference_picture(numbers: Numbers) -> Picture | None:
    """Draw what the served model gains over each other one; None where there is no other."""
    metrics = (HIT_RATE, NDCG, MRR_ALL)
    wanted = (numbers.headline, ALL_TYPES)
    parts = [part for part in wanted if numbers.gains(part, HIT_RATE)]
    if not parts:
        return None
    panels = [
        Panel(
            f"{metric}, {part}", counted(numbers.users(part), "user"), numbers.gains(part, metric)
        )
        for part in parts
        for metric in metrics
    ]
    others = [model for model in numbers.models if model != numbers.served]
    told = "; ".join(
        f"over {model} {written(gain)}" for model, gain in numbers.gains(parts[0], HIT_RATE).items()
    )
    return Picture(
        "",
        f"What {numbers.served} gains, user by user. Right of zero it is better. Blue and orange "
        "intervals leave zero out; where a grey one holds it, these users do not say which model "
        "is better.",
        draw_dots(panels, others, DotStyle(served=None, differences=True, columns=len(metrics))),
        f"Gain in {HIT_RATE}, {parts[0]}: {told}",
    )


def exposure_picture(numbers: Numbers) -> Picture:
    """Draw how popular, how spread and how concentrated the lists are."""
    part = numbers.headline
    target = numbers.of_cases(part, TARGET_POPULARITY)
    chosen = None if target is None else target.value
    shown = (
        (POPULARITY, "mean percentile; dashed: targets", chosen),
        *((metric, "share of items in some list", None) for metric in COVERAGE.values()),
        (GINI, "0 equal, 1 one item alone", None),
    )
    panels = [
        Panel(metric, note, numbers.by_model(part, metric), line) for metric, note, line in shown
    ]
    return Picture(
        "",
        "Lists inside the type of the target. An item's percentile is the share of the items of "
        "its type chosen in training that it is more popular than; the dashed line is that of what "
        "the users went on to choose, so a model right of it shows more popular things than they "
        "choose. "
        "Coverage and the Gini coefficient are counts over these very lists: compare models, not "
        "data sets.",
        draw_dots(panels, numbers.models, DotStyle(served=numbers.served)),
        _told("Popularity, coverage and Gini", panels, numbers.served or numbers.models[-1]),
    )


def mix_picture(numbers: Numbers, types: Sequence[str]) -> Picture | None:
    """Draw which types are consumed and which are shown; None where there is one type."""
    consumed = _shares(numbers, None, HISTORY_SHARE, types)
    if len(types) < 2 or consumed is None:
        return None
    wanted = _shares(numbers, None, TARGET_SHARE, types)
    bars = [Mix("in histories", consumed, "", False)]
    if wanted is not None:
        bars.append(Mix("among targets", wanted, "", False))
    for model in numbers.models:
        shares = _shares(numbers, model, SHARE, types)
        apart = numbers.of(model, ALL_TYPES, MISCALIBRATION)
        if shares is not None:
            note = "" if apart is None else f"KL {written(apart)}"
            bars.append(Mix(model, shares, note, model == numbers.served))
    told = "; ".join(
        f"{bar.label}: "
        + ", ".join(f"{name} {share:.0%}" for name, share in zip(types, bar.shares, strict=True))
        for bar in bars
    )
    return Picture(
        "",
        "Lists of ten over all types at once, averaged over users. KL is how far a user's list "
        "strays from the mix of that user's own history, averaged (Steck, RecSys 2018): 0 is the "
        "same mix, 4.6 nothing of it.",
        draw_mix(bars, types),
        told,
    )


def _shares(
    numbers: Numbers, model: str | None, prefix: str, types: Sequence[str]
) -> tuple[float, ...] | None:
    found = [
        numbers.of_cases(ALL_TYPES, prefix + each)
        if model is None
        else numbers.of(model, ALL_TYPES, prefix + each)
        for each in types
    ]
    shares = [each.value for each in found if each is not None]
    return tuple(shares) if len(shares) == len(types) else None


def _told(what: str, panels: Sequence[Panel], model: str) -> str:
    """Say the numbers of one model, and where the others are to be found."""
    numbers = "; ".join(
        f"{panel.title} {written(panel.dots[model])}" for panel in panels if model in panel.dots
    )
    return f"{what}. {model}: {numbers}. All numbers are in the tables at the end."
