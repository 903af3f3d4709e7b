from io import StringIO

from rich.console import Console, RenderableType

from demo import draw
from nearfield import ExplanationPath, Hit, Provenance


def hit(item_id: str, *paths: ExplanationPath) -> Hit:
    return Hit(item_id, "film", 0.5, Provenance.GRAPH, item_id.title(), tuple(paths))


def text(drawing: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=140).print(drawing)
    return out.getvalue()


def test_the_reason_is_the_best_path_with_its_people() -> None:
    best = ExplanationPath("a", "Alien", "film-film", 1034, 0.2)
    other = ExplanationPath("b", "Brazil", "film-film", 12, 0.1)
    assert draw.because(hit("x", best, other)) == "you saw Alien, as did 1,034 who saw this"


def test_a_content_relation_is_a_reason_without_people() -> None:
    path = ExplanationPath("a", "", "creator", 0, 0.2)
    assert draw.because(hit("x", path)) == "you saw a, of the same creator"


def test_a_hit_without_a_path_does_not_pretend_to_one() -> None:
    assert draw.because(hit("x")) == "it lies near your taste"


def test_a_place_is_told_against_the_earlier_list() -> None:
    before = [hit("a"), hit("b")]
    assert draw.moved(hit("b"), before) == "was 2"
    assert draw.moved(hit("c"), before) == "new"


def test_recommendations_show_score_provenance_and_reason() -> None:
    shown = text(draw.recommendations("film", [hit("x")]))
    assert "0.500" in shown
    assert "GRAPH" in shown
    assert "it lies near your taste" in shown


def test_brackets_in_a_title_are_shown_as_they_are() -> None:
    assert "[Rec]" in text(draw.recommendations("film", [hit("[rec]")]))
    assert "[Rec]" in text(draw.changes("film", [hit("[rec]")], []))
    assert "[Rec]" in text(draw.nearest("near", [hit("[rec]")]))
