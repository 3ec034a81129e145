"""The failure registry: everything that can go wrong with a request, and how each failure looks on the wire.

Status, RFC error code, body, challenge, log line and documentation all derive from the classes below;
nothing else in the package decides a status.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from werkzeug.exceptions import HTTPException

# RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ). Nothing in it can break out of a quoted string.
_SCOPE = r"[\x21\x23-\x5B\x5D-\x7E]+"


class AuthError(HTTPException):
    """A request that is refused; the base of every failure a client can cause.

    It is a `werkzeug.exceptions.HTTPException` and therefore itself a WSGI application: Flask and
    Werkzeug code may raise it and gets the same response that the middleware sends (with the realm
    ``"api"``).

    `reason` is a stable slug out of `reasons`, which gives each its fixed sentence for the client; where a
    class has just one, it may be left out.
    `claim` names the claim to blame, for logs; it is never sent. `scopes` are those the request needed.
    `retry_after` is when to try again, in seconds, where that is known.
    """

    code: int
    error: ClassVar[str]
    reasons: ClassVar[Mapping[str, str]] = {}
    challenge_error: ClassVar[bool] = True
    default_retry_after: ClassVar[int | None] = None

    def __init__(
        self,
        reason: str | None = None,
        *,
        claim: str | None = None,
        scopes: Iterable[str] = (),
        retry_after: int | None = None,
    ) -> None:
        if reason is None and len(self.reasons) == 1:
            (reason,) = self.reasons
        if reason is None or reason not in self.reasons:
            raise ValueError(f"reason: {reason!r} is not one of {', '.join(self.reasons)}")
        self.reason = reason
        self.claim = claim
        self.retry_after = self.default_retry_after if retry_after is None else retry_after
        self.scopes = tuple(scopes)
        if self.scopes and not all(map(is_scope_token, self.scopes)):
            raise ValueError(
                "scopes: each must be a scope-token of RFC 6749 §3.3, e.g. 'orders:write'"
            )
        # All that HTTPException.__init__ would do; calling it takes longer than the rest.
        self.description = self.reasons[reason]
        self.response = None

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return self.code

    def challenge(self, realm: str = "api") -> str | None:
        """Return the value of ``WWW-Authenticate`` (RFC 6750 §3), or None where the failure has none.

        Every value is quoted: RFC 9110 §11.5 lets a sender write ``realm`` as a quoted string only.
        """
        parts = [f'Bearer realm="{realm}"']
        if self.challenge_error:
            parts += [f'error="{self.error}"', f'error_description="{self.description}"']
        if self.scopes:
            parts.append(f'scope="{" ".join(self.scopes)}"')
        return ", ".join(parts)

    def to_dict(self) -> dict[str, str]:
        """Return the members of the JSON body."""
        members = {
            "error": self.error,
            "error_description": self.reasons[self.reason],
            "reason": self.reason,
        }
        return members | ({"scope": " ".join(self.scopes)} if self.scopes else {})

    def get_body(self, environ: Any = None, scope: Any = None) -> str:
        """Return the JSON body; called by Werkzeug."""
        return json.dumps(self.to_dict())

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """Return the headers of the response; called by Werkzeug."""
        return [("Content-Type", "application/json"), *self.own_headers()]

    def own_headers(self, realm: str = "api") -> list[tuple[str, str]]:
        """Return the headers that belong to the failure, whatever renders its body."""
        optional = {"WWW-Authenticate": self.challenge(realm), "Retry-After": self.retry_after}
        given = [(name, str(value)) for name, value in optional.items() if value is not None]
        return [*given, ("Cache-Control", "no-store")]


class MissingToken(AuthError):
    """The request carries no bearer token.

    RFC 6750 §3.1: a challenge to a request without any credentials names no error code.
    """

    code = 401
    error = "missing_token"
    challenge_error = False
    reasons = {"token_missing": "The request carries no bearer token"}


class InvalidRequest(AuthError):
    """The credentials are not even a bearer token by RFC 6750's grammar."""

    code = 400
    error = "invalid_request"
    reasons = {
        "credentials_malformed": "The Authorization header does not hold one bearer token",
        "credentials_repeated": "The request carries more than one credential",
        "token_too_large": "The access token is too large",
    }


