"""Paths as applications may read them: the one spelling that all others come down to."""

import re

_WITHOUT_CONTROL = dict.fromkeys([*range(32), 127])
_ENCODED = {"%2e": ".", "%2f": "/", "%5c": "\\"}
_STILL_ENCODED = re.compile("|".join(_ENCODED), re.IGNORECASE)


def clean_path(path: str) -> str:
    """Return the one path that all spellings of it come down to (RFC 3986 §6.2.2, and what servers forgive)."""
    decoded = _STILL_ENCODED.sub(lambda match: _ENCODED[match[0].lower()], path)
    segments: list[str] = []
    for segment in decoded.translate(_WITHOUT_CONTROL).replace("\\", "/").split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    return "/" + "/".join(segments)


def is_plain(path: str) -> bool:
    """Tell cheaply that a path is clean. Rather too strict: one that fails here may be clean all the same."""
    return (
        path[0] == "/"
        and path[-1] != "/"
        and "//" not in path
        and "/." not in path
        and "%" not in path
        and "\\" not in path
        and path.isprintable()
    )
