import sys

import pytest

from demo.process import Command, CommandError, free_port
from demo.run import wait_for_answer
from nearfield import NO_RETRY, Client


def test_a_server_that_ends_while_starting_is_reported_at_once() -> None:
    command = [sys.executable, "-c", "raise SystemExit(1)"]
    with (
        Command(command) as server,
        Client(f"127.0.0.1:{free_port()}", retry=NO_RETRY) as client,
        pytest.raises(CommandError, match="ended before it answered"),
    ):
        wait_for_answer(server, client)
