"""`RemoteJWKSet` through a verifier: rotation, outage, withdrawal. The server is a function."""

import json
import logging
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from jwt_middleware import (
    ConfigurationError,
    Fetched,
    InvalidToken,
    KeySetState,
    PrivateKey,
    RemoteJWKSet,
    SecretKey,
    Unavailable,
)
from jwt_middleware.events import (
    KeyDropped,
    KeyRefreshFailed,
    KeysNotTried,
    KeysRefreshed,
    KeyUnknown,
)
from jwt_middleware.jose import Key, public_jwk, sign
from tests.conftest import (
    SECRET,
    Site,
    base64url,
    bearer,
    client,
    good_claims,
    make_token,
    pem_of,
)

URL = "https://id.example.com/jwks.json"


class Server:
    """Publishes the public halves of `keys`, or fails; counts what it is asked."""

    def __init__(self, *keys):
        self.keys = list(keys)
        self.extra = []
        self.failure = None
        self.max_age = None
        self.asked = []

    def document(self):
        return {"keys": [*(public_jwk(key.key) for key in self.keys), *self.extra]}

    def __call__(self, url, *, timeout, max_bytes):
        self.asked.append(url)
        if isinstance(self.failure, Exception):
            raise self.failure
        body = json.dumps(self.document()).encode() if self.failure is None else self.failure
        return Fetched(body, self.max_age)


@pytest.fixture
def server(old):
    """An identity provider."""
    return Server(old)


@pytest.fixture
def keys(server, clock, events):
    """The server's keys."""
    return RemoteJWKSet(URL, fetch=server, clock=clock, on_event=events.append)


@pytest.fixture
def verifier(make_verifier, keys):
    """A verifier that trusts the server."""
    return make_verifier(keys)


def outcome(verifier, token):
    """Return the reason of a refusal, or the subject of the token."""
    try:
        return verifier.verify(token).subject
    except (InvalidToken, Unavailable) as error:
        return error.reason


def test_keys_are_fetched_with_the_first_token_that_needs_them(server, verifier, old, token_of):
    """Neither constructing, nor junk, nor another issuer's token fetches anything."""
    assert outcome(verifier, "a.b.c") == "token_malformed"
    assert outcome(verifier, make_token()) == "algorithm_not_allowed"
    assert (
        outcome(verifier, make_token({"alg": "ES256"}, iss="https://evil.example.com"))
        == "issuer_not_trusted"
    )
    assert server.asked == []

    assert outcome(verifier, token_of(old)) == "alice"
    assert outcome(verifier, token_of(old)) == "alice"
    assert server.asked == [URL]


def test_rotation_is_followed_at_once(server, verifier, old, new, token_of):
    """A key that is published after a fetch is accepted at once, and the old one still is."""
    assert outcome(verifier, token_of(old)) == "alice"
    server.keys = [new, old]

    assert outcome(verifier, token_of(new)) == "alice"
    assert outcome(verifier, token_of(old)) == "alice"
    assert len(server.asked) == 2


def test_algorithm_of_tomorrow_is_not_refused(server, verifier, old, new, token_of):
    """A provider may change to an algorithm that no key has had so far."""
    outcome(verifier, token_of(old))
    server.keys = [new]

    assert outcome(verifier, token_of(new)) == "alice"


def test_withdrawn_key_dies_within_max_age_also_in_the_cache(
    server, verifier, old, new, clock, token_of
):
    """After a refresh, tokens of a withdrawn key are refused, also those in the cache."""
    cached = token_of(old)
    assert outcome(verifier, cached) == "alice"
    server.keys = [new]
    clock.tick(299)
    assert outcome(verifier, cached) == "alice"
    clock.tick(1)

    assert outcome(verifier, cached) == "key_not_found"
    assert outcome(verifier, token_of(old)) == "key_not_found"


def test_same_document_keeps_the_cache(server, keys, verifier, old, clock, token_of):
    """A refresh that changes nothing does not make every token be verified anew."""
    outcome(verifier, token_of(old))
    before = keys.current()
    clock.tick(300)

    assert keys.refresh_if_stale() is before
    assert len(server.asked) == 2


