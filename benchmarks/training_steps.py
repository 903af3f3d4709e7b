"""Train the foundation or the adaptation for some steps and see where the time goes."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.parts import Part, PartClock
from graph.links import LinkBatch, LinkSampler
from models.hgnn import HGNN
from models.sequence_tower import SequenceUserTower
from models.towers import ItemTower, PooledUserTower
from training import adaptation, foundation, founding, loop, pooled_steps, sequence_steps
from training.catalogue import Catalogue
from training.histories import Sequences
from training.loop import EpochLosses, LoopSettings, Progress, Validation, fit

Training = Callable[[Path], object]
"""Trains a layer and leaves it in a folder."""

WARM_UP = 5

DRAW = Part("drawing the batch", "step")
SAMPLE = Part("neighbour sampling", "step")
GATHER = Part("gathering rows, building indexes", "step")
FORWARD = Part("forward", "step")
BACKWARD = Part("backward", "step")
OPTIMIZER = Part("optimizer and running mean", "step")
LOOP = Part("the loop itself", "step")
DRAW_EPOCH = Part("drawing the epoch", "epoch", whole=True)
VALIDATE = Part("validation", "epoch", whole=True)
EMBED = Part("embedding the catalogue", "epoch", whole=True)
SAVE = Part("saving the state", "epoch", whole=True)
EPOCH = Part("the rest of the epoch", "epoch")
END = Part("embedding the catalogue at the end", "training", whole=True)
PARTS = (
    *(DRAW, SAMPLE, GATHER, FORWARD, BACKWARD, OPTIMIZER, LOOP),
    *(DRAW_EPOCH, VALIDATE, EMBED, SAVE, EPOCH, END),
)

PLACES = (
    (foundation, "sample_blocks", SAMPLE),
    (foundation, "without_neighbourhoods", SAMPLE),
    (HGNN, "forward", FORWARD),
    (foundation, "sampled_softmax", FORWARD),
    (foundation, "margin_loss", FORWARD),
    (foundation, "centre", END),
    (founding, "embed_catalogue", END),
    (sequence_steps, "draw_windows", DRAW_EPOCH),
    (sequence_steps, "cut_windows", DRAW),
    (Sequences, "before", DRAW),
    (ItemTower, "forward", FORWARD),
    (SequenceUserTower, "embed_every_place", FORWARD),
    (PooledUserTower, "forward", FORWARD),
    (sequence_steps, "catalogue_softmax", FORWARD),
    (sequence_steps, "drawn_softmax", FORWARD),
    (pooled_steps, "sampled_softmax", FORWARD),
    (Catalogue, "embed_all", EMBED),
    (torch.autograd, "backward", BACKWARD),
    (torch.optim.AdamW, "zero_grad", OPTIMIZER),
    (torch.optim.AdamW, "step", OPTIMIZER),
    (loop.RunningMean, "follow", OPTIMIZER),
    (loop, "save_file", SAVE),
)
"""What is called where, and which part it is."""


@dataclass(frozen=True)
class Operator:
    """What one operator takes in a step, without those that it calls."""

    name: str
    ms: float
    calls: float


@dataclass
class Measured:
    """What was seen of one training."""

    title: str = ""
    batches: int = 0
    epochs: int = 0
    """At most."""
    steps: int = 0
    """Those that were measured."""
    step_s: dict[Part, float] = field(default_factory=dict)
    clock: PartClock = field(default_factory=PartClock)

    def seconds(self, part: Part) -> float:
        """Give what the part takes each time that it comes."""
        if part.every == "step":
            return self.step_s.get(part, 0.0)
        spent = self.clock.seconds[part]
        return spent / max(self.clock.entered[part], 1) if part.every == "epoch" else spent

    def epoch_s(self, part: Part) -> float:
        """Give what the part takes in an epoch."""
        return self.seconds(part) * {"step": self.batches, "epoch": 1, "training": 0}[part.every]

    @property
    def outside(self) -> tuple[float, float]:
        """Shares outside forward and backward: of the steps, and of whole epochs."""
        inside = self.epoch_s(FORWARD) + self.epoch_s(BACKWARD)
        steps = sum(self.epoch_s(part) for part in PARTS if part.every == "step")
        return 1 - inside / steps, 1 - inside / sum(map(self.epoch_s, PARTS))

    @property
    def training_s(self) -> float:
        """What all epochs take, extrapolated."""
        return self.epochs * sum(map(self.epoch_s, PARTS)) + self.seconds(END)


class SomeSteps:
    """Takes the place of `training.loop.fit`: the same, for one epoch of so many steps.

    An epoch that is shorter is followed by the next. `profiler` watches the steps after the first
    ones, which make the allocator's and the libraries' preparations.
    """

    def __init__(self, steps: int, profiler: profile | None = None) -> None:
        self.steps = steps
        self.profiler = profiler
        self.measured = Measured()

    def fit(
        self,
        model: nn.Module,
        losses: EpochLosses,
        validate: Validation,
        settings: LoopSettings,
        folder: Path,
        *,
        batches: int,
        title: str,
    ) -> Progress:
        """Train; see `training.loop.fit`."""
        measured, clock = self.measured, self.measured.clock
        measured.title, measured.steps = title, self.steps
        measured.batches, measured.epochs = batches, settings.epochs
        timed = None if validate is None else clock.timed(validate, VALIDATE)
        with clock.inside(EPOCH):
            return fit(
                model,
                lambda _: self._take(losses),
                timed,
                replace(settings, epochs=1),
                folder,
                batches=WARM_UP + self.steps,
                title=title,
            )

    def _take(self, losses: EpochLosses) -> Iterator[Tensor]:
        """Yield the losses of the steps; what the loop does with each is a part of its own."""
        clock = self.measured.clock
        all_losses = chain.from_iterable(map(losses, count()))
        waited = clock.each(all_losses, GATHER, GATHER)
        for loss in islice(waited, WARM_UP):
            with clock.inside(LOOP):
                yield loss
        before = clock.so_far()
        with self.profiler or nullcontext():
            for loss in islice(waited, self.steps):
                with clock.inside(LOOP):
                    yield loss
        after = clock.so_far()
        self.measured.step_s = {
            part: (after[part] - before[part]) / self.steps
            for part in PARTS
            if part.every == "step"
        }


def take_apart(train: Training, steps: int) -> Measured:
    """Train for so many steps by the clock."""
    some = SomeSteps(steps)
    _run(train, some)
    return some.measured


def watch_operators(train: Training, steps: int) -> list[Operator]:
    """Train for so many steps under torch's profiler; the costliest operator comes first."""
    profiler = profile(activities=[ProfilerActivity.CPU])
    _run(train, SomeSteps(steps, profiler))
    operators = [
        Operator(each.key, each.self_cpu_time_total / 1000 / steps, each.count / steps)
        for each in profiler.key_averages()
    ]
    return sorted(operators, key=lambda operator: -operator.ms)


def _run(train: Training, some: SomeSteps) -> None:
    """Train in a folder that is thrown away, with the clock at its places."""
    clock, draw = some.measured.clock, LinkSampler.iter_epoch

    def iter_epoch(sampler: LinkSampler, epoch: int) -> Iterator[LinkBatch]:
        return clock.each(draw(sampler, epoch), DRAW_EPOCH, DRAW)

    with ExitStack() as stack:
        for owner in (foundation, adaptation):
            stack.enter_context(patch.object(owner, "fit", some.fit))
        stack.enter_context(patch.object(LinkSampler, "iter_epoch", iter_epoch))
        stack.enter_context(clock.watching(PLACES))
        train(Path(stack.enter_context(tempfile.TemporaryDirectory())))
