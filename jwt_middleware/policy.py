"""`Policy`: which requests need a token, by path and method, and what the token must permit."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache

from jwt_middleware.errors import AmbiguousPath
from jwt_middleware.faults import refuse
from jwt_middleware.paths import ambiguity, is_ordinary, path_info, reduced
from jwt_middleware.rules import DELEGATED, OPTIONAL, PUBLIC, REQUIRED, Mode, Rule


class Decision:
    """What the policy asks of one request: the strictest mode, and every rule that must be satisfied."""

    __slots__ = ("mode", "rules")

    def __init__(self, mode: Mode, rules: tuple[Rule, ...] = ()) -> None:
        self.mode = mode
        self.rules = rules

    def combined_with(self, other: "Decision") -> "Decision":
        """Return the decision that asks for all that both ask for."""
        return Decision(max(self.mode, other.mode), tuple(dict.fromkeys(self.rules + other.rules)))


TOKEN_REQUIRED = Decision(REQUIRED)
_LONG = 256


class Policy:
    """An ordered list of rules: the first that matches method and path decides.

    A request that no rule matches needs a valid token, so ``Policy()`` protects everything.

    Rules see ``PATH_INFO``, which is what the wrapped application routes on. Applications do not agree on what
    some paths mean, so that a rule for one meaning could be evaded by another:

    * A path with a dot segment, a backslash, a control character, a ``%2e``, ``%2f``, ``%5c`` or ``%00`` that is
      still encoded, or bytes that are not UTF-8 is refused (``path_ambiguous``).
    * Repeated slashes, a trailing slash and Pyramid's ``@@`` mean the same to some applications. Each request is
      judged as sent and without them, and must satisfy both decisions: a rule that asks for something covers all
      spellings of its paths, and a rule that lets requests through covers only what it says.
    * A method that is not written in capitals is judged as sent and in capitals in the same way.

    If all rules are for ``/*``, paths do not matter: none is refused, and each rule covers every path.

    Raises `ConfigurationError` for rules that can never apply, and for rules that contradict each other.
    """

    def __init__(self, *rules: Rule) -> None:
        refuse(_policy_faults(rules))
        self.rules = rules
        self._as_sent = [_Entry(path, rule) for rule in rules for path in rule.paths]
        self._reduced = [_Entry(reduced(path), rule) for rule in rules for path in rule.paths]
        refuse(
            _unreachable_faults(self._as_sent),
            _twin_faults(self._as_sent, self._reduced),
            _gap_faults(self._as_sent),
        )
        self._rules_are_reduced = all(path == reduced(path) for rule in rules for path in rule.paths)
        self.depends_on_path = any(entry.pattern != "/*" for entry in self._as_sent)
        # Most requests are for few paths. Long ones are not remembered: clients choose them.
        self._remembered = lru_cache(maxsize=1024)(self._judge)

    def decide(self, method: str, path: str) -> Decision:
        """Return what a request needs. `path` is ``PATH_INFO``; empty means ``/``.

        Raises `AmbiguousPath`.
        """
        return (self._remembered if len(path) + len(method) < _LONG else self._judge)(method, path)

    def _judge(self, method: str, path: str) -> Decision:
        path = path or "/" if self.depends_on_path else "/"
        if not is_ordinary(path) and ambiguity(path):
            raise AmbiguousPath
        decision = self._decide(method, path)
        if method.isupper():
            return decision
        # Methods have case (RFC 9110 §9.1), but frameworks raise it and then serve "post" as POST.
        return decision.combined_with(self._decide(method.upper(), path))

    def _decide(self, method: str, path: str) -> Decision:
        decision = _first(self._as_sent, method, path)
        if self._rules_are_reduced and is_ordinary(path):
            return decision
        plain = reduced(path)
        decision = decision.combined_with(_first(self._reduced, method, plain))
        if path not in {plain, f"{plain}/"}:
            # An application that merges slashes may keep the last one, and look at it.
            for spelling in (plain, f"{plain}/"):
                found = _first(self._as_sent, method, spelling)
                decision = decision if found is TOKEN_REQUIRED else decision.combined_with(found)
        return decision

    def explain(self, method: str, path: str) -> str:
        """Say in one sentence what a request needs and which rules decide that.

        `path` is text, as in a rule: ``"/grüße"``.
        """
        sent = path_info(path) or "/"
        problem = ambiguity(sent) if self.depends_on_path else None
        if problem is not None:
            return f"{method} {path!r} is refused with 400 path_ambiguous: {problem}"
        decision = self.decide(method, sent)
        needs = {
            PUBLIC: "passes without a token",
            DELEGATED: "passes, and the application is told whether its token is good",
            OPTIONAL: "passes without a token or with a valid one",
            REQUIRED: "needs a valid token",
        }
        numbered = [f"rule {self.rules.index(rule) + 1}, {rule}" for rule in decision.rules]
        also = reduced(path)
        twice = f" (judged also as {also!r})" if self.depends_on_path and also != (path or "/") else ""
        return f"{method} {path!r}{twice} {needs[decision.mode]}: {' and '.join(numbered) or 'no rule matches'}"


class _Entry:
    """One path of one rule, compiled."""

    __slots__ = ("base", "decision", "methods", "pattern", "prefix", "rule")

    def __init__(self, pattern: str, rule: Rule) -> None:
        self.pattern = pattern
        self.rule = rule
        sent = path_info(pattern)
        self.base = sent.removesuffix("/*") or "/"
        self.prefix = sent[:-1] if sent.endswith("/*") else None
        self.methods = rule.methods
        self.decision = Decision(rule.mode, (rule,))

    def covers(self, other: "_Entry", method: str | None) -> bool:
        """Tell whether every path of the other entry is one of this, for the method or (None) for all."""
        return self.covers_paths(other) and (self.methods is None or method in self.methods)

    def covers_paths(self, other: "_Entry") -> bool:
        """Tell whether every path of the other entry is one of this."""
        same = self.base == other.base and (self.prefix is not None or other.prefix is None)
        return same or (self.prefix is not None and other.base.startswith(self.prefix))


def _first(entries: Sequence[_Entry], method: str, path: str) -> Decision:
    for entry in entries:
        on_path = path == entry.base or (entry.prefix is not None and path.startswith(entry.prefix))
        if on_path and (entry.methods is None or method in entry.methods):
            return entry.decision
    return TOKEN_REQUIRED


def _policy_faults(rules: Collection[object]) -> Iterator[str]:
    for rule in rules:
        if not isinstance(rule, Rule):
            yield f"rules: a {type(rule).__name__} is no rule; write public(...), optional(...), delegate(...) or require(...)"


def _twin_faults(as_sent: Sequence[_Entry], reduced_entries: Sequence[_Entry]) -> Iterator[str]:
    """Say which rules differ for one page: for paths that many applications read alike, but that are written apart."""
    for number, entry in enumerate(as_sent):
        for earlier, other in enumerate(as_sent[:number]):
            twins = _overlap(reduced_entries[earlier], reduced_entries[number]) and not _overlap(other, entry)
            methods = entry.methods is None or other.methods is None or entry.methods & other.methods
            if twins and methods and entry.rule._replace(paths=()) != other.rule._replace(paths=()):
                yield f"rules: {other.pattern!r} and {entry.pattern!r} are one page to many applications; give both to one rule"


def _overlap(entry: _Entry, other: _Entry) -> bool:
    return entry.covers_paths(other) or other.covers_paths(entry)


def _gap_faults(entries: Sequence[_Entry]) -> Iterator[str]:
    """Say which rules protect some methods of a path while a later one opens all others."""
    for number, entry in enumerate(entries):
        if entry.rule.mode is not REQUIRED or entry.methods is None:
            continue
        rest = next((later.rule for later in entries[number + 1 :] if later.covers(entry, None)), None)
        if rest is not None and rest.mode is not REQUIRED:
            yield (
                f"rules: {entry.rule} protects only {', '.join(sorted(entry.methods))}, and {rest} opens every other method"
                f" of {entry.pattern!r}; leave out methods=, or write the methods that the later rule may open"
            )


def _unreachable_faults(entries: Sequence[_Entry]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        methods: Iterable[str | None] = [None] if entry.methods is None else entry.methods
        blockers = [_blocker(entries[:number], entry, method) for method in methods]
        if all(blockers):
            yield f"rules: {entry.pattern!r} in {entry.rule} is never reached, {blockers[0]} comes first; reorder them"


def _blocker(earlier: Sequence[_Entry], entry: _Entry, method: str | None) -> Rule | None:
    return next((before.rule for before in earlier if before.covers(entry, method)), None)