def test_outage_within_the_stale_bound_is_not_noticed(server, verifier, old, clock, token_of):
    """For an hour after the keys have become stale, good tokens are good."""
    token = token_of(old)
    outcome(verifier, token)
    server.failure = OSError("refused")
    clock.tick(300 + 3599)

    assert outcome(verifier, token) == "alice"
    assert outcome(verifier, token_of(old)) == "alice"


def test_outage_beyond_the_stale_bound_is_503(server, verifier, old, clock, token_of):
    """After the stale bound even verified tokens are 503. After the outage they pass again."""
    token = token_of(old)
    outcome(verifier, token)
    server.failure = OSError("refused")
    clock.tick(300 + 3600)
    assert outcome(verifier, token) == "keys_unavailable"
    server.failure = None
    clock.tick(30)

    assert outcome(verifier, token) == "alice"


def test_refusal_says_when_to_try_again(server, verifier, old, token_of):
    """``Retry-After`` is when the keys may next be fetched, in whole seconds."""
    server.failure = OSError("refused")
    response = client(verifier).get("/", headers=bearer(token_of(old)), status=503)

    assert response.headers["Retry-After"] == "1"
    assert "WWW-Authenticate" not in response.headers


def test_unknown_key_while_the_server_is_down_is_503(server, verifier, old, new, token_of, clock):
    """The unknown key may be a new one, so its token must not be refused with 401."""
    outcome(verifier, token_of(old))
    server.keys = [new, old]
    server.failure = OSError("refused")
    with pytest.raises(Unavailable) as caught:
        verifier.verify(token_of(new))
    assert caught.value.retry_after == 30
    server.failure = None
    clock.tick(30)

    assert outcome(verifier, token_of(new)) == "alice"


def test_flood_of_unknown_keys_is_bounded(server, verifier, old, clock, token_of):
    """Ten thousand tokens of unknown keys are one fetch per cooldown, and known keys go on."""
    outcome(verifier, token_of(old))
    for number in range(10_000):
        token = make_token({"alg": "ES256", "kid": f"random-{number}"})
        assert outcome(verifier, token) == "key_not_found"
        clock.tick(0.01)

    assert len(server.asked) - 1 <= 1 + 100 / 30
    assert outcome(verifier, token_of(old)) == "alice"


def test_key_that_newer_keys_lack_too_is_unknown(server, verifier, old, new, token_of):
    """If newer keys do not include the unknown one, the refusal is the same."""
    outcome(verifier, token_of(old))
    server.keys = [new]
    token = make_token({"alg": "ES256", "kid": "neither"})

    assert outcome(verifier, token) == "key_not_found"
    assert outcome(verifier, token_of(new)) == "alice"


def test_unknown_key_during_a_load_that_hangs_is_503(server, make_verifier, old, token_of):
    """While another request loads, an unknown key may exist, and known keys still pass."""
    looking, over = threading.Event(), threading.Event()

    def fetch(url, **options):
        if server.asked:
            looking.set()
            over.wait(10)
        return server(url, **options)

    verifier = make_verifier(
        RemoteJWKSet(URL, fetch=fetch, timeout=0.05, on_event=lambda event: None)
    )
    tokens = [make_token({"alg": "ES256", "kid": name}) for name in "ab"]
    assert outcome(verifier, token_of(old)) == "alice"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(outcome, verifier, tokens[0])
        looking.wait(10)

        assert outcome(verifier, tokens[1]) == "keys_unavailable"
        assert outcome(verifier, token_of(old)) == "alice"
        over.set()
        assert first.result() == "key_not_found"


@pytest.mark.parametrize(("spare", "ready"), [(0, True), (-1, False)])
def test_size_is_checked_whatever_fetches(server, clock, spare, ready):
    """A `fetch` of one's own that does not look at `max_bytes` makes no difference."""
    size = len(json.dumps(server.document()))

    assert RemoteJWKSet(URL, fetch=server, clock=clock, max_bytes=size + spare).ready() is ready


