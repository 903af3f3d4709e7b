"""Files whose tests take long: run first by `make test`, and left out by `make test-quick`.

They start processes, train, export networks, draw many examples, or wait. First, so that the two
test processes end at about the same time; the longest lead.
"""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SLOW = (
    "server/supervision/test_supervisor.py",
    "e2e/test_whole_path.py",
    "export/test_networks.py",
    "training/test_ablations.py",
    "export/test_publish.py",
    "training/test_library_peers.py",
    "export/test_text_encoder.py",
    "contracts/test_text_featurizer.py",
    "server/supervision/test_admin.py",
    "export/test_to_onnx.py",
    "nearfield/command/test_run.py",
    "server/telemetry/test_process.py",
    "export/test_main.py",
    "nearfield/test_several_servers.py",
    "e2e/test_vllm_goes_away.py",
    "training/test_full_disk.py",
    "export/test_parity.py",
    "training/test_foundation.py",
    "server/test_main.py",
    "server/test_vllm_hangs.py",
    "training/test_pipeline.py",
    "training/test_stage_code.py",
    "training/test_sequence_steps.py",
    "training/page/test_write.py",
    "server/test_flood.py",
    "server/test_check.py",
    "server/test_connections.py",
    "deploy/test_images.py",
    "server/telemetry/test_docs.py",
    "server/test_operate.py",
    "export/test_assemble.py",
    "test_programs.py",
    "server/test_operating_page.py",
    "server/test_read_only.py",
    "benchmarks/test_training_profile.py",
    "server/test_unix_socket.py",
    "nearfield/test_streams.py",
    "nearfield/test_ready.py",
    "features/test_vllm_process.py",
    "training/test_seeds.py",
    "server/telemetry/test_monitoring.py",
    "server/test_precompile.py",
    "features/test_vllm.py",
    "export/test_run.py",
    "contracts/test_text_featurizer_parity.py",
    "server/test_attributes.py",
    "server/test_arranged_answers.py",
    "server/telemetry/test_end_to_end.py",
    "nearfield/test_deadlines.py",
)
_PLACES = {TESTS / name: place for place, name in enumerate(SLOW)}


def put_slow_first(items: list[pytest.Item]) -> None:
    """Mark the tests of slow files, and let them run first; else the order stays."""
    for item in items:
        if item.path in _PLACES:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: _PLACES.get(item.path, len(SLOW)))
