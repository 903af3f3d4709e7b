import pytest
from pydantic import ValidationError
from pydantic_settings import CliApp

from nearfield.v1.info_pb2 import Limits as LimitsMessage
from server.limits import Limits
from server.settings import Settings


def from_flags(*flags: str) -> Settings:
    return CliApp.run(Settings, cli_args=["--generation", "folder", *flags])


def test_every_setting_and_limit_says_what_it_is() -> None:
    for model in (Settings, Limits):
        for name, field in model.model_fields.items():
            assert field.description, name


def test_every_limit_is_published() -> None:
    published = set(LimitsMessage.DESCRIPTOR.fields_by_name)
    of_the_generation = {"max_model_history_events"}
    assert published == Limits.model_fields.keys() | of_the_generation


def test_flags_are_stronger_than_variables_which_are_stronger_than_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEARFIELD_PORT", "1234")
    monkeypatch.setenv("NEARFIELD_LIMITS__MAX_K", "77")
    monkeypatch.setenv("NEARFIELD_WORKERS", "3")
    settings = from_flags("--workers", "5", "--limits.max-batch-elements", "9", "--no-verify")
    assert (settings.port, settings.workers, settings.verify) == (1234, 5, False)
    assert settings.limits == Limits(max_k=77, max_batch_elements=9)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--port", "-1"),
        ("--workers", "0"),
        ("--featurizer", "hash"),
        ("--limits.max-k", "0"),
        ("--grace-s", "-1"),
        ("--execution-provider", "tpu"),
    ],
)
def test_values_out_of_range_are_refused(flag: str, value: str) -> None:
    with pytest.raises(ValidationError, match=flag[2:].split(".")[-1].replace("-", "_")):
        from_flags(flag, value)


def test_key_is_not_printed() -> None:
    assert "swordfish" not in repr(from_flags("--vllm-api-key", "swordfish"))
