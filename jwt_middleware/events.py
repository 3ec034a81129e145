"""What happened, as frozen records: the events that `on_event=` callables receive, and the one that logs them.

No event holds a raw token, a key or a claim's value.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import ClassVar

_logger = logging.getLogger("jwt_middleware")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something an operator may want to count or read; subclasses say what."""

    level: ClassVar[int] = logging.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRejected(Event):
    """A request was refused, or handed on by a `delegate` rule with its failure.

    `method` and `path` are as the client sent them. `cause` is the class of the exception behind the
    failure, if any. `hint` says what to change if the refusal was not meant.
    """

    reason: str
    status: int
    method: str
    path: str
    claim: str | None = None
    cause: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDropped(Event):
    """A member of a JWK set cannot be used; the good keys beside it keep working.

    `index` is its place in the set. `key_id` is its ``kid`` if that is a string, cut to 64 characters.
    """

    level: ClassVar[int] = logging.WARNING
    index: int
    key_id: str | None
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallableFailed(Event):
    """A callable that the application passed in raised an exception; the request was refused or answered without it."""

    level: ClassVar[int] = logging.ERROR
    argument: str
    cause: str


EventHook = Callable[[Event], object]


def log_events(event: Event) -> None:
    """Write the event to the logger ``jwt_middleware`` as one line of ``name=value`` pairs.

    Values are written with `repr`, so that a hostile path cannot forge a second line.
    """
    if not _logger.isEnabledFor(event.level):
        return
    details = " ".join(f"{name}={value!r}" for name, value in asdict(event).items() if value is not None)
    _logger.log(event.level, "%s %s", type(event).__name__, details)


def emit(on_event: EventHook, event: Event) -> None:
    """Hand the event to the hook and survive whatever it does.

    Catches every Exception: a broken metrics adapter must never turn a 401 into a 500.
    """
    try:
        on_event(event)
    except Exception:
        _logger.exception("on_event raised for %s; the event is lost", type(event).__name__)
