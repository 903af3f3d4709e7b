import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from export.__main__ import main
from export.generation import locate, read
from tests.support.generation import write_tiny_output
from training.evaluate import Measurement, write_metrics

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("command", [[], ["publish"], ["verify"], ["list"], ["use"]])
def test_every_command_has_help(command: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])

    assert ended.value.code == 0
    assert "usage: python -m export" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--run", "x"], ["--out", "x"], ["fly"]])
def test_a_command_that_is_not_understood_ends_with_2_and_the_usage(
    arguments: list[str], capsys: Captured
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage: python -m export" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_named(tmp_path: Path, capsys: Captured) -> None:
    assert main(["--run", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 1

    error = capsys.readouterr().err
    assert error.startswith(f"export: {tmp_path / 'nowhere' / 'dataset'}: is not a finished stage")
    assert not (tmp_path / "out").exists()


def test_a_run_with_vectors_of_a_fake_is_refused(
    run: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert main(["--run", str(run), "--out", str(tmp_path / "out")]) == 1

    assert "a fake for tests: they must not serve" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_metrics_of_another_model_are_refused_before_anything_is_written(
    run: Path, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "metrics.json"
    write_metrics(path, [Measurement("popularity", "overall", "HR@10", 0.1, None, None, 3)])
    arguments = ["--run", str(run), "--out", str(tmp_path / "out"), "--metrics", str(path)]

    assert main(arguments) == 1

    assert f"export: {path}: expected measurements of 'nearfield'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_metrics_that_are_given_are_published(run: Path, tmp_path: Path, capsys: Captured) -> None:
    copy, out, path = tmp_path / "run", tmp_path / "out", tmp_path / "metrics.json"
    shutil.copytree(run, copy)
    described = copy / "text" / "featurizer.json"
    described.write_text(described.read_text().replace("true", "false"))  # no longer a fake
    measured = [Measurement("nearfield", "overall", "HR@10", 0.25, 0.2, 0.3, 40)]
    write_metrics(path, measured)

    assert main(["--run", str(copy), "--out", str(out), "--metrics", str(path)]) == 0

    assert [*read(out).manifest.metrics] == [asdict(each) for each in measured]
    assert "metrics:     1\n" in capsys.readouterr().out


def test_verify_says_what_a_generation_is(tmp_path: Path, capsys: Captured) -> None:
    path = write_tiny_output(tmp_path)

    assert main(["verify", "--allow-test-featurizer", str(tmp_path)]) == 0

    told = capsys.readouterr().out
    assert f"generation:  {path}\n" in told
    assert "items:       60 of audiobook, podcast\n" in told
    assert "each as it was written\n" in told


def test_verify_names_what_is_damaged(tmp_path: Path, capsys: Captured) -> None:
    path = write_tiny_output(tmp_path)
    (path / "title_data.npy").write_bytes(b"")

    assert main(["verify", "--allow-test-featurizer", str(tmp_path)]) == 1

    assert f"export: {path / 'title_data.npy'}: is 0 bytes long" in capsys.readouterr().err


def test_verify_refuses_a_fake(tmp_path: Path, capsys: Captured) -> None:
    write_tiny_output(tmp_path)

    assert main(["verify", str(tmp_path)]) == 1
    assert "it must not serve" in capsys.readouterr().err


def test_list_marks_the_current_generation(tmp_path: Path, capsys: Captured) -> None:
    old = write_tiny_output(tmp_path, seed=7)
    new = write_tiny_output(tmp_path, seed=8)

    assert main(["list", str(tmp_path)]) == 0

    lines = {line[2:18]: line for line in capsys.readouterr().out.splitlines()}
    assert set(lines) == {old.name, new.name}
    assert lines[new.name].startswith("* ")
    assert lines[old.name].startswith("  ")
    assert "60 items  20 users" in lines[old.name]


def test_list_of_an_empty_folder_says_so(tmp_path: Path, capsys: Captured) -> None:
    assert main(["list", str(tmp_path)]) == 1
    assert f"export: {tmp_path}: holds no generation" in capsys.readouterr().err


def test_use_refuses_what_must_not_serve_and_leaves_the_current_one(
    tmp_path: Path, capsys: Captured
) -> None:
    old = write_tiny_output(tmp_path, seed=7)
    new = write_tiny_output(tmp_path, seed=8)

    assert main(["use", old.name, "--out", str(tmp_path)]) == 1

    assert "must not serve" in capsys.readouterr().err
    assert locate(tmp_path) == new


def test_use_names_a_generation_that_is_not_there(tmp_path: Path, capsys: Captured) -> None:
    write_tiny_output(tmp_path)

    assert main(["use", "0123456789abcdef", "--out", str(tmp_path)]) == 1
    assert "0123456789abcdef" in capsys.readouterr().err


def test_use_goes_back_to_an_earlier_generation(tmp_path: Path, capsys: Captured) -> None:
    old = write_tiny_output(tmp_path, seed=7)
    write_tiny_output(tmp_path, seed=8)

    arguments = ["use", old.name, "--out", str(tmp_path), "--allow-test-featurizer"]
    assert main(arguments) == 0

    assert locate(tmp_path) == old
    assert old.name in capsys.readouterr().out


def test_the_module_runs(tmp_path: Path) -> None:
    path = write_tiny_output(tmp_path)

    done = subprocess.run(
        [sys.executable, "-m", "export", "list", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )

    assert path.name in done.stdout
