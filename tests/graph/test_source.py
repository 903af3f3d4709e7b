"""Which code counts: what can be imported from the entries, and nothing else."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from graph.errors import StageError
from graph.source import ROOT, code_version, importable, read_modules

FILES: Mapping[str, str] = {
    "one/__init__.py": "",
    "one/entry.py": "import numpy\nfrom one.step import work\n",
    "one/step.py": "from two import deep\nfrom two.names import NAME\n",
    "one/page.py": "import one.entry\n",
    "one/late.py": "def go():\n    import two.names\n",
    "one/typed.py": "if TYPE_CHECKING:\n    from two.names import NAME\n",
    "one/near.py": "from . import step\nfrom .late import go\n",
    "one/ring.py": "from one import gnir\n",
    "one/gnir.py": "from one import ring\n",
    "one/star.py": "from two.deep import *\n",
    "two/__init__.py": "from two import first\n",
    "two/first.py": "",
    "two/names.py": "NAME = 1\n",
    "two/deep/__init__.py": "",
    "two/deep/below.py": "from ..names import NAME\n",
    "loose/alone.py": "",
}


def write(root: Path, changes: Mapping[str, str] = {}) -> Path:
    """Write the files with some of them changed; none of it is ever run."""
    for path, text in {**FILES, **changes}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


TWO = ("two", "two.first")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("one.entry", ("one", "one.entry", "one.step", *TWO, "two.deep", "two.names")),
        ("one.late", ("one", "one.late", *TWO, "two.names")),
        ("one.typed", ("one", "one.typed", *TWO, "two.names")),
        ("two.deep.below", (*TWO, "two.deep", "two.deep.below", "two.names")),
        ("one.ring", ("one", "one.gnir", "one.ring")),
        ("one.star", ("one", "one.star", *TWO, "two.deep", "two.deep.below", "two.names")),
        ("one.near", ("one", "one.late", "one.near", "one.step", *TWO, "two.deep", "two.names")),
    ],
)
def test_what_can_be_imported(tmp_path: Path, entry: str, expected: tuple[str, ...]) -> None:
    assert importable((entry,), write(tmp_path)) == tuple(sorted(expected))


def test_several_entries_count_together_in_any_order(tmp_path: Path) -> None:
    root = write(tmp_path)
    both = importable(("one.ring", "two.names"), root)
    assert both == ("one", "one.gnir", "one.ring", *TWO, "two.names")
    versions = {code_version(names, root) for names in (("one.ring", "two"), ("two", "one.ring"))}
    assert len(versions) == 1


@pytest.mark.parametrize("path", FILES)
def test_the_version_follows_what_can_be_imported(tmp_path: Path, path: str) -> None:
    before = write(tmp_path / "before")
    changed = write(tmp_path / "after", {path: FILES[path] + "\nCHANGED = True\n"})
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    inside = name in importable(("one.entry",), before)
    same = code_version(("one.entry",), before) == code_version(("one.entry",), changed)
    assert same is not inside


def test_source_that_moves_to_another_module_is_other_source(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"two/names.py": "A = 1\n", "two/first.py": ""})
    other = write(tmp_path / "other", {"two/names.py": "", "two/first.py": "A = 1\n"})
    assert code_version(("one.entry",), one) != code_version(("one.entry",), other)


def test_what_is_edited_while_a_process_runs_does_not_count_in_it(tmp_path: Path) -> None:
    root = write(tmp_path)
    before = code_version(("one.entry",), root)
    write(root, {"one/step.py": "CHANGED = True\n"})
    assert code_version(("one.entry",), root) == before


@pytest.mark.parametrize("entry", ["one.nothing", "loose.alone", "numpy", ""])
def test_entries_that_are_no_modules_of_ours_are_refused(tmp_path: Path, entry: str) -> None:
    with pytest.raises(StageError, match=f"code: expected modules below .*, got '{entry}'"):
        importable(("one.entry", entry), write(tmp_path))


def test_all_our_packages_are_read() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert {"features", "tables", "graph", "models", "retrieval", "training", "export"} <= packages
    assert {name for name in read_modules() if "." not in name} == packages
