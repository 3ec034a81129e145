"""Ready-made validators."""

import pytest

from jwt_middleware import AccessToken, InvalidToken
from jwt_middleware.validators import claim_contains, claim_is, rfc9068

PROFILE = {
    "iss": "https://id",
    "exp": 2,
    "aud": "api",
    "sub": "alice",
    "client_id": "app",
    "iat": 1,
    "jti": "t1",
}


def refusal(validate, claims, header=None):
    """Return reason and claim of the refusal, or None."""
    try:
        validate(AccessToken(claims, header or {}))
    except InvalidToken as error:
        return error.reason, error.claim
    return None


@pytest.mark.parametrize(
    ("claims", "outcome"),
    [
        pytest.param({"use": "access"}, None, id="equal"),
        pytest.param({"use": 1}, None, id="another accepted value"),
        pytest.param({"use": "id"}, ("claim_invalid", "use"), id="other value"),
        pytest.param({"use": True}, ("claim_invalid", "use"), id="true is not 1"),
        pytest.param({"use": 1.0}, ("claim_invalid", "use"), id="1.0 is not 1"),
        pytest.param({"use": ["access"]}, ("claim_invalid", "use"), id="list"),
        pytest.param({"use": ""}, ("claim_missing", "use"), id="empty"),
        pytest.param({"use": None}, ("claim_missing", "use"), id="null"),
        pytest.param({}, ("claim_missing", "use"), id="absent"),
    ],
)
def test_claim_is_compares_type_and_value(claims, outcome):
    """A claim must be there and equal one of the accepted values, as JSON compares."""
    assert refusal(claim_is("use", "access", 1), claims) == outcome


@pytest.mark.parametrize(
    ("claims", "outcome"),
    [
        pytest.param({"roles": ["a", "b", "c"]}, None, id="all there"),
        pytest.param({"roles": ["a"]}, ("claim_invalid", "roles"), id="one missing"),
        pytest.param({"roles": "a b"}, ("claim_invalid", "roles"), id="string"),
        pytest.param({"roles": ["a", "b", 1, True]}, None, id="others beside"),
        pytest.param({"roles": {"a": 1, "b": 2}}, ("claim_invalid", "roles"), id="object"),
        pytest.param({}, ("claim_missing", "roles"), id="absent"),
    ],
)
def test_claim_contains_wants_a_list_with_all(claims, outcome):
    """A claim must be a list that holds every wanted value."""
    assert refusal(claim_contains("roles", "a", "b"), claims) == outcome


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_rfc9068_accepts_the_profile(typ):
    """A token with the type and all required claims is an access token."""
    assert refusal(rfc9068, PROFILE, {"typ": typ}) is None


@pytest.mark.parametrize("typ", ["JWT", "", "dpop+jwt", "application/jwt", 5, None])
def test_rfc9068_refuses_other_types(typ):
    """ID tokens and other tokens are refused (RFC 9068 §4)."""
    assert refusal(rfc9068, PROFILE, {"typ": typ}) == ("type_not_allowed", None)


@pytest.mark.parametrize("name", PROFILE)
def test_rfc9068_asks_for_each_claim(name):
    """Each claim that RFC 9068 §2.2 requires is required."""
    claims = {key: value for key, value in PROFILE.items() if key != name}

    assert refusal(rfc9068, claims, {"typ": "at+jwt"}) == ("claim_missing", name)


def test_rfc9068_wants_a_client_id_that_is_a_string():
    """A client_id of another type does not identify a client."""
    assert refusal(rfc9068, PROFILE | {"client_id": 5}, {"typ": "at+jwt"}) == (
        "claim_invalid",
        "client_id",
    )


def test_claim_contains_compares_type_and_value():
    """In JSON true is not 1."""
    assert refusal(claim_contains("levels", 1), {"levels": [True, 1.0]}) == (
        "claim_invalid",
        "levels",
    )
    assert refusal(claim_contains("levels", 1), {"levels": [{}, 1]}) is None
