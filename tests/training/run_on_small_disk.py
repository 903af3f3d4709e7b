"""Trains and publishes on a disk that is full, and grows; run by test_full_disk in a namespace."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import export.__main__ as exporting
import training.__main__ as training
from export.networks import export_networks
from export.settings import PublishSettings
from graph.worlds import two_communities, write_world
from tests.support.mounts import resize
from tests.support.runs import QUICK, HashSource

SIZES = (8, 56, 104, 152, 272)
"""In kB: the disk is full in each stage but the last, which writes little."""
LARGE = 16 * 1024
ALLOWED = partial(PublishSettings, test_featurizer_allowed=True)


def main(data: Path, small: Path) -> None:
    """Run the same commands over and over, in 8 kB and more, and say how each ended."""
    write_world(two_communities(), data)
    run, out = small / "run", small / "out"
    train = ["all", "--data", str(data), "--run", str(run)]
    evaluate = ["evaluate", "--data", str(data), "--run", str(small / "measured")]
    evaluate += ["--models", "popularity"]
    publish = ["--run", str(run), "--out", str(out)]
    with (
        patch("training.commands.featurizer_source", lambda options: HashSource()),
        patch("training.commands.read_settings", lambda *a, **k: QUICK),
        patch("export.commands.PublishSettings", ALLOWED),
        patch("export.publish.export_networks", once(export_networks)),
    ):
        for size in (*SIZES, LARGE):
            resize(small, size)
            say("training", training.main(train))
        resize(small, used(small) + 40)
        say("export", exporting.main(publish))
        say("left", [each.name for each in out.rglob("*") if each.is_file()])
        resize(small, LARGE)
        say("export", exporting.main(publish))
        for size in (used(small) + 40, LARGE):
            resize(small, size)
            say("evaluate", training.main(evaluate))


def once(make: Callable[..., object]) -> Callable[..., object]:
    """Make something the first time, and give it again."""
    made: list[object] = []

    def give(*arguments: object) -> object:
        if not made:
            made.append(make(*arguments))
        return made[0]

    return give


def used(folder: Path) -> int:
    """Tell how many kB a folder takes."""
    return sum(each.stat().st_blocks // 2 for each in folder.rglob("*"))


def say(*words: object) -> None:
    sys.stderr.write(" ".join(map(str, ("ended:", *words))) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
