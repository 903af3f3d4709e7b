import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.errors import (
    FeatureError,
    FeaturizerBadAnswer,
    FeaturizerError,
    FeaturizerRefused,
    FeaturizerUnavailable,
    FeaturizerUnreachable,
)
from features.text import HashFeaturizer
from features.vllm import VllmFeaturizer, VllmSettings
from features.vllm_http import READ_BYTES
from tests.support.embeddings_stub import (
    DIMENSIONS,
    MAX_TOKENS,
    MODEL,
    EmbeddingsStub,
    Fault,
    embedding,
    encode,
)

TEXTS = [f"Volume {number}" for number in range(50)]


@pytest.fixture
def stub() -> Iterator[EmbeddingsStub]:
    with EmbeddingsStub().running() as running:
        yield running


@pytest.fixture
def settings(stub: EmbeddingsStub) -> VllmSettings:
    return VllmSettings(
        stub.url, MODEL, batch_size=8, concurrency=3, retries=2, backoff_s=0.01, timeout_s=5
    )


@pytest.fixture
def vllm(settings: VllmSettings) -> Iterator[VllmFeaturizer]:
    featurizer = VllmFeaturizer(settings, rng=np.random.default_rng(1))
    yield featurizer
    featurizer.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_vectors_are_the_servers_and_in_order(vllm: VllmFeaturizer, stub: EmbeddingsStub) -> None:
    vectors = vllm.embed(TEXTS)
    np.testing.assert_allclose(vectors, HashFeaturizer(DIMENSIONS).embed(TEXTS), atol=1e-6)
    assert sorted(stub.texts) == sorted(TEXTS)
    assert set(stub.texts.values()) == {1}
    assert sorted(len(each["input"]) for each in stub.requests) == [2, 8, 8, 8, 8, 8, 8]


def test_requests_have_many_short_texts_or_a_few_long_ones(
    settings: VllmSettings, stub: EmbeddingsStub
) -> None:
    texts = ["a", "語" * 30, "c" * 100, "d", "e" * 5000, "f" * 5000, "g"]
    with closing(VllmFeaturizer(replace(settings, batch_size=3, batch_bytes=100))) as featurizer:
        vectors = featurizer.embed(texts)
    np.testing.assert_allclose(vectors, HashFeaturizer(DIMENSIONS).embed(texts), atol=1e-6)
    asked = sorted("".join(text[0] for text in each["input"]) for each in stub.requests)
    assert asked == ["a語", "c", "d", "e", "f", "g"]


def test_of_a_long_text_its_beginning_counts(settings: VllmSettings, stub: EmbeddingsStub) -> None:
    limit = 2 * READ_BYTES
    with closing(VllmFeaturizer(replace(settings, batch_bytes=limit))) as featurizer:
        featurizer.embed(["long " * READ_BYTES] * 4)
    assert [len(each["input"]) for each in stub.requests] == [2, 2]


def test_base64_and_truncation_are_asked_for(vllm: VllmFeaturizer, stub: EmbeddingsStub) -> None:
    vllm.embed(["Emma"])
    asked = {"encoding_format": "base64", "truncate_prompt_tokens": -1, "model": MODEL}
    assert stub.requests == [{"input": ["Emma"], **asked}]


@pytest.mark.parametrize(("texts", "times"), [(TEXTS, 4), (TEXTS[:1], 8)])
def test_no_more_requests_at_once_than_allowed_however_many_call(
    vllm: VllmFeaturizer, stub: EmbeddingsStub, texts: list[str], times: int
) -> None:
    stub.pace_s = 0.05
    callers = [threading.Thread(target=vllm.embed, args=(texts,)) for _ in range(times)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert stub.most_at_once == 3


@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(status=503), Fault(status=599), Fault(drop=True)]
)
def test_server_errors_and_lost_connections_are_retried(
    vllm: VllmFeaturizer, stub: EmbeddingsStub, fault: Fault
) -> None:
    stub.fail(fault, fault)
    vectors = vllm.embed(["Emma"])
    assert len(stub.requests) == 3
    np.testing.assert_allclose(vectors, HashFeaturizer(DIMENSIONS).embed(["Emma"]), atol=1e-6)


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(drop=True)])
def test_retries_end(vllm: VllmFeaturizer, stub: EmbeddingsStub, fault: Fault) -> None:
    stub.fail_always(fault)
    with pytest.raises(FeaturizerUnavailable, match="attempts: 3"):
        vllm.embed(["Emma"])
    assert len(stub.requests) == 3


