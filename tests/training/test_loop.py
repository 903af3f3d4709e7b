"""The loop: it learns, stops, resumes to the same weights, and refuses what does not learn."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from training.errors import DivergedError, NotLearningError
from training.loop import EpochLosses, LoopSettings, Progress, Validation, fit

TARGET = torch.tensor([[2.0, -3.0]])
BATCHES = 8


def make_model() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(2, 1, bias=False)


def draw_losses(model: nn.Linear) -> Callable[[int], Iterator[Tensor]]:
    """Squared error of a linear target, on points that the epoch's number decides."""

    def losses(epoch: int) -> Iterator[Tensor]:
        rng = torch.Generator().manual_seed(epoch)
        for _ in range(BATCHES):
            x = torch.randn(32, 2, generator=rng)
            yield ((model(x) - x @ TARGET.T) ** 2).mean()

    return losses


def distance(model: nn.Linear) -> float:
    return float((model.weight - TARGET).detach().norm())


def run(model: nn.Linear, folder: Path, settings: LoopSettings) -> Progress:
    return fit(
        model,
        draw_losses(model),
        lambda: -distance(model),
        settings,
        folder,
        batches=BATCHES,
        title="line",
    )


def test_gradients_of_gathered_rows_are_the_same_each_time_whatever_the_threads(
    tmp_path: Path,
) -> None:
    """By itself torch adds them up in the order in which two threads come to them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        weights = [trained_by_rows(tmp_path / str(turn)) for turn in range(5)]
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(each, weights[0]) for each in weights)
    assert not torch.are_deterministic_algorithms_enabled()


def trained_by_rows(folder: Path) -> Tensor:
    """Pull rows of a table that are gathered often towards drawn ones."""
    rng = torch.Generator().manual_seed(0)
    rows = torch.randint(0, 50, (4000,), generator=rng)
    wanted = torch.randn(4000, 32, generator=rng)
    table = nn.Embedding(50, 32)
    nn.init.zeros_(table.weight)

    def losses(_epoch: int) -> Iterator[Tensor]:
        for _ in range(3):
            yield ((table.weight[rows] - wanted) ** 2).mean()

    folder.mkdir()
    fit(table, losses, None, LoopSettings(epochs=1), folder, batches=3, title="rows")
    return table.weight.detach()


def test_no_epoch_begins_after_the_time_is_up(tmp_path: Path) -> None:
    model = make_model()
    progress = fit(
        model,
        draw_losses(model),
        lambda: -distance(model),
        LoopSettings(learning_rate=0.1, epochs=20),
        tmp_path,
        batches=BATCHES,
        title="line",
        minutes=1e-9,
    )
    assert progress.epoch == 0
    torch.testing.assert_close(model.weight, make_model().weight)


def test_loop_learns_and_a_rate_of_zero_does_not(tmp_path: Path) -> None:
    model = make_model()
    run(model, tmp_path / "a", LoopSettings(learning_rate=0.1, epochs=20))
    assert distance(model) < 0.05
    frozen = make_model()
    with pytest.raises(NotLearningError, match="line: the loss"):
        fit(
            frozen,
            lambda _: draw_losses(frozen)(0),
            lambda: 0.0,
            LoopSettings(learning_rate=0.0, epochs=20),
            tmp_path / "b",
            batches=BATCHES,
            title="line",
        )
    assert distance(frozen) > 1


def test_gradients_do_not_pile_up(tmp_path: Path) -> None:
    model = make_model()
    run(model, tmp_path, LoopSettings(learning_rate=0.1, epochs=1))
    gradient = model.weight.grad
    assert gradient is not None
    seen = gradient.clone()

    again = make_model()
    optimizer = torch.optim.AdamW(again.parameters(), lr=0.1, weight_decay=0.0)
    for loss in draw_losses(again)(0):
        fresh = torch.autograd.grad(loss, again.weight)[0]
        again.weight.grad = fresh.clone()
        optimizer.step()
    torch.testing.assert_close(seen, fresh)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_resumed_run_ends_with_the_same_weights(tmp_path: Path, average: float) -> None:
    settings = LoopSettings(learning_rate=0.05, epochs=6, average=average)
    whole = make_model()
    expected = run(whole, tmp_path / "whole", settings)

    broken = make_model()
    epochs_left = 3

    def losses(epoch: int) -> Iterator[Tensor]:
        if epoch == epochs_left:
            raise KeyboardInterrupt
        yield from draw_losses(broken)(epoch)

    with pytest.raises(KeyboardInterrupt):
        fit(
            broken,
            losses,
            lambda: -distance(broken),
            settings,
            tmp_path / "broken",
            batches=BATCHES,
            title="line",
        )
    torch.manual_seed(99)
    resumed = nn.Linear(2, 1, bias=False)
    progress = run(resumed, tmp_path / "broken", settings)

    assert torch.equal(resumed.weight, whole.weight)
    assert progress == expected
    logs = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("whole", "broken")]
    assert [line.rsplit(",", 1)[0] for line in logs[0]] == [
        line.rsplit(",", 1)[0] for line in logs[1]
    ]
    assert [path.name for path in (tmp_path / "broken").iterdir()] == ["log.csv"]


def test_running_mean_is_validated_and_kept_while_the_steps_go_on(tmp_path: Path) -> None:
    model, plain = make_model(), make_model()
    own: list[Tensor] = [plain.weight.detach().clone()]

    def losses(epoch: int) -> Iterator[Tensor]:
        for loss in draw_losses(model)(epoch):
            yield loss
            own.append(model.weight.detach().clone())  # after the step, before the next

    seen: list[Tensor] = []

    def validate() -> float:
        seen.append(model.weight.detach().clone())
        return float(len(seen))

    settings = LoopSettings(learning_rate=0.1, epochs=2, average=0.75)
    fit(model, losses, validate, settings, tmp_path, batches=BATCHES, title="line")
    expected = own[0].clone()
    for step, weight in enumerate(own[1:]):
        kept = min(0.75, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * weight
    torch.testing.assert_close(seen[-1], expected)
    assert torch.equal(model.weight, seen[-1])
    fit(
        plain,
        draw_losses(plain),
        None,
        LoopSettings(learning_rate=0.1, epochs=2),
        tmp_path / "plain",
        batches=BATCHES,
        title="line",
    )
    assert torch.equal(own[-1], plain.weight)  # the mean does not change where steps lead


def test_loop_stops_early_and_keeps_the_best_weights(tmp_path: Path) -> None:
    model = make_model()
    scores = iter((0.0, 1.0, 3.0, 2.0, 2.0, 2.0, 9.0))
    weights: list[Tensor] = []

    def validate() -> float:
        weights.append(model.weight.detach().clone())
        return next(scores)

    progress = fit(
        model,
        draw_losses(model),
        validate,
        LoopSettings(epochs=50, patience=3),
        tmp_path,
        batches=BATCHES,
        title="line",
    )
    assert (progress.epoch, progress.best_epoch, progress.best_score) == (5, 2, 3.0)
    assert torch.equal(model.weight, weights[2])


def test_untrained_model_stays_where_training_does_not_help(tmp_path: Path) -> None:
    model = make_model()
    before = model.weight.detach().clone()
    scores = iter((1.0, 0.5, 0.5))
    progress = fit(
        model,
        draw_losses(model),
        lambda: next(scores),
        LoopSettings(epochs=50, patience=2),
        tmp_path,
        batches=BATCHES,
        title="line",
    )
    assert (progress.epoch, progress.best_epoch) == (2, 0)
    assert torch.equal(model.weight, before)


def test_without_validation_all_epochs_are_trained_and_the_last_weights_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = LoopSettings(learning_rate=0.1, epochs=6, patience=1)

    def trained(name: str, validate: Validation) -> nn.Linear:
        model = make_model()
        losses = draw_losses(model)
        progress = fit(
            model, losses, validate, settings, tmp_path / name, batches=BATCHES, title="line"
        )
        assert (progress.epoch, progress.best_epoch) == (6, 6)
        return model

    told = "line: nothing to validate on, so all epochs are trained (6) and the last weights kept\n"
    scores = iter(range(7))
    expected = trained("validated", lambda: float(next(scores)))
    assert told not in capsys.readouterr().err
    assert torch.equal(trained("not", None).weight, expected.weight)
    assert told in capsys.readouterr().err
    lines = (tmp_path / "not" / "log.csv").read_text().splitlines()
    assert [line.split(",")[2] for line in lines] == ["score", *[""] * 7]


def test_run_without_validation_resumes_to_the_same_weights(tmp_path: Path) -> None:
    settings = LoopSettings(learning_rate=0.05, epochs=6)
    whole, broken, resumed = make_model(), make_model(), make_model()

    def losses(epoch: int) -> Iterator[Tensor]:
        if epoch == 3:
            raise KeyboardInterrupt
        yield from draw_losses(broken)(epoch)

    def trained(model: nn.Linear, losses: EpochLosses, name: str) -> Progress:
        return fit(model, losses, None, settings, tmp_path / name, batches=BATCHES, title="line")

    expected = trained(whole, draw_losses(whole), "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(broken, losses, "broken")
    assert trained(resumed, draw_losses(resumed), "broken") == expected
    assert torch.equal(resumed.weight, whole.weight)


def test_loss_that_is_not_finite_stops_with_its_place(tmp_path: Path) -> None:
    model = make_model()

    def losses(_: int) -> Iterator[Tensor]:
        yield model.weight.sum()
        yield model.weight.sum() * float("nan")

    with pytest.raises(DivergedError, match="the loss is nan in epoch 1, batch 2"):
        fit(model, losses, lambda: 0.0, LoopSettings(), tmp_path, batches=2, title="line")


def test_epoch_without_a_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotLearningError, match="no batch"):
        fit(
            make_model(),
            lambda _: iter(()),
            lambda: 0.0,
            LoopSettings(),
            tmp_path,
            batches=0,
            title="line",
        )


@pytest.mark.parametrize(
    "change",
    [{"epochs": 0}, {"patience": 0}, {"learning_rate": -1.0}, {"weight_decay": float("nan")}],
)
def test_settings_without_a_meaning_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        LoopSettings(**change)