def test_forged_signature_of_a_known_key_fetches_nothing(server, verifier, old, token_of):
    """Only a ``kid`` that is not in the set can be a new key."""
    token = token_of(old)
    outcome(verifier, token)

    assert outcome(verifier, token[:-8] + "AAAAAAAA") == "signature_invalid"
    assert len(server.asked) == 1


def test_key_without_id_is_followed_too(make_verifier, server, pems, clock, token_of):
    """If keys have no ``kid``, a signature of none of them may be one of a new key."""
    first, second = (PrivateKey(pems[name], algorithm=name) for name in ("RS256", "PS256"))
    server.keys = [first]
    verifier = make_verifier(RemoteJWKSet(URL, fetch=server, clock=clock))
    assert outcome(verifier, token_of(first)) == "alice"
    server.keys = [second]

    assert outcome(verifier, token_of(second)) == "alice"


BAD_BODIES = pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>maintenance</html>", id="HTML"),
        pytest.param(b"[]", id="array"),
        pytest.param(b'{"keys": {}}', id="keys an object"),
        pytest.param(b'{"keys": []}', id="no keys"),
        pytest.param(b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', id="only a secret"),
        pytest.param(b'{"keys": ["\xff"]}', id="bad UTF-8"),
        pytest.param(b'{"a":' * 100_000, id="deep nesting"),
        pytest.param(b'{"keys": ' + b"9" * 10_000 + b"}", id="huge integer"),
        pytest.param(b" " * 524_289, id="too large, from a fetch of one's own"),
        pytest.param(KeyError("x"), id="a fetch that is broken"),
        pytest.param("text", id="a fetch that returns str"),
    ],
)


@BAD_BODIES
def test_whatever_a_server_sends_first_is_an_outage(server, verifier, old, clock, token_of, body):
    """Without any keys a bad answer is a 503, and the next good one is taken within a cooldown."""
    server.failure = body
    assert outcome(verifier, token_of(old)) == "keys_unavailable"
    server.failure = None
    clock.tick(30)

    assert outcome(verifier, token_of(old)) == "alice"


@BAD_BODIES
def test_whatever_a_server_sends_keeps_the_known_keys(
    server, keys, verifier, old, clock, events, token_of, body
):
    """A bad answer is one event, and the known keys stay until the next good answer."""
    token = token_of(old)
    outcome(verifier, token)
    server.failure = body
    clock.tick(300)
    assert outcome(verifier, token) == "alice"
    assert [type(event) for event in events].count(KeyRefreshFailed) == 1
    assert keys.status().last_failure_age == 0
    server.failure = None
    clock.tick(1)
    assert outcome(verifier, token) == "alice"

    assert isinstance(events[-1], KeysRefreshed)
    assert keys.status().last_failure_age is None


@pytest.mark.parametrize(
    ("declared", "lifetime"),
    [
        pytest.param(None, 300, id="nothing declared"),
        pytest.param(0, 60, id="uncacheable"),
        pytest.param(59, 60, id="too short"),
        pytest.param(600, 600, id="declared"),
        pytest.param(10**9, 86_400, id="too long"),
    ],
)
def test_declared_freshness_is_honoured_within_bounds(server, keys, declared, lifetime):
    """``max-age`` counts from a minute to a day. Without any, keys are fresh five minutes."""
    server.max_age = declared
    keys.ready()

    assert keys.status().next_attempt == lifetime


@pytest.mark.parametrize(
    ("max_age", "declared", "lifetime"),
    [
        pytest.param(120, None, 120, id="nothing declared"),
        pytest.param(120, 86_400, 120, id="a day declared"),
        pytest.param(120, 90, 90, id="less declared"),
        pytest.param(120, 0, 60, id="uncacheable"),
        pytest.param(120, math.nan, 60, id="not a number"),
        pytest.param(10, 86_400, 10, id="below a minute"),
        pytest.param(10, 0, 10, id="below a minute, uncacheable"),
        pytest.param(10**6, None, 10**6, id="above a day"),
        pytest.param(10**6, 10**9, 10**6, id="above a day, declared"),
    ],
)
def test_max_age_is_an_upper_limit(server, clock, max_age, declared, lifetime):
    """A server can only shorten `max_age`, down to a minute."""
    server.max_age = declared
    keys = RemoteJWKSet(URL, fetch=server, clock=clock, max_age=max_age)
    keys.ready()

    assert keys.status().next_attempt == lifetime


