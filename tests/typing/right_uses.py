"""What type checkers say of correct programs. `make check` runs mypy on this file; nothing runs it.

Each `assert_type` fails if the type that users see has changed.
"""

from collections.abc import Callable, Iterable
from typing import Any, assert_type
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.wrappers import Response

from jwt_middleware import (
    CORS,
    AccessToken,
    AuthError,
    InsufficientScope,
    InvalidToken,
    JWKSet,
    JWTMiddleware,
    KeySetStatus,
    MemoryStore,
    Policy,
    PrivateKey,
    PublicKey,
    RedisStore,
    RemoteJWKSet,
    Revocations,
    SecretKey,
    SQLiteStore,
    Store,
    TokenCookies,
    TokenIssuer,
    TrustedIssuers,
    Verifier,
    delegate,
    first_of,
    from_cookie,
    from_header,
    log_events,
    optional,
    problem_details,
    protected,
    public,
    render_json,
    require,
    token_from,
)
from jwt_middleware.events import Event, RequestRejected
from jwt_middleware.integrations import flask as flask_jwt
from jwt_middleware.integrations.flask import JWT, current_token, public_view
from jwt_middleware.validators import claim_contains, claim_is, rfc9068


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Any WSGI application."""
    token = token_from(environ)
    assert_type(token, AccessToken)
    start_response("200 OK", [])
    return [str(token.subject).encode()]


def use_token(token: AccessToken) -> None:
    """All attributes of a token."""
    assert_type(token.claims, dict[str, Any])
    assert_type(token.header, dict[str, Any])
    assert_type(token.get("tenant"), Any)
    assert_type(token.strings("roles"), tuple[str, ...])
    assert_type(token.issuer, str | None)
    assert_type(token.subject, str | None)
    assert_type(token.audience, tuple[str, ...])
    assert_type(token.id, str | None)
    assert_type(token.client_id, str | None)
    assert_type(token.issued_at, float | None)
    assert_type(token.expires_at, float | None)
    assert_type(token.scopes, frozenset[str])


def make_keys(secret: bytes, pem: str, document: dict[str, Any]) -> None:
    """Keys of each kind, one or several to a verifier."""
    key = PrivateKey(pem, algorithm="ES256", key_id="2026")
    assert_type(key.public_key(), PublicKey)
    remote = RemoteJWKSet.discover("https://id.example.com", max_age=300, cooldown=10)
    assert_type(remote, RemoteJWKSet)
    assert_type(remote.ready(), bool)
    assert_type(remote.status(), KeySetStatus)
    Verifier(SecretKey(secret), issuer=None, audience=None)
    Verifier([key.public_key(), JWKSet(document), remote], issuer="a", audience=["b", "c"])


def make_stores(issuer_key: SecretKey, path: str) -> None:
    """Each store is a `Store`, and so is a class of your own with the four methods."""
    stores: list[Store] = [MemoryStore(), SQLiteStore(path), RedisStore("redis://localhost")]
    for store in stores:
        Revocations(store, on_failure="allow", max_staleness=5)
        TokenIssuer(issuer_key, issuer="a", audience="b", store=store)


def issue(issuer: TokenIssuer) -> None:
    """Everything that an issuer returns."""
    assert_type(issuer.access_token("alice", scopes=["a"], claims={"n": 1}), str)
    granted = issuer.grant("alice", scopes=("a",), client_id="web")
    assert_type(granted, dict[str, Any])
    assert_type(issuer.refresh(granted["refresh_token"]), dict[str, Any])
    assert_type(issuer.jwks(), dict[str, list[dict[str, Any]]])
    assert_type(issuer.access_ttl, int)


def reload(
    subject: str, scopes: list[str], claims: dict[str, Any]
) -> tuple[list[str], dict[str, Any]] | None:
    """Return the present scopes and claims of a session."""
    return (scopes, claims) if subject else None


def is_admin(token: AccessToken, environ: WSGIEnvironment) -> bool:
    """Use as `check`."""
    return "admin" in token.strings("roles")


def known_tenant(token: AccessToken) -> None:
    """Use as a validator."""
    if token.get("tenant") != "acme":
        raise InvalidToken("claim_invalid", claim="tenant")


def from_api_key(environ: WSGIEnvironment) -> str | None:
    """Use as `credential`."""
    return environ.get("HTTP_X_API_KEY") or from_header(environ)


def render(error: AuthError, environ: WSGIEnvironment) -> Response:
    """Use as `render`."""
    assert_type(error.reason, str)
    assert_type(error.status, int)
    assert_type(error.claim, str | None)
    assert_type(error.scopes, tuple[str, ...])
    assert_type(error.retry_after, int | None)
    assert_type(error.challenge(), str | None)
    return problem_details(error, environ) if error.status == 403 else render_json(error, environ)


def on_event(event: Event) -> None:
    """Use as `on_event`."""
    assert_type(event.level, int)
    if isinstance(event, RequestRejected):
        assert_type(event.reason, str)
    log_events(event)


def wrap(key: SecretKey, store: Store) -> None:
    """All callables together. A middleware is a WSGI application again."""
    issuer = TokenIssuer(
        key, issuer="a", audience="b", store=store, reload=reload, on_event=on_event
    )
    issue(issuer)
    verifier = Verifier(
        key,
        issuer="a",
        audience="b",
        validators=[rfc9068, claim_is("a", 1), claim_contains("roles", "user"), known_tenant],
        revocations=Revocations(store),
    )
    assert_type(verifier.verify("text"), AccessToken)
    policy = Policy(
        public("/health"),
        optional("/", methods=["GET"]),
        delegate("/mcp"),
        require("/admin/*", any_scope={"a", "b"}, check=is_admin),
        require("/never", check=lambda token, environ: token.subject is None),
    )
    assert_type(policy.explain("GET", "/"), str)
    wrapped: WSGIApplication = JWTMiddleware(
        app,
        TrustedIssuers(verifier),
        policy=policy,
        cors=CORS(["https://app.example.com"]),
        credential=from_api_key,
        realm="shop",
        render=render,
        on_event=on_event,
    )
    JWTMiddleware(wrapped, verifier, credential=from_cookie("__Host-token"))
    cookies = TokenCookies(same_site="Strict", trusted_origins=["https://app.example.com"])
    JWTMiddleware(wrapped, verifier, credential=first_of(from_header, cookies.credential))
    assert_type(cookies.clear_headers(), list[tuple[str, str]])
    extractor: Callable[[WSGIEnvironment], str | None] = from_header
    JWTMiddleware(wrapped, verifier, credential=extractor)
    assert_type(protected(scopes=["a"], check=is_admin)(app), WSGIApplication)


def refuse() -> None:
    """An error of a view."""
    error = InsufficientScope(scopes=["orders:delete"])
    answer: WSGIApplication = error
    assert_type(answer, WSGIApplication)
    raise error


@public_view
def opened() -> str:
    """A decorated view keeps its type."""
    return "open"


@flask_jwt.protected(
    scopes=["orders:write"], check=lambda token, environ: token.subject is not None
)
def delete_order(number: int) -> dict[str, int]:
    """Views with arguments too."""
    assert_type(current_token.subject, str | None)
    return {"deleted": number}


def use_flask(verifier: Verifier) -> None:
    """The adapter for Flask takes the arguments of the middleware."""
    JWT(Flask("app"), verifier, load_user=lambda token: token.subject, realm="orders")
    assert_type(opened(), str)
    assert_type(delete_order(7), dict[str, int])
