"""The only door to PyJWT: strict compact parsing, key material, signing and checking signatures.

Parsing is our own, because `jwt.decode` walks every base64 character in Python before it looks at the
signature, accepts several spellings of one token, and admits duplicate members and NaN. PyJWT reads keys and
signs. Signatures are checked with cryptography directly, which PyJWT calls with 1 to 6 µs of its own on top.
"""

import binascii
import hmac
import json
import math
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from string import ascii_letters, digits
from typing import Any, Final, NamedTuple, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt import PyJWK, PyJWTError
from jwt.algorithms import Algorithm, get_default_algorithms

from jwt_middleware.errors import InvalidRequest, InvalidToken

HMAC: Final = ("HS256", "HS384", "HS512")
ASYMMETRIC: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
# RFC 9864 §2.2 replaces the polymorphic name EdDSA by Ed25519; both mean Ed25519 here.
_IMPLEMENTED = get_default_algorithms()
ALGORITHMS: Final[Mapping[str, Algorithm]] = {
    name: _IMPLEMENTED["EdDSA" if name == "Ed25519" else name] for name in HMAC + ASYMMETRIC
}

_MATERIAL: Final = {
    "RS": (rsa.RSAPrivateKey, rsa.RSAPublicKey),
    "PS": (rsa.RSAPrivateKey, rsa.RSAPublicKey),
    "ES": (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey),
    "Ed": (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey),
}
_MAX_DEPTH: Final = 32
# RFC 6750 §2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
_B64TOKEN = (ascii_letters + digits + "-._~+/").encode()
# From base64url to what binascii reads; the characters of plain base64 become NUL, which strict mode refuses.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/\0\0\0")
_TO_URL = bytes.maketrans(b"+/", b"-_")
# RFC 4648 §3.5: the unused bits of the last character must be zero, or one token has many spellings.
_ALLOWED_END = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
_PADDING = (b"", b"", b"==", b"=")


class Header(NamedTuple):
    """A JOSE header of the right form; whether its values are acceptable is the verifier's question.

    `algorithm` and `type` are empty where the member is no string. `type` is normalized.
    """

    members: Mapping[str, Any]
    algorithm: str
    key_id: str | None
    type: str | None


