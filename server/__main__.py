"""`python -m server`: read the settings, open the generation, serve."""

import asyncio
import sys
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
from server.telemetry.exposition import ProcessExposition
from server.telemetry.http import metrics_server
from server.telemetry.process import Telemetry
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
    with Telemetry(settings.telemetry) as telemetry:
        return _start(settings, open_generation, telemetry)


def _start(
    settings: Settings, open_generation: Callable[[Settings], Generation], telemetry: Telemetry
) -> int:
    try:
        open_gate(settings.security, settings.host)
        _run(settings, open_generation(settings), telemetry)
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


def _run(settings: Settings, generation: Generation, telemetry: Telemetry) -> None:
    engine = Engine(
        generation,
        settings.limits,
        choice=settings.execution_provider,
        threads=settings.model_threads,
    )
    texts = open_texts(settings, generation.manifest.featurizer, metrics=telemetry.metrics)
    asyncio.run(_serve(engine, texts, settings, telemetry))


async def _serve(engine: Engine, texts: Texts, settings: Settings, telemetry: Telemetry) -> None:
    watchers = telemetry.watchers(asyncio.get_running_loop().time)
    app = App(engine, texts, settings, watchers=watchers, metrics=telemetry.metrics)
    telemetry.answers_from(engine.generation.manifest)
    telemetry.metrics.workers(1)
    scraped = ProcessExposition(telemetry.metrics)
    async with telemetry.looking(app.certificate):
        with metrics_server(settings.telemetry, scraped, lambda: app.missing):
            await serve(app, until=signalled)


def _flag(location: tuple[int | str, ...]) -> str:
    """Name a setting as a flag."""
    return "--" + ".".join(str(part).replace("_", "-") for part in location)


def _complain(message: str) -> None:
    sys.stderr.write(f"server: {message}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
