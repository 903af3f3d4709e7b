"""What the commands of training share when they work: how they end, who embeds their texts."""

import argparse
import sys
from collections.abc import Callable

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


def featurizer_source(options: argparse.Namespace) -> FeaturizerSource:
    """Choose between a running vLLM and one to be started."""
    if options.vllm_url:
        return RunningVllm(VllmSettings(base_url=options.vllm_url, model=options.vllm_model))
    return StartedVllm(
        VllmProcessSettings(python=vllm_python(), encoder=options.encoder, model=options.vllm_model)
    )
