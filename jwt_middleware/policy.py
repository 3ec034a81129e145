"""`Policy`: which requests need a token, by path and method, and what the token must permit."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from jwt_middleware.faults import refuse
from jwt_middleware.paths import clean_path, is_plain
from jwt_middleware.rules import DELEGATED, OPTIONAL, PUBLIC, REQUIRED, Mode, Rule


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
        if is_plain(path):
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


def _blocker(earlier: Sequence[_Entry], entry: _Entry, method: str | None) -> Rule | None:
    return next((before.rule for before in earlier if before.covers(entry, method)), None)
