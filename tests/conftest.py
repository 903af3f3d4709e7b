"""What the tests of several rooms share."""

import os

import pytest

from tests.support.slow import put_slow_first
from tests.support.vllm_server import give_time, onnx_encoder, packaged_encoder, vllm_url

__all__ = ["onnx_encoder", "packaged_encoder", "vllm_url"]


def pytest_configure() -> None:
    """Compute on one thread, and in what tests start, before anything loads torch or numpy.

    Two test processes run at a time: threads that share cores and wait for each other at every
    step are ten times slower than one thread each.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Prepare tests with real encoders, and let those run first that take long."""
    give_time(items)
    put_slow_first(items)
