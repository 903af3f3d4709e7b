import http.client
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from server.errors import PortTakenError
from server.telemetry import http as http_module
from server.telemetry.exposition import Page, ProcessExposition
from server.telemetry.http import MOST_CONNECTIONS, MetricsServer, metrics_server
from server.telemetry.metrics import Metrics
from server.telemetry.settings import TelemetrySettings


class Readiness:
    """Says what it is told to."""

    def __init__(self) -> None:
        self.missing = ""

    def __call__(self) -> str:
        return self.missing


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
def server(readiness: Readiness) -> Iterator[MetricsServer]:
    metrics = Metrics()
    metrics.workers(3)
    with MetricsServer("127.0.0.1", 0, ProcessExposition(metrics), readiness) as running:
        yield running


@pytest.fixture
def client(server: MetricsServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as made:
        yield made


def test_metrics_are_there(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "\nnearfield_workers 3.0\n" in answer.text
    assert client.get("/metrics?name=x").status_code == 200


def test_ready_is_said_with_what_is_missing_and_alive_without(
    client: httpx.Client, readiness: Readiness
) -> None:
    assert (client.get("/readyz").status_code, client.get("/readyz").text) == (200, "ready\n")
    readiness.missing = "draining"
    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").text == "draining\n"
    assert client.get("/livez").status_code == 200


def test_head_has_no_body(client: httpx.Client) -> None:
    answer = client.head("/metrics")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 100
    assert answer.content == b""


def test_other_paths_and_methods_are_refused(client: httpx.Client) -> None:
    assert client.get("/").status_code == 404
    assert client.get("/../etc/passwd").status_code == 404
    assert client.post("/metrics", content=b"x").status_code == 501
    assert "python" not in client.get("/").headers["server"].lower()


def test_nonsense_and_a_client_that_leaves_harm_nobody(
    server: MetricsServer, client: httpx.Client
) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"GET / HT")
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\r\n\r\n")
        raw.recv(1000)
    assert client.get("/livez").status_code == 200


def test_however_many_connect_threads_are_few_and_the_next_one_is_answered(
    server: MetricsServer, client: httpx.Client
) -> None:
    before = threading.active_count()
    with ExitStack() as stack:
        for _ in range(3 * MOST_CONNECTIONS):
            silent = socket.create_connection(("127.0.0.1", server.port))
            stack.enter_context(silent).sendall(b"GET /metrics HTTP/1.0\r\n")
        assert client.get("/livez").status_code == 200
        assert threading.active_count() <= before + MOST_CONNECTIONS
        assert client.get("/metrics").status_code == 200


def test_client_that_asks_bit_by_bit_is_let_go(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "PATIENCE_S", 0.2)
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.settimeout(0.05)
        until = time.monotonic() + 20
        ended = False
        while not ended and time.monotonic() < until:
            try:
                slow.sendall(b"GET /metrics ")
                ended = slow.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
        assert ended


def test_client_that_does_not_read_is_let_go(
    readiness: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Long:
        def page(self, accept: str) -> Page:
            return Page(b"x" * 50_000_000, "text/plain")

    monkeypatch.setattr(http_module, "PATIENCE_S", 0.2)
    before = threading.active_count()
    with ExitStack() as stack:
        running = stack.enter_context(MetricsServer("127.0.0.1", 0, Long(), readiness))
        silent = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
        silent.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        until = time.monotonic() + 20
        while threading.active_count() < before + 2 and time.monotonic() < until:
            time.sleep(0.01)
        while threading.active_count() > before + 1 and time.monotonic() < until:
            time.sleep(0.01)
        assert threading.active_count() == before + 1


def test_what_cannot_be_written_is_told_to_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def page(self, accept: str) -> Page:
            raise RuntimeError("sesame")

    caplog.set_level(logging.ERROR)
    with MetricsServer("127.0.0.1", 0, Broken(), lambda: "") as running:
        answer = httpx.get(f"http://127.0.0.1:{running.port}/metrics")
    assert answer.status_code == 500
    assert "sesame" not in answer.text
    assert "sesame" in caplog.text


def test_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"127.0.0.1:{port}"):
            MetricsServer("127.0.0.1", port, ProcessExposition(Metrics()), lambda: "")


def test_version_6_is_spoken_where_there_is_any() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with MetricsServer("::1", 0, ProcessExposition(Metrics()), lambda: "") as running:
        connection = http.client.HTTPConnection("::1", running.port, timeout=10)
        connection.request("GET", "/livez")
        assert connection.getresponse().status == 200
        connection.close()


def test_no_port_is_no_server() -> None:
    exposition = ProcessExposition(Metrics())
    with metrics_server(TelemetrySettings(), exposition, lambda: "") as nothing:
        assert nothing is None
    with metrics_server(TelemetrySettings(metrics_port=0), exposition, lambda: "") as running:
        assert isinstance(running, MetricsServer)
        assert running.port > 0
