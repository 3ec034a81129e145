"""Sessions: grants, refresh token rotation, reuse detection, and the end of a session."""

import hmac
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from secrets import token_bytes

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
from jwt_middleware.revocations import entry_key
from tests.conftest import (
    AUDIENCE,
    ISSUER,
    NOW,
    SECRET,
    base64url,
    make_token,
    sign_raw,
)

TTL = 1_209_600
ID = "abcdefghijklmnopqrstuv"
SESSIONS = {"default": {}, "endless": {"session_ttl": None}}


@pytest.fixture
def make_issuer(secret_key, store, clock, events):
    """Return a function that makes an issuer with sessions."""

    def make(key=secret_key, **options):
        usual = {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "store": store,
            "clock": clock,
            "on_event": events.append,
        }
        return TokenIssuer(key, **(usual | options))

    return make


@pytest.fixture
def issuer(make_issuer):
    """An issuer with sessions."""
    return make_issuer()


@pytest.fixture
def verifier(make_verifier, store, clock):
    """A verifier of the issuer's access tokens, with revocations."""
    return make_verifier(revocations=Revocations(store, clock=clock))


def claims_of(token):
    """Return the claims of a token, without any check."""
    return json.loads(decode_base64url(token.split(".")[1]))


def reason(call, *arguments):
    """Return the reason of a refusal."""
    with pytest.raises(AuthError) as caught:
        call(*arguments)
    return caught.value.reason


def test_grant_is_a_token_response(issuer, verifier):
    """The members are those of RFC 6749 §5.1. The access token is valid and has a ``sid``."""
    response = issuer.grant(
        "alice", scopes=["orders:read"], client_id="app", claims={"role": "admin"}
    )
    token = verifier.verify(response["access_token"])

    assert response.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (response["token_type"], response["expires_in"], response["scope"]) == (
        "Bearer",
        600,
        "orders:read",
    )
    assert (token.subject, token.scopes, token.client_id, token.get("role")) == (
        "alice",
        {"orders:read"},
        "app",
        "admin",
    )
    assert token.get("sid")


def test_refresh_continues_the_session(issuer, verifier, clock):
    """New tokens have the same claims, except for id and times."""
    first = issuer.grant("alice", scopes=["orders:read"], client_id="app", claims={"role": "admin"})
    clock.tick(1000)
    second = issuer.refresh(first["refresh_token"])
    before, after = (claims_of(each["access_token"]) for each in (first, second))

    assert second.keys() == first.keys()
    assert second["refresh_token"] != first["refresh_token"]
    assert after["exp"] == before["exp"] + 1000
    assert after["jti"] != before["jti"]
    assert after == before | {name: after[name] for name in ("iat", "exp", "jti")}
    assert verifier.verify(second["access_token"]).subject == "alice"


@pytest.mark.parametrize("algorithm", ["HS256", "ES256", "PS256", "RS256", "EdDSA"])
def test_spent_token_gives_the_same_successor_within_grace(
    make_issuer, private_keys, secret_key, clock, algorithm
):
    """Two tabs, or a repeat after a lost response, get the same refresh token."""
    issuer = make_issuer(secret_key if algorithm == "HS256" else private_keys[algorithm])
    first = issuer.grant("alice")["refresh_token"]
    second = issuer.refresh(first)["refresh_token"]
    clock.tick(10)

    assert issuer.refresh(first)["refresh_token"] == second
    assert issuer.refresh(second)["refresh_token"] != second


def test_successor_may_be_spent_while_the_grace_lasts(issuer, clock):
    """A client that gets its first successor late can still refresh."""
    first = issuer.grant("alice")["refresh_token"]
    second = issuer.refresh(first)["refresh_token"]
    third = issuer.refresh(second)["refresh_token"]
    clock.tick(9)

    assert issuer.refresh(issuer.refresh(first)["refresh_token"])["refresh_token"] == third


def test_reuse_ends_the_session(issuer, verifier, clock, events):
    """After the grace period, a spent token ends the session of both parties."""
    first = issuer.grant("alice")
    second = issuer.refresh(first["refresh_token"])
    clock.tick(10.5)

    assert reason(issuer.refresh, first["refresh_token"]) == "refresh_token_reused"
    assert reason(issuer.refresh, second["refresh_token"]) == "refresh_token_revoked"
    assert reason(issuer.refresh, first["refresh_token"]) == "refresh_token_revoked"
    assert reason(verifier.verify, second["access_token"]) == "token_revoked"
    (event,) = events
    assert isinstance(event, RefreshTokenReused)
    assert event.subject == "alice"


def test_reuse_leaves_other_sessions_alone(issuer, clock):
    """Other sessions of the subject continue."""
    stolen, other = issuer.grant("alice")["refresh_token"], issuer.grant("alice")["refresh_token"]
    issuer.refresh(stolen)
    clock.tick(11)
    reason(issuer.refresh, stolen)

    assert issuer.refresh(other)


