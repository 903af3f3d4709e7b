"""Where onnxruntime runs networks: on a GPU where there is one, else on the CPU."""

import ctypes
from collections.abc import Callable
from pkgutil import resolve_name
from typing import Literal

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"

Choice = Literal["auto", "cuda", "cpu"]
"""auto takes CUDA where there is a driver; cuda tries it without asking."""


def has_cuda() -> bool:
    """Tell whether there is a driver, and an onnxruntime that can use it."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    # By name: what reads settings knows the choices, and `--help` does not load onnxruntime.
    return CUDA in resolve_name("onnxruntime:get_available_providers")()


def choose_providers(
    choice: Choice = "auto", *, has_cuda: Callable[[], bool] = has_cuda
) -> list[str]:
    """List the execution providers to try, best first; the session says which one it got.

    Without a driver, auto does not even try CUDA: onnxruntime would complain on every start of a
    machine that has no GPU.
    """
    if choice == "cpu" or (choice == "auto" and not has_cuda()):
        return [CPU]
    return [CUDA, CPU]
