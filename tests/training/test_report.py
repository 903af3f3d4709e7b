"""The tables that people read."""

import dataclasses
from pathlib import Path

from training.evaluate import CASES, COVERAGE, REPEATED, TIED, Measurement
from training.measurement import (
    HISTORY_SHARE,
    MISCALIBRATION,
    SHARE,
    TARGET_SHARE,
    UNSEEN_ITEMS,
)
from training.metrics import HIT_RATE, MRR_ALL, MRR_HIT, NDCG, RECALL, TOP
from training.report import Table, headlines, tables, to_markdown, to_terminal, write_markdown


def of(
    model: str, metric: str, value: float, *, part: str = "book", users: int = 1200
) -> Measurement:
    return Measurement(model, part, metric, value, value - 0.01, value + 0.01, users)


MEASUREMENTS = (
    Measurement(CASES, "book", TIED, 0.42, None, None, 1200),
    Measurement(CASES, "book", REPEATED, 0.0, None, None, 1200),
    of("popularity", HIT_RATE, 0.05),
    of("popularity", NDCG, 0.025),
    of("popularity", RECALL, 0.05),
    of("popularity", MRR_ALL, 0.02),
    of("popularity", MRR_HIT, 0.1),
    Measurement("popularity", "book", COVERAGE[TOP], 0.004, None, None, 1200),
    of("EASE", HIT_RATE, 0.11),
    of("EASE", RECALL, 0.11),
    of("EASE", HIT_RATE, 0.2, part="book / warm"),
)


def test_markdown_table_of_a_slice() -> None:
    (table,) = tables(MEASUREMENTS, slices=headlines(MEASUREMENTS))
    heading, blank, header, rule, first, second = to_markdown([table]).splitlines()
    assert heading == "### book (1,200 users, 42% tied targets)"
    assert blank == ""
    assert [cell.strip() for cell in header.strip("|").split("|")][:4] == [
        "model",
        "HR@10 [95%]",
        "NDCG@10 [95%]",
        "MRR (all users) [95%]",
    ]
    assert set(rule) == set("|-: ")
    assert "0.0500 [0.0400, 0.0600]" in first
    assert " 0.4% |" in first
    assert second.startswith("| EASE       | 0.1100 [0.1000, 0.1200] |")
    assert second.rstrip("|").split()[-1] == "-"
    assert len({len(line) for line in (header, rule, first, second)}) == 1


DIFFERENCES = tuple(
    Measurement("2T-HGNN - EASE", "book", metric, value, value - 0.02, value + 0.02, 1200)
    for metric, value in ((HIT_RATE, 0.05), (NDCG, 0.0), (MRR_ALL, -0.01))
)


def test_differences_have_a_table_of_their_own_after_that_of_their_slice() -> None:
    before = tables(MEASUREMENTS)
    first, differences, last = tables(MEASUREMENTS, DIFFERENCES)
    assert (first, last) == before
    assert differences.title == "book: differences, user by user (1,200 users)"
    assert differences.header == (
        "model - other",
        "HR@10 [95%]",
        "NDCG@10 [95%]",
        "MRR (all users) [95%]",
    )
    assert differences.rows == (
        (
            "2T-HGNN - EASE",
            "+0.0500 [+0.0300, +0.0700]",
            "+0.0000 [-0.0200, +0.0200]",
            "-0.0100 [-0.0300, +0.0100]",
        ),
    )
    assert tables(MEASUREMENTS, DIFFERENCES, slices=["book / warm"]) == (last,)


def test_a_difference_that_rounds_to_nothing_has_no_minus() -> None:
    difference = Measurement("a - b", "book", HIT_RATE, -0.00001, -0.01, -0.00004, 1)
    rest = [dataclasses.replace(difference, metric=metric) for metric in (NDCG, MRR_ALL)]
    _, table, _ = tables(MEASUREMENTS, [difference, *rest])
    assert table.title == "book: differences, user by user (1 user)"
    assert table.rows[0][1] == "+0.0000 [-0.0100, +0.0000]"


