"""`Revocations` with a verifier: what is refused, for how long, and the store's outages."""

import logging
import time

import pytest

from jwt_middleware import (
    AccessToken,
    AuthError,
    ConfigurationError,
    InvalidToken,
    MemoryStore,
    Revocations,
    RevokedToken,
    SQLiteStore,
    TokenIssuer,
    Unavailable,
    Verifier,
)
from jwt_middleware.events import StoreFailed
from jwt_middleware.revocations import entry_key
from tests.conftest import AUDIENCE, ISSUER, NOW, bearer, client, make_token


@pytest.fixture
def make_revocations(store, clock, events):
    """Return a function that makes `Revocations` of the store."""

    def make(**options):
        return Revocations(store, clock=clock, on_event=events.append, **options)

    return make


@pytest.fixture
def revocations(make_revocations):
    """`Revocations` that refuse if the store fails."""
    return make_revocations()


@pytest.fixture
def verifier(make_verifier, revocations):
    """A verifier with revocations."""
    return make_verifier(revocations=revocations)


def lasting_token(**changes):
    return make_token(**{"exp": NOW + 10**6} | changes)


def outcome(verifier, token):
    """Return the reason of a refusal, or the subject."""
    try:
        return verifier.verify(token).subject
    except AuthError as error:
        return error.reason


def test_revoked_token_is_refused_also_out_of_the_cache(verifier, revocations):
    """One token is refused at once. Another token of the same subject is not."""
    token = lasting_token()
    revocations.revoke(verifier.verify(token))

    assert outcome(verifier, token) == "token_revoked"
    assert outcome(verifier, lasting_token(jti="t2")) == "alice"


def test_twins_of_a_revoked_token_are_refused_too(verifier, revocations):
    """A token is identified by its ``jti``, so another text of it is refused too."""
    revocations.revoke(verifier.verify(lasting_token()))

    assert outcome(verifier, lasting_token(extra="x")) == "token_revoked"


def test_same_id_of_another_issuer_is_another_token(make_verifier, revocations):
    """Ids are unique only within an issuer, and ("a", "1x") is not ("a1", "x")."""
    verifier = make_verifier(issuer=None, revocations=revocations)
    revocations.revoke(verifier.verify(lasting_token(iss="https://a.example", jti="1x")))

    assert outcome(verifier, lasting_token(iss="https://a.example1", jti="x")) == "alice"
    assert outcome(verifier, lasting_token(iss="https://b.example", jti="1x")) == "alice"
    assert outcome(verifier, lasting_token(iss=None, jti="1x")) == "alice"
    assert outcome(verifier, lasting_token(iss="https://a.example", jti="1x")) == "token_revoked"


def test_revoked_session_refuses_all_its_tokens(verifier, revocations):
    """All tokens with the ``sid`` are refused. Tokens without it or with another are not."""
    revocations.revoke_session(ISSUER, "s1")

    assert (
        outcome(verifier, lasting_token(sid="s1"))
        == outcome(verifier, lasting_token(sid="s1", jti="t2"))
        == "token_revoked"
    )
    assert (
        outcome(verifier, lasting_token(sid="s2"))
        == outcome(verifier, lasting_token())
        == outcome(verifier, lasting_token(sid=5))
        == "alice"
    )


@pytest.mark.parametrize(
    ("issued_at", "expected"),
    [
        pytest.param(NOW - 1, "token_revoked", id="before"),
        pytest.param(NOW, "token_revoked", id="in the same second"),
        pytest.param(NOW + 0.9, "token_revoked", id="in a fraction of it"),
        pytest.param(NOW + 1, "alice", id="after"),
        pytest.param(None, "token_revoked", id="at an unknown time"),
    ],
)
def test_revoked_subject_refuses_all_tokens_issued_before(
    verifier, revocations, issued_at, expected
):
    """`revoke_subject` refuses tokens that were issued until now, and no later ones."""
    revocations.revoke_subject(ISSUER, "alice")

    assert outcome(verifier, lasting_token(iat=issued_at)) == expected
    assert outcome(verifier, lasting_token(iat=issued_at, sub="bob")) == "bob"


def test_token_without_id_is_refused(verifier, revocations):
    """A token that could not be revoked is refused: without ``jti`` or with an empty one."""
    assert (
        outcome(verifier, lasting_token(jti=None))
        == outcome(verifier, lasting_token(jti=""))
        == "claim_missing"
    )