def test_grace_may_be_zero(make_issuer, clock):
    """Without a grace period, each later use is reuse."""
    issuer = make_issuer(grace=0)
    first = issuer.grant("alice")["refresh_token"]
    issuer.refresh(first)
    clock.tick(0.001)

    assert reason(issuer.refresh, first) == "refresh_token_reused"


def test_many_at_once_get_one_successor(issuer):
    """If many threads spend one token at once, all get the same successor."""
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
    """It is valid until the second in which it expires."""
    early, late = issuer.grant("alice")["refresh_token"], issuer.grant("alice")["refresh_token"]
    clock.tick(TTL - 1)
    assert issuer.refresh(early)
    clock.tick(1)

    assert reason(issuer.refresh, late) == "refresh_token_expired"


def test_lower_refresh_ttl_applies_to_older_tokens_too(issuer, make_issuer, clock):
    """The entry that ends a session is kept for `refresh_ttl`, so no token may live longer."""
    token = issuer.grant("alice")["refresh_token"]
    shorter = make_issuer(refresh_ttl=1000)
    clock.tick(1000)

    assert reason(shorter.refresh, token) == "refresh_token_expired"


def test_subject_stays_logged_out_however_long_its_tokens_live(make_issuer, clock):
    """Three years later a refresh token from before is still refused."""
    issuer = make_issuer(refresh_ttl=10 * 365 * 86_400, session_ttl=None)
    token = issuer.grant("alice")["refresh_token"]
    issuer.revoke_subject("alice")
    clock.tick(3 * 365 * 86_400)

    assert reason(issuer.refresh, token) == "refresh_token_revoked"


def test_events_of_an_outage_are_one_per_interval(issuer, store, events, clock):
    """A long outage does not fill the log."""
    store.failure = OSError("down")
    for _ in range(50):
        with pytest.raises(Unavailable):
            issuer.grant("alice")
    clock.tick(10)
    with pytest.raises(Unavailable):
        issuer.grant("alice")

    assert len(events) == 2


def test_longest_refresh_token_has_16_kib(issuer):
    """Every granted token can be refreshed, and a longer text is refused unread."""
    token = issuer.grant("alice", claims={"x": "a" * 11_800})["refresh_token"]
    assert 16_000 < len(token) <= 16_384

    assert issuer.refresh(token)
    assert reason(issuer.refresh, token + "a" * 500) == "refresh_token_invalid"


def test_type_of_a_refresh_token_is_checked_too(issuer, secret_key):
    """A token of another type is refused, even if the same secret has signed it."""
    claims = json.loads(decode_base64url(issuer.grant("alice")["refresh_token"].split(".")[1]))
    secret = derive_secret(secret_key.key, "refresh tokens")

    assert reason(issuer.refresh, sign(claims, secret, typ="logout+jwt")) == "refresh_token_invalid"
    assert issuer.refresh(sign(claims, secret, typ="refresh+jwt"))


def test_spent_token_is_remembered_until_it_expires(issuer, clock):
    """Reuse is detected until the last second before the expiry."""
    first = issuer.grant("alice")["refresh_token"]
    issuer.refresh(first)
    clock.tick(TTL - 1)

    assert reason(issuer.refresh, first) == "refresh_token_reused"


def test_revoked_session_ends_all_its_tokens(issuer, verifier):
    """`revoke` of the refresh token or the access token refuses both."""
    for name in ("refresh_token", "access_token"):
        response, other = issuer.grant("alice"), issuer.grant("alice")
        issuer.revoke(
            response["refresh_token"]
            if name == "refresh_token"
            else verifier.verify(response["access_token"])
        )

        assert reason(issuer.refresh, response["refresh_token"]) == "refresh_token_revoked"
        assert reason(verifier.verify, response["access_token"]) == "token_revoked"
        assert verifier.verify(other["access_token"])


def test_expired_refresh_token_can_be_revoked(issuer, clock):
    """A logout works also with an old token."""
    token = issuer.grant("alice")["refresh_token"]
    clock.tick(TTL)

    issuer.revoke(token)


def test_access_token_without_session_is_revoked_alone(issuer, verifier):
    """A token of `access_token` has no session, so only this token is refused."""
    token, other = issuer.access_token("alice"), issuer.access_token("alice")
    issuer.revoke(verifier.verify(token))

    assert reason(verifier.verify, token) == "token_revoked"
    assert verifier.verify(other)


def test_foreign_access_token_cannot_be_revoked_here(issuer, make_verifier):
    """A session id counts only within its issuer."""
    foreign = make_verifier(issuer=None).verify(
        make_token(iss="https://other.example.com", sid="s")
    )

    with pytest.raises(ValueError, match="another issuer"):
        issuer.revoke(foreign)


