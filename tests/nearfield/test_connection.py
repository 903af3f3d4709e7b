"""Who calls whom: TLS, mutual TLS, tokens, and what is said with each call."""

import contextvars
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import grpc
import pytest

import nearfield
from nearfield import ArgumentError, Connection, Tls
from nearfield.testing import FakeServer, Method
from tests.nearfield.certificates import Authority
from tests.nearfield.conftest import Connect

TRACE: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="none")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=[False, True], ids=["tls", "mutual tls"])
def mutual(request: pytest.FixtureRequest) -> bool:
    asked: bool = request.param
    return asked


@pytest.fixture
def secure(authority: Authority, mutual: bool) -> Iterator[FakeServer]:
    certificate, key = authority.sign("server")
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        authority.file.read_bytes() if mutual else None,
        require_client_auth=mutual,
    )
    with FakeServer(credentials=credentials) as server:
        yield server


def test_server_is_believed_whose_authority_is_known(
    secure: FakeServer, authority: Authority, connect: Connect
) -> None:
    certificate, key = authority.sign("caller")
    tls = Tls(ca=authority.file, certificate=certificate, key=key)
    both = [f"localhost:{secure.port}", secure.target]
    client = connect(both, connection=Connection(tls=tls, token="secret"))

    assert [client.embed_item("book-1").item_id for _ in range(4)] == ["book-1"] * 4
    assert secure.calls(Method.EMBED_ITEM)[0].metadata["authorization"] == "Bearer secret"


def test_server_of_another_authority_is_not_believed(
    secure: FakeServer, tmp_path: Path, connect: Connect
) -> None:
    stranger = Authority(tmp_path)
    client = connect(secure.target, connection=Connection(tls=Tls(ca=stranger.file)))

    with pytest.raises(nearfield.UnavailableError):
        client.embed_item("book-1", timeout_s=5.0)

    assert secure.calls(Method.EMBED_ITEM) == ()


@pytest.mark.parametrize("mutual", [True], indirect=True)
def test_caller_without_a_certificate_is_turned_away(
    secure: FakeServer, authority: Authority, connect: Connect
) -> None:
    client = connect(secure.target, connection=Connection(tls=Tls(ca=authority.file)))

    with pytest.raises(nearfield.UnavailableError):
        client.embed_item("book-1", timeout_s=5.0)

    assert secure.calls(Method.EMBED_ITEM) == ()


def test_token_goes_to_this_machine_without_tls(server: FakeServer, connect: Connect) -> None:
    connect(connection=Connection(token="secret")).embed_items(["book-1"])

    for method in (Method.GET_SERVER_INFO, Method.BATCH_EMBED_ITEMS):
        (call,) = server.calls(method)
        assert call.metadata["authorization"] == "Bearer secret"


def test_token_does_not_go_to_another_machine_without_tls(connect: Connect) -> None:
    with pytest.raises(ArgumentError, match=r"^token: expected tls .* example.org:1 is not local"):
        connect(["localhost:1", "example.org:1"], connection=Connection(token="secret"))


def test_token_is_not_shown() -> None:
    connection = Connection(token="secret", metadata=[("x-api-key", "secret")])

    assert "secret" not in repr(connection)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "schlüssel"])
def test_token_that_no_header_can_hold_is_refused(token: str) -> None:
    with pytest.raises(ArgumentError, match=r"^token: expected printable"):
        Connection(token=token)


def test_tls_in_two_ways_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"^tls: expected tls or credentials, got both"):
        Connection(tls=Tls(), credentials=grpc.ssl_channel_credentials())


def test_half_a_proof_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"^key: expected certificate and key"):
        Tls(certificate=tmp_path)
    with pytest.raises(ArgumentError, match=r"^certificate: expected certificate and key"):
        Tls(key=tmp_path)


def test_file_that_cannot_be_read_is_named(tmp_path: Path, connect: Connect) -> None:
    tls = Tls(ca=tmp_path / "nothing.pem")

    with pytest.raises(ArgumentError, match=r"^ca: expected a file in PEM, got .*nothing\.pem"):
        connect(connection=Connection(tls=tls))


def test_metadata_of_a_call_is_asked_for_in_its_context(
    server: FakeServer, connect: Connect
) -> None:
    asked: list[str] = []

    def of_call(path: str) -> Iterable[tuple[str, str]]:
        asked.append(path)
        return [("traceparent", TRACE.get())]

    client = connect(connection=Connection(metadata=[("a", "b")], metadata_of_call=of_call))
    for trace in ("first", "second"):
        token = TRACE.set(trace)
        client.embed_item("book-1")
        TRACE.reset(token)

    sent = [call.metadata for call in server.calls(Method.EMBED_ITEM)]
    assert [each["traceparent"] for each in sent] == ["first", "second"]
    assert [each["a"] for each in sent] == ["b", "b"]
    assert asked == [Method.EMBED_ITEM] * 2


def test_metadata_of_a_streams_calls_is_asked_for_in_its_consumers_context(
    server: FakeServer,
) -> None:
    connection = Connection(metadata_of_call=lambda path: [("traceparent", TRACE.get())])
    token = TRACE.set("stream")
    with nearfield.Client(server.target, connection=connection) as client:
        list(client.embed_items_stream(["book-1", "book-2"], chunk=1))
    TRACE.reset(token)

    sent = server.calls(Method.BATCH_EMBED_ITEMS)
    assert [call.metadata["traceparent"] for call in sent] == ["stream"] * 2


def refused(path: str) -> Iterable[tuple[str, str]]:
    raise LookupError("no token")


@pytest.mark.parametrize(
    "ask", [lambda client: client.embed_item("book-1"), lambda client: client.embed_items(["a"])]
)
def test_error_of_what_gives_metadata_is_the_calls(
    server: FakeServer, connect: Connect, ask: Callable[[nearfield.Client], object]
) -> None:
    client = connect(connection=Connection(metadata_of_call=refused))

    with pytest.raises(LookupError, match="no token"):
        ask(client)

    assert server.calls(Method.EMBED_ITEM) == ()
