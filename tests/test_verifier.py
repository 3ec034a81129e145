"""`Verifier`: the order of the checks, each check, the cache, and what construction refuses."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_middleware import (
    AuthError,
    ConfigurationError,
    ExpiredToken,
    InvalidRequest,
    InvalidToken,
    JWKSet,
    PrivateKey,
    SecretKey,
    Verifier,
)
from jwt_middleware.keys.key_set import KeySet
from jwt_middleware.validators import claim_is
from tests.conftest import (
    AUDIENCE,
    ISSUER,
    NOT_SECONDS,
    NOT_WHOLE,
    NOW,
    SECRET,
    good_claims,
    make_token,
    refused,
    sign_raw,
)


def test_good_token_gives_its_claims(verifier):
    """What was signed is what is returned."""
    token = verifier.verify(make_token(role="admin"))

    assert token.claims == good_claims(role="admin")
    assert token.header == {"alg": "HS256"}


@pytest.mark.parametrize(
    ("header", "payload", "expected"),
    [
        pytest.param("{", good_claims(), ("token_malformed", None), id="header no JSON"),
        pytest.param("[]", good_claims(), ("token_malformed", None), id="header no object"),
        pytest.param(
            '{"alg":"HS256","alg":"HS256"}',
            good_claims(),
            ("token_malformed", None),
            id="header member twice",
        ),
        pytest.param(
            {"alg": "HS256", "kid": 5}, good_claims(), ("token_malformed", None), id="kid a number"
        ),
        pytest.param(
            {"alg": "HS256", "kid": None}, good_claims(), ("token_malformed", None), id="kid null"
        ),
        pytest.param(
            {"alg": "none"}, good_claims(), ("algorithm_not_allowed", None), id="alg none"
        ),
        pytest.param(
            {"alg": "hs256"},
            good_claims(),
            ("algorithm_not_allowed", None),
            id="alg in another case",
        ),
        pytest.param(
            {"alg": "HS512"},
            good_claims(),
            ("algorithm_not_allowed", None),
            id="alg of another key",
        ),
        pytest.param(
            {"alg": ["HS256"]}, good_claims(), ("algorithm_not_allowed", None), id="alg a list"
        ),
        pytest.param(
            {"alg": {}}, good_claims(), ("algorithm_not_allowed", None), id="alg an object"
        ),
        pytest.param({"typ": "JWT"}, good_claims(), ("algorithm_not_allowed", None), id="no alg"),
        pytest.param(
            {"alg": "HS256", "crit": ["exp"]},
            good_claims(),
            ("header_not_understood", None),
            id="crit",
        ),
        pytest.param(
            {"alg": "HS256", "crit": []},
            good_claims(),
            ("header_not_understood", None),
            id="empty crit",
        ),
        pytest.param(
            {"alg": "HS256", "b64": True}, good_claims(), ("header_not_understood", None), id="b64"
        ),
        pytest.param(
            {"alg": "HS256", "zip": "DEF"}, good_claims(), ("header_not_understood", None), id="zip"
        ),
        pytest.param(
            {"alg": "HS256", "typ": "dpop+jwt"},
            good_claims(),
            ("type_not_allowed", None),
            id="DPoP proof",
        ),
        pytest.param(
            {"alg": "HS256", "typ": "logout+jwt"},
            good_claims(),
            ("type_not_allowed", None),
            id="logout token",
        ),
        pytest.param(
            {"alg": "HS256", "typ": 5}, good_claims(), ("type_not_allowed", None), id="typ a number"
        ),
        pytest.param(
            {"alg": "HS256", "typ": None}, good_claims(), ("type_not_allowed", None), id="typ null"
        ),
        pytest.param(
            {"alg": "HS256", "typ": ""}, good_claims(), ("type_not_allowed", None), id="typ empty"
        ),
        pytest.param({"alg": "HS256"}, "[]", ("token_malformed", None), id="payload no object"),
        pytest.param({"alg": "HS256"}, "", ("token_malformed", None), id="payload empty"),
        pytest.param({"alg": "HS256"}, '{"a":NaN}', ("token_malformed", None), id="NaN"),
        pytest.param(
            {"alg": "HS256"},
            '{"exp":1,"exp":9999999999}',
            ("token_malformed", None),
            id="claim twice",
        ),
        pytest.param(
            {"alg": "HS256"},
            b'\xef\xbb\xbf{"a":1}',
            ("token_malformed", None),
            id="byte order mark",
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(iss="https://evil"),
            ("issuer_not_trusted", "iss"),
            id="other issuer",
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims(iss=None), ("issuer_not_trusted", "iss"), id="no issuer"
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(iss=[ISSUER]),
            ("issuer_not_trusted", "iss"),
            id="issuer a list",
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(iss=ISSUER + "/"),
            ("issuer_not_trusted", "iss"),
            id="slash behind issuer",
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(aud="other"),
            ("audience_mismatch", "aud"),
            id="other audience",
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims(aud=None), ("audience_mismatch", "aud"), id="no audience"
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims(aud=[]), ("audience_mismatch", "aud"), id="audience empty"
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(aud=["x", "y"]),
            ("audience_mismatch", "aud"),
            id="other audiences",
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(aud=[AUDIENCE, 5]),
            ("audience_mismatch", "aud"),
            id="audience and a number",
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(aud={AUDIENCE: 1}),
            ("audience_mismatch", "aud"),
            id="audience an object",
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(aud=0),
            ("audience_mismatch", "aud"),
            id="audience a number",
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims(exp=None), ("claim_missing", "exp"), id="no expiry"
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims() | {"exp": None},
            ("claim_missing", "exp"),
            id="expiry null",
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(exp=str(NOW + 9)),
            ("claim_invalid", "exp"),
            id="expiry a string",
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims(exp=True), ("claim_invalid", "exp"), id="expiry true"
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims(exp=[NOW]), ("claim_invalid", "exp"), id="expiry a list"
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(exp=10**400),
            ("claim_invalid", "exp"),
            id="expiry beyond float",
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(exp=1e300),
            ("claim_invalid", "exp"),
            id="expiry beyond 64 bits",
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims(nbf="0"), ("claim_invalid", "nbf"), id="nbf a string"
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims() | {"nbf": None}, ("claim_invalid", "nbf"), id="nbf null"
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims(iat=False), ("claim_invalid", "iat"), id="iat false"
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims(sub=5), ("claim_invalid", "sub"), id="subject a number"
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims(jti=["t1"]), ("claim_invalid", "jti"), id="id a list"
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(cnf={"jkt": "x"}),
            ("binding_unverifiable", "cnf"),
            id="DPoP bound",
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims() | {"cnf": None},
            ("binding_unverifiable", "cnf"),
            id="cnf null",
        ),
        pytest.param(
            {"alg": "HS256"}, good_claims(exp=NOW - 5), ("token_expired", "exp"), id="expired"
        ),
        pytest.param(
            {"alg": "HS256"},
            good_claims(nbf=NOW + 6),
            ("token_not_yet_valid", "nbf"),
            id="not yet valid",
        ),
    ],
)
def test_token_with_one_fault_is_refused_for_it(verifier, header, payload, expected):
    """Each fault has its reason, even under a good signature."""
    assert refused(verifier, sign_raw(payload, header)) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        pytest.param("", InvalidRequest, id="empty"),
        pytest.param("a b", InvalidRequest, id="space"),
        pytest.param("ä.b.c", InvalidRequest, id="not ASCII"),
        pytest.param("a.b.c\x00", InvalidRequest, id="NUL"),
        pytest.param("=", InvalidRequest, id="padding only"),
        pytest.param("a", InvalidToken, id="one part"),
        pytest.param("a.b", InvalidToken, id="two parts"),
        pytest.param("a.b.c.d", InvalidToken, id="four parts"),
        pytest.param("a.b.c.d.e", InvalidToken, id="JWE"),
        pytest.param("..", InvalidToken, id="nothing between the dots"),
        pytest.param("." * 10_000, InvalidToken, id="dots only"),
    ],
)
def test_text_that_is_no_jws_is_refused(verifier, token, expected):
    """Text that RFC 6750 does not allow is an invalid request, another text an invalid token."""
    with pytest.raises(expected) as caught:
        verifier.verify(token)

    assert caught.value.reason in {"credentials_malformed", "token_malformed"}


@pytest.mark.parametrize(
    "respell",
    [
        pytest.param(lambda token: token + "=", id="padding"),
        pytest.param(lambda token: token[:-1] + chr(ord(token[-1]) + 1), id="unused bits"),
        pytest.param(lambda token: token.replace("-", "+").replace("_", "/"), id="plain base64"),
        pytest.param(lambda token: token.replace(".", ".\n", 1), id="line break"),
    ],
)
def test_token_has_one_spelling(verifier, respell):
    """No second text stands for the same token, so that what is keyed by a token has no twins."""
    token = next(
        token
        for number in range(10_000)
        if {"-", "_"} <= set(token := make_token(jti=str(number))) and token[-1] in "AEIMQUYcgkosw"
    )
    verifier.verify(token)

    assert refused(verifier, respell(token))[0] in {"token_malformed", "credentials_malformed"}


@given(st.text(max_size=200) | st.from_regex(r"\A[\w-]{0,40}(\.[\w-]{0,40}){0,4}\Z"))
def test_any_text_is_refused_by_an_auth_error(text):
    """Every text that is refused raises an `AuthError`."""
    verifier = Verifier(SecretKey(SECRET), issuer=None, audience=None)

    with pytest.raises(AuthError):
        verifier.verify(text)


def test_order_is_issuer_then_key_then_signature_then_claims(make_verifier):
    """The reason given is that of the first check that fails."""
    verifier = make_verifier(SecretKey(SECRET, key_id="k"))
    faults = [
        (
            {"alg": "HS256", "typ": "x", "kid": "u"},
            good_claims(iss="x", aud="x", exp=1),
            "type_not_allowed",
        ),
        ({"alg": "HS256", "kid": "u"}, good_claims(iss="x", aud="x", exp=1), "issuer_not_trusted"),
        ({"alg": "HS256", "kid": "u"}, good_claims(aud="x", exp=1), "key_not_found"),
        ({"alg": "HS256", "kid": "k"}, good_claims(aud="x", exp=1), "signature_invalid"),
    ]

    for header, claims, reason in faults:
        forged = sign_raw(claims, header, secret="another secret")
        assert refused(verifier, forged)[0] == reason
    assert refused(verifier, make_token(aud="x", exp=1))[0] == "audience_mismatch"
    assert refused(verifier, make_token(exp=1))[0] == "token_expired"


def test_size_comes_before_everything(make_verifier):
    """A token over the limit is refused before anything else is checked."""
    token = make_token()
    verifier = make_verifier(max_token_bytes=len(token))
    verifier.verify(token)

    assert refused(verifier, token + "a") == ("token_too_large", None)
    assert refused(verifier, "ä" * 1_000_000) == ("token_too_large", None)


@pytest.mark.parametrize(
    ("claims", "moment", "good"),
    [
        pytest.param({"exp": NOW}, NOW + 4.9, True, id="exp within leeway"),
        pytest.param({"exp": NOW}, NOW + 5, False, id="exp at leeway"),
        pytest.param({"exp": NOW + 0.5}, NOW + 5.4, True, id="fraction of a second"),
        pytest.param({"exp": NOW, "nbf": NOW}, NOW - 5, True, id="nbf within leeway"),
        pytest.param({"exp": NOW, "nbf": NOW}, NOW - 5.1, False, id="nbf before leeway"),
        pytest.param({"exp": 2**63}, NOW, True, id="never, as some write it"),
        pytest.param(
            {"exp": NOW + 9, "iat": NOW + 10**6}, NOW, True, id="iat alone decides nothing"
        ),
    ],
)
def test_times_allow_for_leeway(make_verifier, clock, claims, moment, good):
    """A token is good from nbf - leeway until just before exp + leeway."""
    verifier = make_verifier(leeway=5)
    clock.now = moment
    token = make_token(**claims)

    if good:
        assert verifier.verify(token)
    else:
        assert refused(verifier, token)[0] in {"token_expired", "token_not_yet_valid"}


@pytest.mark.parametrize(
    ("issued_at", "reason"),
    [
        pytest.param(NOW - 65, None, id="old, within leeway"),
        pytest.param(NOW - 66, "token_too_old", id="too old"),
        pytest.param(NOW + 5, None, id="from a clock ahead"),
        pytest.param(NOW + 6, "token_not_yet_valid", id="from the future"),
        pytest.param(None, "claim_missing", id="without iat"),
    ],
)
def test_max_token_age_counts_from_iat(make_verifier, issued_at, reason):
    """A token may be no older than allowed, nor escape that by a date in the future."""
    verifier = make_verifier(max_token_age=60)
    token = make_token(iat=issued_at)

    if reason is None:
        assert verifier.verify(token)
    else:
        assert refused(verifier, token) == (reason, "iat")


@pytest.mark.parametrize("nonsense", [math.nan, math.inf])
def test_clock_that_answers_nonsense_refuses_everything(make_verifier, clock, nonsense):
    """With a clock that returns NaN or infinity, every token is refused."""
    verifier = make_verifier(require=["exp"])
    clock.now = nonsense

    assert refused(verifier, make_token())[0] == "token_expired"


def test_clock_that_answers_nan_refuses_a_token_without_expiry(make_verifier, clock):
    """A clock that returns NaN refuses also a token that never expires."""
    clock.now = math.nan

    assert refused(make_verifier(require=[]), make_token(exp=None)) == (
        "token_expired",
        "exp",
    )


@pytest.mark.parametrize(
    ("types", "typ", "good"),
    [
        pytest.param(["at+jwt"], "at+jwt", True, id="as written"),
        pytest.param(["at+jwt"], "AT+JWT", True, id="another case"),
        pytest.param(["at+jwt"], "application/at+jwt", True, id="full media type"),
        pytest.param(["application/at+jwt"], "at+jwt", True, id="full media type configured"),
        pytest.param(["at+jwt"], "JWT", False, id="another type"),
        pytest.param(["at+jwt"], None, False, id="no type"),
        pytest.param([None], None, True, id="no type wanted"),
        pytest.param([None], "JWT", False, id="any type is too much"),
    ],
)
def test_types_compare_as_media_types(make_verifier, types, typ, good):
    """A type compares without case and without ``application/`` (RFC 7515 §4.1.9)."""
    verifier = make_verifier(types=types)
    token = make_token({"typ": typ} if typ else None)

    if good:
        assert verifier.verify(token)
    else:
        assert refused(verifier, token) == ("type_not_allowed", None)


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["x", AUDIENCE], "second"])
def test_audience_may_be_one_of_several(make_verifier, aud):
    """A token for one of our names is for us."""
    assert make_verifier(audience=[AUDIENCE, "second"]).verify(make_token(aud=aud))


def test_audience_none_wants_tokens_without(make_verifier):
    """Without an expected audience, a token with an audience is refused (RFC 7519 §4.1.3)."""
    verifier = make_verifier(audience=None)

    assert verifier.verify(make_token(aud=None))
    assert refused(verifier, make_token()) == ("audience_mismatch", "aud")
    assert refused(verifier, sign_raw(good_claims() | {"aud": None})) == (
        "audience_mismatch",
        "aud",
    )


def test_issuer_none_accepts_any_string(make_verifier):
    """Opting out of the issuer check leaves the check of its type."""
    verifier = make_verifier(issuer=None)

    assert verifier.verify(make_token(iss="anybody"))
    assert verifier.verify(make_token(iss=None))
    assert refused(verifier, make_token(iss=5)) == ("claim_invalid", "iss")


def test_required_claims_must_be_there(make_verifier):
    """A required claim must be present and not null."""
    verifier = make_verifier(require=["exp", "tenant"])

    assert verifier.verify(make_token(tenant=0))
    assert refused(verifier, make_token()) == ("claim_missing", "tenant")
    assert refused(verifier, sign_raw(good_claims() | {"tenant": None})) == (
        "claim_missing",
        "tenant",
    )


def test_expiry_may_be_waived_visibly(make_verifier):
    """With an empty list of required claims a token may live for ever."""
    assert make_verifier(require=[]).verify(make_token(exp=None))


def test_rotation_is_a_list(make_verifier):
    """During a rotation the old and the new key both verify."""
    verifier = make_verifier([SecretKey(SECRET), SecretKey("N" + SECRET)])

    assert verifier.verify(make_token())
    assert verifier.verify(make_token(secret="N" + SECRET))
    assert refused(verifier, make_token(secret="x" * 32)) == (
        "signature_invalid",
        None,
    )


def test_header_keys_are_ignored(make_verifier):
    """A key inside a token is never used."""
    jwk = {"kty": "oct", "k": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg"}
    header = {
        "alg": "HS256",
        "jwk": jwk,
        "jku": "https://evil.example.com",
        "x5c": ["x"],
        "x5u": "https://evil.example.com",
    }

    assert refused(make_verifier(), make_token(header, secret="x" * 32)) == (
        "signature_invalid",
        None,
    )


def test_public_key_is_no_hmac_secret(make_verifier, private_keys):
    """A token whose secret is the text of the public key is refused (RFC 8725 §2.1)."""
    from jwt_middleware.jose import public_pem

    verifier = make_verifier(private_keys["RS256"].public_key())
    pem = public_pem(private_keys["RS256"].key).decode()

    assert refused(verifier, make_token(secret=pem)) == ("algorithm_not_allowed", None)


def test_validators_run_last_and_on_every_use(make_verifier):
    """A validator sees the token each time, also when the cache knows it."""
    seen = []
    verifier = make_verifier(validators=[claim_is("sub", "alice"), seen.append])
    token = make_token()

    assert verifier.verify(token) is verifier.verify(token)
    assert [each.subject for each in seen] == ["alice", "alice"]
    assert refused(verifier, make_token(sub="bob")) == ("claim_invalid", "sub")
    assert len(seen) == 2


def test_validator_that_breaks_refuses(make_verifier):
    """An exception in a validator is a refusal that keeps its cause."""
    verifier = make_verifier(validators=[lambda token: token.claims["tenant"]])

    with pytest.raises(InvalidToken) as caught:
        verifier.verify(make_token())

    assert caught.value.reason == "claim_invalid"
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(False, id="verdict"),
        pytest.param(claim_is("role", "admin"), id="forgotten call"),
        pytest.param(iter([]), id="generator"),
    ],
)
def test_validator_that_answers_refuses(make_verifier, answer):
    """A validator that returns something other than None refuses the token."""
    verifier = make_verifier(validators=[lambda token: answer])

    with pytest.raises(InvalidToken) as caught:
        verifier.verify(make_token())

    assert caught.value.reason == "claim_invalid"
    assert isinstance(caught.value.__cause__, TypeError)


def test_cached_token_still_expires(make_verifier, clock):
    """Time is checked on every use."""
    verifier = make_verifier()
    token = make_token()
    verifier.verify(token)
    clock.tick(605)

    with pytest.raises(ExpiredToken):
        verifier.verify(token)


class CountingKeySet(KeySet):
    """Counts how often keys are searched."""

    searches = 0

    def find(self, algorithm, key_id):
        self.searches += 1
        return super().find(algorithm, key_id)


class ChangingKeys:
    """A key source whose keys a test may change."""

    def __init__(self):
        self.now = CountingKeySet([SecretKey(SECRET).key])

    def current(self):
        return self.now

    def refresh_if_stale(self):
        return self.now

    def refresh_for(self, key_id):
        return self.now


def test_cache_spares_the_signature(make_verifier):
    """A token that was verified is not verified again."""
    keys = ChangingKeys()
    verifier = make_verifier(keys)
    token = make_token()

    verifier.verify(token)
    verifier.verify(token)

    assert keys.now.searches == 1


def test_cache_size_zero_turns_it_off(make_verifier):
    """Without a cache each token is verified on every use."""
    keys = ChangingKeys()
    verifier = make_verifier(keys, cache_size=0)
    token = make_token()

    verifier.verify(token)
    verifier.verify(token)

    assert keys.now.searches == 2


def test_cache_never_holds_failures(make_verifier):
    """A flood of bad tokens does not push a good one out."""
    keys = ChangingKeys()
    verifier = make_verifier(keys, cache_size=2)
    token = make_token()
    verifier.verify(token)
    for number in range(10):
        refused(verifier, make_token(aud=str(number)))
    before = keys.now.searches

    verifier.verify(token)

    assert keys.now.searches == before


@pytest.mark.parametrize("size", [1, 2, 8, 20])
def test_cache_is_bounded_and_drops_the_oldest(make_verifier, size):
    """A full cache drops its oldest tokens, and keeps the newest one."""
    keys = ChangingKeys()
    verifier = make_verifier(keys, cache_size=size)
    tokens = [make_token(jti=str(number)) for number in range(3 * size)]
    for token in tokens:
        verifier.verify(token)
    _, cached = verifier._cache
    before = keys.now.searches

    verifier.verify(tokens[-1])
    assert keys.now.searches == before
    assert len(cached) <= size
    verifier.verify(tokens[0])
    assert keys.now.searches == before + 1


def test_new_key_set_drops_what_the_old_one_verified(make_verifier):
    """Nothing of the old keys stays in memory once a token was verified with the new ones."""
    keys = ChangingKeys()
    verifier = make_verifier(keys)
    first, second = (make_token(jti=name) for name in "ab")
    verifier.verify(first)
    keys.now = KeySet(keys.now.keys)
    verifier.verify(second)

    assert list(verifier._cache[1]) == [second]


def test_unknown_key_is_verified_once_if_the_source_has_no_newer_keys(make_verifier):
    """A refresh that brings the same key set does not repeat the signature check."""
    keys = ChangingKeys()
    verifier = make_verifier(keys)
    token = make_token({"kid": "new"}, secret="x" * 32)

    assert refused(verifier, token) == ("signature_invalid", None)
    assert keys.now.searches == 1


def test_token_is_cached_for_the_key_set_that_verified_it(make_verifier):
    """A token that newer keys verified is not cached for the older ones."""
    keys = ChangingKeys()
    old, new = keys.now, CountingKeySet([SecretKey("N" + SECRET, key_id="new").key])
    keys.refresh_for = lambda key_id: new
    verifier = make_verifier(keys)
    token = make_token({"kid": "new"}, secret="N" + SECRET)

    assert verifier.verify(token)
    assert verifier._cache[0] is new
    keys.refresh_for = lambda key_id: old
    assert refused(verifier, token) == ("signature_invalid", None)


def test_withdrawn_key_takes_its_cached_tokens_along(make_verifier):
    """A token that a withdrawn key signed is refused at once, though it was cached."""
    keys = ChangingKeys()
    verifier = make_verifier(keys)
    token = make_token()
    verifier.verify(token)

    keys.now = KeySet([SecretKey("N" + SECRET).key])

    assert refused(verifier, token) == ("signature_invalid", None)


GOOD = {"issuer": ISSUER, "audience": AUDIENCE}


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        pytest.param("issuer", "", id="issuer empty"),
        pytest.param("issuer", 5, id="issuer a number"),
        pytest.param("issuer", [ISSUER], id="issuer a list"),
        pytest.param("audience", "", id="audience empty"),
        pytest.param("audience", [], id="audience of none"),
        pytest.param("audience", [""], id="audience of an empty name"),
        pytest.param("audience", 5, id="audience a number"),
        pytest.param("audience", {"a": 1}, id="audience a dict"),
        pytest.param("types", [], id="types of none"),
        pytest.param("types", "JWT", id="types a str"),
        pytest.param("types", [5], id="types of a number"),
        pytest.param("types", None, id="types None"),
        pytest.param("require", "exp", id="require a str"),
        pytest.param("require", [None], id="require None"),
        pytest.param("max_token_age", -1, id="age negative"),
        pytest.param("max_token_age", "60", id="age a str"),
        pytest.param("max_token_bytes", 0, id="size zero"),
        pytest.param("max_token_bytes", 1.5, id="size a fraction"),
        pytest.param("validators", [5], id="validator not callable"),
        pytest.param("validators", 5, id="validators a number"),
        pytest.param("validators", len, id="validators a function"),
        pytest.param("clock", 5, id="clock not callable"),
    ],
)
def test_wrong_argument_is_refused(argument, value):
    """Each wrong argument is named at construction, with what to write."""
    with pytest.raises(ConfigurationError, match=f"^{argument}: .*(write|pass)"):
        Verifier(SecretKey(SECRET), **(GOOD | {argument: value}))


@pytest.mark.parametrize("leeway", NOT_SECONDS)
def test_leeway_is_a_number_of_seconds(leeway):
    """A leeway without end, or None, would let expired tokens in."""
    with pytest.raises(ConfigurationError, match=r"^leeway: .*write"):
        Verifier(SecretKey(SECRET), **GOOD, leeway=leeway)


@pytest.mark.parametrize("cache_size", NOT_WHOLE)
def test_cache_size_is_a_whole_number(cache_size):
    """A cache without a bound, such as None, does not exist."""
    with pytest.raises(ConfigurationError, match=r"^cache_size: .*write"):
        Verifier(SecretKey(SECRET), **GOOD, cache_size=cache_size)


@pytest.mark.parametrize(
    "keys", [None, "secret", b"secret", [], [None], [SecretKey(SECRET), "x"], object(), {}]
)
def test_wrong_keys_are_refused_without_showing_them(keys):
    """A value that is not a key is named by its type only, because it may be a secret."""
    with pytest.raises(ConfigurationError, match=r"^keys: ") as caught:
        Verifier(keys, **GOOD)

    assert "'secret'" not in str(caught.value)


def test_private_key_is_refused_for_its_public_half(pems):
    """A verifier needs no private key."""
    with pytest.raises(ConfigurationError, match=r"pass its \.public_key\(\)"):
        Verifier([PrivateKey(pems["RS256"], algorithm="RS256")], **GOOD)


def test_problems_are_reported_together():
    """One error names every wrong argument."""
    with pytest.raises(ConfigurationError) as caught:
        Verifier(None, issuer="", audience=[], leeway=-1, cache_size=-1, validators=5, clock=None)

    named = [problem.partition(":")[0] for problem in caught.value.problems]
    assert named == ["keys", "issuer", "audience", "leeway", "cache_size", "validators", "clock"]


def test_issuer_and_audience_have_no_default():
    """Both must be given, so that they cannot be forgotten."""
    with pytest.raises(TypeError, match="issuer"):
        Verifier(SecretKey(SECRET), audience=None)
    with pytest.raises(TypeError, match="audience"):
        Verifier(SecretKey(SECRET), issuer=None)


def test_jwk_set_verifies_by_kid(private_keys, clock):
    """Keys of several kinds in one set each verify their own tokens."""
    from jwt_middleware import TokenIssuer

    issuers = [
        TokenIssuer(key, issuer=ISSUER, audience=AUDIENCE, clock=clock)
        for key in private_keys.values()
    ]
    document = {"keys": [key for each in issuers for key in each.jwks()["keys"]]}
    verifier = Verifier(JWKSet(document), **GOOD, clock=clock)

    for each in issuers:
        assert verifier.verify(each.access_token("alice")).subject == "alice"
