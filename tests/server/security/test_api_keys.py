import hashlib
import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.security.api_keys import ApiKeys, make_key
from server.security.callers import Role
from server.security.errors import CredentialsExpiredError, CredentialsInvalidError
from tests.server.security.support import NOW, PATIENT, Clock, key_line

CLOCK = Clock(NOW.timestamp())


def test_key_has_an_id_and_a_secret_of_256_bits() -> None:
    made = make_key()
    found = re.fullmatch(r"nf_([a-z2-7]{10})_([a-z2-7]{52})", made.key)
    assert found is not None
    assert found[1] == made.id
    assert made.sha256 == hashlib.sha256(made.key.encode()).hexdigest()


def test_no_key_is_made_twice() -> None:
    assert len({make_key().key for _ in range(1000)}) == 1000


def test_owner_of_a_key_is_its_caller() -> None:
    made, other = make_key(), make_key()
    keys = ApiKeys((key_line(made, "shop", roles=["admin"]), key_line(other, "radio")), CLOCK)
    assert keys.caller(made.key).name == "shop"
    assert keys.caller(made.key).roles == {Role.ADMIN}
    assert keys.caller(other.key).name == "radio"


@PATIENT
@given(place=st.integers(0, 10_000), other=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567_"))
def test_key_with_one_character_changed_is_nobodys(place: int, other: str) -> None:
    made = make_key()
    keys = ApiKeys((key_line(made),), CLOCK)
    place %= len(made.key)
    changed = made.key[:place] + other + made.key[place + 1 :]
    if changed != made.key:
        with pytest.raises(CredentialsInvalidError):
            keys.caller(changed)


@PATIENT
@given(st.text(st.characters(codec="ascii"), max_size=200))
def test_text_that_is_no_key_is_nobodys(text: str) -> None:
    with pytest.raises(CredentialsInvalidError):
        ApiKeys((key_line(make_key()),), CLOCK).caller(f"nf_{text}")


def test_secret_of_one_key_does_not_fit_the_id_of_another() -> None:
    made, other = make_key(), make_key()
    keys = ApiKeys((key_line(made), key_line(other)), CLOCK)
    with pytest.raises(CredentialsInvalidError):
        keys.caller(f"nf_{made.id}_{other.key.rpartition('_')[2]}")


def test_revoked_key_is_nobodys() -> None:
    made = make_key()
    with pytest.raises(CredentialsInvalidError):
        ApiKeys((key_line(made, revoked=NOW),), CLOCK).caller(made.key)


def test_key_ends_at_its_moment_and_only_its_owner_hears_of_it() -> None:
    made = make_key()
    clock = Clock((NOW + timedelta(days=1)).timestamp() - 0.001)
    keys = ApiKeys((key_line(made, expires=NOW + timedelta(days=1)),), clock)
    assert keys.caller(made.key).name == "shop"
    clock.now += 0.002
    with pytest.raises(CredentialsExpiredError):
        keys.caller(made.key)
    with pytest.raises(CredentialsInvalidError):
        keys.caller(made.key[:-1] + ("a" if made.key[-1] != "a" else "b"))


def test_line_of_a_key_does_not_hold_the_key() -> None:
    made = make_key()
    assert made.key.rpartition("_")[2] not in key_line(made).model_dump_json()


def test_key_is_not_printed_by_accident() -> None:
    made = make_key()
    assert made.id in repr(made)
    assert made.key not in repr(made)
