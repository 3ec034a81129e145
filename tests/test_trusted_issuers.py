"""`TrustedIssuers`: each token is checked by the verifier of its issuer only."""

import pytest

from jwt_middleware import (
    ConfigurationError,
    RemoteJWKSet,
    SecretKey,
    TokenIssuer,
    TrustedIssuers,
)
from tests.conftest import (
    AUDIENCE,
    ISSUER,
    SECRET,
    client,
    good_claims,
    make_token,
    refused,
    signed,
)

OTHER = "https://other.example.com"
OTHER_SECRET = "the other issuer's secret, of more than thirty-two bytes"


@pytest.fixture
def trusted(make_verifier):
    """Two issuers with a secret each."""
    return TrustedIssuers(
        make_verifier(), make_verifier(SecretKey(OTHER_SECRET), issuer=OTHER, max_token_bytes=1000)
    )


def test_issuer_chooses_the_verifier(trusted, clock):
    """Each issuer's tokens are checked with its own keys, again and again."""
    other = TokenIssuer(
        SecretKey(OTHER_SECRET), issuer=OTHER, audience=AUDIENCE, clock=clock
    ).access_token("bob")
    for _ in range(2):
        assert trusted.verify(make_token()).issuer == ISSUER
        assert trusted.verify(other).issuer == OTHER


@pytest.mark.parametrize(
    ("claims", "secret", "expected"),
    [
        pytest.param({}, OTHER_SECRET, ("signature_invalid", None), id="other's key"),
        pytest.param({"iss": OTHER}, SECRET, ("signature_invalid", None), id="other's name"),
        pytest.param(
            {"iss": "https://evil.example.com"},
            SECRET,
            ("issuer_not_trusted", "iss"),
            id="third issuer",
        ),
        pytest.param({"iss": None}, SECRET, ("issuer_not_trusted", "iss"), id="no issuer"),
        pytest.param({"iss": [ISSUER]}, SECRET, ("issuer_not_trusted", "iss"), id="issuer a list"),
        pytest.param(
            {"iss": ISSUER + "/"}, SECRET, ("issuer_not_trusted", "iss"), id="a slash more"
        ),
    ],
)
def test_keys_of_one_issuer_never_verify_another_s(trusted, claims, secret, expected):
    """Only the exact issuer, with its own key, is believed; also the second time."""
    token = make_token(secret=secret, **claims)

    assert [refused(trusted, token) for _ in range(2)] == [expected, expected]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param("x" * 20_000, "token_too_large", id="too large for any"),
        pytest.param("a.b.c", "token_malformed", id="malformed"),
        pytest.param("a b", "credentials_malformed", id="no token"),
        pytest.param(None, "credentials_malformed", id="None"),
        pytest.param(b"a.b.c", "credentials_malformed", id="bytes"),
    ],
)
def test_hostile_text_is_refused(trusted, raw, reason):
    """Every text that is refused raises an `AuthError`."""
    assert refused(trusted, raw) == (reason, None)


def test_limit_of_the_chosen_verifier_holds(trusted):
    """A token that only another issuer may send so large is refused."""
    token = make_token(secret=OTHER_SECRET, iss=OTHER, x="x" * 1000)

    assert refused(trusted, token) == ("token_too_large", None)


def test_foreign_token_fetches_no_keys(make_verifier):
    """The choice is made before anything is fetched."""
    asked = []
    keys = RemoteJWKSet(
        "https://id.example.com/jwks.json", fetch=lambda url, **options: asked.append(url)
    )
    trusted = TrustedIssuers(make_verifier(), make_verifier(keys, issuer=OTHER))

    trusted.verify(make_token())
    refused(trusted, make_token(iss="https://evil.example.com"))

    assert asked == []


def test_longest_token_is_still_read(make_verifier):
    """The bound is that of the most generous verifier, and a token of just that length passes."""
    token = make_token()
    trusted = TrustedIssuers(
        make_verifier(max_token_bytes=len(token)), make_verifier(issuer=OTHER, max_token_bytes=10)
    )

    assert trusted.verify(token).subject == "alice"
    assert refused(trusted, token + "A") == ("token_too_large", None)


def test_chosen_take_bounded_memory(trusted):
    """However many good tokens come, few choices are remembered."""
    for number in range(5000):
        trusted.verify(make_token(jti=str(number)))

    assert len(trusted._chosen) == 5000 - 4096


def test_bad_token_is_not_remembered(trusted):
    """A token that is refused is not remembered."""
    refused(trusted, make_token(secret=OTHER_SECRET))
    refused(trusted, make_token(iss="x"))
    refused(trusted, "a.b.c")

    assert not trusted._chosen


def test_middleware_takes_it_for_a_verifier(trusted):
    """It can be used in place of a `Verifier`."""
    response = client(trusted).get("/", headers=signed())

    assert response.json == good_claims()


def test_wrong_use_is_refused(make_verifier):
    """Two verifiers of one issuer, one of any issuer, and no verifier are mistakes."""
    with pytest.raises(ConfigurationError, match="list of keys"):
        TrustedIssuers(make_verifier(), make_verifier())
    with pytest.raises(ConfigurationError, match="any issuer"):
        TrustedIssuers(make_verifier(), make_verifier(issuer=None))
    with pytest.raises(ConfigurationError, match="separate argument"):
        TrustedIssuers([make_verifier()])
    with pytest.raises(ConfigurationError, match="one Verifier"):
        TrustedIssuers()