def test_default_clock_is_looked_up_at_each_call(server, monkeypatch, clock):
    """A library that replaces `time.monotonic` moves the clock of existing sets too."""
    keys = RemoteJWKSet(URL, fetch=server)
    monkeypatch.setattr(time, "monotonic", clock)
    keys.ready()
    clock.tick(100)

    assert keys.status().age == 100


def many_keys(*named):
    """Return P-256 keys with these ids, and for each a token with and one without ``kid``."""
    members, tokens = [], []
    for name in named:
        key = Key("ES256", name, ec.generate_private_key(ec.SECP256R1()))
        members.append(public_jwk(key))
        tokens.append(
            (
                sign(good_claims(), key, typ="JWT"),
                sign(good_claims(), key._replace(key_id=None), typ="JWT"),
            )
        )
    return members, tokens


def test_token_without_id_is_checked_with_eight_keys(server, verifier, events):
    """A token without ``kid`` costs at most eight signature checks, one with ``kid`` one."""
    server.keys = []
    server.extra, tokens = many_keys(*map(str, range(100)))

    outcomes = [(outcome(verifier, named), outcome(verifier, bare)) for named, bare in tokens]
    assert outcomes[:8] == [("alice", "alice")] * 8
    assert set(outcomes[8:]) == {("alice", "signature_invalid")}
    assert (
        max(len(verifier._keys.current().find("ES256", key_id)) for key_id in (None, "0", "x")) == 8
    )


def test_set_with_too_many_keys_is_reported_once(server, keys, clock, events):
    """The warning names the algorithms. It is not repeated while the same ones are affected."""
    server.extra, _ = many_keys(*map(str, range(8)))
    for number in range(5):
        keys.ready()
        keys.refresh_for(None)
        server.extra[0] = server.extra[0] | {"kid": f"other {number}"}
        clock.tick(300)

    reported = [event for event in events if isinstance(event, KeysNotTried)]
    assert reported == [KeysNotTried(URL, ("ES256",), tried=8)]


def test_set_with_too_many_keys_again_is_reported_again(server, keys, clock, events):
    """A set that has too many keys again is reported again."""
    many, _ = many_keys(*map(str, range(8)))
    for server.extra in (many, [], many):
        keys.ready()
        keys.refresh_if_stale()
        clock.tick(300)

    assert [type(event) for event in events].count(KeysNotTried) == 2


def test_keys_without_id_are_eight_at_most_too(server, verifier):
    """A token with an unknown ``kid`` is checked with eight keys without ``kid`` at most."""
    server.keys = []
    server.extra, tokens = many_keys(*[None] * 9)
    other = make_token({"alg": "ES256", "kid": "x"})
    outcome(verifier, other)

    assert len(verifier._keys.current().find("ES256", "x")) == 8
    assert [outcome(verifier, bare) for _, bare in tokens] == ["alice"] * 8 + ["signature_invalid"]


@pytest.mark.parametrize("first", ["large", "other"])
def test_large_set_does_not_displace_other_sources(
    make_verifier, server, clock, private_keys, token_of, first
):
    """Among the eight keys, static keys come first, then one of each remote set in turn."""
    server.keys = []
    server.extra, tokens = many_keys(*map(str, range(100)))
    other_members, other_tokens = many_keys("o")
    remote = {
        "large": RemoteJWKSet(URL, fetch=server, clock=clock, on_event=lambda event: None),
        "other": RemoteJWKSet(URL, fetch=Site({URL: {"keys": other_members}}), clock=clock),
    }
    at_hand = private_keys["ES256"].public_key()
    verifier = make_verifier([remote.pop(first), *remote.values(), at_hand])

    assert (
        outcome(
            verifier,
            token_of(PrivateKey(pem_of(private_keys["ES256"].key.material), algorithm="ES256")),
        )
        == "alice"
    )
    assert outcome(verifier, other_tokens[0][1]) == "alice"
    assert [outcome(verifier, bare) for _, bare in tokens[:7]] == ["alice"] * 6 + [
        "signature_invalid"
    ]


