"""What happened, as immutable records: the events that `on_event=` callables receive, and the one that logs them.

No event holds a raw token or a key. Of a token's claims none is in it either, but for `RefreshTokenReused`:
somebody has to know whose session it was.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

_logger = logging.getLogger("jwt_middleware")


# Named tuples rather than frozen dataclasses: one is made for each refused request, at a third of the cost.
class RequestRejected(NamedTuple):
    """A request was refused, or handed on by a `delegate` rule with its failure.

    `method` and `path` are as the client sent them. `claim` is the claim to blame. `cause` is the class of
    the exception behind the failure, if any. `hint` says what to change if the refusal was not meant.
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
        """INFO; ERROR where one of the application's own validators or checks broke."""
        broken = self.cause is not None and self.reason in {"claim_invalid", "check_failed"}
        return logging.ERROR if broken else logging.INFO


class KeyDropped(NamedTuple):
    """A member of a JWK set cannot be used; the good keys beside it keep working.

    `position` is its place in the set. `key_id` is its ``kid`` if that is a string, cut to 64 characters.
    `for_signatures` is False if its ``use`` says that it is for something else. `url` is the URL of a
    remote set.
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
    """A callable that the application passed in raised; the request was answered without it."""

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

    `usable_for` is for how many seconds the keys at hand are still used; at 0 every request is answered
    503. `failures` counts the attempts since the last success.
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
    """A token names a key that a remote JWK set did not hold, and the set was fetched to look for it.

    `key_id` is what the token says, cut to 64 characters; nobody has verified it.
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
        """ERROR: until entries expire, nobody can refresh."""
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
    """A refresh token came back after it was spent: a thief has it, or had it. Its session was ended."""

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

    Values are written with `repr`, so that a hostile path cannot forge a second line. Where the
    application's own code broke, the traceback follows.
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
    """Hand the event to the hook and survive whatever it does.

    Catches every Exception: a broken metrics adapter must never turn a 401 into a 500.
    """
    try:
        on_event(event)
    except Exception:
        _logger.exception("on_event raised for %s; the event is lost", type(event).__name__)
