"""`TrustedIssuers`: each token is checked by the verifier of its issuer only."""

import pytest

from jwt_middleware import (
    AuthError,
    ConfigurationError,
    RemoteJWKSet,
    SecretKey,
    TokenIssuer,
    TrustedIssuers,
)
from tests.conftest import AUDIENCE, ISSUER, SECRET, bearer, client, good_claims, sign_raw

OTHER = "https://other.example.com"
OTHER_SECRET = "the other issuer's secret, of more than thirty-two bytes"


@pytest.fixture
def trusted(make_verifier):
    """Two issuers with a secret each."""
    return TrustedIssuers(
        make_verifier(), make_verifier(SecretKey(OTHER_SECRET), issuer=OTHER, max_token_bytes=1000)
    )


def refusal(verifier, token):
    """Return the reason why the token is refused."""
    with pytest.raises(AuthError) as caught:
        verifier.verify(token)
    return caught.value.reason


def test_issuer_chooses_the_verifier(trusted, clock):
    """Each issuer's tokens are checked with its own keys, again and again."""
    other = TokenIssuer(
        SecretKey(OTHER_SECRET), issuer=OTHER, audience=AUDIENCE, clock=clock
    ).access_token("bob")
    for _ in range(2):
        assert trusted.verify(sign_raw(good_claims())).issuer == ISSUER
        assert trusted.verify(other).issuer == OTHER


@pytest.mark.parametrize(
    ("claims", "secret", "reason"),
    [
        pytest.param(good_claims(), OTHER_SECRET, "signature_invalid", id="other's key"),
        pytest.param(good_claims(iss=OTHER), SECRET, "signature_invalid", id="other's name"),
        pytest.param(
            good_claims(iss="https://evil.example.com"),
            SECRET,
            "issuer_not_trusted",
            id="third issuer",
        ),
        pytest.param(good_claims(iss=None), SECRET, "issuer_not_trusted", id="no issuer"),
        pytest.param(good_claims(iss=[ISSUER]), SECRET, "issuer_not_trusted", id="issuer a list"),
        pytest.param(
            good_claims(iss=ISSUER + "/"), SECRET, "issuer_not_trusted", id="a slash more"
        ),
    ],
)
def test_keys_of_one_issuer_never_verify_another_s(trusted, claims, secret, reason):
    """Only the exact issuer, with its own key, is believed; also the second time."""
    token = sign_raw(claims, secret=secret)

    assert [refusal(trusted, token) for _ in range(2)] == [reason, reason]


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
    assert refusal(trusted, raw) == reason


def test_limit_of_the_chosen_verifier_holds(trusted):
    """A token that only another issuer may send so large is refused."""
    assert (
        refusal(trusted, sign_raw(good_claims(iss=OTHER, x="x" * 1000), secret=OTHER_SECRET))
        == "token_too_large"
    )


def test_foreign_token_fetches_no_keys(make_verifier):
    """The choice is made before anything is fetched."""
    asked = []
    keys = RemoteJWKSet(
        "https://id.example.com/jwks.json", fetch=lambda url, **options: asked.append(url)
    )
    trusted = TrustedIssuers(make_verifier(), make_verifier(keys, issuer=OTHER))

    trusted.verify(sign_raw(good_claims()))
    refusal(trusted, sign_raw(good_claims(iss="https://evil.example.com")))

    assert asked == []


def test_longest_token_is_still_read(make_verifier):
    """The bound is that of the most generous verifier, and a token of just that length passes."""
    token = sign_raw(good_claims())
    trusted = TrustedIssuers(
        make_verifier(max_token_bytes=len(token)), make_verifier(issuer=OTHER, max_token_bytes=10)
    )

    assert trusted.verify(token).subject == "alice"
    assert refusal(trusted, token + "A") == "token_too_large"


def test_chosen_take_bounded_memory(trusted):
    """However many good tokens come, few choices are remembered."""
    for number in range(5000):
        trusted.verify(sign_raw(good_claims(jti=str(number))))

    assert len(trusted._chosen) == 5000 - 4096


def test_bad_token_is_not_remembered(trusted):
    """A token that is refused is not remembered."""
    refusal(trusted, sign_raw(good_claims(), secret=OTHER_SECRET))
    refusal(trusted, sign_raw(good_claims(iss="x")))
    refusal(trusted, "a.b.c")

    assert not trusted._chosen


def test_middleware_takes_it_for_a_verifier(trusted):
    """It can be used in place of a `Verifier`."""
    response = client(trusted).get("/", headers=bearer(sign_raw(good_claims())))

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
