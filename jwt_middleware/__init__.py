"""JWT authentication for every WSGI application.

    from jwt_middleware import JWTMiddleware, SecretKey, Verifier

    verifier = Verifier(
        SecretKey(secret), issuer="https://id.example.com", audience="https://api.example.com"
    )
    app = JWTMiddleware(app, verifier)

Every request that reaches `app` now has verified claims in ``environ["jwt_middleware.claims"]``.
The middleware answers every other request with a correct 401, 403, 400 or 503.
"""

from typing import TYPE_CHECKING

from jwt_middleware._lazy import lazy_names

if TYPE_CHECKING:
    from jwt_middleware.arguments import ConfigurationError
    from jwt_middleware.cookies import TokenCookies, from_cookie
    from jwt_middleware.cors import CORS
    from jwt_middleware.credentials import first_of, from_header
    from jwt_middleware.errors import (
        AccessDenied,
        AmbiguousPath,
        AuthError,
        CrossSiteRequest,
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
    from jwt_middleware.issuing import TokenIssuer
    from jwt_middleware.jose import ASYMMETRIC
    from jwt_middleware.keys import (
        Fetched,
        JWKSet,
        KeySetState,
        KeySetStatus,
        PrivateKey,
        PublicKey,
        RemoteJWKSet,
        SecretKey,
        fetch_document,
    )
    from jwt_middleware.middleware import JWTMiddleware
    from jwt_middleware.policy import Policy, delegate, optional, protected, public, require
    from jwt_middleware.propagation import PropagateIdentity
    from jwt_middleware.responses import draining, problem_details, render_json
    from jwt_middleware.revocations import Revocations
    from jwt_middleware.stores import MemoryStore, RedisStore, SQLiteStore, Store, StoreError
    from jwt_middleware.tokens import AccessToken, token_from
    from jwt_middleware.trusted_issuers import TrustedIssuers
    from jwt_middleware.verifier import Verifier

__version__ = "0.1.0"

__all__ = [
    "ASYMMETRIC",
    "CORS",
    "AccessDenied",
    "AccessToken",
    "AmbiguousPath",
    "AuthError",
    "ConfigurationError",
    "CrossSiteRequest",
    "ExpiredToken",
    "Fetched",
    "InsufficientScope",
    "InvalidGrant",
    "InvalidRequest",
    "InvalidToken",
    "JWKSet",
    "JWTMiddleware",
    "KeySetState",
    "KeySetStatus",
    "MemoryStore",
    "MissingToken",
    "OriginNotAllowed",
    "Policy",
    "PrivateKey",
    "PropagateIdentity",
    "PublicKey",
    "RedisStore",
    "RemoteJWKSet",
    "Revocations",
    "RevokedToken",
    "SQLiteStore",
    "SecretKey",
    "Store",
    "StoreError",
    "TokenCookies",
    "TokenIssuer",
    "TrustedIssuers",
    "Unavailable",
    "Verifier",
    "delegate",
    "draining",
    "fetch_document",
    "first_of",
    "from_cookie",
    "from_header",
    "log_events",
    "optional",
    "problem_details",
    "protected",
    "public",
    "render_json",
    "require",
    "token_from",
]

__getattr__ = lazy_names(
    __name__,
    {
        "arguments": ("ConfigurationError",),
        "cookies": ("TokenCookies", "from_cookie"),
        "cors": ("CORS",),
        "credentials": ("first_of", "from_header"),
        "errors": (
            "AccessDenied",
            "AmbiguousPath",
            "AuthError",
            "CrossSiteRequest",
            "ExpiredToken",
            "InsufficientScope",
            "InvalidGrant",
            "InvalidRequest",
            "InvalidToken",
            "MissingToken",
            "OriginNotAllowed",
            "RevokedToken",
            "Unavailable",
        ),
        "events": ("log_events",),
        "issuing": ("TokenIssuer",),
        "jose": ("ASYMMETRIC",),
        "keys": (
            "Fetched",
            "JWKSet",
            "KeySetState",
            "KeySetStatus",
            "PrivateKey",
            "PublicKey",
            "RemoteJWKSet",
            "SecretKey",
            "fetch_document",
        ),
        "middleware": ("JWTMiddleware",),
        "policy": ("Policy", "delegate", "optional", "protected", "public", "require"),
        "propagation": ("PropagateIdentity",),
        "responses": ("draining", "problem_details", "render_json"),
        "revocations": ("Revocations",),
        "stores": ("MemoryStore", "RedisStore", "SQLiteStore", "Store", "StoreError"),
        "tokens": ("AccessToken", "token_from"),
        "trusted_issuers": ("TrustedIssuers",),
        "verifier": ("Verifier",),
    },
)
