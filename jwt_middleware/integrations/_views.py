"""What an adapter asks of a view: the marks of `public_view` and `protected`, and their meaning."""

from collections.abc import Callable, Iterable
from typing import Any, Final
from wsgiref.types import WSGIEnvironment

from jwt_middleware.arguments import ConfigurationError, a
from jwt_middleware.errors import InvalidToken
from jwt_middleware.middleware import JWTMiddleware
from jwt_middleware.policy import REQUIRED, Check, Decision, Policy, Rule, public, require
from jwt_middleware.tokens import ERROR, TOKEN, AccessToken

LoadUser = Callable[[AccessToken], Any]

# The policy of an adapter without `policy=`: the middleware lets every request through to the
# framework, which knows the view and then demands a token.
VIEWS_DECIDE: Final = Policy(public("/*"))

# functools.wraps copies these, so a decorator above ours keeps them.
_PUBLIC: Final = "_jwt_middleware_public"
_PROTECTED: Final = "_jwt_middleware_protected"


def mark_public(view: Any) -> None:
    """Remember that a view is open."""
    _mark(view, _PUBLIC, _PROTECTED)


def mark_protected(view: Any) -> None:
    """Remember that a view asks for more."""
    _mark(view, _PROTECTED, _PUBLIC)


def is_public(view: Any) -> bool:
    """Tell whether requests to a view need no token."""
    return getattr(view, _PUBLIC, False) is True


def rule_of_view(
    scopes: Iterable[str] = (), any_scope: Iterable[str] = (), check: Check | None = None
) -> Rule:
    """Return the rule that `protected` stands for; raises `ConfigurationError`."""
    return require("/*", scopes=scopes, any_scope=any_scope, check=check)


def demand(middleware: JWTMiddleware, environ: WSGIEnvironment, *rules: Rule) -> None:
    """Raise an `AuthError` unless the request has a valid token that satisfies the rules.

    A token is verified once for each request, because a proof of possession can be used only once.
    """
    if ERROR in environ:
        raise environ[ERROR]
    if TOKEN not in environ:
        middleware.authenticate(environ, Decision(REQUIRED, rules))
        return
    for rule in rules:
        rule.authorize(environ[TOKEN], environ)


def known_user(load_user: LoadUser, token: AccessToken) -> Any:
    """Return the user of a token; raises `InvalidToken` if there is none."""
    user = load_user(token)
    if user is None:
        raise InvalidToken("subject_unknown", claim="sub")
    return user


def check_load_user(load_user: object) -> None:
    """Raise `ConfigurationError` if `load_user` cannot be called."""
    if not (load_user is None or callable(load_user)):
        raise ConfigurationError(
            f"load_user: {a(load_user)} is not callable; write a function (token) -> user or None"
        )


def _mark(view: Any, mark: str, other: str) -> None:
    if hasattr(view, other):
        raise ConfigurationError(
            f"{getattr(view, '__name__', a(view))}: a view cannot be public and protected;"
            " write public_view or protected, not both"
        )
    setattr(view, mark, True)
