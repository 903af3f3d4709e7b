"""The ablations of the papers on a data set: what is taken away or done otherwise, one at a time.

Source: the tables of De Nadai et al., arXiv 2403.05185, and Damianou et al., arXiv 2403.07478.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from features.years import YearEncoder
from graph.item_graph import ItemGraph
from tables.dataset import Dataset
from tables.folder import TOLD_OF_PEOPLE
from training.records import item_records
from training.variants import DEFAULT, TOWERS, Variant
from training.view import View

_PAPERS_TOWER = {"user_tower": "pooled", "decays": [1.0]}
_PER_TYPE = "pooled-per-type"


def ablations(dataset: Dataset, graph: ItemGraph) -> tuple[Variant, ...]:
    """List every ablation, the default first; `graph` is the default's.

    Types or relations whose names are the same once they can be a folder's are numbered.
    """
    return _distinct(
        (
            Variant(name=DEFAULT, meaning="as the settings say"),
            *_models(dataset),
            *_training(dataset),
            *_beyond(),
            *_relations(graph),
            *_types(dataset),
            *_towers(),
            *_aggregations(),
            *_edges(),
        )
    )


def _models(dataset: Dataset) -> Iterator[Variant]:
    yield Variant(
        name="2t",
        meaning="towers over text, without the graph",
        models=("2t",),
        against="2t-hgnn",
    )
    yield Variant(
        name="text-knn",
        meaning="neighbours by text alone, plain and centred as the foundation has it",
        models=("text-knn", "text-knn-centred"),
        against="hgnn-knn",
    )
    yield Variant(
        name="no-text",
        meaning="a drawn vector in place of each item's text",
        view=View(without_text=True),
    )
    dated = YearEncoder.fit(item_records(dataset.items)).width > 0
    yield Variant(
        name="no-years",
        meaning="of no item the year is known",
        view=View(without_years=True),
        problem="" if dated else "the data set has no two years of items",
    )
    told = dataset.users.select(pl.col(TOLD_OF_PEOPLE).is_not_null().any()).row(0)
    yield Variant(
        name="no-demographics",
        meaning="nothing is known of people but what they did",
        view=View(without_people=True),
        models=TOWERS,
        problem="" if any(told) else "the data set has neither country nor age nor gender",
    )
    yield Variant(
        name="people-in-graph",
        meaning="people as nodes, joined with what they chose; neighbours by these vectors",
        models=("people-knn",),
        against="hgnn-knn",
    )


def _training(dataset: Dataset) -> Iterator[Variant]:
    yield Variant(
        name="balanced",
        meaning="as many edges in every epoch, the same of every relation",
        changes={"foundation": {"sampler": "balanced"}},
    )
    yield Variant(
        name="all-edges",
        meaning="all edges in every epoch",
        changes={"foundation": {"sampler": "all"}},
    )
    has_weak = bool((dataset.interactions["role"] == "weak").any())
    yield Variant(
        name="no-weak-signals",
        meaning="histories of strong signals alone",
        changes={"adaptation": {"weak_signals": False}},
        models=TOWERS,
        problem="" if has_weak else "the data set has no weak signals",
    )


def _beyond() -> Iterator[Variant]:
    yield Variant(
        name="no-residual",
        meaning="familiar items are known by content and graph alone",
        changes={"adaptation": {"residual": False}},
        models=TOWERS,
    )
    yield Variant(
        name="residual-from-nothing",
        meaning="the residuals begin at 0",
        changes={"adaptation": {"residual_start": 0.0}},
        models=TOWERS,
    )
    yield Variant(
        name="nothing-shown-new",
        meaning="the towers are shown every item as it is",
        changes={"adaptation": {"shown_new": 0.0}},
        models=TOWERS,
    )
    yield Variant(
        name="nothing-hidden",
        meaning="the towers are told every language, country, age and gender that is known",
        changes={"adaptation": {"hidden": 0.0}},
        models=TOWERS,
    )
    yield Variant(
        name="nothing-pretended",
        meaning="of new items the scorer learns from what few there are",
        changes={"fusion": {"pretended_parts": 0}},
        models=("nearfield",),
    )


def _relations(graph: ItemGraph) -> Iterator[Variant]:
    names = graph.relations.names
    counts = {name: len(graph.edges(name)) for name in names}
    for name in names:
        problem = "" if counts[name] else "the graph has no such edge"
        if counts[name] == sum(counts.values()):
            problem = problem or "the graph has no other edges"
        yield Variant(
            name=f"without-{_slug(name)}",
            meaning=f"without {name} edges",
            changes={"graph": {"without": [name]}},
            problem=problem,
        )
        yield Variant(
            name=f"only-{_slug(name)}",
            meaning=f"{name} edges only",
            changes={"graph": {"only": [name]}},
            problem=problem,
        )
    content = sum(counts[name] for name in graph.content_relations)
    yield Variant(
        name="no-content",
        meaning="without content relations",
        changes={"graph": {"content_relations": []}},
        problem="" if content else "no content relation has an edge",
    )


def _types(dataset: Dataset) -> Iterator[Variant]:
    for item_type in dataset.item_types:
        yield Variant(
            name=f"alone-{_slug(item_type)}",
            meaning=f"a model of {item_type} alone, the other types are not there",
            view=View(item_type=item_type),
            problem="" if len(dataset.item_types) > 1 else "there is no other type",
        )


def _towers() -> Iterator[Variant]:
    yield Variant(
        name=_PER_TYPE,
        meaning="the papers' user tower: one mean per type",
        changes={"adaptation": {**_PAPERS_TOWER, "pool_by_type": True}},
        models=TOWERS,
    )
    yield Variant(
        name="pooled-once",
        meaning="the papers' user tower: one mean over all types",
        changes={"adaptation": {**_PAPERS_TOWER, "pool_by_type": False}},
        models=TOWERS,
        besides=(_PER_TYPE,),
    )


def _aggregations() -> Iterator[Variant]:
    for name in ("mean", "attention"):
        yield Variant(
            name=name,
            meaning=f"messages are taken in by {name} in place of max",
            changes={"foundation": {"aggregation": name}},
        )


def _edges() -> Iterator[Variant]:
    yield Variant(
        name="plain-edges",
        meaning="edges without weights, long lists cut at random",
        changes={"graph": {"weighting": "plain"}},
    )
    yield Variant(
        name="plain-edges-of-one",
        meaning="the same, and one person is enough for an edge, as in the papers",
        changes={"graph": {"weighting": "plain", "min_users": 1}},
    )
    yield Variant(
        name="weighted-draws",
        meaning="neighbours drawn in proportion to their weights",
        changes={"foundation": {"draw": "weighted"}},
    )


def _distinct(variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
    """Number all but the first of the variants that share a name, with names nobody else has."""
    taken: set[str] = set()
    distinct = []
    for variant in variants:
        name, number = variant.name, 1
        while name in taken:
            number += 1
            name = f"{variant.name}-{number}"
        taken.add(name)
        distinct.append(replace(variant, name=name))
    return tuple(distinct)


def _slug(name: str) -> str:
    """Write a name so that it can be a folder's."""
    return re.sub(r"[^\w.-]+", "_", name)
