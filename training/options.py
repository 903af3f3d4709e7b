"""What several command lines ask for: where text vectors come from."""

import argparse
from pathlib import Path

from features.model_files import vllm_python
from features.vllm import VllmSettings
from features.vllm_process import VllmProcessSettings
from training.featurizers import FeaturizerSource, RunningVllm, StartedVllm


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