def test_token_without_id_cannot_be_revoked(make_verifier, revocations):
    """`revoke` raises, because it could not have any effect."""
    with pytest.raises(ValueError, match="jti"):
        revocations.revoke(make_verifier().verify(lasting_token(jti=None)))


def test_text_of_a_token_is_not_revoked(revocations):
    """The text was not verified, so its ``jti`` may be that of another token."""
    with pytest.raises(TypeError, match=r"^token: a str is not an AccessToken; pass one"):
        revocations.revoke(make_token())


def test_revocation_outlives_the_token(verifier, revocations, clock):
    """The entry is kept until a verifier with leeway refuses the token as expired."""
    token = lasting_token(exp=NOW + 100)
    revocations.revoke(verifier.verify(token))
    clock.tick(104)
    assert outcome(verifier, token) == "token_revoked"
    clock.tick(1)

    assert outcome(verifier, token) == "token_expired"


def test_store_sees_no_token_and_no_claim(make_verifier, clock):
    """Keys are hashes, and values are constants or times."""
    seen = []

    class Recorder(MemoryStore):
        def put(self, key, value, expires_at):
            seen.extend([key, value])
            super().put(key, value, expires_at)

    revocations = Revocations(Recorder(clock=clock), clock=clock)
    revocations.revoke(make_verifier().verify(lasting_token(sid="s1")))
    revocations.revoke_session(ISSUER, "s1")
    revocations.revoke_subject(ISSUER, "alice")

    assert seen[1::2] == ["revoked", "revoked", str(NOW + 1)]
    assert all(len(key.split(":")[1]) == 64 for key in seen[::2])


def test_check_is_one_round_trip(verifier, store):
    """Token, session and subject are looked up together, once per request."""
    token = lasting_token(sid="s1")
    for _ in range(3):
        verifier.verify(token)

    assert store.trips == 3


def test_bad_token_asks_nothing(verifier, store, clock):
    """A token is looked up only if it passes all other checks."""
    outcome(verifier, lasting_token(exp=NOW - 10))
    outcome(verifier, lasting_token(aud="x"))

    assert store.trips == 0


OUTAGES = pytest.mark.parametrize(
    "failure",
    [
        pytest.param(OSError("connection refused"), id="an exception"),
        pytest.param(KeyError("x"), id="a bug in it"),
        pytest.param([None], id="too few answers"),
        pytest.param(5, id="no answers"),
        pytest.param("abc", id="a str of the right length"),
        pytest.param({"a": 1, "b": 2, "c": 3}, id="a dict"),
        pytest.param([None, None, b"1800000000"], id="bytes"),
        pytest.param([None, 0, None], id="a number"),
        pytest.param([None, False, None], id="a bool"),
        pytest.param([None, None, []], id="a list"),
    ],
)


@OUTAGES
def test_outage_is_503_where_it_refuses(verifier, store, failure):
    """Whether the token is revoked is unknown, so it is neither 401 nor 500."""
    store.failure = failure
    response = client(verifier).get("/", headers=bearer(lasting_token()), status=503)

    assert response.json["reason"] == "store_unavailable"
    assert response.headers["Retry-After"] == "1"
    assert "WWW-Authenticate" not in response.headers


@OUTAGES
def test_outage_lets_tokens_pass_where_it_allows(
    make_verifier, make_revocations, store, events, failure
):
    """Tokens pass, and an event says so once in ten seconds."""
    verifier = make_verifier(revocations=make_revocations(on_failure="allow"))
    store.failure = failure

    assert {outcome(verifier, lasting_token()) for _ in range(100)} == {"alice"}
    assert [(type(event), event.operation, event.allowed) for event in events] == [
        (StoreFailed, "get_many", True)
    ]


def test_events_of_an_outage_are_one_per_interval(
    make_verifier, make_revocations, store, events, clock
):
    """A long outage does not fill the log."""
    verifier = make_verifier(revocations=make_revocations(on_failure="allow"))
    store.failure = OSError("refused")
    for _ in range(100):
        verifier.verify(lasting_token())
        clock.tick(0.25)

    assert len(events) == 3


def test_store_is_not_asked_during_a_pause(verifier, store, clock):
    """An outage costs one time-out per pause, not one per request."""
    store.failure = OSError("refused")
    for _ in range(10):
        outcome(verifier, lasting_token())
    assert store.trips == 1
    clock.tick(0.5)
    outcome(verifier, lasting_token())
    assert store.trips == 2
    store.failure = None
    clock.tick(0.5)

    assert outcome(verifier, lasting_token()) == "alice"
    assert outcome(verifier, lasting_token()) == "alice"


