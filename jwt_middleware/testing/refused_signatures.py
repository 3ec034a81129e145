"""Tokens with a wrong algorithm, key or signature, for `RefusalContract`."""

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from jwt_middleware.testing.der import certificate, der_of, der_signature
from jwt_middleware.testing.forging import Good, decode, segment

_JSON: Final = "application/json"
_ALGORITHM: Final = "List the algorithms that you accept, without none; compare them exactly."
_OWN_KEY: Final = "Verify with keys of your configuration only, never with a key of the token."
_ASYMMETRIC: Final = "Accept only the algorithm that belongs to the key, never that of the header."
_VERIFY: Final = "Verify the signature before you use anything of the token."
_HEADER: Final = "Check the types of the header's members, and answer errors with 401."


def _tampered(good: Good) -> str:
    header, payload, signature = good.token().split(".")
    claims = json.loads(decode(payload)) | {"sub": "administrator", "scope": "admin"}
    return f"{header}.{segment(claims)}.{signature}"


def _changed_header(good: Good) -> str:
    _, payload, signature = good.token().split(".")
    return f"{segment(good.header(note='changed'))}.{payload}.{signature}"


def _other_signature(good: Good) -> str:
    return good.token().rpartition(".")[0] + "." + good.token(jti="other").rpartition(".")[2]


def _swapped(signature: bytes) -> bytes:
    half = len(signature) // 2
    return signature[half:] + signature[:half]


def _data_url(document: str, kind: str = _JSON) -> str:
    # urllib opens such a URL without a socket.
    return f"data:{kind},{quote(document)}"


def _jku(good: Good) -> str:
    return good.forge(jku=_data_url(json.dumps(good.attacker.jwks())), kid="key-1")


def _x5u(good: Good) -> str:
    body = certificate(good.attacker.public_pem())
    pem = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    return good.forge(x5u=_data_url(pem, "application/x-pem-file"))


def _public_jwk(good: Good) -> dict[str, Any]:
    return good.issuer.jwks()["keys"][0]


