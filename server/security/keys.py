"""Let callers in and out: the commands on the file of callers.

KEY=$(python -m server.security.keys new --file FILE --name shop --role inference)
python -m server.security.keys certificate --file FILE --name shop --role inference \
    --id uri:spiffe://example.org/shop
python -m server.security.keys list --file FILE
python -m server.security.keys revoke --file FILE ID

A running server follows within a second.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from server.errors import StartError
from server.security.api_keys import make_key
from server.security.callers import CallerLimits, Role
from server.security.callers_file import (
    CertificateLine,
    KeyLine,
    Line,
    edit_lines,
    read_lines,
)

REFUSED = 1
HEADINGS = ("id", "name", "roles", "state", "created", "expires", "limits")


class RefusedError(StartError):
    """A command cannot be carried out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; 0 when done, 1 with a message on standard error when it cannot be."""
    options = _parser().parse_args(arguments)
    try:
        COMMANDS[options.command](options)
    except ValidationError as error:
        for problem in error.errors():
            where = "-".join(str(part) for part in problem["loc"][-1:]).replace("_", "-")
            sys.stderr.write(f"error: --{where}: {problem['msg']}\n")
        return REFUSED
    except StartError as error:
        sys.stderr.write(f"error: {error}\n")
        return REFUSED
    return 0


def _new(options: argparse.Namespace) -> None:
    """Write the line of a new key, and the key itself to standard output, once."""
    made = make_key()
    line = KeyLine.model_validate({**_told(options), "id": made.id, "sha256": made.sha256})
    edit_lines(options.file, lambda lines: (*lines, line))
    sys.stderr.write(f"{line.id}: the key of {line.name} follows; it is not kept anywhere\n")
    sys.stdout.write(f"{made.key}\n")


def _certificate(options: argparse.Namespace) -> None:
    line = CertificateLine.model_validate({**_told(options), "id": options.id})

    def added(lines: tuple[Line, ...]) -> tuple[Line, ...]:
        kept = tuple(each for each in lines if each.id != line.id)
        if any(each.id == line.id and each.revoked is None for each in lines):
            raise RefusedError(f"{line.id}: it is in the file; revoke it first")
        return (*kept, line)

    edit_lines(options.file, added)


def _list(options: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    rows: list[tuple[str, ...]] = [HEADINGS]
    rows += [_row(line, now) for line in read_lines(options.file)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _revoke(options: argparse.Namespace) -> None:
    def revoked(lines: tuple[Line, ...]) -> list[Line]:
        if all(line.id != options.id for line in lines):
            raise RefusedError(f"{options.file}: expected an id that `list` shows")
        now = datetime.now(UTC).replace(microsecond=0)
        return [
            line.model_copy(update={"revoked": line.revoked or now})
            if line.id == options.id
            else line
            for line in lines
        ]

    edit_lines(options.file, revoked)


COMMANDS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "new": _new,
    "certificate": _certificate,
    "list": _list,
    "revoke": _revoke,
}


def _told(options: argparse.Namespace) -> dict[str, object]:
    """Return what the options say of a caller, as a line spells it."""
    created = datetime.now(UTC).replace(microsecond=0)
    days = options.expires_days
    return {
        "name": options.name,
        "roles": options.role,
        "created": created,
        "expires": None if days is None else created + timedelta(days=days),
        "limits": {name: getattr(options, name) for name in CallerLimits.model_fields},
    }


def _row(line: Line, now: datetime) -> tuple[str, ...]:
    expires = "never" if line.expires is None else f"{line.expires:%Y-%m-%d}"
    limits = line.limits.model_dump(exclude_none=True)
    return (
        line.id,
        line.name,
        ",".join(sorted(line.roles)),
        line.state(now),
        f"{line.created:%Y-%m-%d}",
        expires,
        " ".join(f"{name}={value:g}" for name, value in limits.items()) or "the server's",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m server.security.keys",
        description="Let callers in and out. A running server follows within a second.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="make an API key, and print it once")
    certificate = commands.add_parser("certificate", help="let a client certificate in")
    shown = commands.add_parser("list", help="show who is let in, without any secret")
    revoke = commands.add_parser("revoke", help="let somebody in no longer")
    for each in (new, certificate, shown, revoke):
        each.add_argument("--file", type=Path, required=True, help="the file of callers")
    for each in (new, certificate):
        _add_caller(each)
    certificate.add_argument(
        "--id", required=True, help="a name in it: uri:spiffe://…, dns:…, or cn:… without either"
    )
    revoke.add_argument("id", help="as `list` shows it")
    return parser


def _add_caller(command: argparse.ArgumentParser) -> None:
    command.add_argument("--name", required=True, help="who it is; limits and logs go by it")
    command.add_argument(
        "--role", action="append", required=True, choices=[*Role], help="again for another one"
    )
    command.add_argument("--expires-days", type=_days, help="days until it ends; default: never")
    for name, field in CallerLimits.model_fields.items():
        command.add_argument(f"--{name.replace('_', '-')}", help=field.description)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days <= 36500:
        raise argparse.ArgumentTypeError(f"expected a number of days up to 36500, got {text}")
    return days


if __name__ == "__main__":
    sys.exit(main())
