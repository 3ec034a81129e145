"""`RemoteJWKSet`: the keys of an identity provider, fetched when they are needed."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Self, TypedDict, Unpack

from jwt_middleware.arguments import Problems
from jwt_middleware.errors import Unavailable
from jwt_middleware.events import (
    EventHook,
    KeyDropped,
    KeyRefreshFailed,
    KeysNotTried,
    KeysRefreshed,
    KeyUnknown,
    emit,
    log_events,
)
from jwt_middleware.jose import ASYMMETRIC, parse_json_object
from jwt_middleware.keys.discovery import DiscoveredLocation, FixedLocation
from jwt_middleware.keys.fetch import Fetch, Fetched, fetch_document
from jwt_middleware.keys.jwk import check_algorithms, read_jwk_set
from jwt_middleware.keys.key_set import MAX_CANDIDATES, KeySet
from jwt_middleware.keys.refreshing import Failures, KeySetState, RefreshingValue, Snapshot

# Bounds for the Cache-Control of a server. The lower one prevents a flood of fetches, the upper one
# limits how long a withdrawn key is used.
_MIN_LIFETIME: Final = 60.0
_MAX_LIFETIME: Final = 86_400.0
# How long keys are fresh if neither `max_age` nor Cache-Control says.
_DEFAULT_LIFETIME: Final = 300.0


def _monotonic() -> float:
    # Looked up at each call, so that freezegun and time-machine can replace it.
    return time.monotonic()


class KeySetStatus(NamedTuple):
    """The state of a remote JWK set. Times are in seconds.

    `age` is the time since the last success, or None if there was none. `last_failure_age` is the
    time since the last failure and `problem` says what it was. Both are None if a success has
    followed. `next_attempt` is the time until the set may be fetched again. It is 0 if the next
    request that needs the keys fetches them.
    """

    state: KeySetState
    age: float | None
    last_failure_age: float | None
    problem: str | None
    key_ids: tuple[str | None, ...]
    next_attempt: float


class RemoteOptions(TypedDict, total=False):
    """The keyword arguments of `RemoteJWKSet`."""

    algorithms: Sequence[str]
    max_age: float | None
    stale_if_error: float
    cooldown: float
    timeout: float
    max_bytes: int
    allow_http: bool
    fetch: Fetch
    on_event: EventHook
    clock: Callable[[], float]


class RemoteJWKSet:
    """The JWK set at `url`, fetched when it is first needed and then kept fresh.

    All times are in seconds. Constructing fetches nothing.

    *Fresh* keys are used. Without `max_age`, they are fresh as long as ``Cache-Control: max-age``
    says, from 60 s to 24 h, or 300 s if it says nothing. `max_age` is an upper limit. The server
    can only shorten it, down to 60 s.
    *Stale* keys are used for `stale_if_error` more. One request starts a refresh in the background.
    *Unusable* keys were never loaded, or are older. One request fetches them, and the others wait
    for it, at most `timeout`. If that fails, the requests are answered 503.

    A token with an unknown ``kid`` makes the set be fetched at once, but only once per `cooldown`.
    Tokens with known keys never wait for that. After a failure the next attempt follows after 1 s,
    2 s and so on up to 60 s, or after one `cooldown` if the keys are unusable. A failure never
    discards keys.

    `algorithms` limits what the keys are used for. A token without ``kid`` is checked with the
    first 8 keys of its algorithm. If the set has more, the event `KeysNotTried` says so once.

    `fetch` gets the URL, `timeout` (for the whole document) and `max_bytes`. Bind proxies or
    certificate authorities to `fetch_document`, or pass your own function. `allow_http` is for
    development on one machine, but the host is not checked. `clock` is monotonic.

    Raises one `ConfigurationError` with all problems.
    """

    def __init__(
        self,
        url: str | DiscoveredLocation,
        *,
        algorithms: Sequence[str] = ASYMMETRIC,
        max_age: float | None = None,
        stale_if_error: float = 3600,
        cooldown: float = 30,
        timeout: float = 5,
        max_bytes: int = 524_288,
        allow_http: bool = False,
        fetch: Fetch = fetch_document,
        on_event: EventHook = log_events,
        clock: Callable[[], float] = _monotonic,
    ) -> None:
        location = (
            url
            if isinstance(url, DiscoveredLocation)
            else FixedLocation(url, allow_http=allow_http)
        )
        problems = Problems()
        location.check(problems)
        check_algorithms(problems, algorithms, public_only=True)
        if max_age is not None:
            problems.seconds("max_age", max_age)
        problems.seconds("stale_if_error", stale_if_error)
        problems.seconds("cooldown", cooldown, least=1)
        problems.seconds("timeout", timeout, least=0.001)
        problems.whole("max_bytes", max_bytes, least=1)
        problems.callables(fetch=fetch, on_event=on_event, clock=clock)
        problems.raise_if_any()
        self._location = location
        self._url = location.url
        self._algorithms = tuple(algorithms)
        self._max_age = max_age
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._fetch = fetch
        self._on_event = on_event
        self._clock = clock
        self._no_keys = KeySet((), algorithms=self._algorithms)
        self._last_read: tuple[bytes | None, KeySet] = (None, self._no_keys)
        self._dropped: frozenset[KeyDropped] = frozenset()
        self._keys = RefreshingValue(
            self._load,
            self._no_keys,
            stale_if_error=stale_if_error,
            cooldown=cooldown,
            timeout=timeout,
            clock=clock,
            on_success=self._report_success,
            on_failure=self._report_failure,
        )

    @classmethod
    def discover(cls, issuer: str, **options: Unpack[RemoteOptions]) -> Self:
        """Return the JWK set that the issuer's metadata names. It is read when it is first needed.

        OpenID Connect's location is tried first, then RFC 8414's. The ``issuer`` in the document
        must be exactly this one. The options are those of the constructor.
        """
        allow_http = options.get("allow_http", False)
        return cls(DiscoveredLocation(issuer, allow_http=allow_http), **options)

    def current(self) -> KeySet:
        """Return the keys, or none if they are unusable. Never fetches."""
        snapshot = self._keys.snapshot
        return snapshot.value if self._clock() < snapshot.usable_until else self._no_keys

    def refresh_if_stale(self) -> KeySet:
        """Return the keys, or none if they are unusable. Refreshes stale keys in the background.

        Waits at most 25 ms for the refresh. Where the server runs no threads between requests, one
        request carries it out.
        """
        snapshot, now = self._keys.snapshot, self._clock()
        if now < snapshot.fresh_until:
            return snapshot.value
        if now < snapshot.usable_until:
            self._keys.refresh_in_background()
        return self.current()

    def refresh_for(self, key_id: str | None) -> KeySet:
        """Return the keys after looking for the ``kid`` of a token, which they lack.

        Raises `Unavailable` if there are no usable keys, or if it is unknown whether the key
        exists.
        """
        was_usable = self._is_usable()
        if not self.ready():
            raise self._unavailable(self._keys.next_load(KeySetState.UNUSABLE))
        # Keys that were loaded just now are not loaded again.
        if was_usable and not self._has(key_id):
            if self._keys.reload_for_missing(key_id, lambda: self._has(key_id)):
                emit(self._on_event, KeyUnknown(self._url, None if key_id is None else key_id[:64]))
            if not self._has(key_id) and (self._keys.failures.number or self._keys.loading):
                raise self._unavailable(self._keys.next_reload)
        return self._keys.snapshot.value

    def ready(self) -> bool:
        """Tell whether there are usable keys, for a health check. Loads them if they are unusable.

        True also for stale keys, because they are used.
        """
        if not self._is_usable():
            self._keys.load_or_wait()
        return self._is_usable()

    def status(self) -> KeySetStatus:
        """Return the state of the set. Never fetches."""
        snapshot, failures, now = self._keys.snapshot, self._keys.failures, self._clock()
        state = snapshot.state(now)
        return KeySetStatus(
            state=state,
            age=None if snapshot.loaded_at == -math.inf else now - snapshot.loaded_at,
            last_failure_age=now - failures.at if failures.number else None,
            problem=failures.problem,
            key_ids=_key_ids(snapshot.value),
            next_attempt=max(self._keys.next_load(state) - now, 0.0),
        )

    def __repr__(self) -> str:
        return f"RemoteJWKSet({self._url!r})"

    def _is_usable(self) -> bool:
        return self._clock() < self._keys.snapshot.usable_until

    def _has(self, key_id: str | None) -> bool:
        return self._keys.snapshot.value.has_key_id(key_id)

    def _unavailable(self, until: float) -> Unavailable:
        retry_after = max(math.ceil(until - self._clock()), 1)
        return Unavailable("keys_unavailable", retry_after=retry_after)

    def _load(self) -> tuple[KeySet, float]:
        """Return the keys as they are published now, and for how long they are fresh."""
        deadline = time.monotonic() + self._timeout

        def fetch(url: str) -> Fetched:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError("timed out")
            return self._fetch(url, timeout=remaining, max_bytes=self._max_bytes)

        try:
            fetched = fetch(self._location.find(fetch))
            key_set = self._read(fetched.body)
        except Exception:
            self._location.forget()
            raise
        return key_set, self._lifetime(fetched.max_age)

    def _lifetime(self, declared: float | None) -> float:
        if declared is None:
            return _DEFAULT_LIFETIME if self._max_age is None else self._max_age
        # In this order NaN, which a user's own `fetch` may return, gives the minimum.
        declared = max(_MIN_LIFETIME, declared)
        return min(declared, _MAX_LIFETIME if self._max_age is None else self._max_age)

    def _read(self, body: bytes) -> KeySet:
        # The same document gives the same key set, so that a verifier keeps its cache.
        last_body, last_key_set = self._last_read
        if body == last_body:
            return last_key_set
        if len(body) > self._max_bytes:
            raise ValueError(f"more than {self._max_bytes} bytes")
        keys, dropped = read_jwk_set(parse_json_object(body), self._algorithms)
        for event in dropped:
            if event not in self._dropped:
                emit(self._on_event, event._replace(url=self._url))
        self._dropped = frozenset(dropped)
        if not keys:
            raise ValueError("the JWK set has no usable key")
        key_set = KeySet(keys, algorithms=self._algorithms)
        if key_set.over_limit and key_set.over_limit != last_key_set.over_limit:
            emit(self._on_event, KeysNotTried(self._url, key_set.over_limit, MAX_CANDIDATES))
        self._last_read = (body, key_set)
        return key_set

    def _report_success(self, snapshot: Snapshot[KeySet], changed: bool) -> None:
        emit(self._on_event, KeysRefreshed(self._url, _key_ids(snapshot.value), changed))

    def _report_failure(self, snapshot: Snapshot[KeySet], failures: Failures) -> None:
        usable_for = max(round(snapshot.usable_until - failures.at, 3), 0.0)
        problem = str(failures.problem)
        emit(self._on_event, KeyRefreshFailed(self._url, problem, failures.number, usable_for))


def _key_ids(key_set: KeySet) -> tuple[str | None, ...]:
    return tuple(dict.fromkeys(key.key_id for key in key_set.keys))
