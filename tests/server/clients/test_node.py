"""A client in Node, which knows the protos and nothing else of this project."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from server.engine import Engine
from tests.server.clients.support import COMMON, PROTOS, leave_out, run, tool
from tests.server.support import Client, make_settings, running

NODE_CLIENT = Path(__file__).parent / "node"
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
REQUEST = {"user": {"user_id": "user-1"}, "k": 3, "include_titles": True}


@pytest.fixture(scope="module")
def client_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, beside packages that npm has installed for it."""
    tool("node", "nodejs (Debian)")
    npm = tool("npm", "npm (Debian)")
    folder = tmp_path_factory.mktemp("clients") / "node"
    shutil.copytree(NODE_CLIENT, folder, ignore=shutil.ignore_patterns("node_modules"))
    done = subprocess.run([npm, *INSTALL], cwd=folder, capture_output=True, text=True, timeout=100)
    if done.returncode:
        leave_out(f"npm could not install what package-lock.json names: {done.stderr[-500:]}")
    return folder / "client.js"


async def ask(
    client: Client, file: Path, *calls: Mapping[str, object]
) -> Sequence[Mapping[str, Any]]:
    """Let the client make some calls."""
    address = f"127.0.0.1:{client.app.port}"
    done = await run("node", file, address, PROTOS, COMMON, given=json.dumps(calls))
    assert (done.code, done.err) == (0, "")
    results: Sequence[Mapping[str, Any]] = json.loads(done.out)
    return results


def test_packages_are_locked_by_their_hashes_and_come_from_wherever_npm_looks() -> None:
    locked = json.loads((NODE_CLIENT / "package-lock.json").read_text("utf-8"))["packages"]
    named = json.loads((NODE_CLIENT / "package.json").read_text("utf-8"))["dependencies"]
    assert locked.pop("")["dependencies"] == named
    assert {name: locked[f"node_modules/{name}"]["version"] for name in named} == named
    assert all("integrity" in each and "resolved" not in each for each in locked.values())


async def test_node_is_answered_with_gzip_as_without(engine: Engine, client_file: Path) -> None:
    async with running(engine) as client:
        plain, compressed = await ask(
            client,
            client_file,
            {"request": REQUEST, "gzip": False},
            {"request": REQUEST, "gzip": True},
        )
    hits = plain["answer"]["recommendation"]["hits"]
    assert len(hits) == 3
    assert all(hit["item_id"] and hit["title"] for hit in hits)
    assert plain["answer"]["info"]["generation"] == engine.generation.name
    assert compressed["answer"]["recommendation"] == plain["answer"]["recommendation"]


async def test_node_reads_what_is_wrong_from_the_trailers(
    engine: Engine, client_file: Path
) -> None:
    most = make_settings().limits.max_request_bytes
    async with running(engine) as client:
        wrong, long = await ask(
            client,
            client_file,
            {"request": {**REQUEST, "k": -1}, "gzip": False},
            {"request": {"request_id": "x" * most}, "gzip": True},  # a few KB on the wire
        )
    for failed in (wrong, long):
        assert failed["code"] == "INVALID_ARGUMENT"
        assert failed["details"]["google.rpc.ErrorInfo"]["domain"] == "nearfield"
        assert failed["details"]["google.rpc.ErrorInfo"]["reason"] == "REQUEST_INVALID"
    (violation,) = wrong["details"]["google.rpc.BadRequest"]["field_violations"]
    assert violation["field"] == "k"
    assert "got -1" in violation["description"]
    (violation,) = long["details"]["google.rpc.BadRequest"]["field_violations"]
    assert violation["field"] == "request"
    assert f"at most {most} bytes once it is decompressed" in violation["description"]
