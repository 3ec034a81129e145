"""Sessions: grants, rotation with its grace window, reuse, and the end of a session."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from jwt_middleware import (
    ConfigurationError,
    InvalidGrant,
    MemoryStore,
    PrivateKey,
    Revocations,
    SecretKey,
    TokenIssuer,
    Unavailable,
)
from jwt_middleware.errors import AuthError
from jwt_middleware.events import RefreshTokenReused, StoreFailed
from jwt_middleware.jose import decode_base64url, derive_secret, sign
from jwt_middleware.revocation import entry_key
from tests.conftest import AUDIENCE, ISSUER, NOW, SECRET, base64url, good_claims, sign_raw

TTL = 1_209_600


@pytest.fixture
def make_issuer(secret_key, store, clock, events):
    """Return a function that makes an issuer with sessions."""

    def make(key=secret_key, **options):
        usual = {"issuer": ISSUER, "audience": AUDIENCE, "store": store, "clock": clock, "on_event": events.append}
        return TokenIssuer(key, **(usual | options))

    return make


@pytest.fixture
def issuer(make_issuer):
    """An issuer with sessions."""
    return make_issuer()


@pytest.fixture
def verifier(make_verifier, store, clock):
    """A verifier of the issuer's access tokens that looks revocations up."""
    return make_verifier(revocations=Revocations(store, clock=clock))


def reason(call, *arguments):
    """Return the reason of a refusal."""
    with pytest.raises(AuthError) as caught:
        call(*arguments)
    return caught.value.reason


def test_grant_is_a_token_response(issuer, verifier):
    """The members are those of RFC 6749 §5.1, and the access token is a good one with the session's id."""
    response = issuer.grant("alice", scopes=["orders:read"], client_id="app", claims={"role": "admin"})
    token = verifier.verify(response["access_token"])

    assert response.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (response["token_type"], response["expires_in"], response["scope"]) == ("Bearer", 600, "orders:read")
    assert (token.subject, token.scopes, token.client_id, token.get("role")) == ("alice", {"orders:read"}, "app", "admin")
    assert token.get("sid")


def test_refresh_carries_the_session_on(issuer, verifier, clock):
    """New tokens have the same subject, scopes, claims and session, and a new life time."""
    first = issuer.grant("alice", scopes=["orders:read"], client_id="app", claims={"role": "admin"})
    clock.now += 1000
    second = issuer.refresh(first["refresh_token"])
    before, after = (verifier._signed(each["access_token"], verifier._keys.ring())[0] for each in (first, second))

    assert second.keys() == first.keys()
    assert second["refresh_token"] != first["refresh_token"]
    assert after.expires_at == before.expires_at + 1000
    changing = {"iat", "exp", "jti"}
    assert {k: v for k, v in before.claims.items() if k not in changing} == {
        k: v for k, v in after.claims.items() if k not in changing
    }
    assert before.id != after.id


@pytest.mark.parametrize("algorithm", ["HS256", "ES256", "PS256", "RS256", "EdDSA"])
def test_spent_token_gives_the_same_successor_within_grace(make_issuer, private_keys, secret_key, clock, algorithm):
    """Two tabs, or a client that lost the response, end up with one refresh token, whatever the key."""
    issuer = make_issuer(secret_key if algorithm == "HS256" else private_keys[algorithm])
    first = issuer.grant("alice")["refresh_token"]
    second = issuer.refresh(first)["refresh_token"]
    clock.now += 10

    assert issuer.refresh(first)["refresh_token"] == second
    assert issuer.refresh(second)["refresh_token"] != second


def test_successor_may_be_spent_while_the_grace_lasts(issuer, clock):
    """A client that hears of its first successor late still gets on."""
    first = issuer.grant("alice")["refresh_token"]
    second = issuer.refresh(first)["refresh_token"]
    third = issuer.refresh(second)["refresh_token"]
    clock.now += 9

    assert issuer.refresh(issuer.refresh(first)["refresh_token"])["refresh_token"] == third