def test_secrets_never_come_from_a_server(server, verifier, old, token_of):
    """A symmetric key in the set is dropped: with it, all readers of the set could sign."""
    server.extra = [{"kty": "oct", "k": base64url(SECRET), "kid": "s"}]
    outcome(verifier, token_of(old))

    assert outcome(verifier, make_token({"kid": "s"})) == "algorithm_not_allowed"


def test_dropped_key_is_reported_once(server, keys, clock, events):
    """An encryption key that a provider publishes permanently does not fill the log."""
    server.extra = [{"kty": "RSA", "use": "enc", "kid": "e"}]
    keys.ready()
    server.extra.append({"kty": "RSA", "use": "enc", "kid": "f"})
    clock.tick(300)
    keys.refresh_if_stale()

    dropped = [event for event in events if isinstance(event, KeyDropped)]
    assert [(event.key_id, event.level) for event in dropped] == [
        ("e", logging.DEBUG),
        ("f", logging.DEBUG),
    ]
    assert {event.url for event in dropped} == {URL}


def test_set_without_a_usable_key_is_reported_once_too(server, keys, clock, events):
    """The members of a hostile set give a bounded number of events, however often it is read."""
    server.failure = json.dumps({"keys": [{}] * 50_000}).encode()
    for _ in range(5):
        keys.ready()
        clock.tick(60)

    assert len([event for event in events if isinstance(event, KeyRefreshFailed)]) == 5
    assert len([event for event in events if isinstance(event, KeyDropped)]) == 101


def test_every_attempt_is_reported(server, keys, verifier, old, new, clock, events, token_of):
    """`on_event` receives each refresh, each failure, and each unknown key that caused a load."""
    outcome(verifier, token_of(old))
    outcome(verifier, token_of(new))
    server.failure = OSError("refused")
    clock.tick(300)
    keys.refresh_if_stale()
    clock.tick(3600)
    keys.ready()

    assert events == [
        KeysRefreshed(URL, ("key-ES256",), changed=True),
        KeysRefreshed(URL, ("key-ES256",), changed=False),
        KeyUnknown(URL, "key-RS256"),
        KeyRefreshFailed(URL, "OSError: refused", failures=1, usable_for=3600),
        KeyRefreshFailed(URL, "OSError: refused", failures=2, usable_for=0),
    ]


def test_long_key_id_is_cut_in_events(verifier, old, events, token_of):
    """A token cannot write pages into the log."""
    outcome(verifier, token_of(old))
    outcome(verifier, make_token({"alg": "ES256", "kid": "x" * 5000}))

    assert events[-1] == KeyUnknown(URL, "x" * 64)


def test_status_tells_how_the_keys_are(server, keys, old, clock):
    """State, age, last failure, ids and the next attempt, without any fetch."""
    before = keys.status()
    keys.ready()
    clock.tick(10)
    fresh = keys.status()
    server.failure = OSError("refused")
    clock.tick(300)
    keys.refresh_if_stale()
    clock.tick(5)
    stale = keys.status()

    assert (before.state, before.age, before.key_ids, before.next_attempt) == (
        KeySetState.UNUSABLE,
        None,
        (),
        0,
    )
    assert (fresh.state, fresh.age, fresh.last_failure_age, fresh.problem) == (
        KeySetState.FRESH,
        10,
        None,
        None,
    )
    assert (fresh.key_ids, fresh.next_attempt) == (("key-ES256",), 290)
    assert (stale.state, stale.age, stale.last_failure_age, stale.problem) == (
        KeySetState.STALE,
        315,
        5,
        "OSError: refused",
    )
    assert stale.next_attempt == 0


