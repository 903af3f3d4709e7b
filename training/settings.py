"""Every hyperparameter in one place: defaults in code, changes in a TOML file.

seed = 7
[graph]
min_users = 3
[foundation]
fanout = 20
[foundation.loop]
epochs = 10
[adaptation]
history_length = 100
[tuning]
minutes = 60
"""

import dataclasses
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from graph.settings import GraphSettings
from training.bounds import check_least
from training.errors import TrainingError
from training.foundation import FoundationSettings
from training.fusion import FusionSettings
from training.tower_settings import AdaptationSettings
from training.tuning import TuningSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Settings = TypeVar("_Settings", bound="DataclassInstance")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run is made with; a part of the inputs that decide whether a stage is current."""

    graph: GraphSettings = field(default_factory=GraphSettings)
    foundation: FoundationSettings = field(default_factory=FoundationSettings)
    adaptation: AdaptationSettings = field(default_factory=AdaptationSettings)
    fusion: FusionSettings = field(default_factory=FusionSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    seed: int = 0
    """Of ties, splits and everything drawn in training."""

    def __post_init__(self) -> None:
        check_least(self, ("seed",), 0)

    def seeded(self) -> "Settings":
        """Hand the run's seed down to the trainers."""
        return dataclasses.replace(
            self,
            foundation=dataclasses.replace(self.foundation, seed=self.seed),
            adaptation=dataclasses.replace(self.adaptation, seed=self.seed),
            fusion=dataclasses.replace(self.fusion, seed=self.seed),
            tuning=dataclasses.replace(self.tuning, seed=self.seed),
        )


def read_settings(path: Path | None, *, seed: int | None = None) -> Settings:
    """Read a TOML file over the defaults; `seed` wins over the file's.

    Raises:
        TrainingError: no such file, not TOML, an unknown name, a seed inside a table, or a value
            of a wrong type or without a meaning.
    """
    content: dict[str, Any] = {}
    if path is not None:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise TrainingError(f"{path}: no such file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise TrainingError(f"{path}: expected TOML, got {error}") from error
    if seed is not None:
        content["seed"] = seed
    where = str(path) if path else "settings"
    _refuse_seeds(content, where)
    return changed(Settings(), content, where).seeded()


def _refuse_seeds(content: Mapping[str, Any], where: str) -> None:
    """Refuse a seed inside a table: one seed is handed down to all of them."""
    for name, table in content.items():
        if not isinstance(table, dict):
            continue
        if "seed" in table:
            raise TrainingError(
                f"{where}: {name}: seed: expected no seed of its own, got {table['seed']!r}; "
                "`seed` above all tables, or --seed, is the seed of everything"
            )
        _refuse_seeds(table, f"{where}: {name}")


def changed(settings: _Settings, content: Mapping[str, Any], where: str) -> _Settings:
    """Change what nested tables name, checking names and types; all else stays as it is.

    Raises:
        TrainingError: the message names the table and the field.
    """
    hints = get_type_hints(type(settings))
    unknown = sorted(set(content) - set(hints))
    if unknown:
        raise TrainingError(f"{where}: unknown {unknown[0]!r}, expected one of {sorted(hints)}")
    values = {
        name: _value(hints[name], getattr(settings, name), value, f"{where}: {name}")
        for name, value in content.items()
    }
    try:
        return dataclasses.replace(settings, **values)
    except ValueError as error:
        raise TrainingError(f"{where}: {error}") from error


def _value(hint: Any, now: Any, value: Any, where: str) -> Any:  # noqa: ANN401 (any TOML value)
    """Check one value against its field's type; a whole number is a fine float."""
    if dataclasses.is_dataclass(now) and not isinstance(now, type):
        _expect(isinstance(value, dict), where, "a table", value)
        return changed(now, value, where)
    if get_origin(hint) is tuple:
        _expect(isinstance(value, list), where, "a list", value)
        return tuple(_value(get_args(hint)[0], None, one, where) for one in value)
    if get_origin(hint) is Literal:
        _expect(value in get_args(hint), where, f"one of {get_args(hint)}", value)
        return value
    options = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if float in options and type(value) is int:
        return float(value)
    names = " or ".join(option.__name__ for option in options)
    _expect(type(value) in options, where, names, value)
    return value


def _expect(fits: bool, where: str, expected: str, value: object) -> None:
    if not fits:
        raise TrainingError(f"{where}: expected {expected}, got {value!r}")
