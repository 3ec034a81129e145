"""What the middleware sets in environ, for test clients that bypass the middleware."""

from collections.abc import Collection
from typing import Any

from jwt_middleware.clock import current_time
from jwt_middleware.testing.claims import access_claims
from jwt_middleware.tokens import CLAIMS, TOKEN, AccessToken


def claims_environ(
    subject: str, /, *, scopes: Collection[str] = (), **claims: Any
) -> dict[str, Any]:
    """Return the environ entries that the middleware would set for an accepted token.

    Django's test client calls the views without ``wsgi.py``, and so without a middleware in it:
    ``client.get("/", **claims_environ("alice"))``. The arguments are those of `FakeIssuer.token`.

    Nothing is signed or verified, and a policy is not applied. `JWTMiddleware` removes these
    entries from every request, so they have no effect on an application that it wraps.
    """
    token = AccessToken(
        access_claims(subject, scopes, claims, now=current_time()), {"alg": "ES256"}
    )
    return {CLAIMS: token.claims, TOKEN: token}
