"""What the tests of several rooms share."""

import pytest

from tests.support.vllm_server import mark_slow, onnx_encoder, packaged_encoder, vllm_url

__all__ = ["onnx_encoder", "packaged_encoder", "vllm_url"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Prepare tests with real encoders; see `mark_slow`."""
    mark_slow(items)