def test_revoked_subject_may_log_in_again_at_once(issuer, verifier):
    """All sessions end. A new session is valid, even within the same second."""
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
        pytest.param("a b", "refresh_token_invalid", id="a space"),
        pytest.param("a.b.c", "refresh_token_invalid", id="malformed"),
        pytest.param("x" * 20_000, "refresh_token_invalid", id="too large"),
        pytest.param(
            make_token({"typ": "at+jwt"}),
            "refresh_token_expected",
            id="access token",
        ),
        pytest.param(
            make_token({"typ": "JWT"}),
            "refresh_token_expected",
            id="a JWT",
        ),
        pytest.param(make_token(), "refresh_token_invalid", id="a JWT without type"),
        pytest.param(
            make_token({"typ": "refresh+jwt"}),
            "refresh_token_invalid",
            id="issuer's key",
        ),
        pytest.param(
            make_token({"alg": "none", "typ": "refresh+jwt"}),
            "refresh_token_invalid",
            id="alg none",
        ),
        pytest.param(
            sign_raw("[]", '{"alg":"HS256","typ":"refresh+jwt","crit":["x"]}'),
            "refresh_token_invalid",
            id="crit",
        ),
    ],
)
def test_what_is_no_refresh_token_is_refused(issuer, store, raw, expected):
    """The answer to any other text or type is `InvalidGrant`, and the store is not asked."""
    assert reason(issuer.refresh, raw) == expected
    assert reason(issuer.revoke, raw) == expected
    assert store.trips == 0


def test_foreign_refresh_token_is_refused(make_issuer, issuer):
    """A token of another key, or of another issuer with the same key, is refused."""
    other_key = make_issuer(SecretKey("another secret of more than thirty-two bytes"))
    other_name = make_issuer(issuer="https://other.example.com")
    for other in (other_key, other_name):
        assert (
            reason(issuer.refresh, other.grant("alice")["refresh_token"]) == "refresh_token_invalid"
        )


def test_refresh_token_that_lacks_claims_is_refused(issuer, secret_key):
    """A token of another release, or a payload that is not an object, is invalid."""
    secret = derive_secret(secret_key.key, "refresh tokens")
    few_claims = sign({"iss": ISSUER, "jti": "x"}, secret, typ="refresh+jwt")
    signing_input = ".".join(map(base64url, ['{"alg":"HS256","typ":"refresh+jwt"}', "[]"]))
    signature = base64url(hmac.digest(secret.material, signing_input.encode(), "sha256"))

    assert reason(issuer.refresh, few_claims) == "refresh_token_invalid"
    assert reason(issuer.refresh, f"{signing_input}.{signature}") == "refresh_token_invalid"


def test_refresh_token_is_no_access_token(issuer, make_verifier, private_keys, make_issuer):
    """A verifier refuses its type, and its signature if the type is allowed."""
    token = issuer.grant("alice")["refresh_token"]
    public = private_keys["RS256"].public_key()
    of_private_key = make_issuer(private_keys["RS256"]).grant("alice")["refresh_token"]

    assert reason(make_verifier().verify, token) == "type_not_allowed"
    assert (
        reason(make_verifier(types=["refresh+jwt"], audience=None).verify, token)
        == "signature_invalid"
    )
    assert reason(make_verifier(public).verify, of_private_key) == "type_not_allowed"


def test_old_key_of_the_issuer_still_refreshes(make_issuer, private_keys, secret_key):
    """After a rotation of the issuer's key, sessions continue."""
    token = make_issuer(secret_key).grant("alice")["refresh_token"]
    rotated = make_issuer([private_keys["ES256"], secret_key])

    assert rotated.refresh(token)


def test_derived_secret_differs_by_key_and_is_stable(private_keys, secret_key, pems):
    """Equal keys give equal secrets in every process, and other keys other secrets."""
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
def test_outage_of_the_store_is_503_and_spends_nothing(issuer, store, events, clock, failure):
    """The client may use the token again after the pause."""
    token = issuer.grant("alice")["refresh_token"]
    store.failure = failure
    assert reason(issuer.refresh, token) == "store_unavailable"
    store.failure = None
    clock.tick(0.5)

    assert issuer.refresh(token)
    assert isinstance(events[0], StoreFailed)


def test_refreshes_wait_for_an_outage_once(issuer, store, clock):
    """After a failure, refreshes are refused for half a second without asking the store."""
    token = issuer.grant("alice")["refresh_token"]
    store.failure, before = OSError("timed out"), store.trips
    for _ in range(10):
        assert reason(issuer.refresh, token) == "store_unavailable"
    assert store.trips == before + 1
    store.failure = None
    clock.tick(0.5)

    assert issuer.refresh(token)


@pytest.mark.parametrize("call", ["grant", "revoke_subject"])
def test_login_and_logout_are_tried_during_the_pause(issuer, store, call):
    """A refresh that has failed does not make a later logout or login fail."""
    token = issuer.grant("alice")["refresh_token"]
    store.failure = OSError("timed out")
    assert reason(issuer.refresh, token) == "store_unavailable"
    store.failure = None

    getattr(issuer, call)("alice")
    issuer.revoke(token)


def test_grant_and_revoke_need_the_store(issuer, store):
    """If the store fails, login and logout raise `Unavailable`."""
    token = issuer.grant("alice")["refresh_token"]
    store.failure = OSError("refused")

    for call, argument in (
        (issuer.grant, "alice"),
        (issuer.revoke, token),
        (issuer.revoke_subject, "alice"),
    ):
        with pytest.raises(Unavailable):
            call(argument)


