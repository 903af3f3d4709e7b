"""The commands that compare variants, from a data folder to the tables."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from graph.worlds import two_communities, write_world
from tests.support.embeddings_stub import MODEL, EmbeddingsStub
from training.ablations import main as ablate
from training.curves import main as draw

SMALL = """
[foundation]
dimensions = 16
hidden_dimensions = 16
fanout = 4
[foundation.loop]
epochs = 2
[adaptation]
dimensions = 16
hidden_dimensions = [32]
[adaptation.loop]
epochs = 1
"""
Command = Callable[[Sequence[str]], int]


class Desk:
    """A data folder, a running encoder, and where the tables go."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        write_world(two_communities(people=40, items_per_type=20), folder / "data")
        (folder / "small.toml").write_text(SMALL)
        self.url = url

    def run(self, command: Command, *given: str) -> int:
        base = ["--data", str(self.folder / "data"), "--run", str(self.folder / "run")]
        vllm = ["--vllm-url", self.url, "--vllm-model", MODEL]
        return command([*given, *base, *vllm, "--settings", str(self.folder / "small.toml")])

    def read(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "run" / f"{name}.json").read_text())
        return content


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with EmbeddingsStub().running() as stub:
        yield Desk(tmp_path, stub.url)


def picked(content: dict[str, Any], **wanted: str) -> list[dict[str, Any]]:
    return [
        row for row in content["rows"] if all(row[key] == value for key, value in wanted.items())
    ]


def test_ablations_stand_beside_the_default_on_the_same_cases(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    names = "2t,no-text,no-demographics,people-in-graph,alone-book,mean,no-weak-signals"
    assert desk.run(ablate, "--ablations", names, "--seeds", "0,1") == 0
    first = capsys.readouterr()
    shelf = desk.folder / "run" / "stages"
    assert len(list(shelf.glob("text-*"))) == 1
    of_each_seed = {"default", "no-text", "alone-book", "mean"}
    assert len(list(shelf.glob("foundation-*"))) == 2 * len(of_each_seed)
    content = desk.read("ablations")
    assert content["seeds"] == [0, 1]
    assert [row["name"] for row in content["variants"]] == [
        "default",
        "2t",
        "no-text",
        "no-demographics",
        "people-in-graph",
        "no-weak-signals",
        "alone-book",
        "mean",
    ]
    problems = {row["name"]: row["problem"] for row in content["variants"] if row["problem"]}
    assert problems == {"no-weak-signals": "the data set has no weak signals"}

    assert {row["slice"] for row in picked(content, variant="alone-book")} == {"book"}
    assert {row["slice"] for row in picked(content, variant="mean")} == {"overall", "book", "film"}
    own = {
        (row["variant"], row["model"], row["slice"], row["metric"]): row for row in content["rows"]
    }
    for key, row in own.items():
        assert len(row["figure"]["per_seed"]) == 2
        assert row["users"] == own["default", "2t-hgnn", *key[2:]]["users"]
        assert len(row["differences"]) == (0 if key[:2] == ("default", "2t-hgnn") else 1)
        for other in row["differences"]:
            reference = own[other["variant"], other["model"], key[2], key[3]]
            gains = [
                a - b
                for a, b in zip(
                    row["figure"]["per_seed"], reference["figure"]["per_seed"], strict=True
                )
            ]
            assert other["figure"]["per_seed"] == pytest.approx(gains)
            assert other["figure"]["value"] == pytest.approx(sum(gains) / 2)
    assert any(row["differences"][0]["figure"]["value"] for row in picked(content, variant="mean"))

    page = (desk.folder / "run" / "ablations.md").read_text()
    assert first.out == page
    assert "no: the data set has no weak signals" in page
    assert page.count(" default / 2t-hgnn |") > 3

    assert desk.run(ablate, "--ablations", names, "--seeds", "0,1") == 0
    again = capsys.readouterr()
    assert again.out == page
    assert "working" in first.err
    assert "working" not in again.err


def test_rows_share_the_stages_that_are_made_from_the_same(desk: Desk) -> None:
    assert desk.run(ablate, "--ablations", "2t,pooled-once,balanced") == 0
    shelf = [path.name.rsplit("-", 1)[0] for path in (desk.folder / "run" / "stages").iterdir()]
    counts = {name: shelf.count(name) for name in sorted(set(shelf)) if "ranks" not in name}
    assert counts == {
        "adaptation": 4,  # the default's, two pooled ones, one over the other foundation
        "dataset": 1,
        "foundation": 2,
        "fusion": 4,
        "graph": 1,
        "text": 1,
        "two_tower": 1,
    }
    link = desk.folder / "run" / "pooled-once" / "seed-0" / "foundation"
    assert link.resolve() == (desk.folder / "run/default/seed-0/foundation").resolve()


def test_a_row_that_cannot_learn_is_named_and_the_others_go_on(desk: Desk) -> None:
    with (desk.folder / "small.toml").open("a") as file:
        file.write("[graph]\nmin_users = 21\n")  # a half has 20 people: creators alone join
    assert desk.run(ablate, "--ablations", "no-content,mean") == 0
    content = desk.read("ablations")
    problems = {row["name"]: row["problem"] for row in content["variants"]}
    assert "graph: expected at least one edge" in problems["no-content"]
    assert picked(content, variant="no-content") == []
    assert picked(content, variant="mean")


def test_a_wrong_name_is_refused_with_those_that_are_right(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.run(ablate, "--ablations", "median") == 1
    told = capsys.readouterr().err
    assert "ablations: unknown 'median', expected some of default,2t,text-knn" in told


@pytest.mark.parametrize("seeds", ["0,0", "-1", "one"])
def test_seeds_are_distinct_numbers(
    desk: Desk, capsys: pytest.CaptureFixture[str], seeds: str
) -> None:
    with pytest.raises(SystemExit):
        desk.run(ablate, f"--seeds={seeds}")
    assert "argument --seeds: expected" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("--ages=a", "argument --ages: expected a whole number from 0 on, got 'a'"),
        ("--ages=1,1", "argument --ages: expected distinct numbers, got '1,1'"),
        ("--windows=b", "argument --windows: expected a whole number from 0 on, got 'b'"),
    ],
)
def test_ages_and_windows_are_numbers(
    desk: Desk, capsys: pytest.CaptureFixture[str], given: str, told: str
) -> None:
    with pytest.raises(SystemExit):
        desk.run(draw, "foundation-age", given)
    assert told in capsys.readouterr().err