@pytest.mark.parametrize("status", [300, 400, 401, 404, 413, 422, 429])
def test_what_the_server_declines_is_not_retried_and_its_words_are_kept(
    vllm: VllmFeaturizer, stub: EmbeddingsStub, status: int
) -> None:
    stub.fail_always(Fault(status=status))
    with pytest.raises(FeaturizerRefused, match=f"{status}.*told to fail"):
        vllm.embed(["Emma"])
    assert len(stub.requests) == 1


@pytest.mark.parametrize("status", [400, 500])
def test_words_that_repeat_what_was_asked_are_not_kept(
    vllm: VllmFeaturizer, stub: EmbeddingsStub, status: int
) -> None:
    stub.fail_always(Fault(status=status, body=b'{"detail": [{"input": "Emma, or nobody"}]}'))
    with pytest.raises(FeaturizerError, match=rf"{status}: \(it repeats a text\)") as caught:
        vllm.embed(["Emma"])
    assert "Emma" not in str(caught.value)


def test_headers_for_each_question_are_sent(settings: VllmSettings, stub: EmbeddingsStub) -> None:
    numbers = iter(range(9))
    featurizer = VllmFeaturizer(settings, headers=lambda: {"traceparent": str(next(numbers))})
    stub.fail(Fault(status=500))
    featurizer.embed(["Emma"])
    featurizer.close()
    assert [headers["traceparent"] for headers in stub.headers] == ["0", "1"]


def test_a_refused_connection_is_retried_then_unreachable(settings: VllmSettings) -> None:
    nobody = replace(settings, base_url=f"http://127.0.0.1:{free_port()}/v1")
    featurizer = VllmFeaturizer(nobody)
    with pytest.raises(FeaturizerUnreachable, match=r"attempts: 3.*ConnectError"):
        featurizer.embed(["Emma"])
    featurizer.close()


def test_a_server_that_comes_back_is_found(settings: VllmSettings) -> None:
    with EmbeddingsStub().running() as stub:
        stub.fail(Fault(drop=True), Fault(status=502))
        featurizer = VllmFeaturizer(replace(settings, base_url=stub.url))
        assert featurizer.embed(TEXTS[:3]).shape == (3, DIMENSIONS)
        featurizer.close()


@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS])
def test_closing_ends_what_is_asked_of_a_server_that_hangs(
    settings: VllmSettings, stub: EmbeddingsStub, texts: list[str]
) -> None:
    patient = VllmFeaturizer(replace(settings, timeout_s=60))
    patient.embed(TEXTS[:1])  # so that a connection is there already
    stub.fail_always(Fault(delay_s=60))
    before = len(stub.requests)
    with ThreadPoolExecutor(1) as caller:
        asked = caller.submit(patient.embed, texts)
        while len(stub.requests) == before:
            time.sleep(0.01)
        start = time.monotonic()
        patient.close()
        with pytest.raises(FeaturizerUnavailable):
            asked.result()
    assert time.monotonic() - start < 20


def test_a_slow_answer_is_given_up_and_not_asked_for_again(
    settings: VllmSettings, stub: EmbeddingsStub
) -> None:
    stub.fail(Fault(delay_s=10))
    impatient = VllmFeaturizer(replace(settings, timeout_s=1))
    start = time.monotonic()
    with pytest.raises(FeaturizerUnavailable, match=r"did not answer within 1 s"):
        impatient.embed(["Emma"])
    assert time.monotonic() - start < 5
    impatient.close()
    assert len(stub.requests) == 1


