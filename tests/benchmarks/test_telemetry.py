import re

import pytest

from benchmarks.telemetry.__main__ import main


def test_every_part_of_what_a_call_leaves_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--calls", "200"]) == 0
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) \| ([\d.]+) \|$", capsys.readouterr().out, re.M)
    took = {what: float(median) for what, median, _ in rows}
    assert all(median > 0 for median in took.values())
    kinds = ("metrics", "trace, not sampled", "trace, sampled", "record in the log", "all three")
    assert all(any(what.startswith(kind) for what in took) for kind in kinds)
