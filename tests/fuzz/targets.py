"""The middlewares under test, each with what its peers and its judge have to know."""

import json
from dataclasses import dataclass, field
from typing import NamedTuple

from jwt_middleware import (
    CORS,
    JWKSet,
    JWTMiddleware,
    MemoryStore,
    Policy,
    PublicKey,
    Revocations,
    SecretKey,
    TrustedIssuers,
    Verifier,
    delegate,
    from_cookie,
    from_header,
    optional,
    problem_details,
    public,
    require,
)
from tests.fuzz.peers import Peers, Terms, imported
from tests.fuzz.stores import HostileStore
from tests.fuzz.tokens import good_token

NOW = 1_800_000_000
ISSUER = "https://id.example.com"
AUDIENCE = "https://api.example.com"
COOKIE = "__Host-token"
# What `CORS(origins=[...])` is told, and every spelling of it, in small letters.
ORIGINS = ("https://app.example.com", "http://localhost:3000")
ALLOWED_ORIGINS = (*ORIGINS, "https://app.example.com:443")
REVOKED_IDS = ("id-0", "id-1")


class Line(NamedTuple):
    """One line of a policy, as plain data."""

    kind: str
    paths: tuple[str, ...]
    methods: tuple[str, ...] | None = None
    scopes: tuple[str, ...] = ()
    any_scope: tuple[str, ...] = ()
    subject: str | None = None


LINES = (
    Line("public", ("/health", "/static/*")),
    Line("optional", ("/maybe/*",)),
    Line("delegate", ("/told/*",)),
    Line("require", ("/admin/*",), scopes=("admin",)),
    Line("require", ("/any/*",), any_scope=("a", "b")),
    Line("require", ("/checked/*",), subject="alice"),
    Line("require", ("/orders/*",), methods=("POST",), scopes=("orders:write",)),
)
_EASY = {"public": public, "optional": optional, "delegate": delegate}


class Probe:
    """The application behind a middleware, and its event hook: remembers what arrives."""

    def __init__(self):
        self.environ = None
        self.events = []

    def __call__(self, environ, start_response):
        """Serve a request that was let through."""
        self.environ = environ
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"reached"]

    def on_event(self, event):
        """Remember an event."""
        self.events.append(event)


@dataclass
class Target:
    """A middleware around a probe, and what it was told."""

    name: str
    terms: Terms
    app: object
    probe: Probe
    lines: tuple[Line, ...] = ()
    cookie: str | None = None
    cors: tuple[str, ...] | None = None
    store: HostileStore | None = None
    fails_open: bool = False
    peers: Peers = field(init=False)

    def __post_init__(self):
        self.peers = Peers(self.terms, NOW)


def make_targets(keys, rng):
    """Return fresh targets: nothing cached, nothing revoked but `REVOKED_IDS`."""
    return [
        _plain(keys),
        _every_key(keys),
        _trusted_issuers(keys),
        _cookie(keys),
        _policy(keys),
        _cors(keys),
        _open(keys),
        _revocations(keys, rng, fails_open=False),
        _revocations(keys, rng, fails_open=True),
    ]


def _plain(keys):
    terms = Terms({ISSUER: [keys.secret]}, [AUDIENCE], leeway=5)
    return _target("one secret", terms, _verifier(terms))


def _every_key(keys):
    trusted = [keys.secret, *keys.hmac, *keys.asymmetric]
    terms = Terms(
        {ISSUER: trusted},
        [AUDIENCE, "other"],
        leeway=0,
        required=("exp", "sub", "iat"),
        max_token_age=600,
    )
    return _target(
        "every key, nothing cached", terms, _verifier(terms, cache_size=0, max_token_age=600)
    )


def _trusted_issuers(keys):
    by_issuer = {"https://hs.example.com": keys.hmac, "https://rs.example.com": keys.rsa}
    by_issuer["https://es.example.com"] = [*keys.elliptic, keys.edwards]
    terms = Terms(by_issuer, [AUDIENCE], leeway=30)
    verifiers = [
        _verifier(terms._replace(keys={issuer: trusted})) for issuer, trusted in by_issuer.items()
    ]
    return _target("several issuers", terms, TrustedIssuers(*verifiers), cors=("*",))


def _cookie(keys):
    terms = Terms({ISSUER: [*keys.hmac, keys.edwards]}, [AUDIENCE], leeway=5)
    return _target("cookie", terms, _verifier(terms), cookie=COOKIE)