def test_only_one_request_tries_a_failing_store(verifier, store, clock):
    """While one request tries the store again, the others are answered at once."""
    store.failure = OSError("refused")
    outcome(verifier, lasting_token())
    clock.tick(0.5)
    seen = []
    store.store.get_many = lambda keys: (
        seen.append(outcome(verifier, lasting_token())) or [None] * len(keys)
    )
    store.failure = None

    assert outcome(verifier, lasting_token()) == "alice"
    assert seen == ["store_unavailable"]


def test_clock_that_goes_back_does_not_prolong_an_outage(verifier, store, clock):
    """The pause ends if the clock is set back."""
    store.failure = OSError("refused")
    outcome(verifier, lasting_token())
    store.failure = None
    clock.tick(-3600)

    assert outcome(verifier, lasting_token(iat=NOW - 7200)) == "alice"


def test_outage_undoes_no_revocation(verifier, revocations, store, clock):
    """After the outage a revoked token is refused again."""
    token = lasting_token()
    revocations.revoke(verifier.verify(token))
    store.failure = OSError("refused")
    outcome(verifier, token)
    store.failure = None
    clock.tick(0.5)

    assert outcome(verifier, token) == "token_revoked"


def test_revocation_that_is_not_stored_raises(verifier, revocations, store, events):
    """The caller learns that the logout failed."""
    token = verifier.verify(lasting_token())
    store.failure = OSError("refused")
    with pytest.raises(Unavailable):
        revocations.revoke(token)

    assert events == [StoreFailed("put", "OSError: refused", allowed=False)]


def test_outage_is_logged_without_a_traceback(store, clock, make_verifier, caplog):
    """An outage is one line in the log."""
    verifier = make_verifier(revocations=Revocations(store, clock=clock))
    store.failure = OSError("refused")
    with caplog.at_level(logging.INFO, "jwt_middleware"):
        outcome(verifier, lasting_token())

    (record,) = caplog.records
    assert (
        record.getMessage()
        == "StoreFailed operation='get_many' problem='OSError: refused' allowed=False"
    )
    assert not record.exc_info


@pytest.mark.parametrize(
    "entry",
    ["", "soon", "nan", "inf", "-inf", "-1", "0", "1.5", "1e3", " 1", "1_0", "٣", "1" * 5000, None],
)
def test_subject_entry_that_nobody_wrote_refuses(verifier, store, entry):
    """An entry that `revoke_subject` cannot have written revokes all tokens of the subject."""
    store.failure = [None, None, entry]

    assert outcome(verifier, lasting_token()) == ("alice" if entry is None else "token_revoked")


def test_staleness_saves_round_trips(make_verifier, make_revocations, store, clock):
    """A token is looked up once per `max_staleness`."""
    verifier = make_verifier(revocations=make_revocations(max_staleness=5))
    for _ in range(3):
        verifier.verify(lasting_token())
        verifier.verify(lasting_token(jti="t2"))
    assert store.trips == 2
    clock.tick(5)
    verifier.verify(lasting_token())

    assert store.trips == 3


def test_staleness_bounds_how_long_a_revoked_token_lives(make_verifier, make_revocations, clock):
    """Revocations of others apply after the interval, and our own at once."""
    here, there = make_revocations(max_staleness=5), make_revocations()
    verifier = make_verifier(revocations=here)
    first, second = lasting_token(), lasting_token(jti="t2")
    there.revoke(verifier.verify(first))
    assert outcome(verifier, first) == "alice"
    clock.tick(5)
    assert outcome(verifier, first) == "token_revoked"
    here.revoke(verifier.verify(second))

    assert outcome(verifier, second) == "token_revoked"


def test_answer_from_the_future_is_not_used(make_verifier, make_revocations, store, clock):
    """If the clock is set back, remembered answers do not become newer."""
    verifier = make_verifier(revocations=make_revocations(max_staleness=5))
    verifier.verify(lasting_token())
    clock.tick(-1)
    verifier.verify(lasting_token(iat=NOW - 10))

    assert store.trips == 2