class AmbiguousPath(AuthError):
    """A path that applications may read in different ways, so that no rule can be chosen for it.

    No challenge: other credentials would not help.
    """

    code = 400
    error = "invalid_request"
    reasons = {"path_ambiguous": "The path can be read in more than one way"}

    def challenge(self, realm: str = "api") -> None:
        """Return None: the credentials were not looked at."""


class InvalidToken(AuthError):
    """A bearer token that must not be trusted."""

    code = 401
    error = "invalid_token"
    reasons = {
        "token_malformed": "The access token is not a well-formed JWT",
        "algorithm_not_allowed": "The access token is signed with an algorithm that is not allowed",
        "type_not_allowed": "The token is of a type that is not accepted here",
        "header_not_understood": "The access token's header asks for a feature that is not supported",
        "issuer_not_trusted": "The access token comes from an issuer that is not trusted",
        "key_not_found": "The access token is signed with an unknown key",
        "signature_invalid": "The access token's signature is invalid",
        "audience_mismatch": "The access token is meant for another audience",
        "token_not_yet_valid": "The access token is not valid yet",
        "token_too_old": "The access token was issued too long ago",
        "claim_missing": "The access token lacks a required claim",
        "claim_invalid": "The access token holds a claim that is not acceptable",
        "binding_unverifiable": "The access token is bound to a key that cannot be checked here",
    }


class ExpiredToken(InvalidToken):
    """A token that was good once; a client should get a new one."""

    reasons = {"token_expired": "The access token has expired"}


class RevokedToken(InvalidToken):
    """A token that was withdrawn before it expired; a client should get a new one."""

    reasons = {"token_revoked": "The access token was revoked"}


class InsufficientScope(AuthError):
    """A good token that lacks the scopes a rule asks for (RFC 6750 §3.1)."""

    code = 403
    error = "insufficient_scope"
    reasons = {"scope_insufficient": "The access token lacks a scope that this request needs"}


class AccessDenied(AuthError):
    """A good token that a rule's own check turned away. No challenge: another token need not help."""

    code = 403
    error = "access_denied"
    reasons = {"check_failed": "Access to this resource is denied"}

    def challenge(self, realm: str = "api") -> None:
        """Return None: RFC 6750 has no error code for this failure."""


class OriginNotAllowed(AuthError):
    """A CORS preflight from an origin that is not listed. No challenge: browsers send no credentials with it."""

    code = 403
    error = "access_denied"
    reasons = {"origin_not_allowed": "Requests from this origin are not allowed"}

    def challenge(self, realm: str = "api") -> None:
        """Return None: no token would help."""


class InvalidGrant(AuthError):
    """A refresh token that gets no new tokens (RFC 6749 §5.2); the user has to log in again."""

    code = 400
    error = "invalid_grant"
    reasons = {
        "refresh_token_invalid": "The refresh token is malformed or was not issued here",
        "refresh_token_expected": "An access token was sent where a refresh token belongs",
        "refresh_token_not_yet_valid": "The refresh token was issued in the future",
        "refresh_token_expired": "The refresh token has expired",
        "refresh_token_revoked": "The session of the refresh token was ended",
        "refresh_token_reused": "The refresh token was used before, so its session was ended",
    }

    def challenge(self, realm: str = "api") -> None:
        """Return None: the token endpoint answers 400, without a challenge."""


class Unavailable(AuthError):
    """Whether the token is good cannot be told at the moment.

    An outage is never a 401: clients throw good tokens away for one. ``Retry-After`` says when to try again.
    """

    code = 503
    error = "temporarily_unavailable"
    default_retry_after = 1
    reasons = {
        "keys_unavailable": "The keys to check access tokens with are not available at the moment",
        "store_unavailable": "Whether the token was revoked cannot be looked up at the moment",
    }

    def challenge(self, realm: str = "api") -> None:
        """Return None: there is nothing wrong with the credentials."""


def is_scope_token(value: object) -> bool:
    """Tell whether the value is one scope-token of RFC 6749 §3.3."""
    return isinstance(value, str) and re.fullmatch(_SCOPE, value) is not None


def registry() -> dict[str, type[AuthError]]:
    """Return every reason there is with the class it belongs to."""
    found: dict[str, type[AuthError]] = {}
    pending = [AuthError]
    while pending:
        kind = pending.pop(0)
        found |= dict.fromkeys(kind.reasons, kind)
        pending += kind.__subclasses__()
    return found
