"""Tokens that are not spelled as a JWT must be, for `RefusalContract`."""

import json
from collections.abc import Callable
from typing import Final

from jwt_middleware.testing.forging import Good, segment

_VERIFY: Final = "Verify the signature before you use anything of the token."
_CANONICAL: Final = (
    "Decode base64url strictly, so that each token has one spelling. A list of revoked tokens can"
    " be evaded otherwise."
)


def _unused_bits(segment: str) -> str:
    """Return another spelling of a segment: its last character has bits that mean nothing.

    If it has no such bits, a character is appended, which is never valid.
    """
    if len(segment) % 4 not in (2, 3):
        return segment + "A"
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) ^ 1]


def _padded_payload(good: Good) -> str:
    payload = json.dumps(good.claims())
    # With spaces at its end, so that it needs padding.
    payload += " " * (1 - len(payload) % 3 if len(payload) % 3 < 2 else 2)
    return good.issuer.sign(f"{segment(good.header())}.{segment(payload)}==")


def _standard_alphabet(good: Good) -> str:
    payload = json.dumps(good.claims(note="???>>>"), separators=(",", ":"))
    # One of the three has the characters at a place where base64 writes them as "/" and "+".
    payload = next(
        text
        for text in (payload.replace("???", pad + "????") for pad in ("", "a", "aa"))
        if "_" in segment(text)
    )
    body = segment(payload).replace("-", "+").replace("_", "/")
    return good.issuer.sign(f"{segment(good.header())}.{body}")


# Each row: id, what is wrong with the token, what to do, how to make the token.
SPELLINGS: Final[list[tuple[str, str, str, Callable[[Good], str]]]] = [
    ("garbage", "is not a JWT", _VERIFY, lambda good: f"garbage-{good.marker}"),
    ("dots", "has three empty segments", _VERIFY, lambda _: ".."),
    ("one-segment", "is only a payload", _VERIFY, lambda good: segment(good.claims())),
    ("two-segments", "has no signature", _VERIFY, lambda good: good.token().rpartition(".")[0]),
    ("four-segments", "has a surplus segment", _CANONICAL, lambda good: good.token() + ".e30"),
    ("five-segments", "is a JWE", _VERIFY, lambda good: good.token() + ".e30.e30"),
    ("leading-dot", "begins with a dot", _CANONICAL, lambda good: "." + good.token()),
    ("trailing-dot", "ends with a dot", _CANONICAL, lambda good: good.token() + "."),
    (
        "json-serialization",
        "is in the JSON serialization",
        "Accept only the compact serialization (RFC 7519 §1).",
        lambda good: json.dumps(
            dict(zip(("protected", "payload", "signature"), good.token().split("."), strict=True)),
            separators=(";", ":"),
        ).replace(";", ","),
    ),
    ("oversized", "has a megabyte", _VERIFY, lambda good: good.token() + "A" * 1_000_000),
    ("padding", "ends with padding", _CANONICAL, lambda good: good.token() + "="),
    ("padding-in-payload", "has padding in its payload", _CANONICAL, _padded_payload),
    ("standard-alphabet", "is base64, not base64url", _CANONICAL, _standard_alphabet),
    (
        "unused-bits-in-signature",
        "has another spelling of its signature",
        _CANONICAL,
        lambda good: ".".join(
            [*good.token().split(".")[:2], _unused_bits(good.token().rpartition(".")[2])]
        ),
    ),
    (
        "foreign-character",
        "has a character that is not base64url",
        _CANONICAL,
        lambda good: good.token() + "!",
    ),
    (
        "non-ascii-character",
        "has a character that is not ASCII",
        _CANONICAL,
        lambda good: good.token() + "\xe9",
    ),
    (
        "unicode-dots",
        "has dots that are not ASCII",
        _CANONICAL,
        lambda good: good.token().replace(".", "\u3002".encode().decode("latin-1")),
    ),
]
