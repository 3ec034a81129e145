"""Rules of a policy that contradict each other or can never apply."""

from collections.abc import Iterable, Iterator, Sequence

from jwt_middleware.policy.matching import Entry
from jwt_middleware.policy.rules import REQUIRED, Rule


def twin_faults(as_sent: Sequence[Entry], reduced_entries: Sequence[Entry]) -> Iterator[str]:
    """Say which rules differ for one page: for paths that many applications read alike, but that are written apart."""
    for number, entry in enumerate(as_sent):
        for earlier, other in enumerate(as_sent[:number]):
            twins = _overlap(reduced_entries[earlier], reduced_entries[number]) and not _overlap(
                other, entry
            )
            methods = (
                entry.methods is None or other.methods is None or entry.methods & other.methods
            )
            if twins and methods and entry.rule._replace(paths=()) != other.rule._replace(paths=()):
                yield f"rules: {other.pattern!r} and {entry.pattern!r} are one page to many applications; give both to one rule"


def _overlap(entry: Entry, other: Entry) -> bool:
    return entry.covers_paths(other) or other.covers_paths(entry)


def gap_faults(entries: Sequence[Entry]) -> Iterator[str]:
    """Say which rules protect some methods of a path while a later one opens all others."""
    for number, entry in enumerate(entries):
        if entry.rule.mode is not REQUIRED or entry.methods is None:
            continue
        rest = next(
            (later.rule for later in entries[number + 1 :] if later.covers(entry, None)), None
        )
        if rest is not None and rest.mode is not REQUIRED:
            yield (
                f"rules: {entry.rule} protects only {', '.join(sorted(entry.methods))}, and {rest} opens every other method"
                f" of {entry.pattern!r}; leave out methods=, or write the methods that the later rule may open"
            )


def unreachable_faults(entries: Sequence[Entry]) -> Iterator[str]:
    """Say which rules never apply, because earlier ones match all that they match."""
    for number, entry in enumerate(entries):
        methods: Iterable[str | None] = [None] if entry.methods is None else entry.methods
        blockers = [_blocker(entries[:number], entry, method) for method in methods]
        if all(blockers):
            yield f"rules: {entry.pattern!r} in {entry.rule} is never reached, {blockers[0]} comes first; reorder them"


def _blocker(earlier: Sequence[Entry], entry: Entry, method: str | None) -> Rule | None:
    return next((before.rule for before in earlier if before.covers(entry, method)), None)
