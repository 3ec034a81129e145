"""Pyramid: tokens as identities, scopes as permissions, refusals like those of the middleware.

    config.include("jwt_middleware.integrations.pyramid")
    app = JWTMiddleware(config.make_wsgi_app(), verifier, policy=Policy(delegate("/*")))

Every view needs a valid token, unless its permission says otherwise.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, Unpack

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPForbidden
from pyramid.request import Request, RequestLocalCache
from pyramid.response import Response
from pyramid.security import Allowed, Denied

from jwt_middleware.arguments import Problems
from jwt_middleware.errors import AuthError, InsufficientScope, InvalidToken
from jwt_middleware.policy import Demands, require
from jwt_middleware.tokens import TOKEN, AccessToken, token_from

View = Callable[[Any, Request], Any]

# A permission for views that need a valid token and no scope. A scope contains no spaces, so no
# scope is equal to it.
VALID_TOKEN: Final = "a valid token"  # noqa: S105  # The name of a permission, not a password.


class JWTSecurityPolicy:
    """A security policy in which a permission is a scope of the verified token.

    ``request.identity`` is the `AccessToken`, or what `load_user` returns for it. `load_user` is
    called as ``load_user(token, request)``, once per request. If it returns None, the request is
    refused with 401 ``subject_unknown``.
    """

    def __init__(
        self, *, load_user: Callable[[AccessToken, Request], object] | None = None
    ) -> None:
        problems = Problems()
        if load_user is not None:
            problems.callables(load_user=load_user)
        problems.raise_if_any()
        self._load_user = load_user
        self._identities = RequestLocalCache(self._load_identity)

    def identity(self, request: Request) -> Any:
        """Return the user or the token; None if the request has no valid token."""
        return self._identities.get_or_create(request)

    def authenticated_userid(self, request: Request) -> str | None:
        """Return the subject of the token; None if there is no identity."""
        token = request.environ.get(TOKEN)
        return None if token is None or self.identity(request) is None else token.subject

    def permits(self, request: Request, context: object, permission: str) -> Allowed | Denied:
        """Return whether the token has the permission as a scope."""
        try:
            token = token_from(request.environ)
            if self.identity(request) is None:
                raise InvalidToken("subject_unknown", claim="sub")
            if permission != VALID_TOKEN and permission not in token.scopes:
                raise InsufficientScope(scopes=[permission])
        except AuthError as error:
            return _Refused(error)
        return Allowed("Allowed: the token has the scope %r", permission)

    def remember(self, request: Request, userid: str, **options: object) -> list[tuple[str, str]]:
        """Return no headers, because the client sends its token with each request."""
        return []

    def forget(self, request: Request, **options: object) -> list[tuple[str, str]]:
        """Return no headers. To log a user out, revoke the token or its session."""
        return []

    def _load_identity(self, request: Request) -> Any:
        token = request.environ.get(TOKEN)
        if token is None or self._load_user is None:
            return token
        return self._load_user(token, request)


def protected(**demands: Unpack[Demands]) -> Callable[[View], View]:
    """Return a ``decorator=`` for views that asks for more than a permission can.

    Its keywords are those of `require`: ``protected(any_scope=["orders:read", "admin"])``.
    """
    rule = require("/*", **demands)

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(context: Any, request: Request) -> Any:
            rule.authorize(token_from(request.environ), request.environ)
            return view(context, request)

        return guarded

    return decorate


def includeme(config: Configurator) -> None:
    """Deny by default, and answer refusals of views like those of the middleware.

    The application may replace each of these settings by its own.
    """
    config.set_security_policy(JWTSecurityPolicy())
    config.set_default_permission(VALID_TOKEN)
    config.add_exception_view(_answer, context=AuthError)
    config.add_exception_view(_answer_forbidden, context=HTTPForbidden)


class _Refused(Denied):  # type: ignore[misc]  # Pyramid has no types.
    """A permission that is denied, with the refusal to answer."""

    def __new__(cls, error: AuthError) -> "_Refused":
        refused: _Refused = super().__new__(cls, "Denied: %s", error.reason)
        refused.error = error
        return refused


def _answer(error: AuthError, request: Request) -> Response:
    return request.get_response(error)


def _answer_forbidden(forbidden: HTTPForbidden, request: Request) -> Response:
    # A view may raise HTTPForbidden for reasons of its own, which has its usual answer.
    refused = forbidden.result
    return _answer(refused.error, request) if isinstance(refused, _Refused) else forbidden