def test_a_bar_or_a_new_line_in_a_name_ends_no_cell() -> None:
    table = Table("a|b\n# c", ("model", "x|y"), (("one\ntwo", "0.5"), ("three", "1")))
    assert to_markdown([table]).splitlines() == [
        "### a|b # c",
        "",
        "| model   | x\\|y |",
        "| ------- | ---: |",
        "| one two |  0.5 |",
        "| three   |    1 |",
    ]


def test_the_unseen_items_alone_are_counted_in_the_title() -> None:
    described = Measurement(CASES, "unseen alone", UNSEEN_ITEMS, 9.0, None, None, 1)
    found = of("EASE", HIT_RATE, 0.1, part="unseen alone", users=1)
    (table,) = tables([described, found])
    assert table.title == "unseen alone (1 user, among 9 unseen items)"


def test_terminal_table_is_aligned_and_has_no_markup() -> None:
    title, blank, *lines = to_terminal(tables(MEASUREMENTS, slices=["book"])).splitlines()
    assert title == "book (1,200 users, 42% tied targets)"
    assert blank == ""
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert not {"|", "#"} & set("".join(lines))


def test_headlines_leave_out_slices_of_slices() -> None:
    assert headlines(MEASUREMENTS) == ("book",)
    assert [table.title for table in tables(MEASUREMENTS)][1] == "book / warm (1,200 users)"


def test_recall_has_a_column_only_where_it_differs_from_the_hit_rate() -> None:
    (same,) = tables(MEASUREMENTS, slices=["book"])
    assert RECALL not in same.header
    (apart,) = tables(
        [*MEASUREMENTS, of("x", HIT_RATE, 0.3), of("x", RECALL, 0.2)], slices=["book"]
    )
    assert RECALL in apart.header


def test_markdown_file_holds_all_slices(tmp_path: Path) -> None:
    write_markdown(tmp_path / "metrics.md", tables(MEASUREMENTS, DIFFERENCES), "By hand.")
    text = (tmp_path / "metrics.md").read_text(encoding="utf-8")
    assert text.startswith("By hand.\n\n### ")
    assert [line for line in text.splitlines() if line.startswith("###")] == [
        "### book (1,200 users, 42% tied targets)",
        "### book: differences, user by user (1,200 users)",
        "### book / warm (1,200 users)",
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.md"]


def test_targets_in_their_own_history_are_named_where_there_are_some() -> None:
    repeated = Measurement(CASES, "book", REPEATED, 0.013, None, None, 1200)
    (table,) = tables([repeated, of("popularity", HIT_RATE, 0.05)])
    assert table.title == "book (1,200 users, 1.3% targets already seen)"


def test_a_slice_of_all_types_has_a_table_of_what_is_shown_and_consumed() -> None:
    def share(model: str, metric: str, value: float) -> Measurement:
        return Measurement(model, "all types", metric, value, value, value, 90)

    got = tables(
        [
            share("popularity", HIT_RATE, 0.05),
            *(share(CASES, HISTORY_SHARE + kind, 0.5) for kind in ("book", "film")),
            share(CASES, TARGET_SHARE + "book", 0.25),
            share(CASES, TARGET_SHARE + "film", 0.75),
            share("popularity", SHARE + "film", 1.0),
            share("popularity", SHARE + "book", 0.0),
            share("popularity", MISCALIBRATION, 1.6),
        ]
    )
    assert got[1].title == "all types: types in the top 10, and consumed"
    assert got[1].header == ("model", "book", "film", "miscalibration@10 [95%]")
    assert got[1].rows == (
        ("(histories)", "50.0%", "50.0%", "-"),
        ("(targets)", "25.0%", "75.0%", "-"),
        ("popularity", "0.0%", "100.0%", "1.6000 [1.6000, 1.6000]"),
    )