def entry_of(**changes):
    """Return the entry of a spent refresh token, with changes; None removes a member."""
    members = {"jti": ID, "at": float(NOW)} | changes
    return json.dumps({name: value for name, value in members.items() if value is not None})


@pytest.mark.parametrize("operation", ["get_many", "add"])
@pytest.mark.parametrize(
    "entry",
    [
        pytest.param("revoked", id="not JSON"),
        pytest.param("", id="empty"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="no members"),
        pytest.param(entry_of(jti=None), id="no jti"),
        pytest.param(entry_of(at=None), id="no time"),
        pytest.param(entry_of(sub="admin"), id="a subject"),
        pytest.param(entry_of(content={"roles": ["root"]}), id="content"),
        pytest.param(entry_of(iat=NOW + 10**9, exp=NOW + 10**9), id="times of a token"),
        pytest.param(entry_of(jti=5), id="jti a number"),
        pytest.param(entry_of(jti=""), id="jti empty"),
        pytest.param(entry_of(jti="x" * 23), id="jti too long"),
        pytest.param(entry_of(jti="x" * 21 + "."), id="jti of other characters"),
        pytest.param(entry_of(at=True), id="time a bool"),
        pytest.param(entry_of(at=NOW), id="time an int"),
        pytest.param(entry_of(at=str(NOW)), id="time a str"),
        pytest.param('{"jti": "' + "x" * 22 + '", "at": NaN}', id="time NaN"),
        pytest.param(entry_of(at=NOW + 10.5), id="time ahead by more than the grace period"),
        pytest.param(entry_of(at=NOW + 10.0**9), id="time far ahead"),
        pytest.param(entry_of(at=NOW - 60.5), id="time before the token was issued"),
        pytest.param(b"revoked", id="bytes"),
        pytest.param(5, id="a number"),
        pytest.param(True, id="a bool"),
        pytest.param(False, id="a false bool"),
        pytest.param([], id="an empty list"),
    ],
)
def test_entry_that_nobody_wrote_is_an_outage(issuer, store, clock, entry, operation):
    """An entry counts only if it has exactly the form that we write."""
    token = issuer.grant("alice")["refresh_token"]
    with answering(store, operation, [None, None, entry] if operation == "get_many" else entry):
        assert reason(issuer.refresh, token) == "store_unavailable"
    clock.tick(0.5)

    assert issuer.refresh(token)


@contextmanager
def answering(store, operation, answer):
    """Let one operation of the store return this answer."""
    setattr(store.store, operation, lambda *arguments: answer)
    yield
    delattr(store.store, operation)


@pytest.mark.parametrize("at", [NOW - 9.5, NOW + 9.5], ids=["before", "ahead"])
def test_store_decides_only_the_id_and_a_time_of_now(issuer, store, clock, at):
    """An entry changes only the ``jti`` of the successor and, within a minute, its times."""
    token = issuer.grant("alice", scopes=["read"])["refresh_token"]
    with answering(store, "add", entry_of(at=at)):
        renewed = issuer.refresh(token)
    before, after = claims_of(token), claims_of(renewed["refresh_token"])

    assert after == before | {"jti": ID, "iat": max(int(at), NOW), "exp": max(int(at), NOW) + TTL}
    assert claims_of(renewed["access_token"])["iat"] == max(int(at), NOW)


@pytest.mark.parametrize(
    "value", [b"1", 5, True, ["x"]], ids=["bytes", "a number", "a bool", "a list"]
)
@pytest.mark.parametrize("place", [0, 1, 2], ids=["session", "subject", "spent"])
def test_value_of_another_type_is_an_outage(issuer, store, value, place):
    """A value of another type does not mean "not revoked"."""
    token = issuer.grant("alice")["refresh_token"]
    store.failure = [value if number == place else None for number in range(3)]
    assert reason(issuer.refresh, token) == "store_unavailable"
    store.failure = value

    assert reason(issuer.grant, "alice") == "store_unavailable"


@pytest.mark.parametrize("entry", ["nonsense", "1e300", str(NOW + 62), str(NOW + 10**6)])
def test_subject_that_is_revoked_in_the_future_gets_no_tokens(issuer, store, entry):
    """New tokens would be revoked too, or dated far ahead."""
    token = issuer.grant("alice")["refresh_token"]
    store.put(entry_key("subject", ISSUER, "alice"), entry, NOW + 10)

    assert reason(issuer.grant, "alice") == "store_unavailable"
    assert reason(issuer.refresh, token) == "refresh_token_revoked"
    assert issuer.grant("bob")


