"""Other spellings of a good token, for `RefusalContract`."""

import json
from collections.abc import Callable
from typing import Final

from jwt_middleware.testing.forging import Good, segment

CANONICAL: Final = (
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
    ("padding", "ends with padding", CANONICAL, lambda good: good.token() + "="),
    ("padding-in-payload", "has padding in its payload", CANONICAL, _padded_payload),
    ("standard-alphabet", "is base64, not base64url", CANONICAL, _standard_alphabet),
    (
        "unused-bits-in-signature",
        "has another spelling of its signature",
        CANONICAL,
        lambda good: ".".join(
            [*good.token().split(".")[:2], _unused_bits(good.token().rpartition(".")[2])]
        ),
    ),
    (
        "foreign-character",
        "has a character that is not base64url",
        CANONICAL,
        lambda good: good.token() + "!",
    ),
    (
        "non-ascii-character",
        "has a character that is not ASCII",
        CANONICAL,
        lambda good: good.token() + "\xe9",
    ),
    (
        "unicode-dots",
        "has dots that are not ASCII",
        CANONICAL,
        lambda good: good.token().replace(".", "\u3002".encode().decode("latin-1")),
    ),
]
