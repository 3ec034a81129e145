"""The adapter for Flask: every view needs a token, unless it is decorated with `public_view`.

app = Flask(__name__)
JWT(app, verifier)
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Final, TypeVar, cast

from flask import Flask, current_app, request
from werkzeug.local import LocalProxy
from werkzeug.wrappers import Response

from jwt_middleware.arguments import ConfigurationError
from jwt_middleware.errors import AuthError
from jwt_middleware.integrations._views import (
    VIEWS_DECIDE,
    LoadUser,
    check_load_user,
    demand,
    is_public,
    known_user,
    mark_protected,
    mark_public,
    rule_of_view,
)
from jwt_middleware.middleware import JWTMiddleware, TokenVerifier
from jwt_middleware.policy import Check, Policy, Rule
from jwt_middleware.tokens import TOKEN, AccessToken

_EXTENSION: Final = "jwt_middleware"
_USER: Final = "jwt_middleware.user"
# Rules of `protected` that the view function does not check when it is called.
_UNCHECKED: Final = "_jwt_middleware_unchecked"

View = TypeVar("View", bound=Callable[..., Any])


class JWT:
    """Protects a Flask application with `JWTMiddleware`.

    Without `policy` every request needs a valid token: to views, to static files, and to paths that
    do not exist. `public_view` opens a view. With `policy` the policy decides by path, and
    `public_view` has no effect. In both cases `protected` asks for more on one view.

    `load_user` is called inside the application context with the `AccessToken` of each request that
    has one, and returns what `current_user` stands for. If it returns None, the request is refused
    (401, ``subject_unknown``).

    All other options are those of `JWTMiddleware`.
    """

    # The options are passed through, so that the adapter has those of the middleware and no others.
    def __init__(
        self,
        app: Flask,
        verifier: TokenVerifier,
        *,
        policy: Policy | None = None,
        load_user: LoadUser | None = None,
        **options: Any,
    ) -> None:
        check_load_user(load_user)
        if _EXTENSION in app.extensions:
            raise ConfigurationError("app: it has a JWT already; write JWT(app, ...) once")
        self._views_decide = policy is None
        self._middleware = JWTMiddleware(
            app.wsgi_app, verifier, policy=VIEWS_DECIDE if policy is None else policy, **options
        )
        self._load_user = load_user
        app.register_error_handler(AuthError, _answer)
        # The first function that Flask calls once it knows the view, before all hooks of the
        # application.
        app.url_value_preprocessors[None].insert(0, self._before_view)
        app.extensions[_EXTENSION] = self
        app.wsgi_app = self._middleware  # type: ignore[method-assign]

    def demand(self, *rules: Rule) -> None:
        """Raise an `AuthError` unless this request has a valid token that satisfies the rules."""
        demand(self._middleware, request.environ, *rules)
        self._find_user()

    def _before_view(self, endpoint: str | None, values: dict[str, Any] | None) -> None:
        request.environ.pop(_USER, None)
        # There is no endpoint if no route matches.
        view = current_app.view_functions.get(endpoint or "")
        rules = getattr(view, _UNCHECKED, ())
        if rules or (self._views_decide and not is_public(view)):
            self.demand(*rules)
        elif TOKEN in request.environ:
            self._find_user()

    def _find_user(self) -> None:
        environ = request.environ
        if self._load_user is not None and _USER not in environ:
            environ[_USER] = known_user(self._load_user, environ[TOKEN])


def public_view(view: View) -> View:
    """Open a view: requests to it need no token, and a token is not read.

    Write it below the route. Above the route it has no effect, and the view stays closed.
    """

    # A function of its own, so that other routes of the same function stay closed.
    @wraps(view)
    def open_view(*args: Any, **kwargs: Any) -> Any:
        return current_app.ensure_sync(view)(*args, **kwargs)

    mark_public(open_view)
    return cast(View, open_view)


def protected(
    *, scopes: Iterable[str] = (), any_scope: Iterable[str] = (), check: Check | None = None
) -> Callable[[View], View]:
    """Ask for more on one view: a valid token that has the scopes and passes the check.

    The arguments are those of `require`. The decorator may be above or below the route, and on a
    method of a class. It applies to every route of its function.
    """
    rule = rule_of_view(scopes, any_scope, check)

    def decorate(view: View) -> View:
        @wraps(view)
        def protected_view(*args: Any, **kwargs: Any) -> Any:
            extension = current_app.extensions.get(_EXTENSION)
            if extension is None:
                raise RuntimeError(f"{current_app.name} is not protected; write JWT(app, verifier)")
            extension.demand(rule)
            return current_app.ensure_sync(view)(*args, **kwargs)

        mark_protected(protected_view)
        setattr(protected_view, _UNCHECKED, ())
        _leave_unchecked(view, rule)
        return cast(View, protected_view)

    return decorate


def _leave_unchecked(view: Any, rule: Rule) -> None:
    """Note the rule on the functions below `protected`, which run if it is above the route."""
    while view is not None:
        # A bound method has no attributes of its own.
        function = getattr(view, "__func__", view)
        unchecked = getattr(function, _UNCHECKED, ())
        if rule not in unchecked:
            setattr(function, _UNCHECKED, (*unchecked, rule))
        view = getattr(view, "__wrapped__", None)


def _answer(error: AuthError) -> Response:
    response: Response = error.get_response(request.environ)
    return response


def _current_user() -> Any:
    extension = current_app.extensions.get(_EXTENSION)
    if extension is None or extension._load_user is None:
        raise RuntimeError("current_user needs a function; write JWT(app, verifier, load_user=...)")
    return request.environ.get(_USER)


# Both are false if the request has no token.
current_token: AccessToken = LocalProxy(lambda: request.environ.get(TOKEN))  # type: ignore[assignment]
current_user: Any = LocalProxy(_current_user)
