import re

import pytest

from benchmarks.authentication import main


def test_every_way_of_telling_who_calls_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--calls", "100"]) == 0
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) \| ([\d.]+) \|$", capsys.readouterr().out, re.M)
    took = {what: float(median) for what, median, _ in rows}
    assert all(median > 0 for median in took.values())
    kinds = ("authentication off", "API key", "token, remembered", "token, checked", "role", "rate")
    assert all(any(what.startswith(kind) for what in took) for kind in kinds)
    for algorithm in ("RS256", "ES256", "EdDSA"):
        assert f"token, checked, {algorithm}" in took
