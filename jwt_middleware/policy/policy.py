"""`Policy`: which requests need a token, by path and method, and what the token must permit."""

from functools import lru_cache
from typing import Final

from jwt_middleware.arguments import Problems, a
from jwt_middleware.errors import AmbiguousPath
from jwt_middleware.policy.conflicts import conflicts
from jwt_middleware.policy.matching import TOKEN_REQUIRED, Decision, Entry, first_match
from jwt_middleware.policy.paths import ambiguity, is_ordinary, path_info, reduced
from jwt_middleware.policy.rules import DELEGATED, OPTIONAL, PUBLIC, REQUIRED, Rule

_REMEMBERED_LENGTH: Final = 256


class Policy:
    """An ordered list of rules. The first rule that matches method and path decides.

    A request that no rule matches needs a valid token, so ``Policy()`` protects everything.

    Rules see ``PATH_INFO``, which is what the wrapped application routes on. Applications do not
    agree on what some paths mean. Without a remedy, a request could evade a rule for one meaning
    by another:

    * A path is refused (`AmbiguousPath`) if it has a dot segment, a backslash, a control character,
      a ``%2e``, ``%2f``, ``%5c`` or ``%00`` that is still encoded, or bytes that are not UTF-8.
    * Repeated slashes, a trailing slash and Pyramid's ``@@`` make no difference to some
      applications. Each request is judged as it was sent and without them, and must satisfy both
      decisions. So a rule that asks for something covers all spellings of its paths, and a rule
      that lets requests through covers only what it says.
    * A method that is not in capitals is judged as it was sent and in capitals in the same way.

    If all rules are for ``/*``, paths do not matter: no path is refused, and each rule covers every
    path.

    Raises `ConfigurationError` for rules that can never apply or contradict each other.
    """

    def __init__(self, *rules: Rule) -> None:
        problems = Problems()
        for rule in rules:
            if not isinstance(rule, Rule):
                problems.add(
                    f"rules: {a(rule)} is not a rule;"
                    " write public(...), optional(...), delegate(...) or require(...)"
                )
        problems.raise_if_any()
        self.rules = rules
        paths = [(path, rule) for rule in rules for path in rule.paths]
        self._as_sent = [Entry(path, rule) for path, rule in paths]
        self._reduced = [Entry(reduced(path), rule) for path, rule in paths]
        problems.add(*conflicts(self._as_sent, self._reduced))
        problems.raise_if_any()
        self._rules_are_reduced = all(path == reduced(path) for path, _ in paths)
        self.depends_on_path = any(path != "/*" for path, _ in paths)
        # Most requests are for few paths. Long paths are not remembered, because clients choose
        # them.
        self._remember = lru_cache(maxsize=1024)(self._judge)

    def decide(self, method: str, path: str) -> Decision:
        """Return what a request needs. `path` is ``PATH_INFO``; an empty one means ``/``.

        Raises `AmbiguousPath`.
        """
        judge = self._remember if len(method) + len(path) <= _REMEMBERED_LENGTH else self._judge
        return judge(method, path)

    def _judge(self, method: str, path: str) -> Decision:
        path = (path or "/") if self.depends_on_path else "/"
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
        if path in {plain, f"{plain}/"}:
            return decision
        # An application that merges slashes may keep the last one, and route on it.
        for spelling in (plain, f"{plain}/"):
            found = first_match(self._as_sent, method, spelling)
            if found is not TOKEN_REQUIRED:
                decision = decision.combined_with(found)
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
        why = " and ".join(numbered) or "no rule matches"
        also = reduced(path)
        is_judged_twice = self.depends_on_path and also != (path or "/")
        twice = f" (judged also as {also!r})" if is_judged_twice else ""
        return f"{method} {path!r}{twice} {needs[decision.mode]}: {why}"
