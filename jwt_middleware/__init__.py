"""JWT authentication for every WSGI application.

    from jwt_middleware import JWTMiddleware, SecretKey, Verifier

    verifier = Verifier(SecretKey(secret), issuer="https://id.example.com", audience="https://api.example.com")
    app = JWTMiddleware(app, verifier)

Every request that reaches `app` now carries verified claims in ``environ["jwt_middleware.claims"]``; every
other request was answered with a correct 401, 403, 400 or 503.
"""

from jwt_middleware.cors import CORS
from jwt_middleware.credentials import from_cookie, from_header
from jwt_middleware.errors import (
    AccessDenied,
    AmbiguousPath,
    AuthError,
    ExpiredToken,
    InsufficientScope,
    InvalidGrant,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    OriginNotAllowed,
    RevokedToken,
    Unavailable,
)
from jwt_middleware.events import log_events
from jwt_middleware.faults import ConfigurationError
from jwt_middleware.fetch import Fetched, fetch_document
from jwt_middleware.issuer import TokenIssuer
from jwt_middleware.jose import ASYMMETRIC
from jwt_middleware.jwks import KeySetStatus, RemoteJWKSet
from jwt_middleware.keys import JWKSet, PrivateKey, PublicKey, SecretKey
from jwt_middleware.middleware import JWTMiddleware
from jwt_middleware.policy import Policy
from jwt_middleware.redis_store import RedisStore
from jwt_middleware.refresh import Freshness
from jwt_middleware.responses import problem_details, render_json
from jwt_middleware.revocation import Revocations
from jwt_middleware.rules import delegate, optional, public, require
from jwt_middleware.sqlite_store import SQLiteStore
from jwt_middleware.stores import MemoryStore, Store, StoreError
from jwt_middleware.tokens import AccessToken, token_from
from jwt_middleware.verifier import TrustedIssuers, Verifier

__version__ = "0.1.0"

__all__ = [
    "ASYMMETRIC",
    "CORS",
    "AccessDenied",
    "AccessToken",
    "AmbiguousPath",
    "AuthError",
    "ConfigurationError",
    "ExpiredToken",
    "Fetched",
    "Freshness",
    "InsufficientScope",
    "InvalidGrant",
    "InvalidRequest",
    "InvalidToken",
    "JWKSet",
    "JWTMiddleware",
    "KeySetStatus",
    "MemoryStore",
    "MissingToken",
    "OriginNotAllowed",
    "Policy",
    "PrivateKey",
    "PublicKey",
    "RedisStore",
    "RemoteJWKSet",
    "Revocations",
    "RevokedToken",
    "SQLiteStore",
    "SecretKey",
    "Store",
    "StoreError",
    "TokenIssuer",
    "TrustedIssuers",
    "Unavailable",
    "Verifier",
    "delegate",
    "fetch_document",
    "from_cookie",
    "from_header",
    "log_events",
    "optional",
    "problem_details",
    "public",
    "render_json",
    "require",
    "token_from",
]
