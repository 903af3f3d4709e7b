"""Two generations in one output folder to change between, made up where there are none."""

from pathlib import Path

from benchmarks.serving.made_up import Say, Size, add, make_up
from export.generation import FeaturizerInfo, Generation, locate, read
from features.model_files import encoder_revision
from features.schema import TEXT_RECIPE

ITEMS = 12_000
WIDTH = 128
MODEL = "stand-in"
MAX_TOKENS = 256


def two_generations(out: Path, say: Say) -> None:
    """Make up two generations of the same size; a folder that has a generation is left as it is."""
    if (out / "current").exists():
        return
    featurizer = FeaturizerInfo(
        name=f"vllm:{MODEL}",
        revision=encoder_revision(MODEL, MAX_TOKENS),
        recipe=TEXT_RECIPE,
        dimensions=WIDTH,
        for_tests_only=False,
    )
    size = Size(items=ITEMS, text=WIDTH)
    add(out, size, featurizer, seed=1, say=say)
    make_up(out, size, featurizer, seed=0, say=say)


def current(out: Path) -> Generation:
    """Open what an output folder serves."""
    return read(locate(out), verify=False)
