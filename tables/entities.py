"""HTML entities in what people and encoders read of an item: `Tom &amp; Jerry`."""

import html
import re
from dataclasses import replace
from html.entities import html5

import polars as pl

from features.schema import TEXT_FIELDS
from tables.problems import rows_of
from tables.read import Table

_ENTITY = "&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"


def decode_entities(items: Table) -> Table:
    """Decode the entities in the text fields, once: `&amp;lt;` becomes `&lt;`.

    What is no entity stays, such as `AT&T` and `Q&A;`.
    """
    frame, decoded = items.frame, []
    for name in TEXT_FIELDS:
        texts = frame.filter(pl.col(name).str.contains(_ENTITY))[name]
        now = {text: _decode(text) for text in texts.unique()}
        changed = int((texts != texts.replace(now)).sum()) if len(texts) else 0
        if changed:
            frame = frame.with_columns(pl.col(name).replace(now))
            decoded.append(f"{name} in {rows_of(changed)}")
    if not decoded:
        return items
    notice = f"{items.file}: HTML entities decoded: {', '.join(decoded)}"
    return replace(items, frame=frame, notices=(*items.notices, notice))


def _decode(text: str) -> str:
    return re.sub(_ENTITY, lambda found: _character(found[0]), text)


def _character(entity: str) -> str:
    """Decode one entity; by itself `unescape` would take `&notit;` for `&not` and `it;`."""
    known = entity.startswith("&#") or entity[1:] in html5
    return html.unescape(entity) if known else entity
