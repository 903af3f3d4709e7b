from pathlib import Path
from threading import Thread

import pytest

from tests.support.vllm_server import NEEDED_VARIABLE, absent, shared


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


class Stand:
    """In place of a server: notes when it is started and ended."""

    base_url = "http://127.0.0.1:1/v1"

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    def __enter__(self) -> "Stand":
        self.notes.append("started")
        return self

    def __exit__(self, *_: object) -> None:
        self.notes.append("ended")


def test_several_processes_share_one_server_and_who_started_it_waits_for_the_rest(
    tmp_path: Path,
) -> None:
    notes: list[str] = []
    first = shared(tmp_path, "vllm", lambda: Stand(notes))
    second = shared(tmp_path, "vllm", lambda: Stand(notes))
    assert first.__enter__() == second.__enter__() == Stand.base_url
    ending = Thread(target=first.__exit__, args=(None, None, None))
    ending.start()
    assert notes == ["started"]
    notes.append("the second is done")
    second.__exit__(None, None, None)
    ending.join(10)
    assert notes == ["started", "the second is done", "ended"]


def test_after_it_has_ended_the_next_starts_its_own(tmp_path: Path) -> None:
    notes: list[str] = []
    for _ in range(2):
        with shared(tmp_path, "vllm", lambda: Stand(notes)):
            pass
    assert notes == ["started", "ended"] * 2