def test_content_replaces_no_claim_of_the_issuer(issuer, secret_key):
    """If a signed refresh token has such content, the access token still has our claims."""
    claims = claims_of(issuer.grant("alice")["refresh_token"])
    content = {
        "sub": "admin",
        "sid": "x",
        "iss": "y",
        "aud": "z",
        "exp": NOW + 10**9,
        "iat": NOW + 10**9,
        "jti": "j",
    }
    forged = sign(
        claims | {"content": content},
        derive_secret(secret_key.key, "refresh tokens"),
        typ="refresh+jwt",
    )
    access = claims_of(issuer.refresh(forged)["access_token"])

    assert {name for name, value in content.items() if access[name] == value} == set()
    assert (access["sub"], access["sid"]) == ("alice", claims["sid"])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"audience": AUDIENCE}, id="no audience"),
        pytest.param({"aud": AUDIENCE}, id="audience a str"),
        pytest.param({"aud": [AUDIENCE, "x"]}, id="one audience more"),
        pytest.param({"exp": str(NOW + 10)}, id="exp a str"),
        pytest.param({"iat": True}, id="iat a bool"),
        pytest.param({"iat": float(NOW)}, id="iat a float"),
        pytest.param({"sub": 5}, id="sub a number"),
        pytest.param({"sub": ""}, id="no subject"),
        pytest.param({"started": 10**400}, id="started too late"),
        pytest.param({"exp": -1}, id="exp negative"),
        pytest.param({"sid": ""}, id="no session"),
        pytest.param({"jti": ""}, id="no id"),
        pytest.param({"content": []}, id="content a list"),
        pytest.param({"restricted_to": "x"}, id="a member of another release"),
    ],
)
def test_refresh_token_of_another_form_is_refused(issuer, secret_key, change):
    """A refresh token has exactly the claims that this release signs, with their types."""
    claims = claims_of(issuer.grant("alice")["refresh_token"]) | change
    if "audience" in change:
        del claims["aud"], claims["audience"]

    changed = sign(claims, derive_secret(secret_key.key, "refresh tokens"), typ="refresh+jwt")

    assert reason(issuer.refresh, changed) == "refresh_token_invalid"


def test_refresh_token_is_bound_to_its_audience(make_issuer):
    """Issuers with one name, key and store refuse the refresh tokens of other audiences."""
    orders, billing = make_issuer(audience="orders"), make_issuer(audience="billing")
    both = make_issuer(audience=["orders", "billing"])
    tokens = [each.grant("alice")["refresh_token"] for each in (orders, billing, both)]

    for each, own in zip((orders, billing, both), tokens, strict=True):
        assert {reason(each.refresh, token) for token in tokens if token is not own} == {
            "refresh_token_invalid"
        }
        assert each.refresh(own)


def test_audience_may_be_written_in_any_order(make_issuer):
    """Another order of the audience, or a list instead of a str, ends no session."""
    assert make_issuer(audience=["b", "a"]).refresh(
        make_issuer(audience=["a", "b"]).grant("alice")["refresh_token"]
    )
    assert make_issuer(audience=["a"]).refresh(
        make_issuer(audience="a").grant("alice")["refresh_token"]
    )


@pytest.mark.parametrize("call", ["grant", "refresh"])
def test_revocation_under_way_covers_what_is_issued_meanwhile(issuer, verifier, store, clock, call):
    """Tokens are dated before the store is asked, so a later revocation covers them."""
    argument = issuer.grant("alice")["refresh_token"] if call == "refresh" else "alice"
    operation = "get_many" if call == "refresh" else "get"
    ask = getattr(store.store, operation)

    def revoke_after(asked):
        answer = ask(asked)
        setattr(store.store, operation, ask)
        issuer.revoke_subject("alice")
        clock.tick(1)
        return answer

    setattr(store.store, operation, revoke_after)
    response = getattr(issuer, call)(argument)

    assert reason(verifier.verify, response["access_token"]) == "token_revoked"
    assert reason(issuer.refresh, response["refresh_token"]) == "refresh_token_revoked"


def test_refresh_token_dated_ahead_is_refused(issuer, clock):
    """`revoke_subject` would not cover it. A minute is allowed, because clocks differ."""
    token = issuer.grant("alice")["refresh_token"]
    clock.tick(-61)
    assert reason(issuer.refresh, token) == "refresh_token_not_yet_valid"
    clock.tick(1)

    assert claims_of(issuer.refresh(token)["access_token"])["iat"] == NOW


def test_repeated_refresh_has_the_times_of_the_first(issuer, clock):
    """Within the grace period, repeated answers have the times of the first one."""
    token = issuer.grant("alice")["refresh_token"]
    clock.tick(100)
    first = claims_of(issuer.refresh(token)["access_token"])
    clock.tick(9)
    again = claims_of(issuer.refresh(token)["access_token"])

    assert (again["iat"], again["exp"]) == (first["iat"], first["exp"])


def test_round_trips_are_few(issuer, store):
    """A grant asks the store once, a refresh twice, and a repeated refresh once."""
    token, trips = issuer.grant("alice")["refresh_token"], [store.trips]
    for _ in range(2):
        before = store.trips
        issuer.refresh(token)
        trips.append(store.trips - before)

    assert trips == [1, 2, 1]


