"""An evaluation -> report.html, one file that needs nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import shorten

import jinja2
import numpy as np
from markupsafe import Markup

from tables.files import replace_text
from training.comparison import MODELS, SERVED
from training.evaluate import Evaluation
from training.measurement import COVERAGE, TIED, Measurement
from training.metrics import HIT_RATE, NDCG, TOP
from training.page.curves import Curve, Stage, read_curves, trained_stages
from training.page.drawings import Landmark, draw_curves, draw_map
from training.page.examples import draw_examples
from training.page.item_map import ItemMap, map_items, pick_landmarks
from training.page.numbers import Numbers
from training.page.pictures import (
    Picture,
    difference_picture,
    exposure_picture,
    mix_picture,
    slice_pictures,
)
from training.pipeline import Run
from training.report import tables

_SPACES = (
    ("adaptation", "item_vectors.npy", "vectors from the item tower"),
    ("foundation", "vectors.npy", "vectors from the foundation"),
)
_TITLE_LENGTH = 32


def write_report(
    path: Path,
    run: Run,
    names: Sequence[str],
    evaluation: Evaluation,
    differences: Iterable[Measurement],
) -> None:
    """Write the page of an evaluation of the models `names`, as the command line calls them.

    The examples are the served model's, or the last one's where that was not evaluated.
    """
    numbers = Numbers(evaluation.measurements, differences, tuple(evaluation.rankings), SERVED)
    types = evaluation.candidates.item_types
    name = SERVED if SERVED in names else names[-1]
    ranker = MODELS[name](run)
    stages = trained_stages(run.folder, names)
    page = _template().render(
        title=run.inputs.data.resolve().name,
        facts=_facts(run, evaluation, numbers),
        tiles=_tiles(numbers),
        headline=tables(numbers.measurements, slices=[numbers.headline])[0],
        served=numbers.served,
        slices=[_marked(each) for each in slice_pictures(numbers, types)],
        differences=_marked(difference_picture(numbers)),
        exposure=_marked(exposure_picture(numbers)),
        mix=_marked(mix_picture(numbers, types)),
        curves=_marked(_curves(read_curves(run.folder, stages))),
        map=_marked(_map(run, stages, evaluation)),
        top=TOP,
        example_model=ranker.name,
        examples=draw_examples(
            ranker,
            evaluation.cases,
            evaluation.candidates,
            run.dataset,
            seed=evaluation.settings.seed,
        ),
        tables=tables(numbers.measurements, numbers.differences),
    )
    replace_text(path, page)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


def _facts(run: Run, evaluation: Evaluation, numbers: Numbers) -> list[tuple[str, str]]:
    """Say in a few words what was measured and how."""
    part = numbers.headline
    tied = numbers.of_cases(part, TIED)
    kinds = run.dataset.items["item_type"].value_counts().sort("item_type")
    settings = evaluation.settings
    return [
        ("held out", run.split.rule),
        (
            "cases",
            f"{len(evaluation.cases):,}, of {len(np.unique(evaluation.cases.user_row)):,} users",
        ),
        ("tied targets", "" if tied is None else f"{tied.value:.0%}, broken by a seeded hash"),
        ("items", ", ".join(f"{count:,} {name}" for name, count in kinds.iter_rows())),
        ("learned from", f"{len(run.split.train):,} interactions"),
        ("seed", str(run.settings.seed)),
        ("intervals", f"95%, bootstrap over users, {settings.replicates:,} draws"),
    ]


def _tiles(numbers: Numbers) -> list[tuple[str, str, str]]:
    """Give the few numbers for the top of the page: what, how much, between what."""
    part, model = numbers.headline, numbers.served or numbers.models[-1]
    tiles = []
    for metric in (HIT_RATE, NDCG):
        found = numbers.of(model, part, metric)
        if found is not None:
            tiles.append((f"{metric} of {model}", f"{found.value:.3f}", _ends(found)))
    gains = numbers.gains(part, HIT_RATE)
    if gains:
        strongest = min(gains, key=lambda other: gains[other].value)
        gain = gains[strongest]
        ends = f"95%: {gain.low:+z.3f} to {gain.high:+z.3f}, user by user"
        tiles.append((f"{HIT_RATE} above {strongest}, the best other", f"{gain.value:+z.3f}", ends))
    shown = numbers.of(model, part, COVERAGE[TOP])
    if shown is not None:
        tiles.append(
            (f"{shown.metric} of {model}", f"{shown.value:.1%}", "of the items, in some list")
        )
    return tiles


def _ends(measurement: Measurement) -> str:
    return f"95%: {measurement.low:.3f} to {measurement.high:.3f}"


def _curves(curves: Sequence[Curve]) -> Picture | None:
    if not curves:
        return None
    told = "; ".join(
        f"{curve.stage.title}: best epoch {curve.best} of {curve.epoch[-1]}" for curve in curves
    )
    return Picture(
        "",
        "Epoch 0 is before any step. The dashed line marks the epoch whose weights were kept; the "
        "cases it is chosen by are not those reported.",
        draw_curves(curves),
        told,
    )


def _map(run: Run, stages: Sequence[Stage], evaluation: Evaluation) -> Picture | None:
    """Map the towers' item vectors, or those of the foundation where there are no towers."""
    for folder, file, words in _SPACES:
        if folder in {stage.folder for stage in stages}:
            vectors = np.load(run.folder / folder / file, allow_pickle=False)
            drawn = map_items(vectors, seed=evaluation.settings.seed)
            return None if drawn is None else _mapped(drawn, words, run, evaluation)
    return None


def _mapped(drawn: ItemMap, words: str, run: Run, evaluation: Evaluation) -> Picture:
    candidates = evaluation.candidates
    item_type = candidates.item_type[drawn.rows]
    titles = run.dataset.items["title"]
    landmarks = [
        Landmark(place, shorten(titles[int(drawn.rows[place])], _TITLE_LENGTH, placeholder=" …"))
        for place in pick_landmarks(drawn, candidates.item_type, candidates.popularity)
    ]
    count = f"{len(drawn.rows):,} of {len(candidates):,} items"
    return Picture(
        "",
        f"{count}, drawn by the seed: their {words}, laid out by t-SNE. Neighbours here are "
        "neighbours there; distances across the map say little. Some of the most popular have "
        "their names.",
        draw_map(drawn.points, item_type, candidates.item_types, landmarks),
        f"A map of {count}, coloured by item type.",
    )


def _marked(picture: Picture | None) -> Picture | None:
    """Let the drawing, which is ours and escaped, into the page as it is."""
    return None if picture is None else replace(picture, svg=Markup(picture.svg))