class Key(NamedTuple):
    """Key material for exactly one algorithm, so that no token can choose another.

    `issuer` is whose tokens it is good for, where its JWK says so, as those of Microsoft Entra ID do; with
    ``{tenantid}`` for the token's ``tid``.
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
            _check_of(self.algorithm)(self.material, signing_input, signature)
        except InvalidSignature:
            return False
        return True

    def vouches_for(self, claims: Mapping[str, Any]) -> bool:
        """Tell whether this key may sign such claims."""
        return self.issuer is None or self.issuer.replace("{tenantid}", str(claims.get("tid"))) == claims.get("iss")


# Takes a key's material, the signing input and the signature; raises InvalidSignature.
_Check = Callable[[Any, bytes, bytes], None]


@cache
def _check_of(algorithm: str) -> _Check:
    """Return the function that checks signatures of an algorithm (RFC 7518 §3), made when it is first needed."""
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
        return _check_rsa(padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size), digest)
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
        # RFC 7518 §3.4: both numbers in full length, or one signature would have several spellings.
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
        material.verify(encode_dss_signature(r, s), signing_input, scheme)

    return check


def parse_compact(raw: str) -> tuple[Header, bytes, bytes, bytes]:
    """Take a compact JWS (RFC 7515 §7.1) apart: three canonical base64url segments, the first a JOSE header.

    Returns header, payload, signing input and signature; nothing of it is verified.
    Raises `InvalidRequest` for text that is no bearer token by RFC 6750's grammar, `InvalidToken` for
    anything else that is not a JWS.
    """
    try:
        signing_input, _, signature = raw.encode("ascii").rpartition(b".")
        header, dot, payload = signing_input.partition(b".")
        # A surplus segment leaves a payload with a dot in it, which is no base64url.
        if not dot:
            raise ValueError("fewer than three segments")
        return _parse_header(header), _decode(payload), signing_input, _decode(signature)
    except ValueError as exc:
        if not _is_b64token(raw):
            raise InvalidRequest("credentials_malformed") from exc
        raise InvalidToken("token_malformed") from exc


def parse_claims(payload: bytes) -> dict[str, Any]:
    """Return the claims set that a payload holds; raises `InvalidToken` if it is no strict JSON object."""
    try:
        return parse_json_object(payload)
    except ValueError as exc:
        raise InvalidToken("token_malformed") from exc


def parse_json_object(data: bytes) -> dict[str, Any]:
    """Parse a JSON object as I-JSON (RFC 7493) wants it, which is what JSON parsers agree on.

    Raises ValueError for anything else: another encoding than UTF-8, a byte order mark, duplicate members
    at any depth, NaN and infinities, lone surrogates, more than 32 levels.
    """
    text = str(data, "utf-8").strip(" \t\r\n")
    try:
        value, end = _JSON.raw_decode(text)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
    if type(value) is not dict or end != len(text):
        raise ValueError("not a JSON object")
    if text.count("[") + text.count("{") > _MAX_DEPTH:
        _check_depth(value, _MAX_DEPTH)
    if "\\" in text and "\\u" in text:
        # An escaped lone surrogate makes a str that no encoder downstream accepts.
        json.dumps(value, ensure_ascii=False).encode()
    return value


def sign(claims: Mapping[str, Any], key: Key, *, typ: str) -> str:
    """Return the claims as a compact JWS, signed with a secret or private key."""
    header = {"alg": key.algorithm, "typ": typ} | ({"kid": key.key_id} if key.key_id is not None else {})
    signing_input = b".".join(_encode(json.dumps(part, separators=(",", ":"), allow_nan=False)) for part in (header, claims))
    signature = ALGORITHMS[key.algorithm].sign(signing_input, key.material)
    return (signing_input + b"." + _encode(signature)).decode()


def material_from_pem(pem: bytes, algorithm: str) -> Any:
    """Load a PEM key for an asymmetric algorithm; raises ValueError, also for an encrypted or foreign key."""
    try:
        material = ALGORITHMS[algorithm].prepare_key(pem)
    except (PyJWTError, UnsupportedAlgorithm, TypeError, ValueError) as exc:
        raise ValueError(f"no {algorithm} key can be read from it") from exc
    # Older releases of PyJWT take any key for RSA.
    if not isinstance(material, _MATERIAL[algorithm[:2]]):
        raise ValueError(f"it is no key for {algorithm}")
    return material


def material_from_jwk(jwk: Mapping[str, Any], algorithm: str) -> Any:
    """Load a JWK (RFC 7517) whose members are base64url strings; raises ValueError."""
    try:
        return PyJWK(dict(jwk), "EdDSA" if algorithm == "Ed25519" else algorithm).key
    except (PyJWTError, UnsupportedAlgorithm, KeyError, TypeError, ValueError) as exc:
        raise ValueError("its members are not a valid key") from exc


def public_pem(key: Key) -> bytes:
    """Return the public half of an asymmetric key as PEM."""
    pem: bytes = key.material.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def public_jwk(key: Key) -> dict[str, Any]:
    """Return the public half of an asymmetric key as a JWK to publish."""
    public = key.material.public_key() if hasattr(key.material, "public_key") else key.material
    members = ALGORITHMS[key.algorithm].to_jwk(public, as_dict=True)
    members |= {"alg": key.algorithm, "use": "sig"} | ({"kid": key.key_id} if key.key_id is not None else {})
    # PyJWT adds key_ops to some types; RFC 7517 §4.3 advises against having it beside `use`.
    return {name: value for name, value in members.items() if name != "key_ops"}


def derive_secret(key: Key, purpose: str) -> Key:
    """Return an HS256 key that only who holds this secret or private key can derive, another for each purpose."""
    if isinstance(key.material, bytes):
        secret: bytes = key.material
    else:
        secret = key.material.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Key("HS256", key.key_id, hmac.digest(secret, f"jwt_middleware {purpose}".encode(), "sha256"))


def decode_base64url(value: object) -> bytes:
    """Decode a canonical base64url string; raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError("not a string")
    return _decode(value.encode())


def _is_b64token(raw: str) -> bool:
    body = raw.rstrip("=")
    return bool(body) and body.isascii() and not body.encode().translate(None, _B64TOKEN)


def _decode(segment: bytes) -> bytes:
    rest = len(segment) % 4
    if rest and segment[-1] not in _ALLOWED_END[rest]:
        raise ValueError("not canonical base64url")
    return binascii.a2b_base64(segment.translate(_FROM_URL) + _PADDING[rest], strict_mode=True)


def _encode(data: bytes | str) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


# An issuer's tokens share their header segment, so parsing it once saves a fifth of an HS256 verification.
@lru_cache(maxsize=64)
def _parse_header(segment: bytes) -> Header:
    members = parse_json_object(_decode(segment))
    # RFC 7515 §4.1.11: what `crit` names must be understood, and nothing is. `b64` (RFC 7797) and `zip`
    # change what the signature covers; a parser that ignores them reads another token than its signer wrote.
    if not members.keys().isdisjoint(("crit", "b64", "zip")):
        raise InvalidToken("header_not_understood")
    if not isinstance(members.get("kid", ""), str):
        raise ValueError("kid is not a string")
    typ = normalize_type(_text(members["typ"])) if "typ" in members else None
    return Header(members, _text(members.get("alg")), members.get("kid"), typ)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def normalize_type(value: str) -> str:
    """Return a ``typ`` in the form in which types compare (RFC 7515 §4.1.9): lower case, without ``application/``."""
    return value.lower().removeprefix("application/")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # RFC 8725 §2.4 and RFC 7519 §4: two parsers may each see another of the two values.
        raise ValueError("duplicate member")
    return members


def _finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError("a number out of range")
    return value


def _refuse_constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not JSON")


def _check_depth(value: object, allowed: int) -> None:
    if isinstance(value, dict | list):
        if not allowed:
            raise ValueError("nested too deeply")
        for member in value.values() if isinstance(value, dict) else value:
            _check_depth(member, allowed - 1)


_JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant)
