"""`Policy`: which requests need a token, by path and method, and what the token must permit."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any, NamedTuple
from wsgiref.types import WSGIEnvironment

from jwt_middleware.errors import AccessDenied, AuthError, InsufficientScope, is_scope_token
from jwt_middleware.faults import refuse
from jwt_middleware.tokens import AccessToken

Check = Callable[[AccessToken, WSGIEnvironment], object]

_METHOD = r"[A-Z]+(?:[-_][A-Z]+)*"
_WITHOUT_CONTROL = dict.fromkeys([*range(32), 127])
_ENCODED = {"%2e": ".", "%2f": "/", "%5c": "\\"}
_STILL_ENCODED = re.compile("|".join(_ENCODED), re.IGNORECASE)


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
            if not held.issuperset(self.scopes) or (self.any_scope and held.isdisjoint(self.any_scope)):
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
            raise TypeError(f"check answered a {type(answer).__name__}; it must answer True or False")
    except AuthError:
        raise
    except Exception as exc:
        # Fail closed: a check that trips over a token has not approved of it.
        raise AccessDenied from exc
    if not answer:
        raise AccessDenied


class Decision:
    """What the policy asks of one request: the strictest mode, and every rule that must be satisfied."""

    __slots__ = ("mode", "rules")

    def __init__(self, mode: Mode, rules: tuple[Rule, ...] = ()) -> None:
        self.mode = mode
        self.rules = rules

    def and_also(self, other: "Decision") -> "Decision":
        """Return the decision that asks for all that both ask for."""
        return Decision(max(self.mode, other.mode), tuple(dict.fromkeys(self.rules + other.rules)))


_TOKEN_REQUIRED = Decision(REQUIRED)


class Policy:
    """An ordered list of rules: the first that matches method and path decides.

    A request that no rule matches needs a valid token, so ``Policy()`` protects everything.

    Rules see ``PATH_INFO``, which is what the wrapped application routes on. A path that an application may
    read in another way than it is written (``//``, ``.`` and ``..`` segments, backslashes, control
    characters, ``%2e``, ``%2f``, ``%5c``, a trailing slash) is judged twice, as sent and cleaned up, and
    must satisfy what both ask for. So is a method that is not written in capitals.

    `allow_preflight` lets true CORS preflights through (OPTIONS with ``Origin`` and
    ``Access-Control-Request-Method``), which browsers send without credentials.

    Raises `ConfigurationError` for rules that can never apply.
    """

    def __init__(self, *rules: Rule, allow_preflight: bool = False) -> None:
        refuse(_policy_faults(rules, allow_preflight))
        self.rules = rules
        self.allow_preflight = allow_preflight
        entries = [_Entry(path, rule) for rule in rules for path in rule.paths]
        refuse(_unreachable_faults(entries), _twin_faults(entries))
        self._as_sent = tuple(entries)
        self._cleaned = tuple(_Entry(clean_path(path), rule) for rule in rules for path in rule.paths)

    def decide(self, method: str, path: str) -> Decision:
        """Return what a request needs. `path` is ``PATH_INFO``; empty means ``/``."""
        if not self._as_sent:
            return _TOKEN_REQUIRED
        if not method.isupper():
            # Methods have case (RFC 9110 §9.1), but frameworks raise it and then serve "post" as POST.
            return self._decide(method, path or "/").and_also(self._decide(method.upper(), path or "/"))
        return self._decide(method, path or "/")

    def _decide(self, method: str, path: str) -> Decision:
        decision = _first(self._as_sent, method, path)
        if _is_plain(path):
            return decision
        cleaned = clean_path(path)
        return decision if cleaned == path else decision.and_also(_first(self._cleaned, method, cleaned))

    def explain(self, method: str, path: str) -> str:
        """Say in one sentence what a request needs and which rules decide that."""
        decision = self.decide(method, path)
        needs = {
            PUBLIC: "passes without a token",
            DELEGATED: "passes, and the application is told whether its token is good",
            OPTIONAL: "passes without a token or with a valid one",
            REQUIRED: "needs a valid token",
        }
        numbered = [f"rule {self.rules.index(rule) + 1}, {rule}" for rule in decision.rules]
        cleaned = clean_path(path or "/")
        twice = "" if cleaned == (path or "/") else f" (judged also as {cleaned!r})"
        why = " and ".join(numbered) or "no rule matches"
        preflight = "; a CORS preflight passes" if method == "OPTIONS" and self.allow_preflight else ""
        return f"{method} {path!r}{twice} {needs[decision.mode]}: {why}{preflight}"


def clean_path(path: str) -> str:
    """Return the one path that all spellings of it come down to (RFC 3986 §6.2.2, and what servers forgive)."""
    decoded = _STILL_ENCODED.sub(lambda match: _ENCODED[match[0].lower()], path)
    segments: list[str] = []
    for segment in decoded.translate(_WITHOUT_CONTROL).replace("\\", "/").split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    return "/" + "/".join(segments)


class _Entry:
    """One path of one rule, compiled."""

    __slots__ = ("base", "decision", "methods", "pattern", "prefix", "rule")

    def __init__(self, pattern: str, rule: Rule) -> None:
        self.pattern = pattern
        self.rule = rule
        # PEP 3333: PATH_INFO is the UTF-8 of the path, read as latin-1.
        sent = pattern.encode().decode("latin-1")
        self.base = sent.removesuffix("/*") or "/"
        self.prefix = sent[:-1] if sent.endswith("/*") else None
        self.methods = rule.methods
        self.decision = Decision(rule.mode, (rule,))

    def covers(self, other: "_Entry", method: str | None) -> bool:
        """Tell whether every path of the other entry is one of this, for the method or (None) for all."""
        same = self.base == other.base and (self.prefix is not None or other.prefix is None)
        below = self.prefix is not None and other.base.startswith(self.prefix)
        return (same or below) and (self.methods is None or method in self.methods)


def _first(entries: Sequence[_Entry], method: str, path: str) -> Decision:
    for entry in entries:
        on_path = path == entry.base or (entry.prefix is not None and path.startswith(entry.prefix))
        if on_path and (entry.methods is None or method in entry.methods):
            return entry.decision
    return _TOKEN_REQUIRED


def _is_plain(path: str) -> bool:
    # Cheap and rather too strict: what fails here is compared with its cleaned form.
    return (
        path[0] == "/"
        and path[-1] != "/"
        and "//" not in path
        and "/." not in path
        and "%" not in path
        and "\\" not in path
        and path.isprintable()
    )


def _rule(
    mode: Mode,
    paths: tuple[str, ...],
    methods: Iterable[str] | None,
    *,
    scopes: Iterable[str] = (),
    any_scope: Iterable[str] = (),
    check: Check | None = None,
) -> Rule:
    given = {"scopes": scopes, "any_scope": any_scope} | ({} if methods is None else {"methods": methods})
    # A lone str is an iterable of its letters, never what was meant.
    lists = {name: tuple(value) if _is_list(value) else () for name, value in given.items()}
    refuse(
        (f"{name}: {value!r} is no list; write e.g. [{str(value)!r}]" for name, value in given.items() if not _is_list(value)),
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
    return Rule(mode=mode, paths=paths, methods=chosen, scopes=lists["scopes"], any_scope=lists["any_scope"], check=check)


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
        elif base not in {clean_path(base), clean_path(base) + "/"}:
            yield f"paths: {path!r} can never match as written; write {clean_path(base)!r}"


def _method_faults(methods: Collection[object]) -> Iterator[str]:
    wrong = [method for method in methods if not isinstance(method, str) or re.fullmatch(_METHOD, method) is None]
    if wrong or not methods:
        yield f"methods: {wrong or list(methods)!r} are no HTTP methods; write e.g. ['GET', 'POST'], or leave it out"


def _scope_faults(scopes: Collection[object]) -> Iterator[str]:
    for scope in scopes:
        if not is_scope_token(scope):
            yield f"scopes: {scope!r} is no scope; write one without spaces and quotes, such as 'orders:write'"


def _policy_faults(rules: Collection[object], allow_preflight: object) -> Iterator[str]:
    for rule in rules:
        if not isinstance(rule, Rule):
            yield f"rules: a {type(rule).__name__} is no rule; write public(...), optional(...), delegate(...) or require(...)"
    if not isinstance(allow_preflight, bool):
        yield f"allow_preflight: {allow_preflight!r} is no bool; write True or leave it out"


def _twin_faults(entries: Sequence[_Entry]) -> Iterator[str]:
    """Say which paths, to many applications one page, are judged in two ways."""
    for number, entry in enumerate(entries):
        for other in entries[:number]:
            twins = entry.base != other.base and clean_path(entry.pattern) == clean_path(other.pattern)
            overlap = entry.methods is None or other.methods is None or entry.methods & other.methods
            if twins and overlap and entry.rule._replace(paths=()) != other.rule._replace(paths=()):
                yield f"rules: {other.pattern!r} and {entry.pattern!r} are one page to many applications; give both to one rule"


def _unreachable_faults(entries: Sequence[_Entry]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        methods: Iterable[str | None] = [None] if entry.methods is None else entry.methods
        blockers = [_blocker(entries[:number], entry, method) for method in methods]
        if all(blockers):
            yield f"rules: {entry.pattern!r} in {entry.rule} is never reached, {blockers[0]} comes first; reorder them"


def _blocker(earlier: Sequence[_Entry], entry: _Entry, method: str | None) -> Any:
    return next((before.rule for before in earlier if before.covers(entry, method)), None)
