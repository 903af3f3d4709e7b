from collections.abc import Iterator

import pytest

import nearfield
from nearfield.command.run import main as ask
from nearfield.proxies import proxy_of
from nearfield.testing import FakeServer
from server.operate import REFUSED
from server.operate import main as operate
from tests.nearfield.conftest import QUICK, Connect
from tests.nearfield.test_ready import free_port
from tests.support.proxy import VARIABLES, RefusingProxy

ELSEWHERE = "nearfield.invalid"
NAMED = {"http_proxy": "http://proxy:3128"}


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[RefusingProxy]:
    """Make all variables name it."""
    with RefusingProxy() as proxy:
        proxy.name(monkeypatch, *VARIABLES)
        yield proxy


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "dns:///localhost", "ipv4:127.0.0.1"])
def test_server_on_this_machine_is_reached_without_the_proxy(
    server: FakeServer, connect: Connect, proxy: RefusingProxy, host: str
) -> None:
    found = connect(f"{host}:{server.port}", retry=QUICK).embed_item("book-1")

    assert found.item_id == "book-1"
    assert proxy.asked == []


def test_of_several_servers_those_on_this_machine_are_reached_without_the_proxy(
    server: FakeServer, connect: Connect, proxy: RefusingProxy
) -> None:
    client = connect([server.target, ELSEWHERE], retry=QUICK)

    for _ in range(4):
        assert client.embed_item("book-1").item_id == "book-1"

    assert set(proxy.asked) == {f"CONNECT {ELSEWHERE}:50051 HTTP/1.1"}


@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
def test_server_elsewhere_is_asked_by_way_of_the_proxy_and_its_error_says_so(
    connect: Connect, proxy: RefusingProxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    proxy.name(monkeypatch, variable)

    with pytest.raises(nearfield.UnavailableError) as caught:
        connect(ELSEWHERE, retry=nearfield.NO_RETRY).embed_item("book-1")

    assert "502" in caught.value.message
    assert f"(by way of the proxy that {variable} names)" in str(caught.value)
    assert proxy.url not in str(caught.value)
    assert caught.value.unsent
    assert set(proxy.asked) == {f"CONNECT {ELSEWHERE}:50051 HTTP/1.1"}


@pytest.mark.parametrize("spared", [".invalid", "*", "a.example, NEARFIELD.invalid"])
def test_server_that_no_proxy_names_is_reached_without(
    connect: Connect, proxy: RefusingProxy, monkeypatch: pytest.MonkeyPatch, spared: str
) -> None:
    monkeypatch.setenv("no_proxy", spared)

    with pytest.raises(nearfield.UnavailableError) as caught:
        connect(ELSEWHERE, retry=nearfield.NO_RETRY).embed_item("book-1")

    assert "proxy" not in str(caught.value)
    assert proxy.asked == []


def test_command_reaches_this_machine_without_the_proxy(
    server: FakeServer, proxy: RefusingProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(["info", "--target", f"localhost:{server.port}"]) == 0
    assert ask(["info", "--target", ELSEWHERE, "--timeout", "0.1"]) == 5

    assert "the proxy that grpc_proxy names" in capsys.readouterr().err
    assert set(proxy.asked) == {f"CONNECT {ELSEWHERE}:50051 HTTP/1.1"}


def test_operators_reach_this_machine_without_the_proxy(
    proxy: RefusingProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert operate(["--target", f"localhost:{free_port()}", "list"]) == REFUSED
    assert "Connection refused" in capsys.readouterr().err
    assert proxy.asked == []

    assert operate(["--target", ELSEWHERE, "list"]) == REFUSED
    assert "the proxy that grpc_proxy names" in capsys.readouterr().err
    assert set(proxy.asked) == {f"CONNECT {ELSEWHERE}:50052 HTTP/1.1"}


@pytest.mark.parametrize(
    ("address", "environment", "variable"),
    [
        ("a.example:1", {}, ""),
        ("a.example:1", NAMED, "http_proxy"),
        ("a.example:1", {**NAMED, "https_proxy": "http://p:1"}, "https_proxy"),
        ("a.example:1", {**NAMED, "grpc_proxy": ""}, ""),
        ("a.example:1", {"http_proxy": "https://p:1"}, ""),
        ("a.example:1", {"http_proxy": "p:1"}, ""),
        ("a.example:1", {**NAMED, "no_proxy": "example"}, ""),
        ("a.example:1", {**NAMED, "no_proxy": "b.example"}, "http_proxy"),
        ("a.example:1", {**NAMED, "no_grpc_proxy": "", "no_proxy": "example"}, "http_proxy"),
        ("10.1.2.3:1", {**NAMED, "no_proxy": "10.0.0.0/8"}, ""),
        ("11.1.2.3:1", {**NAMED, "no_proxy": "10.0.0.0/8,"}, "http_proxy"),
        ("[fd00::1]:1", {**NAMED, "no_proxy": "fd00::/8"}, ""),
        ("ipv4:10.1.2.3:1,11.1.2.3:1", {**NAMED, "no_proxy": "10.0.0.0/8"}, "http_proxy"),
        ("127.9.9.9:1", NAMED, ""),
        ("[::1]:1", NAMED, ""),
        ("unix:/run/nearfield", NAMED, ""),
        ("unix-abstract:nearfield", NAMED, ""),
        ("vsock:3:1", NAMED, ""),
        ("dns://8.8.8.8/a.example:1", NAMED, "http_proxy"),
    ],
)
def test_proxy_on_the_way_is_the_one_that_grpc_would_use_except_to_this_machine(
    address: str, environment: dict[str, str], variable: str
) -> None:
    assert proxy_of(address, environment) == variable