def test_reuse_ends_the_session(issuer, verifier, clock, events):
    """After the grace window a spent token is a thief's: neither its nor the honest client's tokens are good any more."""
    first = issuer.grant("alice")
    second = issuer.refresh(first["refresh_token"])
    clock.now += 10.5

    assert reason(issuer.refresh, first["refresh_token"]) == "refresh_token_reused"
    assert reason(issuer.refresh, second["refresh_token"]) == "refresh_token_revoked"
    assert reason(issuer.refresh, first["refresh_token"]) == "refresh_token_revoked"
    assert reason(verifier.verify, second["access_token"]) == "token_revoked"
    (event,) = events
    assert isinstance(event, RefreshTokenReused)
    assert event.subject == "alice"


def test_reuse_leaves_other_sessions_alone(issuer, clock):
    """The subject's other devices stay logged in."""
    stolen, other = issuer.grant("alice")["refresh_token"], issuer.grant("alice")["refresh_token"]
    issuer.refresh(stolen)
    clock.now += 11
    reason(issuer.refresh, stolen)

    assert issuer.refresh(other)


def test_grace_of_zero_is_none(make_issuer, clock):
    """Without grace, the second use is a reuse as soon as time has passed."""
    issuer = make_issuer(grace=0)
    first = issuer.grant("alice")["refresh_token"]
    issuer.refresh(first)
    clock.now += 0.001

    assert reason(issuer.refresh, first) == "refresh_token_reused"


def test_many_at_once_get_one_successor(issuer):
    """However many threads spend one token together, there is one successor."""
    first = issuer.grant("alice")["refresh_token"]
    start = threading.Barrier(16)

    def refresh():
        start.wait()
        return issuer.refresh(first)["refresh_token"]

    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(refresh) for _ in range(16)]
        successors = {future.result() for future in futures}

    assert len(successors) == 1


def test_expired_refresh_token_is_refused(issuer, clock):
    """It is good until its last second, and then not at all."""
    early, late = issuer.grant("alice")["refresh_token"], issuer.grant("alice")["refresh_token"]
    clock.now += TTL - 1
    assert issuer.refresh(early)
    clock.now += 1

    assert reason(issuer.refresh, late) == "refresh_token_expired"


def test_shorter_life_holds_for_older_tokens_too(issuer, make_issuer, clock):
    """What ends a session is stored for one life time, so no token may live longer than that."""
    token = issuer.grant("alice")["refresh_token"]
    shorter = make_issuer(refresh_ttl=1000)
    clock.now += 1000

    assert reason(shorter.refresh, token) == "refresh_token_expired"


def test_subject_stays_logged_out_however_long_its_tokens_live(make_issuer, clock):
    """Three years later a refresh token from before is still refused."""
    issuer = make_issuer(refresh_ttl=10 * 365 * 86_400)
    token = issuer.grant("alice")["refresh_token"]
    issuer.revoke_subject("alice")
    clock.now += 3 * 365 * 86_400

    assert reason(issuer.refresh, token) == "refresh_token_revoked"


def test_events_of_an_outage_are_one_per_interval(issuer, store, events, clock):
    """A thousand users who cannot refresh are one line in the log."""
    store.failure = OSError("down")
    for _ in range(50):
        with pytest.raises(Unavailable):
            issuer.grant("alice")
    clock.now += 10
    with pytest.raises(Unavailable):
        issuer.grant("alice")

    assert len(events) == 2


def test_longest_refresh_token_has_16_kib(issuer):
    """A longer one is refused before anything looks at it."""
    shorter, longer = (issuer.grant("alice", claims={"x": "a" * length})["refresh_token"] for length in (11_000, 12_300))
    assert len(shorter) < 16_384 < len(longer)

    assert issuer.refresh(shorter)
    assert reason(issuer.refresh, longer) == "refresh_token_invalid"


