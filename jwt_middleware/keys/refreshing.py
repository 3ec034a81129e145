"""`RefreshingValue`: a value that is loaded from elsewhere and kept fresh.

It survives outages, loads that hang, floods of requests and forks. It does not know what it loads:
`load` is a function that returns a value and for how many seconds the value is fresh.
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
# How long a request waits for the background refresh that it starts. It uses the result of a quick
# one.
_HEAD_START: Final = 0.025
# How long a request waits for a load that another request has started for a missing name.
_LONGEST_WAIT_FOR_MISSING: Final = 1.0
_MAX_MISSING: Final = 256
# How long requests load a stale value themselves after a background load was abandoned.
_WITHOUT_THREADS: Final = 600.0

Value = TypeVar("Value")


class KeySetState(Enum):
    """What may be done with the keys.

    *Fresh*: use them. *Stale*: use them, and refresh them in the background. *Unusable*: they were
    never loaded, or they are too old.
    """

    FRESH = "fresh"
    STALE = "stale"
    UNUSABLE = "unusable"


# Named tuples rather than frozen dataclasses, which take ten times as long to import.
class Snapshot(NamedTuple, Generic[Value]):
    """A value and how long it may be used. It is replaced as a whole, so reading takes no lock."""

    value: Value
    loaded_at: float = -math.inf
    fresh_until: float = -math.inf
    usable_until: float = -math.inf

    def state(self, now: float) -> KeySetState:
        """Return what may be done with the value now."""
        if now < self.fresh_until:
            return KeySetState.FRESH
        return KeySetState.STALE if now < self.usable_until else KeySetState.UNUSABLE


class Failures(NamedTuple):
    """The attempts to load that have failed since the last success."""

    number: int = 0
    at: float = -math.inf
    retry_at: float = -math.inf
    problem: str | None = None


class _Attempt:
    """One load in progress. Requests that need its outcome wait for `done`."""

    def __init__(self, started_at: float, *, overdue_at: float, background: bool) -> None:
        self.started_at = started_at
        self.overdue_at = overdue_at
        self.background = background
        self.done = threading.Event()


class RefreshingValue(Generic[Value]):
    """Keeps the newest value in `snapshot` and the reasons why a load failed in `failures`.

    These are the states of the value, and the method that loads a new one in each::

                  load succeeds           lifetime ends          stale_if_error ends
        UNUSABLE ---------------> FRESH ----------------> STALE ----------------------> UNUSABLE
        load_or_wait                ^                       |
                                    '-----------------------'
                                      refresh_in_background

    `reload_for_missing` loads in the states FRESH and STALE, when the value lacks something. A
    failed load changes no state. There is one attempt at a time, and no lock is held during it.
    Nothing is loaded before it is needed. No thread is started before the value is stale.
    """

    def __init__(
        self,
        load: Callable[[], tuple[Value, float]],
        initial: Value,
        *,
        stale_if_error: float,
        cooldown: float,
        timeout: float,
        clock: Callable[[], float],
        on_success: Callable[[Snapshot[Value], bool], object],
        on_failure: Callable[[Snapshot[Value], Failures], object],
    ) -> None:
        self._load = load
        self._stale_if_error = stale_if_error
        self._cooldown = cooldown
        self._timeout = timeout
        self._clock = clock
        self._on_success = on_success
        self._on_failure = on_failure
        self.snapshot = Snapshot(initial)
        self.failures = Failures()
        # When something missing may be loaded for again.
        self.next_reload = -math.inf
        self._missing_until: dict[object, float] = {}
        self._no_threads_until = -math.inf
        self._attempt: _Attempt | None = None
        self.reset_after_fork()
        _ALL_VALUES.add(self)

    def reset_after_fork(self) -> None:
        """Forget the lock and the attempt of the parent process, and keep the value."""
        self._lock = threading.Lock()
        self._attempt = None

    @property
    def loading(self) -> bool:
        """Whether an attempt is in progress."""
        return self._attempt is not None

    def refresh_in_background(self) -> None:
        """Load a stale value for the next requests. Wait 25 ms at most.

        Where threads do not run, this request loads the value.
        """
        now = self._clock()
        attempt = None if now < self.failures.retry_at else self._begin(now, background=True)
        if attempt is None:
            return
        if attempt.background:
            self._start_thread(attempt)
            attempt.done.wait(_HEAD_START)
        else:
            self._run(attempt)

    def load_or_wait(self) -> None:
        """Load an unusable value, or wait for the request that loads it, `timeout` at most."""
        now = self._clock()
        attempt = None if now < self.next_load(KeySetState.UNUSABLE) else self._begin(now)
        if attempt is None:
            self._wait(self._timeout)
        else:
            self._run(attempt)

    def reload_for_missing(self, name: object, is_there: Callable[[], bool]) -> bool:
        """Load now if the value lacks `name`, at most once per cooldown.

        If another request is loading, wait for it first. Return whether this call has loaded.
        """
        if self._clock() < self._missing_until.get(name, -math.inf):
            return False
        self._wait(min(_LONGEST_WAIT_FOR_MISSING, self._timeout))
        attempt = None if is_there() else self._begin(self._clock(), for_missing=True)
        if attempt is None:
            return False
        self._run(attempt)
        if not self.failures.number and not is_there():
            self._remember_missing(name)
        return True

    def next_load(self, state: KeySetState) -> float:
        """Return when the value may be loaded again. An unusable one waits one cooldown at most."""
        failures = self.failures
        if state is KeySetState.UNUSABLE:
            return min(failures.retry_at, failures.at + self._cooldown)
        return max(failures.retry_at, self.snapshot.fresh_until)

    def _begin(
        self, now: float, *, background: bool = False, for_missing: bool = False
    ) -> _Attempt | None:
        """Return a new attempt, or None if there must not be one now.

        1. For something missing there is one attempt per cooldown. The first one is allowed at any
           time, also right after another load.
        2. An attempt that is in progress excludes others.
        3. An attempt that is overdue is abandoned and replaced.
        """
        with self._lock:
            if for_missing and now < self.next_reload:
                return None
            if self._attempt is not None:
                if now <= self._attempt.overdue_at:
                    return None
                self._abandon(self._attempt, now)
            if for_missing:
                self.next_reload = now + self._cooldown
            self._attempt = _Attempt(
                now,
                overdue_at=now + 2 * self._timeout,
                background=background and now >= self._no_threads_until,
            )
            return self._attempt

    def _abandon(self, attempt: _Attempt, now: float) -> None:
        """Ignore the result of this attempt, and wake the requests that wait for it."""
        if attempt.background:
            # Either no thread runs between requests, as in uWSGI without --enable-threads, or this
            # one load hangs. The two look the same from here. So requests load the value
            # themselves for a while, which works in both cases. Then a thread is tried again. If
            # threads never run, that costs one late refresh each time. Without the new trial, one
            # load that hung would make every later refresh delay a request.
            self._no_threads_until = now + _WITHOUT_THREADS
        attempt.done.set()

    def _remember_missing(self, name: object) -> None:
        """Refuse this name without a load for one cooldown."""
        with self._lock:
            if len(self._missing_until) >= _MAX_MISSING:
                self._missing_until.clear()
            self._missing_until[name] = self._clock() + self._cooldown

    def _wait(self, seconds: float) -> None:
        """Wait for the attempt that is in progress, if there is one."""
        attempt = self._attempt
        if attempt is not None:
            attempt.done.wait(seconds)

    def _start_thread(self, attempt: _Attempt) -> None:
        try:
            threading.Thread(
                target=self._run, args=(attempt,), name="jwt-middleware-refresh", daemon=True
            ).start()
        except RuntimeError:
            # The system has no more threads, or the interpreter is shutting down.
            self._run(attempt)

    def _run(self, attempt: _Attempt) -> None:
        """Load without holding a lock, and store the outcome. Never raises an Exception."""
        try:
            self._succeed(attempt, *self._load())
        except Exception as exc:  # noqa: BLE001
            # Every exception counts as an outage. The present value stays.
            self._fail(attempt, exc)
        finally:
            with self._lock:
                if self._attempt is attempt:
                    self._attempt = None
            attempt.done.set()

    def _succeed(self, attempt: _Attempt, value: Value, lifetime: float) -> None:
        # Counted from before the load, because the value may have changed during it.
        fresh_until = attempt.started_at + lifetime
        snapshot = Snapshot(
            value, attempt.started_at, fresh_until, fresh_until + self._stale_if_error
        )
        with self._lock:
            if self._attempt is not attempt:
                return
            changed = value is not self.snapshot.value
            self.snapshot = snapshot
            self.failures = Failures()
        self._on_success(snapshot, changed)

    def _fail(self, attempt: _Attempt, cause: Exception) -> None:
        now = self._clock()
        with self._lock:
            if self._attempt is not attempt:
                return
            count = self.failures.number + 1
            pause = min(_FIRST_PAUSE * 2 ** min(count - 1, 10), _LONGEST_PAUSE)
            # The jitter keeps many processes from trying again at the same moment.
            retry_at = now + pause * random.uniform(0.5, 1)  # noqa: S311
            self.failures = Failures(count, now, retry_at, f"{type(cause).__name__}: {cause}"[:200])
        self._on_failure(self.snapshot, self.failures)


# After a fork the child has none of the parent's threads. A lock that one of them held would never
# be released, and a load that one of them had begun would never end.
_ALL_VALUES: WeakSet[RefreshingValue[Any]] = WeakSet()


def _reset_all_after_fork() -> None:
    for value in list(_ALL_VALUES):
        value.reset_after_fork()


# A system without fork has nothing to reset.
getattr(os, "register_at_fork", dict)(after_in_child=_reset_all_after_fork)
