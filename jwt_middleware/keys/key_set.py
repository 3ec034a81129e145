"""`KeyRing`, the keys that may have signed a token, and the sources where a verifier gets it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Final, Protocol

from jwt_middleware.errors import Unavailable
from jwt_middleware.jose import Key

MAX_CANDIDATES: Final = 8


def crowded_algorithms(keys: Iterable[Key]) -> tuple[str, ...]:
    """Return the algorithms of which there are more keys than a token is checked with."""
    counts = Counter(key.algorithm for key in keys)
    return tuple(name for name, count in counts.items() if count > MAX_CANDIDATES)


class KeyRing:
    """An immutable set of verification keys, found by algorithm and ``kid``.

    A change of keys is a new ring, so the ring itself is the generation that a cache can remember.
    `crowded` names the algorithms that more keys have than are tried for a token without ``kid``.
    """

    def __init__(self, keys: Iterable[Key], *, algorithms: Iterable[str] = ()) -> None:
        self.keys = tuple(keys)
        # Also those that no key of the set uses at the moment, but one of tomorrow may.
        self.algorithms = frozenset(algorithms).union(key.algorithm for key in self.keys)
        self._named: dict[str, dict[str, tuple[Key, ...]]] = {}
        self._any: dict[str, tuple[Key, ...]] = {}
        self._unnamed: dict[str, tuple[Key, ...]] = {}
        for key in self.keys:
            same_name = self._unnamed
            if key.key_id is not None:
                same_name = self._named.setdefault(key.key_id, {})
            for group in (self._any, same_name):
                # A set of a hundred keys must not make one token cost a hundred signature checks.
                group[key.algorithm] = (*group.get(key.algorithm, ()), key)[:MAX_CANDIDATES]
        self.crowded = crowded_algorithms(self.keys)

    def find(self, algorithm: str, key_id: str | None) -> Sequence[Key]:
        """Return the keys that may have signed a token with this header; none if there is no such key.

        1. A token with a ``kid`` that a key carries is checked with that key only.
        2. A token with another ``kid`` is checked with the keys that carry none.
        3. A token without ``kid`` is checked with every key of its algorithm.

        Only the first 8 keys of an algorithm are returned.
        """
        if key_id is None:
            return self._any.get(algorithm, ())
        return self._named.get(key_id, self._unnamed).get(algorithm, ())

    def names(self, key_id: str | None) -> bool:
        """Tell whether a key carries this ``kid``; no other key can have signed a token with it."""
        return key_id in self._named

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(f'{key.algorithm} {key.key_id!r}' for key in self.keys)})"


class KeySource(Protocol):
    """What a `Verifier` asks for keys: something whose ring may change between requests."""

    def ring(self) -> KeyRing:
        """Return the keys that are good now, without waiting for anything."""

    def renewed(self, ring: KeyRing, key_id: str | None) -> KeyRing:
        """Return a newer ring than this, which lacks the key of a token, or the same one if there is none.

        `key_id` is the token's ``kid``. May take time. Raises `Unavailable` where the key may exist but
        cannot be had.
        """


class KeyAtHand:
    """A source whose ring never changes."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._ring = KeyRing(keys)

    def ring(self) -> KeyRing:
        """Return the ring of these keys."""
        return self._ring

    def renewed(self, ring: KeyRing, key_id: str | None) -> KeyRing:
        """Return the same ring."""
        return ring


class MergedKeys:
    """Several key sources as one, each of which may still change.

    Keys at hand come first, then one key of each other source in turn. So no remote set can be all
    of the few keys that a token without ``kid`` is checked with.
    """

    def __init__(self, sources: Sequence[KeySource]) -> None:
        self._sources = sorted(sources, key=lambda source: not isinstance(source, KeyAtHand))
        self._at_hand = sum(isinstance(source, KeyAtHand) for source in sources)
        self._merge = lru_cache(maxsize=1)(self._merged)

    def ring(self) -> KeyRing:
        """Return one ring of all keys; the same one as long as none of the sources changes."""
        return self._merge(*(source.ring() for source in self._sources))

    def renewed(self, ring: KeyRing, key_id: str | None) -> KeyRing:
        """Ask every source. One that is out of reach counts only if no other one has the key."""
        outage: Unavailable | None = None
        for source in self._sources:
            try:
                source.renewed(source.ring(), key_id)
            except Unavailable as exc:
                outage = exc
        merged = self.ring()
        if outage is not None and not merged.names(key_id):
            raise outage
        return merged

    def _merged(self, *rings: KeyRing) -> KeyRing:
        keys = [key for ring in rings[: self._at_hand] for key in ring.keys]
        by_turns = zip_longest(*(ring.keys for ring in rings[self._at_hand :]))
        keys += [key for turn in by_turns for key in turn if key is not None]
        return KeyRing(keys, algorithms=(name for ring in rings for name in ring.algorithms))
