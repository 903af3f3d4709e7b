"""Peers tuned as stages of a run, and the record of every trial."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

from graph.stage import StageResult, run_stage
from tables.files import replace_text
from training.fallback import or_popular
from training.library_peers import LIBRARY_SCRIPT, library_versions, peers_python
from training.peers import PEERS, candidates, tune_peer
from training.pipeline import Run
from training.ranking import Ranker
from training.report import Table, to_markdown
from training.tuning import Trial, best_of, fit_best, read_trials

_YARDSTICK = "valid MRR"


def make_peer(run: Run, key: str) -> StageResult:
    """Tune a peer as a stage of the run, which keeps what its best trial left.

    Raises:
        TrainingError: a process of another interpreter fails.
    """
    peer, tuning = PEERS[key], run.settings.tuning
    made_from = {
        "dataset": run.stage_hash("dataset"),
        "text": run.stage_hash("text") if peer.reads_text else None,
        "holding": run.inputs.holding,
        "tuning": dataclasses.asdict(tuning),
        "libraries": library_versions(peers_python()) if peer.in_library else None,
    }
    return run_stage(
        _folder(run, key),
        made_from,
        lambda folder: tune_peer(folder, run, key, tuning),
        code=(tune_peer.__module__, *((LIBRARY_SCRIPT,) if peer.in_library else ())),
    )


def load_peer(run: Run, key: str) -> Ranker:
    """Give the tuned peer that `make_peer` left.

    Raises:
        TrainingError: none of its trials came to a model.
    """
    ranker = fit_best(_folder(run, key), PEERS[key].prepare(run, run.settings.tuning))
    return or_popular(ranker, candidates(run))


def why_failed(run: Run, key: str) -> str | None:
    """Say why a peer has no model, by its first trial; None where some trial came to one."""
    trials = read_trials(_folder(run, key))
    return trials[0].failed if best_of(trials) is None else None


def write_tuning(run: Run, keys: Iterable[str]) -> None:
    """Write every trial of some peers beside metrics.json, as tuning.json and tuning.md.

    Without any peer what an earlier evaluation wrote stays.
    """
    trials = {key: read_trials(_folder(run, key)) for key in keys}
    if not trials:
        return
    records = [
        {"peer": PEERS[key].name, **dataclasses.asdict(trial)}
        for key, tried in trials.items()
        for trial in tried
    ]
    path = run.folder / "tuning.json"
    replace_text(path, json.dumps(records, indent=1) + "\n")
    pages = [_overview(run, trials), *(_details(key, tried) for key, tried in trials.items())]
    replace_text(path.with_suffix(".md"), to_markdown(pages))


def _overview(run: Run, trials: dict[str, list[Trial]]) -> Table:
    tuning = run.settings.tuning
    rows = []
    for key, tried in trials.items():
        peer, best = PEERS[key], best_of(tried)
        seconds = sum(trial.seconds for trial in tried)
        count = f"{len(tried)} of {min(tuning.trials, len(peer.space))}"
        size = str(len(peer.space))
        came = ("failed", "") if best is None else (_score(tried[best]), _settings(tried[best]))
        rows.append((peer.name, count, size, f"{seconds:.0f}", *came))
    return Table(
        f"tuned peers: at most {tuning.trials} trials and {tuning.minutes:g} minutes each",
        ("peer", "trials run", "settings in all", "seconds", _YARDSTICK, "best settings"),
        tuple(rows),
    )


def _details(key: str, trials: list[Trial]) -> Table:
    best = best_of(trials)
    return Table(
        PEERS[key].name,
        ("trial", *trials[0].settings, _YARDSTICK, "seconds"),
        tuple(
            (
                f"{number + 1}, best" if number == best else str(number + 1),
                *map(_text, trial.settings.values()),
                _score(trial),
                f"{trial.seconds:.1f}",
            )
            for number, trial in enumerate(trials)
        ),
    )


def _score(trial: Trial) -> str:
    return f"{trial.score:.4f}" if trial.failed is None else "failed"


def _settings(trial: Trial) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in trial.settings.items())


def _text(value: object) -> str:
    return "all" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _folder(run: Run, key: str) -> Path:
    return run.folder / "peers" / key
