"""The page as a reader's browser gets it: whole, alone, and with nobody's markup but ours."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from graph.worlds import two_communities
from tests.support.runs import QUICK, make_run
from training.comparison import compare_served, fit_models
from training.evaluate import EvaluationSettings, evaluate
from training.page.write import write_report
from training.pipeline import Run
from training.ranking import Candidates
from training.report import headlines
from training.slices import split_into_slices

HOSTILE = '<script>alert("$1")</script><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """Elements with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    def tags(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in names]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    world = two_communities(people=40)
    titles = pl.lit(HOSTILE) + pl.col("title")
    hostile = replace(world, items=world.items.with_columns(title=titles))
    return make_run(tmp_path_factory.mktemp("page"), hostile, settings=QUICK)


def written(run: Run, folder: Path, *names: str) -> str:
    result = evaluate(
        fit_models(run, names),
        run.split.test,
        Candidates.of(run.dataset, run.split.train),
        EvaluationSettings(replicates=20),
    )
    differences = compare_served(result, headlines(result.measurements))
    path = folder / "report.html"
    write_report(path, run, names, result, differences)
    assert [file.name for file in folder.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(run, tmp_path_factory.mktemp("out"), "popularity", "2t-hgnn", "nearfield")


def sections(page: Page) -> list[str | None]:
    return [attributes["id"] for attributes in page.tags("section")]


def test_the_page_needs_nothing_else(text: str) -> None:
    page = Page(text)
    assert page.tags("script", "link", "iframe", "object", "img", "base") == []
    addresses = [
        str(value)
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "srcset", "action", "data")
    ]
    assert addresses
    assert [address for address in addresses if not address.startswith("#")] == []
    assert re.findall(r"@import|url\((?!#)", text) == []
    assert len(text) < 1_000_000


def test_titles_are_text_whatever_they_hold(text: str) -> None:
    page = Page(text)
    assert [attributes for _, attributes in page.elements if "onerror" in attributes] == []
    assert any(each.startswith(HOSTILE) for each in page.texts)


def test_every_drawing_is_told_in_words(text: str) -> None:
    page = Page(text)
    told = [attributes.get("aria-label") for attributes in page.tags("div") if "role" in attributes]
    assert len(told) == len(page.tags("figure")) == len(page.tags("svg")) > 6
    assert all(told)


def test_links_inside_the_page_lead_to_what_is_there(text: str) -> None:
    page = Page(text)
    wanted = {str(attributes["href"])[1:] for attributes in page.tags("a")}
    assert wanted == set(sections(page))


def test_every_model_and_slice_is_in_the_tables_and_the_served_model_stands_out(
    run: Run, text: str
) -> None:
    page = Page(text)
    rows = page.tags("tr")
    assert len([row for row in rows if row.get("class") == "served"]) > 3
    for model in ("popularity", "2T-HGNN", "nearfield"):
        assert page.texts.count(model) > 5
    candidates = Candidates.of(run.dataset, run.split.train)
    for part in split_into_slices(run.split.test, candidates):
        assert any(each.startswith(f"{part.name} (") for each in page.texts), part.name


def test_sections_tell_the_whole_story(text: str) -> None:
    assert sections(Page(text)) == [
        "models",
        "differences",
        "slices",
        "exposure",
        "mix",
        "training",
        "map",
        "examples",
        "tables",
    ]


def test_one_model_without_towers_has_a_page_without_differences_and_paths(
    run: Run, tmp_path: Path
) -> None:
    page = Page(written(run, tmp_path, "hgnn-knn"))
    assert sections(page) == [
        "models",
        "slices",
        "exposure",
        "mix",
        "training",
        "map",
        "examples",
        "tables",
    ]
    assert "nearest in the space" not in page.texts
    assert [each for each in page.texts if each.startswith("MRR of validation")] == []
    assert any("vectors from the foundation" in each for each in page.texts)


def test_a_model_of_no_trained_stage_has_neither_curves_nor_a_map(run: Run, tmp_path: Path) -> None:
    page = Page(written(run, tmp_path, "popularity"))
    assert not {"training", "map"} & set(sections(page))


def test_without_a_familiar_target_the_unseen_ones_are_the_headline(tmp_path: Path) -> None:
    run = make_run(
        tmp_path, two_communities(people=40), holding="test by unseen-items", settings=QUICK
    )
    out = tmp_path / "out"
    out.mkdir()
    page = Page(written(run, out, "popularity", "nearfield"))
    assert sections(page) == [
        "models",
        "differences",
        "slices",
        "exposure",
        "training",
        "map",
        "examples",
        "tables",
    ]
    assert any(each.startswith("unseen (") for each in page.texts)
    told = [str(each["aria-label"]) for each in page.tags("div") if "aria-label" in each]
    assert any(each.startswith("Gain in HR@10, unseen: over popularity") for each in told)
    assert any("popularity@10 0." in each for each in told)
