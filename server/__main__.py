"""`python -m server`: start workers and keep them answering; `check` asks a server that does."""

import os
import sys

if __name__ == "__main__" and sys.argv[1:2] == ["check"]:
    # Before all that serving imports, which takes a second and more. What gRPC itself would write
    # of a connection that failed is in the answer.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from server.check import main as check

    sys.exit(check(sys.argv[2:]))

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_settings import CliApp, SettingsError

from server.exit_codes import WRONG_SETTINGS
from server.settings import Settings

if TYPE_CHECKING:
    from server.supervision.process import Programs


def main(arguments: list[str], *, programs: "Programs | None" = None) -> int:
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
    # What serving needs takes a second to import, and `--help` and wrong settings need none of it.
    status: int = resolve_name("server.start:start")(settings, arguments, programs)
    return status


def _flag(location: tuple[int | str, ...]) -> str:
    """Name a setting as a flag."""
    return "--" + ".".join(str(part).replace("_", "-") for part in location)


def _complain(message: str) -> None:
    sys.stderr.write(f"server: {message}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
