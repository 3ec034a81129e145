"""What is obviously not a secret: a key in another form, a simple pattern, a published example."""

import binascii
import hashlib
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

# Text and bytes that only key material contains.
_MATERIAL: Final = (
    # PEM, SSH2 and PuTTY files; also with only one of the two lines.
    rb"---- ?(?:BEGIN|END)|PuTTY-User-Key-File"
    # A JWK as JSON, as the repr of a dict, as YAML, or as JSON in a JSON string; AQAB is the usual
    # `e`.
    rb"|kty[\s\"'\\:=]{1,16}(?:RSA|EC|OKP|AKP|oct)\b|[\"']AQAB"
    # OpenSSH, as a line and as the bytes of its base64.
    rb"|(?:ssh|ecdsa)-[\w@.-]+\s+AAAA|\0\0\0[\x07-\x40](?:sk-)?(?:ssh|ecdsa)-"
    # "openssl rsa -modulus" and XML.
    rb"|(?i:modulus)\s*[=:>]"
    # DER: the object identifiers of RSA, EC and DSA, of the curves P-384, P-521 and secp256k1, of
    # Ed25519, Ed448 and X25519, and of ML-DSA.
    rb"|\x2a\x86\x48(?:\x86\xf7\x0d\x01\x01|\xce\x3d[\x01-\x03]|\xce\x38\x04)"
    rb"|\x06\x05\x2b\x81\x04\x00|\x30\x05\x06\x03\x2b\x65|\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03"
    # DER of PKCS 1, which has no identifier: a SEQUENCE of a version, if the key is private, and a
    # large INTEGER.
    rb"|\x30(?:\x81.|\x82..)(?:\x02\x01\x00)?\x02(?:\x81.|\x82[\x01-\x04].)\x00"
)
# How examples ask to be replaced, in letters and digits only.
_EXAMPLE: Final = (
    rb"atleast(?:32|48|64|256|384|512)|(?:256|384|512)bits?(?:secret|key)|32bytesormore"
    rb"|your(?:jwt|very|super|own|private|shared)*secret|yoursigningkey"
    rb"|change(?:me|this|it)?(?:inprod|beforeprod)|change(?:me|this)|replace(?:me|this|it)?with"
    rb"|replacethis"
)
# SHA-256 of examples in tutorials and documentation. The examples themselves would make scanners
# for leaked secrets report this file.
_KNOWN_EXAMPLES: Final = frozenset(
    {
        "570dad43de1af4c925f92c16a68a50936da42b7dd6fdeb24850507a1199aac89",  # FastAPI
        "2b1fa627178e3424e20ffd0e18b7440c322ad538d3c96aef1e3f60d99951c23c",  # Spring Boot tutorials
        "3250158d64ff77c78d9f0d5b303439495f947872db79e51047bacf71885dc796",  # Hasura
        "fd4dec75abc2df7e4f8776e246ce733d29690230695c4ce8ea7a207eb3a939ab",  # PostgREST
    }
)
_MIN_DIFFERENT: Final = 5
_MIN_BLOCK: Final = 32
_DEPTH: Final = 3
_HEX: Final = rb"(?:[0-9A-Fa-f]{2}[\s:]*)+"
_LINE_BREAKS: Final = rb"\s|\\[rn]"


def check_secret(secret: bytes) -> None:
    """Raise ValueError for bytes that are obviously not a secret; the text completes "this ...".

    Of random secrets of 32 bytes or more, and of their hex and base64 texts, less than one in 10^9
    is refused.
    """
    check_not_key_material(secret)
    if _is_pattern(secret):
        raise ValueError("is a pattern that is easy to guess, such as one byte repeated")
    if _is_example(secret):
        raise ValueError("is an example from documentation, which everybody knows")


def check_not_key_material(secret: bytes) -> None:
    """Raise ValueError for a key in another notation than that of a secret.

    An RSA modulus or the coordinate of a point without anything around it is not recognized,
    because it looks like random bytes.
    """
    if any(re.search(_MATERIAL, reading, re.DOTALL) for reading in _readings(secret, _DEPTH)):
        raise ValueError("is a key in PEM, DER, OpenSSH or JWK form")


def _readings(secret: bytes, depth: int) -> Iterator[bytes]:
    """Return the bytes, and what they are in UTF-16, hex and base64, also one inside the other."""
    yield secret
    if not depth:
        return
    for decode in (_without_nulls, _from_hex, _from_base64):
        decoded = decode(secret)
        if decoded and decoded != secret:
            yield from _readings(decoded, depth - 1)


def _without_nulls(text: bytes) -> bytes:
    """Return UTF-16 and UTF-32, in either byte order, as ASCII."""
    return text.replace(b"\0", b"")


def _from_hex(text: bytes) -> bytes:
    if not re.fullmatch(_HEX, text.strip()):
        return b""
    return bytes.fromhex(re.sub(rb"[\s:]", b"", text).decode())


def _from_base64(text: bytes) -> bytes:
    """Decode the longest run of base64 or base64url: it may have a name before it or quotes."""
    runs = re.findall(rb"[A-Za-z0-9+/_-]+", re.sub(_LINE_BREAKS, b"", text))
    longest = max(runs, key=len, default=b"").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return binascii.a2b_base64(longest + b"=" * (-len(longest) % 4))
    except ValueError:
        return b""


def _is_pattern(secret: bytes) -> bool:
    """Tell whether few different bytes, or steps between them, occur, or one short block repeats.

    Of 32 random hex digits, one in 10^13 has fewer than five different ones.
    """
    steps = {(after - before) % 256 for before, after in pairwise(secret)}
    if min(len(set(secret)), len(steps)) < _MIN_DIFFERENT:
        return True
    sizes = range(1, min(_MIN_BLOCK - 1, len(secret) // 2) + 1)
    return any(secret[size:] == secret[:-size] for size in sizes)


def _is_example(secret: bytes) -> bool:
    plain = re.sub(rb"[^a-z0-9]", b"", secret.lower())
    known = hashlib.sha256(plain, usedforsecurity=False).hexdigest() in _KNOWN_EXAMPLES
    return known or re.search(_EXAMPLE, plain) is not None
