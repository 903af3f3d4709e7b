"""Start workers by the settings, and supervise them until the server is told to end."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from export.generation import GenerationError
from server.addresses import is_unix, resolve
from server.connections import raise_descriptor_limit
from server.errors import StartError
from server.exits import status_of
from server.security.gate import open_gate
from server.settings import Settings
from server.supervision.admin import AdminApp
from server.supervision.control import WorkerError
from server.supervision.counts import Counts
from server.supervision.process import Programs
from server.supervision.supervisor import Supervisor, signalled, supervise
from server.telemetry.exposition import shared_folder
from server.telemetry.http import metrics_server
from server.telemetry.process import Telemetry


def start(settings: Settings, arguments: list[str], programs: Programs | None) -> int:
    """Serve until a signal comes, and return the exit status."""
    with shared_folder() as folder, Telemetry(settings.telemetry, folder=folder) as telemetry:
        return _start(settings, arguments, programs or Programs(), telemetry, folder)


def _start(
    settings: Settings,
    arguments: list[str],
    programs: Programs,
    telemetry: Telemetry,
    folder: Path,
) -> int:
    try:
        raise_descriptor_limit()
        _check_doors(settings)
        counts = Counts(telemetry.metrics, folder)
        supervisor = Supervisor(settings, arguments, programs, counts=counts)
        with metrics_server(settings.telemetry, counts.exposition, supervisor.missing):
            asyncio.run(_run(supervisor, settings, telemetry))
    except (GenerationError, StartError) as error:
        _complain(str(error))
        return status_of(error)
    except WorkerError as error:
        _complain(str(error))
        return error.status
    return 0


def _check_doors(settings: Settings) -> None:
    """Tell what is wrong with the addresses and the files of security, once for all processes."""
    hosts = [settings.host]
    if settings.admin_port is not None:
        hosts.append(settings.admin_host)
    for host in hosts:
        if not is_unix(host):
            resolve(host, 0)
        open_gate(settings.security, host)


async def _run(supervisor: Supervisor, settings: Settings, telemetry: Telemetry) -> None:
    async with AsyncExitStack() as stack:
        if settings.admin_port is not None:
            watchers = telemetry.watchers(asyncio.get_running_loop().time)
            admin = AdminApp(supervisor, settings, watchers=watchers)
            await admin.start()
            stack.push_async_callback(admin.stop)
        await supervise(supervisor, until=signalled)


def _complain(message: str) -> None:
    sys.stderr.write(f"server: {message}\n")
