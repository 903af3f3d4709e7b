"""Fits one model of another library: a script for an interpreter that has that library.

python library_models.py FOLDER

The libraries want a numpy that the application cannot have, so this file imports nothing of ours.

Reads from the folder `request.json` (model, settings, seed, users, items) and `arrays.npz`:

    train_user, train_item: (E,) who touched what, sorted by person, oldest first
    train_strong: (E,) bool, what is worth predicting; the rest is context
    item_type: (N,)
    valid_user, test_user: (C,); valid_target: (C,)
    valid_indptr, test_indptr: (C + 1,); valid_rows, test_rows: (H,) histories, oldest first
    barred_indptr: (C + 1,), barred_rows: (B,) what is no candidate of a validation case

Writes `items.npy` (N, D) and `familiar.npy` (N,), which items were learned from, and for the two
lists of cases `valid.npy` and `test.npy` (C, D), whose dot products with the items rank them; a
person of whom the model knows nothing has the zero vector. Where the fit itself fails, `failed.txt`
says why instead, and the exit status is 3; a library that cannot be imported is no such failure.
"""

import copy
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

Floats = np.ndarray[Any, np.dtype[np.float32]]
Whole = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

_EXACT_UP_TO = 5000  # items; above, SASRec learns from drawn negatives
_NEGATIVES = 128
_LONGEST = 100  # items of a sequence that SASRec reads
_EPOCHS = 100
_PATIENCE, _PATIENT_STEPS = 5, 250  # epochs, and at least so many steps, without a better score
_BATCH, _TRAIN_BATCH = 256, 128
_FAILED = 3  # exit status


@dataclass(frozen=True)
class Asked:
    """Some cases: whose vector is wanted, from which history."""

    user: Whole
    indptr: Whole
    rows: Whole

    @property
    def case(self) -> Whole:
        """The case of each entry of the histories."""
        return np.repeat(np.arange(len(self.user)), np.diff(self.indptr))

    def newest(self, length: int) -> Whole:
        """Give item row + 1 of each history's newest entries, 0 in front of short ones: (C, L)."""
        at = self.indptr[1:, None] - length + np.arange(length)
        present = at >= self.indptr[:-1, None]
        rows = np.append(self.rows, 0)  # something to read where nobody has a history
        return np.where(present, rows[np.where(present, at, -1)] + 1, 0)


@dataclass(frozen=True)
class Fitted:
    """Vectors of the items, which of them were learned from, and those of the cases."""

    items: Floats
    familiar: Flags
    valid: Floats
    test: Floats


@dataclass(frozen=True)
class Task:
    """What to fit on, and whom to embed."""

    model: str
    settings: Mapping[str, Any]
    seed: int
    seconds: float  # after so many no epoch begins
    users: int
    items: int
    train_user: Whole
    train_item: Whole
    train_strong: Flags
    item_type: Whole
    valid: Asked
    valid_target: Whole
    barred: Asked  # the validation cases again, with what is no candidate as the rows
    test: Asked

    def touched(self) -> sp.csr_matrix:
        """Build the binary user-item matrix."""
        return _binary(self.train_user, self.train_item, (self.users, self.items))

    def histories(self, asked: Asked) -> sp.csr_matrix:
        """Build the binary case-item matrix."""
        return _binary(asked.case, asked.rows, (len(asked.user), self.items))

    def in_training(self) -> Flags:
        """Mark the items that somebody touched."""
        return np.bincount(self.train_item, minlength=self.items) > 0


def fit_als(task: Task) -> Fitted:
    """Factorize by implicit's ALS; people's factors are solved anew from their histories."""
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415 (one library a run)

    model = AlternatingLeastSquares(**task.settings, random_state=task.seed, num_threads=1)
    model.fit(task.touched(), show_progress=False)

    familiar = task.in_training()

    def embed(asked: Asked) -> Floats:
        histories = task.histories(asked)
        told = histories @ familiar.astype(np.float32) > 0
        people: Floats = model.recalculate_user(asked.user, histories) * told[:, None]
        return people

    return Fitted(model.item_factors, familiar, embed(task.valid), embed(task.test))


