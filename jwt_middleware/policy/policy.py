"""`Policy`: which requests need a token, by path and method, and what the token must permit."""

from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Final

from jwt_middleware.arguments import refuse
from jwt_middleware.errors import AmbiguousPath
from jwt_middleware.policy.conflicts import gap_faults, twin_faults, unreachable_faults
from jwt_middleware.policy.matching import TOKEN_REQUIRED, Decision, Entry, first_match
from jwt_middleware.policy.paths import ambiguity, is_ordinary, path_info, reduced
from jwt_middleware.policy.rules import DELEGATED, OPTIONAL, PUBLIC, REQUIRED, Rule

_LONG: Final = 256


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
        self._as_sent = [Entry(path, rule) for rule in rules for path in rule.paths]
        self._reduced = [Entry(reduced(path), rule) for rule in rules for path in rule.paths]
        refuse(
            unreachable_faults(self._as_sent),
            twin_faults(self._as_sent, self._reduced),
            gap_faults(self._as_sent),
        )
        self._rules_are_reduced = all(
            path == reduced(path) for rule in rules for path in rule.paths
        )
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
        decision = first_match(self._as_sent, method, path)
        if self._rules_are_reduced and is_ordinary(path):
            return decision
        plain = reduced(path)
        decision = decision.combined_with(first_match(self._reduced, method, plain))
        if path not in {plain, f"{plain}/"}:
            # An application that merges slashes may keep the last one, and look at it.
            for spelling in (plain, f"{plain}/"):
                found = first_match(self._as_sent, method, spelling)
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
        twice = (
            f" (judged also as {also!r})" if self.depends_on_path and also != (path or "/") else ""
        )
        return f"{method} {path!r}{twice} {needs[decision.mode]}: {' and '.join(numbered) or 'no rule matches'}"


def _policy_faults(rules: Collection[object]) -> Iterator[str]:
    for rule in rules:
        if not isinstance(rule, Rule):
            yield f"rules: a {type(rule).__name__} is no rule; write public(...), optional(...), delegate(...) or require(...)"
