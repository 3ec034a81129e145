"""`protected`: what a part of an application asks for, in addition to the policy."""

from collections.abc import Callable, Iterable
from functools import update_wrapper
from typing import TypedDict, Unpack
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from jwt_middleware.errors import AuthError
from jwt_middleware.policy.rules import Check, require
from jwt_middleware.tokens import token_from


class Demands(TypedDict, total=False):
    """The keywords of every `protected`: those of `require` that are not about paths or methods."""

    scopes: Iterable[str]
    any_scope: Iterable[str]
    check: Check | None


def protected(**demands: Unpack[Demands]) -> Callable[[WSGIApplication], WSGIApplication]:
    """Return a decorator for WSGI applications that run behind `JWTMiddleware`.

    A request reaches the application only with a valid token that has all of `scopes` and at least
    one of `any_scope`, and that `check` approves, as for `require`. Without arguments, a valid
    token is enough. All other requests are answered like refusals of the middleware.
    """
    rule = require("/*", **demands)

    def decorate(app: WSGIApplication) -> WSGIApplication:
        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            try:
                rule.authorize(token_from(environ), environ)
            except AuthError as error:
                # Answered here, because what is between this and the middleware may turn an
                # exception into a 500.
                return error(environ, start_response)
            return app(environ, start_response)

        # The attributes of an application are its own.
        return update_wrapper(guarded, app, updated=())

    return decorate
