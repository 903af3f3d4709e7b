from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from features.errors import FeatureError, FeaturizerUnavailable, FeaturizerUnreachable
from features.proxies import Proxy, proxy_of
from features.vllm import VllmFeaturizer, VllmSettings
from tests.support.embeddings_stub import MODEL, EmbeddingsStub
from tests.support.proxy import VARIABLES, RefusingProxy

SETTINGS = VllmSettings("http://encoder.invalid/v1", MODEL, retries=0, timeout_s=5)
NAMED = {"http_proxy": "http://proxy:3128"}
FOUND = Proxy("http_proxy", "http://proxy:3128")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[RefusingProxy]:
    with RefusingProxy() as proxy:
        proxy.name(monkeypatch, *VARIABLES)
        yield proxy


def embed(settings: VllmSettings) -> None:
    with closing(VllmFeaturizer(settings, rng=np.random.default_rng(1))) as featurizer:
        featurizer.embed(["Emma"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_vllm_on_this_machine_is_reached_without_the_proxy(proxy: RefusingProxy, host: str) -> None:
    with EmbeddingsStub().running() as stub:
        embed(replace(SETTINGS, base_url=stub.url.replace("127.0.0.1", host)))

        assert len(stub.requests) == 1
    assert proxy.asked == []


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_vllm_elsewhere_is_asked_by_way_of_the_proxy_and_its_error_says_so(
    proxy: RefusingProxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    proxy.name(monkeypatch, variable)

    with pytest.raises(FeaturizerUnavailable, match=f"the proxy that {variable} names.*502"):
        embed(SETTINGS)

    assert proxy.asked == ["POST http://encoder.invalid/v1/embeddings HTTP/1.1"]


def test_proxy_that_makes_no_connection_is_told_as_no_connection(proxy: RefusingProxy) -> None:
    with pytest.raises(FeaturizerUnreachable, match=r"the proxy that https_proxy names.*502"):
        embed(replace(SETTINGS, base_url="https://encoder.invalid/v1"))

    assert proxy.asked == ["CONNECT encoder.invalid:443 HTTP/1.1"]


def test_vllm_that_no_proxy_names_is_reached_without(
    proxy: RefusingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", ".invalid")

    with pytest.raises(FeaturizerUnreachable) as caught:
        embed(SETTINGS)

    assert "proxy" not in str(caught.value)
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("url", "environment", "found"),
    [
        ("http://a.example", {}, None),
        ("http://a.example", NAMED, FOUND),
        ("https://a.example", NAMED, None),
        ("http://a.example", {**NAMED, "HTTP_PROXY": "http://other"}, FOUND),
        ("http://a.example", {"http_proxy": "", "HTTP_PROXY": "http://other"}, None),
        ("http://a.example", {"all_proxy": "proxy:3128"}, Proxy("all_proxy", FOUND.url)),
        ("http://a.example", {**NAMED, "NO_PROXY": "example"}, None),
        ("http://a.example:8000", {**NAMED, "no_proxy": "a.example:8000"}, None),
        ("http://a.example", {**NAMED, "no_proxy": "*"}, None),
        ("http://a.example", {**NAMED, "no_proxy": "b.example"}, FOUND),
    ],
)
def test_proxy_on_the_way_is_the_one_that_the_environment_names(
    url: str, environment: dict[str, str], found: Proxy | None
) -> None:
    assert proxy_of(url, environment) == found


@pytest.mark.parametrize("value", ["socks5://user:secret@proxy", "http://"])
def test_what_is_no_proxy_for_http_is_refused_without_its_password(value: str) -> None:
    with pytest.raises(FeatureError, match=r"^all_proxy must be") as caught:
        proxy_of("http://a.example", {"all_proxy": value})

    assert "secret" not in str(caught.value)


def test_password_of_a_proxy_is_not_shown() -> None:
    assert "secret" not in repr(proxy_of("http://a", {"http_proxy": "http://user:secret@proxy"}))
