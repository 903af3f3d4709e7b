import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from export.errors import ParityError, RunError
from export.generation import Generation, locate, read
from export.generation.manifest import Metric
from export.parity import open_session
from export.publish import publish
from export.run import RunParts
from export.settings import PublishSettings
from graph.worlds import two_communities
from retrieval.evidence import Catalogue, gather, reach
from retrieval.evidence import Person as Listener
from retrieval.store import load_index
from server.answers import ItemVector
from server.engine import Engine
from server.fusion import evidence_of
from server.limits import Limits
from server.requests import EmbeddedText, ItemFilter, NewItem, Person, RecommendTask, Shape
from server.stopwatch import Stopwatch
from tests.support.cases import cases_of
from training.fusion import FusedRanker
from training.ranking import Candidates, Scope, rank

CREATED = datetime(2026, 5, 5, tzinfo=UTC)
ALLOWED = PublishSettings(test_featurizer_allowed=True)


def published(
    run: Path, out: Path, settings: PublishSettings = ALLOWED, lines: list[str] | None = None
) -> Generation:
    said = [] if lines is None else lines
    return publish(run, out, settings, created=CREATED, say=said.append)


@pytest.fixture(scope="module")
def out(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    published(run, folder)
    return folder


def generation(out: Path) -> Generation:
    return read(out, allow_test_featurizer=True)


def test_a_run_becomes_the_current_generation(out: Path, parts: RunParts) -> None:
    current = generation(out)

    assert locate(out) == current.path
    assert current.path.parent.name == "generations"
    assert current.manifest.created == "2026-05-05T00:00:00Z"
    np.testing.assert_array_equal(current.hgnn, parts.hgnn)
    np.testing.assert_array_equal(current.item_vectors, parts.item_vectors)
    assert current.item_ids.ids(range(24)) == parts.dataset.items["item_id"].to_list()
    assert max(current.manifest.parity.values()) < 1e-4


def test_people_are_recommended_what_their_community_likes(out: Path) -> None:
    current, world = generation(out), two_communities()
    tower = open_session(current.user_tower_path.read_bytes())
    index = load_index(current.index_folder, current.item_vectors)
    right = 0
    for user, answers in world.answers.items():
        row = int(current.user_ids.lookup([user])[0])
        history = current.history(row)
        rows = history.rows[::-1][None].astype(np.int64)
        country, age, gender = current.user_features[row : row + 1].T
        (vector,) = tower.run(
            None,
            {
                "country": country,
                "age": age,
                "gender": gender,
                "history": current.history_vectors[rows],
                "history_type": current.item_type[rows],
                "history_weight": history.weight[::-1][None],
            },
        )
        unseen = np.ones(24, dtype=np.bool_)
        unseen[history.rows[history.seen]] = False
        hits = index.search(np.asarray(vector), 4, allowed=unseen)
        wanted = frozenset().union(*answers.values())
        right += len(wanted & {*current.item_ids.ids(hits.rows[0])})

    assert right > 0.9 * sum(len(a) for each in world.answers.values() for a in each.values())


def test_what_is_served_is_what_was_evaluated(out: Path, parts: RunParts) -> None:
    """The server's candidates, evidence and scorer give the order that training would give."""
    current = generation(out)
    engine = Engine(current, Limits(), choice="cpu", threads=1)
    catalogue = Catalogue(
        parts.pairs,
        parts.item_vectors,
        parts.hgnn,
        parts.content.shape[1],
        current.popularity,
        parts.graph.item_type,
    )
    for user in two_communities().answers:
        (embedded,) = engine.users.embed([engine.users.state(Person(user))], Stopwatch())
        history = current.history(int(current.user_ids.lookup([user])[0]))
        person = Listener(
            embedded.vector, history.rows[::-1].astype(np.int64), history.weight[::-1]
        )
        evidence = gather(catalogue, person, reach(catalogue, person), np.arange(24))
        scores = parts.scorer(torch.from_numpy(evidence)).detach().numpy()
        scores[history.rows[history.seen]] = -np.inf
        task = RecommendTask(Person(user), Shape(k=5, filter=ItemFilter()))
        (answer,) = engine.recommender.recommend([task], Stopwatch())
        hits = answer.lists[0].hits
        best = np.argsort(-scores, kind="stable")[:5]
        assert [hit.item_id for hit in hits] == current.item_ids.ids(best)
        np.testing.assert_allclose([hit.score for hit in hits], scores[best], atol=1e-3)


def test_weak_signals_bar_nothing_when_served_as_when_evaluated(out: Path, parts: RunParts) -> None:
    """Every third event of everybody is taken for a look: heard, and no reason to leave it out."""
    current = generation(out)
    seen = np.arange(len(current.history_rows)) % 3 > 0
    engine = Engine(replace(current, history_seen=seen), Limits(), choice="cpu", threads=1)
    users = [*two_communities().answers]
    histories = [current.history(int(row)) for row in current.user_ids.lookup(users)]
    barred = [
        seen[current.history_indptr[row] : current.history_indptr[row + 1]]
        for row in current.user_ids.lookup(users)
    ]
    cases = cases_of(
        [history.rows.tolist() for history in histories],
        [0] * len(users),
        barred=[h.rows[own].tolist() for h, own in zip(histories, barred, strict=True)],
    )
    assert all((history.weight == 1).all() for history in histories)
    embedded = engine.users.embed([engine.users.state(Person(user)) for user in users], Stopwatch())
    vectors = np.stack([each.vector for each in embedded])
    ranker = FusedRanker(
        "nearfield", evidence_of(current), lambda some: vectors[some.user_row], parts.scorer, 150
    )
    everything = np.ones(24, dtype=np.int64)
    types = Candidates(current.manifest.item_types, current.item_type, everything, everything > 0)
    expected = rank(ranker, cases, types, (Scope.ALL,))[Scope.ALL].top[:, :5]
    looked_at = 0
    for place, user in enumerate(users):
        task = RecommendTask(Person(user), Shape(k=5, filter=ItemFilter()))
        (answer,) = engine.recommender.recommend([task], Stopwatch())
        shown = [hit.item_id for hit in answer.lists[0].hits]
        assert shown == current.item_ids.ids(expected[place])
        looked_at += len({*shown} & {*current.item_ids.ids(histories[place].rows)})
    assert looked_at > 0


def test_the_same_run_gives_the_same_generation(run: Path, out: Path, tmp_path: Path) -> None:
    again = published(run, tmp_path)

    assert again.path != generation(out).path
    assert again.name == generation(out).name


def test_an_unchanged_run_is_not_exported_again(run: Path, out: Path) -> None:
    lines: list[str] = []

    again = published(run, out, lines=lines)

    assert again.path == locate(out)
    assert lines == [f"{again.name}: the run has not changed since it was published"]


def test_new_metrics_make_a_new_generation_beside_the_old_with_any_index(
    run: Path, out: Path, tmp_path: Path
) -> None:
    shutil.copytree(out, tmp_path / "out", symlinks=True)
    line: Metric = {"model": "nearfield", "slice": "overall", "metric": "HR@10", "value": 0.25}
    aside = PublishSettings(
        test_featurizer_allowed=True, approximate_from=1, made_current=False, metrics=(line,)
    )

    new = published(run, tmp_path / "out", aside)

    assert generation(out).manifest.metrics == ()
    assert new.manifest.metrics == (line,)
    assert new.manifest.index.kind == "hnsw"
    assert new.manifest.space_id == generation(out).manifest.space_id
    assert locate(tmp_path / "out").name == generation(out).name != new.name
    hits = load_index(new.index_folder, new.item_vectors).search(new.item_vectors, 1)
    assert hits.rows[:, 0].tolist() == [*range(24)]


def test_metrics_alone_are_reason_enough_to_publish_again(
    run: Path, out: Path, tmp_path: Path
) -> None:
    shutil.copytree(out, tmp_path / "out", symlinks=True)
    line: Metric = {"model": "nearfield", "slice": "overall", "metric": "HR@10", "value": 0.25}

    new = published(run, tmp_path / "out", replace(ALLOWED, metrics=(line,)))

    assert new.name != generation(out).name
    assert generation(tmp_path / "out").manifest.metrics == (line,)


def test_vectors_of_a_fake_are_not_published(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="come from 'hash', a fake for tests: they must not serve"):
        published(run, tmp_path, PublishSettings())

    assert [*tmp_path.iterdir()] == []


def test_a_network_that_fails_parity_publishes_nothing(run: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(run, tmp_path / "run")
    path = broken / "foundation" / "model.safetensors"
    weights = load_file(path)
    save_file({name: np.full_like(each, np.nan) for name, each in weights.items()}, path)

    with pytest.raises(ParityError, match=r"hgnn, batch 1, .*differ by nan"):
        published(broken, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_new_item_is_read_with_its_year(out: Path, parts: RunParts) -> None:
    """Told anew without neighbours it enters the networks as the known item did."""
    current = generation(out)
    engine = Engine(current, Limits(), choice="cpu", threads=1)
    record = replace(parts.records(np.array([0]))[0], creator="")
    assert record.year is not None

    def embedded(year: int | None) -> NDArray[np.float32]:
        told = NewItem(replace(record, year=year), "read already")
        (item,) = engine.items.embed([EmbeddedText(told, parts.text[0], "hash")], Stopwatch())
        assert isinstance(item, ItemVector)
        return item.vector

    nobody = np.zeros((1, current.manifest.num_slots, 0), dtype=np.bool_)
    widths = [each.shape[1] for each in current.layer_inputs]
    arrays = current.item_encoder.encode([record])
    known = engine.models.embed_graph(
        parts.content[:1],
        arrays.item_type,
        tuple(np.zeros((*nobody.shape, width), dtype=np.float32) for width in widths),
        nobody,
    )
    (expected,) = engine.models.embed_items(
        parts.content[:1], known, arrays.item_type, arrays.language, arrays.genres
    )
    np.testing.assert_allclose(embedded(record.year), expected, atol=1e-6)
    assert np.abs(embedded(record.year - 40) - expected).max() > 1e-3
    assert np.abs(embedded(None) - expected).max() > 1e-3
