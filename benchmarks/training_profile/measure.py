"""Where the time of training goes: `python -m benchmarks.training_profile --run FOLDER`.

On a run that has its dataset, text, graph and foundation, some steps of the foundation and of the
adaptation are trained anew, by the code that trains for real, in a folder that is thrown away.
Twice: once by the clock, and once under torch's profiler, which slows down what it watches.

Forward is what the networks and the losses compute, the gathering of messages within a layer
included; gathering is what is read and numbered for them beforehand. What a whole training takes
is extrapolated from the steps, for as many epochs as the settings allow.
"""

import argparse
import json
import resource
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.training_steps import (
    END,
    PARTS,
    Measured,
    Operator,
    Training,
    take_apart,
    watch_operators,
)
from training.errors import TrainingError
from training.holdings import HOLDINGS
from training.pipeline import Inputs, Run
from training.settings import read_settings
from training.stages.adaptation import adapt
from training.stages.foundation import lay_foundation

TOP = 10

KINDS = {
    "matrix products": ("mm", "addmm", "bmm", "baddbmm"),
    "gather and scatter": (
        *("index", "_index_put_impl_", "index_put_", "index_select", "index_copy", "index_copy_"),
        *("gather", "scatter_add_", "index_add_", "embedding", "embedding_dense_backward"),
        *("_embedding_bag", "_embedding_bag_dense_backward", "_unique2", "nonzero"),
    ),
}
"""Operators of a kind; all others are elementwise, reductions, copies and the engine itself."""


def profile(options: argparse.Namespace) -> int:
    """Measure, and print the tables."""
    try:
        report = measure(options.run, options.settings, options.steps)
    except (OSError, TrainingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for measured, operators in zip(report.trainings, report.operators, strict=True):
        _print(measured)
        _print_operators(operators)
    print(f"{torch.get_num_threads()} threads, peak memory of both {report.peak_mb:,.0f} MB")
    if options.json:
        options.json.write_text(json.dumps(_as_json(report), indent=1) + "\n")
    return 0


@dataclass(frozen=True)
class Report:
    """What was seen of both trainings."""

    trainings: list[Measured]
    peak_mb: float
    """Largest resident memory before the profiler, which keeps all that it sees, began."""
    operators: list[list[Operator]]


def measure(folder: Path, settings: Path | None, steps: int) -> Report:
    """Train some steps of either layer.

    Raises:
        TrainingError: the run is cut for a comparison, or a training cannot go on.
        OSError: the run lacks a stage.
    """
    run = _open(folder, settings)
    foundation, adaptation = run.settings.foundation, run.settings.adaptation
    trainings: tuple[Training, ...] = (
        lambda out: lay_foundation(out, run, foundation),
        lambda out: adapt(out, run, run.hgnn_vectors, run.unchosen_vectors, adaptation),
    )
    measured = [take_apart(train, steps) for train in trainings]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Report(measured, peak_mb, [watch_operators(train, steps) for train in trainings])


def _open(folder: Path, settings: Path | None) -> Run:
    """Open a run to learn from what its own towers would learn from."""
    holding = json.loads((folder / "graph" / "stage.json").read_text())["summary"]["holding"]
    if holding not in HOLDINGS:
        raise TrainingError(f"{folder}: expected a run of the whole data, got one of {holding!r}")
    return Run(folder, Inputs(folder, holding, read_settings(settings)))


def _print(measured: Measured) -> None:
    step_s = sum(measured.seconds(part) for part in PARTS if part.every == "step")
    epoch_s = sum(map(measured.epoch_s, PARTS))
    print(f"{measured.title}: {measured.steps} steps measured; {measured.batches} make an epoch\n")
    print("| part | ms per step | of the step | s per epoch | of the epoch |")
    print("|---|---:|---:|---:|---:|")
    for part in PARTS:
        spent = measured.epoch_s(part)
        if not spent:
            continue
        step = "| |"
        if part.every == "step":
            step = f"| {1000 * measured.seconds(part):.2f} | {measured.seconds(part) / step_s:.1%}"
        print(f"| {part.title} {step} | {spent:.2f} | {spent / epoch_s:.1%} |")
    of_step, of_epoch = measured.outside
    print(f"| all | {1000 * step_s:.2f} | | {epoch_s:.2f} | |")
    print(f"| outside forward and backward | | {of_step:.1%} | | {of_epoch:.1%} |")
    taken = (
        f"{measured.epochs} epochs, the most there may be, take {measured.training_s / 60:.1f} min"
    )
    if end_s := measured.seconds(END):
        taken += f", {END.title} in it {end_s:.1f} s"
    print(f"\n{taken}\n")


def _print_operators(operators: list[Operator]) -> None:
    total = sum(operator.ms for operator in operators)
    print("| operator, without what it calls | ms per step | share | calls per step |")
    print("|---|---:|---:|---:|")
    for each in operators[:TOP]:
        print(f"| {each.name} | {each.ms:.2f} | {each.ms / total:.1%} | {each.calls:.1f} |")
    for kind, ms in _by_kind(operators).items():
        print(f"| all {kind} | {ms:.2f} | {ms / total:.1%} | |")
    print()


def _by_kind(operators: list[Operator]) -> dict[str, float]:
    """Add up the operators' milliseconds in a step."""
    kind_of = {f"aten::{name}": kind for kind, names in KINDS.items() for name in names}
    ms = dict.fromkeys((*KINDS, "else"), 0.0)
    for operator in operators:
        ms[kind_of.get(operator.name, "else")] += operator.ms
    return ms


def _as_json(report: Report) -> dict[str, Any]:
    trainings = [
        _training_as_json(measured, operators)
        for measured, operators in zip(report.trainings, report.operators, strict=True)
    ]
    return {
        "threads": torch.get_num_threads(),
        "peak_mb": report.peak_mb,
        "trainings": trainings,
    }


def _training_as_json(measured: Measured, operators: list[Operator]) -> dict[str, Any]:
    of_step, of_epoch = measured.outside
    return {
        "training": measured.title,
        "batches": measured.batches,
        "steps": measured.steps,
        "step_ms": {part.title: 1000 * s for part, s in measured.step_s.items()},
        "epoch_s": {part.title: measured.epoch_s(part) for part in PARTS},
        "outside_of_step": of_step,
        "outside_of_epoch": of_epoch,
        "training_s": measured.training_s,
        "kinds_ms": _by_kind(operators),
        "operators": [asdict(operator) for operator in operators],
    }
