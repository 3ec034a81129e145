"""`Rule`: one line of a policy, which says what a request to some paths must bring."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple
from wsgiref.types import WSGIEnvironment

from jwt_middleware.arguments import refuse
from jwt_middleware.errors import AccessDenied, AuthError, InsufficientScope, is_scope_token
from jwt_middleware.policy.paths import ambiguity, path_info
from jwt_middleware.tokens import AccessToken

Check = Callable[[AccessToken, WSGIEnvironment], object]

_METHOD = r"[A-Z]+(?:[-_][A-Z]+)*"


class Mode(IntEnum):
    """What a rule asks of a request, from the mildest to the strictest."""

    PUBLIC = 0
    DELEGATED = 1
    OPTIONAL = 2
    REQUIRED = 3


# A member looked up through its class costs as much as the rest of a decision.
PUBLIC, DELEGATED, OPTIONAL, REQUIRED = Mode


class Rule(NamedTuple):
    """One line of a policy. Write it with `public`, `optional`, `delegate` or `require`."""

    mode: Mode
    paths: tuple[str, ...]
    methods: frozenset[str] | None = None
    scopes: tuple[str, ...] = ()
    any_scope: tuple[str, ...] = ()
    check: Check | None = None

    def authorize(self, token: AccessToken, environ: WSGIEnvironment) -> None:
        """Raise `InsufficientScope` or `AccessDenied` if the token does not permit this request."""
        if self.scopes or self.any_scope:
            held = token.scopes
            if not held.issuperset(self.scopes) or (
                self.any_scope and held.isdisjoint(self.any_scope)
            ):
                raise InsufficientScope(scopes=(*self.scopes, *self.any_scope))
        if self.check is not None:
            _approve(self.check, token, environ)

    def __str__(self) -> str:
        name = {PUBLIC: "public", DELEGATED: "delegate", OPTIONAL: "optional", REQUIRED: "require"}
        arguments = [repr(path) for path in self.paths]
        arguments += [] if self.methods is None else [f"methods={sorted(self.methods)}"]
        arguments += [f"scopes={list(self.scopes)}"] if self.scopes else []
        arguments += [f"any_scope={list(self.any_scope)}"] if self.any_scope else []
        arguments += [f"check={getattr(self.check, '__name__', 'callable')}"] if self.check else []
        return f"{name[self.mode]}({', '.join(arguments)})"


def public(*paths: str, methods: Iterable[str] | None = None) -> Rule:
    """Let requests through without looking at their credentials.

    `paths` match exactly (``"/health"``), or by segments with all below them (``"/static/*"`` matches
    ``/static``, ``/static/`` and ``/static/a/b``). `methods` limits the rule to some; GET brings HEAD along.
    """
    return _rule(PUBLIC, paths, methods)


def optional(*paths: str, methods: Iterable[str] | None = None) -> Rule:
    """Let requests without a token through; a bad token is still refused. Paths and methods as in `public`."""
    return _rule(OPTIONAL, paths, methods)


def delegate(*paths: str, methods: Iterable[str] | None = None) -> Rule:
    """Let every request through and tell the application why one has no good token.

    It finds the `AuthError` at ``environ["jwt_middleware.error"]``. Paths and methods as in `public`.
    """
    return _rule(DELEGATED, paths, methods)


def require(
    *paths: str,
    scopes: Iterable[str] = (),
    any_scope: Iterable[str] = (),
    check: Check | None = None,
    methods: Iterable[str] | None = None,
) -> Rule:
    """Ask for a valid token that holds all of `scopes` and at least one of `any_scope`.

    `check` is called as ``check(token, environ)`` and must answer True; it may raise an `AuthError` of its
    own. Anything else that it raises or answers denies access. Paths and methods as in `public`.
    """
    return _rule(REQUIRED, paths, methods, scopes=scopes, any_scope=any_scope, check=check)


def _approve(check: Check, token: AccessToken, environ: WSGIEnvironment) -> None:
    try:
        answer = check(token, environ)
        if not isinstance(answer, bool | None):
            # A coroutine, a generator or the str "false" is true to Python.
            raise TypeError(
                f"check answered a {type(answer).__name__}; it must answer True or False"
            )
    except AuthError:
        raise
    except Exception as exc:
        # Fail closed: a check that trips over a token has not approved of it.
        raise AccessDenied from exc
    if not answer:
        raise AccessDenied


def _rule(
    mode: Mode,
    paths: tuple[str, ...],
    methods: Iterable[str] | None,
    *,
    scopes: Iterable[str] = (),
    any_scope: Iterable[str] = (),
    check: Check | None = None,
) -> Rule:
    given = {"scopes": scopes, "any_scope": any_scope} | (
        {} if methods is None else {"methods": methods}
    )
    # A lone str is an iterable of its letters, never what was meant.
    lists = {name: tuple(value) if _is_list(value) else () for name, value in given.items()}
    refuse(
        (
            f"{name}: {value!r} is no list; write e.g. [{str(value)!r}]"
            for name, value in given.items()
            if not _is_list(value)
        ),
        _path_faults(paths),
        _method_faults(lists["methods"]) if _is_list(methods) else (),
        _scope_faults(lists["scopes"] + lists["any_scope"]),
        (
            f"check: a {type(check).__name__} is not callable; write a function (token, environ) -> bool"
            for _ in [0]
            if not (check is None or callable(check))
        ),
    )
    chosen = None if methods is None else frozenset(lists["methods"])
    if chosen is not None and "GET" in chosen:
        chosen |= {"HEAD"}
    return Rule(
        mode=mode,
        paths=paths,
        methods=chosen,
        scopes=lists["scopes"],
        any_scope=lists["any_scope"],
        check=check,
    )


def _is_list(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def _path_faults(paths: Collection[object]) -> Iterator[str]:
    if not paths:
        yield "paths: a rule needs at least one; write e.g. '/health' or '/static/*'"
    for path in paths:
        if not isinstance(path, str):
            yield f"paths: a {type(path).__name__} is no path; write each as an argument of its own"
            continue
        base = path.removesuffix("*") if path.endswith("/*") else path
        if "*" in base:
            yield f"paths: {path!r} has a * that is not its last segment; write e.g. '/static/*'"
        elif not set("<>{}").isdisjoint(base):
            yield f"paths: {path!r} is a pattern of a router; rules know '/orders' and, for all below it, '/orders/*'"
        elif problem := ambiguity(path_info(base)):
            yield f"paths: {path!r} can never match, such paths are refused: {problem}"
        elif base != _with_single_slashes(base):
            yield f"paths: {path!r} can never match as written; write {_with_single_slashes(base)!r}"


def _with_single_slashes(path: str) -> str:
    return re.sub("/+", "/", f"/{path}")


def _method_faults(methods: Collection[object]) -> Iterator[str]:
    wrong = [
        method
        for method in methods
        if not isinstance(method, str) or re.fullmatch(_METHOD, method) is None
    ]
    if wrong or not methods:
        yield f"methods: {wrong or list(methods)!r} are no HTTP methods; write e.g. ['GET', 'POST'], or leave it out"


def _scope_faults(scopes: Collection[object]) -> Iterator[str]:
    for scope in scopes:
        if not is_scope_token(scope):
            yield f"scopes: {scope!r} is no scope; write one without spaces and quotes, such as 'orders:write'"