def test_a_server_that_takes_no_connection_is_given_up_once(settings: VllmSettings) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:  # fill its backlog, so that the next one gets no answer at all
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        featurizer = VllmFeaturizer(replace(settings, base_url=url, timeout_s=0.5))
        start = time.monotonic()
        with pytest.raises(FeaturizerUnavailable, match=r"did not answer within 0.5 s"):
            featurizer.embed(["Emma"])
        assert time.monotonic() - start < 1.0
        featurizer.close()
        for each in waiting:
            each.close()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(body=b"<html>"), "JSON"),
        (Fault(body=b"\xff\xfe"), "JSON"),
        (Fault(body=b"[]"), "list `data`"),
        (Fault(distort=embedding("%%%")), "base64"),
        (Fault(distort=embedding(encode(np.full(DIMENSIONS, np.nan, np.float32)))), "finite"),
        (Fault(distort=embedding(encode(np.zeros(DIMENSIONS, np.float32)))), "direction"),
        (Fault(distort=lambda answer: {"data": answer["data"][1:]}), "expected 2 vectors, got 1"),
    ],
)
def test_a_bad_answer_is_named_and_not_retried(
    vllm: VllmFeaturizer, stub: EmbeddingsStub, fault: Fault, said: str
) -> None:
    stub.fail(fault)
    with pytest.raises(FeaturizerBadAnswer, match=said):
        vllm.embed(["Emma", "Kim"])
    assert len(stub.requests) == 1


def test_vectors_of_another_length_than_configured_are_refused(
    settings: VllmSettings, stub: EmbeddingsStub
) -> None:
    featurizer = VllmFeaturizer(replace(settings, dimensions=384))
    assert featurizer.dimensions == 384
    with pytest.raises(FeaturizerBadAnswer, match=f"expected vectors of 384.*got {DIMENSIONS}"):
        featurizer.embed(["Emma"])
    featurizer.close()


def test_a_length_that_changes_between_answers_is_refused(
    vllm: VllmFeaturizer, stub: EmbeddingsStub
) -> None:
    vllm.embed(["Emma"])
    stub.fail(Fault(distort=embedding(encode(np.ones(3, np.float32)))))
    with pytest.raises(FeaturizerBadAnswer, match=f"expected vectors of {DIMENSIONS}.*got 3"):
        vllm.embed(["Kim"])


def test_one_failed_batch_fails_the_call_and_spares_the_server_the_rest(
    settings: VllmSettings, stub: EmbeddingsStub
) -> None:
    stub.pace_s = 0.02
    stub.fail(Fault(status=400))
    featurizer = VllmFeaturizer(replace(settings, batch_size=1, concurrency=1))
    with pytest.raises(FeaturizerRefused):
        featurizer.embed(TEXTS)
    featurizer.close()
    assert len(stub.requests) <= 3


def test_progress_grows_to_the_number_of_texts(settings: VllmSettings) -> None:
    told: list[tuple[int, int]] = []
    featurizer = VllmFeaturizer(settings, on_progress=lambda *counts: told.append(counts))
    featurizer.embed(TEXTS)
    featurizer.close()
    assert len(told) == 7
    assert told == sorted(told)
    assert told[-1] == (50, 50)


def test_one_request_is_progress_too(settings: VllmSettings) -> None:
    told: list[tuple[int, int]] = []
    featurizer = VllmFeaturizer(settings, on_progress=lambda *counts: told.append(counts))
    featurizer.embed(TEXTS[:2])
    featurizer.close()
    assert told == [(2, 2)]


