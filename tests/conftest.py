"""What the tests of several rooms share."""

import os

import pytest

from tests.support.vllm_server import mark_slow, onnx_encoder, packaged_encoder, vllm_url

__all__ = ["onnx_encoder", "packaged_encoder", "vllm_url"]


def pytest_configure() -> None:
    """Compute on one thread, and in what tests start, before anything loads torch or numpy.

    Two test processes run at a time: threads that share cores and wait for each other at every
    step are ten times slower than one thread each.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Prepare tests with real encoders; see `mark_slow`."""
    mark_slow(items)
