"""The adapter for Django: every view needs a token, unless it is decorated with `public_view`.

MIDDLEWARE = ["jwt_middleware.integrations.django.JWTAuthenticationMiddleware", ...]
JWT_MIDDLEWARE = {"VERIFIER": "project.tokens.verifier"}
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache, wraps
from inspect import signature
from typing import Any, Final, NamedTuple, TypeVar, cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from jwt_middleware.credentials import Extractor, from_header
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
from jwt_middleware.integrations.token_user import TokenUser
from jwt_middleware.middleware import JWTMiddleware
from jwt_middleware.policy import Check, Rule
from jwt_middleware.tokens import TOKEN

_OURS: Final = "jwt_middleware.integrations.django.JWTAuthenticationMiddleware"
_CSRF: Final = "django.middleware.csrf.CsrfViewMiddleware"
_DJANGO: Final = "jwt_middleware.django"
_VIEW_REACHED: Final = "jwt_middleware.view_reached"
_KEYS: Final = {
    name.upper(): name for name in (*list(signature(JWTMiddleware).parameters)[1:], "load_user")
}

Headers = list[tuple[str, str]]
View = TypeVar("View", bound=Callable[..., Any])


class Setup(NamedTuple):
    """What the setting ``JWT_MIDDLEWARE`` says."""

    middleware: JWTMiddleware
    views_decide: bool
    credential: Extractor
    realm: str
    load_user: LoadUser

    def identify(self, request: Any) -> None:
        """Set ``request.token``, and for a token also ``request.user``.

        Raises `InvalidToken` if the user of the token is not known.
        """
        request.token = token = request.META.get(TOKEN)
        if token is None:
            return
        if not hasattr(request, "_jwt_middleware_user"):
            request._jwt_middleware_user = known_user(self.load_user, token)
        request.user = user = request._jwt_middleware_user

        async def auser() -> Any:
            return user

        request.auser = auser
        if self._sent_by_header(request.META):
            # No page of another site can make a browser send this header, unlike a cookie.
            request._dont_enforce_csrf_checks = True

    def demand(self, request: Any, *rules: Rule) -> None:
        """Raise an `AuthError` unless the request has a valid token that satisfies the rules."""
        demand(self.middleware, request.META, *rules)
        self.identify(request)

    def _sent_by_header(self, environ: WSGIEnvironment) -> bool:
        if self.credential is from_header:
            return True
        with suppress(AuthError):
            sent = from_header(environ)
            return sent is not None and sent == self.credential(environ)
        return False


@lru_cache(maxsize=1)
def setup() -> Setup:
    """Return what ``settings.JWT_MIDDLEWARE`` says; raises `ImproperlyConfigured`."""
    given = getattr(settings, "JWT_MIDDLEWARE", {})
    if "VERIFIER" not in given or not given.keys() <= _KEYS.keys():
        raise ImproperlyConfigured(
            f"JWT_MIDDLEWARE: it has the keys {sorted(given)}; write VERIFIER and, if you need"
            f" them, {', '.join(key for key in _KEYS if key != 'VERIFIER')}"
        )
    options = {
        _KEYS[key]: import_string(value) if isinstance(value, str) and key != "REALM" else value
        for key, value in given.items()
    }
    load_user = options.pop("load_user", TokenUser)
    check_load_user(load_user)
    views_decide = "policy" not in options
    middleware = JWTMiddleware(_call_django, **({"policy": VIEWS_DECIDE} | options))
    return Setup(
        middleware,
        views_decide,
        options.get("credential", from_header),
        options.get("realm", "api"),
        load_user,
    )


class JWTAuthenticationMiddleware:
    """Protects the views of a Django project with `JWTMiddleware`.

    The keys of the setting ``JWT_MIDDLEWARE`` are the names of the arguments of `JWTMiddleware`,
    and ``LOAD_USER``, in capitals. Their values are objects, or import paths of objects.

    Without ``POLICY`` every request needs a valid token: to views, and to paths that do not exist.
    `public_view` opens a view. With ``POLICY`` the policy decides by path, and `public_view` has no
    effect. In both cases `protected` asks for more on one view.

    A view finds the `AccessToken` at ``request.token``, which is None without a token. With a token
    ``request.user`` is what ``LOAD_USER`` returns for it, or else a `TokenUser`. If ``LOAD_USER``
    returns None, the request is refused (401, ``subject_unknown``).
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        _check_order(settings.MIDDLEWARE)
        self._get_response = get_response
        self._setup = setup()

    def __call__(self, request: HttpRequest) -> Any:
        """Let `JWTMiddleware` answer the request. Its application is the rest of Django."""
        response: Any = None
        started: list[tuple[str, Headers]] = []

        def django(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            nonlocal response
            response = self._run(request)
            start_response(f"{response.status_code} {response.reason_phrase}", [*response.items()])
            return ()

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            started.append((status, headers))

        request.META[_DJANGO] = django
        body = self._setup.middleware(request.META, start)
        status, headers = started[-1]
        if response is None:
            return _response(b"".join(body), status, headers)
        # The headers for pages of other origins, if there is CORS.
        for name, value in _joined(headers).items():
            response[name] = value
        return response

    def _run(self, request: HttpRequest) -> Any:
        request.META.pop(_VIEW_REACHED, None)
        self._setup.identify(request)
        response = self._get_response(request)
        if self._setup.views_decide and _VIEW_REACHED not in request.META:
            # No view was found, or a middleware behind this one has answered.
            try:
                self._setup.demand(request)
            except AuthError:
                response.close()
                raise
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: object, kwargs: object
    ) -> HttpResponse | None:
        """Refuse the request if the view asks for a token that it does not have."""
        request.META[_VIEW_REACHED] = True
        try:
            if self._setup.views_decide and not is_public(view):
                self._setup.demand(request)
            else:
                # Once more, because another middleware may have set request.user.
                self._setup.identify(request)
        except AuthError as error:
            return answer(error, request)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer an `AuthError` of a view as the middleware would."""
        return answer(exception, request) if isinstance(exception, AuthError) else None


def public_view(view: View) -> View:
    """Open a view: requests to it need no token, and a token is not read.

    Write it on a function, on ``as_view()``, or on a class with
    ``method_decorator(public_view, name="dispatch")``.
    """

    def open_view(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    # A function of its own, so that other URLs of the same function stay closed.
    wrapper = _like(view, open_view)
    mark_public(wrapper)
    return cast(View, wrapper)


def protected(
    *, scopes: Iterable[str] = (), any_scope: Iterable[str] = (), check: Check | None = None
) -> Callable[[View], View]:
    """Ask for more on one view: a valid token that has the scopes and passes the check.

    The arguments are those of `require`. Write it on a function, on ``as_view()``, or on a class or
    method with ``method_decorator(protected(...))``.
    """
    rule = rule_of_view(scopes, any_scope, check)

    def decorate(view: View) -> View:
        def protected_view(*args: Any, **kwargs: Any) -> Any:
            setup().demand(_request(args), rule)
            return view(*args, **kwargs)

        wrapper = _like(view, protected_view)
        mark_protected(wrapper)
        return cast(View, wrapper)

    return decorate


def answer(error: AuthError, request: Any) -> HttpResponse:
    """Return the middleware's response to an error that Django code has raised."""
    response = error.get_response(request.META)
    return _response(response.get_data(), response.status, [*response.headers])


def _call_django(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    # pop, so that environ does not keep the request alive.
    django: WSGIApplication = environ.pop(_DJANGO)
    return django(environ, start_response)


def _response(body: bytes, status: str, headers: Headers) -> HttpResponse:
    code, _, phrase = status.partition(" ")
    return HttpResponse(body, status=int(code), reason=phrase, headers=_joined(headers))


def _joined(headers: Headers) -> dict[str, str]:
    """Return one value for each name, because Django has one header of a name (RFC 9110 §5.3)."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _like(view: Any, wrapper: Any) -> Any:
    wrapper = wraps(view)(wrapper)
    return markcoroutinefunction(wrapper) if iscoroutinefunction(view) else wrapper


def _request(args: Sequence[Any]) -> Any:
    # The first argument of a method is its object.
    return next(argument for argument in args if hasattr(argument, "META"))


def _check_order(names: Sequence[str]) -> None:
    if _OURS in names and _CSRF in names[: names.index(_OURS)]:
        raise ImproperlyConfigured(
            f"MIDDLEWARE: write {_OURS!r} above {_CSRF!r}, which must know if a request was"
            " authenticated by header"
        )


setting_changed.connect(lambda **_: setup.cache_clear(), weak=False)
