"""HTML entities in what is read of an item are decoded once, and it is said."""

from pathlib import Path

import polars as pl

from features.schema import ItemRecord, compose_text
from tables.folder import read_dataset
from tests.tables.folders import NOW, events_table, items_table, write_folder


def test_entities_are_decoded_in_the_text_and_in_the_title_that_is_shown(tmp_path: Path) -> None:
    items = items_table("b1", "b2").with_columns(
        title=pl.Series(["Tom &amp; Jerry &#039;s", "AT&T &notit; Q&A"]),
        description=pl.Series(["&lt;b&gt; &amp;lt; &#xe9;", None]),
        creator=pl.Series(["Simon &amp; Garfunkel", ""]),
        genres=pl.Series(["Children&#39;s|Drama", ""]),
    )
    write_folder(tmp_path, items=items, interactions=events_table([("ann", "b1", 1)]))
    dataset = read_dataset(tmp_path, strict=True, now=NOW)
    assert dataset.items["title"].to_list() == ["Tom & Jerry 's", "AT&T &notit; Q&A"]
    assert dataset.items["description"].to_list() == ["<b> &lt; é", ""]
    assert dataset.items["genres"].to_list() == [["Children's", "Drama"], []]
    text = compose_text(ItemRecord.from_row(dataset.items.row(0, named=True)))
    assert text == "Tom & Jerry 's. Children's, Drama. Simon & Garfunkel. <b> &lt; é."
    (notice,) = dataset.problems.notices
    assert notice == (
        "items.parquet: HTML entities decoded: title in 1 row, genres in 1 row, creator in 1 row, "
        "description in 1 row"
    )


def test_a_title_of_blanks_written_as_entities_is_no_text(tmp_path: Path) -> None:
    items = items_table("b1", "b2").with_columns(title=pl.Series(["one", "&nbsp;&#8203;"]))
    write_folder(tmp_path, items=items, interactions=events_table([("ann", "b1", 1)]))
    (problem,) = read_dataset(tmp_path, strict=False, now=NOW).problems.kinds
    assert problem.kind == "item_without_text"
    assert "title '&nbsp;&#8203;'" in problem.examples[0]
