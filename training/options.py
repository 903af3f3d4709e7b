"""The options of the command lines of training; nothing here loads what they start.

`--help` and a usage error answer at once, so the programs import their work by name, after the
arguments are read.
"""

import argparse
from pathlib import Path

MODELS = (
    "popularity",
    "text-knn",
    "item-cosine",
    "text-knn-tuned",
    "item-cosine-tuned",
    "ease-tuned",
    "als",
    "bpr",
    "lightgcn",
    "sasrec",
    "hgnn-knn",
    "2t",
    "2t-hgnn",
    "nearfield",
)
"""Names of `training.comparison.MODELS`, for the help."""

AGES = (0, 1, 2, 4, 8)
"""Windows between what the foundation knows and the moment of the cases."""
WINDOWS = 16
"""Windows that the data set is cut into; the last is held out."""


def add_text_options(command: argparse.ArgumentParser) -> None:
    """Add what the text stage needs to know."""
    add = command.add_argument
    add("--cache", type=Path, help="file of text vectors already made; default in the run")
    add("--vllm-url", help="a running vLLM, such as http://127.0.0.1:8000/v1; default: start one")
    add("--vllm-model", default="all-MiniLM-L6-v2", help="its model; default: %(default)s")
    add("--encoder", type=Path, help="folder of the encoder to start; default: the packaged one")


def add_comparison_options(command: argparse.ArgumentParser, rows: str) -> None:
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


def distinct_seeds(text: str) -> tuple[int, ...]:
    """Read seeds separated by commas."""
    try:
        seeds = tuple(int(each) for each in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected numbers such as 0,1,2, got {text!r}") from error
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"expected distinct numbers from 0 on, got {text!r}")
    return seeds


def several_seeds(text: str) -> tuple[int, ...]:
    """Read seeds separated by commas, of which there have to be two at least."""
    seeds = distinct_seeds(text)
    if len(seeds) < 2:
        raise argparse.ArgumentTypeError(f"expected several, such as 0,1,2, got {text!r}")
    return seeds
