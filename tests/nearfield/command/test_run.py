"""The command as a process, against a fake and against a real server."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import grpc
import pytest

import nearfield
from nearfield import Reason, Recommendations, Status
from nearfield.command.exits import EXIT_OF_CODE, EXITS
from nearfield.command.table import BLOCK
from nearfield.errors import CLASS_OF_CODE
from nearfield.testing import FakeServer, Method, status_of
from nearfield.v1 import embedding_pb2, recommendation_pb2, types_pb2
from tests.nearfield.certificates import Authority
from tests.nearfield.conftest import ROOT
from tests.nearfield.test_several_servers import ENDS_SOON_S
from tests.server.test_main import serving
from tests.support.generation import write_tiny_generation

Command = Callable[..., "subprocess.CompletedProcess[str]"]

ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith("NEARFIELD_")
}
START = [sys.executable, "-W", "error", "-m", "nearfield"]


def run(
    *arguments: str, stdin: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*START, *arguments],
        cwd=ROOT,
        env={**ENVIRONMENT, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def command(server: FakeServer) -> Command:
    def command(
        *arguments: str, stdin: str | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return run(*arguments, stdin=stdin, **{"NEARFIELD_TARGET": server.target, **environment})

    return command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_generation(tmp_path)


def answered(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def complaint(done: subprocess.CompletedProcess[str], status: int) -> str:
    """Give the one line on stderr of a command that ended with `status`."""
    assert done.returncode == status, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("nearfield: ")
    return line


def test_recommendations_are_a_table_whose_columns_are_aligned(command: Command) -> None:
    heading, *rows = answered(command("recommend", "user-7", "--k", "3")).splitlines()

    assert heading.split() == ["RANK", "SCORE", "ITEM_ID", "ITEM_TYPE", "PROVENANCE", "TITLE"]
    assert [row.split()[2] for row in rows] == ["book-14", "podcast-8", "podcast-0"]
    starts = {row.index(row.split()[2]) for row in rows} | {heading.index("ITEM_ID")}
    assert len(starts) == 1


def test_every_argument_of_recommend_is_sent(server: FakeServer, command: Command) -> None:
    given = "recommend --k 3 user-7 --history book-1 book-2 --country SE --age-bucket 25-34"
    more = "--gender F --only film --include film-1 film-2 --exclude film-2 --per-type"

    done = command(*given.split(), *more.split(), "--keep-seen", "--explain", "--timeout", "7")

    assert done.returncode == 0
    (call,) = server.calls(Method.RECOMMEND)
    assert isinstance(call.request, recommendation_pb2.RecommendRequest)
    call.request.ClearField("request_id")
    assert call.timeout_s == pytest.approx(7.0, abs=1.0)
    assert call.request == recommendation_pb2.RecommendRequest(
        user=types_pb2.UserInput(
            user_id="user-7",
            history=[
                types_pb2.HistoryEvent(item_id=item_id, signal=types_pb2.SIGNAL_STRONG)
                for item_id in ("book-1", "book-2")
            ],
            demographics=types_pb2.Demographics(country="SE", age_bucket="25-34", gender="F"),
        ),
        k=3,
        filter=recommendation_pb2.ItemFilter(
            item_types=["film"], include_item_ids=["film-1", "film-2"], exclude_item_ids=["film-2"]
        ),
        drop_seen=False,
        grouping=types_pb2.GROUPING_PER_TYPE,
        explain=True,
        include_titles=True,
    )


def test_json_has_every_field_of_the_answer(command: Command) -> None:
    (line,) = answered(command("recommend", "user-7", "-k", "2", "--json")).splitlines()

    found = json.loads(line)
    assert [hit["item_id"] for hit in found["hits"]] == ["book-14", "podcast-8"]
    assert found["provenance"] == "graph"
    assert found["info"]["generation"] == "fake-generation"
    assert set(found) == {each.name for each in fields(Recommendations)}
    assert {"hits", "groups", "degradation", "next_page_token", "seed"} < set(found)


def test_hits_of_each_type_are_ranked_and_explained(command: Command) -> None:
    rows = answered(command("recommend", "user-7", "-k", "2", "--per-type", "--explain"))

    _, *lines = rows.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2"] * 3
    assert all(line.endswith("Podcast number 7") for line in lines)


def test_new_item_is_a_query(server: FakeServer, command: Command) -> None:
    given = ("--type", "book", "--title", "Dune", "--genre", "sand", "science fiction")
    more = ("--creator", "Herbert", "--year", "1965", "--language", "en", "--description", "Worms.")

    answered(command("similar", *given, *more, "--related", "book-1", "book-2", "-k", "1"))

    (call,) = server.calls(Method.FIND_SIMILAR_ITEMS)
    assert isinstance(call.request, recommendation_pb2.FindSimilarItemsRequest)
    assert call.request.new_item == types_pb2.NewItem(
        item_type="book",
        title="Dune",
        description="Worms.",
        genres=["sand", "science fiction"],
        language="en",
        creator="Herbert",
        year=1965,
        related_item_ids=["book-1", "book-2"],
    )


def test_similar_items_are_a_table(command: Command) -> None:
    _, row = answered(command("similar", "book-3", "-k", "1")).splitlines()

    assert row.split() == "1 0.7705 podcast-2 podcast graph Podcast number 2".split()  # noqa: SIM905


def test_vectors_are_whole_in_json_and_short_in_a_table(
    server: FakeServer, command: Command
) -> None:
    table = answered(command("embed-item", "book-1", "book-2")).splitlines()
    lines = answered(command("embed-item", "book-1", "book-2", "--json")).splitlines()

    assert [row.split()[0] for row in table] == ["ITEM_ID", "book-1", "book-2"]
    assert table[1].endswith(" and 4 more")
    for line in lines:
        found = json.loads(line)
        assert found["vector"] == server.world.vector(found["item_id"]).tolist()


def test_ids_come_from_stdin_in_any_number(command: Command) -> None:
    asked = [f"user-{n % 10}" for n in range(3 * BLOCK)]

    _, *rows = answered(command("embed-user", "-", stdin="\n\n".join(asked) + "\n")).splitlines()

    assert [row.split()[0] for row in rows] == asked


def test_person_without_an_id_is_described(server: FakeServer, command: Command) -> None:
    answered(command("embed-user", "--history", "book-1", "book-2"))

    (call,) = server.calls(Method.BATCH_EMBED_USERS)
    assert isinstance(call.request, embedding_pb2.BatchEmbedUsersRequest)
    (asked,) = call.request.requests
    assert (asked.user.user_id, len(asked.user.history)) == ("", 2)


def test_new_item_is_embedded(command: Command) -> None:
    _, row = answered(command("embed-item", "--type", "book", "--title", "Dune")).splitlines()

    assert row.split()[:4] == ["-", "book", "text_only", "0"]


def test_info_has_every_limit(command: Command) -> None:
    table = dict(line.split(maxsplit=1) for line in answered(command("info")).splitlines())
    found = json.loads(answered(command("info", "--json")))

    assert table["limits.max_k"] == "1000"
    assert found["limits"]["max_k"] == 1000
    assert found["generation"]["item_types"] == {"book": 20, "film": 20, "podcast": 20}


def test_warnings_go_to_stderr(command: Command) -> None:
    done = command("recommend", "--history", "book-1", "nothing", "-k", "1")

    assert done.returncode == 0
    assert "warning: UNKNOWN_HISTORY_ITEMS" in done.stderr
    assert "(nothing)" in done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_error_is_one_line_with_reason_and_request_id(command: Command) -> None:
    line = complaint(command("similar", "nothing"), 3)

    assert re.search(r"NOT_FOUND \(ITEM_UNKNOWN\): .* \[request \w+\]$", line)


def test_error_of_one_id_costs_no_other(command: Command) -> None:
    done = command("embed-item", "book-1", "nothing", "book-2", "--json")

    assert "nothing: NOT_FOUND (ITEM_UNKNOWN)" in complaint(done, 3)
    assert [json.loads(line)["item_id"] for line in done.stdout.splitlines()] == [
        "book-1",
        "book-2",
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (status_of(Reason.REQUEST_INVALID), 2),
        (status_of(Reason.USER_UNKNOWN), 3),
        (Status(grpc.StatusCode.UNAUTHENTICATED, "who?\nyou?"), 4),
        (status_of(Reason.OVERLOADED, retry_delay_s=60.0), 5),
        (status_of(Reason.FAULT), 1),
    ],
    ids=lambda value: value.code.name if isinstance(value, Status) else value,
)
def test_exit_status_says_what_kind_of_error_it_was(
    server: FakeServer, command: Command, status: Status, expected: int
) -> None:
    server.fail(Method.RECOMMEND, status)

    complaint(command("recommend", "user-1"), expected)


def test_every_exit_status_is_explained() -> None:
    help_text = answered(run("--help"))

    assert set(EXIT_OF_CODE.values()) <= EXITS.keys()
    assert EXIT_OF_CODE.keys() <= CLASS_OF_CODE.keys()
    for status, meaning in EXITS.items():
        assert re.search(rf"^  {status} +{re.escape(meaning)}$", help_text, re.MULTILINE)


@pytest.mark.parametrize(
    "given",
    [
        "embed-item",
        "embed-item book-1 --type book",
        "embed-user",
        "embed-user user-1 user-2 --country SE",
        "embed-user - --country SE",
        "similar",
        "similar book-1 --type book",
        "recommend user-1 --timeout x",
        "recommend user-1 --timeout 0",
        "recommend user-1 --metadata x",
        "recommend user-1 --cert x",
        "recommend user-1 --ca nothing.pem",
        "recommend user-1 user-2",
        "nothing",
    ],
)
def test_wrong_arguments_are_one_line(server: FakeServer, command: Command, given: str) -> None:
    complaint(command(*given.split()), 2)

    assert not any(server.calls(method) for method in Method)


def test_server_that_is_away_is_told(tmp_path: Path) -> None:
    with FakeServer() as gone:
        pass

    assert "UNAVAILABLE" in complaint(run("info", "--target", gone.target), 5)


def test_server_that_does_not_serve_is_waited_for(server: FakeServer, command: Command) -> None:
    server.serving = False

    assert "it says NOT_SERVING" in complaint(command("info", "--wait", "0.3"), 5)
    server.serving = True
    answered(command("info", "--wait", "20"))


def test_key_comes_from_the_environment_or_the_arguments(
    server: FakeServer, command: Command
) -> None:
    answered(command("info"))
    answered(command("info", NEARFIELD_API_KEY="from-environment"))
    answered(command("info", "--api-key", "given", NEARFIELD_API_KEY="from-environment"))
    answered(command("info", "--metadata", "x-tenant=a=b"))

    sent = [call.metadata for call in server.calls(Method.GET_SERVER_INFO)]
    assert [each.get("authorization") for each in sent] == [
        None,
        "Bearer from-environment",
        "Bearer given",
        None,
    ]
    assert sent[3]["x-tenant"] == "a=b"


def test_key_is_not_sent_in_the_clear_and_not_shown() -> None:
    done = run("info", "--target", "example.org:1", NEARFIELD_API_KEY="secret")

    assert "secret" not in complaint(done, 2)


def test_tls_is_mutual_where_files_are_given(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
    authority, stranger = Authority(ours), Authority(theirs)
    certificate, key = authority.sign("server")
    own, own_key = authority.sign("caller")
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())], authority.file.read_bytes(), True
    )
    proof = ("--cert", str(own), "--key", str(own_key))
    with FakeServer(credentials=credentials) as server:
        asked = ("info", "--target", f"localhost:{server.port}", "--timeout", "1")

        answered(run(*asked, "--ca", str(authority.file), *proof))
        complaint(run(*asked, "--ca", str(stranger.file), *proof), 5)
        complaint(run(*asked, "--ca", str(authority.file)), 5)
        complaint(run(*asked), 5)


def test_reader_who_leaves_ends_the_command_without_a_word(server: FakeServer) -> None:
    with subprocess.Popen(
        [*START, "embed-item", "-", "--json"],
        cwd=ROOT,
        env={**ENVIRONMENT, "NEARFIELD_TARGET": server.target},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        try:
            process.stdin.write("book-1\n" * 5000)
            process.stdin.close()
        except BrokenPipeError:
            pass

        assert process.wait(ENDS_SOON_S) == 141
        assert process.stderr.read() == ""


def test_interrupted_command_ends_as_shells_expect(server: FakeServer) -> None:
    server.delay(Method.GET_SERVER_INFO, 60.0)
    with subprocess.Popen(
        [*START, "info", "--timeout", "60"],
        cwd=ROOT,
        env={**ENVIRONMENT, "NEARFIELD_TARGET": server.target},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until = time.monotonic() + ENDS_SOON_S
        while not server.calls(Method.GET_SERVER_INFO) and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)

        out, err = process.communicate(timeout=ENDS_SOON_S)

    assert (process.returncode, out, err) == (130, "", "")


def test_version_is_the_packages() -> None:
    assert answered(run("--version")) == f"nearfield {nearfield.__version__}\n"


def test_real_server_is_asked(folder: Path) -> None:
    with serving(folder, "--featurizer", "none") as (_, port):
        environment = {"NEARFIELD_TARGET": f"127.0.0.1:{port}"}
        answered(run("info", "--wait", "20", **environment))
        (line,) = answered(run("embed-item", "podcast-01", "--json", **environment)).splitlines()
        table = answered(run("recommend", "user-0", "-k", "2", **environment))

        assert json.loads(line)["item_id"] == "podcast-01"
        assert len(table.splitlines()) == 3
        complaint(run("similar", "nothing", **environment), 3)


def test_real_server_knows_its_callers_by_their_keys(folder: Path, tmp_path: Path) -> None:
    callers = tmp_path / "callers.jsonl"
    make = ("new", "--file", str(callers), "--name", "shop", "--role", "inference")
    made = subprocess.run(
        [sys.executable, "-m", "server.security.keys", *make],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    guarded = ("--security.authentication", "required", "--security.callers-file", str(callers))
    with serving(folder, "--featurizer", "none", *guarded) as (_, port):
        asked = ("recommend", "user-0", "-k", "2", "--wait", "20", "--target", f"127.0.0.1:{port}")

        answered(run(*asked, NEARFIELD_API_KEY=made.stdout.strip()))
        assert "CREDENTIALS_MISSING" in complaint(run(*asked), 4)
        assert "CREDENTIALS_INVALID" in complaint(run(*asked, NEARFIELD_API_KEY="nf_a_b"), 4)
