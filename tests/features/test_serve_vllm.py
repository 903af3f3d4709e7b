from pathlib import Path

import pytest

from features.serve_vllm import main


@pytest.mark.parametrize("port", ["99999", "65536", "-1", "http", "8 000", ""])
def test_a_port_that_cannot_be_is_refused_before_anything_starts(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--port={port}"])
    assert ended.value.code == 2
    assert "argument --port: expected 0 to 65535, got" in capsys.readouterr().err


def test_a_vllm_that_is_not_installed_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEARFIELD_VLLM_PYTHON", str(tmp_path / "python"))
    assert main([]) == 1
    assert capsys.readouterr().err == f"error: there is no Python with vLLM at {tmp_path}/python\n"
