"""The loop that every trainer shares: steps, early stopping, log, resuming after a stop.

All randomness of an epoch comes from the run's seed and the epoch's number, so a run that was
stopped and resumed ends with the same weights as one that was not. Sums whose order depends on how
threads take turns, as those of the gradients of gathered rows, are taken in one order.
"""

import csv
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from features.progress import Progress as Told
from training.bounds import check_least, check_share
from training.errors import DivergedError, NotLearningError

Validation = Callable[[], float] | None
"""Scores the model in evaluation mode, larger is better; None where nothing is held out."""

EpochLosses = Callable[[int], Iterator[Tensor]]
"""Epoch number -> the loss of each of its batches, each with its gradient's graph."""

_STATE = "resume.safetensors"
_MODEL, _BEST, _MEAN, _ADAM = "model.", "best.", "mean.", "adam."
_WARM_UP = 10
"""Steps after which the running mean begins to be slow; before, the first weights would stay."""
_FLAT_EPOCHS = 4
_FLAT_CHANGE = 1e-4


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How long and how fast to learn."""

    learning_rate: float = 1e-3
    """Step size of Adam."""
    epochs: int = 50
    """At most so many passes."""
    patience: int = 10
    """Stop after so many epochs without a better validation score."""
    weight_decay: float = 0.0
    """Decoupled weight decay (AdamW); larger holds weights nearer to 0."""
    average: float = 0.0
    """What a step keeps of the running mean of the weights, which is then what is validated and
    kept; larger is smoother and lags behind. 0 keeps the weights themselves."""

    def __post_init__(self) -> None:
        check_least(self, ("epochs", "patience"), 1)
        check_least(self, ("learning_rate", "weight_decay"), 0)
        check_share(self, ("average",))


@dataclass
class Progress:
    """Where a run stands; all that resuming needs beside the weights."""

    epoch: int = 0
    """Epochs completed."""
    best_epoch: int = 0
    best_score: float | None = None
    """None where there is no validation; the last epoch then counts as the best."""
    first_loss: float = math.nan
    flat_epochs: int = 0


def fit(
    model: nn.Module,
    losses: EpochLosses,
    validate: Validation,
    settings: LoopSettings,
    folder: Path,
    *,
    batches: int,
    title: str,
    minutes: float = math.inf,
) -> Progress:
    """Train `model` in place; it ends with the weights of its best validation score.

    The untrained model is scored too, as epoch 0: where training does not help, it stays.
    Without validation there is nothing to stop early by: all epochs are trained, the last
    weights stay, and a line on standard error says so.

    No epoch begins once `minutes` have passed; what stops by it depends on the machine.

    `losses` yields each batch's loss, of which the loop takes the gradient and the step.
    `batches` per epoch and `title` are for the progress that is told. `folder` gets `log.csv`
    (epoch, loss, score, seconds) and, until the run ends, the state from which an interrupted run
    resumes.

    Raises:
        DivergedError: a loss is not finite.
        NotLearningError: the loss stays flat over the first epochs.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,  # one pass over the weights; a table of residuals is large
    )
    folder.mkdir(parents=True, exist_ok=True)
    best = _copy(model)
    mean = RunningMean(model, settings.average)
    progress = Progress()
    if validate is None:
        tqdm.write(
            f"{title}: nothing to validate on, so all epochs are trained ({settings.epochs}) and "
            "the last weights kept",
            file=sys.stderr,
        )
    if (folder / _STATE).exists():
        progress, best = _resume(folder / _STATE, model, optimizer, mean)
    else:
        score = _score(model, validate)
        progress.best_score = score
        _log(folder / "log.csv", 0, math.nan, score, 0.0)
    end = perf_counter() + 60 * minutes
    most, done = batches * settings.epochs, batches * progress.epoch
    with Told(title, unit="steps", total=most, begun=done) as told:
        while progress.epoch < settings.epochs:
            began = perf_counter()
            if progress.epoch - progress.best_epoch >= settings.patience or began > end:
                break
            with _repeatable():
                loss = _run_epoch(model, optimizer, mean, losses, progress.epoch, told)
            with mean.in_place():
                score = _score(model, validate)
                progress.epoch += 1
                if score is None or progress.best_score is None or score > progress.best_score:
                    progress.best_score, progress.best_epoch = score, progress.epoch
                    best = _copy(model)
            _check_moving(progress, loss, title)
            _log(folder / "log.csv", progress.epoch, loss, score, perf_counter() - began)
            _save(folder, progress, model, optimizer, best, mean)
    model.load_state_dict(best)
    model.eval()
    (folder / _STATE).unlink(missing_ok=True)
    return progress