def test_clock_set_back_makes_no_spent_token_good(issuer, clock):
    """The grace period does not begin again. When the clock is right, reuse is detected."""
    token = issuer.grant("alice")["refresh_token"]
    issuer.refresh(token)
    clock.tick(30)
    other = issuer.grant("alice")["refresh_token"]
    for earlier in (NOW - 9, NOW + 5, NOW + 10):
        clock.now = earlier
        assert reason(issuer.refresh, token) == "store_unavailable"
    assert issuer.refresh(other)
    clock.now = NOW + 30

    assert reason(issuer.refresh, token) == "refresh_token_reused"


def test_reuse_is_detected_after_the_clock_was_set_back(issuer, clock):
    """A use that is too late by the earlier clock too is reuse."""
    token = issuer.grant("alice")["refresh_token"]
    issuer.refresh(token)
    clock.tick(100)
    issuer.grant("bob")
    clock.tick(-50)

    assert reason(issuer.refresh, token) == "refresh_token_reused"


def test_session_that_was_ended_stays_ended_after_the_clock_was_set_back(issuer, verifier, clock):
    """The entry outlives all tokens of the session, also those of the later clock."""
    first, second = issuer.grant("alice"), issuer.grant("alice")
    token = verifier.verify(second["access_token"])
    clock.tick(-3600)
    issuer.revoke(first["refresh_token"])
    issuer.revoke(token)
    clock.tick(3600 + TTL - 1)

    assert reason(issuer.refresh, first["refresh_token"]) == "refresh_token_revoked"
    assert reason(issuer.refresh, second["refresh_token"]) == "refresh_token_revoked"


def test_expired_token_ends_its_session_as_long_as_its_own_claims_say(
    issuer, make_issuer, store, clock
):
    """The entry is kept until the token has expired, also with a lower `refresh_ttl`."""
    token = issuer.grant("alice")["refresh_token"]
    make_issuer(refresh_ttl=1000).revoke(token)
    clock.tick(TTL + 299)
    assert store.get(entry_key("session", ISSUER, claims_of(token)["sid"])) == "revoked"
    clock.tick(1)

    assert store.get(entry_key("session", ISSUER, claims_of(token)["sid"])) is None


def test_session_ends_however_often_it_is_refreshed(make_issuer, clock):
    """`session_ttl` counts from the grant, and limits refresh and access tokens."""
    issuer = make_issuer(session_ttl=1000, refresh_ttl=900)
    response = issuer.grant("alice")
    assert claims_of(response["refresh_token"])["exp"] == NOW + 900
    clock.tick(700)
    response = issuer.refresh(response["refresh_token"])
    access, refresh = claims_of(response["access_token"]), claims_of(response["refresh_token"])
    assert access["exp"] == refresh["exp"] == NOW + 1000
    assert type(access["exp"]) is type(refresh["exp"]) is int
    assert response["expires_in"] == 300
    clock.tick(299)
    response = issuer.refresh(response["refresh_token"])
    clock.tick(1)

    assert reason(issuer.refresh, response["refresh_token"]) == "refresh_token_expired"


def test_session_ends_after_ninety_days_unless_told_otherwise(make_issuer, clock):
    """The default is 90 days from the grant; None sets no end."""
    tokens = {
        each: make_issuer(**options).grant("alice")["refresh_token"]
        for each, options in SESSIONS.items()
    }
    for _ in range(90):
        clock.tick(86_400 - 1)
        tokens = {
            each: make_issuer(**SESSIONS[each]).refresh(token)["refresh_token"]
            for each, token in tokens.items()
        }
    clock.tick(90)

    assert reason(make_issuer().refresh, tokens["default"]) == "refresh_token_expired"
    assert make_issuer(session_ttl=None).refresh(tokens["endless"])


def test_lower_session_ttl_applies_at_once(issuer, make_issuer, clock):
    """It applies to sessions that began before too."""
    token = issuer.grant("alice")["refresh_token"]
    clock.tick(1000)

    assert reason(make_issuer(session_ttl=1000).refresh, token) == "refresh_token_expired"
    assert make_issuer(session_ttl=1001).refresh(token)["expires_in"] == 1


def test_reload_brings_scopes_and_claims_up_to_date(make_issuer, clock):
    """It is called at each refresh with the last scopes and claims, and returns the next."""
    asked = []

    def reload(subject, scopes, claims):
        asked.append((subject, scopes, claims))
        return ["read"] if len(asked) == 1 else [], {"role": f"user{len(asked)}"}

    issuer = make_issuer(reload=reload)
    first = issuer.grant(
        "alice", scopes=["read", "write"], client_id="app", claims={"role": "admin", "old": [1]}
    )
    assert asked == []
    second = issuer.refresh(first["refresh_token"])
    third = issuer.refresh(second["refresh_token"])

    assert asked == [
        ("alice", ["read", "write"], {"role": "admin", "old": [1]}),
        ("alice", ["read"], {"role": "user1"}),
    ]
    assert (second["scope"], "scope" in third) == ("read", False)
    own = {"iss", "sub", "aud", "iat", "exp", "jti", "sid"}
    granted = [
        {k: v for k, v in claims_of(each["access_token"]).items() if k not in own}
        for each in (second, third)
    ]
    assert granted == [
        {"scope": "read", "role": "user1", "client_id": "app"},
        {"role": "user2", "client_id": "app"},
    ]


