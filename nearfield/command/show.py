"""What the command writes: rows of a table, or a document a line."""

import json
import sys
from collections.abc import Iterable, Sequence

from nearfield.command.plain import flat, plain
from nearfield.command.table import Table
from nearfield.results import (
    AnswerWarning,
    Embedding,
    Hit,
    ItemEmbedding,
    Recommendations,
    SimilarItems,
    UserEmbedding,
)
from nearfield.server_info import ServerInfo

SHOWN_NUMBERS = 4
"""Numbers of a vector that a table shows."""

ITEMS = ("item_id", "item_type", "provenance", "neighbours", "vector")
USERS = ("user_id", "provenance", "history_events", "vector")
HITS = ("rank", "score", "item_id", "item_type", "provenance", "title")
PATHS = (*HITS, "because of")


class Shown:
    """Writes answers to stdout: as JSON at once, as a table when it ends."""

    def __init__(self, heading: Sequence[str], *, as_json: bool) -> None:
        self._table = None if as_json else Table(heading, sys.stdout.write)

    def answer(self, answer: object, rows: Iterable[Sequence[object]]) -> None:
        """Write one answer: the document, or its rows."""
        if self._table is None:
            document = json.dumps(plain(answer), ensure_ascii=False)
            sys.stdout.write(document + "\n")
            return
        for row in rows:
            self._table.add(row)

    def end(self) -> None:
        """Write what is left."""
        if self._table is not None:
            self._table.end()
        sys.stdout.flush()


def complain(message: str) -> None:
    """Say on one line what went wrong."""
    sys.stderr.write(f"nearfield: {' '.join(message.split())}\n")


def warn(warnings: Iterable[AnswerWarning]) -> None:
    """Say what was odd about a request."""
    for warning in warnings:
        about = f" ({', '.join(warning.values)})" if warning.values else ""
        complain(f"warning: {warning.code.name}: {warning.message}{about}")


def embedding_row(found: ItemEmbedding | UserEmbedding) -> Sequence[object]:
    """Write an embedding as a row."""
    provenance = found.provenance.name.lower()
    if isinstance(found, ItemEmbedding):
        return found.item_id, found.item_type, provenance, found.neighbours, _vector(found)
    return found.user_id, provenance, found.history_events, _vector(found)


def hit_rows(found: Recommendations | SimilarItems, *, explained: bool) -> list[list[object]]:
    """Write hits as rows, those of one type after those of another where they are grouped."""
    lists = list(found.groups.values()) if found.groups else [found.hits]
    return [
        _hit_row(rank, hit, explained=explained)
        for hits in lists
        for rank, hit in enumerate(hits, start=1)
    ]


def info_rows(found: ServerInfo) -> list[Sequence[object]]:
    """Write every field as a row."""
    return list(flat(plain(found)).items())


def _hit_row(rank: int, hit: Hit, *, explained: bool) -> list[object]:
    row = [rank, hit.score, hit.item_id, hit.item_type, hit.provenance.name.lower(), hit.title]
    if explained:
        paths = [path.history_item_title or path.history_item_id for path in hit.explanation]
        row.append(", ".join(paths))
    return row


def _vector(found: Embedding) -> str:
    first = " ".join(f"{number:.4f}" for number in found.vector[:SHOWN_NUMBERS])
    left = len(found.vector) - SHOWN_NUMBERS
    return f"{first} and {left} more" if left > 0 else first
