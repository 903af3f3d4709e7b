"""The stand-in for vLLM, asked by the client that the server has."""

import time
from collections.abc import Iterator

import pytest

from benchmarks.endurance.stand_in import Mood, StandIn
from export.generation import FeaturizerInfo
from features.errors import FeaturizerBadAnswer, FeaturizerUnavailable
from features.vllm import VllmFeaturizer, VllmSettings

INFO = FeaturizerInfo(
    name="vllm:stand-in", revision="weights-256", recipe="", dimensions=16, for_tests_only=False
)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn(INFO) as standing:
        yield standing


def featurizer(standing: StandIn) -> VllmFeaturizer:
    _, url, _, revision = standing.flags
    return VllmFeaturizer(
        VllmSettings(base_url=url, model="stand-in", revision=revision, retries=0)
    )


def until_garbage(asked: VllmFeaturizer) -> None:
    """Ask until garbage comes: what the stand-in is told takes a moment to reach it."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            asked.embed(["a text"])
        except FeaturizerBadAnswer:
            return
    pytest.fail("the stand-in answers honestly on")


def test_stand_in_is_the_featurizer_that_the_generation_names(stand_in: StandIn) -> None:
    asked = featurizer(stand_in)
    assert (asked.name, asked.revision, asked.dimensions) == (INFO.name, INFO.revision, 16)
    asked.close()


def test_garbage_is_no_vector_and_what_follows_is(stand_in: StandIn) -> None:
    asked = featurizer(stand_in)
    stand_in.feel(Mood.GARBAGE)
    until_garbage(asked)
    stand_in.go()
    stand_in.come()
    assert asked.embed(["a text"]).shape == (1, 16)
    asked.close()


def test_stand_in_that_is_gone_cannot_be_reached(stand_in: StandIn) -> None:
    stand_in.go()
    with pytest.raises(FeaturizerUnavailable):
        featurizer(stand_in).embed(["a text"])
