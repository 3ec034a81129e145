"""Which rule decides: the paths of all rules, in their order."""

from collections.abc import Sequence

from jwt_middleware.policy.paths import path_info
from jwt_middleware.policy.rules import REQUIRED, Mode, Rule


class Decision:
    """What the policy asks of one request: the strictest mode, and every rule to satisfy."""

    __slots__ = ("mode", "rules")

    def __init__(self, mode: Mode, rules: tuple[Rule, ...] = ()) -> None:
        self.mode = mode
        self.rules = rules

    def combined_with(self, other: "Decision") -> "Decision":
        """Return the decision that asks for everything that both ask for."""
        return Decision(max(self.mode, other.mode), tuple(dict.fromkeys(self.rules + other.rules)))


# What a request needs that no rule matches.
TOKEN_REQUIRED = Decision(REQUIRED)


class Entry:
    """One path of one rule, prepared for matching."""

    __slots__ = ("base", "decision", "methods", "pattern", "prefix", "rule")

    def __init__(self, pattern: str, rule: Rule) -> None:
        self.pattern = pattern
        self.rule = rule
        sent = path_info(pattern)
        self.base = sent.removesuffix("/*") or "/"
        self.prefix = sent[:-1] if sent.endswith("/*") else None
        self.methods = rule.methods
        self.decision = Decision(rule.demand.mode, (rule,))

    def covers(self, other: "Entry", method: str | None) -> bool:
        """Tell whether this matches all paths of the other, for a method or (None) all methods."""
        return self.covers_paths(other) and (self.methods is None or method in self.methods)

    def covers_paths(self, other: "Entry") -> bool:
        """Tell whether this matches every path that the other matches."""
        same = self.base == other.base and (self.prefix is not None or other.prefix is None)
        return same or (self.prefix is not None and other.base.startswith(self.prefix))


def first_match(entries: Sequence[Entry], method: str, path: str) -> Decision:
    """Return the decision of the first entry that matches, or `TOKEN_REQUIRED`."""
    for entry in entries:
        on_path = path == entry.base or (entry.prefix is not None and path.startswith(entry.prefix))
        if on_path and (entry.methods is None or method in entry.methods):
            return entry.decision
    return TOKEN_REQUIRED
