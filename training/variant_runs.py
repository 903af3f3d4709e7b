"""Make and rank every variant for every seed, sharing all stages that are made from the same."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from graph.cases import Cases
from graph.errors import GraphError
from tables.errors import TableError
from training.errors import TrainingError
from training.featurizers import FeaturizerSource
from training.pipeline import Inputs, Run
from training.ranking import Candidates
from training.ranks import Ranks, make_ranks, widen
from training.settings import Settings
from training.variants import DEFAULT, Variant

SHELF = "stages"


@dataclass(frozen=True, kw_only=True)
class Base:
    """What all variants of a comparison have in common."""

    folder: Path
    """Gets a folder per variant and seed, and the shelf of their stages."""
    data: Path
    holding: str
    settings: Settings
    source: FeaturizerSource
    cache: Path
    strict: bool = False

    def run(self, variant: Variant, seed: int) -> Run:
        """Open the run of a variant, with data and text vectors made.

        Raises:
            SplitError: nothing can be held out so; no text is embedded then.
        """
        run = self.open(variant, seed)
        _ = run.held_out
        run.make_text(self.source, self.cache)
        return run

    def open(self, variant: Variant, seed: int) -> Run:
        """Open the run of a variant, with nothing made but the data."""
        inputs = Inputs(
            data=self.data,
            holding=self.holding,
            settings=variant.settings(self.settings, seed),
            strict=self.strict,
            view=variant.view,
        )
        folder = self.folder / variant.name / f"seed-{seed}"
        run = Run(folder, inputs, shelf=self.folder / SHELF)
        run.make_dataset()
        return run


@dataclass(frozen=True)
class Comparison:
    """The ranks of all variants over the same cases."""

    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    cases: Cases
    candidates: Candidates
    rule: str
    """How was held out, in words."""
    ranks: dict[tuple[str, str], list[Ranks]] = field(default_factory=dict)
    """By variant and model, one per seed; only those that were made for every seed."""
    problems: dict[str, str] = field(default_factory=dict)
    """By variant, why it takes no part."""


def compare(
    base: Base,
    variants: Sequence[Variant],
    seeds: Sequence[int],
    on_row: Callable[[Comparison], object] | None = None,
) -> Comparison:
    """Make and rank all variants; interrupted, the same call goes on from there.

    A variant that the data set says nothing about, or that cannot learn from it, takes no part
    and is named with the reason; the default has to. After each variant `on_row` gets what there
    is so far.

    Raises:
        TableError, GraphError, TrainingError: the default cannot be made.
    """
    default = next(variant for variant in variants if variant.name == DEFAULT)
    run = base.run(default, seeds[0])
    split = run.held_out
    candidates = Candidates.of(run.dataset, split.train)
    found = Comparison(tuple(variants), tuple(seeds), split.test, candidates, split.rule)
    for number, variant in enumerate(variants, start=1):
        tqdm.write(f"[{number} of {len(variants)}] {variant.name}", file=sys.stderr)
        if variant.problem:
            found.problems[variant.name] = variant.problem
            continue
        try:
            _take_part(base, variant, found)
        except (TableError, GraphError, TrainingError) as error:
            if variant is default:
                raise
            found.problems[variant.name] = str(error)
            tqdm.write(f"{variant.name}: takes no part: {error}", file=sys.stderr)
        if on_row is not None:
            on_row(found)
    return found


def _take_part(base: Base, variant: Variant, found: Comparison) -> None:
    """Rank one variant's models for every seed."""
    made: dict[str, list[Ranks]] = {model: [] for model in variant.models}
    for seed in found.seeds:
        run = base.run(variant, seed)
        asked = _asked(run, found)
        for model in variant.models:
            made[model].append(widen(make_ranks(run, model), asked))
    for model, ranks in made.items():
        found.ranks[variant.name, model] = ranks


def _asked(run: Run, found: Comparison) -> NDArray[np.bool_]:
    """Tell which of all cases a run asks, and make sure that it asks the same. Returns (C,)."""
    item_type = run.inputs.view.item_type
    asked = np.ones(len(found.cases), dtype=np.bool_)
    first = 0
    if item_type is not None:
        number = found.candidates.item_types.index(item_type)
        asked = found.candidates.item_type[found.cases.target] == number
        first = int(found.candidates.rows(number)[0])
    own, all_cases = run.split.test, found.cases
    same = np.array_equal(own.user_row, all_cases.user_row[asked]) and np.array_equal(
        own.target + first, all_cases.target[asked]
    )
    if not same:
        raise TrainingError(f"{run.folder}: its cases are not those of the default")
    return asked
