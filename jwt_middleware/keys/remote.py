"""`RemoteJWKSet`: the keys of an identity provider, fetched when they are needed."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, NoReturn, Self, TypedDict, Unpack

from jwt_middleware.arguments import (
    ConfigurationError,
    callable_faults,
    refuse,
    seconds_faults,
    url_faults,
    whole_faults,
)
from jwt_middleware.errors import Unavailable
from jwt_middleware.events import (
    EventHook,
    KeyDropped,
    KeysNotRefreshed,
    KeysNotTried,
    KeysRefreshed,
    KeyUnknown,
    emit,
    log_events,
)
from jwt_middleware.jose import ASYMMETRIC, HMAC, parse_json_object
from jwt_middleware.keys.discovery import (
    DiscoveredLocation,
    FixedLocation,
    issuer_faults,
    metadata_urls,
)
from jwt_middleware.keys.fetch import Fetch, Fetched, fetch_document
from jwt_middleware.keys.jwk import algorithms_faults, read_jwk_set
from jwt_middleware.keys.key_set import MAX_CANDIDATES, KeyRing
from jwt_middleware.keys.refreshing import Failures, Freshness, Held, Refresher

# What a server's Cache-Control may ask for: no flood of fetches, and no key that outlives its day.
_MIN_LIFETIME: Final = 60.0
_MAX_LIFETIME: Final = 86_400.0
# How long keys are fresh if neither `max_age` nor Cache-Control says.
_LIFETIME: Final = 300.0


def _monotonic() -> float:
    # Looked up at each call, so that a library that replaces the clocks of `time` reaches this one.
    return time.monotonic()


class KeySetStatus(NamedTuple):
    """How a remote JWK set is doing. Times are in seconds from now.

    `age` counts from the last success, None if there was none. `failed` counts from the last failure and
    `problem` says what it was, both None once a success has followed. `next_attempt` is when the set may be
    fetched again; 0 means with the next request that needs it.
    """

    state: Freshness
    age: float | None
    failed: float | None
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
    """The JWK set at `url`, fetched when it is first needed and kept fresh from then on.

    All times are in seconds.

    *Fresh*: the keys are used. Without `max_age` that lasts as long as ``Cache-Control: max-age``
    says, from 60 s to 24 h, or 300 s if it says nothing. With `max_age` it lasts no longer than
    that: the server can only shorten it, to 60 s at least.
    *Stale*, for `stale_if_error` more: one request starts a refresh in the background, and all go on with
    the keys at hand. *Unusable*, that is later or never loaded: one request fetches, the others wait at
    most `timeout`; without success they are answered 503.

    A ``kid`` that is not in the set makes it be fetched at once, but only once per `cooldown`; tokens of
    known keys never wait for that. After a failure it is tried again in 1 s, 2 s and so on up to 60 s, or
    one `cooldown` while the keys are unusable. A failure never discards keys. Constructing fetches nothing.

    `algorithms` bounds what the keys are used for. A token without ``kid`` is checked with the
    first 8 keys of its algorithm; if the set has more, the event `KeysNotTried` says so once.

    `fetch` gets the URL, `timeout` (for the whole) and `max_bytes`; bind proxies or certificate
    authorities to `fetch_document`, or pass a function of your own. `allow_http` is for development
    on one machine, though the host is not checked. `clock` is monotonic.

    Raises `ConfigurationError` with all faults at once.
    """

    def __init__(
        self,
        url: str,
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
        refuse(
            url_faults("url", url, allow_http=allow_http),
            _algorithms_faults(algorithms),
            () if max_age is None else seconds_faults(0, max_age=max_age),
            seconds_faults(0, stale_if_error=stale_if_error),
            seconds_faults(1, cooldown=cooldown),
            seconds_faults(0.001, timeout=timeout),
            whole_faults(1, max_bytes=max_bytes),
            callable_faults(fetch=fetch, on_event=on_event, clock=clock),
        )
        self._url = url
        self._location: FixedLocation | DiscoveredLocation = FixedLocation(url)
        self._algorithms = tuple(algorithms)
        self._max_age = max_age
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._fetch = fetch
        self._on_event = on_event
        self._clock = clock
        self._nothing = KeyRing((), algorithms=self._algorithms)
        self._last_read: tuple[bytes | None, KeyRing] = (None, self._nothing)
        self._dropped: frozenset[KeyDropped] = frozenset()
        self._crowded: tuple[str, ...] = ()
        self._keys = Refresher(
            self._load,
            self._nothing,
            stale_if_error=stale_if_error,
            cooldown=cooldown,
            timeout=timeout,
            clock=clock,
            on_success=self._tell_success,
            on_failure=self._tell_failure,
        )

    @classmethod
    def discover(cls, issuer: str, **options: Unpack[RemoteOptions]) -> Self:
        """Return the JWK set that an issuer's metadata names, looked up when keys are first needed.

        Both locations are tried, OpenID Connect's and then RFC 8414's; the ``issuer`` in the document must
        be exactly this one. The options are those of the constructor.
        """
        allow_http = options.get("allow_http", False)
        # A URL that is none is told once, with all that is wrong with the options.
        faults = list(issuer_faults(issuer, allow_http=allow_http))
        try:
            keys = cls("https://unknown.invalid" if faults else metadata_urls(issuer)[0], **options)
        except ConfigurationError as exc:
            raise ConfigurationError(*faults, *exc.faults) from None
        refuse(faults)
        keys._location = DiscoveredLocation(issuer, allow_http=allow_http)
        return keys

    def ring(self) -> KeyRing:
        """Return the keys at hand, none if they are unusable.

        Waits 25 ms at most for a refresh that is due; where the server lets no threads run between requests,
        one request carries it out.
        """
        held, now = self._keys.held, self._clock()
        if now < held.fresh_until:
            return held.value
        if held.state(now) is Freshness.STALE:
            self._keys.refresh_behind(now)
            return self._keys.held.value
        # Loading is left to `renewed`: a token must first get so far as to need a key.
        return self._nothing

    def renewed(self, ring: KeyRing, key_id: str | None) -> KeyRing:
        """Return newer keys than these, fetched if that is due; the same ones if there are none.

        Raises `Unavailable` where there are no usable keys, or where the last attempt to look for an unknown
        ``kid`` failed.
        """
        now = self._clock()
        if self._keys.held.state(now) is Freshness.UNUSABLE:
            self._keys.refresh_now(now)
            if self._keys.held.state(self._clock()) is Freshness.UNUSABLE:
                self._refuse(self._keys.next_load(Freshness.UNUSABLE))
        elif self._keys.held.value is ring:
            self._look_up(key_id)
        return self._keys.held.value

    def ready(self) -> bool:
        """Tell whether there are usable keys, for a health check; loads them if that is due.

        True also for stale keys: requests are being served.
        """
        try:
            self.renewed(self._nothing, None)
        except Unavailable:
            return False
        return True

    def status(self) -> KeySetStatus:
        """Return how the set is doing; never fetches."""
        held, failures, now = self._keys.held, self._keys.failures, self._clock()
        state = held.state(now)
        return KeySetStatus(
            state=state,
            age=None if held.loaded_at == -math.inf else now - held.loaded_at,
            failed=now - failures.at if failures.number else None,
            problem=failures.problem,
            key_ids=_key_ids(held.value),
            next_attempt=max(self._keys.next_load(state) - now, 0.0),
        )

    def __repr__(self) -> str:
        return f"RemoteJWKSet({self._url!r})"

    def _look_up(self, key_id: str | None) -> None:
        if self._keys.look_up(key_id, lambda: self._keys.held.value.names(key_id)):
            emit(self._on_event, KeyUnknown(self._url, None if key_id is None else key_id[:64]))
        unknown = not self._keys.held.value.names(key_id)
        if unknown and (self._keys.failures.number or self._keys.busy):
            # Nobody can say whether this key exists.
            self._refuse(self._keys.next_look_up)

    def _refuse(self, until: float) -> NoReturn:
        raise Unavailable("keys_unavailable", retry_after=max(math.ceil(until - self._clock()), 1))

    def _load(self) -> tuple[KeyRing, float]:
        """Return the keys as they are published now, and for how long they are fresh."""
        deadline = time.monotonic() + self._timeout

        def get(url: str) -> Fetched:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            return self._fetch(url, timeout=left, max_bytes=self._max_bytes)

        try:
            fetched = get(self._location.find(get))
            ring = self._read(fetched.body)
        except Exception:
            self._location.forget()
            raise
        return ring, self._lifetime(fetched.max_age)

    def _lifetime(self, declared: float | None) -> float:
        if declared is None:
            return _LIFETIME if self._max_age is None else self._max_age
        # In this order a NaN, which a `fetch` of the user's own may return, gives the minimum.
        declared = max(_MIN_LIFETIME, declared)
        return min(declared, _MAX_LIFETIME if self._max_age is None else self._max_age)

    def _read(self, body: bytes) -> KeyRing:
        # The same document is the same ring: what was verified with it stays in the verifier's cache.
        last_body, last_ring = self._last_read
        if body == last_body:
            return last_ring
        if len(body) > self._max_bytes:
            raise ValueError(f"more than {self._max_bytes} bytes")
        keys, dropped = read_jwk_set(parse_json_object(body), self._algorithms)
        for event in dropped:
            if event not in self._dropped:
                emit(self._on_event, event._replace(url=self._url))
        self._dropped = frozenset(dropped)
        if not keys:
            raise ValueError("the JWK set holds no usable key")
        ring = KeyRing(keys, algorithms=self._algorithms)
        if ring.crowded and ring.crowded != self._crowded:
            emit(self._on_event, KeysNotTried(self._url, ring.crowded, MAX_CANDIDATES))
        self._crowded = ring.crowded
        self._last_read = (body, ring)
        return ring

    def _tell_success(self, held: Held[KeyRing], changed: bool) -> None:
        emit(self._on_event, KeysRefreshed(self._url, _key_ids(held.value), changed))

    def _tell_failure(self, held: Held[KeyRing], failures: Failures) -> None:
        usable_for = max(round(held.usable_until - failures.at, 3), 0.0)
        emit(
            self._on_event,
            KeysNotRefreshed(self._url, str(failures.problem), failures.number, usable_for),
        )


def _key_ids(ring: KeyRing) -> tuple[str | None, ...]:
    return tuple(dict.fromkeys(key.key_id for key in ring.keys))


def _algorithms_faults(algorithms: Sequence[str]) -> Iterator[str]:
    faults = list(algorithms_faults(algorithms))
    yield from faults
    if not faults and any(name in HMAC for name in algorithms):
        yield "algorithms: a secret that can be fetched is none; a remote JWK set holds public keys only"