class RunningMean:
    """Exponential mean of a model's weights over the steps.

    It keeps `average` of itself at each step, less in the first ones: (1 + t) / (10 + t) after
    t steps. Source: Polyak averaging with the warm-up that is usual for it.
    """

    def __init__(self, model: nn.Module, average: float) -> None:
        self.model = model
        self.average = average
        self.steps = 0
        self.weights = [t.detach().clone() for t in model.parameters()] if average else []

    @torch.no_grad()
    def follow(self) -> None:
        """Take the model's weights into the mean."""
        if self.average:
            kept = min(self.average, (1 + self.steps) / (_WARM_UP + self.steps))
            self.steps += 1
            for mean, weight in zip(self.weights, self.model.parameters(), strict=True):
                mean.lerp_(weight, 1 - kept)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the model have the mean's weights for a while; without a mean, its own."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for mean, weight in zip(self.weights, self.model.parameters(), strict=False):
            own = weight.clone()
            weight.copy_(mean)
            mean.copy_(own)


@contextmanager
def _repeatable() -> Iterator[None]:
    """Let torch compute what comes out the same each time; on a GPU it warns where it cannot."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warns)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: t.clone() for name, t in model.state_dict().items()}


def _score(model: nn.Module, validate: Validation) -> float | None:
    """Validate in evaluation mode."""
    if validate is None:
        return None
    model.eval()
    with torch.no_grad():
        return validate()


def _run_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    mean: RunningMean,
    losses: EpochLosses,
    epoch: int,
    told: Told,
) -> float:
    """Take every step of one epoch and return its mean loss."""
    model.train()
    total, count = 0.0, 0
    for loss in losses(epoch):
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergedError(
                f"{told.title}: the loss is {value} in epoch {epoch + 1}, batch {count + 1}; "
                "a smaller learning rate or cleaner input vectors may help"
            )
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        mean.follow()
        total += value
        count += 1
        told.add(1, f"epoch {epoch + 1}, loss {total / count:.4f}")
    if not count:
        raise NotLearningError(
            f"{told.title}: there is nothing to learn from, the epoch has no batch"
        )
    return total / count


def _check_moving(progress: Progress, loss: float, title: str) -> None:
    """Raise where the loss has stayed at its first value for several epochs."""
    if math.isnan(progress.first_loss):
        progress.first_loss = loss
        return
    flat = abs(loss - progress.first_loss) <= _FLAT_CHANGE * abs(progress.first_loss)
    progress.flat_epochs = progress.flat_epochs + 1 if flat else 0
    if progress.flat_epochs >= _FLAT_EPOCHS:
        raise NotLearningError(
            f"{title}: the loss has stayed at {loss:.6f} for {progress.flat_epochs} epochs"
        )


def _log(path: Path, epoch: int, loss: float, score: float | None, seconds: float) -> None:
    """Add a line to the log; epoch 0, before any step, begins it and has no loss."""
    is_new = epoch == 0
    with path.open("w" if is_new else "a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(("epoch", "loss", "score", "seconds"))
        scored = "" if score is None else f"{score:.6f}"
        writer.writerow((epoch, f"{loss:.6f}", scored, f"{seconds:.2f}"))


def _save(
    folder: Path,
    progress: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
    mean: RunningMean,
) -> None:
    """Write all that resuming needs as one file, renamed into place."""
    tensors = {_MODEL + name: t for name, t in model.state_dict().items()}
    tensors |= {_BEST + name: t for name, t in best.items()}
    tensors |= {f"{_MEAN}{number}": t for number, t in enumerate(mean.weights)}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"{_ADAM}{number}.{name}": t for name, t in state.items()}
    partial = folder / f".{_STATE}.partial"
    save_file(
        {name: t.contiguous().clone() for name, t in tensors.items()},
        partial,
        metadata={"progress": json.dumps(asdict(progress)), "steps": str(mean.steps)},
    )
    partial.replace(folder / _STATE)


def _resume(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, mean: RunningMean
) -> tuple[Progress, dict[str, Tensor]]:
    """Put model and optimizer back to where `_save` saw them."""
    with safe_open(path, framework="pt") as file:
        progress = Progress(**json.loads(file.metadata()["progress"]))
        mean.steps = int(file.metadata()["steps"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)

    def part(prefix: str) -> dict[str, Tensor]:
        return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}

    model.load_state_dict(part(_MODEL))
    mean.weights = [tensors[f"{_MEAN}{number}"] for number in range(len(mean.weights))]
    state = optimizer.state_dict()
    state["state"] = {}
    for name, tensor in part(_ADAM).items():
        number, field = name.split(".")
        state["state"].setdefault(int(number), {})[field] = tensor
    optimizer.load_state_dict(state)
    return progress, part(_BEST)
