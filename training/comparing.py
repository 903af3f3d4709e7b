"""What the commands that compare variants share: what they start from and what they write."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.guarded import featurizer_source
from training.pipeline import Run
from training.settings import read_settings
from training.variant_figures import figures
from training.variant_runs import Base, Comparison, compare
from training.variant_tables import write_comparison
from training.variants import DEFAULT, Variant, choose


def base_of(options: argparse.Namespace, holding: str) -> Base:
    """Put together what the variants have in common."""
    return Base(
        folder=options.run,
        data=options.data,
        holding=holding,
        settings=read_settings(options.settings, seed=options.seed),
        source=featurizer_source(options),
        cache=options.cache or options.run / "text-cache.sqlite",
        strict=options.strict,
    )


def default_run(base: Base, options: argparse.Namespace) -> Run:
    """Open the default's run with its data alone, from which the list of rows is made."""
    return base.open(Variant(name=DEFAULT, meaning=""), options.seeds[0])


def conclude(
    base: Base, options: argparse.Namespace, name: str, title: str, rows: Sequence[Variant]
) -> None:
    """Make the rows that were asked for, write the tables after each, and print them at the end."""
    names = [each for each in options.rows.split(",") if each] or [row.name for row in rows]

    def write(found: Comparison) -> Path:
        return write_comparison(base.folder, name, title, found, figures(found))

    found = compare(base, choose(rows, names), options.seeds, on_row=write)
    sys.stdout.write(write(found).read_text(encoding="utf-8"))
