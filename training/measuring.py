"""One evaluation of a run: rank with every model, measure, and write all there is to read."""

import sys
from collections.abc import Sequence

from features.progress import Progress
from training.circumstances import tell_circumstances, write_circumstances, write_ranks
from training.comparison import compare_served, fit_models, fitted
from training.evaluate import EvaluationSettings, Measurement, evaluate, write_metrics
from training.page.write import write_report
from training.peers import PEERS
from training.pipeline import Run
from training.ranking import Candidates
from training.report import headlines, tables, to_terminal, write_markdown
from training.summary import summary
from training.tuning_stage import make_peer, write_tuning


def measure(run: Run, asked: Sequence[str]) -> tuple[Measurement, ...]:
    """Tune the peers among some models and evaluate them all; their stages have to be made.

    Writes metrics.json, metrics.md, ranks.parquet, evaluation.json, tuning.json, tuning.md and
    report.html into the run's folder, and the main slices to standard output.

    Raises:
        TrainingError: nothing can be evaluated.
    """
    tuned = [name for name in asked if name in PEERS]
    for name in tuned:
        make_peer(run, name)
    write_tuning(run, tuned)
    names = fitted(run, asked)
    with Progress("evaluate", unit="cases") as progress:

        def report(name: str, done: int, total: int) -> None:
            progress.turn_to(name)
            progress.reach(done, total)

        result = evaluate(
            fit_models(run, names),
            run.split.test,
            Candidates.of(run.dataset, run.split.train),
            EvaluationSettings(seed=run.settings.seed),
            people=run.dataset.users,
            on_progress=report,
        )
    shown = headlines(result.measurements)
    differences = compare_served(result, shown)
    measured = (*result.measurements, *differences)
    write_metrics(run.folder / "metrics.json", measured)
    write_ranks(run, result)
    write_circumstances(run, names, result)
    table = run.folder / "metrics.md"
    first = summary(result.measurements, differences)
    laid_out = (*first, *tables(result.measurements, differences))
    write_markdown(table, laid_out, tell_circumstances(run, result))
    page = run.folder / "report.html"
    write_report(page, run, names, result, differences)
    laid_out = (*tables(result.measurements, differences, slices=shown), *first)
    sys.stdout.write(to_terminal(laid_out) + "\n")
    sys.stdout.write(f"hold-out: {run.split.rule}; all slices in {table}, drawn in {page}\n")
    return measured
