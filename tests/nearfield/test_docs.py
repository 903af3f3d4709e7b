"""The page is right: its examples run, its commands print what it says, its tables are complete."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nearfield
from nearfield.command.exits import EXITS
from nearfield.testing import FakeServer
from tests.nearfield.conftest import ROOT

PAGE = ROOT / "docs" / "sdk.md"
TEXT = PAGE.read_text("utf-8")
LEFT_OUT = "…"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def test_every_block_is_one_that_is_run() -> None:
    fences = re.findall(r"^```(\w*)$", TEXT, flags=re.MULTILINE)

    assert set(fences) == {"python", "console", ""}
    assert (fences.count("python"), fences.count("console")) == (13, 1)


def test_examples_of_the_page_run_one_after_the_other(server: FakeServer) -> None:
    names: dict[str, Any] = {"__name__": "examples"}
    with FakeServer() as other:
        for number, example in enumerate(blocks("python")):
            aimed = example.replace("localhost:50051", server.target)
            aimed = aimed.replace("localhost:50052", other.target)
            exec(compile(aimed, f"{PAGE.name}, example {number}", "exec"), names)

    assert names["vectors"].keys() == {0, 2}


def test_commands_of_the_page_print_what_it_says(server: FakeServer) -> None:
    """Run the whole block in one shell, as a reader would, with a line between the commands."""
    (block,) = blocks("console")
    commands = re.findall(r"^\$ (.*)$", block, flags=re.MULTILINE)
    expected = [each.strip() for each in re.split(r"^\$ .*$", block, flags=re.MULTILINE)[1:]]
    between = "echo; echo ====;"
    script = "".join(f"{command}\n{between}\n" for command in commands)

    done = subprocess.run(
        ["bash"],
        input=script.replace("localhost:50051", server.target),
        cwd=ROOT,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=100,
    )

    printed = [each.strip() for each in done.stdout.split("\n====\n")[:-1]]
    assert len(printed) == len(commands) > 5
    for command, shown, real in zip(commands, expected, printed, strict=True):
        pattern = re.escape(shown).replace(LEFT_OUT, ".*")
        assert re.fullmatch(pattern, real), f"{command}\n{real}"


def test_table_of_calls_names_every_method() -> None:
    named = set(re.findall(r"`(\w+)\(", TEXT.split("## What can be asked")[1]))
    methods = {name for name in vars(nearfield.Client) if not name.startswith("_")}

    assert methods - {"close"} <= named


def test_table_of_exit_statuses_is_that_of_the_command() -> None:
    told = dict(re.findall(r"^\| (\d+) \| (.*) \|$", TEXT, flags=re.MULTILINE))

    assert told == {str(status): meaning for status, meaning in EXITS.items()}
