import pytest

from tests.support.vllm_server import absent


def test_without_a_real_encoder_a_test_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no vLLM here"):
        absent("no vLLM here")


def test_in_continuous_integration_the_lack_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no vLLM here"):
        absent("no vLLM here")
