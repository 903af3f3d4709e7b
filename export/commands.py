"""What `python -m export` does: publish, verify, list, go back."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from export.errors import ExportError
from export.generation import (
    Generation,
    GenerationError,
    GenerationMissingError,
    find_all,
    locate,
    read,
    switch,
)
from export.generation.folder import CURRENT, GENERATIONS_FOLDER
from export.generation.manifest import read_manifest
from export.metrics import read_metrics
from export.publish import publish
from export.settings import PublishSettings
from features.errors import FeatureError
from features.full_disk import NO_ROOM, full_disk
from graph.errors import GraphError
from models.checkpoint import CheckpointError
from retrieval.errors import RetrievalError
from retrieval.store import load_index
from tables.errors import TableError

_ERRORS = (
    ExportError,
    GenerationError,
    FeatureError,
    TableError,
    GraphError,
    CheckpointError,
    RetrievalError,
    OSError,
)


def work(options: argparse.Namespace) -> int:
    """Carry out a command and return its exit status; where that is not 0, a line says why."""
    try:
        _COMMANDS[options.command](options)
    except Exception as error:
        if full := full_disk(error, [options.out] if "out" in options else []):
            _say(f"export: {full}")
            return NO_ROOM
        if not isinstance(error, _ERRORS):
            raise
        _say(f"export: {error}")
        return 1
    except KeyboardInterrupt:
        _say("export: interrupted, nothing was published")
        return 130
    return 0


def _publish(options: argparse.Namespace) -> None:
    generation = publish(
        options.run,
        options.out,
        PublishSettings(
            approximate_from=options.approximate_from,
            listed=options.listed,
            metrics=read_metrics(options.metrics) if options.metrics else (),
            made_current=not options.aside,
        ),
        created=datetime.now(UTC),
        say=lambda line: _say(f"export: {line}"),
    )
    _tell(_describe(generation))
    _tell(f"current:     {'unchanged' if options.aside else options.out / CURRENT}")


def _verify(options: argparse.Namespace) -> None:
    generation = read(options.generation, allow_test_featurizer=options.allow_test_featurizer)
    load_index(generation.index_folder, generation.item_vectors)
    _tell(_describe(generation))
    _tell(f"files:       {len(generation.manifest.files)}, each as it was written")


def _list(options: argparse.Namespace) -> None:
    current = locate(options.out).name if (options.out / CURRENT).is_symlink() else ""
    folders = find_all(options.out)
    if not folders:
        raise GenerationMissingError(options.out, "holds no generation")
    for folder in folders:
        manifest = read_manifest(folder)
        mark = "*" if folder.name == current else " "
        _tell(
            f"{mark} {folder.name}  {manifest.created}  space {manifest.space_id}  "
            f"{manifest.counts.items:,} items  {manifest.counts.users:,} users"
        )


def _use(options: argparse.Namespace) -> None:
    read(
        options.out / GENERATIONS_FOLDER / options.name,
        allow_test_featurizer=options.allow_test_featurizer,
    )
    _tell(f"current:     {switch(options.out, options.name)} -> {options.name}")


_COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "publish": _publish,
    "verify": _verify,
    "list": _list,
    "use": _use,
}


def _describe(generation: Generation) -> str:
    manifest = generation.manifest
    counts = manifest.counts
    parity = max(manifest.parity.values(), default=0.0)
    return "\n".join(
        (
            f"generation:  {generation.path}",
            f"space:       {manifest.space_id}, text by {manifest.featurizer.name}",
            f"as of:       {manifest.as_of or 'unknown'}",
            f"items:       {counts.items:,} of {', '.join(manifest.item_types)}",
            f"users:       {counts.users:,} with {counts.history:,} events",
            f"index:       {manifest.index.kind}",
            f"parity:      {parity:.1e} at most between torch and onnxruntime",
            f"metrics:     {len(manifest.metrics) or 'none'}",
        )
    )


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
