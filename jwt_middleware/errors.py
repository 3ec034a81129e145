"""The failure registry: everything that can go wrong with a request, and how it is answered.

Status, RFC error code, body, challenge, log line and documentation derive from the classes below.
Nothing else in the package decides a status.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from werkzeug.exceptions import HTTPException

# Where the middleware puts the function that answers a refusal which the application raises.
RESPOND: Final = "jwt_middleware.respond"
# Set for a refusal before the application, so that `draining` knows that the body is unread.
UNREAD: Final = "jwt_middleware.unread"
# RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ). It cannot break out of a quoted
# string.
_SCOPE: Final = r"[\x21\x23-\x5B\x5D-\x7E]+"


class AuthError(HTTPException):
    """A request that is refused: the base of every failure that a client can cause.

    It is a `werkzeug.exceptions.HTTPException` and so itself a WSGI application. An application may
    raise it. Behind the middleware it gets the same answer as a refusal of the middleware: realm,
    renderer and event. Elsewhere the answer is JSON, with the realm ``"api"``.

    `reason` is a stable slug out of `reasons`, which gives each reason its fixed sentence for the
    client. If a class has only one reason, it may be left out. `claim` names the claim that is
    wrong. It is for logs and is never sent. `scopes` are the scopes that the request needed.
    `retry_after` is when to try again, in seconds, if that is known.
    """

    code: int
    error: ClassVar[str]
    reasons: ClassVar[Mapping[str, str]] = {}
    has_challenge: ClassVar[bool] = True
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
        # HTTPException.__init__ does only this, and takes longer than all of the above.
        self.description = self.reasons[reason]
        self.response = None

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return self.code

    def challenge(self, realm: str = "api") -> str | None:
        """Return the value of ``WWW-Authenticate`` (RFC 6750 §3); None if there is no challenge.

        Every value is quoted, because RFC 9110 §11.5 requires that of ``realm``.
        """
        if not self.has_challenge:
            return None
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

    def get_response(self, environ: Any = None, scope: Any = None) -> Any:
        """Return the response, as the middleware would make it; called by Werkzeug."""
        respond = None if environ is None else getattr(environ, "environ", environ).get(RESPOND)
        if respond is None:
            return super().get_response(environ, scope)
        return respond(self, environ)

    def get_body(self, environ: Any = None, scope: Any = None) -> str:
        """Return the JSON body; called by Werkzeug."""
        return json.dumps(self.to_dict())

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """Return the headers of the response; called by Werkzeug."""
        return [("Content-Type", "application/json"), *self.own_headers()]

    def own_headers(self, realm: str = "api") -> list[tuple[str, str]]:
        """Return the headers that belong to the failure, however its body is rendered."""
        optional = {"WWW-Authenticate": self.challenge(realm), "Retry-After": self.retry_after}
        given = [(name, str(value)) for name, value in optional.items() if value is not None]
        return [*given, ("Cache-Control", "no-store")]


class MissingToken(AuthError):
    """The request carries no bearer token.

    RFC 6750 §3.1: the challenge to a request without credentials names no error code.
    """

    code = 401
    error = "missing_token"
    challenge_error = False
    reasons = {"token_missing": "The request carries no bearer token"}


class InvalidRequest(AuthError):
    """The credentials do not follow RFC 6750's grammar of a bearer token."""

    code = 400
    error = "invalid_request"
    reasons = {
        "credentials_malformed": "The Authorization header does not hold one bearer token",
        "credentials_repeated": "The request carries more than one credential",
        "token_too_large": "The access token is too large",
    }


class AmbiguousPath(AuthError):
    """Applications may read the path in different ways, so no rule can be chosen for it.

    There is no challenge, because other credentials would not help.
    """

    code = 400
    error = "invalid_request"
    has_challenge = False
    reasons = {"path_ambiguous": "The path can be read in more than one way"}


