"""JOSE: tokens, keys and signatures. Only this folder imports PyJWT and cryptography."""

from jwt_middleware.jose.compact import Header, normalize_type, parse_claims, parse_compact
from jwt_middleware.jose.encoding import decode_base64url, parse_json_object
from jwt_middleware.jose.generate import generate_private_pem
from jwt_middleware.jose.signatures import (
    ALGORITHMS,
    ASYMMETRIC,
    HMAC,
    Key,
    derive_secret,
    material_from_jwk,
    material_from_pem,
    public_jwk,
    public_pem,
    sign,
)

__all__ = [
    "ALGORITHMS",
    "ASYMMETRIC",
    "HMAC",
    "Header",
    "Key",
    "decode_base64url",
    "derive_secret",
    "generate_private_pem",
    "material_from_jwk",
    "material_from_pem",
    "normalize_type",
    "parse_claims",
    "parse_compact",
    "parse_json_object",
    "public_jwk",
    "public_pem",
    "sign",
]
