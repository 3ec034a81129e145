"""Events: immutable records of what happened, for `on_event=` callables. `log_events` logs them.

No event contains a raw token or a key. Only `RefreshTokenReused` contains a claim, because an
operator must know whose session it was.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

_logger = logging.getLogger("jwt_middleware")


# Named tuples, because a frozen dataclass takes three times as long, for each refused request.
class RequestRejected(NamedTuple):
    """A request was refused, or a `delegate` rule passed it on with its failure.

    `method` and `path` are as the client sent them. `claim` is the claim that is wrong. `cause` is
    the class of the exception that caused the failure, if there is one. `hint` says what to change
    if the refusal was not intended.
    """

    reason: str
    status: int
    method: str
    path: str
    claim: str | None = None
    cause: str | None = None
    hint: str | None = None

    @property
    def level(self) -> int:
        """INFO; ERROR if a validator or check of the application broke."""
        broken = self.cause is not None and self.reason in {"claim_invalid", "check_failed"}
        return logging.ERROR if broken else logging.INFO


class KeyDropped(NamedTuple):
    """A member of a JWK set cannot be used. The other keys of the set still work.

    `position` is its place in the set. `key_id` is its ``kid``, cut to 64 characters, if that is a
    string. `for_signatures` is False if its ``use`` says that it is for something else. `url` is
    the URL of a remote set.
    """

    position: int
    key_id: str | None
    problem: str
    for_signatures: bool = True
    url: str | None = None

    @property
    def level(self) -> int:
        """WARNING; DEBUG if the key is not for signatures."""
        return logging.WARNING if self.for_signatures else logging.DEBUG


class CallableFailed(NamedTuple):
    """A callable of the application raised. The request was answered without it."""

    argument: str
    cause: str

    @property
    def level(self) -> int:
        """ERROR."""
        return logging.ERROR


class KeysRefreshed(NamedTuple):
    """A remote JWK set was fetched. `changed` is False if it is the same document as before."""

    url: str
    key_ids: tuple[str | None, ...]
    changed: bool

    @property
    def level(self) -> int:
        """INFO for a change, DEBUG otherwise."""
        return logging.INFO if self.changed else logging.DEBUG


class KeyRefreshFailed(NamedTuple):
    """A remote JWK set could not be fetched or read.

    `usable_for` is for how many seconds the present keys are still used. At 0 every request is
    answered 503. `failures` counts the attempts since the last success.
    """

    url: str
    problem: str
    failures: int
    usable_for: float

    @property
    def level(self) -> int:
        """WARNING; ERROR once no keys are left to use."""
        return logging.WARNING if self.usable_for > 0 else logging.ERROR


class KeysNotTried(NamedTuple):
    """A remote JWK set has more keys of an algorithm than a token without ``kid`` is checked with.

    Of each of `algorithms` only the first `tried` keys count for such tokens. Tokens with a ``kid``
    are not affected.
    """

    url: str
    algorithms: tuple[str, ...]
    tried: int

    @property
    def level(self) -> int:
        """WARNING."""
        return logging.WARNING


class KeyUnknown(NamedTuple):
    """A token names a key that a remote JWK set did not contain, so the set was fetched again.

    `key_id` is what the token says, cut to 64 characters. It is not verified.
    """

    url: str
    key_id: str | None

    @property
    def level(self) -> int:
        """INFO."""
        return logging.INFO


class StoreFailed(NamedTuple):
    """A store could not answer; told once in ten seconds.

    `allowed` says whether tokens pass all the same.
    """

    operation: str
    problem: str
    allowed: bool

    @property
    def level(self) -> int:
        """ERROR."""
        return logging.ERROR


class StoreFull(NamedTuple):
    """A `MemoryStore` is full and refuses new entries; told once for each store.

    It keeps what it holds. It refuses refreshes first; the last tenth is for revocations.
    """

    max_entries: int

    @property
    def level(self) -> int:
        """ERROR: until entries expire, clients cannot refresh."""
        return logging.ERROR


class StoreExposed(NamedTuple):
    """A `RedisStore` uses a connection that others can read or open; told when it is constructed.

    `host` is where Redis runs. `problem` says what is missing. The URL is not in the event, because
    it may hold the password.
    """

    host: str
    problem: str

    @property
    def level(self) -> int:
        """WARNING."""
        return logging.WARNING


class RefreshTokenReused(NamedTuple):
    """A refresh token was used again after it was spent. Its session was ended.

    Two parties have the token, and one of them may have stolen it.
    """

    subject: str
    session: str

    @property
    def level(self) -> int:
        """WARNING."""
        return logging.WARNING


_BROKEN = (RequestRejected, CallableFailed)
Event = (
    RequestRejected
    | KeyDropped
    | CallableFailed
    | KeysRefreshed
    | KeyRefreshFailed
    | KeysNotTried
    | KeyUnknown
    | StoreFailed
    | StoreFull
    | StoreExposed
    | RefreshTokenReused
)
EventHook = Callable[[Event], object]


def log_events(event: Event) -> None:
    """Write the event to the logger ``jwt_middleware`` as one line of ``name=value`` pairs.

    Values are written with `repr`, so that a hostile path cannot forge a second line. If code of
    the application broke, the traceback follows.
    """
    level = event.level
    if not _logger.isEnabledFor(level):
        return
    details = " ".join(
        f"{name}={value!r}" for name, value in event._asdict().items() if value is not None
    )
    _logger.log(
        level,
        "%s %s",
        type(event).__name__,
        details,
        exc_info=level >= logging.ERROR and isinstance(event, _BROKEN),
    )


def emit(on_event: EventHook, event: Event) -> None:
    """Call the hook with the event. An exception of the hook is logged and changes no answer."""
    try:
        on_event(event)
    except Exception:
        _logger.exception("on_event raised for %s; the event is lost", type(event).__name__)
