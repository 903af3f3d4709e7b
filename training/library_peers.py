"""Peers from other libraries, fitted in a process of another interpreter."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
from numpy.typing import NDArray

import features.supervise
from graph.cases import Cases
from training.errors import FitError, TrainingError
from training.id_vectors import IdVectorRanker, VectorsOfCases
from training.tuning import Drawn

PYTHON_VARIABLE = "NEARFIELD_PEERS_PYTHON"
"""Environment variable: the Python that has the libraries."""
HOW_TO_ADD = "`make peers-venv` makes it"

LIBRARY_SCRIPT = "training.library_models"
"""The module that the other interpreter runs, by its path; nothing here imports it."""
_SCRIPT = Path(__file__).with_name("library_models.py")
_VERSIONS = "from importlib.metadata import version; print(*map(version, {packages!r}))"
_PACKAGES = ("pm-implicit", "rectools", "torch")
_GIVEN_UP = 2
_GRACE_S = 5
_TAIL_LINES = 12
_OURS = ("request.json", "arrays.npz")
_WHY = "failed.txt"
_SIGNALLED = 128  # plus the signal's number: the status of a process that a signal ended


@dataclass(frozen=True)
class Problem:
    """What a model is fitted on, and the cases it is asked about.

    Shapes:
        item_type: (N,) int64.
    """

    train: pl.DataFrame
    num_users: int
    item_type: NDArray[np.int64]
    valid: Cases
    test: Cases


@dataclass(frozen=True)
class LibraryModel:
    """A model that `library_models.py` fits."""

    model: str
    """Its name there."""
    name: str
    """Its name in the tables."""
    python: Path
    fit_s: float
    """After so long no epoch begins; after twice that the fit is given up."""
    seed: int

    def ranker(self, problem: Problem, settings: Drawn, folder: Path) -> IdVectorRanker:
        """Fit in a process of its own unless `folder` holds the vectors already.

        Raises:
            FitError: the fit fails, takes longer than twice `fit_s` or is killed, or its vectors
                are not finite.
            TrainingError: the process fails for another reason, such as a library that is missing.
        """
        if not (folder / "test.npy").exists():
            self._fit(problem, settings, folder)
        vectors = {name: _read(folder / f"{name}.npy") for name in ("items", "valid", "test")}
        if not all(np.isfinite(each).all() for each in vectors.values()):
            raise FitError(f"{self.name}: the vectors are not finite")
        people = VectorsOfCases()
        people.add(problem.valid, vectors["valid"])
        people.add(problem.test, vectors["test"])
        familiar = np.load(folder / "familiar.npy", allow_pickle=False)
        return IdVectorRanker(self.name, vectors["items"], familiar, people)

    def ask(self, problem: Problem, settings: Drawn, folder: Path) -> None:
        """Write down in `folder` what is to be fitted."""
        request = {
            "model": self.model,
            "settings": settings,
            "seed": self.seed,
            "seconds": self.fit_s,
            "users": problem.num_users,
            "items": len(problem.item_type),
        }
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        np.savez(folder / "arrays.npz", allow_pickle=False, **_arrays(problem))

    def _fit(self, problem: Problem, settings: Drawn, folder: Path) -> None:
        self.ask(problem, settings, folder)
        command = [str(self.python), "-I", str(_SCRIPT), str(folder)]
        status, tail = _run(command, _GIVEN_UP * self.fit_s, self.name)
        if (folder / _WHY).exists():
            raise FitError(f"{self.name}: {(folder / _WHY).read_text(encoding='utf-8')}")
        if status > _SIGNALLED:
            raise FitError(f"{self.name}: the fit was killed by signal {status - _SIGNALLED}")
        if status != 0:
            raise TrainingError(f"{self.name}: {self.python} ended with {status}. {tail}")
        for name in _OURS:
            (folder / name).unlink()


def peers_python(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the Python that has the libraries: the variable's, else `.venv-peers` in the checkout.

    The file need not exist.
    """
    checkout = Path(__file__).resolve().parent.parent
    return checkout / (environ.get(PYTHON_VARIABLE) or ".venv-peers/bin/python")


def library_versions(python: Path) -> dict[str, str]:
    """Tell which versions of the libraries an interpreter has.

    Raises:
        TrainingError: it has not all of them.
    """
    code = _VERSIONS.format(packages=_PACKAGES)
    answer = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True)
    if answer.returncode != 0:
        raise TrainingError(
            f"{python}: expected {', '.join(_PACKAGES)} there, got: {answer.stderr.strip()[-200:]}"
        )
    return dict(zip(_PACKAGES, answer.stdout.split(), strict=True))


def _arrays(problem: Problem) -> dict[str, NDArray[np.int64] | NDArray[np.bool_]]:
    touched = problem.train.filter(pl.col("role") != "negative")
    arrays: dict[str, NDArray[np.int64] | NDArray[np.bool_]] = {
        "train_user": touched["user_row"].to_numpy().astype(np.int64),
        "train_item": touched["item_row"].to_numpy().astype(np.int64),
        "train_strong": (touched["role"] == "strong").to_numpy(),
        "item_type": problem.item_type,
        "valid_target": problem.valid.target,
        "barred_indptr": problem.valid.barred_indptr,
        "barred_rows": problem.valid.barred_rows,
    }
    for name, cases in (("valid", problem.valid), ("test", problem.test)):
        arrays[f"{name}_user"] = cases.user_row
        arrays[f"{name}_indptr"] = cases.history_indptr
        arrays[f"{name}_rows"] = cases.history_rows
    return arrays


def _read(path: Path) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return vectors


def _run(command: list[str], timeout_s: float, name: str) -> tuple[int, str]:
    """Run a command that ends when we do; what it prints goes to our standard error.

    Returns its exit status, 128 more than its number for a signal, and the end of its standard
    error in words.

    Raises:
        FitError: it takes too long.
    """
    supervisor = [sys.executable, "-I", features.supervise.__file__, str(_GRACE_S)]
    with tempfile.TemporaryFile(prefix="peer-", suffix=".log") as log:
        process = subprocess.Popen(
            [*supervisor, *command],
            stdin=subprocess.PIPE,
            stdout=2,
            stderr=log,
            env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **os.environ},
            start_new_session=True,
        )
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise FitError(f"{name}: no answer after {timeout_s:g} s") from error
        finally:
            _stop(process)
        return status, _tail(log)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the command, if it has not ended: the supervisor does so when the pipe closes."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_GRACE_S + 5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
    return "The end of its standard error:\n" + "\n".join(lines)
