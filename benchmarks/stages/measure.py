"""Time and memory of each stage of building a generation, each in a process of its own."""

import argparse
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from export.__main__ import main as export_main
from features.model_files import vllm_python
from features.vllm import VllmSettings
from features.vllm_process import VllmProcess, VllmProcessSettings
from training.featurizers import RunningVllm
from training.pipeline import Inputs, Run
from training.settings import read_settings


@dataclass(frozen=True)
class Measured:
    """What one stage took."""

    stage: str
    seconds: float
    peak_mb: float | None
    """Largest resident memory of the stage's process; None for vLLM, which is not ours."""


def measure(options: argparse.Namespace) -> int:
    """Measure every stage in order."""
    if (options.out / "run").exists():
        print(
            f"{options.out / 'run'} exists; stages that are current take no time", file=sys.stderr
        )
        return 1
    run = Run(
        options.out / "run",
        Inputs(data=options.data, holding="nothing", settings=read_settings(None)),
    )
    measured: list[Measured] = []
    began = time.perf_counter()
    with VllmProcess(VllmProcessSettings(python=vllm_python())) as server:
        measured.append(Measured("vLLM starts", time.perf_counter() - began, None))
        measured.append(_measure("dataset", run.make_dataset))
        measured.append(_measure("text vectors", _make_text, run, server.base_url))
    measured.append(_measure("graph", run.make_graph))
    measured.append(_measure("foundation", run.make_foundation))
    measured.append(_measure("adaptation", run.make_adaptation))
    measured.append(_measure("fusion", run.make_fusion))
    arguments = ["--run", str(run.folder), "--out", str(options.out)]
    measured.append(_measure("export", export_main, arguments))
    _print(measured)
    report = options.out / "stages.json"
    report.write_text(json.dumps([asdict(each) for each in measured], indent=1) + "\n")
    return 0


def _make_text(run: Run, base_url: str) -> None:
    run.make_text(RunningVllm(VllmSettings(base_url=base_url)), run.folder / "text-cache.sqlite")


def _measure(stage: str, work: Callable[..., object], *arguments: object) -> Measured:
    """Run a stage in a fresh process and read its largest resident memory."""
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=_child, args=(queue, work, arguments))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"{stage} failed with exit status {process.exitcode}")
    seconds, peak_mb = queue.get()
    return Measured(stage, seconds, peak_mb)


def _child(
    queue: "multiprocessing.SimpleQueue[tuple[float, float]]",
    work: Callable[..., object],
    arguments: tuple[object, ...],
) -> None:
    began = time.perf_counter()
    result = work(*arguments)
    seconds = time.perf_counter() - began
    if isinstance(result, int) and result:
        sys.exit(result)
    queue.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _print(measured: list[Measured]) -> None:
    print("| stage | seconds | peak memory, MB |\n|---|---:|---:|")
    for each in measured:
        peak = "" if each.peak_mb is None else f"{each.peak_mb:,.0f}"
        print(f"| {each.stage} | {each.seconds:.1f} | {peak} |")
    print(f"| all | {sum(each.seconds for each in measured):.1f} | |")
