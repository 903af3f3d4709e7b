"""What a server answers while its vLLM, a real one, cannot be reached."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import nearfield
from nearfield import NewItem, Provenance, WarningCode
from server.texts import DEFAULTS
from tests.e2e.support import serving
from tests.support.relay import Relay

NEW = NewItem(item_type="book", title="An atlas of quiet rivers", description="With maps.")


@pytest.fixture
def relay(vllm_url: str) -> Iterator[Relay]:
    port = urlsplit(vllm_url).port
    assert port is not None
    with Relay(port) as passing:
        yield passing


def flags(relay: Relay) -> tuple[str, ...]:
    return ("--vllm-url", f"http://127.0.0.1:{relay.port}/v1")


def test_the_encoder_inside_the_process_steps_in(
    folder: Path, relay: Relay, onnx_encoder: Path
) -> None:
    spare = ("--fallback-featurizer", "onnx_text", "--onnx-text-folder", str(onnx_encoder))
    with serving(folder, *flags(relay), *spare) as client:
        before = client.embed_item(NEW)
        relay.cut()
        during = client.embed_item(NEW)
        relay.restore()
        time.sleep(DEFAULTS.first_rest_s)
        after = client.embed_item(NEW)
    assert [each.featurizer.partition(":")[0] for each in (before, during, after)] == [
        "vllm",
        "onnx_text",
        "vllm",
    ]
    assert [warning.code for warning in during.warnings] == [WarningCode.FALLBACK_FEATURIZER]
    assert not before.warnings
    assert not after.warnings
    assert before.space_id == during.space_id
    assert during.similarity(before) >= 0.999
    assert after.similarity(before) >= 0.999


def test_without_it_new_items_have_to_wait_and_nothing_else_does(
    folder: Path, relay: Relay
) -> None:
    with serving(folder, *flags(relay)) as client:
        before = client.recommend("u000", k=5)
        client.embed_item(NEW)
        relay.cut()
        with pytest.raises(nearfield.UnavailableError) as caught:
            client.embed_item(NEW, timeout_s=5)
        assert caught.value.retry_delay_s is not None
        assert caught.value.retry_delay_s > 0
        during = client.recommend("u000", k=5)
        assert [hit.item_id for hit in during.hits] == [hit.item_id for hit in before.hits]
        assert client.embed_item("book-001").provenance is Provenance.GRAPH
        relay.restore()
        time.sleep(DEFAULTS.first_rest_s)
        assert client.embed_item(NEW).provenance is Provenance.TEXT_ONLY
