"""The stages on a world: right recommendations, resuming, skipping, and the command line."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from graph.worlds import two_communities, write_world
from tests.support.runs import SMALL, HashSource, make_run, make_stages
from training.__main__ import main
from training.comparison import MODELS, fit_models
from training.evaluate import evaluate
from training.pipeline import Inputs, Run
from training.ranking import Candidates
from training.slices import OVERALL

WORLD = two_communities(people=60, items_per_type=24, withheld=2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(tmp_path_factory.mktemp("whole"), WORLD)
    made.make_plain_two_tower()
    return made


def test_every_model_ranks_and_the_graph_beats_text(run: Run) -> None:
    result = evaluate(
        fit_models(run, tuple(MODELS)),
        run.split.test,
        Candidates.of(run.dataset, run.split.train),
    )
    overall = {
        each.model: each.value
        for each in result.measurements
        if each.slice == OVERALL and each.metric == "NDCG@10"
    }
    assert set(overall) >= {"popularity", "text-kNN", "HGNN-kNN", "2T without graph", "2T-HGNN"}
    # Inside a half nothing tells the items apart, so a perfect model is right one time in
    # the number of items of the half that the person has not touched.
    assert overall["2T-HGNN"] > 1.2 * overall["text-kNN"]
    assert overall["HGNN-kNN"] > 1.2 * overall["text-kNN"]


def test_recommendations_stay_in_the_persons_half(run: Run) -> None:
    ranker = next(fit_models(run, ("2t-hgnn",)))
    scores = ranker.score(run.split.test)
    number = np.array([int(item.rsplit("-", 1)[1]) for item in run.dataset.items["item_id"]])
    half = number >= 12
    person = run.dataset.users["user_id"].to_list()
    own = np.array([int(person[row][1:]) % 2 for row in run.split.test.user_row])
    for kind in range(2):
        of_kind = run.dataset.item_type == kind
        best = np.where(of_kind, scores, -np.inf).argsort(axis=1)[:, ::-1][:, :5]
        assert (half[best] == own[:, None]).mean() > 0.9


def test_unchanged_stages_are_kept_and_a_changed_setting_reruns_what_follows(
    tmp_path: Path,
) -> None:
    quick = dataclasses.replace(
        SMALL,
        foundation=dataclasses.replace(
            SMALL.foundation, loop=dataclasses.replace(SMALL.foundation.loop, epochs=1)
        ),
        adaptation=dataclasses.replace(
            SMALL.adaptation, loop=dataclasses.replace(SMALL.adaptation.loop, epochs=1)
        ),
    )
    made = make_run(tmp_path, WORLD, settings=quick)
    again = Run(made.folder, made.inputs)
    assert not any(make_stages(again).values())

    other = dataclasses.replace(
        quick, adaptation=dataclasses.replace(quick.adaptation, temperature=0.2)
    )
    changed = make_stages(Run(made.folder, dataclasses.replace(made.inputs, settings=other)))
    assert changed == {
        "dataset": False,
        "text": False,
        "graph": False,
        "foundation": False,
        "adaptation": True,
    }


def test_production_run_holds_nothing_out(tmp_path: Path) -> None:
    write_world(WORLD, tmp_path / "data")
    run = Run(tmp_path / "run", Inputs(data=tmp_path / "data", holding="nothing", settings=SMALL))
    run.make_dataset()
    assert len(run.split.test) == 0
    lent = len(run.split.valid)
    assert 0 < lent < len(run.dataset.users) / 3
    assert len(run.split.train) == len(run.dataset.interactions) - lent


def test_text_stage_records_its_featurizer(run: Run) -> None:
    described = json.loads((run.folder / "text" / "featurizer.json").read_text())
    assert described["revision"] == HashSource().revision
    assert described["for_tests_only"] is True
    np.testing.assert_allclose(np.linalg.norm(run.text, axis=1), 1, rtol=1e-5)


def test_command_line_names_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_world(WORLD, tmp_path / "data")
    base = ["--data", str(tmp_path / "data"), "--run", str(tmp_path / "run")]
    assert main(["adaptation", *base]) == 1
    assert "no foundation to adapt" in capsys.readouterr().err
    assert main(["evaluate", *base, "--models", "2t,als"]) == 1
    assert "--models: unknown 'als'" in capsys.readouterr().err
    assert main(["all", "--data", str(tmp_path / "none"), "--run", str(tmp_path / "run")]) == 1
    assert "none" in capsys.readouterr().err
