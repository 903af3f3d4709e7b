import pytest

from nearfield import ArgumentError, Client
from nearfield.addresses import addresses_of, stays_here


@pytest.mark.parametrize(
    ("target", "addresses"),
    [
        ("a:1", ("a:1",)),
        ("a:1, b:2", ("a:1", "b:2")),
        (["a:1", "b:2"], ("a:1", "b:2")),
        ("dns:///a:1", ("dns:///a:1",)),
        ("ipv4:10.0.0.1:1,10.0.0.2:1", ("ipv4:10.0.0.1:1,10.0.0.2:1",)),
        ("[::1]:1,a:2", ("[::1]:1", "a:2")),
    ],
)
def test_target_names_addresses(target: str | list[str], addresses: tuple[str, ...]) -> None:
    assert addresses_of(target) == addresses


@pytest.mark.parametrize("target", ["", "a:1,", [], ["a:1", " "], "a:1,a:1"])
def test_target_that_names_none_or_one_twice_is_refused(target: str | list[str]) -> None:
    with pytest.raises(ArgumentError, match=r"^target: expected"):
        Client(target)


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
