"""`KeyRing`, the keys that may have signed a token, and `KeySource`, where a verifier gets it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Protocol

from jwt_middleware.errors import Unavailable
from jwt_middleware.jose import Key


class KeyRing:
    """An immutable set of verification keys, found by algorithm and ``kid``.

    A change of keys is a new ring, so the ring itself is the generation that a cache can remember.
    """

    def __init__(self, keys: Iterable[Key], *, algorithms: Iterable[str] = ()) -> None:
        self.keys = tuple(keys)
        # Also those that no key of the set uses at the moment, but one of tomorrow may.
        self.algorithms = frozenset(algorithms).union(key.algorithm for key in self.keys)
        self._named: dict[str, dict[str, tuple[Key, ...]]] = {}
        self._any: dict[str, tuple[Key, ...]] = {}
        self._unnamed: dict[str, tuple[Key, ...]] = {}
        for key in self.keys:
            groups = [self._any, self._unnamed if key.key_id is None else self._named.setdefault(key.key_id, {})]
            for group in groups:
                group[key.algorithm] = (*group.get(key.algorithm, ()), key)

    def find(self, algorithm: str, key_id: str | None) -> Sequence[Key]:
        """Return the keys that may have signed a token with this header; none if there is no such key.

        1. A token with a ``kid`` that a key carries is checked with that key only.
        2. A token with another ``kid`` is checked with the keys that carry none.
        3. A token without ``kid`` is checked with every key of its algorithm.
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


class MergedKeys:
    """Several key sources as one, each of which may still change."""

    def __init__(self, sources: Sequence[KeySource]) -> None:
        self._sources = tuple(sources)
        self._merge = lru_cache(maxsize=1)(_merged)

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


def _merged(*rings: KeyRing) -> KeyRing:
    return KeyRing(
        (key for ring in rings for key in ring.keys),
        algorithms=(algorithm for ring in rings for algorithm in ring.algorithms),
    )
