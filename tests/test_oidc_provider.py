"""Tokens that others made: a certified OpenID provider on Node.js, over HTTP, and joserfc."""

import hashlib
import json
import os
import select
import shutil
import subprocess
import tempfile
from base64 import b64encode, urlsafe_b64decode
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from jwt_middleware import (
    ASYMMETRIC,
    Fetched,
    KeySetState,
    Policy,
    RemoteJWKSet,
    TokenIssuer,
    Verifier,
    require,
)
from jwt_middleware.validators import rfc9068
from tests.conftest import AUDIENCE, ISSUER, NOW, Clock, bearer, client, good_claims
from tests.servers import program

SOURCES = Path(__file__).parent / "oidc_provider"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
MAX_AGE, STALE_IF_ERROR = 300, 3600


def missing(reason):
    """Skip the test, or fail it where nothing may be missing (CI)."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def install(folder):
    """Let npm install exactly what package-lock.json names; nothing of it is run."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        staged = Path(name) / folder.name
        staged.mkdir()
        for file in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / file, staged)
        command = [
            program("npm"),
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--engine-strict",
        ]
        subprocess.run(command, cwd=staged, check=True, capture_output=True, text=True, timeout=180)
        # All or nothing. It fails where another run has been faster, and then that one's is there.
        with suppress(OSError):
            staged.rename(folder)


def installed():
    """Return the folder of the installed packages, which all later runs share."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wsgi-jwt-middleware"
    digest = hashlib.sha256((SOURCES / "package-lock.json").read_bytes()).hexdigest()
    folder = cache / f"oidc-provider-{digest[:16]}"
    try:
        if not folder.exists():
            install(folder)
    except subprocess.CalledProcessError as exc:
        errors = [line for line in exc.stderr.splitlines() if line.startswith("npm error")]
        missing(f"npm cannot install oidc-provider: {'; '.join(errors[:4])}")
    except (OSError, subprocess.TimeoutExpired) as exc:
        missing(f"oidc-provider cannot be installed: {exc}")
    return folder / "node_modules"


class OpenIDProvider:
    """The npm package oidc-provider in a process of its own; `tell` steers it."""

    def __init__(self, process):
        self.process = process
        self.issuer = self.answer()["issuer"]

    def tell(self, word):
        """Have a command carried out: rotate, down, up or id_token."""
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        line = self.process.stdout.readline() if ready else ""
        assert line, "oidc-provider does not answer"
        return json.loads(line)

    def token(self, algorithm="RS256", *, resource=AUDIENCE, scope="orders:read"):
        """Return an access token, got with the client credentials grant (RFC 6749 §4.4, RFC 8707)."""
        form = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        secret = b64encode(f"{algorithm}:no+secret".encode()).decode()
        request = Request(
            f"{self.issuer}/token", urlencode(form).encode(), {"Authorization": f"Basic {secret}"}
        )
        with build_opener(ProxyHandler({})).open(request, timeout=20) as response:
            return json.load(response)["access_token"]

    @contextmanager
    def outage(self):
        """Refuse connections for a while."""
        self.tell("down")
        try:
            yield
        finally:
            self.tell("up")


@pytest.fixture(scope="session")
def provider(tmp_path_factory):
    """A running OpenID provider. Its keys may be rotated by any test."""
    node, packages, folder = program("node"), installed(), tmp_path_factory.mktemp("oidc_provider")
    shutil.copy(SOURCES / "server.mjs", folder)
    # Node looks for packages beside the program.
    (folder / "node_modules").symlink_to(packages)
    command = [node, "server.mjs"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=folder, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield OpenIDProvider(process)
        finally:
            process.kill()


@pytest.fixture
def clock():
    """The clock of the key set; tokens live by the real time, as the provider does."""
    return Clock(0)


@pytest.fixture
def keys(provider, clock):
    """The provider's keys, found by discovery."""
    return RemoteJWKSet.discover(
        provider.issuer,
        allow_http=True,
        max_age=MAX_AGE,
        stale_if_error=STALE_IF_ERROR,
        clock=clock,
    )


@pytest.fixture
def app(provider, keys):
    """An application that trusts the provider's access tokens for it."""
    verifier = Verifier(keys, issuer=provider.issuer, audience=AUDIENCE, validators=[rfc9068])
    policy = Policy(require("/orders", methods=["POST"], scopes=["orders:write"]))
    return client(verifier, policy=policy)


def test_discovery_finds_the_keys_of_a_real_provider(provider, keys):
    """The issuer's name is all that has to be known."""
    assert keys.ready()
    assert keys.status().state is KeySetState.FRESH
    assert len(keys.status().key_ids) >= 3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_access_token_of_a_real_provider_is_accepted(provider, app, algorithm):
    """Under each algorithm, with a key that has an ``alg`` and with one that has none."""
    claims = app.get("/", headers=bearer(provider.token(algorithm))).json

    assert {name: claims[name] for name in ("iss", "aud", "sub", "client_id", "scope")} == {
        "iss": provider.issuer,
        "aud": AUDIENCE,
        "sub": algorithm,
        "client_id": algorithm,
        "scope": "orders:read",
    }