def test_type_of_a_refresh_token_is_checked_too(issuer, secret_key):
    """The secret would have to sign something else by mistake; even then that is no refresh token."""
    claims = json.loads(decode_base64url(issuer.grant("alice")["refresh_token"].split(".")[1]))
    secret = derive_secret(secret_key.key, "refresh tokens")

    assert reason(issuer.refresh, sign(claims, secret, typ="logout+jwt")) == "refresh_token_invalid"
    assert issuer.refresh(sign(claims, secret, typ="refresh+jwt"))


def test_spent_token_is_remembered_until_it_expires(issuer, clock):
    """Reuse is found out in the last second of the token's life."""
    first = issuer.grant("alice")["refresh_token"]
    issuer.refresh(first)
    clock.now += TTL - 1

    assert reason(issuer.refresh, first) == "refresh_token_reused"


def test_revoked_session_ends_all_its_tokens(issuer, verifier):
    """Logging out with the refresh token, or the access token, ends both."""
    for name in ("refresh_token", "access_token"):
        response, other = issuer.grant("alice"), issuer.grant("alice")
        issuer.revoke(response["refresh_token"] if name == "refresh_token" else verifier.verify(response["access_token"]))

        assert reason(issuer.refresh, response["refresh_token"]) == "refresh_token_revoked"
        assert reason(verifier.verify, response["access_token"]) == "token_revoked"
        assert verifier.verify(other["access_token"])


def test_expired_refresh_token_still_logs_out(issuer, clock):
    """Nobody is kept logged in because the token to log out with is old."""
    token = issuer.grant("alice")["refresh_token"]
    clock.now += TTL

    issuer.revoke(token)


def test_access_token_without_session_is_revoked_alone(issuer, verifier):
    """A token of `access_token` has no session; it dies alone."""
    token, other = issuer.access_token("alice"), issuer.access_token("alice")
    issuer.revoke(verifier.verify(token))

    assert reason(verifier.verify, token) == "token_revoked"
    assert verifier.verify(other)


def test_foreign_access_token_cannot_be_revoked_here(issuer, make_verifier):
    """Its session's id belongs to another issuer."""
    foreign = make_verifier(issuer=None).verify(sign_raw(good_claims(iss="https://other.example.com", sid="s")))

    with pytest.raises(ValueError, match="another issuer"):
        issuer.revoke(foreign)


def test_subject_is_logged_out_everywhere_and_may_log_in_again_at_once(issuer, verifier):
    """All sessions end; a new one, even within the same second, is good."""
    old = [issuer.grant("alice") for _ in range(2)]
    bob = issuer.grant("bob")
    issuer.revoke_subject("alice")
    new = issuer.grant("alice")

    for response in old:
        assert reason(issuer.refresh, response["refresh_token"]) == "refresh_token_revoked"
        assert reason(verifier.verify, response["access_token"]) == "token_revoked"
    assert verifier.verify(new["access_token"])
    assert verifier.verify(issuer.refresh(new["refresh_token"])["access_token"])
    assert verifier.verify(bob["access_token"])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param("", "refresh_token_invalid", id="empty"),
        pytest.param(None, "refresh_token_invalid", id="None"),
        pytest.param({"a": 1}, "refresh_token_invalid", id="a dict"),
        pytest.param("a b", "refresh_token_invalid", id="no token"),
        pytest.param("a.b.c", "refresh_token_invalid", id="malformed"),
        pytest.param("x" * 20_000, "refresh_token_invalid", id="too large"),
        pytest.param(sign_raw(good_claims(), '{"alg":"HS256","typ":"at+jwt"}'), "refresh_token_expected", id="access token"),
        pytest.param(sign_raw(good_claims(), '{"alg":"HS256","typ":"JWT"}'), "refresh_token_expected", id="a JWT"),
        pytest.param(sign_raw(good_claims()), "refresh_token_invalid", id="a JWT without type"),
        pytest.param(sign_raw(good_claims(), '{"alg":"HS256","typ":"refresh+jwt"}'), "refresh_token_invalid", id="issuer's key"),
        pytest.param(sign_raw(good_claims(), '{"alg":"none","typ":"refresh+jwt"}'), "refresh_token_invalid", id="alg none"),
        pytest.param(sign_raw("[]", '{"alg":"HS256","typ":"refresh+jwt","crit":["x"]}'), "refresh_token_invalid", id="crit"),
    ],
)
def test_what_is_no_refresh_token_is_refused(issuer, store, raw, expected):
    """Whatever comes, the answer is an `InvalidGrant`, and the store is not asked."""
    assert reason(issuer.refresh, raw) == expected
    assert reason(issuer.revoke, raw) == expected
    assert store.trips == 0