def fit_bpr(task: Task) -> Fitted:
    """Factorize by implicit's BPR; the last factor is the item's bias."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking  # noqa: PLC0415 (one library a run)

    # More threads would write into each other's factors, in an order that nothing repeats.
    model = BayesianPersonalizedRanking(**task.settings, random_state=task.seed, num_threads=1)
    model.fit(task.touched(), show_progress=False)
    learned = np.bincount(task.train_user, minlength=task.users) > 0
    people = model.user_factors * learned[:, None]
    return Fitted(
        model.item_factors, task.in_training(), people[task.valid.user], people[task.test.user]
    )


def fit_sasrec(task: Task) -> Fitted:
    """Train RecTools' SASRec, stopped early by the validation cases.

    Source: Kang and McAuley, ICDM 2018, arXiv 1808.09781; gBCE, for catalogues too large for the
        softmax, is Petrov and Macdonald's, RecSys 2023, arXiv 2308.07192.

    Raises:
        ValueError: nobody has a strong signal after another one.
    """
    import pytorch_lightning as lightning  # noqa: PLC0415 (one library a run)
    import torch  # noqa: PLC0415 (one library a run)
    from rectools import Columns  # noqa: PLC0415 (one library a run)
    from rectools.dataset import Dataset  # noqa: PLC0415 (one library a run)
    from rectools.models import SASRecModel  # noqa: PLC0415 (one library a run)

    lightning.seed_everything(task.seed, verbose=False)
    # A guard that costs a tenth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    lengths = np.bincount(task.train_user, minlength=task.users)
    length = max(1, min(_LONGEST, int(np.percentile(lengths[lengths > 0], 99))))
    stretches = cut(task.train_user, task.train_strong, length)
    if not len(stretches.row):
        raise ValueError("SASRec learns what comes after what, and nobody has two rows in order")
    steps = -(-stretches.count // _TRAIN_BATCH)  # per epoch
    patience = max(_PATIENCE, _PATIENT_STEPS // max(steps, 1))
    watcher = _Watcher(task, length, patience)
    model = SASRecModel(
        **task.settings,
        session_max_len=length,
        loss="softmax" if task.items <= _EXACT_UP_TO else "gBCE",
        n_negatives=_NEGATIVES,
        gbce_t=0.75,
        batch_size=_TRAIN_BATCH,
        lightning_module_type=_training_module(),
    )
    watcher.model = model
    model._trainer = watcher.make_trainer()  # as its documentation says
    model.fit(Dataset.construct(_frame(task, stretches, Columns)))
    return watcher.fitted()


@dataclass(frozen=True)
class Stretches:
    """Long sequences cut into stretches, each to be learned from like a person of its own.

    Shapes:
        number: (M,) int64, the stretch of each entry, ascending.
        row: (M,) int64, the training row of each entry, oldest first inside a stretch.
    """

    number: Whole
    row: Whole

    @property
    def count(self) -> int:
        """How many stretches there are."""
        return len(np.unique(self.number))


def cut(user: Whole, strong: Flags, length: int) -> Stretches:
    """Cut each person's rows into stretches of `length` targets, laid backwards from the newest.

    A stretch begins with the row before its first target, which is the last target of the stretch
    before. So every row but a person's first is a target exactly once. A stretch without a strong
    target has nothing to teach and is left out.

    Shapes:
        user: (E,), sorted. strong: (E,).
    """
    newer = np.searchsorted(user, user, side="right") - 1 - np.arange(len(user))
    block = newer // length
    target = np.append(False, user[1:] == user[:-1])[: len(user)]
    begins = target & ~np.append(False, target[:-1] & (block[1:] == block[:-1]))[: len(user)]
    targets, first = np.flatnonzero(target), np.flatnonzero(begins)
    of_target = np.cumsum(begins)[targets] - 1
    worth = np.bincount(of_target[strong[targets]], minlength=len(first)) > 0
    number = np.concatenate([np.arange(len(first)), of_target])
    row = np.concatenate([first - 1, targets])
    order = np.lexsort((row, number))
    order = order[worth[number[order]]]
    return Stretches(number[order], row[order])


def _training_module() -> Any:  # noqa: ANN401 (untyped library)
    """Make RecTools' training module, with scores for those positions alone that have a target."""
    import torch  # noqa: PLC0415 (one library a run)
    from rectools.models.nn.transformers.lightning import (  # noqa: PLC0415 (one library a run)
        TransformerLightningModule,
    )

    class TargetsAlone(TransformerLightningModule):  # type: ignore[misc]  # untyped
        """Learns the same: pads and weak targets have no part in the loss."""

        def training_step(self, batch: Any, _batch_idx: int) -> Any:  # noqa: ANN401 (untyped)
            network = self.torch_model
            chosen = (batch["y"] != 0) & (batch["yw"] > 0)  # (B, L)
            target = batch["y"][chosen]  # (M,)
            items = network.item_model.get_all_embeddings()
            states = network.encode_sessions(batch, items)[chosen]  # (M, D)
            if self.loss == "softmax":
                return torch.nn.functional.cross_entropy(states @ items.T, target)
            among = torch.cat([target[:, None], batch["negatives"][chosen]], dim=1)[:, None]
            scores = network.similarity_module(states[:, None], items, among)  # (M, 1, 1 + K)
            return self.loss_calculator(scores, target[:, None], batch["yw"][chosen][:, None])

    return TargetsAlone


