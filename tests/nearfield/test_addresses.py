import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from nearfield import ArgumentError, AsyncClient, Client
from nearfield.addresses import addresses_of, stays_here
from nearfield.testing.health import FakeHealth
from tests.nearfield.conftest import Connect


@pytest.mark.parametrize(
    ("target", "addresses"),
    [
        ("a:1", ("a:1",)),
        ("a:1, b:2", ("a:1", "b:2")),
        (["a:1", "b:2"], ("a:1", "b:2")),
        ("dns:///a:1", ("dns:///a:1",)),
        ("ipv4:10.0.0.1:1,10.0.0.2:1", ("ipv4:10.0.0.1:1,10.0.0.2:1",)),
        ("[::1]:1,a:2", ("[::1]:1", "a:2")),
        ("a", ("a:50051",)),
        ("a, b:2,10.0.0.1", ("a:50051", "b:2", "10.0.0.1:50051")),
        (["::1", "[::2]", "[::3]:7"], ("[::1]:50051", "[::2]:50051", "[::3]:7")),
        ("fe80::1%eth0", ("[fe80::1%eth0]:50051",)),
        ("dns:a", ("dns:a:50051",)),
        ("dns:///a", ("dns:///a:50051",)),
        ("dns://8.8.8.8/a", ("dns://8.8.8.8/a:50051",)),
        ("ipv4:10.0.0.1,10.0.0.2:1", ("ipv4:10.0.0.1:50051,10.0.0.2:1",)),
        ("ipv6:[::1],[::2]:1", ("ipv6:[::1]:50051,[::2]:1",)),
        ("unix:/run/nearfield", ("unix:/run/nearfield",)),
        ("unix-abstract:nearfield", ("unix-abstract:nearfield",)),
        ("xds:///nearfield", ("xds:///nearfield",)),
    ],
)
def test_target_names_addresses(target: str | list[str], addresses: tuple[str, ...]) -> None:
    assert addresses_of(target) == addresses


@pytest.mark.parametrize("target", ["", "a:1,", [], ["a:1", " "], "a:1,a:1", "a,a:50051"])
def test_target_that_names_none_or_one_twice_is_refused(target: str | list[str]) -> None:
    with pytest.raises(ArgumentError, match=r"^target: expected"):
        Client(target)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("ipv4:localhost:50051", "an IP address after ipv4:, got 'localhost:50051'; a name goes"),
        ("ipv6:10.0.0.1:1", "an IP address after ipv6:"),
        ("http://localhost:50051", "HOST or HOST:PORT, got 'http://localhost:50051'"),
        ("localhost:50051/", "a port from 1 to 65535"),
        ("/run/nearfield", "HOST or HOST:PORT"),
        ("dns:///", "HOST or HOST:PORT"),
        ("a:1:2", "HOST or HOST:PORT"),
        ("[::1", "HOST or HOST:PORT"),
        ("[::1]50051", "HOST or HOST:PORT"),
        ("a:", "a port from 1 to 65535"),
        ("a:http", "a port"),
        ("a:0", "a port"),
        ("a:65536", "a port"),
        (":50051", "HOST or HOST:PORT"),
        ("a b:1", "HOST or HOST:PORT"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_is_no_address_is_refused_with_what_was_expected(
    kind: type[Client | AsyncClient], target: str, expected: str
) -> None:
    with pytest.raises(ArgumentError, match=f"^target: expected {re.escape(expected)}"):
        kind(target)


def test_other_ports_are_put_in_where_another_is_usual() -> None:
    assert addresses_of(["a", "b:1"], 50052) == ("a:50052", "b:1")


@pytest.mark.parametrize("form", ["unix:{}", "unix://{}"])
def test_server_on_a_unix_socket_is_reached(connect: Connect, tmp_path: Path, form: str) -> None:
    target = form.format(tmp_path / "socket")
    health = FakeHealth()
    health.serving = True
    served = grpc.server(ThreadPoolExecutor(1))
    served.add_generic_rpc_handlers([health])
    served.add_insecure_port(target)
    served.start()
    try:
        connect(target).wait_until_ready(10.0)
    finally:
        served.stop(None).wait()


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("localhost:1", True),
        ("LOCALHOST", True),
        ("127.3.2.1:1", True),
        ("[::1]:1", True),
        ("::1", True),
        ("unix:/run/nearfield", True),
        ("dns:///localhost:1", True),
        ("dns://8.8.8.8/localhost:1", True),
        ("ipv4:127.0.0.1:1,127.0.0.2:1", True),
        ("ipv4:127.0.0.1:1,10.0.0.1:1", False),
        ("10.0.0.1:1", False),
        ("localhost.example.org:1", False),
        ("dns:///example.org:1", False),
        ("xds:///localhost", False),
    ],
)
def test_what_stays_on_this_machine_is_told_from_what_does_not(address: str, here: bool) -> None:
    assert stays_here(address) is here
