"""One evaluation under several seeds: the arithmetic by hand, and the command."""

import json
from pathlib import Path

import pytest

from graph.worlds import two_communities, write_world
from training.__main__ import main
from training.measurement import CASES, Measurement
from training.seeds import spreads, write_seeds


def measured(model: str, value: float, part: str = "overall") -> Measurement:
    return Measurement(model, part, "HR@10", value, None, None, 7)


def test_means_and_deviations_by_hand() -> None:
    first = [measured("a", 0.1), measured("b", 0.5), measured("a", 0.2, "book")]
    second = [measured("a", 0.4), measured("a", 0.2, "book")]
    third = [measured("a", 0.2, "book"), measured("a", 0.4), measured("b", 0.5)]
    both, book = spreads([first, second, third])
    assert (both.model, both.slice, both.metric) == ("a", "overall", "HR@10")
    assert both.per_seed == (0.1, 0.4, 0.4)
    assert (both.mean, both.deviation) == pytest.approx((0.3, 0.03**0.5))
    assert (book.slice, book.per_seed) == ("book", (0.2, 0.2, 0.2))
    assert (book.mean, book.deviation) == pytest.approx((0.2, 0))


def test_tables_tell_means_with_their_deviations(tmp_path: Path) -> None:
    def found(value: float) -> list[Measurement]:
        return [
            measured(CASES, value),
            measured("a", value),
            measured("a", value, "all / of it"),
            measured("a - b", -value),
        ]

    text = write_seeds(tmp_path, {3: found(0.25), 8: found(0.35)}).read_text()
    assert text.startswith("Seeds: 3, 8. ")
    assert "| a     |  0.3000 ± 0.0707 |" in text
    assert "| a - b | -0.3000 ± 0.0707 |" in text
    assert CASES not in text
    assert "all / of it" not in text
    content = json.loads((tmp_path / "seeds.json").read_text())
    assert content["seeds"] == [3, 8]
    assert len(content["figures"]) == 4


@pytest.mark.parametrize("protocol", ["unseen-people", "leave-last-out"])
def test_each_seed_is_an_evaluation_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], protocol: str
) -> None:
    write_world(two_communities(), tmp_path / "data")
    data = ["evaluate", "--data", str(tmp_path / "data"), "--protocol", protocol]
    data += ["--models", "popularity,item-cosine"]
    assert main([*data, "--run", str(tmp_path / "run"), "--seeds", "0,5"]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith((tmp_path / "run" / "seeds.md").read_text())
    assert main([*data, "--run", str(tmp_path / "alone"), "--seed", "5"]) == 0
    own = (tmp_path / "run" / "seed-5" / "metrics.json").read_text()
    assert own == (tmp_path / "alone" / "metrics.json").read_text()
    told = json.loads((tmp_path / "run" / "seeds.json").read_text())["figures"]
    values = {(one["model"], one["slice"], one["metric"]): one["value"] for one in json.loads(own)}
    assert told
    for one in told:
        assert one["per_seed"][1] == values[one["model"], one["slice"], one["metric"]]
    if protocol == "unseen-people":
        assert any(one["deviation"] > 0 for one in told)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (["--seeds", "0"], "expected several, such as 0,1,2, got '0'"),
        (["--seeds", "0,0"], "expected distinct numbers from 0 on, got '0,0'"),
        (["--seeds", "0,x"], "expected numbers such as 0,1,2, got '0,x'"),
        (["--seeds", "0,1", "--seed", "3"], "--seeds: expected no --seed beside it"),
    ],
)
def test_seeds_that_have_no_meaning_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], told: list[str], message: str
) -> None:
    command = ["evaluate", "--data", str(tmp_path), "--run", str(tmp_path / "run"), *told]
    try:
        code = main(command)
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code in (1, 2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
