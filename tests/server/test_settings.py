from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_settings import CliApp

from features.schema import MAX_ID_BYTES
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


def test_the_longest_id_of_a_data_set_may_be_asked_for() -> None:
    assert Limits().max_id_bytes == MAX_ID_BYTES


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


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--limits.max-k", "5"), "default_k.*at most max_k, which is 5, got 10"),
        (("--limits.default-k", "1001"), "default_k.*at most max_k, which is 1000, got 1001"),
        (("--limits.max-k", "30000"), "max_hits_per_call.*at least max_k, which is 30000"),
        (("--limits.max-hits-per-call", "9"), "max_hits_per_call.*at least max_k.*got 9"),
        (("--limits.weak-signal-weight", "1001"), "weak_signal_weight.*less than or equal to 1000"),
        (("--limits.weak-signal-weight", "inf"), "weak_signal_weight"),
        (
            ("--featurizer", "none", "--fallback-featurizer", "onnx_text"),
            "fallback_featurizer.*featurizer is none",
        ),
        (
            ("--featurizer", "onnx_text", "--fallback-featurizer", "onnx_text"),
            "fallback_featurizer.*featurizer is onnx_text",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(flags: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValidationError, match=f"(?s){said}"):
        from_flags(*flags)


def test_values_at_the_edge_of_a_contradiction_are_taken() -> None:
    flags = [f"--limits.{each}=5" for each in ("max-k", "default-k", "max-hits-per-call")]
    limits = from_flags(*flags).limits
    assert (limits.max_k, limits.default_k, limits.max_hits_per_call) == (5, 5, 5)
    assert from_flags("--fallback-featurizer", "onnx_text").fallback_featurizer == "onnx_text"


def test_key_is_not_printed() -> None:
    assert "swordfish" not in repr(from_flags("--vllm-api-key", "swordfish"))


def variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """Name the variable of every setting, those of its parts included."""
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        yield variable
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from variables(field.annotation, f"{variable}__")


def test_variable_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set(variables(Settings, "NEARFIELD_"))
    assert {"NEARFIELD_ADMIN_PORT", "NEARFIELD_SECURITY__LIMITS__CALLS_PER_S"} <= names
    expected = from_flags()
    for name in names:
        monkeypatch.setenv(name, "")
    assert from_flags() == expected
