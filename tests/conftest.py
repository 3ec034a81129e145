"""The vocabulary of the tests: a clock, keys, tokens, applications and clients."""

import base64
import hmac
import json
import math

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from webtest import TestApp
from webtest.lint import middleware as lint

from jwt_middleware import (
    AuthError,
    Fetched,
    JWTMiddleware,
    MemoryStore,
    PrivateKey,
    SecretKey,
    TokenIssuer,
    Verifier,
)
from jwt_middleware.testing import FrozenClock

ISSUER = "https://id.example.com"
AUDIENCE = "https://api.example.com"
SECRET = "a secret of more than sixty-four bytes, which is enough for HS512 as well"
NOW = 1_800_000_000
# Values for tables of wrong arguments.
HUGE = pytest.param(10**5000, id="more digits than Python writes")
NOT_WHOLE = [-1, 1.0, 2**31, math.nan, "1", None, True, HUGE]
NOT_SECONDS = [-1, -0.001, 2**31, math.inf, -math.inf, math.nan, "1", None, True, [1], HUGE]


class Flaky:
    """A store that counts round trips, and can be broken."""

    def __init__(self, store):
        self.store = store
        self.trips = 0
        self.failure = None

    def ask(self, operation, *arguments):
        self.trips += 1
        if isinstance(self.failure, Exception):
            raise self.failure
        answer = getattr(self.store, operation)(*arguments)
        return answer if self.failure is None else self.failure

    def get(self, key):
        return self.ask("get", key)

    def get_many(self, keys):
        return self.ask("get_many", keys)

    def put(self, key, value, expires_at):
        return self.ask("put", key, value, expires_at)

    def add(self, key, value, expires_at):
        return self.ask("add", key, value, expires_at)


class Site:
    """Serves documents by URL, as `fetch=`. Every other URL fails."""

    def __init__(self, documents):
        self.documents = documents
        self.asked = []

    def __call__(self, url, *, timeout, max_bytes):
        self.asked.append(url)
        if url not in self.documents:
            raise OSError("status 404")
        return Fetched(json.dumps(self.documents[url]).encode())


def base64url(data):
    """Encode as base64url without padding."""
    raw = data if isinstance(data, bytes) else data.encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign_raw(payload, header='{"alg":"HS256"}', *, secret=SECRET, digest="sha256"):
    """Sign any header and payload with HMAC, without the package under test."""
    parts = [
        part if isinstance(part, str | bytes) else json.dumps(part) for part in (header, payload)
    ]
    signing_input = ".".join(map(base64url, parts))
    signature = hmac.digest(secret.encode(), signing_input.encode(), digest)
    return f"{signing_input}.{base64url(signature)}"


def good_claims(**changes):
    """Return claims that the default verifier accepts; a change to None removes one."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "iat": NOW,
        "exp": NOW + 600,
        "jti": "t1",
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


def make_token(header=None, *, secret=SECRET, **claims):
    """Return a token that the default verifier accepts, except for these members and claims."""
    return sign_raw(good_claims(**claims), {"alg": "HS256"} | (header or {}), secret=secret)


def bearer(token):
    """Return the header that carries the token."""
    return {"Authorization": f"Bearer {token}"}


def signed(*arguments, **claims):
    """Return the header with a new token; the arguments are those of `make_token`."""
    return bearer(make_token(*arguments, **claims))


def refused(verifier, token):
    """Return the reason and the claim that a verifier refuses a token for."""
    with pytest.raises(AuthError) as caught:
        verifier.verify(token)
    return caught.value.reason, caught.value.claim


def echo(environ, start_response):
    """Answer with the claims that arrived, or null."""
    body = json.dumps(environ.get("jwt_middleware.claims")).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def answering(iterable, *headers):
    """Return an application that answers 200 with the iterable."""

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain"), *headers])
        return iterable

    return app


class RecordingApp:
    """An application that remembers what it was called with, and lets another one answer."""

    def __init__(self, app=echo):
        self.app = app
        self.calls = []

    def __call__(self, environ, start_response):
        self.calls.append((environ, start_response))
        return self.app(environ, start_response)

    @property
    def environ(self):
        """The environ of the only call."""
        ((environ, _),) = self.calls
        return environ


def client(verifier, app=echo, **options):
    """Put the middleware around an application, with WebTest's lint on both sides of it."""
    return TestApp(JWTMiddleware(lint(app), verifier, **options))


def pem_of(key):
    """Return a private key as unencrypted PKCS 8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(scope="session")
def pems():
    """One private key in PEM form for each kind of algorithm."""
    rsa_pem = pem_of(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    ed_pem = pem_of(ed25519.Ed25519PrivateKey.generate())
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    by_algorithm = {name: pem_of(ec.generate_private_key(curve)) for name, curve in curves.items()}
    by_algorithm |= dict.fromkeys(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], rsa_pem)
    return by_algorithm | dict.fromkeys(["EdDSA", "Ed25519"], ed_pem)


@pytest.fixture(scope="session")
def private_keys(pems):
    """One `PrivateKey` for each asymmetric algorithm, named after it."""
    return {
        name: PrivateKey(pem, algorithm=name, key_id=f"key-{name}") for name, pem in pems.items()
    }


@pytest.fixture
def clock():
    """The time of all tests."""
    return FrozenClock(NOW)


@pytest.fixture
def secret_key():
    """The secret that `sign_raw` signs with."""
    return SecretKey(SECRET)


@pytest.fixture
def issuer(secret_key, clock):
    """An issuer of tokens that `verifier` accepts."""
    return TokenIssuer(secret_key, issuer=ISSUER, audience=AUDIENCE, clock=clock)


@pytest.fixture
def make_verifier(secret_key, clock):
    """Return a function that makes a verifier, with the usual arguments unless they are given."""

    def make(keys=secret_key, **options):
        return Verifier(
            keys, **({"issuer": ISSUER, "audience": AUDIENCE, "clock": clock} | options)
        )

    return make


@pytest.fixture
def verifier(make_verifier):
    """A verifier of HS256 tokens."""
    return make_verifier()


@pytest.fixture
def old(private_keys):
    """The key that an identity provider publishes first."""
    return private_keys["ES256"]


@pytest.fixture
def new(private_keys):
    """The key that it rotates to."""
    return private_keys["RS256"]


@pytest.fixture
def token_of(clock):
    """Return a function that makes a token which outlives every test, signed with a key."""

    def make(key):
        return TokenIssuer(
            key, issuer=ISSUER, audience=AUDIENCE, access_ttl=10**6, clock=clock
        ).access_token("alice")

    return make


@pytest.fixture
def store(clock):
    """A store that can be broken."""
    return Flaky(MemoryStore(clock=clock))


@pytest.fixture
def events():
    """The events that `on_event` was called with."""
    return []