def test_reload_may_end_the_session(make_issuer, verifier):
    """If `reload` returns None, the tokens of the session are refused."""
    issuer = make_issuer(reload=lambda subject, scopes, claims: None)
    response = issuer.grant("alice")

    assert reason(issuer.refresh, response["refresh_token"]) == "refresh_token_revoked"
    assert reason(verifier.verify, response["access_token"]) == "token_revoked"
    assert reason(make_issuer().refresh, response["refresh_token"]) == "refresh_token_revoked"


def nested(levels):
    """Return lists in lists."""
    return [nested(levels - 1)] if levels else []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(RuntimeError("database down"), RuntimeError, id="an exception"),
        pytest.param(Unavailable("store_unavailable"), Unavailable, id="a refusal"),
        pytest.param("no", TypeError, id="a str"),
        pytest.param(([],), TypeError, id="too short"),
        pytest.param([[], {}], TypeError, id="a list"),
        pytest.param(("read", {}), ValueError, id="scopes a str"),
        pytest.param(([], ["a"]), TypeError, id="claims a list"),
        pytest.param(([], {1: "a"}), TypeError, id="a claim named by a number"),
        pytest.param(([], {"sub": "admin"}), ValueError, id="another subject"),
        pytest.param(([], {"sid": "s"}), ValueError, id="another session"),
        pytest.param(([], {"client_id": "x"}), ValueError, id="another client"),
        pytest.param(([], {"cnf": {"jkt": "x"}}), ValueError, id="another key"),
        pytest.param(([], {"x": "a" * 12_300}), ValueError, id="too large"),
        pytest.param(([], {"x": nested(40)}), ValueError, id="too deep"),
    ],
)
def test_reload_that_fails_leaves_the_token_good(make_issuer, store, answer, error):
    """The exception reaches the application, and the client may try again."""

    def reload(subject, scopes, claims):
        if isinstance(answer, Exception):
            raise answer
        return answer

    token = make_issuer().grant("alice", scopes=["read"], client_id="app")["refresh_token"]
    with pytest.raises(error):
        make_issuer(reload=reload).refresh(token)

    assert store.get(entry_key("spent", ISSUER, claims_of(token)["jti"])) is None
    assert make_issuer().refresh(token)["scope"] == "read"


def test_reload_is_not_asked_for_a_token_that_is_refused(make_issuer, clock):
    """`reload` is not called for a reused token or an ended session."""
    issuer = make_issuer(reload=lambda *granted: pytest.fail("asked"))
    token = make_issuer().grant("alice")["refresh_token"]
    make_issuer().refresh(token)
    clock.tick(11)

    assert reason(issuer.refresh, token) == "refresh_token_reused"
    assert reason(issuer.refresh, token) == "refresh_token_revoked"


def test_slow_reload_is_not_reuse(make_issuer, clock):
    """If two calls run at once, the slower one gets the successor of the faster one."""
    issuer = make_issuer()
    token = issuer.grant("alice")["refresh_token"]
    first = []

    def reload(subject, scopes, claims):
        clock.tick(100)
        first.append(issuer.refresh(token))
        return scopes, claims

    slow = make_issuer(reload=reload).refresh(token)

    assert claims_of(slow["refresh_token"])["jti"] == claims_of(first[0]["refresh_token"])["jti"]


def test_repeated_refresh_has_the_present_claims(make_issuer):
    """Within the grace period `reload` is called again. The id and times do not change."""
    answers = iter(["one", "two"])
    issuer = make_issuer(reload=lambda subject, scopes, claims: (scopes, {"role": next(answers)}))
    token = issuer.grant("alice")["refresh_token"]
    first, second = (claims_of(issuer.refresh(token)["refresh_token"]) for _ in range(2))

    assert first == second | {"content": {"role": "one"}}
    assert second["content"] == {"role": "two"}


def test_binding_and_client_stay_with_the_session(make_issuer):
    """`reload` neither gets nor changes the client and the key of the session."""
    seen = []

    def reload(subject, scopes, claims):
        seen.append(claims)
        return scopes, {}

    issuer = make_issuer(reload=reload)
    first = issuer.grant("alice", client_id="app", claims={"cnf": {"jkt": "x"}, "role": "admin"})
    access = claims_of(issuer.refresh(first["refresh_token"])["access_token"])

    assert seen == [{"role": "admin"}]
    assert (access["cnf"], access["client_id"], "role" in access) == ({"jkt": "x"}, "app", False)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        pytest.param(
            {"x": "a" * 12_300},
            r"refresh token would have 16\d{3} bytes, and the limit is 16384",
            id="too large",
        ),
        pytest.param({"x": nested(31)}, "at most 30 levels", id="too deep"),
        pytest.param({"x": "\ud800"}, "lone surrogates", id="a lone surrogate"),
        pytest.param({"x": {1: "a", "1": "b"}}, "unique names", id="one name twice"),
    ],
)
def test_grant_that_could_not_be_refreshed_is_refused(issuer, claims, said):
    """The grant raises, and not each later refresh and logout."""
    with pytest.raises(ValueError, match=f"^claims: .*{said}"):
        issuer.grant("alice", claims=claims)


