"""What the commands of training share when they work: how they end, who embeds their texts."""

import argparse
import sys
from collections.abc import Callable

from tqdm import tqdm

from features.errors import FeatureError
from features.full_disk import NO_ROOM, full_disk
from features.model_files import vllm_python
from features.vllm import VllmSettings
from features.vllm_process import VllmProcessSettings
from graph.errors import GraphError
from models.checkpoint import CheckpointError
from tables.errors import TableError
from training.errors import TrainingError
from training.featurizers import FeaturizerSource, RunningVllm, StartedVllm

_ERRORS = (FeatureError, TableError, GraphError, CheckpointError, TrainingError, OSError)


def guarded(program: str, work: Callable[[], None], options: argparse.Namespace) -> int:
    """Do the work and give the exit status, with a line on standard error when it cannot be done.

    0 done, 1 it cannot be done, `NO_ROOM` the disk is full, 130 interrupted.
    """
    try:
        work()
    except Exception as error:
        folders = [options.run] + ([options.cache.parent] if vars(options).get("cache") else [])
        if full := full_disk(error, folders):
            tqdm.write(f"{program}: {full}", file=sys.stderr)
            return NO_ROOM
        if not isinstance(error, _ERRORS):
            raise
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