def test_foreign_refresh_token_is_refused(make_issuer, issuer):
    """Neither another key's nor another issuer's of the same key is taken."""
    other_key = make_issuer(SecretKey("another secret of more than thirty-two bytes"))
    other_name = make_issuer(issuer="https://other.example.com")
    for other in (other_key, other_name):
        assert reason(issuer.refresh, other.grant("alice")["refresh_token"]) == "refresh_token_invalid"


def test_refresh_token_of_another_release_is_refused(issuer):
    """A token that lacks what this release needs is invalid, not an exception."""
    key = issuer._sessions._keys[0]
    from jwt_middleware.jose import sign

    assert reason(issuer.refresh, sign({"iss": ISSUER, "jti": "x"}, key, typ="refresh+jwt")) == "refresh_token_invalid"
    assert reason(issuer.refresh, sign_list(key)) == "refresh_token_invalid"


def sign_list(key):
    """Sign a payload that is no object."""
    signing_input = ".".join(map(base64url, ['{"alg":"HS256","typ":"refresh+jwt"}', "[]"]))
    import hmac

    return f"{signing_input}.{base64url(hmac.digest(key.material, signing_input.encode(), 'sha256'))}"


def test_refresh_token_is_no_access_token(issuer, make_verifier, private_keys, make_issuer):
    """A verifier refuses it by its type, and if it is told to take the type, by its signature."""
    token = issuer.grant("alice")["refresh_token"]
    public = private_keys["RS256"].public_key()
    of_private_key = make_issuer(private_keys["RS256"]).grant("alice")["refresh_token"]

    assert reason(make_verifier().verify, token) == "type_not_allowed"
    assert reason(make_verifier(types=["refresh+jwt"], audience=None).verify, token) == "signature_invalid"
    assert reason(make_verifier(public).verify, of_private_key) == "type_not_allowed"


def test_old_key_of_the_issuer_still_refreshes(make_issuer, private_keys, secret_key):
    """After a rotation of the issuer's key, sessions go on."""
    token = make_issuer(secret_key).grant("alice")["refresh_token"]
    rotated = make_issuer([private_keys["ES256"], secret_key])

    assert rotated.refresh(token)


def test_derived_secret_differs_by_key_and_is_stable(private_keys, secret_key, pems):
    """The same key gives the same secret in every process, another key another."""
    from jwt_middleware.jose import derive_secret

    keys = [secret_key, *(private_keys[name] for name in ("RS256", "ES256", "ES384", "EdDSA"))]
    secrets = [derive_secret(key.key, "x").material for key in keys]
    again = PrivateKey(pems["ES256"], algorithm="ES256")

    assert len(set(secrets)) == len(secrets)
    assert derive_secret(again.key, "x").material == secrets[2]
    assert derive_secret(again.key, "y").material != secrets[2]
    assert SECRET.encode() not in secrets


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(OSError("refused"), id="out of reach"),
        pytest.param([None], id="nonsense"),
    ],
)
def test_outage_of_the_store_is_503_and_spends_nothing(issuer, store, events, failure):
    """The client may try again with the same token; nothing is issued that could not be withdrawn."""
    token = issuer.grant("alice")["refresh_token"]
    store.failure = failure
    assert reason(issuer.refresh, token) == "store_unavailable"
    store.failure = None

    assert issuer.refresh(token)
    assert isinstance(events[0], StoreFailed)


