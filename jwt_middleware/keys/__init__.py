"""Keys to verify and to sign with: local ones, and those of an identity provider."""

from typing import TYPE_CHECKING

from jwt_middleware._lazy import lazy_names

if TYPE_CHECKING:
    from jwt_middleware.keys.fetch import Fetch, Fetched, fetch_document
    from jwt_middleware.keys.key_set import KeyAtHand, KeyRing, KeySource, MergedKeys
    from jwt_middleware.keys.local import JWKSet, PrivateKey, PublicKey, SecretKey, too_many_faults
    from jwt_middleware.keys.refreshing import Freshness
    from jwt_middleware.keys.remote import KeySetStatus, RemoteJWKSet

__all__ = [
    "Fetch",
    "Fetched",
    "Freshness",
    "JWKSet",
    "KeyAtHand",
    "KeyRing",
    "KeySetStatus",
    "KeySource",
    "MergedKeys",
    "PrivateKey",
    "PublicKey",
    "RemoteJWKSet",
    "SecretKey",
    "fetch_document",
    "too_many_faults",
]

__getattr__ = lazy_names(
    __name__,
    {
        "fetch": ("Fetch", "Fetched", "fetch_document"),
        "key_set": ("KeyAtHand", "KeyRing", "KeySource", "MergedKeys"),
        "local": ("JWKSet", "PrivateKey", "PublicKey", "SecretKey", "too_many_faults"),
        "refreshing": ("Freshness",),
        "remote": ("KeySetStatus", "RemoteJWKSet"),
    },
)