def test_ready_loads_and_stays_true_for_stale_keys(server, keys, clock):
    """A health check loads the keys, and succeeds as long as they are usable."""
    server.failure = OSError("refused")
    assert not keys.ready()
    server.failure = None
    clock.tick(30)
    assert keys.ready()
    server.failure = OSError("refused")
    clock.tick(300 + 3599)

    assert keys.ready()


def test_repr_is_the_url(keys):
    """What is printed is where the keys come from."""
    assert repr(keys) == f"RemoteJWKSet({URL!r})"


def test_static_keys_work_while_the_server_is_down(make_verifier, server, old, token_of, keys):
    """In a list of sources, an unavailable one affects only its own tokens."""
    server.failure = OSError("refused")
    verifier = make_verifier([keys, SecretKey(SECRET, key_id="static")])

    assert outcome(verifier, make_token({"kid": "static"})) == "alice"
    assert outcome(verifier, token_of(old)) == "keys_unavailable"


def test_combined_keys_follow_a_rotation(make_verifier, server, keys, old, new, token_of):
    """In a list of sources each is refreshed, also if another one is unavailable."""
    broken = Server()
    broken.failure = OSError("refused")
    verifier = make_verifier(
        [RemoteJWKSet("https://other.example.com/jwks.json", fetch=broken), keys]
    )
    assert outcome(verifier, token_of(old)) == "alice"
    server.keys = [new]

    assert outcome(verifier, token_of(new)) == "alice"


@pytest.mark.parametrize(
    ("issuer", "location"),
    [
        pytest.param(
            "https://a.example", "https://a.example/.well-known/openid-configuration", id="OpenID"
        ),
        pytest.param(
            "https://a.example/",
            "https://a.example/.well-known/openid-configuration",
            id="OpenID, slash",
        ),
        pytest.param(
            "https://a.example/t/1",
            "https://a.example/t/1/.well-known/openid-configuration",
            id="OpenID, path",
        ),
        pytest.param(
            "https://a.example",
            "https://a.example/.well-known/oauth-authorization-server",
            id="RFC 8414",
        ),
        pytest.param(
            "https://a.example/t",
            "https://a.example/.well-known/oauth-authorization-server/t",
            id="RFC 8414, path",
        ),
    ],
)
def test_discovery_finds_both_locations(make_verifier, old, token_of, clock, issuer, location):
    """The metadata names the JWK set. Both are fetched with the first token, not before."""
    document = Server(old).document()
    site = Site({location: {"issuer": issuer, "jwks_uri": URL}, URL: document})
    keys = RemoteJWKSet.discover(issuer, fetch=site, clock=clock)
    assert site.asked == []

    assert outcome(make_verifier(keys), token_of(old)) == "alice"
    assert site.asked[-2:] == [location, URL]


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"issuer": "https://a.example/", "jwks_uri": URL}, id="a slash more"),
        pytest.param({"issuer": "https://evil.example", "jwks_uri": URL}, id="another issuer"),
        pytest.param({"jwks_uri": URL}, id="no issuer"),
        pytest.param({"issuer": "https://a.example"}, id="no jwks_uri"),
        pytest.param(
            {"issuer": "https://a.example", "jwks_uri": "http://a.example/jwks"}, id="plain http"
        ),
        pytest.param({"issuer": "https://a.example", "jwks_uri": "file:///etc/keys"}, id="a file"),
        pytest.param(
            {"issuer": "https://a.example", "jwks_uri": ["https://a.example/jwks"]}, id="a list"
        ),
        pytest.param(
            {"issuer": "https://a.example", "jwks_uri": "https://u:p@a.example/"},
            id="a password in it",
        ),
    ],
)
def test_metadata_of_somebody_else_is_refused(make_verifier, old, token_of, clock, metadata):
    """The issuer must be exactly this one (OpenID Connect Discovery §4.3), the keys on https."""
    location = "https://a.example/.well-known/openid-configuration"
    site = Site({location: metadata, URL: Server(old).document()})
    keys = RemoteJWKSet.discover("https://a.example", fetch=site, clock=clock)

    assert outcome(make_verifier(keys), token_of(old)) == "keys_unavailable"
    assert site.asked == [location]