class InvalidToken(AuthError):
    """A bearer token that must not be trusted."""

    code = 401
    error = "invalid_token"
    reasons = {
        "token_malformed": "The access token is not a well-formed JWT",
        "algorithm_not_allowed": "The access token is signed with an algorithm that is not allowed",
        "type_not_allowed": "The token is of a type that is not accepted here",
        "header_not_understood": "The access token's header asks for an unsupported feature",
        "issuer_not_trusted": "The access token comes from an issuer that is not trusted",
        "key_not_found": "The access token is signed with an unknown key",
        "signature_invalid": "The access token's signature is invalid",
        "audience_mismatch": "The access token is meant for another audience",
        "token_not_yet_valid": "The access token is not valid yet",
        "token_too_old": "The access token was issued too long ago",
        "claim_missing": "The access token lacks a required claim",
        "claim_invalid": "The access token holds a claim that is not acceptable",
        "subject_unknown": "The subject of the access token is not known here",
        "binding_unverifiable": "The access token is bound to a key that cannot be checked here",
    }


class ExpiredToken(InvalidToken):
    """A token that was good and has expired. The client should get a new one."""

    reasons = {"token_expired": "The access token has expired"}


class RevokedToken(InvalidToken):
    """A token that was revoked before it expired. The client should get a new one."""

    reasons = {"token_revoked": "The access token was revoked"}


class InsufficientScope(AuthError):
    """A good token that lacks scopes that a rule asks for (RFC 6750 §3.1)."""

    code = 403
    error = "insufficient_scope"
    reasons = {"scope_insufficient": "The access token lacks a scope that this request needs"}


class AccessDenied(AuthError):
    """A good token that a rule's own check did not approve.

    There is no challenge: RFC 6750 has no error code for it, and another token may not help.
    """

    code = 403
    error = "access_denied"
    has_challenge = False
    reasons = {"check_failed": "Access to this resource is denied"}


class OriginNotAllowed(AuthError):
    """A CORS preflight from an origin that is not listed.

    There is no challenge, because browsers send no credentials with a preflight.
    """

    code = 403
    error = "access_denied"
    has_challenge = False
    reasons = {"origin_not_allowed": "Requests from this origin are not allowed"}


class CrossSiteRequest(AuthError):
    """A cookie came with a request that another site may have started (CSRF).

    There is no challenge, because the token may be good.
    """

    code = 403
    error = "access_denied"
    has_challenge = False
    reasons = {
        "csrf_failed": "The request may come from another site, so its cookie does not count"
    }


class InvalidGrant(AuthError):
    """A refresh token that gets no new tokens (RFC 6749 §5.2). The user must log in again.

    There is no challenge: a token endpoint answers 400.
    """

    code = 400
    error = "invalid_grant"
    has_challenge = False
    reasons = {
        "refresh_token_invalid": "The refresh token is malformed or was not issued here",
        "refresh_token_expected": "An access token was sent where a refresh token belongs",
        "refresh_token_not_yet_valid": "The refresh token was issued in the future",
        "refresh_token_expired": "The refresh token has expired",
        "refresh_token_revoked": "The session of the refresh token was ended",
        "refresh_token_reused": "The refresh token was used before, so its session was ended",
    }


class Unavailable(AuthError):
    """It is not known at the moment whether the token is good.

    An outage is never a 401, because clients discard their tokens after one. ``Retry-After`` says
    when to try again. There is no challenge, because the credentials may be right.
    """

    code = 503
    error = "temporarily_unavailable"
    has_challenge = False
    default_retry_after = 1
    reasons = {
        "keys_unavailable": "The keys to check access tokens with are not available at the moment",
        "store_unavailable": "Whether the token was revoked cannot be looked up at the moment",
    }


def is_scope_token(value: object) -> bool:
    """Tell whether the value is one scope-token of RFC 6749 §3.3."""
    return isinstance(value, str) and re.fullmatch(_SCOPE, value) is not None


def registry() -> dict[str, type[AuthError]]:
    """Return every reason with the class that it belongs to."""
    found: dict[str, type[AuthError]] = {}
    pending = [AuthError]
    while pending:
        kind = pending.pop(0)
        found |= dict.fromkeys(kind.reasons, kind)
        pending += kind.__subclasses__()
    return found
