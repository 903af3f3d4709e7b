"""What the commands that compare variants share: their options, and what they write."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.options import add_text_options, distinct_seeds, featurizer_source
from training.pipeline import Run
from training.settings import read_settings
from training.variant_figures import figures
from training.variant_runs import Base, Comparison, compare
from training.variant_tables import write_comparison
from training.variants import DEFAULT, Variant, choose


def add_options(command: argparse.ArgumentParser, rows: str) -> None:
    """Add what every comparison asks for; `rows` is the name of the option that picks rows."""
    add = command.add_argument
    add("--data", type=Path, required=True, help="folder of the data set (see the data contract)")
    add("--run", type=Path, required=True, help="folder for the stages and the tables")
    add("--settings", type=Path, help="TOML file with hyperparameters (see training/settings.py)")
    add("--seed", type=int, help="of ties and of what is held out; default 0")
    add(
        "--seeds", type=distinct_seeds, default=(0,), help="of training, comma-separated; default 0"
    )
    add("--strict", action="store_true", help="refuse bad rows instead of setting them aside")
    add(f"--{rows}", dest="rows", default="", help="comma-separated names; default: all")
    add_text_options(command)


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
