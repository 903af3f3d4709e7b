"""Command line: publish a run, look at what was published, go back to an earlier one.

python -m export --run FOLDER --out FOLDER [--metrics FILE]
python -m export verify GENERATION
python -m export list OUT
python -m export use NAME --out OUT
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

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
PUBLISH = "publish"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when done, 1 with a message on standard error when it cannot be."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help")):
        given.insert(0, PUBLISH)
    options = _parser().parse_args(given)
    try:
        _COMMANDS[options.command](options)
    except _ERRORS as error:
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
    PUBLISH: _publish,
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Turn a run of `python -m training` into a generation, the folder that "
        "`python -m server` serves. Without a command: publish.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    text = "write a run's generation to OUT/generations and point OUT/current to it"
    command = commands.add_parser(PUBLISH, help=text, description=text)
    add = command.add_argument
    add("--run", type=Path, required=True, help="folder that `python -m training all` filled")
    add("--out", type=Path, required=True, help="folder for generations; made if need be")
    defaults = PublishSettings()
    add(
        "--approximate-from",
        type=int,
        default=defaults.approximate_from,
        metavar="ITEMS",
        help="catalogue size from which search is approximate; default: %(default)s",
    )
    add(
        "--listed",
        type=int,
        default=defaults.listed,
        metavar="ITEMS",
        help="items kept ready for each user, 0 for none; default: %(default)s",
    )
    add(
        "--metrics",
        type=Path,
        metavar="FILE",
        help="metrics.json that `python -m training evaluate` wrote for the same data and "
        "settings; what it says of the served model goes into the manifest",
    )
    add("--aside", action="store_true", help="leave OUT/current as it is")
    text = "read every file of a generation and compare it with its manifest"
    command = commands.add_parser("verify", help=text, description=text)
    command.add_argument("generation", type=Path, help="a generation, or a folder with `current`")
    _add_allowance(command)
    text = "list the generations of a folder; * marks the current one"
    command = commands.add_parser("list", help=text, description=text)
    command.add_argument("out", type=Path, help="folder that was given as --out")
    text = "make an earlier generation current again"
    command = commands.add_parser("use", help=text, description=text)
    command.add_argument("name", help="its name, as `list` shows it")
    command.add_argument("--out", type=Path, required=True, help="folder of the generations")
    _add_allowance(command)
    return parser


def _add_allowance(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--allow-test-featurizer",
        action="store_true",
        help="accept text vectors of a fake, which no server does",
    )


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
