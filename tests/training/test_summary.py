"""The lines that are read first."""

from training.evaluate import CASES, TIED, Measurement
from training.measurement import UNSEEN_ITEMS
from training.metrics import HIT_RATE, RECALL
from training.summary import summary


def of(model: str, part: str, metric: str, value: float, users: int) -> Measurement:
    return Measurement(model, part, metric, value, value - 0.01, value + 0.01, users)


MEASUREMENTS = (
    Measurement(CASES, "overall", TIED, 0.42, None, None, 1200),
    of("EASE", "overall", HIT_RATE, 0.11, 1200),
    of("EASE", "overall", RECALL, 0.11, 1200),
    of("EASE", "book", HIT_RATE, 0.12, 300),
    of("EASE", "book / warm", HIT_RATE, 0.13, 200),
    of("nearfield", "overall", HIT_RATE, 0.2, 1200),
)


def test_a_line_per_model_and_a_column_per_headline_slice() -> None:
    (table,) = summary(MEASUREMENTS)
    assert table.title == "HR@10 by slice"
    assert table.header == ("model", "overall (1,200)", "book (300)")
    assert table.rows == (("EASE", "0.1100", "0.1200"), ("nearfield", "0.2000", "-"))


def test_the_header_tells_how_many_unseen_items_compete() -> None:
    described = Measurement(CASES, "unseen alone", UNSEEN_ITEMS, 1009.0, None, None, 40)
    (table,) = summary([described, of("EASE", "unseen alone", HIT_RATE, 0.1, 40)])
    assert table.header == ("model", "unseen alone (40, among 1,009 unseen items)")


def test_differences_follow() -> None:
    difference = of("nearfield - EASE", "overall", HIT_RATE, 0.09, 1200)
    _, table = summary(MEASUREMENTS, [difference])
    assert table.title == "HR@10 by slice: differences, user by user"
    assert table.header == ("model - other", "overall (1,200)")
    assert table.rows == (("nearfield - EASE", "+0.0900 [+0.0800, +0.1000]"),)


def test_recall_has_its_own_lines_where_users_have_several_targets() -> None:
    several = (*MEASUREMENTS[1:2], of("EASE", "overall", RECALL, 0.07, 1200))
    hits, recalls = summary(several)
    assert hits.rows == (("EASE", "0.1100"),)
    assert recalls.title == "Recall@10 by slice"
    assert recalls.rows == (("EASE", "0.0700"),)