def test_the_curve_of_unseen_items_asks_about_nothing_else(desk: Desk) -> None:
    rows = "text-only,copies-0-no-content,borrowed-0-no-content"
    assert desk.run(draw, "unseen-items", "--rows", rows) == 0
    content = desk.read("unseen-items")
    assert {row["slice"].split(" / ")[0] for row in content["rows"]} == {"unseen", "unseen alone"}
    page = (desk.folder / "run" / "unseen-items.md").read_text()
    assert "### unseen alone (" in page
    assert "unseen /" not in page  # of each type alone only in the other file
    models = {(row["variant"], row["model"]) for row in content["rows"]}
    assert {("text-only", "2t"), ("borrowed-0-no-content", "hgnn-knn")} <= models
    assert all(row["differences"] for row in picked(content, variant="copies-0-no-content"))


def test_the_curve_of_age_compares_on_the_newest_cases(desk: Desk) -> None:
    given = ("--windows", "5", "--ages", "0,2,9")
    assert desk.run(draw, "foundation-age", *given) == 0
    content = desk.read("foundation-age")
    problems = {row["name"]: row["problem"] for row in content["variants"]}
    assert problems == {
        "default": "",
        "age-2-towers-fresh": "",
        "age-2-towers-old": "",
        "age-9-towers-fresh": "there are only 5 windows",
        "age-9-towers-old": "there are only 5 windows",
    }
    assert content["hold_out"].startswith("time: the last")
    for name in ("age-2-towers-fresh", "age-2-towers-old"):
        assert {row["model"] for row in picked(content, variant=name)} == {
            "hgnn-knn",
            "2t-hgnn",
            "nearfield",
        }
    folders = [desk.folder / "run" / name / "seed-0" for name in problems][:3]
    edges = [
        json.loads((folder / "graph" / "stage.json").read_text())["summary"]["neighbours"]
        for folder in folders
    ]
    # What is lent to old towers, their foundation does not know either.
    assert edges[2] < edges[1] < edges[0]
    assert len({(folder / "foundation").resolve() for folder in folders}) == 3
    assert len({(folder / "adaptation").resolve() for folder in folders}) == 3
