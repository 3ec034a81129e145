"""`MemoryStore`: a store for one process."""

import heapq
import math
import threading
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from jwt_middleware.arguments import callable_faults, refuse, whole_faults
from jwt_middleware.clock import current_time
from jwt_middleware.events import EventHook, StoreFull, emit, log_events
from jwt_middleware.stores.protocol import StoreError

_ABSENT: Final = (None, 0.0)


class MemoryStore:
    """A store for one process; what it holds ends with it.

    It holds at most `max_entries` entries and never drops one before it expires. The last tenth is
    for `put`, so that a flood of refreshes cannot prevent a logout: `add` raises `StoreError` from
    nine tenths on, `put` only if the store is full. The first time, a `StoreFull` event says so.
    `clock` returns the seconds since the epoch.
    """

    def __init__(
        self,
        *,
        max_entries: int = 1_000_000,
        on_event: EventHook = log_events,
        clock: Callable[[], float] = current_time,
    ) -> None:
        refuse(
            whole_faults(1, max_entries=max_entries),
            callable_faults(on_event=on_event, clock=clock),
        )
        self._max_entries = max_entries
        self._max_added = max_entries - max_entries // 10
        self._on_event = on_event
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[str, float]] = {}
        # The entries by expiry, soonest first. If an expiry was moved, the old one may still be
        # here.
        self._ends: list[tuple[float, str]] = []
        self._told = False

    def get(self, key: str) -> str | None:
        """Return the value, or None if there is none. Takes no lock."""
        return self.get_many((key,))[0]

    def get_many(self, keys: Sequence[str]) -> list[str | None]:
        """Return the values of all keys in their order. Takes no lock."""
        entries, now = self._entries, self._clock()
        found = [entries.get(key, _ABSENT) for key in keys]
        # Written so that a clock that returns NaN hides no revocation.
        return [None if now >= expires_at else value for value, expires_at in found]

    def put(self, key: str, value: str, expires_at: float) -> None:
        """Set the value and replace any other. Raises `StoreError` if the store is full."""
        with self._lock:
            has_room = self._make_room(key, self._max_entries)
            if has_room:
                self._set(key, value, expires_at)
        if not has_room:
            self._refuse()

    def add(self, key: str, value: str, expires_at: float) -> str | None:
        """Set the value if there is none; return the one that was there.

        Raises `StoreError` if nine tenths of the store are in use.
        """
        with self._lock:
            there = self.get(key)
            has_room = self._make_room(key, self._max_added)
            if there is None and has_room:
                self._set(key, value, expires_at)
        if not has_room:
            self._refuse()
        return there

    def _make_room(self, key: str, limit: int) -> bool:
        """Drop expired entries; tell whether the key may be set then."""
        now = self._clock()
        # Two per write: expired entries go faster than new ones come, and no write takes long.
        dropped = 0
        while self._ends and self._ends[0][0] <= now:
            if dropped >= 2 and len(self._entries) < limit:
                break
            self._drop_soonest()
            dropped += 1
        return key in self._entries or len(self._entries) < limit

    def _set(self, key: str, value: str, expires_at: float) -> None:
        _, end = self._entries.get(key, ("", math.inf))
        self._entries[key] = (value, expires_at)
        if expires_at < end:
            heapq.heappush(self._ends, (expires_at, key))
        if len(self._ends) > 2 * len(self._entries) + 64:
            # Entries whose expiry was moved nearer several times have left the old ones behind.
            self._ends = [(end, key) for key, (_, end) in self._entries.items()]
            heapq.heapify(self._ends)

    def _drop_soonest(self) -> None:
        """Drop the entry that expires soonest, or put it back if its expiry was moved."""
        end, key = heapq.heappop(self._ends)
        _, actual_end = self._entries.get(key, ("", end))
        if actual_end > end:
            heapq.heappush(self._ends, (actual_end, key))
        else:
            self._entries.pop(key, None)

    def _refuse(self) -> NoReturn:
        """Raise `StoreError`. Call it without the lock: the event's hook may use the store."""
        if not self._told:
            self._told = True
            emit(self._on_event, StoreFull(self._max_entries))
        raise StoreError(f"MemoryStore: full, with at most {self._max_entries} entries")
