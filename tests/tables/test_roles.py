"""dataset.toml is read strictly."""

from pathlib import Path

import pytest

from tables.errors import DataError
from tables.roles import DatasetConfig, HoldOutRule, read_config


def test_without_a_file_no_signal_has_a_role_of_its_own_and_the_last_is_held_out(
    tmp_path: Path,
) -> None:
    config = read_config(tmp_path)
    assert config == DatasetConfig()
    assert config.roles.roles == {}
    assert config.hold_out.rule == "leave-last-out"


def test_roles_and_rule_are_read(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text(
        '[signals]\nplay = "strong"\nskip = "negative"\n[hold_out]\nrule = "time"\ndays = 7\n'
    )
    config = read_config(tmp_path)
    assert config.roles.roles == {"play": "strong", "skip": "negative"}
    assert config.hold_out == HoldOutRule("time", 7.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[signals", "not valid TOML"),
        ('[signals]\nplay = "mighty"', r"signals\.play: expected one of strong, weak, negative"),
        ("[signals]\nplay = 1", r"signals\.play"),
        ("signals = 3", "signals must be a table"),
        ("[signal]\nplay = 'strong'", "unknown table 'signal'"),
        ('[hold_out]\nrule = "luck"', r"hold_out\.rule: expected one of leave-last-out, time"),
        ("[hold_out]\ndays = 0", r"hold_out\.days: expected a number above 0, got 0"),
        ("[hold_out]\ndays = true", r"hold_out\.days"),
        ("[hold_out]\ndays = inf", r"hold_out\.days: expected a number above 0, got inf"),
        ("[hold_out]\nday = 3", "unknown key of hold_out 'day'"),
    ],
)
def test_what_is_unclear_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "dataset.toml").write_text(text)
    with pytest.raises(DataError, match=rf"dataset\.toml: .*{message}|dataset\.toml: {message}"):
        read_config(tmp_path)
