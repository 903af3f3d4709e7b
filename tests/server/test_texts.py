from dataclasses import replace

import pytest

from export.generation import Generation
from features.errors import FeaturizerUnavailable
from server.errors import FeaturizerMismatchError, FeaturizerMissingError, WrongFeaturizerError
from server.featurizers import open_texts
from server.stopwatch import Stopwatch
from server.texts import DEFAULTS, CheckedFeaturizer, Texts
from tests.server.support import FlakyFeaturizer, make_settings


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def checked(generation: Generation, featurizer: FlakyFeaturizer, clock: Clock) -> CheckedFeaturizer:
    expected = generation.manifest.featurizer
    return CheckedFeaturizer(lambda: featurizer, expected, clock=clock)


def test_featurizer_is_asked_who_it_is_before_it_embeds(
    generation: Generation, clock: Clock
) -> None:
    featurizer = FlakyFeaturizer(revision="another")
    with pytest.raises(FeaturizerMismatchError, match="revision is another"):
        checked(generation, featurizer, clock).embed(["text"])
    assert not featurizer.calls


def test_other_length_of_vectors_is_a_mismatch(generation: Generation, clock: Clock) -> None:
    featurizer = FlakyFeaturizer()
    featurizer.dimensions = 3
    with pytest.raises(FeaturizerMismatchError, match="dimensions is 3"):
        checked(generation, featurizer, clock).embed(["text"])


def test_featurizer_that_could_not_be_reached_is_left_alone_for_a_moment(
    generation: Generation, clock: Clock
) -> None:
    featurizer = FlakyFeaturizer()
    main = checked(generation, featurizer, clock)
    main.embed(["one"])
    featurizer.away = True
    with pytest.raises(FeaturizerUnavailable):
        main.embed(["two"])
    featurizer.away = False
    with pytest.raises(FeaturizerUnavailable, match=r"left alone for 1[.]0 s more"):
        main.embed(["three"])
    clock.now += DEFAULTS.first_rest_s
    assert main.embed(["four"]).shape == (1, 64)
    assert featurizer.calls == [["one"], ["two"], ["four"]]


def test_other_model_after_an_outage_is_noticed_by_a_fresh_client(
    generation: Generation, clock: Clock
) -> None:
    made: list[FlakyFeaturizer] = []

    def make() -> FlakyFeaturizer:
        made.append(FlakyFeaturizer(revision="another" if made else None))
        return made[-1]

    main = CheckedFeaturizer(make, generation.manifest.featurizer, clock=clock)
    main.embed(["one"])
    made[0].away = True
    with pytest.raises(FeaturizerUnavailable):
        main.embed(["two"])
    made[0].away = False
    clock.now += DEFAULTS.first_rest_s
    with pytest.raises(FeaturizerMismatchError):
        main.embed(["three"])
    assert len(made) == 2


def test_start_survives_an_absent_main_featurizer_but_no_mismatch(
    generation: Generation, clock: Clock
) -> None:
    away = FlakyFeaturizer()
    away.away = True
    Texts(checked(generation, away, clock), None).check()
    wrong = checked(generation, FlakyFeaturizer(revision="another"), clock)
    with pytest.raises(FeaturizerMismatchError):
        Texts(wrong, None).check()
    with pytest.raises(FeaturizerMismatchError):
        Texts(checked(generation, FlakyFeaturizer(), clock), wrong).check()


def test_no_featurizer_is_an_error_of_its_own() -> None:
    texts = Texts(None, None)
    assert (texts.serving, texts.fallback) == ("", "")
    texts.check()
    with pytest.raises(FeaturizerMissingError):
        texts.embed(["text"], Stopwatch())
    with pytest.raises(FeaturizerMissingError):
        texts.step_in(["text"], Stopwatch())


def test_texts_composed_by_another_recipe_are_refused_at_the_start(
    generation: Generation,
) -> None:
    expected = replace(generation.manifest.featurizer, recipe="title only; v0")
    with pytest.raises(WrongFeaturizerError, match="title only; v0"):
        open_texts(make_settings(), expected)
    assert open_texts(make_settings(featurizer="none"), expected).serving == ""
