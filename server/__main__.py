"""`python -m server`: read the settings, open the generation, serve; `check` asks one that does."""

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
from collections.abc import Callable

from pydantic import ValidationError
from pydantic_settings import CliApp, SettingsError

from export.generation import Generation, GenerationError, read
from retrieval.errors import RetrievalError
from server.app import App, serve, signalled
from server.engine import Engine
from server.errors import PortTakenError, StartError
from server.featurizers import open_texts
from server.security.errors import ExposedError
from server.security.gate import open_gate
from server.settings import Settings
from server.texts import Texts

WRONG_SETTINGS = 2
WRONG_GENERATION = 3
PORT_TAKEN = 4
CANNOT_START = 5


def open_generation(settings: Settings) -> Generation:
    """Open the generation that the settings name."""
    return read(settings.generation, verify=settings.verify)


def main(
    arguments: list[str], *, open_generation: Callable[[Settings], Generation] = open_generation
) -> int:
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
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        open_gate(settings.security, settings.host)
        _run(settings, open_generation(settings))
    except ExposedError as error:
        _complain(str(error))
        return WRONG_SETTINGS
    except (GenerationError, RetrievalError) as error:
        _complain(str(error))
        return WRONG_GENERATION
    except PortTakenError as error:
        _complain(str(error))
        return PORT_TAKEN
    except StartError as error:
        _complain(str(error))
        return CANNOT_START
    return 0


def _run(settings: Settings, generation: Generation) -> None:
    engine = Engine(
        generation,
        settings.limits,
        choice=settings.execution_provider,
        threads=settings.model_threads,
    )
    texts = open_texts(settings, generation.manifest.featurizer)
    asyncio.run(_serve(engine, texts, settings))


async def _serve(engine: Engine, texts: Texts, settings: Settings) -> None:
    await serve(App(engine, texts, settings), until=signalled)


def _flag(location: tuple[int | str, ...]) -> str:
    """Name a setting as a flag."""
    return "--" + ".".join(str(part).replace("_", "-") for part in location)


def _complain(message: str) -> None:
    sys.stderr.write(f"server: {message}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
