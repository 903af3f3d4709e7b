import os
import subprocess
import sys
from pathlib import Path

import pytest

CALM = "ORT_DISABLE_TELEMETRY"


@pytest.mark.parametrize("module", ["server.runtime", "export.parity", "features.onnx_text"])
def test_onnxruntime_keeps_no_identifier_of_the_machine(module: str, tmp_path: Path) -> None:
    # onnxruntime itself sends nothing where CI is set.
    kept = {key: value for key, value in os.environ.items() if key not in (CALM, "CI")}
    subprocess.run(
        [sys.executable, "-c", f"import {module}"], env={**kept, "HOME": str(tmp_path)}, check=True
    )
    written = [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name]
    assert written == []