@pytest.mark.parametrize("failure", [None, OSError("timed out")], ids=["stored", "perhaps stored"])
def test_answer_from_before_a_revocation_is_not_remembered(
    make_verifier, make_revocations, store, clock, failure
):
    """A check that waits for the store during `revoke` does not remember its old answer."""
    revocations = make_revocations(max_staleness=5)
    verifier = make_verifier(revocations=revocations)
    token, ask, put = verifier.verify(lasting_token()), store.store.get_many, store.store.put

    def put_then_fail(*arguments):
        put(*arguments)
        if failure is not None:
            raise failure

    def revoke_meanwhile(keys):
        answer = ask(keys)
        store.store.get_many = ask
        try:
            revocations.revoke(token)
        except Unavailable:
            assert failure is not None
        return answer

    store.store.get_many, store.store.put = revoke_meanwhile, put_then_fail
    clock.tick(5)

    assert outcome(verifier, lasting_token()) == "alice"
    assert outcome(verifier, lasting_token()) == "token_revoked"


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [(65, "alice"), (66, "token_not_yet_valid"), (10**9, "token_not_yet_valid")],
)
def test_token_dated_ahead_is_refused_where_subjects_are_revoked(
    verifier, make_verifier, ahead, expected
):
    """`revoke_subject` would not cover it. Clocks may differ by a minute and the leeway."""
    token = lasting_token(iat=NOW + ahead, exp=NOW + 10**10)

    assert outcome(verifier, token) == expected
    assert outcome(make_verifier(), token) == "alice"


def test_clock_set_back_undoes_no_revocation_of_a_subject(verifier, revocations, clock):
    """A second call at an earlier time does not undo the first one."""
    token = lasting_token(iat=NOW - 50)
    revocations.revoke_subject(ISSUER, "alice")
    clock.tick(-100)
    revocations.revoke_subject(ISSUER, "alice")

    assert outcome(verifier, token) == "token_revoked"


def test_subject_whose_entry_nobody_wrote_is_revoked_as_of_now(verifier, revocations, store, clock):
    """Revoking again repairs the entry: older tokens are refused, and new ones accepted."""
    store.put(entry_key("subject", ISSUER, "alice"), "nonsense", NOW + 10**6)
    assert outcome(verifier, lasting_token(iat=NOW + 1)) == "token_revoked"
    revocations.revoke_subject(ISSUER, "alice")

    assert outcome(verifier, lasting_token(iat=NOW)) == "token_revoked"
    assert outcome(verifier, lasting_token(iat=NOW + 1)) == "alice"


def test_slow_revocation_covers_what_was_issued_meanwhile(verifier, revocations, store, clock):
    """A token that is issued while the entry is written is refused after the call."""
    put = store.store.put

    def put_slowly(*arguments):
        clock.tick(1 if clock.now < NOW + 2 else 0)
        put(*arguments)

    store.store.put = put_slowly
    revocations.revoke_subject(ISSUER, "alice")

    assert outcome(verifier, lasting_token(iat=NOW + 2)) == "token_revoked"
    assert outcome(verifier, lasting_token(iat=NOW + 3)) == "alice"


def test_revocation_that_is_always_too_slow_raises(revocations, store, clock):
    """If each write takes more than a second, no entry covers its own time."""
    put = store.store.put

    def put_slowly(*arguments):
        clock.tick(1)
        put(*arguments)

    store.store.put = put_slowly
    with pytest.raises(Unavailable):
        revocations.revoke_subject(ISSUER, "alice")

    assert store.trips == 6


def test_token_that_expires_after_centuries_can_be_revoked(verifier, revocations, store, clock):
    """No entry is kept for longer than a century."""
    revocations.revoke(verifier.verify(lasting_token(exp=2**63)))
    clock.tick(36_525 * 86_400 - 1)
    assert store.get(entry_key("token", ISSUER, "t1")) == "revoked"
    clock.tick(1)

    assert store.get(entry_key("token", ISSUER, "t1")) is None


def test_remembered_answers_take_bounded_memory(make_revocations, store):
    """At most 16,384 answers are remembered. After that the store is asked again."""
    revocations = make_revocations(max_staleness=5)
    tokens = [AccessToken({"jti": str(number)}, {}) for number in range(16_385)]
    for token in (*tokens[:-1], tokens[0]):
        revocations.check(token)
    assert store.trips == 16_384
    revocations.check(tokens[-1])
    revocations.check(tokens[0])

    assert store.trips == 16_386


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"store": "redis://localhost"}, "store", id="store a str"),
        pytest.param({"store": {}}, "store", id="store a dict"),
        pytest.param({"on_failure": "ignore"}, "on_failure", id="on_failure unknown"),
        pytest.param({"on_failure": None}, "on_failure", id="on_failure None"),
        pytest.param({"max_staleness": -1}, "max_staleness", id="staleness negative"),
        pytest.param({"max_staleness": "5"}, "max_staleness", id="staleness a str"),
        pytest.param({"max_staleness": float("nan")}, "max_staleness", id="staleness NaN"),
        pytest.param({"on_event": 5}, "on_event", id="on_event a number"),
        pytest.param({"clock": None}, "clock", id="clock None"),
    ],
)
def test_wrong_argument_is_refused(options, named):
    """The constructor names each wrong argument."""
    with pytest.raises(ConfigurationError, match=named):
        Revocations(**{"store": MemoryStore()} | options)


