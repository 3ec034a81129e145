"""Tokens of a certified OpenID provider on Node.js, over HTTP."""

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

from jwt_middleware import KeySetState, Policy, RemoteJWKSet, Verifier, require
from jwt_middleware.testing import FrozenClock
from jwt_middleware.validators import rfc9068
from tests.conftest import AUDIENCE, bearer, client
from tests.servers import missing, program

SOURCES = Path(__file__).parent / "oidc_provider"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
MAX_AGE, STALE_IF_ERROR = 300, 3600


def install(folder):
    """Let npm install exactly what package-lock.json names, without running any of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        staged = Path(name) / folder.name
        staged.mkdir()
        for file in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / file, staged)
        options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--engine-strict"]
        command = [program("npm"), *options]
        subprocess.run(command, cwd=staged, check=True, capture_output=True, text=True, timeout=180)
        # The rename fails if another run was faster. Then its folder is used.
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
    """The npm package oidc-provider in its own process; `tell` sends it commands."""

    def __init__(self, process):
        self.process = process
        self.issuer = self.answer()["issuer"]

    def tell(self, word):
        """Send a command: rotate, down, up or id_token."""
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        line = self.process.stdout.readline() if ready else ""
        assert line, "oidc-provider does not answer"
        return json.loads(line)

    def token(self, algorithm="RS256", *, resource=AUDIENCE, scope="orders:read"):
        """Return an access token of the client credentials grant (RFC 6749 §4.4, RFC 8707)."""
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
    # Node looks for packages in the folder of the program.
    (folder / "node_modules").symlink_to(packages)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([node, "server.mjs"], cwd=folder, text=True, **pipes) as process:
        try:
            yield OpenIDProvider(process)
        finally:
            process.kill()


@pytest.fixture
def clock():
    """The clock of the key set. Tokens expire by the real time, as the provider does."""
    return FrozenClock(0)


@pytest.fixture
def keys(provider, clock):
    """The provider's keys, found by discovery."""
    times = {"max_age": MAX_AGE, "stale_if_error": STALE_IF_ERROR, "clock": clock}
    return RemoteJWKSet.discover(provider.issuer, allow_http=True, **times)


@pytest.fixture
def app(provider, keys):
    """An application that trusts the provider's access tokens for it."""
    verifier = Verifier(keys, issuer=provider.issuer, audience=AUDIENCE, validators=[rfc9068])
    policy = Policy(require("/orders", methods=["POST"], scopes=["orders:write"]))
    return client(verifier, policy=policy)


def test_discovery_finds_the_keys_of_a_real_provider(provider, keys):
    """The name of the issuer is enough to find its keys."""
    assert keys.ready()
    assert keys.status().state is KeySetState.FRESH
    assert len(keys.status().key_ids) >= 3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_access_token_of_a_real_provider_is_accepted(provider, app, algorithm):
    """It is accepted under each algorithm, by keys with and without ``alg``."""
    claims = app.get("/", headers=bearer(provider.token(algorithm))).json

    who = {"iss": provider.issuer, "aud": AUDIENCE, "sub": algorithm, "client_id": algorithm}
    assert claims == claims | who | {"scope": "orders:read"}


def test_scopes_that_a_real_provider_grants_decide(provider, app):
    """A request needs the scope that the client has asked for."""
    reading = bearer(provider.token(scope="orders:read"))
    writing = bearer(provider.token(scope="orders:read orders:write"))

    assert app.post("/orders", headers=reading, status=403).json["reason"] == "scope_insufficient"
    assert app.post("/orders", headers=writing, status=200)


def test_token_for_another_resource_is_refused(provider, app):
    """A token for one resource server is not accepted by another."""
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
    """An ID token tells the client who logged in. It gives no access."""
    app = client(Verifier(keys, issuer=provider.issuer, audience=audience, validators=[rfc9068]))
    token = provider.tell("id_token")["token"]

    assert app.get("/", headers=bearer(token), status=401).json["reason"] == reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rotation_of_a_real_provider_is_followed_at_once(provider, app, algorithm):
    """The first token of a new key is accepted, and tokens of the old key still are."""
    old = provider.token(algorithm)
    app.get("/", headers=bearer(old), status=200)
    provider.tell("rotate")
    new = provider.token(algorithm)

    assert header_of(new)["kid"] != header_of(old)["kid"]
    assert app.get("/", headers=bearer(new), status=200)
    assert app.get("/", headers=bearer(old), status=200)


def test_outage_within_the_bound_is_not_noticed(provider, app, keys, clock):
    """During an outage, the loaded keys accept tokens, also tokens not seen before."""
    seen, unseen = (bearer(provider.token()) for _ in range(2))
    app.get("/", headers=seen, status=200)
    with provider.outage():
        for clock.now in (MAX_AGE, MAX_AGE + STALE_IF_ERROR - 1):
            app.get("/", headers=seen, status=200)
            app.get("/", headers=unseen, status=200)

            assert keys.status().state is KeySetState.STALE
            assert keys.ready()


def test_outage_beyond_the_bound_is_503_and_ends_with_it(provider, app, keys, clock):
    """Old keys are not used. After the time in Retry-After, tokens are accepted again."""
    token = bearer(provider.token())
    app.get("/", headers=token, status=200)
    clock.now = MAX_AGE + STALE_IF_ERROR
    with provider.outage():
        response = app.get("/", headers=token, status=503)

        assert response.json["reason"] == "keys_unavailable"
        assert "WWW-Authenticate" not in response.headers
        assert not keys.ready()

    clock.tick(int(response.headers["Retry-After"]))
    app.get("/", headers=token, status=200)
    assert keys.status().state is KeySetState.FRESH


def header_of(token):
    """Return the JOSE header of a token."""
    return json.loads(urlsafe_b64decode(token.partition(".")[0] + "=="))