def test_nothing_is_sent_before_the_first_question(stub: EmbeddingsStub) -> None:
    unreachable = VllmSettings(f"http://127.0.0.1:{free_port()}/v1", dimensions=4)
    featurizer = VllmFeaturizer(unreachable)
    assert featurizer.embed([]).shape == (0, 4)
    assert featurizer.name == "vllm:all-MiniLM-L6-v2"
    featurizer.close()


def test_the_key_is_sent_and_not_shown(settings: VllmSettings, stub: EmbeddingsStub) -> None:
    secret = replace(settings, api_key="open sesame")
    featurizer = VllmFeaturizer(secret)
    featurizer.embed(["Emma"])
    featurizer.close()
    assert stub.headers[0]["authorization"] == "Bearer open sesame"
    assert "sesame" not in repr(secret)


def test_closing_ends_a_wait_for_the_next_attempt(
    settings: VllmSettings, stub: EmbeddingsStub
) -> None:
    stub.fail_always(Fault(status=500))
    featurizer = VllmFeaturizer(replace(settings, backoff_s=60))
    failures: list[FeaturizerError] = []

    def embed() -> None:
        try:
            featurizer.embed(["Emma"])
        except FeaturizerError as error:
            failures.append(error)

    caller = threading.Thread(target=embed)
    caller.start()
    while not stub.requests:
        time.sleep(0.01)
    featurizer.close()
    caller.join(5)
    assert not caller.is_alive()
    assert [type(each) for each in failures] == [FeaturizerUnavailable]


def test_a_closed_featurizer_says_so(vllm: VllmFeaturizer) -> None:
    vllm.close()
    with pytest.raises(FeaturizerUnavailable, match="closed"):
        vllm.embed(["Emma"])


def test_the_revision_tells_models_limits_and_weights_apart(
    settings: VllmSettings, stub: EmbeddingsStub, tmp_path: Path
) -> None:
    def revision(settings: VllmSettings) -> str:
        featurizer = VllmFeaturizer(settings)
        found = featurizer.revision
        featurizer.close()
        return found

    named = revision(settings)
    stub.model_card = {"id": "other", "max_model_len": MAX_TOKENS}
    other = revision(replace(settings, model="other"))
    configured = revision(replace(settings, model="other", revision="0123"))
    stub.model_card = {"id": MODEL, "max_model_len": 512}
    longer = revision(settings)
    (tmp_path / "config.json").write_text("{}")
    stub.model_card = {"id": MODEL, "max_model_len": MAX_TOKENS, "root": str(tmp_path)}
    hashed = revision(settings)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    retrained = revision(settings)
    assert configured == f"0123-{MAX_TOKENS}"
    assert len({named, other, configured, longer, hashed, retrained}) == 6
    assert retrained == revision(settings)


def test_a_server_of_another_model_is_refused(settings: VllmSettings) -> None:
    featurizer = VllmFeaturizer(replace(settings, model="all-MiniLM-L6-v2"))
    with pytest.raises(FeaturizerBadAnswer, match=f"served: {MODEL}"):
        assert featurizer.revision
    featurizer.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: VllmSettings(batch_size=0), "batch_size must be above 0"),
        (lambda: VllmSettings(batch_bytes=0), "batch_bytes must be above 0 or None"),
        (lambda: VllmSettings(concurrency=-1), "concurrency must be above 0"),
        (lambda: VllmSettings(timeout_s=0), "timeout_s must be above 0"),
        (lambda: VllmSettings(backoff_s=float("nan")), "backoff_s must be above 0"),
        (lambda: VllmSettings(retries=-1), "retries must be at least 0"),
        (lambda: VllmSettings("localhost:8000"), "base_url must begin with http"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(
    make: Callable[[], VllmSettings], said: str
) -> None:
    with pytest.raises(FeatureError, match=said):
        make()


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:80/v1", True),
        ("http://10.0.0.3:8000/v1", False),
        ("https://vllm.example/v1", False),
    ],
)
def test_only_loopback_addresses_are_this_machine(url: str, local: bool) -> None:
    assert VllmSettings(url).is_local == local
