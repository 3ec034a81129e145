"""`TokenIssuer`: the content of access tokens, their expiry, and the published key set."""

import json

import jwt
import pytest

from jwt_middleware import ConfigurationError, JWKSet, SecretKey, TokenIssuer, Verifier
from jwt_middleware.jose import ASYMMETRIC
from jwt_middleware.validators import rfc9068
from tests.conftest import AUDIENCE, ISSUER, NOW, SECRET


def decoded(token):
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def test_access_token_has_the_claims_of_the_profile(issuer):
    """A token contains the registered claims, and nothing else."""
    header, claims = decoded(issuer.access_token("alice"))

    assert header == {"alg": "HS256", "typ": "at+jwt"}
    assert claims == {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "iat": NOW,
        "exp": NOW + 600,
        "jti": claims["jti"],
    }


def test_access_token_carries_what_it_is_given(issuer):
    """The token contains the scopes, the client and other claims."""
    _, claims = decoded(
        issuer.access_token(
            "alice", scopes=["a", "b"], client_id="app", claims={"tenant": {"id": 7}}
        )
    )

    assert (claims["scope"], claims["client_id"], claims["tenant"]) == ("a b", "app", {"id": 7})


def test_access_token_is_new_each_time(issuer, clock):
    """Times are taken at each call, and no two tokens share an id."""
    _, first = decoded(issuer.access_token("alice"))
    clock.tick(100.9)
    _, second = decoded(issuer.access_token("alice"))

    assert second["iat"] == first["iat"] + 100
    assert second["exp"] == first["exp"] + 100
    assert second["jti"] != first["jti"]


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_access_token_is_accepted_with_the_published_keys(private_keys, algorithm, clock):
    """Verifiers need only the published key set, also for the profile of RFC 9068."""
    issuer = TokenIssuer(
        private_keys[algorithm], issuer=ISSUER, audience=[AUDIENCE, "other"], clock=clock
    )
    keys = JWKSet(json.dumps(issuer.jwks()))
    verifier = Verifier(keys, issuer=ISSUER, audience=AUDIENCE, validators=[rfc9068], clock=clock)

    token = verifier.verify(issuer.access_token("alice", client_id="app"))

    assert (token.subject, token.audience) == ("alice", (AUDIENCE, "other"))


def test_jwks_publishes_all_keys_and_the_first_signs(private_keys):
    """During a rotation both keys are published and the new one signs."""
    issuer = TokenIssuer(
        [private_keys["ES256"], private_keys["RS256"]], issuer=ISSUER, audience=AUDIENCE
    )

    header, _ = decoded(issuer.access_token("alice"))

    assert header["kid"] == "key-ES256"
    assert [(key["kid"], key["alg"], key["use"]) for key in issuer.jwks()["keys"]] == [
        ("key-ES256", "ES256", "sig"),
        ("key-RS256", "RS256", "sig"),
    ]


def test_jwks_never_publishes_what_signs(private_keys):
    """The published set contains no private members and no secrets."""
    issuer = TokenIssuer(
        [*private_keys.values(), SecretKey(SECRET)], issuer=ISSUER, audience=AUDIENCE
    )

    members = {name for key in issuer.jwks()["keys"] for name in key}

    assert members == {"kty", "crv", "x", "y", "n", "e", "alg", "use", "kid"}
    assert len(issuer.jwks()["keys"]) == len(private_keys)


@pytest.mark.parametrize("subject", [None, "", 1, b"alice"])
def test_access_token_needs_a_subject(issuer, subject):
    """A subject is a non-empty str. A number must be converted."""
    with pytest.raises(TypeError, match=r"^subject: .* str\(user.id\)"):
        issuer.access_token(subject)


@pytest.mark.parametrize("scopes", ["read", ["a b"], [""], ['"'], [1], None])
def test_access_token_refuses_wrong_scopes(issuer, scopes):
    """A scope with a space would be read as two scopes."""
    with pytest.raises(ValueError, match=r"^scopes: "):
        issuer.access_token("alice", scopes=scopes)


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "jti", "scope"])
def test_access_token_refuses_to_have_its_own_claims_replaced(issuer, name):
    """`claims` cannot change the expiry or the subject of a token."""
    with pytest.raises(ValueError, match=f"^claims: {name} is set by the issuer"):
        issuer.access_token("alice", claims={name: 1})


def test_access_token_refuses_numbers_outside_json(issuer):
    """NaN cannot be signed, because no JSON parser could read it."""
    with pytest.raises(ValueError, match="JSON"):
        issuer.access_token("alice", claims={"x": float("nan")})


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"client_id": 5}, id="client_id a number"),
        pytest.param({"claims": {"client_id": ["app"]}}, id="client_id a list"),
        pytest.param({"claims": {"nbf": "soon"}}, id="nbf a str"),
        pytest.param({"claims": {"nbf": True}}, id="nbf a bool"),
    ],
)
def test_access_token_refuses_what_no_verifier_would_accept(issuer, arguments):
    """Registered claims must have the types of RFC 7519 and RFC 9068."""
    with pytest.raises(TypeError, match=r"client_id|nbf"):
        issuer.access_token("alice", **arguments)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        pytest.param("key", SecretKey(SECRET).key, id="key of jose"),
        pytest.param("key", [], id="no key at all"),
        pytest.param("issuer", "", id="empty issuer"),
        pytest.param("issuer", None, id="no issuer"),
        pytest.param("issuer", 5, id="issuer a number"),
        pytest.param("audience", "", id="empty audience"),
        pytest.param("audience", [], id="no audience"),
        pytest.param("audience", None, id="audience None"),
        pytest.param("audience", ["a", 1], id="audience of a number"),
        pytest.param("access_ttl", 0, id="no life time"),
        pytest.param("access_ttl", 1.5, id="fraction"),
        pytest.param("access_ttl", True, id="bool"),
        pytest.param("access_ttl", 10**5000, id="too many digits"),
        pytest.param("refresh_ttl", 2**31, id="too long"),
        pytest.param(
            "key",
            [SecretKey(SECRET, key_id="a"), SecretKey(SECRET + "x", key_id="a")],
            id="two keys of one id",
        ),
        pytest.param("clock", 5, id="clock a number"),
    ],
)
def test_wrong_argument_is_refused(argument, value):
    """The constructor names each wrong argument."""
    arguments = {"key": SecretKey(SECRET), "issuer": ISSUER, "audience": AUDIENCE} | {
        argument: value
    }

    with pytest.raises(ConfigurationError, match=f"^{argument}: "):
        TokenIssuer(arguments.pop("key"), **arguments)


def test_keys_without_id_may_be_several():
    """A token without ``kid`` is checked with each key, so that a secret can be changed."""
    new, old = SecretKey(SECRET + "x"), SecretKey(SECRET)

    token = TokenIssuer([new, old], issuer=ISSUER, audience=AUDIENCE).access_token("alice")

    assert Verifier([old, new], issuer=ISSUER, audience=AUDIENCE).verify(token).subject == "alice"


def test_public_key_cannot_issue(private_keys):
    """A `PublicKey` only verifies, so the issuer refuses it."""
    with pytest.raises(ConfigurationError, match="PublicKey cannot sign"):
        TokenIssuer(private_keys["RS256"].public_key(), issuer=ISSUER, audience=AUDIENCE)