def test_page_in_place_of_the_metadata_is_none(make_verifier, old, token_of, clock):
    """A page with status 200 in place of one document does not hide the other document."""
    first, second = (
        f"https://a.example/.well-known/{name}"
        for name in ("openid-configuration", "oauth-authorization-server")
    )
    site = Site(
        {
            first: [],
            second: {"issuer": "https://a.example", "jwks_uri": URL},
            URL: Server(old).document(),
        }
    )
    keys = RemoteJWKSet.discover("https://a.example", fetch=site, clock=clock)

    assert outcome(make_verifier(keys), token_of(old)) == "alice"


def test_fetch_of_ones_own_may_raise_what_it_likes(make_verifier, old, token_of, clock):
    """If `fetch` raises its own exceptions, the second location is still tried."""

    class StatusError(Exception):
        """The exception of some HTTP client for a 404."""

    def fetch(url, *, timeout, max_bytes):
        if url.endswith("openid-configuration"):
            raise StatusError
        return site(url, timeout=timeout, max_bytes=max_bytes)

    location = "https://a.example/.well-known/oauth-authorization-server"
    site = Site(
        {location: {"issuer": "https://a.example", "jwks_uri": URL}, URL: Server(old).document()}
    )
    keys = RemoteJWKSet.discover("https://a.example", fetch=fetch, clock=clock)

    assert outcome(make_verifier(keys), token_of(old)) == "alice"


def test_moved_keys_are_discovered_anew(make_verifier, old, token_of, clock):
    """The metadata is read once, and again after the JWK set could not be had."""
    location = "https://a.example/.well-known/openid-configuration"
    document = Server(old).document()
    site = Site({location: {"issuer": "https://a.example", "jwks_uri": URL}, URL: document})
    keys = RemoteJWKSet.discover("https://a.example", fetch=site, clock=clock)
    keys.ready()
    clock.tick(300)
    keys.refresh_if_stale()
    moved = "https://a.example/moved.json"
    site.documents = {location: {"issuer": "https://a.example", "jwks_uri": moved}, moved: document}
    clock.tick(300)
    keys.refresh_if_stale()
    clock.tick(1)
    keys.refresh_if_stale()

    assert site.asked == [location, URL, URL, URL, location, moved]


def test_discovery_shares_one_deadline(clock):
    """What one fetch takes is lacking to the next."""
    timeouts = []

    def fetch(url, *, timeout, max_bytes):
        timeouts.append(timeout)
        raise OSError("status 404")

    RemoteJWKSet.discover("https://a.example", fetch=fetch, clock=clock, timeout=2).ready()

    assert len(timeouts) == 2
    assert 0 < timeouts[1] < timeouts[0] <= 2


def test_no_time_left_ends_a_discovery(clock):
    """Once the time is up, nothing more is asked for."""
    asked = []

    def fetch(url, *, timeout, max_bytes):
        asked.append(url)
        raise OSError("status 404")

    RemoteJWKSet.discover(
        "https://a.example", fetch=slow(fetch), clock=clock, timeout=0.001
    ).ready()

    assert len(asked) <= 1


