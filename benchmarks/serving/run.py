"""Measure the parts that were asked for, one figure after the other."""

import argparse
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path

import psutil

from benchmarks.serving import figures
from benchmarks.serving.figure import Figure
from benchmarks.serving.load import LoadError
from benchmarks.serving.made_up import Size, made_up_featurizer, make_up
from benchmarks.serving.new_items import new_items
from benchmarks.serving.overload import overload
from benchmarks.serving.processes import ServerError
from benchmarks.serving.sdk import sdk
from export.generation import Generation
from features.errors import VllmProcessError

WIDTH = 128


def run(options: argparse.Namespace) -> int:
    """Measure, print and write."""
    options.out.mkdir(parents=True, exist_ok=True)
    measured: list[Figure] = []
    print("| figure | value | bar | met |\n|---|---:|---:|---|")
    try:
        for figure in _figures(options):
            measured.append(figure)
            print(_row(figure), flush=True)
    except (LoadError, ServerError, VllmProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        _write(options.out / "bench.json", measured)
    return 0


def _figures(options: argparse.Namespace) -> Iterator[Figure]:
    out, calls = options.out, options.calls
    first = _made(out, options.items[0])
    if "calls" in options.parts:
        asked = figures.by_id(first), figures.embed_user(first)
        by_id = "Recommend by id", figures.RECOMMEND, asked[0], calls
        embed = "EmbedUser, 50 events", figures.EMBED_USER, asked[1], calls // 2
        for name, method, request, number in (by_id, embed):
            yield from figures.beside_empty(name, first, out, method, request, number)
    if "sdk" in options.parts:
        yield from sdk(first, out, calls // 2)
    if "catalogues" in options.parts:
        for items in options.items:
            generation = _made(out, items)
            yield from figures.batches(generation, out)
            yield from figures.catalogue(generation, out, calls // 5)
    if "new-items" in options.parts:
        yield from new_items(out, _say)
    if "overload" in options.parts:
        yield from overload(first, out)


def _made(out: Path, items: int) -> Generation:
    path = make_up(
        out / f"items-{items}",
        Size(items=items, text=WIDTH),
        made_up_featurizer(WIDTH),
        seed=0,
        say=_say,
    )
    return figures.open_generation(path)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _row(figure: Figure) -> str:
    bar = "" if figure.bar is None else f"{'≥' if figure.least else '≤'} {figure.bar:g}"
    met = {None: "", True: "yes", False: "**no**"}[figure.met]
    digits = 0 if figure.value >= 100 else 2
    return f"| {figure.name} | {figure.value:,.{digits}f} {figure.unit} | {bar} | {met} |"


def _write(path: Path, measured: list[Figure]) -> None:
    content = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9),
            "python": platform.python_version(),
        },
        "figures": [asdict(each) | {"met": each.met} for each in measured],
    }
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
