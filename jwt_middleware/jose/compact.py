"""Strict parsing of compact tokens (RFC 7515 §7.1).

This package has its own parser, because `jwt.decode` accepts several spellings of one token,
duplicate members and NaN. It also reads every base64 character in Python before it looks at the
signature.
"""

from collections.abc import Mapping
from functools import lru_cache
from string import ascii_letters, digits
from typing import Any, NamedTuple

from jwt_middleware.errors import InvalidRequest, InvalidToken
from jwt_middleware.jose.encoding import decode_segment, parse_json_object

# RFC 6750 §2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
_B64TOKEN = (ascii_letters + digits + "-._~+/").encode()


class Header(NamedTuple):
    """A JOSE header of the right form. The verifier decides which values are acceptable.

    `algorithm` and `type` are empty if the member is not a string. `type` is normalized.
    """

    members: Mapping[str, Any]
    algorithm: str
    key_id: str | None
    type: str | None


def parse_compact(raw: str) -> tuple[Header, bytes, bytes, bytes]:
    """Return header, payload, signing input and signature of a compact JWS (RFC 7515 §7.1).

    Nothing is verified. Raises `InvalidRequest` for text that does not match the grammar of a
    bearer token (RFC 6750), and `InvalidToken` for other text that is not a JWS of three canonical
    base64url segments.
    """
    try:
        signing_input, _, signature = raw.encode("ascii").rpartition(b".")
        header, dot, payload = signing_input.partition(b".")
        # A fourth segment leaves a dot in the payload, which base64url does not contain.
        if not dot:
            raise ValueError("fewer than three segments")
        return (
            _parse_header(header),
            decode_segment(payload),
            signing_input,
            decode_segment(signature),
        )
    except ValueError as exc:
        if not _is_b64token(raw):
            raise InvalidRequest("credentials_malformed") from exc
        raise InvalidToken("token_malformed") from exc


def parse_claims(payload: bytes) -> dict[str, Any]:
    """Return the claims in a payload. Raises `InvalidToken` if it is not a strict JSON object."""
    try:
        return parse_json_object(payload)
    except ValueError as exc:
        raise InvalidToken("token_malformed") from exc


def normalize_type(value: str) -> str:
    """Return a ``typ`` in lower case and without ``application/`` (RFC 7515 §4.1.9)."""
    return value.lower().removeprefix("application/")


def _is_b64token(raw: str) -> bool:
    body = raw.rstrip("=")
    return bool(body) and body.isascii() and not body.encode().translate(None, _B64TOKEN)


# Tokens of one issuer have the same header. Parsing it once saves a fifth of an HS256
# verification.
@lru_cache(maxsize=64)
def _parse_header(segment: bytes) -> Header:
    members = parse_json_object(decode_segment(segment))
    # RFC 7515 §4.1.11: extensions in `crit` must be supported, and none is. `b64` (RFC 7797) and
    # `zip` change how the payload is encoded, so a parser that ignores them reads other claims
    # than the issuer has signed.
    if not members.keys().isdisjoint(("crit", "b64", "zip")):
        raise InvalidToken("header_not_understood")
    if not isinstance(members.get("kid", ""), str):
        raise ValueError("kid is not a string")
    typ = normalize_type(_text(members["typ"])) if "typ" in members else None
    return Header(members, _text(members.get("alg")), members.get("kid"), typ)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
