"""`KeySet`, the keys that may have signed a token, and the sources that give it to a verifier."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Final, Protocol

from jwt_middleware.errors import Unavailable
from jwt_middleware.jose import Key

# A set of a hundred keys must not make one token cost a hundred signature checks.
MAX_CANDIDATES: Final = 8


def algorithms_over_limit(keys: Iterable[Key]) -> tuple[str, ...]:
    """Return the algorithms that have more keys than one token is checked with."""
    counts = Counter(key.algorithm for key in keys)
    return tuple(name for name, count in counts.items() if count > MAX_CANDIDATES)


class KeySet:
    """An immutable set of verification keys, found by algorithm and ``kid``.

    Different keys are always a different `KeySet` object, so a cache can use it as its generation.
    `over_limit` names the algorithms that have more keys than are tried for a token without
    ``kid``. `algorithms` may also name algorithms that none of the present keys uses.
    """

    def __init__(self, keys: Iterable[Key], *, algorithms: Iterable[str] = ()) -> None:
        self.keys = tuple(keys)
        self.algorithms = frozenset(algorithms).union(key.algorithm for key in self.keys)
        self.over_limit = algorithms_over_limit(self.keys)
        by_key_id: dict[str | None, list[Key]] = {}
        for key in self.keys:
            by_key_id.setdefault(key.key_id, []).append(key)
        self._without_key_id = _by_algorithm(by_key_id.pop(None, ()))
        self._with_key_id = {name: _by_algorithm(found) for name, found in by_key_id.items()}
        self._all = _by_algorithm(self.keys)

    def find(self, algorithm: str, key_id: str | None) -> Sequence[Key]:
        """Return the keys that may have signed a token with this header.

        1. A token with the ``kid`` of a key is checked with that key only.
        2. A token with another ``kid`` is checked with the keys that have no ``kid``.
        3. A token without ``kid`` is checked with every key of its algorithm.

        At most 8 keys are returned.
        """
        if key_id is None:
            return self._all.get(algorithm, ())
        return self._with_key_id.get(key_id, self._without_key_id).get(algorithm, ())

    def has_key_id(self, key_id: str | None) -> bool:
        """Tell whether a key has this ``kid``. Then no other key can have signed the token."""
        return key_id in self._with_key_id

    def __repr__(self) -> str:
        return f"KeySet({', '.join(f'{key.algorithm} {key.key_id!r}' for key in self.keys)})"


class KeySource(Protocol):
    """Gives a `Verifier` its keys, which may change between requests."""

    def current(self) -> KeySet:
        """Return the usable keys. Never fetches and never waits."""

    def refresh_if_stale(self) -> KeySet:
        """Return the usable keys after refreshing stale ones. Called for each token.

        Returns at once, or almost, if the keys are usable. Does not load unusable keys, because
        not every token needs a key.
        """

    def refresh_for(self, key_id: str | None) -> KeySet:
        """Return the keys after looking for one that the current keys lack.

        Called when none of the current keys has signed a token. `key_id` is the token's ``kid``,
        which none of them has. May fetch. Raises `Unavailable` if the key may exist but cannot be
        fetched.
        """


class StaticKeySource:
    """A key source whose keys never change."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._key_set = KeySet(keys)

    def current(self) -> KeySet:
        """Return the keys."""
        return self._key_set

    def refresh_if_stale(self) -> KeySet:
        """Return the keys."""
        return self._key_set

    def refresh_for(self, key_id: str | None) -> KeySet:
        """Return the keys."""
        return self._key_set


class CombinedKeySource:
    """Several key sources as one.

    Static keys come first, and then one key of each other source in turn. So the few keys that a
    token without ``kid`` is checked with never all come from one remote set.
    """

    def __init__(self, sources: Sequence[KeySource]) -> None:
        self._sources = sorted(sources, key=lambda source: not isinstance(source, StaticKeySource))
        self._static = sum(isinstance(source, StaticKeySource) for source in sources)
        # The same key sets give the same combined set, so that a verifier keeps its cache.
        self._combine = lru_cache(maxsize=1)(self._combined)

    def current(self) -> KeySet:
        """Return all keys as one set."""
        return self._combine(*(source.current() for source in self._sources))

    def refresh_if_stale(self) -> KeySet:
        """Return all keys as one set after refreshing those that are stale."""
        return self._combine(*(source.refresh_if_stale() for source in self._sources))

    def refresh_for(self, key_id: str | None) -> KeySet:
        """Ask every source. An unavailable one matters only if no other source has the key."""
        outage: Unavailable | None = None
        for source in self._sources:
            try:
                source.refresh_for(key_id)
            except Unavailable as exc:
                outage = exc
        combined = self.current()
        if outage is not None and not combined.has_key_id(key_id):
            raise outage
        return combined

    def _combined(self, *key_sets: KeySet) -> KeySet:
        static, remote = key_sets[: self._static], key_sets[self._static :]
        keys = [key for key_set in static for key in key_set.keys]
        turns = zip_longest(*(key_set.keys for key_set in remote))
        keys += [key for turn in turns for key in turn if key is not None]
        return KeySet(keys, algorithms=(name for each in key_sets for name in each.algorithms))


def _by_algorithm(keys: Iterable[Key]) -> Mapping[str, tuple[Key, ...]]:
    """Return the first keys of each algorithm."""
    found: dict[str, tuple[Key, ...]] = {}
    for key in keys:
        found[key.algorithm] = (*found.get(key.algorithm, ()), key)[:MAX_CANDIDATES]
    return found