def _policy(keys):
    terms = Terms({ISSUER: [*keys.hmac, keys.elliptic[0]]}, [AUDIENCE], leeway=5)
    return _target(
        "policy",
        terms,
        _verifier(terms),
        lines=LINES,
        render=problem_details,
        realm="a realm, with commas",
    )


def _cors(keys):
    terms = Terms({ISSUER: [keys.secret]}, [AUDIENCE], leeway=5)
    return _target("CORS", terms, _verifier(terms), lines=LINES, cors=ORIGINS)


def _open(keys):
    """Accept any issuer. A validator trips over tokens without ``jti``."""
    trusted = [keys.hmac[0], keys.rsa[0], keys.elliptic[0], keys.edwards]
    terms = Terms({None: trusted}, None, leeway=5, required=("jti",), types=("jwt", "dpop+jwt"))

    def validate(token):
        token.id.encode("utf-8", "surrogatepass")

    options = {
        "types": ["JWT", "application/dpop+jwt"],
        "require": [],
        "validators": [validate],
        "cache_size": 8,
    }
    return _target("any issuer", terms, _verifier(terms, issuer=None, **options))


def _revocations(keys, rng, *, fails_open):
    terms = Terms(
        {ISSUER: [keys.secret, keys.elliptic[0]]}, [AUDIENCE], leeway=5, required=("exp", "jti")
    )
    inner = MemoryStore(clock=lambda: NOW)
    ids = Verifier(_sources([keys.secret])[0], issuer=ISSUER, audience=AUDIENCE, clock=lambda: NOW)
    for number in REVOKED_IDS:
        claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 600, "jti": number}
        Revocations(inner, clock=lambda: NOW).revoke(
            ids.verify(good_token(rng, keys.secret, claims).text)
        )
    store = HostileStore(inner, rng, honesty=0.7)
    ticks = iter(range(NOW, NOW + 10**9))
    revocations = Revocations(
        store,
        on_failure="allow" if fails_open else "refuse",
        max_staleness=5 if fails_open else 0,
        on_event=lambda event: None,
        # Each look at the clock is a second later, so that a failed store is soon asked again.
        clock=lambda: next(ticks),
    )
    return _target(
        "fails open" if fails_open else "fails closed",
        terms,
        _verifier(terms, revocations=revocations),
        store=store,
        fails_open=fails_open,
    )


def _target(
    name,
    terms,
    verifier,
    *,
    lines=(),
    cookie=None,
    cors=None,
    store=None,
    fails_open=False,
    **options,
):
    probe = Probe()
    app = JWTMiddleware(
        probe,
        verifier,
        policy=Policy(*map(_rule, lines)),
        cors=None if cors is None else CORS(cors, credentials="*" not in cors),
        credential=from_header if cookie is None else from_cookie(cookie, trusted_origins=ORIGINS),
        on_event=probe.on_event,
        **options,
    )
    return Target(name, terms, app, probe, lines, cookie, cors, store, fails_open)


def _verifier(terms, **options):
    (issuer, trusted), *_ = terms.keys.items()
    usual = {
        "issuer": issuer,
        "audience": terms.audience,
        "leeway": terms.leeway,
        "clock": lambda: NOW,
    }
    return Verifier(_sources(trusted), **(usual | {"require": terms.required} | options))


def _rule(line):
    if line.kind != "require":
        return _EASY[line.kind](*line.paths, methods=line.methods)
    check = None if line.subject is None else (lambda token, environ: token.subject == line.subject)
    options = {"methods": line.methods, "scopes": line.scopes, "any_scope": line.any_scope}
    return require(*line.paths, check=check, **options)


def _sources(signers):
    """Return key sources: secrets, and PEM keys or, for three key pairs or more, a JWK set."""
    secrets = [signer for signer in signers if isinstance(signer.public, bytes)]
    pairs = [signer for signer in signers if signer not in secrets]
    sources = [
        SecretKey(each.private, algorithm=each.algorithm, key_id=each.key_id) for each in secrets
    ]
    if len(pairs) < 3:
        return sources + [
            PublicKey(each.pem, algorithm=each.algorithm, key_id=each.key_id) for each in pairs
        ]
    members = [
        imported(each).as_dict(private=False) | {"kid": each.key_id, "alg": each.algorithm}
        for each in pairs
    ]
    return [*sources, JWKSet(json.dumps({"keys": members}))]
