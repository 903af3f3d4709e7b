"""Command line of the offline rooms: build a run stage by stage, or evaluate.

python -m training all --data FOLDER --run FOLDER
python -m training adaptation --data FOLDER --run FOLDER      (on the foundation as it is)
python -m training evaluate --data FOLDER --run FOLDER        (with --seeds 0,1,2 under each)
"""

import argparse
import sys
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from tables.roles import Rule
from training.comparison import MODELS, choose_models
from training.errors import TrainingError
from training.measurement import Measurement
from training.measuring import measure
from training.needs import needed_stages
from training.options import add_text_options, featurizer_source, guarded, several_seeds
from training.pipeline import Inputs, Run
from training.seeds import write_seeds
from training.settings import read_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when done, 1 with a message on standard error when it cannot be."""
    options = _parser().parse_args(arguments)
    return guarded("training", lambda: _COMMANDS[options.command](options))


def _all(options: argparse.Namespace) -> None:
    run = _run(options, "nothing")
    _dataset(run)
    _make(run, options, needed_stages(("nearfield",)))


def _foundation(options: argparse.Namespace) -> None:
    run = _run(options, "nothing")
    _dataset(run)
    _make(run, options, needed_stages(("hgnn-knn",)))


def _adaptation(options: argparse.Namespace) -> None:
    run = _run(options, "nothing")
    if not (run.folder / "foundation" / "stage.json").exists():
        raise TrainingError(
            f"{run.folder / 'foundation'}: no foundation to adapt; run the command `foundation`"
        )
    _dataset(run)
    run.make_adaptation()
    run.make_fusion()


def _evaluate(options: argparse.Namespace) -> None:
    names = choose_models(options.models)
    if options.seeds is None:
        _measure(options, names)
        return
    if options.seed is not None:
        raise TrainingError("--seeds: expected no --seed beside it")
    told = vars(options) | {"cache": options.cache or options.run / "text-cache.sqlite"}
    found = {}
    for seed in options.seeds:
        one = told | {"seed": seed, "run": options.run / f"seed-{seed}"}
        found[seed] = _measure(argparse.Namespace(**one), names)
    sys.stdout.write(write_seeds(options.run, found).read_text(encoding="utf-8"))


def _measure(options: argparse.Namespace, names: Sequence[str]) -> tuple[Measurement, ...]:
    run = _run(options, f"test by {options.protocol}" if options.protocol else "test")
    _dataset(run)
    _make(run, options, needed_stages(names))
    return measure(run, names)


_COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "all": _all,
    "foundation": _foundation,
    "adaptation": _adaptation,
    "evaluate": _evaluate,
}


def _run(options: argparse.Namespace, holding: str) -> Run:
    return Run(
        options.run,
        Inputs(
            data=options.data,
            holding=holding,
            settings=read_settings(options.settings, seed=options.seed),
            strict=options.strict,
            as_of=int(options.as_of.timestamp()) if options.as_of else None,
        ),
    )


def _dataset(run: Run) -> None:
    """Make the data set and cut it, so that an impossible cut is refused before long work."""
    run.make_dataset()
    _ = run.split


def _make(run: Run, options: argparse.Namespace, stages: Collection[str]) -> None:
    """Make some stages; the graph comes before the text, since it is soon refused or done."""
    cache = options.cache or run.folder / "text-cache.sqlite"
    steps: dict[str, Callable[[], object]] = {
        "graph": run.make_graph,
        "text": lambda: run.make_text(featurizer_source(options), cache),
        "foundation": run.make_foundation,
        "adaptation": run.make_adaptation,
        "fusion": run.make_fusion,
        "two_tower": run.make_plain_two_tower,
    }
    for stage, make in steps.items():
        if stage in stages:
            make()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Data set -> text vectors -> graph -> foundation -> adaptation -> fusion. "
        "Each stage is a folder of the run and is kept when nothing it was made from changed.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("all", "every stage, on all of the data: what `python -m export` publishes"),
        ("foundation", "the stages up to the HGNN"),
        ("adaptation", "the two towers and the fusion anew, on the foundation as it is"),
        ("evaluate", "hold a part out, make what the models need of the rest, compare them"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        _add_options(command)
        if name != "adaptation":
            add_text_options(command)
        if name == "evaluate":
            command.add_argument(
                "--protocol",
                choices=get_args(Rule),
                help="how to hold out; default: the data set's own split, else as its "
                "dataset.toml says, else leave-last-out",
            )
            command.add_argument(
                "--models",
                help=f"comma-separated, of: {','.join(MODELS)}; default: all whose interpreter "
                "is there",
            )
            command.add_argument(
                "--seeds",
                type=several_seeds,
                help="evaluate under each of several, comma-separated, and tell how far the "
                "figures move",
            )
    return parser


def _add_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--data", type=Path, required=True, help="folder of the data set (see the data contract)")
    add("--run", type=Path, required=True, help="folder for the stages")
    add("--settings", type=Path, help="TOML file with hyperparameters (see training/settings.py)")
    add("--seed", type=int, help="of everything drawn; default 0")
    add("--strict", action="store_true", help="refuse bad rows instead of setting them aside")
    add("--as-of", type=_moment, help="ISO 8601 moment; nothing later is read")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected an ISO 8601 moment such as 2026-05-31T18:00, got {text!r}"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
