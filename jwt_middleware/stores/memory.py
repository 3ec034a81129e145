"""`MemoryStore`: a store for one process."""

import heapq
import math
import threading
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from jwt_middleware.arguments import Problems
from jwt_middleware.clock import current_time
from jwt_middleware.events import EventHook, StoreFull, emit, log_events
from jwt_middleware.stores.protocol import StoreError

_ABSENT: Final = (None, 0.0)


class MemoryStore:
    """A store in the memory of one process; its entries are lost when the process ends.

    It holds at most `max_entries` entries and never drops an entry before it expires. The last
    tenth is for `put`, so that a flood of refreshes cannot prevent a logout: `add` raises
    `StoreError` when nine tenths are in use, `put` only when the store is full. The event
    `StoreFull` says so once. `clock` returns the seconds since the epoch.
    """

    def __init__(
        self,
        *,
        max_entries: int = 1_000_000,
        on_event: EventHook = log_events,
        clock: Callable[[], float] = current_time,
    ) -> None:
        problems = Problems()
        problems.whole("max_entries", max_entries, least=1)
        problems.callables(on_event=on_event, clock=clock)
        problems.raise_if_any()
        self._max_entries = max_entries
        self._max_added = max_entries - max_entries // 10
        self._on_event = on_event
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[str, float]] = {}
        # A heap of the entries, the one that expires first in front. After a change of an expiry,
        # the old one may still be here.
        self._expiries: list[tuple[float, str]] = []
        self._reported = False

    def get(self, key: str) -> str | None:
        """Return the value, or None if it is absent. Takes no lock."""
        return self.get_many((key,))[0]

    def get_many(self, keys: Sequence[str]) -> list[str | None]:
        """Return the values of all keys in their order. Takes no lock."""
        entries, now = self._entries, self._clock()
        found = [entries.get(key, _ABSENT) for key in keys]
        # Written so that a clock that returns NaN hides no revocation.
        return [None if now >= expires_at else value for value, expires_at in found]

    def put(self, key: str, value: str, expires_at: float) -> None:
        """Set the value, and replace an existing one.

        Raises `StoreError` if the store is full.
        """
        with self._lock:
            has_room = self._make_room(key, self._max_entries)
            if has_room:
                self._set(key, value, expires_at)
        if not has_room:
            self._raise_full()

    def add(self, key: str, value: str, expires_at: float) -> str | None:
        """Set the value if it is absent and return None; otherwise return the existing value.

        Raises `StoreError` if nine tenths of the store are in use.
        """
        with self._lock:
            existing = self.get(key)
            has_room = self._make_room(key, self._max_added)
            if existing is None and has_room:
                self._set(key, value, expires_at)
        if not has_room:
            self._raise_full()
        return existing

    def _make_room(self, key: str, limit: int) -> bool:
        """Drop expired entries, and return whether the key may be set."""
        now = self._clock()
        # Two for each write: so expired entries go faster than new ones come, and no write is slow.
        # More only if there is no room otherwise.
        dropped = 0
        while self._expiries and self._expiries[0][0] <= now:
            if dropped >= 2 and len(self._entries) < limit:
                break
            self._drop_first()
            dropped += 1
        return key in self._entries or len(self._entries) < limit

    def _set(self, key: str, value: str, expires_at: float) -> None:
        _, earlier_expiry = self._entries.get(key, ("", math.inf))
        self._entries[key] = (value, expires_at)
        if expires_at < earlier_expiry:
            heapq.heappush(self._expiries, (expires_at, key))
        if len(self._expiries) > 2 * len(self._entries) + 64:
            # Too many old expiries: some entries were set again and again to expire sooner.
            self._expiries = [(expiry, key) for key, (_, expiry) in self._entries.items()]
            heapq.heapify(self._expiries)

    def _drop_first(self) -> None:
        """Drop the entry in front of the heap, or put it back if it expires later now."""
        expiry, key = heapq.heappop(self._expiries)
        _, current_expiry = self._entries.get(key, ("", expiry))
        if current_expiry > expiry:
            heapq.heappush(self._expiries, (current_expiry, key))
        else:
            self._entries.pop(key, None)

    def _raise_full(self) -> NoReturn:
        """Raise `StoreError`. Call it without the lock, because `on_event` may use the store."""
        if not self._reported:
            self._reported = True
            emit(self._on_event, StoreFull(self._max_entries))
        raise StoreError(f"MemoryStore: full, it has {self._max_entries} entries at most")