def test_grant_and_revoke_need_the_store(issuer, store):
    """Out of reach is 503 for a login and a logout too."""
    token = issuer.grant("alice")["refresh_token"]
    store.failure = OSError("refused")

    for call, argument in ((issuer.grant, "alice"), (issuer.revoke, token), (issuer.revoke_subject, "alice")):
        with pytest.raises(Unavailable):
            call(argument)


@pytest.mark.parametrize(
    "entry",
    [
        "revoked",
        "[]",
        "{}",
        '{"jti": 5, "iat": 1, "exp": 2, "at": 3}',
        '{"jti": "x", "iat": true, "exp": 2, "at": 3}',
        '{"jti": "x", "iat": 1, "exp": 2, "at": NaN}',
    ],
)
def test_entry_that_nobody_wrote_is_an_outage(issuer, store, entry):
    """What a store holds is checked like everything else from outside; nothing is issued on its word."""
    token = issuer.grant("alice")["refresh_token"]
    store.store.add = lambda key, value, expires_at: entry

    assert reason(issuer.refresh, token) == "store_unavailable"


def test_subject_entry_from_far_ahead_makes_no_token_of_the_far_future(issuer, make_verifier, store):
    """A nonsensical time in the store does not become a token's."""
    store.put(entry_key("subject", ISSUER, "alice"), "1e300", NOW + 10)

    assert make_verifier().verify(issuer.grant("alice")["access_token"]).issued_at == NOW + 60


def test_store_holds_no_token(issuer, clock):
    """Neither a raw token nor its signature is ever written."""
    written = []

    class Recorder(MemoryStore):
        def put(self, key, value, expires_at):
            written.append((key, value))
            super().put(key, value, expires_at)

        def add(self, key, value, expires_at):
            written.append((key, value))
            return super().add(key, value, expires_at)

    issuer = TokenIssuer(SecretKey(SECRET), issuer=ISSUER, audience=AUDIENCE, store=Recorder(clock=clock), clock=clock)
    first = issuer.grant("alice")
    second = issuer.refresh(first["refresh_token"])
    issuer.revoke(second["refresh_token"])

    text = json.dumps(written)
    for token in (*first.values(), *second.values()):
        if isinstance(token, str) and "." in token:
            assert all(part not in text for part in token.split("."))
    assert len(written) == 2


@pytest.mark.parametrize("call", ["grant", "refresh", "revoke", "revoke_subject"])
def test_session_without_a_store_is_a_configuration_error(make_issuer, call):
    """The message says what to pass."""
    with pytest.raises(ConfigurationError, match=r"store: .*SQLiteStore"):
        getattr(make_issuer(store=None), call)("alice")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"store": {}}, "store", id="store a dict"),
        pytest.param({"refresh_ttl": 0}, "refresh_ttl", id="no life"),
        pytest.param({"refresh_ttl": "60"}, "refresh_ttl", id="life a str"),
        pytest.param({"refresh_ttl": 599}, "refresh_ttl", id="shorter than the access token's"),
        pytest.param({"grace": -1}, "grace", id="grace negative"),
        pytest.param({"grace": "10"}, "grace", id="grace a str"),
        pytest.param({"on_event": None}, "on_event", id="on_event None"),
        pytest.param({"clock": 5}, "clock", id="clock a number"),
    ],
)
def test_wrong_argument_is_refused(make_issuer, options, named):
    """Each mistake is found while constructing."""
    with pytest.raises(ConfigurationError, match=named):
        make_issuer(**options)


def test_wrong_content_is_refused(issuer):
    """What would make no valid token is refused before anything is stored."""
    with pytest.raises(TypeError, match="subject"):
        issuer.grant("")
    with pytest.raises(ValueError, match="sid"):
        issuer.grant("alice", claims={"sid": "mine"})
    with pytest.raises(ValueError, match="scopes"):
        issuer.grant("alice", scopes="orders")


def test_refusal_is_the_oauth_error():
    """RFC 6749 §5.2: 400 with invalid_grant, and no challenge."""
    error = InvalidGrant("refresh_token_expired")

    assert (error.status, error.error, error.challenge()) == (400, "invalid_grant", None)
