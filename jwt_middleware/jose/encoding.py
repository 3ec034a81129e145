"""The encodings of tokens and keys: canonical base64url, and JSON that all parsers agree on."""

import binascii
import json
import math
from typing import Any, Final, NoReturn

_MAX_DEPTH: Final = 32
# From base64url to the alphabet of binascii. The characters of plain base64 become NUL, which
# strict mode refuses.
_FROM_URL: Final = bytes.maketrans(b"-_+/=", b"+/\0\0\0")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
# RFC 4648 §3.5: the unused bits of the last character must be zero. Otherwise one token would have
# several spellings.
_ALLOWED_END: Final = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
_PADDING: Final = (b"", b"", b"==", b"=")


def parse_json_object(data: bytes) -> dict[str, Any]:
    """Parse a JSON object by the rules of I-JSON (RFC 7493), on which all parsers agree.

    Raises ValueError for another encoding than UTF-8, a byte order mark, duplicate members at any
    depth, NaN and infinities, lone surrogates, more than 32 levels, and any other value.
    """
    text = str(data, "utf-8").strip(" \t\r\n")
    try:
        value, end = _JSON.raw_decode(text)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
    if type(value) is not dict or end != len(text):
        raise ValueError("not a JSON object")
    # Each level has an opening bracket. Most tokens have only one brace, and rfind is faster than
    # count.
    braces = text.count("{") if text.rfind("{") else 1
    if text.count("[") + braces > _MAX_DEPTH:
        _check_depth(value, _MAX_DEPTH)
    if "\\" in text and "\\u" in text:
        # An escaped lone surrogate gives a str that no encoder accepts.
        json.dumps(value, ensure_ascii=False).encode()
    return value


def decode_base64url(value: object) -> bytes:
    """Decode a canonical base64url string. Raises ValueError for any other value."""
    if not isinstance(value, str):
        raise ValueError("not a string")
    return decode_segment(value.encode())


def decode_segment(segment: bytes) -> bytes:
    """Decode canonical base64url. Raises ValueError for any other bytes."""
    rest = len(segment) % 4
    if rest and segment[-1] not in _ALLOWED_END[rest]:
        raise ValueError("not canonical base64url")
    return binascii.a2b_base64(segment.translate(_FROM_URL) + _PADDING[rest], strict_mode=True)


def encode_base64url(data: bytes | str) -> bytes:
    """Encode as base64url without padding (RFC 7515 §2)."""
    raw = data.encode() if isinstance(data, str) else data
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # RFC 8725 §2.4 and RFC 7519 §4: two parsers may read different values.
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


_JSON: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant
)