def test_scopes_that_a_real_provider_grants_decide(provider, app):
    """What the client has asked for, and no more, is permitted."""
    reading, writing = (
        bearer(provider.token(scope=scope)) for scope in ("orders:read", "orders:read orders:write")
    )

    assert app.post("/orders", headers=reading, status=403).json["reason"] == "scope_insufficient"
    assert app.post("/orders", headers=writing, status=200)


def test_token_for_another_resource_is_refused(provider, app):
    """A resource server that is handed a token cannot use it at another."""
    token = provider.token(resource="https://other.example.com")

    assert app.get("/", headers=bearer(token), status=401).json["reason"] == "audience_mismatch"


@pytest.mark.parametrize(
    ("audience", "reason"),
    [
        pytest.param(AUDIENCE, "audience_mismatch", id="API and client of different names"),
        pytest.param("web", "type_not_allowed", id="API named like its client"),
    ],
)
def test_id_token_of_a_real_provider_is_refused(provider, keys, audience, reason):
    """It tells the client who logged in, and permits nothing."""
    app = client(Verifier(keys, issuer=provider.issuer, audience=audience, validators=[rfc9068]))
    token = provider.tell("id_token")["token"]

    assert app.get("/", headers=bearer(token), status=401).json["reason"] == reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rotation_of_a_real_provider_is_followed_at_once(provider, app, algorithm):
    """A token of the new key passes at its first request, and those of the old one still do."""
    old = provider.token(algorithm)
    app.get("/", headers=bearer(old), status=200)
    provider.tell("rotate")
    new = provider.token(algorithm)

    assert header_of(new)["kid"] != header_of(old)["kid"]
    assert app.get("/", headers=bearer(new), status=200)
    assert app.get("/", headers=bearer(old), status=200)


def test_outage_within_the_bound_is_not_noticed(provider, app, keys, clock):
    """Good tokens pass with the keys at hand, also those that have never been seen."""
    seen, unseen = (bearer(provider.token()) for _ in range(2))
    app.get("/", headers=seen, status=200)
    with provider.outage():
        for clock.now in (MAX_AGE, MAX_AGE + STALE_IF_ERROR - 1):
            app.get("/", headers=seen, status=200)
            app.get("/", headers=unseen, status=200)

            assert keys.status().state is KeySetState.STALE
            assert keys.ready()


def test_outage_beyond_the_bound_is_503_and_ends_with_it(provider, app, keys, clock):
    """Nobody can say any more whether a token is good; whoever comes back when told to is served again."""
    token = bearer(provider.token())
    app.get("/", headers=token, status=200)
    clock.now = MAX_AGE + STALE_IF_ERROR
    with provider.outage():
        response = app.get("/", headers=token, status=503)

        assert response.json["reason"] == "keys_unavailable"
        assert "WWW-Authenticate" not in response.headers
        assert not keys.ready()

    clock.now += int(response.headers["Retry-After"])
    app.get("/", headers=token, status=200)
    assert keys.status().state is KeySetState.FRESH


def header_of(token):
    """Return the JOSE header of a token."""
    return json.loads(urlsafe_b64decode(token.partition(".")[0] + "=="))


def joserfc_key(algorithm):
    """Return a new private key of joserfc's."""
    parameters = {"kid": f"key-{algorithm}", "use": "sig", "alg": algorithm}
    if algorithm.startswith("Ed"):
        return OKPKey.generate_key("Ed25519", parameters)
    if algorithm.startswith("ES"):
        return ECKey.generate_key(
            {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm], parameters
        )
    return RSAKey.generate_key(2048, parameters)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_token_that_joserfc_signed_is_accepted(algorithm, make_verifier):
    """Signature, header and key set of an independent implementation are understood, under each algorithm."""
    key = joserfc_key(algorithm)
    published = json.dumps(KeySet([key]).as_dict(private=False)).encode()
    keys = RemoteJWKSet(
        "https://id.example.com/jwks.json", fetch=lambda url, **limits: Fetched(published)
    )
    header = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid}
    claims = good_claims(client_id="web")
    verifier = make_verifier(keys, clock=Clock(NOW), validators=[rfc9068])

    assert verifier.verify(jwt.encode(header, claims, key, algorithms=[algorithm])).claims == claims


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_joserfc_accepts_what_we_issue(algorithm, private_keys):
    """Our tokens and our published keys are understood by an independent implementation, under each algorithm."""
    issuer = TokenIssuer(private_keys[algorithm], issuer=ISSUER, audience=AUDIENCE)
    published = KeySet.import_key_set(issuer.jwks())

    token = jwt.decode(
        issuer.access_token("alice", scopes=["orders:read"]), published, algorithms=[algorithm]
    )

    assert (token.header["typ"], token.claims["sub"], token.claims["scope"]) == (
        "at+jwt",
        "alice",
        "orders:read",
    )