def test_subject_with_a_lone_surrogate_is_not_an_outage(issuer, events):
    """A lone surrogate is a mistake of the caller, not a failure of the store."""
    with pytest.raises(ValueError, match="surrogates"):
        issuer.grant("\ud800")

    assert events == []


def test_verifier_cannot_derive_a_refresh_secret_of_its_own(make_issuer, secret_key):
    """With `refresh_secret`, the key of the access tokens makes no refresh tokens."""
    own = SecretKey(token_bytes(32))
    issuer = make_issuer(refresh_secret=own)
    token = issuer.grant("alice")["refresh_token"]
    derived = sign(
        claims_of(token), derive_secret(secret_key.key, "refresh tokens"), typ="refresh+jwt"
    )

    assert reason(issuer.refresh, derived) == "refresh_token_invalid"
    assert reason(make_issuer().refresh, token) == "refresh_token_invalid"
    assert issuer.refresh(token)


def test_refresh_secret_may_be_rotated(make_issuer):
    """The first secret of a list signs, and the others still refresh."""
    new, old = (SecretKey(token_bytes(32)) for _ in range(2))
    token = make_issuer(refresh_secret=old).grant("alice")["refresh_token"]
    renewed = make_issuer(refresh_secret=[new, old]).refresh(token)["refresh_token"]

    assert make_issuer(refresh_secret=new).refresh(renewed)


def test_refresh_secret_may_be_used_with_a_private_key(make_issuer, private_keys):
    """A private key may sign the access tokens, and a secret the refresh tokens."""
    issuer = make_issuer(private_keys["ES256"], refresh_secret=SecretKey(SECRET))

    assert issuer.refresh(issuer.grant("alice")["refresh_token"])


def test_store_holds_no_token(issuer, clock):
    """No token and no part of a token is ever written."""
    written = []

    class Recorder(MemoryStore):
        def put(self, key, value, expires_at):
            written.append((key, value))
            super().put(key, value, expires_at)

        def add(self, key, value, expires_at):
            written.append((key, value))
            return super().add(key, value, expires_at)

    issuer = TokenIssuer(
        SecretKey(SECRET),
        issuer=ISSUER,
        audience=AUDIENCE,
        store=Recorder(clock=clock),
        clock=clock,
    )
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
        pytest.param({"refresh_ttl": 0}, "refresh_ttl", id="zero"),
        pytest.param({"refresh_ttl": "60"}, "refresh_ttl", id="ttl a str"),
        pytest.param({"refresh_ttl": 599}, "refresh_ttl", id="shorter than the access token's"),
        pytest.param({"grace": -1}, "grace", id="grace negative"),
        pytest.param({"grace": "10"}, "grace", id="grace a str"),
        pytest.param({"on_event": None}, "on_event", id="on_event None"),
        pytest.param({"clock": 5}, "clock", id="clock a number"),
        pytest.param({"session_ttl": 0}, "session_ttl: 0 is not usable", id="session without time"),
        pytest.param({"session_ttl": 1.5}, "session_ttl", id="session of a fraction"),
        pytest.param(
            {"session_ttl": 599},
            "session_ttl: 599 is shorter than",
            id="session shorter than a token",
        ),
        pytest.param({"reload": "x"}, "reload", id="reload a str"),
        pytest.param(
            {"reload": list, "store": None},
            "^reload: .* without a store",
            id="reload without store",
        ),
        pytest.param(
            {"refresh_secret": SecretKey(SECRET + "x"), "store": None},
            "^refresh_secret: .* without",
            id="no store",
        ),
        pytest.param(
            {"refresh_secret": SECRET}, "^refresh_secret: str is not usable", id="secret a str"
        ),
        pytest.param({"refresh_secret": []}, "^refresh_secret: nothing is", id="no secret"),
        pytest.param(
            {"refresh_secret": SecretKey(SECRET)},
            "^refresh_secret: it equals key",
            id="same secret",
        ),
        pytest.param(
            {"refresh_secret": [SecretKey(SECRET, algorithm="HS512")]},
            "it equals key",
            id="for another algorithm",
        ),
        pytest.param(
            {"key": SecretKey(SECRET[:50]), "refresh_secret": SecretKey(SECRET[:50] + "\0")},
            "it equals key",
            id="the same to HMAC",
        ),
        pytest.param(
            {"session_ttl": 0, "reload": 5, "refresh_secret": 5},
            "session_ttl.*refresh_secret.*reload",
            id="all",
        ),
    ],
)
def test_wrong_argument_is_refused(make_issuer, options, named):
    """The constructor names each wrong argument."""
    with pytest.raises(ConfigurationError, match=named):
        make_issuer(**options)


def test_wrong_content_is_refused(issuer):
    """Content that verifiers would refuse raises at the grant."""
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
