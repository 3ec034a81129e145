"""Where revocations and sessions are remembered: the `Store` protocol, and a store in memory.

`SQLiteStore` and `RedisStore`, for several processes and several machines, have modules of their own.
"""

import heapq
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from jwt_middleware.events import EventHook, StoreFull, emit, log_events
from jwt_middleware.faults import callable_faults, refuse, whole_faults


class StoreError(Exception):
    """A store could not answer: it is out of reach, too slow, full or broken."""


class Store(Protocol):
    """Remembers short texts until they expire.

    `expires_at` is in seconds since the epoch; from then on an entry is as good as absent. Every method
    raises where the store cannot answer, for whatever reason, and does so soon: requests are waiting.
    Methods are called from many threads at once.
    """

    def get(self, key: str) -> str | None:
        """Return the value, or None if there is none."""

    def get_many(self, keys: Sequence[str]) -> Sequence[str | None]:
        """Return the values of all keys in their order, in one round trip."""

    def put(self, key: str, value: str, expires_at: float) -> None:
        """Set the value, whatever was there."""

    def add(self, key: str, value: str, expires_at: float) -> str | None:
        """Set the value if there is none; return the one that was there, None if ours is the first.

        Atomic: of many calls for one key, in whatever process, exactly one gets None.
        """


class MemoryStore:
    """A store for one process; what it holds ends with it.

    When it holds `max_entries`, a new one pushes out that which would expire soonest, and a `StoreFull`
    event says so, once. `clock` returns the seconds since the epoch.
    """

    def __init__(
        self,
        *,
        max_entries: int = 1_000_000,
        on_event: EventHook = log_events,
        clock: Callable[[], float] = time.time,
    ) -> None:
        refuse(whole_faults(1, max_entries=max_entries), callable_faults(on_event=on_event, clock=clock))
        self._max_entries = max_entries
        self._on_event = on_event
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[str, float]] = {}
        # The entries by their end, soonest first. Where an end was moved, the old one may still stand here.
        self._ends: list[tuple[float, str]] = []
        self._is_full = self._told = False

    def get(self, key: str) -> str | None:
        """Return the value, or None if there is none. Takes no lock."""
        value, expires_at = self._entries.get(key, (None, 0.0))
        return value if self._clock() < expires_at else None

    def get_many(self, keys: Sequence[str]) -> list[str | None]:
        """Return the values of all keys in their order."""
        return [self.get(key) for key in keys]

    def put(self, key: str, value: str, expires_at: float) -> None:
        """Set the value, whatever was there."""
        with self._lock:
            self._set(key, value, expires_at)
        self._tell_if_full()

    def add(self, key: str, value: str, expires_at: float) -> str | None:
        """Set the value if there is none; return the one that was there."""
        with self._lock:
            there = self.get(key)
            if there is None:
                self._set(key, value, expires_at)
        self._tell_if_full()
        return there

    def _set(self, key: str, value: str, expires_at: float) -> None:
        _, end = self._entries.get(key, ("", math.inf))
        self._entries[key] = (value, expires_at)
        if expires_at < end:
            heapq.heappush(self._ends, (expires_at, key))
        # Two per write: what has expired goes sooner than new comes, and no write takes long.
        now = self._clock()
        for _ in range(2):
            if self._ends and self._ends[0][0] <= now:
                self._drop_soonest()
        while len(self._entries) > self._max_entries:
            self._drop_soonest()
            self._is_full = True
        if len(self._ends) > 2 * len(self._entries) + 64:
            # Entries whose end was moved nearer, time and again, have left the former ends behind.
            self._ends = [(end, key) for key, (_, end) in self._entries.items()]
            heapq.heapify(self._ends)

    def _drop_soonest(self) -> None:
        """Drop the entry that ends soonest, or put it back in its place if its end was moved."""
        end, key = heapq.heappop(self._ends)
        _, actual_end = self._entries.get(key, ("", end))
        if actual_end > end:
            heapq.heappush(self._ends, (actual_end, key))
        else:
            self._entries.pop(key, None)

    def _tell_if_full(self) -> None:
        """Say so once, without holding the lock: the hook may use the store."""
        if self._is_full and not self._told:
            self._told = True
            emit(self._on_event, StoreFull(self._max_entries))


def store_faults(store: object) -> Iterator[str]:
    """Say why something is no `Store`."""
    missing = [name for name in ("get", "get_many", "put", "add") if not callable(getattr(store, name, None))]
    if missing:
        yield f"store: a {type(store).__name__} has no {', '.join(missing)}; pass e.g. SQLiteStore('sessions.db')"
