"""Rules of a policy that contradict each other or can never apply."""

from collections.abc import Collection, Iterator, Sequence

from jwt_middleware.policy.matching import Entry
from jwt_middleware.policy.rules import REQUIRED, Rule


def conflicts(as_sent: Sequence[Entry], reduced: Sequence[Entry]) -> Iterator[str]:
    """Return what is wrong with the rules; `reduced` are the same entries with reduced paths."""
    for number, entry in enumerate(as_sent):
        earlier = as_sent[:number]
        yield from _never_reached(entry, earlier)
        for other, other_reduced in zip(earlier, reduced, strict=False):
            if _is_one_page(entry, other, reduced[number], other_reduced):
                yield (
                    f"rules: {other.pattern!r} and {entry.pattern!r} are one page to many"
                    " applications; write both paths in one rule"
                )
        yield from _open_methods(entry, as_sent[number + 1 :])


def _never_reached(entry: Entry, earlier: Sequence[Entry]) -> Iterator[str]:
    """Report a rule that never applies, because earlier ones match everything that it matches."""
    methods: Collection[str | None] = [None] if entry.methods is None else entry.methods
    first = [next((e.rule for e in earlier if e.covers(entry, method)), None) for method in methods]
    if all(first):
        yield (
            f"rules: {entry.pattern!r} in {entry.rule} is never reached,"
            f" because {first[0]} comes first; reorder them"
        )


def _is_one_page(entry: Entry, other: Entry, reduced: Entry, other_reduced: Entry) -> bool:
    """Tell whether two rules that differ are for one page, although their paths are different."""
    if entry.rule.demand == other.rule.demand:
        return False
    if entry.methods and other.methods and entry.methods.isdisjoint(other.methods):
        return False
    return _overlap(reduced, other_reduced) and not _overlap(entry, other)


def _overlap(entry: Entry, other: Entry) -> bool:
    return entry.covers_paths(other) or other.covers_paths(entry)


def _open_methods(entry: Entry, later: Sequence[Entry]) -> Iterator[str]:
    """Report a rule that protects some methods of a path while a later one opens all others."""
    if entry.rule.demand.mode is not REQUIRED or entry.methods is None:
        return
    others: Rule | None = next((e.rule for e in later if e.covers(entry, None)), None)
    if others is not None and others.demand.mode is not REQUIRED:
        yield (
            f"rules: {entry.rule} protects only {', '.join(sorted(entry.methods))}, and {others}"
            f" opens every other method of {entry.pattern!r}; leave out methods=, or write the"
            " methods that the later rule may open"
        )