# Each row: id, what is wrong with the token, what to do, how to make the token.
SIGNATURES: Final[list[tuple[str, str, str, Callable[[Good], str]]]] = [
    # No algorithm, or another one
    ("alg-none", "has alg none", _ALGORITHM, lambda good: good.unsigned(alg="none")),
    ("alg-none-title", "has alg None", _ALGORITHM, lambda good: good.unsigned(alg="None")),
    ("alg-none-upper", "has alg NONE", _ALGORITHM, lambda good: good.unsigned(alg="NONE")),
    ("alg-none-mixed", "has alg nOnE", _ALGORITHM, lambda good: good.unsigned(alg="nOnE")),
    (
        "alg-none-wide",
        "has alg none in full-width letters",
        _ALGORITHM,
        lambda good: good.unsigned(alg="\uff4e\uff4f\uff4e\uff45"),
    ),
    ("alg-none-blank", "has alg 'none '", _ALGORITHM, lambda good: good.unsigned(alg="none ")),
    (
        "alg-none-signed",
        "has alg none and a signature",
        _ALGORITHM,
        lambda good: good.unsigned(good.token().rpartition(".")[2], alg="none"),
    ),
    (
        "alg-none-issuer-signed",
        "has alg none and a signature of the issuer",
        _ALGORITHM,
        lambda good: good.sign(good.header(alg="none"), good.claims()),
    ),
    ("alg-empty", "has an empty alg", _ALGORITHM, lambda good: good.unsigned(alg="")),
    ("alg-null", "has alg null", _ALGORITHM, lambda good: good.unsigned(alg=None)),
    ("alg-missing", "has no alg", _ALGORITHM, lambda good: good.sign({}, good.claims())),
    ("alg-list", "has a list as alg", _HEADER, lambda good: good.unsigned("AAAA", alg=["none"])),
    ("alg-number", "has a number as alg", _HEADER, lambda good: good.unsigned("AAAA", alg=256)),
    ("alg-unknown", "has an unknown alg", _ALGORITHM, lambda good: good.forge(alg="XX999")),
    (
        "alg-lower-case",
        "has its alg in lower case",
        _ALGORITHM,
        lambda good: good.sign(good.header(alg=good.algorithm.lower()), good.claims()),
    ),
    (
        "alg-of-other-key-type",
        "has the alg of another type of key",
        _ASYMMETRIC,
        lambda good: good.forge(alg="RS256" if good.algorithm[:2] != "RS" else "ES256"),
    ),
    # A public key as secret
    (
        "hmac-with-pem",
        "is signed with HS256 and the public key in PEM form as secret",
        _ASYMMETRIC,
        lambda good: good.hmac(good.issuer.public_pem().encode()),
    ),
    (
        "hmac-with-pem-stripped",
        "is signed with HS256 and the public key in PEM form as secret",
        _ASYMMETRIC,
        lambda good: good.hmac(good.issuer.public_pem().strip().encode()),
    ),
    (
        "hmac-with-der",
        "is signed with HS256 and the public key in DER form as secret",
        _ASYMMETRIC,
        lambda good: good.hmac(der_of(good.issuer.public_pem())),
    ),
    (
        "hmac-with-jwk",
        "is signed with HS256 and the public JWK as secret",
        _ASYMMETRIC,
        lambda good: good.hmac(json.dumps(_public_jwk(good)).encode()),
    ),
    (
        "hmac-with-key-id",
        "is signed with HS256 and the kid as secret",
        _ASYMMETRIC,
        lambda good: good.hmac(str(good.header()["kid"]).encode()),
    ),
    (
        "hmac-with-empty-secret",
        "is signed with HS256 and an empty secret",
        _ASYMMETRIC,
        lambda good: good.hmac(b""),
    ),
    (
        "kid-of-empty-file",
        "has the path of an empty file as kid, and an empty secret",
        "Use kid only to choose among keys of your configuration.",
        lambda good: good.hmac(b"", kid="../../../../../../dev/null"),
    ),
    # Keys of others
    ("other-key", "is signed with another key", _VERIFY, lambda good: good.forge()),
    (
        "other-key-unknown-kid",
        "is signed with another key, and has an unknown kid",
        _VERIFY,
        lambda good: good.forge(kid=good.marker),
    ),
    (
        "other-key-no-kid",
        "is signed with another key, and has no kid",
        _VERIFY,
        lambda good: good.attacker.sign(
            f"{segment({'alg': good.algorithm})}.{segment(good.claims())}"
        ),
    ),
    (
        "embedded-jwk",
        "brings its own key as jwk",
        _OWN_KEY,
        lambda good: good.forge(jwk=good.attacker.jwks()["keys"][0]),
    ),
    ("embedded-jku", "names a URL of its own keys as jku", _OWN_KEY, _jku),
    (
        "embedded-x5c",
        "brings its own certificate as x5c",
        _OWN_KEY,
        lambda good: good.forge(x5c=[certificate(good.attacker.public_pem())]),
    ),
    ("embedded-x5u", "names a URL of its own certificate as x5u", _OWN_KEY, _x5u),
    (
        "kid-url",
        "has a URL of its own keys as kid",
        _OWN_KEY,
        lambda good: good.forge(kid=_data_url(json.dumps(good.attacker.jwks()))),
    ),
    ("kid-list", "has a list as kid", _HEADER, lambda good: good.forge(kid=["key-1"])),
    ("kid-object", "has an object as kid", _HEADER, lambda good: good.forge(kid={"a": 1})),
    (
        "kid-quotes",
        "has SQL as kid",
        "Use kid only to choose among keys of your configuration.",
        lambda good: good.forge(kid="' OR ''='"),
    ),
    # Signatures
    ("tampered-payload", "was changed after it was signed", _VERIFY, _tampered),
    ("tampered-header", "was changed after it was signed", _VERIFY, _changed_header),
    ("signature-of-other-token", "has the signature of another token", _VERIFY, _other_signature),
    (
        "signature-empty",
        "has an empty signature",
        _VERIFY,
        lambda good: good.resigned(lambda _: b""),
    ),
    (
        "signature-truncated",
        "has half of its signature",
        _VERIFY,
        lambda good: good.resigned(lambda signature: signature[: len(signature) // 2]),
    ),
    (
        "signature-extended",
        "has a byte after its signature",
        _VERIFY,
        lambda good: good.resigned(lambda signature: signature + b"\0"),
    ),
    (
        "signature-bit-flipped",
        "has one wrong bit in its signature",
        _VERIFY,
        lambda good: good.resigned(lambda signature: bytes([signature[0] ^ 1]) + signature[1:]),
    ),
    (
        "signature-zero",
        "has zeros as its signature (CVE-2022-21449)",
        _VERIFY,
        lambda good: good.resigned(lambda signature: bytes(len(signature))),
    ),
    (
        "signature-swapped",
        "has the halves of its signature swapped",
        _VERIFY,
        lambda good: good.resigned(_swapped),
    ),
    (
        "signature-der",
        "has its signature in DER form",
        _VERIFY,
        lambda good: good.resigned(der_signature),
    ),
]