def slow(fetch):
    """Return the fetch function, made to take two milliseconds."""
    from threading import Event

    def slow_fetch(url, **options):
        Event().wait(0.002)
        return fetch(url, **options)

    return slow_fetch


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param({"url": ""}, "url", id="url empty"),
        pytest.param({"url": None}, "url", id="url None"),
        pytest.param({"url": b"https://id.example.com/"}, "url", id="url bytes"),
        pytest.param({"url": "http://id.example.com/jwks"}, "allow_http", id="plain http"),
        pytest.param({"url": "file:///etc/keys.json"}, "url", id="a file"),
        pytest.param({"url": "ftp://id.example.com/jwks"}, "https", id="ftp"),
        pytest.param({"url": "https://"}, "url", id="no host"),
        pytest.param({"url": "https://[::1"}, "url", id="a broken host"),
        pytest.param({"url": "https://id.example.com:99999/"}, "url", id="a broken port"),
        pytest.param(
            {"url": "https://user:secret@id.example.com/"}, "without user", id="a password"
        ),
        pytest.param({"url": "https://id.example.com/\r\nX: y"}, "url", id="a line break"),
        pytest.param({"max_age": -1}, "max_age", id="max_age negative"),
        pytest.param({"max_age": math.nan}, "max_age", id="max_age NaN"),
        pytest.param({"stale_if_error": -1}, "stale_if_error", id="stale_if_error negative"),
        pytest.param({"stale_if_error": math.inf}, "stale_if_error", id="stale_if_error infinite"),
        pytest.param({"cooldown": 0}, "cooldown", id="no cooldown"),
        pytest.param({"cooldown": "30"}, "cooldown", id="cooldown a str"),
        pytest.param({"timeout": 0}, "timeout", id="no timeout"),
        pytest.param({"timeout": None}, "timeout", id="timeout None"),
        pytest.param({"timeout": True}, "timeout", id="timeout a bool"),
        pytest.param({"max_bytes": 0}, "max_bytes", id="no bytes"),
        pytest.param({"max_bytes": 1.5}, "max_bytes", id="max_bytes a float"),
        pytest.param({"algorithms": ["HS256"]}, "algorithms", id="a symmetric algorithm"),
        pytest.param({"algorithms": ["HS256", "RS256"]}, "algorithms", id="symmetric and public"),
        pytest.param({"algorithms": []}, "algorithms", id="no algorithm"),
        pytest.param({"algorithms": ["none"]}, "algorithms", id="alg none"),
        pytest.param({"algorithms": 5}, "algorithms", id="algorithms a number"),
        pytest.param({"algorithms": [["RS256"]]}, "algorithms", id="algorithms a list of lists"),
        pytest.param(
            {"url": "http://id.example.com/jwks", "allow_http": "no"}, "url", id="allow_http a str"
        ),
        pytest.param({"fetch": "https://proxy"}, "fetch", id="fetch a str"),
        pytest.param({"on_event": None}, "on_event", id="on_event None"),
        pytest.param({"clock": 5}, "clock", id="clock a number"),
    ],
)
def test_wrong_argument_is_refused(arguments, named):
    """Each mistake is reported at construction, without the password in a URL."""
    with pytest.raises(ConfigurationError, match=named) as caught:
        RemoteJWKSet(**{"url": URL} | arguments)

    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize(
    "issuer",
    ["", None, "http://id.example.com", "id.example.com", "https://a.example/.well-known/x"],
)
def test_wrong_issuer_is_refused(issuer):
    """What cannot be an issuer's URL is found while constructing."""
    with pytest.raises(ConfigurationError, match="issuer"):
        RemoteJWKSet.discover(issuer)


def test_all_problems_come_together():
    """One error names every problem."""
    with pytest.raises(ConfigurationError) as caught:
        RemoteJWKSet("", max_age=-1, cooldown=-1)
    with pytest.raises(ConfigurationError) as caught_too:
        RemoteJWKSet.discover("", max_age=-1, cooldown=-1)

    assert len(caught.value.problems) == len(caught_too.value.problems) == 3


def test_plain_http_may_be_allowed(server, clock):
    """`allow_http` allows a server on the same machine."""
    keys = RemoteJWKSet("http://127.0.0.1:8080/jwks", allow_http=True, fetch=server, clock=clock)

    assert keys.ready()


def test_failures_are_logged_without_a_traceback(server, clock, caplog):
    """An outage is a line, not a page."""
    server.failure = OSError("refused")
    keys = RemoteJWKSet(URL, fetch=server, clock=clock)
    with caplog.at_level(logging.INFO, "jwt_middleware"):
        keys.ready()

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert not record.exc_info