class _Watcher:
    """Scores a SASRec after every epoch, says when to stop and keeps the best weights.

    Without a validation case all epochs are trained and the last weights kept.
    """

    def __init__(self, task: Task, length: int, patience: int) -> None:
        self._task = task
        self._length = length
        self._patience = patience
        self._best_score, self._best_epoch = -1.0, 0
        self._best_state: Any = None
        self._end = time.monotonic() + task.seconds
        self.model: Any = None

    def make_trainer(self) -> Any:  # noqa: ANN401 (untyped library)
        """Make what RecTools trains with."""
        import pytorch_lightning as lightning  # noqa: PLC0415 (one library a run)
        import torch  # noqa: PLC0415 (one library a run)
        from pytorch_lightning.callbacks import LambdaCallback  # noqa: PLC0415 (as above)

        def begin(_trainer: Any, _module: Any) -> None:  # noqa: ANN401 (untyped library)
            # Steps may round products to bfloat16 where there are units for it; people are
            # embedded in full precision.
            torch.set_float32_matmul_precision("medium")

        def look(trainer: Any, module: Any) -> None:  # noqa: ANN401 (untyped library)
            torch.set_float32_matmul_precision("highest")
            self._look(trainer, module)

        # RecTools trains with a deep copy, in which a bound method would be that of a copied
        # watcher; a function stays what it is.
        return lightning.Trainer(
            max_epochs=_EPOCHS,
            min_epochs=1,
            accelerator="cpu",
            devices=1,
            deterministic=True,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[LambdaCallback(on_train_epoch_start=begin, on_train_epoch_end=look)],
        )

    def fitted(self) -> Fitted:
        """Go back to the best weights, if any were kept, and embed everything."""
        network = self.model.torch_model
        if self._best_state is not None:
            network.load_state_dict(self._best_state)
        network.eval()
        items, familiar = self._items(network)
        valid, test = (
            self._people(network, asked) for asked in (self._task.valid, self._task.test)
        )
        return Fitted(items, familiar, valid, test)

    def _look(self, trainer: Any, module: Any) -> None:  # noqa: ANN401 (untyped library)
        epoch = trainer.current_epoch + 1
        late = time.monotonic() > self._end
        if late:
            _say(f"SASRec: {self._task.seconds:g} s have passed, epoch {epoch} is the last")
        trainer.should_stop = late
        if not len(self._task.valid.user):
            _say(f"SASRec: epoch {epoch} of {_EPOCHS}, nothing to validate on")
            return
        network = module.torch_model
        network.eval()
        items, familiar = self._items(network)
        people = self._people(network, self._task.valid)
        score = mean_reciprocal_rank(people, items, familiar, self._task)
        network.train()
        _say(f"SASRec: epoch {epoch}, valid {score:.4f}")
        if score > self._best_score:
            self._best_score, self._best_epoch = score, epoch
            self._best_state = copy.deepcopy(network.state_dict())
        trainer.should_stop = late or epoch - self._best_epoch >= self._patience

    def _numbers(self) -> Whole:
        """Give the model's own number of each item row + 1, 0 where it has none."""
        numbers = np.zeros(self._task.items + 1, dtype=np.int64)
        known = np.asarray(self.model.data_preparator.get_known_item_ids(), dtype=np.int64)
        numbers[known + 1] = self.model.data_preparator.get_known_items_sorted_internal_ids()
        return numbers

    def _items(self, network: Any) -> tuple[Floats, Flags]:  # noqa: ANN401 (untyped library)
        numbers = self._numbers()[1:]
        every = network.item_model.get_all_embeddings().detach().numpy()
        return np.asarray(every[numbers], dtype=np.float32), numbers > 0

    def _people(self, network: Any, asked: Asked) -> Floats:  # noqa: ANN401 (untyped library)
        """Embed histories; one of no item that the model knows is the zero vector."""
        import torch  # noqa: PLC0415 (one library a run)

        every = network.item_model.get_all_embeddings().detach()
        entries = self._numbers()[asked.newest(self._length)]
        order = np.argsort(entries > 0, axis=1, kind="stable")  # unknown ones to the front
        entries = np.take_along_axis(entries, order, axis=1)
        found = []
        for start in range(0, len(entries), _BATCH):
            part = entries[start : start + _BATCH]
            with torch.no_grad():
                states = network.encode_sessions({"x": torch.from_numpy(part)}, every)
            found.append(states[:, -1, :].numpy() * (part[:, -1:] > 0))
        return np.concatenate(found) if found else np.zeros((0, every.shape[1]), np.float32)


