"""`GuardedStore`: turns every failure of a store into `Unavailable`."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from jwt_middleware.errors import Unavailable
from jwt_middleware.events import EventHook, StoreFailed, emit
from jwt_middleware.stores.protocol import Store

# Both in seconds.
_PAUSE: Final = 0.5
_EVENT_INTERVAL: Final = 10.0


class GuardedStore:
    """Wraps a store that may fail and is not trusted.

    The methods are those of `Store`. Any exception of the store, and any answer of another type,
    raises `Unavailable`. The event `StoreFailed` says so, at most once in ten seconds.

    After a failure of `get_many`, it raises at once for half a second. So an outage costs the
    requests one time-out per pause, and not one each. The other methods always ask the store: a
    logout must not fail because a request failed just before it.
    """

    def __init__(self, store: Store, *, on_event: EventHook, clock: Callable[[], float]) -> None:
        self._store = store
        self._on_event = on_event
        self._clock = clock
        # None while the store answers.
        self._paused_until: float | None = None
        self._silent_until = 0.0

    def get(self, key: str) -> str | None:
        """Return the value, or None if it is absent."""
        try:
            return _checked(self._store.get(key))
        except Exception as exc:
            raise self.failure("get", exc) from exc

    def get_many(self, keys: Sequence[str], *, allowed: bool = False) -> Sequence[str | None]:
        """Return the values of all keys in their order, in one round trip at most.

        `allowed` is for the event: whether tokens pass without an answer.
        """
        # Read once, because another thread may change it.
        paused_until = self._paused_until
        if paused_until is not None:
            self._refuse_during_pause(paused_until)
        try:
            values = _all_checked(self._store.get_many(keys), len(keys))
        except Exception as exc:
            self._paused_until = self._clock() + _PAUSE
            raise self.failure("get_many", exc, allowed=allowed) from exc
        self._paused_until = None
        return values

    def put(self, key: str, value: str, expires_at: float) -> None:
        """Set the value, and replace an existing one."""
        try:
            self._store.put(key, value, expires_at)
        except Exception as exc:
            raise self.failure("put", exc) from exc

    def add(self, key: str, value: str, expires_at: float) -> str | None:
        """Set the value if it is absent and return None; otherwise return the existing value."""
        try:
            return _checked(self._store.add(key, value, expires_at))
        except Exception as exc:
            raise self.failure("add", exc) from exc

    def failure(self, operation: str, exc: Exception, *, allowed: bool = False) -> Unavailable:
        """Report a failure, and return the error to raise.

        For callers who find that a value is not one that they have written.
        """
        now = self._clock()
        # If the clock was set back, the silence must not last longer than its interval.
        if not now < self._silent_until <= now + _EVENT_INTERVAL:
            self._silent_until = now + _EVENT_INTERVAL
            problem = f"{type(exc).__name__}: {exc}"[:200]
            emit(self._on_event, StoreFailed(operation, problem, allowed))
        return Unavailable("store_unavailable")

    def _refuse_during_pause(self, paused_until: float) -> None:
        now = self._clock()
        # If the clock was set back, the pause must not last longer than its half second.
        if now < paused_until <= now + _PAUSE:
            raise Unavailable("store_unavailable")
        # This request tries the store again. The others do not wait for it.
        self._paused_until = now + _PAUSE


def _checked(value: Any) -> str | None:
    """Return the answer if it is a str or None; raise ValueError otherwise."""
    if value is not None and type(value) is not str:
        raise ValueError("the store answered with a value that is neither str nor None")
    return value


def _all_checked(values: Any, count: int) -> Sequence[str | None]:
    """Return the answers if they are `count` times str or None; raise ValueError otherwise."""
    # A str is a sequence of str, but not a list of answers.
    is_list = type(values) is list or (isinstance(values, Sequence) and not isinstance(values, str))
    if not is_list or len(values) != count:
        raise ValueError("the store did not answer with one value for each key")
    for value in values:
        # Not a call of `_checked`, because this runs for each request.
        if value is not None and type(value) is not str:
            raise ValueError("the store answered with a value that is neither str nor None")
    return values  # type: ignore[no-any-return]
