"""Keys to verify and to sign with: local ones, and those of an identity provider."""

from typing import TYPE_CHECKING

from jwt_middleware._lazy import lazy_names

if TYPE_CHECKING:
    from jwt_middleware.keys.fetch import Fetch, Fetched, fetch_document
    from jwt_middleware.keys.key_set import CombinedKeySource, KeySet, KeySource, StaticKeySource
    from jwt_middleware.keys.local import JWKSet, PrivateKey, PublicKey, SecretKey, check_key_count
    from jwt_middleware.keys.refreshing import KeySetState
    from jwt_middleware.keys.remote import KeySetStatus, RemoteJWKSet

__all__ = [
    "CombinedKeySource",
    "Fetch",
    "Fetched",
    "JWKSet",
    "KeySet",
    "KeySetState",
    "KeySetStatus",
    "KeySource",
    "PrivateKey",
    "PublicKey",
    "RemoteJWKSet",
    "SecretKey",
    "StaticKeySource",
    "check_key_count",
    "fetch_document",
]

__getattr__ = lazy_names(
    __name__,
    {
        "fetch": ("Fetch", "Fetched", "fetch_document"),
        "key_set": ("CombinedKeySource", "KeySet", "KeySource", "StaticKeySource"),
        "local": ("JWKSet", "PrivateKey", "PublicKey", "SecretKey", "check_key_count"),
        "refreshing": ("KeySetState",),
        "remote": ("KeySetStatus", "RemoteJWKSet"),
    },
)
