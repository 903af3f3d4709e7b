"""From the arguments of the command to its exit status."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from types import MappingProxyType
from typing import TypeVar

from nearfield.client import Client
from nearfield.command import arguments, show
from nearfield.command.exits import ANSWERED, INTERRUPTED, NO_READER, exit_of
from nearfield.errors import ArgumentError, NearfieldError
from nearfield.inputs import NewItem, User
from nearfield.results import ItemEmbedding, UserEmbedding

R = TypeVar("R", ItemEmbedding, UserEmbedding)

STDIN = ["-"]


def main(given: Sequence[str]) -> int:
    """Ask, write the answer, and give the exit status."""
    try:
        return _run(arguments.parse(given))
    except NearfieldError as error:
        show.complain(str(error))
        return exit_of(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is still in stdout's buffer would fail once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_READER


def _run(given: Namespace) -> int:
    with Client(given.target, connection=arguments.connection(given)) as client:
        if given.wait is not None:
            client.wait_until_ready(given.wait)
        return COMMANDS[given.command](client, given)


def _embed_item(client: Client, given: Namespace) -> int:
    new = arguments.new_item(given)
    if (new is None) == (not given.ids):
        raise ArgumentError("expected ids of items, or --type and what describes a new one")
    items: Iterable[str | NewItem] = _ids(given.ids) if new is None else [new]
    with closing(client.embed_items_stream(items, timeout_s=given.timeout)) as found:
        return _write_embeddings(show.ITEMS, found, given)


def _embed_user(client: Client, given: Namespace) -> int:
    told = arguments.described(given)
    if (not told and not given.ids) or (told and (len(given.ids) > 1 or given.ids == STDIN)):
        raise ArgumentError("expected ids of users, or what describes one, with an id or without")
    first = given.ids[0] if given.ids else ""
    people: Iterable[str | User] = [arguments.user(given, first)] if told else _ids(given.ids)
    with closing(client.embed_users_stream(people, timeout_s=given.timeout)) as found:
        return _write_embeddings(show.USERS, found, given)


def _recommend(client: Client, given: Namespace) -> int:
    found = client.recommend(
        arguments.user(given, given.id),
        k=given.k,
        items=arguments.item_filter(given),
        drop_seen=not given.keep_seen,
        grouping=arguments.grouping(given),
        explained=given.explain,
        titled=True,
        timeout_s=given.timeout,
    )
    heading = show.PATHS if given.explain else show.HITS
    show.warn(found.warnings)
    _write(heading, found, show.hit_rows(found, explained=given.explain), given)
    return ANSWERED


def _similar(client: Client, given: Namespace) -> int:
    new = arguments.new_item(given)
    if (new is None) == (not given.id):
        raise ArgumentError("expected the id of an item, or --type and what describes a new one")
    found = client.similar_items(
        new or given.id,
        k=given.k,
        items=arguments.item_filter(given),
        grouping=arguments.grouping(given),
        titled=True,
        timeout_s=given.timeout,
    )
    show.warn(found.warnings)
    _write(show.HITS, found, show.hit_rows(found, explained=False), given)
    return ANSWERED


def _info(client: Client, given: Namespace) -> int:
    found = client.server_info(timeout_s=given.timeout)
    _write(("field", "value"), found, show.info_rows(found), given)
    return ANSWERED


COMMANDS: Mapping[str, Callable[[Client, Namespace], int]] = MappingProxyType(
    {
        "embed-item": _embed_item,
        "embed-user": _embed_user,
        "recommend": _recommend,
        "similar": _similar,
        "info": _info,
    }
)


def _ids(given: list[str]) -> Iterator[str]:
    """Give the ids, or those of stdin, one a line; empty lines are none."""
    lines = (line.strip() for line in sys.stdin) if given == STDIN else given
    return (line for line in lines if line)


def _write(
    heading: Sequence[str], found: object, rows: Iterable[Sequence[object]], given: Namespace
) -> None:
    shown = show.Shown(heading, as_json=given.json)
    shown.answer(found, rows)
    shown.end()


def _write_embeddings(
    heading: Sequence[str],
    found: Iterable[tuple[object, R | NearfieldError]],
    given: Namespace,
) -> int:
    """Write what was found, and complain of each that was not; the first error decides."""
    shown, status = show.Shown(heading, as_json=given.json), ANSWERED
    for asked, outcome in found:
        if isinstance(outcome, NearfieldError):
            status = status or exit_of(outcome)
            show.complain(f"{asked}: {outcome}" if isinstance(asked, str) else str(outcome))
        else:
            show.warn(outcome.warnings)
            shown.answer(outcome, [show.embedding_row(outcome)])
    shown.end()
    return status
