"""Proof that onnxruntime answers what torch answers, on the provider that will serve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.errors import ParityError
from features.onnx import onnxruntime
from features.providers import choose_providers

TOLERANCE = 1e-4
"""Largest absolute difference that passes; rounding in float32 stays a hundred times below."""


@dataclass(frozen=True)
class Case:
    """One call of a network."""

    name: str
    """What is special about it."""

    inputs: tuple[Tensor | tuple[Tensor, ...], ...]
    """As torch takes them; a tuple becomes several inputs in ONNX."""


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """Load a network into onnxruntime, on a GPU where there is one."""
    return onnxruntime.InferenceSession(model, providers=choose_providers())


def check_parity(name: str, module: nn.Module, model: bytes, cases: Sequence[Case]) -> float:
    """Compare every output of both sides in every case.

    Returns:
        the largest absolute difference.

    Raises:
        ParityError: it is above `TOLERANCE` or not a number, or a shape differs.
    """
    session = open_session(model)
    return max(_difference(name, case, module, session) for case in cases)


def _difference(
    name: str, case: Case, module: nn.Module, session: onnxruntime.InferenceSession
) -> float:
    with torch.inference_mode():
        result = module.eval()(*case.inputs)
    expected = [each.numpy() for each in (result if isinstance(result, tuple) else (result,))]
    got = run(session, case.inputs)
    names = [output.name for output in session.get_outputs()]
    worst = 0.0
    for output, ours, theirs in zip(names, expected, got, strict=True):
        where = f"{name}, {case.name}, output {output}"
        if ours.shape != theirs.shape:
            raise ParityError(f"{where}: torch gives {ours.shape}, onnxruntime {theirs.shape}")
        difference = float(np.abs(ours - theirs).max(initial=0.0))
        if not difference <= TOLERANCE:  # also when it is not a number
            raise ParityError(
                f"{where}: torch and onnxruntime differ by {difference:.2e}, "
                f"at most {TOLERANCE:.0e} is allowed"
            )
        worst = max(worst, difference)
    return worst


def run(
    session: onnxruntime.InferenceSession, inputs: Sequence[Tensor | tuple[Tensor, ...]]
) -> list[NDArray[np.float32]]:
    """Call onnxruntime with a case's inputs, in the order in which the network lists them."""
    flat = [t for each in inputs for t in (each if isinstance(each, tuple) else (each,))]
    names = [each.name for each in session.get_inputs()]
    feed = {name: tensor.numpy() for name, tensor in zip(names, flat, strict=True)}
    return [np.asarray(each) for each in session.run(None, feed)]
