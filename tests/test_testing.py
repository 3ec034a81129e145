"""The testing kit: each part does in a test what its docstring says."""

import subprocess
import sys
from contextlib import contextmanager

import freezegun
import pytest
import time_machine
from werkzeug.test import Client, create_environ

from jwt_middleware import (
    ASYMMETRIC,
    ConfigurationError,
    InvalidGrant,
    JWTMiddleware,
    MemoryStore,
    PrivateKey,
    RemoteJWKSet,
    Revocations,
    SQLiteStore,
    TokenIssuer,
    Verifier,
    token_from,
)
from jwt_middleware.jose import generate_private_pem
from jwt_middleware.testing import FakeIssuer, FrozenClock, claims_environ
from jwt_middleware.validators import rfc9068
from tests.conftest import AUDIENCE, ISSUER, NOW, RecordingApp, client, refused

pytest_plugins = ["jwt_middleware.testing.pytest_plugin"]


@pytest.fixture
def issuer(clock):
    """A fake issuer with the clock of the tests."""
    return FakeIssuer(clock=clock)


def test_clock_stands_still_until_it_is_moved():
    """Only `now` and `tick` change the time."""
    clock = FrozenClock(NOW)
    times = [clock(), clock()]
    clock.tick()
    clock.tick(0.5)
    times.append(clock())
    clock.now = 5

    assert [*times, clock()] == [NOW, NOW, NOW + 1.5, 5]
    assert repr(clock) == "FrozenClock(5)"


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_issuer_signs_with_each_asymmetric_algorithm(algorithm):
    """The key set holds one public key of the algorithm, and it verifies the tokens."""
    issuer = FakeIssuer(algorithm=algorithm)
    (key,) = issuer.jwks()["keys"]

    assert issuer.verifier().verify(issuer.token("alice")).header["alg"] == algorithm
    assert key.keys().isdisjoint({"d", "p", "q"})


def test_issuer_without_arguments_works_with_the_real_time(fake_issuer):
    """The fixture needs no configuration, and its tokens follow RFC 9068."""
    token = fake_issuer.verifier(validators=[rfc9068]).verify(fake_issuer.token("alice"))

    assert (token.subject, token.header["alg"], token.scopes) == ("alice", "ES256", frozenset())


def test_token_has_the_given_scopes_and_claims(issuer):
    """Claims are added to the usual ones or replace them, and None removes one."""
    raw = issuer.token("alice", scopes=["a", "b"], roles=["admin"], client_id="web", jti=None)

    assert issuer.verifier().verify(raw).claims == {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "client_id": "web",
        "iat": NOW,
        "exp": NOW + 600,
        "scope": "a b",
        "roles": ["admin"],
    }


def test_token_has_the_names_of_its_issuer(clock):
    """Issuer and audience can be chosen, and other verifiers refuse the token."""
    issuer = FakeIssuer(issuer="https://a.example.com", audience=["x", "y"], clock=clock)
    raw = issuer.token("alice")

    assert issuer.verifier().verify(raw).audience == ("x", "y")
    assert refused(issuer.verifier(issuer=ISSUER), raw) == ("issuer_not_trusted", "iss")
    assert refused(FakeIssuer(clock=clock).verifier(), raw) == ("issuer_not_trusted", "iss")


def test_scopes_must_be_a_list(issuer):
    """A str would become one scope for each character."""
    with pytest.raises(TypeError, match=r"scopes: .* write a list"):
        issuer.token("alice", scopes="orders:read")


def test_options_reach_the_verifier(issuer):
    """`verifier` passes its arguments on."""
    verifier = issuer.verifier(audience="https://other.example.com")

    assert refused(verifier, issuer.token("alice")) == ("audience_mismatch", "aud")


def test_token_expires_by_the_clock(issuer, clock):
    """A test moves the clock to see a token expire."""
    verifier, raw = issuer.verifier(leeway=0), issuer.token("alice")
    clock.tick(599)
    verifier.verify(raw)
    clock.tick()

    assert refused(verifier, raw) == ("token_expired", "exp")


