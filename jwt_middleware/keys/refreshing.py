"""Keeping one value fresh that is loaded from elsewhere, through outages, hangs, floods and forks.

It knows nothing of keys or HTTP: `load` is a function that returns a value and for how long it is fresh.
"""

import math
import os
import random
import threading
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Generic, NamedTuple, TypeVar
from weakref import WeakSet

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
# How long the request that starts a background refresh gives it, so that a quick one counts for it already.
_HEAD_START: Final = 0.025
# How long a request waits for a look-up that another one has started.
_JOIN: Final = 1.0
_MAX_MISSING: Final = 256
# How long requests load a stale value themselves after a background load was lost.
_WITHOUT_THREADS: Final = 600.0

Value = TypeVar("Value")


class Freshness(Enum):
    """What may be done with a value.

    *Fresh*: use it. *Stale*: use it, and refresh it in the background. *Unusable*: never loaded, or too old.
    """

    FRESH = "fresh"
    STALE = "stale"
    UNUSABLE = "unusable"


# Named tuples rather than frozen dataclasses, which take ten times as long to import.
class Held(NamedTuple, Generic[Value]):
    """A value and how long it is good for. Replaced as a whole, so that reading it takes no lock."""

    value: Value
    loaded_at: float = -math.inf
    fresh_until: float = -math.inf
    usable_until: float = -math.inf

    def state(self, now: float) -> Freshness:
        """Return what may be done with the value now."""
        if now < self.fresh_until:
            return Freshness.FRESH
        return Freshness.STALE if now < self.usable_until else Freshness.UNUSABLE


class Failures(NamedTuple):
    """The attempts to load that have failed since the last success."""

    number: int = 0
    at: float = -math.inf
    retry_at: float = -math.inf
    problem: str | None = None


class _Attempt:
    """One load under way. Whoever needs its outcome waits for `done`."""

    def __init__(self, started_at: float, *, background: bool = False) -> None:
        self.started_at = started_at
        self.background = background
        self.done = threading.Event()


