"""dataset.toml: what each signal means, and how the data set wants to be held out."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from tables.errors import DataError

Role = Literal["strong", "weak", "negative"]
Rule = Literal["leave-last-out", "time", "time-last", "random", "unseen-people", "unseen-items"]
FILE = "dataset.toml"


@dataclass(frozen=True)
class SignalRoles:
    """The role of each signal; without any entry every signal is strong."""

    roles: Mapping[str, Role] = field(default_factory=dict)


@dataclass(frozen=True)
class HoldOutRule:
    """How to hold out where the data set brings no `split` of its own."""

    rule: Rule = "leave-last-out"
    """`leave-last-out`: each person's last strong interaction; `time`: one cut for everybody,
    histories end there; `time-last`: the same cut, histories end at the target;
    `random`: a tenth of each person's, drawn by the seed; `unseen-people`, `unseen-items`: a
    tenth of the people or the items, drawn likewise (`graph.protocols`)."""
    days: float = 14.0
    """Length of the held-out end under `time` and `time-last`, in days; longer leaves less to learn
    from."""


@dataclass(frozen=True)
class DatasetConfig:
    """Everything dataset.toml says; the defaults where it says nothing or is missing."""

    roles: SignalRoles = SignalRoles()
    hold_out: HoldOutRule = HoldOutRule()


def read_config(folder: Path) -> DatasetConfig:
    """Read dataset.toml: tables `signals` (name = role) and `hold_out` (rule, days).

    Raises:
        DataError: not TOML, an unknown table or key, a role or a rule outside its list.
    """
    path = folder / FILE
    if not path.exists():
        return DatasetConfig()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{FILE}: not valid TOML: {error}") from error
    _refuse_unknown(content, {"signals", "hold_out"}, "table")
    return DatasetConfig(_roles(_table(content, "signals")), _hold_out(_table(content, "hold_out")))


def _table(content: Mapping[str, object], name: str) -> dict[str, object]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise DataError(f"{FILE}: {name} must be a table, got {table!r}")
    return table


def _refuse_unknown(content: Mapping[str, object], known: set[str], what: str) -> None:
    unknown = sorted(set(content) - known)
    if unknown:
        raise DataError(f"{FILE}: unknown {what} {unknown[0]!r}, expected one of {sorted(known)}")


def _roles(table: Mapping[str, object]) -> SignalRoles:
    roles: dict[str, Role] = {}
    for signal, value in table.items():
        role = next((role for role in get_args(Role) if role == value), None)
        if role is None:
            expected = ", ".join(get_args(Role))
            raise DataError(f"{FILE}: signals.{signal}: expected one of {expected}, got {value!r}")
        roles[signal] = role
    return SignalRoles(roles)


def _hold_out(table: Mapping[str, object]) -> HoldOutRule:
    _refuse_unknown(table, {"rule", "days"}, "key of hold_out")
    value = table.get("rule", "leave-last-out")
    rule = next((rule for rule in get_args(Rule) if rule == value), None)
    if rule is None:
        expected = ", ".join(get_args(Rule))
        raise DataError(f"{FILE}: hold_out.rule: expected one of {expected}, got {value!r}")
    days = table.get("days", 14.0)
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 < days < math.inf:
        raise DataError(f"{FILE}: hold_out.days: expected a number above 0, got {days!r}")
    return HoldOutRule(rule, float(days))
