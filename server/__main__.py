"""`python -m server`: start workers and keep them answering; `check` asks a server that does."""

import os
import sys

if __name__ == "__main__" and sys.argv[1:2] == ["check"]:
    # Before all that serving imports, which takes a second and more. What gRPC itself would write
    # of a connection that failed is in the answer.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from server.check import main as check

    sys.exit(check(sys.argv[2:]))

import asyncio
import logging
from contextlib import AsyncExitStack

from pydantic import ValidationError
from pydantic_settings import CliApp, SettingsError

from export.generation import GenerationError
from server.errors import StartError
from server.exits import WRONG_SETTINGS, status_of
from server.security.gate import open_gate
from server.settings import Settings
from server.supervision.admin import AdminApp
from server.supervision.control import WorkerError
from server.supervision.process import Programs
from server.supervision.supervisor import Supervisor, signalled, supervise


def main(arguments: list[str], *, programs: Programs | None = None) -> int:
    """Run the server and return its exit status."""
    try:
        settings = CliApp.run(Settings, cli_args=arguments)
    except ValidationError as error:
        for problem in error.errors():
            _complain(f"{_flag(problem['loc'])}: {problem['msg']}")
        return WRONG_SETTINGS
    except SettingsError as error:
        _complain(str(error))
        return WRONG_SETTINGS
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        open_gate(settings.security, settings.host)  # so that what is wrong with it is told once
        asyncio.run(_run(settings, arguments, programs or Programs()))
    except (GenerationError, StartError) as error:
        _complain(str(error))
        return status_of(error)
    except WorkerError as error:
        _complain(str(error))
        return error.status
    return 0


async def _run(settings: Settings, arguments: list[str], programs: Programs) -> None:
    supervisor = Supervisor(settings, arguments, programs)
    async with AsyncExitStack() as stack:
        if settings.admin_port is not None:
            admin = AdminApp(supervisor, settings)
            await admin.start()
            stack.push_async_callback(admin.stop)
        await supervise(supervisor, until=signalled)


def _flag(location: tuple[int | str, ...]) -> str:
    """Name a setting as a flag."""
    return "--" + ".".join(str(part).replace("_", "-") for part in location)


def _complain(message: str) -> None:
    sys.stderr.write(f"server: {message}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
