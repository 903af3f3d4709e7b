"""The stages on a world: right recommendations, resuming, skipping, and the command line."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from graph.worlds import two_communities, write_world
from tests.support.embeddings_stub import MODEL, EmbeddingsStub
from tests.support.runs import QUICK, SMALL, HashSource, make_run, make_stages
from training.__main__ import main
from training.comparison import MODELS, choose_models, fit_models
from training.errors import DivergedError, TrainingError
from training.evaluate import evaluate
from training.library_peers import PYTHON_VARIABLE
from training.material import Material
from training.needs import NEEDS, needed_stages
from training.peers import PEERS
from training.pipeline import Inputs, Run
from training.ranking import Candidates, Ranker
from training.slices import OVERALL
from training.tuning import Drawn, Fit, TuningSettings
from training.tuning_stage import load_peer, make_peer

WORLD = two_communities(people=60, items_per_type=24, withheld=2)
IN_PROCESS = tuple(key for key, peer in PEERS.items() if not peer.in_library)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(tmp_path_factory.mktemp("whole"), WORLD)
    made.make_plain_two_tower()
    for key in IN_PROCESS:
        make_peer(made, key)
    return made


def test_every_model_ranks_and_the_graph_beats_text(run: Run) -> None:
    names = tuple(name for name in MODELS if name not in PEERS or name in IN_PROCESS)
    result = evaluate(
        fit_models(run, names),
        run.split.test,
        Candidates.of(run.dataset, run.split.train),
    )
    overall = {
        each.model: each.value
        for each in result.measurements
        if each.slice == OVERALL and each.metric == "NDCG@10"
    }
    assert set(overall) >= {"popularity", "text-kNN", "HGNN-kNN", "2T without graph", "2T-HGNN"}
    assert set(overall) >= {"text-kNN, tuned", "item-item cosine, tuned", "EASE, tuned", "LightGCN"}
    assert "nearfield" in overall
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
        "fusion": True,
    }


def grow(path: Path, rows: pl.DataFrame) -> None:
    """Append rows to a file of a data folder."""
    pl.concat([pl.read_parquet(path), rows]).write_parquet(path)


def test_new_interactions_train_the_towers_anew_on_the_same_foundation(tmp_path: Path) -> None:
    made = make_run(tmp_path, WORLD, holding="nothing", settings=QUICK)
    newcomer = WORLD.interactions.head(5).with_columns(user_id=pl.lit("newcomer"))
    grow(made.inputs.data / "interactions.parquet", newcomer)

    again = Run(made.folder, made.inputs)
    assert [again.make_dataset().ran, again.make_adaptation().ran] == [True, True]
    assert again.make_fusion().ran
    assert "newcomer" in again.dataset.users["user_id"]
    np.testing.assert_array_equal(again.hgnn_vectors, made.hgnn_vectors)
    assert not Run(made.folder, made.inputs).make_adaptation().ran


def test_parts_that_come_and_go_make_the_dataset_anew(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_world(WORLD, data)
    table = data / "interactions.parquet"
    table.unlink()
    for name, rows in WORLD.interactions.partition_by("user_id", as_dict=True).items():
        (table / f"user={name[0]}").mkdir(parents=True)
        rows.write_parquet(table / f"user={name[0]}" / "part-0.parquet")
    (table / "_SUCCESS").touch()

    def make() -> tuple[bool, int]:
        made = Run(tmp_path / "run", Inputs(data=data, holding="test", settings=QUICK))
        return made.make_dataset().ran, made.dataset.interactions["user_row"].n_unique()

    assert make() == (True, 60)
    (data / "notes.txt").touch()
    (table / "_committed").touch()
    assert make() == (False, 60)  # nothing of it is read
    (table / "user=u000" / "part-0.parquet").rename(table / "user=u000" / "part-1.parquet")
    assert make() == (True, 60)
    (table / "user=u000" / "part-1.parquet").unlink()
    assert make() == (True, 59)


def test_the_dataset_stage_ends_with_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_world(WORLD, tmp_path / "data")
    path = tmp_path / "data" / "interactions.parquet"
    grow(path, WORLD.interactions.head(3).with_columns(item_id=pl.lit("nothing")))
    Run(
        tmp_path / "run", Inputs(data=tmp_path / "data", holding="test", settings=QUICK)
    ).make_dataset()
    lines = capsys.readouterr().err.splitlines()
    told = [line for line in lines if not line.startswith("dataset: ")]  # how far it is
    assert told[0].startswith("rows read: items.parquet 48, users.parquet 60, interactions.parquet")
    assert told[1].startswith("rows set aside: 3 of ")
    assert "3 rows with unknown_item (item_id)" in told[2]
    assert told[-1] == "problems.json and rejected.parquet of the stage have all of them"


def test_towers_of_another_holding_are_made_anew(tmp_path: Path) -> None:
    made = make_run(tmp_path, WORLD, holding="nothing", settings=QUICK)
    other = Run(made.folder, dataclasses.replace(made.inputs, holding="test"))
    assert other.make_adaptation().ran


@pytest.mark.parametrize("change", ["new", "gone", "other title"])
def test_items_that_the_foundation_does_not_know_are_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    made = make_run(tmp_path, WORLD, holding="nothing", settings=QUICK)
    path = made.inputs.data / "items.parquet"
    if change == "new":
        grow(path, WORLD.items.head(1).with_columns(item_id=pl.lit("book-new")))
    elif change == "gone":
        WORLD.items[1:].write_parquet(path)
    else:
        first = pl.col("item_id") == "book-000"
        title = pl.when(first).then(pl.lit("other")).otherwise("title")
        WORLD.items.with_columns(title=title).write_parquet(path)

    assert main(["adaptation", "--data", str(path.parent), "--run", str(made.folder)]) == 1
    told = capsys.readouterr().err
    assert "the items are not those that the foundation" in told
    assert "run the command `foundation`" in told


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


def test_evaluation_reports_what_the_served_model_gains_over_each_other_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_world(WORLD, tmp_path / "data")
    settings = tmp_path / "quick.toml"
    settings.write_text(
        "[foundation.loop]\nepochs = 1\n[adaptation.loop]\nepochs = 1\n[tuning]\ntrials = 2\n"
    )
    base = ["--data", str(tmp_path / "data"), "--run", str(tmp_path / "run")]
    with EmbeddingsStub().running() as stub:
        vllm = ["--vllm-url", stub.url, "--vllm-model", MODEL]
        models = ["--models", "popularity,nearfield,ease-tuned"]
        told = ["--settings", str(settings), "--seed", "4"]
        assert main(["evaluate", *base, *models, *vllm, *told]) == 0
    shown = capsys.readouterr().out
    written = (tmp_path / "run" / "metrics.md").read_text()
    records = json.loads((tmp_path / "run" / "metrics.json").read_text())
    tried = json.loads((tmp_path / "run" / "tuning.json").read_text())
    assert [one["peer"] for one in tried] == ["EASE, tuned"] * 2
    pairs = {(one["model"], one["slice"]) for one in records if " - " in one["model"]}
    slices = {one["slice"] for one in records if " / " not in one["slice"]}
    assert {"overall", "book", "film", "all types"} <= slices
    assert pairs == {
        (f"nearfield - {other}", part) for other in ("popularity", "EASE, tuned") for part in slices
    }
    assert "popularity fifth" in written
    made_with = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert (made_with["hold_out"], made_with["seed"], made_with["users"]) == (
        "leave-last-out",
        4,
        60,
    )
    assert made_with["settings"]["adaptation"]["loop"]["epochs"] == 1
    assert made_with["models"] == ["popularity", "nearfield", "ease-tuned"]
    assert written.startswith("Hold-out: leave-last-out. Cases: 60, of 60 users. Learned from ")
    assert (
        f"Seed: 4, threads: {torch.get_num_threads()}; all settings are in evaluation.json, the "
        "rank of every target in ranks.parquet." in written.splitlines()[0]
    )
    machine = made_with["machine"]
    assert set(machine) == {"threads", "cores", "processor", "torch"}
    assert machine["threads"] == torch.get_num_threads()
    ranks = pl.read_parquet(tmp_path / "run" / "ranks.parquet")
    assert ranks.columns[:4] == ["user_id", "item_id", "seen_in_training", "scope"]
    for scope, part in (("type", "overall"), ("all", "all types")):
        asked = ranks.filter((pl.col("scope") == scope) & pl.col("seen_in_training"))
        for model in ("popularity", "nearfield", "EASE, tuned"):
            (hits,) = (
                one["value"]
                for one in records
                if (one["model"], one["slice"], one["metric"]) == (model, part, "HR@10")
            )
            assert (asked[model] <= 10).fill_null(value=False).mean() == pytest.approx(hits)
    assert "popularity fifth" not in shown
    assert "report.html" in shown
    assert "overall: differences, user by user" in (tmp_path / "run" / "report.html").read_text()
    for text in (shown, written):
        assert "overall: differences, user by user (60 users)" in text
        # Once in the lines that are read first, and once per slice.
        assert text.count("nearfield - EASE, tuned") == 1 + len(slices)


def test_every_model_says_which_stages_it_needs() -> None:
    assert set(NEEDS) == set(MODELS)
    assert needed_stages(("popularity", "2t")) == {"text", "two_tower"}


def test_nothing_is_made_that_the_models_do_not_need(tmp_path: Path) -> None:
    alone = WORLD.interactions.with_columns(user_id=pl.col("user_id") + pl.col("item_id"))
    twice = pl.concat([alone, alone.with_columns(pl.col("timestamp") + 1)])
    write_world(dataclasses.replace(WORLD, interactions=twice), tmp_path / "data")
    base = ["--data", str(tmp_path / "data"), "--run", str(tmp_path / "run")]
    nowhere = ["--vllm-url", "http://127.0.0.1:9/v1"]
    # No vLLM, and no two items share a person: neither text nor graph could be made.
    assert main(["evaluate", *base, *nowhere, "--models", "popularity,item-cosine"]) == 0
    folders = {path.name for path in (tmp_path / "run").iterdir() if path.is_dir()}
    assert folders == {"dataset"}
    assert not (tmp_path / "run" / "tuning.json").exists()


@pytest.mark.parametrize(
    ("command", "change", "told"),
    [
        (["all"], {"split": "test"}, "split: no row says train"),
        (["evaluate", "--protocol", "time"], {"timestamp": 5}, "time cut: no interaction before"),
    ],
)
def test_a_cut_that_cannot_be_is_refused_before_any_text_is_embedded(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    change: dict[str, str | int],
    told: str,
) -> None:
    rows = WORLD.interactions.with_columns(
        pl.lit(value).alias(name) for name, value in change.items()
    )
    write_world(dataclasses.replace(WORLD, interactions=rows), tmp_path / "data")
    base = ["--data", str(tmp_path / "data"), "--run", str(tmp_path / "run")]
    assert main([*command, *base, "--vllm-url", "http://127.0.0.1:9/v1"]) == 1
    assert f"training: {told}" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["dataset"]


def test_an_evaluation_goes_on_without_a_peer_that_cannot_be_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def prepare(_material: Material, _tuning: TuningSettings) -> Fit:
        def fit(_drawn: Drawn, _folder: Path) -> Ranker:
            raise DivergedError("the loss is nan")

        return fit

    monkeypatch.setitem(PEERS, "lightgcn", dataclasses.replace(PEERS["lightgcn"], prepare=prepare))
    write_world(WORLD, tmp_path / "data")
    settings = tmp_path / "quick.toml"
    settings.write_text("[foundation.loop]\nepochs = 1\n[tuning]\ntrials = 2\n")
    base = ["--data", str(tmp_path / "data"), "--run", str(tmp_path / "run")]
    with EmbeddingsStub().running() as stub:
        vllm = ["--vllm-url", stub.url, "--vllm-model", MODEL]
        models = ["--models", "popularity,lightgcn"]
        assert main(["evaluate", *base, *models, *vllm, "--settings", str(settings)]) == 0
    told = capsys.readouterr().err
    assert "evaluate: without lightgcn, all of whose trials failed: the loss is nan" in told
    records = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {one["model"] for one in records} >= {"popularity"}
    assert "LightGCN" not in {one["model"] for one in records}
    tried = json.loads((tmp_path / "run" / "tuning.json").read_text())
    assert {(one["peer"], one["failed"]) for one in tried} == {("LightGCN", "the loss is nan")}


def test_command_line_names_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_world(WORLD, tmp_path / "data")
    base = ["--data", str(tmp_path / "data"), "--run", str(tmp_path / "run")]
    assert main(["adaptation", *base]) == 1
    assert "no foundation to adapt" in capsys.readouterr().err
    assert main(["evaluate", *base, "--models", "2t,als,ease"]) == 1
    assert "--models: unknown 'ease'" in capsys.readouterr().err
    nowhere = tmp_path / "none"
    assert main(["all", "--data", str(nowhere), "--run", str(tmp_path / "new")]) == 1
    assert capsys.readouterr().err == f"training: {nowhere}: not a folder\n"
    assert not (tmp_path / "new").exists()


def test_models_whose_interpreter_is_missing_are_left_out_and_say_how_to_add_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "nothing"))
    library = {"als", "bpr", "sasrec"}
    assert set(choose_models(None)) == set(MODELS) - library
    told = capsys.readouterr().err
    assert told.startswith("evaluate: als, bpr, sasrec are left out: there is no Python")
    assert told.endswith("`make peers-venv` makes it\n")
    assert told.count("\n") == 1

    with pytest.raises(TrainingError, match=r"--models: sasrec, als: there is no Python.*make"):
        choose_models("popularity,sasrec,als")
    assert choose_models("popularity, lightgcn ") == ("popularity", "lightgcn")
    with pytest.raises(TrainingError, match="--models: expected each name once, got '2t' twice"):
        choose_models("2t,popularity, 2t")

    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    assert set(choose_models(None)) == set(MODELS)
    assert capsys.readouterr().err == ""


def test_of_unseen_people_a_vector_per_person_says_what_is_popular(run: Run) -> None:
    strangers = Run(run.folder, dataclasses.replace(run.inputs, holding="test by unseen-people"))
    assert strangers.split.test.unseen_person.all()
    make_peer(strangers, "lightgcn")
    ranker = load_peer(strangers, "lightgcn")
    scores = ranker.score(strangers.split.test)
    popular = Candidates.of(strangers.dataset, strangers.split.train).popularity
    np.testing.assert_array_equal(scores, np.broadcast_to(popular, scores.shape))


def test_a_refused_data_folder_leaves_no_stage(tmp_path: Path) -> None:
    write_world(WORLD, tmp_path / "data")
    grow(tmp_path / "data" / "items.parquet", WORLD.items.head(1))
    base = ["--data", str(tmp_path / "data"), "--run", str(tmp_path / "run")]
    assert main(["all", *base, "--strict"]) == 1
    assert [*(tmp_path / "run").iterdir()] == []


def test_a_moment_that_is_none_is_named_with_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["all", "--data", "x", "--run", "x", "--as-of", "yesterday"])
    assert (
        "argument --as-of: expected an ISO 8601 moment such as 2026-05-31T18:00, got 'yesterday'"
        in capsys.readouterr().err
    )


def test_help_offers_what_a_command_uses(capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for command in ("all", "foundation", "adaptation", "evaluate"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        shown[command] = capsys.readouterr().out
    for option in ("--cache", "--vllm-url", "--vllm-model", "--encoder"):
        assert [option in text for text in shown.values()] == [True, True, False, True]
    assert ["--models" in text for text in shown.values()] == [False, False, False, True]
    assert all("--as-of" in text for text in shown.values())