def _frame(task: Task, stretches: Stretches, columns: Any) -> Any:  # noqa: ANN401 (untyped library)
    """Lay out the stretches as RecTools wants them.

    A stretch stands for a person, the order of the rows for the time. The weight of a row is that
    of its loss where it is the target: weak ones are read but not predicted.
    """
    import pandas as pd  # noqa: PLC0415 (one library a run)

    return pd.DataFrame(
        {
            columns.User: stretches.number,
            columns.Item: task.train_item[stretches.row],
            columns.Weight: task.train_strong[stretches.row].astype(np.float32),
            columns.Datetime: pd.to_datetime(np.arange(len(stretches.row)), unit="s"),
        }
    )


def mean_reciprocal_rank(people: Floats, items: Floats, familiar: Flags, task: Task) -> float:
    """Rank the validation targets within their type, barred and unknown items excluded."""
    total = 0.0
    for start in range(0, len(people), _BATCH):
        part = slice(start, start + _BATCH)
        target = task.valid_target[part]
        scores = people[part] @ items.T
        scores[task.item_type[None, :] != task.item_type[target][:, None]] = -np.inf
        scores[:, ~familiar] = -np.inf
        first, end = task.barred.indptr[start], task.barred.indptr[start + len(target)]
        scores[task.barred.case[first:end] - start, task.barred.rows[first:end]] = -np.inf
        own = scores[np.arange(len(target)), target]
        rank = (scores >= own[:, None]).sum(axis=1)
        total += float((np.isfinite(own) / rank).sum())
    return total / max(len(people), 1)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _binary(row: Whole, column: Whole, shape: tuple[int, int]) -> sp.csr_matrix:
    matrix = sp.csr_matrix((np.ones(len(row), dtype=np.float32), (row, column)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


_MODELS: Mapping[str, Callable[[Task], Fitted]] = {
    "als": fit_als,
    "bpr": fit_bpr,
    "sasrec": fit_sasrec,
}


def read_task(folder: Path) -> Task:
    """Read what the folder's request asks for."""
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}

    def asked(name: str) -> Asked:
        return Asked(*(arrays[f"{name}_{part}"] for part in ("user", "indptr", "rows")))

    return Task(
        model=request["model"],
        settings=request["settings"],
        seed=request["seed"],
        seconds=request["seconds"],
        users=request["users"],
        items=request["items"],
        train_user=arrays["train_user"],
        train_item=arrays["train_item"],
        train_strong=arrays["train_strong"],
        item_type=arrays["item_type"],
        valid=asked("valid"),
        valid_target=arrays["valid_target"],
        barred=Asked(arrays["valid_user"], arrays["barred_indptr"], arrays["barred_rows"]),
        test=asked("test"),
    )


def main(folder: Path) -> None:
    """Do what the folder's request asks for."""
    task = read_task(folder)
    try:
        fitted = _MODELS[task.model](task)
    except ImportError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a library raises about data and settings)
        (folder / "failed.txt").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        traceback.print_exc()
        sys.exit(_FAILED)
    for name in ("items", "valid", "test"):
        np.save(folder / f"{name}.npy", np.asarray(getattr(fitted, name), dtype=np.float32))
    np.save(folder / "familiar.npy", fitted.familiar)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
