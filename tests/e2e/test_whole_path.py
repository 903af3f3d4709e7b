"""Data folder -> vLLM -> graph -> HGNN -> towers -> ONNX -> generation -> server -> SDK.

Every step is the command a person would type, in a process of its own, with a real vLLM.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import nearfield
from nearfield import Client, Grouping, NewItem, Provenance, User
from nearfield.inputs import Event
from tests.e2e.support import HALF, WORLD, build, serving


@pytest.fixture(scope="module")
def client(folder: Path, vllm_url: str) -> Iterator[Client]:
    with serving(folder, "--vllm-url", vllm_url) as connected:
        yield connected


def half_of(item_id: str) -> int:
    return int(item_id.rsplit("-", 1)[1]) // HALF


def test_people_get_the_items_of_their_half(client: Client) -> None:
    right = 0
    people = sorted(WORLD.answers)
    for person in people:
        answer = client.recommend(person, k=2, grouping=Grouping.PER_TYPE, explained=True)
        assert set(answer.groups) == {"book", "film"}
        for hits in answer.groups.values():
            assert [hit.provenance for hit in hits] == [Provenance.GRAPH] * 2
            right += sum(half_of(hit.item_id) == int(person[1:]) % 2 for hit in hits)
    assert right > 0.9 * 4 * len(people)


def test_explanations_are_real_paths(client: Client) -> None:
    hit = client.recommend("u000", k=1, explained=True).hits[0]
    path = hit.explanation[0]
    seen = WORLD.interactions.filter(user_id="u000")["item_id"].to_list()
    assert path.history_item_id in seen
    together = [
        set(WORLD.interactions.filter(item_id=item)["user_id"].to_list())
        for item in (path.history_item_id, hit.item_id)
    ]
    shared = len(together[0] & together[1])
    assert path.users == 0 if path.relation == "creator" else path.users <= shared
    assert path.relation == "creator" or path.users >= 2


def test_new_item_leans_to_what_it_is_chosen_with(client: Client) -> None:
    """To which half it leans, its text says as well, so the same text is asked beside both."""
    lean = []
    for half in (0, 1):
        known = [f"book-{half * HALF + number:03d}" for number in range(4)]
        new = NewItem(
            item_type="book",
            title="An atlas of quiet rivers",
            description="Walks along water, with maps.",
            genres=("amber",),
            related_item_ids=known,
        )
        embedded = client.embed_item(new)
        assert embedded.provenance is Provenance.INDUCTIVE
        assert embedded.neighbours == len(known)
        assert np.linalg.norm(embedded.vector) == pytest.approx(1, abs=1e-5)
        hits = client.similar_items(embedded, k=4 * HALF).hits
        assert len(hits) == 4 * HALF
        likeness = [[hit.score for hit in hits if half_of(hit.item_id) == each] for each in (0, 1)]
        lean.append(np.mean(likeness[0]) - np.mean(likeness[1]))
    assert lean[0] > lean[1] + 0.1
    alone = client.embed_item(NewItem(item_type="book", title="An atlas of quiet rivers"))
    assert alone.provenance is Provenance.TEXT_ONLY


def test_inline_history_is_as_good_as_a_stored_one(client: Client) -> None:
    own = WORLD.interactions.filter(user_id="u001").sort("timestamp")
    who = WORLD.users.filter(user_id="u001").row(0, named=True)
    described = User(
        history=[
            Event(row["item_id"], time=datetime.fromtimestamp(row["timestamp"], UTC))
            for row in own.iter_rows(named=True)
        ],
        country=who["country"],
        age_bucket=who["age_bucket"],
        gender=who["gender"],
    )
    stored, inline = client.embed_user("u001"), client.embed_user(described)
    assert stored.space_id == inline.space_id
    assert float(stored.vector @ inline.vector) > 0.95


def test_second_build_keeps_everything_and_makes_the_same_generation(
    folder: Path, vllm_url: str
) -> None:
    before = (folder / "current").resolve()
    written = build(folder, vllm_url)
    stages = ("dataset", "text", "graph", "foundation", "adaptation", "fusion")
    assert all(f"{stage}: unchanged, kept" in written for stage in stages)
    assert (folder / "current").resolve() == before


def test_server_says_what_it_serves(client: Client, folder: Path) -> None:
    info = client.server_info()
    assert info.generation.name == (folder / "current").resolve().name
    assert info.versions.nearfield == nearfield.__version__
