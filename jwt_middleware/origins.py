"""Origins of web pages: scheme, host and port (RFC 6454)."""

import re
from collections.abc import Iterable
from typing import Final

from jwt_middleware.arguments import Problems, a

_ORIGIN: Final = r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"


def normalize_origin(origin: str) -> str:
    """Return the origin as browsers write it (RFC 6454 §4): lower case, no default port."""
    lower = origin.lower()
    scheme, _, _ = lower.partition("://")
    return lower.removesuffix({"https": ":443", "http": ":80"}.get(scheme, ""))


def check_origins(problems: Problems, argument: str, origins: Iterable[object]) -> None:
    """Add a problem for each origin of the argument that no page can have."""
    for origin in origins:
        problem = _problem(origin)
        if problem is not None:
            problems.add(
                f"{argument}: {problem};"
                " write scheme, host and port only, such as 'https://app.example.com'"
            )


def _problem(origin: object) -> str | None:
    if not isinstance(origin, str):
        return f"{a(origin)} is not an origin"
    if origin.lower() == "null":
        return (
            "'null' is the origin of every sandboxed page and local file, so everybody can have it"
        )
    if re.fullmatch(_ORIGIN, origin.lower()) is None:
        return f"{origin!r} is not an origin"
    return None
