import pytest
from pydantic import ValidationError

from server.security.callers import CallerLimits
from server.security.settings import SecuritySettings

TOKENS = {"jwt_issuer": "i", "jwt_audience": "a"}


def test_every_setting_says_what_it_is() -> None:
    for model in (SecuritySettings, CallerLimits):
        for name, field in model.model_fields.items():
            assert field.description, name


def test_authentication_is_on_unless_it_is_switched_off() -> None:
    assert SecuritySettings().authentication == "required"
    assert not SecuritySettings().insecure_allowed


@pytest.mark.parametrize(
    ("told", "field", "said"),
    [
        ({"tls_cert": "c"}, "tls_key", "both tls_cert and tls_key"),
        ({"tls_key": "k"}, "tls_key", "both tls_cert and tls_key"),
        ({"tls_client_ca": "a"}, "tls_client_ca", "tls_cert and tls_key beside it"),
        ({"authentication": "off", "callers_file": "f"}, "callers_file", "authentication is off"),
        ({"authentication": "off", "jwt_keys_file": "f"}, "jwt_keys_file", "authentication is off"),
        ({"jwt_keys_file": "f", "jwt_audience": "a"}, "jwt_issuer", "tokens are checked"),
        ({"jwt_secret_file": "f", "jwt_issuer": "i"}, "jwt_audience", "tokens are checked"),
        (
            {"jwt_keys_file": "f", "jwt_secret_file": "s", **TOKENS},
            "jwt_secret_file",
            "jwt_keys_file is given",
        ),
        ({"jwt_leeway_s": 301}, "jwt_leeway_s", "less than or equal to 300"),
        ({"authentication": "maybe"}, "authentication", "required"),
        ({"limits": {"calls_per_s": 0}}, "limits", "greater than 0"),
        ({"other": 1}, "other", "not permitted"),
    ],
)
def test_what_contradicts_itself_is_refused_at_its_field(
    told: dict[str, object], field: str, said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        SecuritySettings.model_validate(told)
    (problem,) = caught.value.errors()
    assert problem["loc"][0] == field
    assert said in problem["msg"]


def test_what_fits_together_is_taken() -> None:
    told = {"tls_cert": "c", "tls_key": "k", "tls_client_ca": "a", "jwt_keys_file": "f", **TOKENS}
    settings = SecuritySettings.model_validate({**told, "callers_file": "f"})
    assert settings.jwt_issuer == "i"