def test_verifier_takes_only_revocations(make_verifier):
    """A store is not a `Revocations`, and the message says what to write."""
    with pytest.raises(ConfigurationError, match=r"Revocations\(store\)"):
        make_verifier(revocations=MemoryStore())


def test_verifier_forgives_no_longer_than_a_revocation_lasts(make_verifier, revocations):
    """With a longer leeway, a revoked token would be accepted again."""
    with pytest.raises(
        ConfigurationError, match=r"^leeway: 301 is too long with revocations; write at most 300"
    ):
        make_verifier(revocations=revocations, leeway=301)

    make_verifier(revocations=revocations, leeway=300)
    with pytest.raises(ConfigurationError, match=r"^leeway: '5' is not usable"):
        make_verifier(revocations=revocations, leeway="5")


@pytest.mark.parametrize("revoke", ["revoke_session", "revoke_subject"])
def test_nothing_empty_is_revoked(revocations, revoke):
    """An empty name would refuse all tokens without a session or subject."""
    with pytest.raises(ValueError, match="empty"):
        getattr(revocations, revoke)(ISSUER, "")


def test_session_and_subject_may_be_called_none(verifier, revocations):
    """Tokens without a session or subject are not those of a session or subject "None"."""
    revocations.revoke_session(ISSUER, "None")
    revocations.revoke_subject(ISSUER, "None")

    assert outcome(verifier, lasting_token(sub=None)) is None
    assert outcome(verifier, lasting_token(sid="None")) == "token_revoked"


def test_revocation_that_fails_is_never_allowed(make_revocations, store, events, clock):
    """A logout that fails raises also if checks let tokens pass, and so says the event."""
    revocations = make_revocations(on_failure="allow")
    store.failure = OSError("down")
    with pytest.raises(Unavailable):
        revocations.revoke_session(ISSUER, "s1")
    clock.tick(10)
    with pytest.raises(Unavailable):
        revocations.revoke_subject(ISSUER, "alice")

    assert [(event.operation, event.allowed) for event in events] == [
        ("put", False),
        ("get", False),
    ]


def test_what_never_expires_stays_revoked(make_verifier, revocations, clock):
    """Without a known expiry, tokens, sessions and subjects are refused for good."""
    verifier = make_verifier(revocations=revocations, require=())
    revocations.revoke(verifier.verify(lasting_token(exp=None)))
    revocations.revoke_session(ISSUER, "s1")
    revocations.revoke_subject(ISSUER, "bob")
    clock.tick(20 * 365 * 86_400)

    for token in (
        lasting_token(exp=None),
        lasting_token(exp=None, jti="t2", sid="s1"),
        lasting_token(exp=None, jti="t3", sub="bob"),
    ):
        assert outcome(verifier, token) == "token_revoked"


def test_default_clocks_are_looked_up_at_each_call(secret_key, monkeypatch, tmp_path):
    """Replacing `time.time`, as freezegun does, changes every default clock."""
    stores = [MemoryStore(), SQLiteStore(tmp_path / "entries.db")]
    issuer = TokenIssuer(secret_key, issuer=ISSUER, audience=AUDIENCE, store=stores[0])
    revocations = Revocations(stores[0])
    verifier = Verifier(secret_key, issuer=ISSUER, audience=AUDIENCE, revocations=revocations)
    monkeypatch.setattr(time, "time", lambda: NOW)
    token = verifier.verify(issuer.grant("alice")["access_token"])
    revocations.revoke_subject(ISSUER, "bob")
    for store in stores:
        store.put("a", "one", NOW + 1)

    assert token.issued_at == NOW
    assert [store.get("a") for store in stores] == ["one", "one"]
    assert stores[0].get(entry_key("subject", ISSUER, "bob")) == str(NOW + 1)


def test_kinds_of_refusal():
    """`RevokedToken` is an `InvalidToken`, so code for the latter handles both."""
    assert issubclass(RevokedToken, InvalidToken)
    assert RevokedToken().reason == "token_revoked"
