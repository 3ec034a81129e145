"""Keys and signatures. PyJWT reads keys and signs, and cryptography checks signatures.

Checking through PyJWT would take 1 to 6 µs more.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt import PyJWK, PyJWTError
from jwt.algorithms import Algorithm, get_default_algorithms

from jwt_middleware.jose.encoding import encode_base64url

HMAC: Final = ("HS256", "HS384", "HS512")
ASYMMETRIC: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
# RFC 9864 §2.2 replaces the name EdDSA, which had several meanings. Both mean Ed25519 here.
_IMPLEMENTED = get_default_algorithms()
ALGORITHMS: Final[Mapping[str, Algorithm]] = {
    name: _IMPLEMENTED["EdDSA" if name == "Ed25519" else name] for name in HMAC + ASYMMETRIC
}

_MATERIAL_TYPES: Final = {
    "RS": (rsa.RSAPrivateKey, rsa.RSAPublicKey),
    "PS": (rsa.RSAPrivateKey, rsa.RSAPublicKey),
    "ES": (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey),
    "Ed": (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey),
}


class Key(NamedTuple):
    """Key material for exactly one algorithm, so that no token can choose another.

    `issuer` is the only issuer whose tokens the key may sign, if its JWK has that member, as in
    Microsoft Entra ID. ``{tenantid}`` in it stands for the token's ``tid``.
    """

    algorithm: str
    key_id: str | None
    material: Any
    issuer: str | None = None

    def __repr__(self) -> str:
        return f"Key({self.algorithm!r}, {self.key_id!r})"

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Tell whether this key made the signature."""
        try:
            _checker(self.algorithm)(self.material, signing_input, signature)
        except InvalidSignature:
            return False
        return True

    def may_sign(self, claims: Mapping[str, Any]) -> bool:
        """Tell whether this key may sign tokens of the issuer in the claims."""
        return self.issuer is None or self.issuer.replace(
            "{tenantid}", str(claims.get("tid"))
        ) == claims.get("iss")


# Takes a key's material, the signing input and the signature; raises InvalidSignature.
_Check = Callable[[Any, bytes, bytes], None]


@cache
def _checker(algorithm: str) -> _Check:
    """Return the function that checks signatures of an algorithm (RFC 7518 §3)."""
    kind, bits = algorithm[:2], algorithm[2:]
    if kind == "Ed":
        return _check_eddsa
    if kind == "HS":
        return _check_hmac(f"sha{bits}")
    digests: dict[str, Callable[[], hashes.HashAlgorithm]] = {
        "256": hashes.SHA256,
        "384": hashes.SHA384,
        "512": hashes.SHA512,
    }
    digest = digests[bits]()
    if kind == "ES":
        return _check_ecdsa(ec.ECDSA(digest), {"256": 32, "384": 48, "512": 66}[bits])
    if kind == "PS":
        return _check_rsa(
            padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size), digest
        )
    return _check_rsa(padding.PKCS1v15(), digest)


def _check_eddsa(material: Any, signing_input: bytes, signature: bytes) -> None:
    material.verify(signature, signing_input)


def _check_hmac(digest: str) -> _Check:
    def check(material: Any, signing_input: bytes, signature: bytes) -> None:
        if not hmac.compare_digest(hmac.digest(material, signing_input, digest), signature):
            raise InvalidSignature

    return check


def _check_rsa(scheme: padding.AsymmetricPadding, digest: hashes.HashAlgorithm) -> _Check:
    def check(material: Any, signing_input: bytes, signature: bytes) -> None:
        material.verify(signature, signing_input, scheme, digest)

    return check


def _check_ecdsa(scheme: ec.ECDSA, size: int) -> _Check:
    def check(material: Any, signing_input: bytes, signature: bytes) -> None:
        # RFC 7518 §3.4: both numbers have full length. Otherwise one signature would have several
        # spellings.
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
        material.verify(encode_dss_signature(r, s), signing_input, scheme)

    return check


def sign(claims: Mapping[str, Any], key: Key, *, typ: str) -> str:
    """Return the claims as a compact JWS, signed with a secret or private key."""
    header = {"alg": key.algorithm, "typ": typ} | (
        {"kid": key.key_id} if key.key_id is not None else {}
    )
    signing_input = b".".join(
        encode_base64url(json.dumps(part, separators=(",", ":"), allow_nan=False))
        for part in (header, claims)
    )
    signature = ALGORITHMS[key.algorithm].sign(signing_input, key.material)
    return (signing_input + b"." + encode_base64url(signature)).decode()


def material_from_pem(pem: bytes, algorithm: str) -> Any:
    """Load a PEM key for an asymmetric algorithm. Raises ValueError if that is not possible."""
    try:
        material = ALGORITHMS[algorithm].prepare_key(pem)
    except (PyJWTError, UnsupportedAlgorithm, TypeError, ValueError) as exc:
        raise ValueError(f"it does not contain a key that {algorithm} can use") from exc
    # Older releases of PyJWT accept any key for RSA.
    if not isinstance(material, _MATERIAL_TYPES[algorithm[:2]]):
        raise ValueError(f"it is not a key for {algorithm}")
    return material


def material_from_jwk(jwk: Mapping[str, Any], algorithm: str) -> Any:
    """Load a JWK (RFC 7517) whose members are base64url strings. Raises ValueError."""
    try:
        return PyJWK(dict(jwk), "EdDSA" if algorithm == "Ed25519" else algorithm).key
    except (PyJWTError, UnsupportedAlgorithm, KeyError, TypeError, ValueError) as exc:
        raise ValueError("its members are not a valid key") from exc


def public_pem(key: Key) -> bytes:
    """Return the public key of an asymmetric key as PEM."""
    pem: bytes = key.material.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def public_jwk(key: Key) -> dict[str, Any]:
    """Return the public key of an asymmetric key as a JWK to publish."""
    public = key.material.public_key() if hasattr(key.material, "public_key") else key.material
    members = ALGORITHMS[key.algorithm].to_jwk(public, as_dict=True)
    members |= {"alg": key.algorithm, "use": "sig"} | (
        {"kid": key.key_id} if key.key_id is not None else {}
    )
    # PyJWT adds key_ops to some types. RFC 7517 §4.3 advises against key_ops together with `use`.
    return {name: value for name, value in members.items() if name != "key_ops"}


def derive_secret(key: Key, purpose: str) -> Key:
    """Return an HS256 key for one purpose, derived from a secret or private key."""
    if isinstance(key.material, bytes):
        secret: bytes = key.material
    else:
        secret = key.material.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Key(
        "HS256", key.key_id, hmac.digest(secret, f"jwt_middleware {purpose}".encode(), "sha256")
    )
