from training.comparison import MODELS
from training.needs import NEEDS
from training.options import MODELS as NAMED


def test_the_help_names_every_model_that_can_be_asked_for() -> None:
    assert tuple(MODELS) == NAMED
    assert set(NEEDS) == set(NAMED)
