"""What several command lines share: where text vectors come from, and how they end."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from features.errors import FeatureError
from features.model_files import vllm_python
from features.vllm import VllmSettings
from features.vllm_process import VllmProcessSettings
from graph.errors import GraphError
from models.checkpoint import CheckpointError
from tables.errors import TableError
from training.errors import TrainingError
from training.featurizers import FeaturizerSource, RunningVllm, StartedVllm

_ERRORS = (FeatureError, TableError, GraphError, CheckpointError, TrainingError, OSError)


def guarded(program: str, work: Callable[[], None]) -> int:
    """Do the work; 0 when done, 1 with a message on standard error when it cannot be."""
    try:
        work()
    except _ERRORS as error:
        tqdm.write(f"{program}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        tqdm.write(f"{program}: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def add_text_options(command: argparse.ArgumentParser) -> None:
    """Add what the text stage needs to know."""
    add = command.add_argument
    add("--cache", type=Path, help="file of text vectors already made; default in the run")
    add("--vllm-url", help="a running vLLM, such as http://127.0.0.1:8000/v1; default: start one")
    add("--vllm-model", default="all-MiniLM-L6-v2", help="its model; default: %(default)s")
    add("--encoder", type=Path, help="folder of the encoder to start; default: the packaged one")


def featurizer_source(options: argparse.Namespace) -> FeaturizerSource:
    """Choose between a running vLLM and one to be started."""
    if options.vllm_url:
        return RunningVllm(VllmSettings(base_url=options.vllm_url, model=options.vllm_model))
    return StartedVllm(
        VllmProcessSettings(python=vllm_python(), encoder=options.encoder, model=options.vllm_model)
    )


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
