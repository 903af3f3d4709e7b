"""`python -m tables check FOLDER` says what a data folder holds, quickly and without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from tables.__main__ import main

ROOT = Path(__file__).parents[2]
ITEMS = "item_id,item_type,title\nb1,book,one\nb2,,two\n"
EVENTS = (
    "user_id,item_id,timestamp,weight\n"
    "ann,b1,2023-11-14 22:13:20,\n"
    "ann,b2,1,\nbob,b2,1,\n"
    "ann,b1,soon,\n"
    "ann,b1,1,0\nann,b1,1,0\nann,b1,1,0\n"
)
SUMMARY = """\
rows read: items.csv 2, interactions.csv 7
rows set aside: 7 of 9
  interactions.csv: 3 rows with zero_weight (weight): a weight is above 0; where 0 means disliked, \
give these rows a signal that dataset.toml calls negative and leave the weight empty; where it \
means not rated, leave it empty
      row 5, user_id 'ann', item_id 'b1', weight '0'
      row 6, user_id 'ann', item_id 'b1', weight '0'
  interactions.csv: 2 rows with unknown_item (item_id): the item is not among the sound rows of \
items; 2 of them name an item whose row was set aside
      row 2, user_id 'ann', item_id 'b2'
      row 3, user_id 'bob', item_id 'b2'
  items.csv: 1 row with null_item_type (item_type): an item needs a type, such as film; of one \
type only, it is the same in every row
      row 2, item_id 'b2', item_type None
  and 1 row for other reasons
note: interactions.csv: timestamp without a time zone, read as UTC: 1 row
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "items.csv").write_text(ITEMS)
    (tmp_path / "interactions.csv").write_text(EVENTS)
    return tmp_path


def test_the_summary_tells_counts_and_the_three_likeliest_reasons(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(folder)]) == 0
    assert capsys.readouterr().out == SUMMARY


def test_a_sound_folder_is_told_in_two_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "items.csv").write_text("item_id,item_type,title\nb1,book,one\n")
    (tmp_path / "interactions.csv").write_text("user_id,item_id,seq\nann,b1,1\n")
    assert main(["check", str(tmp_path), "--strict"]) == 0
    assert capsys.readouterr().out == (
        "rows read: items.csv 1, interactions.csv 1\nrows set aside: 0 of 2\n"
    )


def test_what_cannot_be_used_ends_with_status_1_and_the_reason(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(folder), "--strict"]) == 1
    assert capsys.readouterr().err.startswith("tables: strict: 7 bad rows\n")
    (folder / "items.csv").write_text("item_id,item_type,title\nb3,book,three\n")
    assert main(["check", str(folder)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("tables: interactions: no sound row left\n")
    assert "unknown_item" in told
    assert main(["check", str(folder / "nowhere")]) == 1
    assert "nowhere: not a folder" in capsys.readouterr().err


def loaded_by(*arguments: str) -> set[str]:
    """Run the command in a process of its own and name the modules that it has loaded."""
    script = f"import sys; sys.argv[1:] = {list(arguments)!r}\n"
    script += "import runpy, contextlib\nwith contextlib.suppress(SystemExit):\n"
    script += "    runpy.run_module('tables', run_name='__main__')\n"
    script += "print('loaded', *sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_a_check_loads_no_torch_and_help_loads_nothing_heavy(folder: Path) -> None:
    heavy = {"torch", "duckdb", "scipy", "sklearn", "onnxruntime", "grpc"}
    checked = loaded_by("check", str(folder))
    assert "polars" in checked
    assert not heavy & checked
    for arguments in (("--help",), ("check", "--help"), ("check",)):
        assert not (heavy | {"polars", "numpy"}) & loaded_by(*arguments)
