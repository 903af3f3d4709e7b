import pytest

from tests.support.vllm_server import NEEDED_VARIABLE, absent


def test_without_a_real_encoder_a_test_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(NEEDED_VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no vLLM here"):
        absent("no vLLM here")


def test_where_one_has_to_be_there_the_lack_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NEEDED_VARIABLE, "1")
    with pytest.raises(pytest.fail.Exception, match="no vLLM here"):
        absent("no vLLM here")
