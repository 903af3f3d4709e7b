"""What `python -m training` does: build a run stage by stage, or evaluate."""

import argparse
import sys
from collections.abc import Callable, Collection, Sequence

from training.comparison import choose_models
from training.errors import TrainingError
from training.guarded import featurizer_source, guarded
from training.measurement import Measurement
from training.measuring import measure
from training.needs import needed_stages
from training.pipeline import Inputs, Run
from training.seeds import write_seeds
from training.settings import read_settings


def work(options: argparse.Namespace) -> int:
    """Carry out a command; 0 when done, 1 with a message on standard error when it cannot be."""
    return guarded("training", lambda: _COMMANDS[options.command](options), options)


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