@pytest.mark.parametrize("discover", [False, True], ids=["URL", "discovery"])
def test_rotation_is_followed_at_once(issuer, clock, discover):
    """A token of the new key is accepted, and so are tokens of the key before it."""
    make = RemoteJWKSet.discover if discover else RemoteJWKSet
    verifier = issuer.verifier()
    own = Verifier(
        make(ISSUER, fetch=issuer.fetch, clock=clock), issuer=ISSUER, audience=AUDIENCE, clock=clock
    )
    before = issuer.token("alice")
    own.verify(before)
    issuer.rotate()
    after = issuer.token("alice")

    for each in (verifier, own):
        assert each.verify(before).header["kid"] == "key-1"
        assert each.verify(after).header["kid"] == "key-2"


def test_key_that_was_replaced_twice_is_unknown(issuer):
    """The issuer publishes two keys."""
    raw = issuer.token("alice")
    issuer.rotate()
    issuer.rotate()

    assert refused(issuer.verifier(), raw) == ("key_not_found", None)


@pytest.mark.parametrize("kind", ["timeout", "500", "garbage"])
def test_failure_before_the_first_fetch_is_503(issuer, clock, kind):
    """Without keys no token can be verified. Later, the issuer is asked again."""
    app = client(issuer.verifier())
    issuer.fail(kind)
    response = app.get("/", headers=issuer.bearer("alice"), status=503)
    issuer.recover()
    clock.tick(int(response.headers["Retry-After"]))

    assert response.json["reason"] == "keys_unavailable"
    assert app.get("/", headers=issuer.bearer("alice")).json["sub"] == "alice"


def test_failure_later_is_not_noticed_for_65_minutes(issuer, clock):
    """Loaded keys are used for 300 seconds, and for an hour more during an outage."""
    app = client(issuer.verifier())
    app.get("/", headers=issuer.bearer("alice"))
    issuer.fail("timeout")
    clock.tick(65 * 60 - 1)
    app.get("/", headers=issuer.bearer("alice"))
    clock.tick()

    app.get("/", headers=issuer.bearer("alice"), status=503)
    assert len(issuer.fetched) > 1


def test_failure_of_an_unknown_kind_is_an_error(issuer):
    """A misspelled kind must not look like an outage that is handled well."""
    with pytest.raises(ValueError, match="kind: 'time-out' is not one of 'timeout'"):
        issuer.fail("time-out")


def flask_answers(app, verifier, headers):
    """Send a request with Flask's client."""
    import flask

    application = flask.Flask("name")
    application.wsgi_app = JWTMiddleware(app, verifier)
    return application.test_client().get("/", headers=headers).status_code


CLIENTS = {
    "WebTest": lambda app, verifier, headers: (
        client(verifier, app).get("/", headers=headers).status_int
    ),
    "Werkzeug": lambda app, verifier, headers: (
        Client(JWTMiddleware(app, verifier)).get("/", headers=headers).status_code
    ),
    "Flask": flask_answers,
}


@pytest.mark.parametrize("send", CLIENTS.values(), ids=CLIENTS)
def test_bearer_headers_work_with_each_client(issuer, send):
    """The client needs only one dict of headers. docs/testing.md shows Django's client."""
    app = RecordingApp()

    assert send(app, issuer.verifier(), issuer.bearer("alice", scopes=["a"])) == 200
    assert app.environ["jwt_middleware.token"].scopes == {"a"}


