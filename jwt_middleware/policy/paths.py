"""Paths as applications may read them: which have several meanings, and which mean the same.

Paths are ``PATH_INFO`` values: the bytes of the decoded path, read as latin-1 (PEP 3333).
"""

import re
from typing import Final

# Only what every router reads in the same way. All other paths are looked at more closely.
_ORDINARY: Final = r"/|(?:/(?![.@])[!-$&-.0-\[\]-~]+)+"

# The server has decoded the path once. If a proxy or an application decodes it again, it changes.
_ENCODED_TWICE: Final = r"(?i)%(?:25)*(?:2e|2f|5c|00)"
_DOT_SEGMENT: Final = r"(?i)(?:\A|/)\.{1,2}(?:(?:;|%(?:25)*3b)[^/]*)?(?:/|\Z)"
_CONTROL_CHARACTER: Final = r"[\x00-\x1f\x7f-\x9f]"


def is_ordinary(path: str) -> bool:
    """Tell cheaply that a path has one meaning and is reduced. False decides nothing."""
    return re.fullmatch(_ORDINARY, path) is not None


def ambiguity(path: str) -> str | None:
    """Return why applications may read the path in different ways; None if all read it alike.

    RFC 3986 §6.2.2 and §6.2.3 let a receiver resolve dot segments. Servers and frameworks also
    decode twice, turn backslashes into slashes, and drop control characters and bytes that are not
    UTF-8.
    """
    try:
        text = path.encode("latin-1").decode()
    except UnicodeError:
        return "it is not UTF-8"
    if "\\" in text:
        return "it contains a backslash"
    if re.search(_CONTROL_CHARACTER, text):
        return "it contains a control character"
    if re.search(_ENCODED_TWICE, text):
        return "it contains a dot, slash, backslash or NUL that is still encoded"
    if re.search(_DOT_SEGMENT, text):
        return "it contains a dot segment"
    return None


def reduced(path: str) -> str:
    """Return the path without what lenient routers ignore.

    These are repeated and trailing slashes, and leading ``@@`` of a segment: ``/@@admin`` is the
    view ``admin`` in Pyramid's traversal.
    """
    segments = [segment.removeprefix("@@") for segment in path.split("/")]
    return "/" + "/".join(filter(None, segments))


def path_info(text: str) -> str:
    """Return the ``PATH_INFO`` of a path written as text. Lone surrogates stand for raw bytes."""
    return text.encode(errors="surrogateescape").decode("latin-1")
