"""The claims of access tokens for tests."""

from collections.abc import Collection, Mapping
from secrets import token_urlsafe
from typing import Any, Final

ISSUER: Final = "https://id.example.com"
AUDIENCE: Final = "https://api.example.com"
_LIFETIME: Final = 600


def access_claims(
    subject: str,
    scopes: Collection[str],
    claims: Mapping[str, Any],
    *,
    issuer: str = ISSUER,
    audience: str | Collection[str] = AUDIENCE,
    now: float,
) -> dict[str, Any]:
    """Return all claims that RFC 9068 requires. `claims` come last; None removes a claim."""
    if isinstance(scopes, str):
        raise TypeError("scopes: a str is not usable; write a list, such as ['orders:write']")
    everything = {
        "iss": issuer,
        "sub": subject,
        "aud": audience if isinstance(audience, str) else list(audience),
        "client_id": "client",
        "iat": int(now),
        "exp": int(now) + _LIFETIME,
        "jti": token_urlsafe(16),
        "scope": " ".join(scopes) or None,
        **claims,
    }
    return {name: value for name, value in everything.items() if value is not None}