def test_claims_environ_is_what_the_middleware_sets(issuer):
    """A view cannot tell the difference."""
    app, claims = RecordingApp(), {"roles": [{"a": 1}], "exp": 5, "iat": 1, "jti": "t"}
    client(issuer.verifier(clock=lambda: 1), app).get("/", headers=issuer.bearer("al", **claims))
    environ = create_environ(environ_overrides=claims_environ("al", scopes=[], **claims))
    added = {name for name in app.environ if name.startswith("jwt_middleware.")}

    # Only the middleware itself can answer refusals in its own way.
    expected = added - {"jwt_middleware.respond"}
    assert {name for name in environ if name.startswith("jwt_middleware.")} == expected
    assert environ["jwt_middleware.claims"] == app.environ["jwt_middleware.claims"]
    assert token_from(environ).claims == token_from(app.environ).claims


def test_claims_environ_does_not_pass_the_middleware(issuer):
    """An application that is wrapped refuses the request, also if a test forgets that."""
    app = client(issuer.verifier())

    app.get("/", extra_environ=claims_environ("alice"), status=401)


@contextmanager
def by_freezegun():
    """Freeze the time with freezegun; yield a function that moves it."""
    with freezegun.freeze_time("2027-01-15") as frozen:
        yield frozen.tick


@contextmanager
def by_time_machine():
    """Freeze the time with time-machine; yield a function that moves it."""
    with time_machine.travel("2027-01-15", tick=False) as traveller:
        yield traveller.shift


LIBRARIES = {"freezegun": by_freezegun, "time-machine": by_time_machine}


@pytest.mark.parametrize("freeze", LIBRARIES.values(), ids=LIBRARIES)
def test_libraries_move_the_default_clocks(freeze, fake_issuer):
    """Without `clock`, tokens expire and keys age by the time of the library."""
    app = client(fake_issuer.verifier())
    with freeze() as tick:
        headers = fake_issuer.bearer("alice")
        app.get("/", headers=headers)
        fake_issuer.fail("500")
        tick(606)
        expired = app.get("/", headers=headers, status=401)
        tick(65 * 60)

        assert expired.json["reason"] == "token_expired"
        app.get("/", headers=fake_issuer.bearer("alice"), status=503)


@pytest.mark.parametrize("freeze", LIBRARIES.values(), ids=LIBRARIES)
@pytest.mark.parametrize("kind", ["memory", "SQLite"])
def test_libraries_move_the_clocks_of_stores_and_sessions(freeze, tmp_path, kind):
    """Logout and the detection of reuse work at the time of the library."""
    store = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "sessions.db")
    key = PrivateKey(generate_private_pem("ES256"), algorithm="ES256")
    issuer = TokenIssuer(key, issuer=ISSUER, audience=AUDIENCE, store=store)
    verifier = Verifier(
        key.public_key(), issuer=ISSUER, audience=AUDIENCE, revocations=Revocations(store)
    )
    with freeze() as tick:
        reused, ended = issuer.grant("alice"), issuer.grant("bob")
        issuer.refresh(reused["refresh_token"])
        tick(11)
        with pytest.raises(InvalidGrant) as caught:
            issuer.refresh(reused["refresh_token"])
        issuer.revoke(ended["refresh_token"])

        assert caught.value.reason == "refresh_token_reused"
        assert refused(verifier, reused["access_token"]) == ("token_revoked", None)
        assert refused(verifier, ended["access_token"]) == ("token_revoked", None)


def test_kit_does_without_pytest():
    """Only the contract for stores and the plugin import pytest."""
    code = (
        "import sys; sys.modules['pytest'] = None;"
        "from jwt_middleware.testing import FakeIssuer, FrozenClock, claims_environ;"
        "issuer = FakeIssuer(clock=FrozenClock(5));"
        "print(issuer.verifier().verify(issuer.token('alice')).subject)"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (run.stdout, run.stderr) == ("alice\n", "")


def test_wrong_issuer_or_algorithm_is_a_configuration_error():
    """The kit checks no less than the classes that it stands on."""
    with pytest.raises(ConfigurationError, match=r"^algorithm: "):
        FakeIssuer(algorithm="HS256")
    with pytest.raises(ConfigurationError, match=r"^issuer: "):
        FakeIssuer(issuer="").verifier()