class Refresher(Generic[Value]):
    """Holds a value, `held`, and the reasons why it could not be loaded, `failures`.

    There is one attempt at a time, and no lock is held during it. Nothing is loaded before it is asked for,
    and no thread is started before a value is stale.
    """

    def __init__(
        self,
        load: Callable[[], tuple[Value, float]],
        nothing: Value,
        *,
        stale_if_error: float,
        cooldown: float,
        timeout: float,
        clock: Callable[[], float],
        on_success: Callable[[Held[Value], bool], object],
        on_failure: Callable[[Held[Value], Failures], object],
    ) -> None:
        self._load = load
        self._stale_if_error = stale_if_error
        self._cooldown = cooldown
        self._timeout = timeout
        self._clock = clock
        self._on_success = on_success
        self._on_failure = on_failure
        self.held = Held(nothing)
        self.failures = Failures()
        self._no_threads_until = -math.inf
        self._attempt: _Attempt | None = None
        self._next_look_up = -math.inf
        self._missing: dict[object, float] = {}
        self.start_clean()
        _ALL.add(self)

    def start_clean(self) -> None:
        """Forget what only another process can finish. The value stays: it is as good as before."""
        self._lock = threading.Lock()
        self._attempt = None

    @property
    def busy(self) -> bool:
        """Whether an attempt is under way."""
        return self._attempt is not None

    def refresh_behind(self, now: float) -> None:
        """Stale: load in the background, for the requests to come. Waits 25 ms at most."""
        attempt = None if now < self.failures.retry_at else self._begin(now, background=True)
        if attempt is None:
            return
        if attempt.background:
            self._start_thread(attempt)
            attempt.done.wait(_HEAD_START)
        else:
            self._run(attempt)

    def refresh_now(self, now: float) -> None:
        """Unusable: load now, or wait for whoever does, `timeout` at most."""
        attempt = None if now < self.next_load(Freshness.UNUSABLE) else self._begin(now)
        if attempt is None:
            self._join(self._timeout)
        else:
            self._run(attempt)

    def look_up(self, name: object, is_there: Callable[[], bool]) -> bool:
        """Something is missing in the value: load now if the cooldown allows, or wait a moment for whoever does.

        Returns whether this call has loaded.
        """
        if self._clock() < self._missing.get(name, -math.inf):
            return False
        self._join(min(_JOIN, self._timeout))
        attempt = None if is_there() else self._begin_look_up()
        if attempt is None:
            return False
        self._run(attempt)
        if not self.failures.number and not is_there():
            self._remember_missing(name)
        return True

    def next_load(self, state: Freshness) -> float:
        """Return when the value may be loaded again. While requests are refused, a cooldown is the longest wait."""
        failures = self.failures
        if state is Freshness.UNUSABLE:
            return min(failures.retry_at, failures.at + self._cooldown)
        return max(failures.retry_at, self.held.fresh_until)

    @property
    def next_look_up(self) -> float:
        """When something missing may be looked for again."""
        return self._next_look_up

    def _begin(self, now: float, *, background: bool = False) -> _Attempt | None:
        """Return a new attempt if none is under way."""
        with self._lock:
            if self._under_way(now):
                return None
            if self._attempt is not None:
                self._give_up(self._attempt, now)
            self._attempt = _Attempt(now, background=background and now >= self._no_threads_until)
            return self._attempt

    def _give_up(self, attempt: _Attempt, now: float) -> None:
        """Take it that this attempt never ends, and let go whoever waits for it."""
        if attempt.background:
            # Either its thread does not get to run between requests, as under uWSGI without
            # --enable-threads, or this one load hangs. The two look the same from here. So for a
            # while requests load the value themselves, which works in both cases. Then a thread is
            # tried again: if threads never run, that costs one late refresh each time. If it were
            # not tried again, one load that hung would make every later refresh hold up a request.
            self._no_threads_until = now + _WITHOUT_THREADS
        attempt.done.set()

    def _begin_look_up(self) -> _Attempt | None:
        """Return a new attempt if something may be looked up now."""
        now = self._clock()
        with self._lock:
            # A bucket of one: the first look-up is free even right after a refresh, then one per cooldown.
            if now < self._next_look_up or self._under_way(now):
                return None
            if self._attempt is not None:
                self._give_up(self._attempt, now)
            self._next_look_up = now + self._cooldown
            self._attempt = _Attempt(now)
            return self._attempt

    def _remember_missing(self, name: object) -> None:
        """Answer for this name at once until the next look-up, which may find it."""
        with self._lock:
            if len(self._missing) >= _MAX_MISSING:
                self._missing.clear()
            self._missing[name] = self._clock() + self._cooldown

    def _under_way(self, now: float) -> bool:
        attempt = self._attempt
        return attempt is not None and now <= attempt.started_at + 2 * self._timeout

    def _join(self, seconds: float) -> None:
        attempt = self._attempt
        if attempt is not None:
            attempt.done.wait(seconds)

    def _start_thread(self, attempt: _Attempt) -> None:
        try:
            threading.Thread(
                target=self._run, args=(attempt,), name="jwt-middleware-refresh", daemon=True
            ).start()
        except RuntimeError:
            # No more threads to be had, or the interpreter is shutting down.
            self._run(attempt)

    def _run(self, attempt: _Attempt) -> None:
        """Load, without holding a lock, and take over what comes of it. Never raises an Exception."""
        try:
            self._succeed(attempt, *self._load())
        except Exception as exc:  # noqa: BLE001
            # Whatever goes wrong is an outage; the value at hand stays.
            self._fail(attempt, exc)
        finally:
            with self._lock:
                if self._attempt is attempt:
                    self._attempt = None
            attempt.done.set()

    def _succeed(self, attempt: _Attempt, value: Value, lifetime: float) -> None:
        # Counted from before the load: that is when the value was known to be good.
        fresh_until = attempt.started_at + lifetime
        held = Held(value, attempt.started_at, fresh_until, fresh_until + self._stale_if_error)
        with self._lock:
            if self._attempt is not attempt:
                return
            changed = value is not self.held.value
            self.held = held
            self.failures = Failures()
        self._on_success(held, changed)

    def _fail(self, attempt: _Attempt, cause: Exception) -> None:
        now = self._clock()
        with self._lock:
            if self._attempt is not attempt:
                return
            count = self.failures.number + 1
            pause = min(_FIRST_PAUSE * 2 ** min(count - 1, 10), _LONGEST_PAUSE)
            # Jitter, so that the processes of a fleet do not come back all at once.
            retry_at = now + pause * random.uniform(0.5, 1)  # noqa: S311
            self.failures = Failures(count, now, retry_at, f"{type(cause).__name__}: {cause}"[:200])
        self._on_failure(self.held, self.failures)


# After a fork the threads of the parent are gone, and with them whoever held a lock or was loading.
_ALL: WeakSet[Refresher[Any]] = WeakSet()


def _start_all_clean() -> None:
    for refresher in list(_ALL):
        refresher.start_clean()


# Where the system has no fork, there is nothing to do.
getattr(os, "register_at_fork", dict)(after_in_child=_start_all_clean)
