"""One rule of a policy: what a request to some paths must bring."""

import re
from collections.abc import Callable, Collection, Iterable
from enum import IntEnum
from typing import Final, NamedTuple
from wsgiref.types import WSGIEnvironment

from jwt_middleware.arguments import Problems, a
from jwt_middleware.errors import AccessDenied, AuthError, InsufficientScope, is_scope_token
from jwt_middleware.policy.paths import ambiguity, path_info
from jwt_middleware.tokens import AccessToken

Check = Callable[[AccessToken, WSGIEnvironment], object]

_METHOD: Final = r"[A-Z]+(?:[-_][A-Z]+)*"


class Mode(IntEnum):
    """What a rule asks of a request, from the mildest to the strictest."""

    PUBLIC = 0
    DELEGATED = 1
    OPTIONAL = 2
    REQUIRED = 3


# Looking a member up through its class costs as much as the rest of a decision.
PUBLIC, DELEGATED, OPTIONAL, REQUIRED = Mode


class Demand(NamedTuple):
    """What a rule asks for, wherever it applies."""

    mode: Mode
    scopes: tuple[str, ...] = ()
    any_scope: tuple[str, ...] = ()
    check: Check | None = None


class Rule(NamedTuple):
    """One rule of a policy. Write it with `public`, `optional`, `delegate` or `require`."""

    demand: Demand
    paths: tuple[str, ...]
    methods: frozenset[str] | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """All scopes that the rule names."""
        return (*self.demand.scopes, *self.demand.any_scope)

    def authorize(self, token: AccessToken, environ: WSGIEnvironment) -> None:
        """Raise `InsufficientScope` or `AccessDenied` if the token does not permit this request."""
        _, scopes, any_scope, check = self.demand
        if scopes or any_scope:
            held = token.scopes
            if not held.issuperset(scopes) or (any_scope and held.isdisjoint(any_scope)):
                raise InsufficientScope(scopes=self.scopes)
        if check is not None:
            _approve(check, token, environ)

    def __str__(self) -> str:
        mode, scopes, any_scope, check = self.demand
        name = {PUBLIC: "public", DELEGATED: "delegate", OPTIONAL: "optional", REQUIRED: "require"}
        arguments = [repr(path) for path in self.paths]
        arguments += [] if self.methods is None else [f"methods={sorted(self.methods)}"]
        arguments += [f"scopes={list(scopes)}"] if scopes else []
        arguments += [f"any_scope={list(any_scope)}"] if any_scope else []
        arguments += [f"check={getattr(check, '__name__', 'callable')}"] if check else []
        return f"{name[mode]}({', '.join(arguments)})"


def public(*paths: str, methods: Iterable[str] | None = None) -> Rule:
    """Let requests through without looking at their credentials.

    `paths` match exactly (``"/health"``), or with everything below them (``"/static/*"`` matches
    ``/static``, ``/static/`` and ``/static/a/b``). `methods` limits the rule to some methods; GET
    includes HEAD.
    """
    return _rule(Demand(PUBLIC), paths, methods)


def optional(*paths: str, methods: Iterable[str] | None = None) -> Rule:
    """Let requests without a token through, and refuse a bad token.

    Paths and methods are those of `public`.
    """
    return _rule(Demand(OPTIONAL), paths, methods)


def delegate(*paths: str, methods: Iterable[str] | None = None) -> Rule:
    """Let every request through, and tell the application if it has no good token.

    The application finds the `AuthError` at ``environ["jwt_middleware.error"]``. Paths and methods
    are those of `public`.
    """
    return _rule(Demand(DELEGATED), paths, methods)


def require(
    *paths: str,
    scopes: Iterable[str] = (),
    any_scope: Iterable[str] = (),
    check: Check | None = None,
    methods: Iterable[str] | None = None,
) -> Rule:
    """Ask for a valid token that has all of `scopes` and at least one of `any_scope`.

    `check` is called as ``check(token, environ)`` and must return True. It may raise an `AuthError`
    of its own. If it returns or raises anything else, access is denied. Paths and methods are those
    of `public`.
    """
    problems = Problems()
    all_scopes = _items(problems, "scopes", scopes) or ()
    one_of = _items(problems, "any_scope", any_scope) or ()
    for scope in (*all_scopes, *one_of):
        if not is_scope_token(scope):
            problems.add(
                f"scopes: {scope!r} is not a scope;"
                " write one without spaces and quotes, such as 'orders:write'"
            )
    if not (check is None or callable(check)):
        problems.add(
            f"check: {a(check)} is not callable; write a function (token, environ) -> bool"
        )
    return _rule(Demand(REQUIRED, all_scopes, one_of, check), paths, methods, problems)


def _approve(check: Check, token: AccessToken, environ: WSGIEnvironment) -> None:
    try:
        answer = check(token, environ)
        if not isinstance(answer, bool | None):
            # A coroutine, a generator or the str "false" counts as true in Python.
            raise TypeError(f"check returned {a(answer)}; it must return True or False")
    except AuthError:
        raise
    except Exception as exc:
        # Fail closed: a check that breaks has not approved the request.
        raise AccessDenied from exc
    if not answer:
        raise AccessDenied


def _rule(
    demand: Demand,
    paths: tuple[str, ...],
    methods: Iterable[str] | None,
    problems: Problems | None = None,
) -> Rule:
    problems = problems or Problems()
    _check_paths(problems, paths)
    chosen = None if methods is None else _methods(problems, methods)
    problems.raise_if_any()
    return Rule(demand, paths, chosen)


def _items(problems: Problems, argument: str, values: Iterable[str]) -> tuple[str, ...] | None:
    """Return the items of a list. A single str is an iterable of its letters, and a mistake."""
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        problems.add(f"{argument}: {values!r} is not a list; write e.g. [{str(values)!r}]")
        return None
    return tuple(values)


def _methods(problems: Problems, methods: Iterable[str]) -> frozenset[str]:
    names = _items(problems, "methods", methods)
    if names is None:
        return frozenset()
    wrong = [name for name in names if not isinstance(name, str) or not re.fullmatch(_METHOD, name)]
    if wrong or not names:
        problems.add(
            f"methods: {wrong} are not HTTP methods; write e.g. ['GET', 'POST'], or leave it out"
        )
    return frozenset(names) | ({"HEAD"} if "GET" in names else set())


def _check_paths(problems: Problems, paths: Collection[object]) -> None:
    if not paths:
        problems.add("paths: a rule needs at least one; write e.g. '/health' or '/static/*'")
    for path in paths:
        problem = _path_problem(path)
        if problem is not None:
            problems.add(f"paths: {problem}")


def _path_problem(path: object) -> str | None:
    if not isinstance(path, str):
        return f"{a(path)} is not a path; write each path as an argument of its own"
    base = path.removesuffix("*") if path.endswith("/*") else path
    if "*" in base:
        return f"{path!r} has a * that is not its last segment; write e.g. '/static/*'"
    if not set("<>{}").isdisjoint(base):
        return (
            f"{path!r} is a pattern of a router;"
            " rules know '/orders' and, with everything below it, '/orders/*'"
        )
    if problem := ambiguity(path_info(base)):
        return f"{path!r} can never match, because such paths are refused: {problem}"
    plain = re.sub("/+", "/", f"/{base}")
    return None if base == plain else f"{path!r} can never match as written; write {plain!r}"
