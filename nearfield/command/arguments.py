"""The arguments of the command, and what they become."""

import argparse
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from nearfield.command.exits import EXITS, WRONG
from nearfield.connection import Connection
from nearfield.enums import Grouping
from nearfield.inputs import Event, ItemFilter, NewItem, User
from nearfield.tls import Tls
from nearfield.version import __version__

PROGRAM = "python -m nearfield"
TARGET, API_KEY = "NEARFIELD_TARGET", "NEARFIELD_API_KEY"
USUAL_TARGET = "localhost:50051"

ABOUT: Mapping[str, str] = MappingProxyType(
    {
        "embed-item": "Give the vectors of items: known ones by their ids, or a new one.",
        "embed-user": "Give the vectors of people: known ones by their ids, or one described.",
        "recommend": "Give the items that suit a person best.",
        "similar": "Give the known items nearest to a known one or a new one.",
        "info": "Say what the server is, holds and allows.",
    }
)
"""The commands."""


class OneLineParser(ArgumentParser):
    """Says what is wrong on one line, like every other error of the command."""

    def error(self, message: str) -> NoReturn:
        """End the program."""
        self.exit(WRONG, f"nearfield: {message} ({self.prog} --help says more)\n")


def parse(arguments: Sequence[str]) -> Namespace:
    """Read the arguments; what is wrong or asks for help ends the program, as argparse does."""
    parser = OneLineParser(
        PROGRAM,
        description="Ask a nearfield server.",
        epilog="\n".join(
            [
                "commands:",
                *(f"  {name:<12}{about}" for name, about in ABOUT.items()),
                f"\n{PROGRAM} COMMAND --help explains a command.\n\nexit status:",
                *(f"  {status:<12}{meaning}" for status, meaning in EXITS.items()),
            ]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nearfield {__version__}")
    parser.add_argument("command", choices=ABOUT, metavar="COMMAND", help="see below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="its arguments")
    chosen = parser.parse_args(arguments)
    own = OneLineParser(f"{PROGRAM} {chosen.command}", description=ABOUT[chosen.command])
    _PARTS[chosen.command](own)
    _connects(own)
    given = own.parse_intermixed_args(chosen.arguments)
    given.command = chosen.command
    return given


def connection(given: Namespace) -> Connection:
    """Make the options of the connection."""
    files = (given.ca, given.cert, given.key)
    return Connection(
        tls=Tls(*files) if given.tls or any(files) else None,
        token=os.environ.get(API_KEY, "") if given.api_key is None else given.api_key,
        metadata=given.metadata,
    )


def new_item(given: Namespace) -> NewItem | None:
    """Make the new item; None where no type of one is given."""
    if given.type is None:
        return None
    return NewItem(
        given.type,
        title=given.title,
        description=given.description,
        genres=given.genre,
        language=given.language,
        creator=given.creator,
        year=given.year,
        related_item_ids=given.related,
    )


def user(given: Namespace, user_id: str) -> User:
    """Make the person."""
    return User(
        user_id,
        history=[Event(item_id) for item_id in given.history],
        country=given.country,
        age_bucket=given.age_bucket,
        gender=given.gender,
    )


def described(given: Namespace) -> bool:
    """Tell whether something is said of the person beside the id."""
    return any((given.history, given.country, given.age_bucket, given.gender))


def item_filter(given: Namespace) -> ItemFilter:
    """Make the filter."""
    return ItemFilter(item_types=given.only, include=given.include, exclude=given.exclude)


def grouping(given: Namespace) -> Grouping:
    """Make the grouping."""
    return Grouping.PER_TYPE if given.per_type else Grouping.SINGLE_LIST


def _connects(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("server")
    group.add_argument(
        "--target",
        default=os.environ.get(TARGET) or USUAL_TARGET,
        help=f"address of the server, or several with commas ({TARGET}; usually {USUAL_TARGET})",
    )
    group.add_argument(
        "--timeout", type=float, default=10.0, metavar="S", help="seconds for each call (10)"
    )
    group.add_argument(
        "--wait", type=float, metavar="S", help="wait up to as many seconds until it serves"
    )
    group.add_argument(
        "--api-key",
        metavar="KEY",
        help=f"sent as a bearer token; better given as {API_KEY}, which no list of processes shows",
    )
    group.add_argument(
        "--metadata",
        type=_pair,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="sent with each call; may be given again",
    )
    group.add_argument("--tls", action="store_true", help="TLS, with the usual authorities")
    group.add_argument("--ca", type=Path, metavar="FILE", help="TLS, with these authorities (PEM)")
    group.add_argument("--cert", type=Path, metavar="FILE", help="own certificate for mutual TLS")
    group.add_argument("--key", type=Path, metavar="FILE", help="its private key")
    parser.add_argument("--json", action="store_true", help="JSON, one document a line")


def _pair(text: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not key or not mark:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got {text!r}")
    return key, value


def _describes_item(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("new item")
    group.add_argument("--type", help="type of a new item; the rest describes it")
    for name in ("title", "description", "language", "creator"):
        group.add_argument(f"--{name}", default="")
    group.add_argument("--genre", nargs="+", default=[])
    group.add_argument("--year", type=int)
    group.add_argument(
        "--related", nargs="+", default=[], metavar="ID", help="known items, best first"
    )


def _describes_user(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("person")
    group.add_argument(
        "--history", nargs="+", default=[], metavar="ID", help="what they chose, oldest first"
    )
    for name in ("country", "age-bucket", "gender"):
        group.add_argument(f"--{name}", default="")


def _chooses(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("answer")
    group.add_argument("-k", "--k", type=int, help="how many items; for each type if --per-type")
    group.add_argument("--only", nargs="+", default=[], metavar="TYPE", help="these types alone")
    group.add_argument("--include", nargs="+", default=[], metavar="ID", help="these items alone")
    group.add_argument("--exclude", nargs="+", default=[], metavar="ID", help="none of these items")
    group.add_argument("--per-type", action="store_true", help="a list for each type")


def _embed_item(parser: ArgumentParser) -> None:
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="known items; - reads ids from stdin, one a line"
    )
    _describes_item(parser)


def _embed_user(parser: ArgumentParser) -> None:
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="known users; - reads ids from stdin, one a line"
    )
    _describes_user(parser)


def _recommend(parser: ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", default="", metavar="ID", help="a known user")
    _describes_user(parser)
    _chooses(parser)
    parser.add_argument("--keep-seen", action="store_true", help="do not leave out what they chose")
    parser.add_argument("--explain", action="store_true", help="say what joins it to the history")


def _similar(parser: ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", default="", metavar="ID", help="a known item")
    _describes_item(parser)
    _chooses(parser)


def _info(parser: ArgumentParser) -> None:
    """Take no arguments of its own."""


_PARTS: Mapping[str, Callable[[ArgumentParser], None]] = MappingProxyType(
    {
        "embed-item": _embed_item,
        "embed-user": _embed_user,
        "recommend": _recommend,
        "similar": _similar,
        "info": _info,
    }
)
