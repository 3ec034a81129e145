"""`AccessToken` and reading it from environ."""

import json

import pytest

from jwt_middleware import AccessToken, InvalidToken, MissingToken, token_from

CLAIMS = {
    "iss": "https://id.example.com",
    "sub": "alice",
    "aud": ["a", "b"],
    "jti": "t1",
    "client_id": "app",
    "scope": "read write",
    "iat": 1,
    "exp": 2.5,
    "deep": {"list": [{"x": [1]}]},
}


@pytest.fixture
def token():
    """A token with a claim of each kind."""
    return AccessToken(json.loads(json.dumps(CLAIMS)), {"alg": "HS256", "x5c": ["a"]})


def test_attributes_are_the_registered_claims(token):
    """Each registered claim has its attribute."""
    who = (token.issuer, token.subject, token.audience, token.id, token.client_id)

    assert who == ("https://id.example.com", "alice", ("a", "b"), "t1", "app")
    assert (token.issued_at, token.expires_at) == (1, 2.5)


def test_attributes_without_claims_are_none_or_empty():
    """An absent claim is None; absent lists are empty."""
    token = AccessToken({}, {})

    assert (token.issuer, token.subject, token.id, token.client_id) == (None,) * 4
    assert (token.issued_at, token.expires_at) == (None, None)
    assert (token.audience, token.scopes) == ((), frozenset())


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        pytest.param({"scope": "a b"}, {"a", "b"}, id="scope as a string"),
        pytest.param({"scope": ["a", "b"]}, {"a", "b"}, id="scope as a list"),
        pytest.param({"scp": "a b"}, {"a", "b"}, id="scp as a string"),
        pytest.param({"scp": ["a", "b"]}, {"a", "b"}, id="scp as a list"),
        pytest.param({"scope": "a", "scp": "b"}, {"a"}, id="scope wins"),
        pytest.param({"scope": "", "scp": "b"}, set(), id="empty scope wins"),
        pytest.param({"scope": ["a b"]}, {"a b"}, id="a list is not split"),
        pytest.param({"scope": " a  b\xa0c\x1cd "}, {"a", "b\xa0c\x1cd"}, id="spaces only"),
        pytest.param({"scope": ["a", 1, None]}, {"a"}, id="members of other types"),
        pytest.param({"scope": {"a": 1}}, set(), id="object"),
        pytest.param({"scope": True}, set(), id="bool"),
    ],
)
def test_scopes_are_read_in_all_usual_spellings(claims, scopes):
    """Issuers write scopes in several ways. A value of another type is not a scope."""
    assert AccessToken(claims, {}).scopes == scopes


@pytest.mark.parametrize(
    ("claims", "client"),
    [
        *(({name: "x"}, "x") for name in ("client_id", "azp", "cid", "appid")),
        ({"azp": "x", "client_id": "y"}, "y"),
        ({"client_id": ["x"]}, None),
        ({}, None),
    ],
)
def test_client_id_has_other_names_with_some_issuers(claims, client):
    """Some issuers name the client azp, cid or appid. client_id comes first, and must be text."""
    assert AccessToken(claims, {}).client_id == client


@pytest.mark.parametrize(
    ("claim", "strings"),
    [
        pytest.param(["user", "admin"], ("user", "admin"), id="list"),
        pytest.param("non-admin", ("non-admin",), id="one string is not searched"),
        pytest.param(["a", 1, None, ["b"]], ("a",), id="other members left out"),
        pytest.param({"admin": True}, (), id="object"),
        pytest.param(None, (), id="null"),
    ],
)
def test_strings_of_a_claim_are_safe_to_look_through(claim, strings):
    """A claim of roles can be searched safely, also if it is a string or an object."""
    assert AccessToken({"roles": claim}, {}).strings("roles") == strings
    assert AccessToken({}, {}).strings("roles") == ()


def test_audience_of_one_is_a_tuple():
    """One audience as a string is a tuple too."""
    assert AccessToken({"aud": "a"}, {}).audience == ("a",)


def test_claims_equal_what_was_signed(token):
    """No claim is renamed, dropped or added, and all can be written as JSON."""
    assert token.claims == CLAIMS
    assert json.loads(json.dumps(token.claims)) == CLAIMS


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda claims: claims.update(sub="mallory"), id="top level"),
        pytest.param(lambda claims: claims["aud"].append("c"), id="list"),
        pytest.param(lambda claims: claims["deep"].clear(), id="object"),
        pytest.param(lambda claims: claims["deep"]["list"][0]["x"].append(2), id="deep inside"),
    ],
)
def test_claims_that_are_changed_change_nothing_else(token, spoil):
    """Each reader gets its own copy."""
    spoil(token.claims)

    assert token.claims == CLAIMS


def test_header_and_get_return_copies(token):
    """`header` and `get` return copies too."""
    token.header["x5c"].append("b")
    token.get("deep").clear()

    assert token.header == {"alg": "HS256", "x5c": ["a"]}
    assert token.get("deep") == CLAIMS["deep"]


def test_get_of_absent_claim_is_the_default(token):
    """An absent claim is None, or the given default."""
    assert (token.get("nope"), token.get("nope", 3)) == (None, 3)


@pytest.mark.parametrize("name", ["subject", "claims", "scopes", "expires_at", "invented"])
def test_attributes_cannot_be_set(token, name):
    """A token cannot be changed."""
    with pytest.raises(AttributeError):
        setattr(token, name, "mallory")


def test_repr_shows_who_but_nothing_private(token):
    """The repr has issuer, subject, id and expiry only."""
    assert (
        repr(token)
        == "AccessToken(issuer='https://id.example.com', subject='alice', id='t1', expires_at=2.5)"
    )


def test_token_from_returns_the_token(token):
    """The token is found under its key."""
    assert token_from({"jwt_middleware.token": token}) is token


@pytest.mark.parametrize("value", [None, "alice", {"sub": "alice"}])
def test_token_from_without_token_raises(value):
    """A value of another type is not a token."""
    with pytest.raises(MissingToken):
        token_from({"jwt_middleware.token": value})


def test_token_from_below_delegate_raises_the_reason():
    """Under a `delegate` rule, it raises the failure."""
    error = InvalidToken("token_malformed")

    with pytest.raises(InvalidToken) as caught:
        token_from({"jwt_middleware.error": error})

    assert caught.value is error
