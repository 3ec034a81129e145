"""`Store`: what revocations and sessions ask of the place where they are remembered."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol


class StoreError(Exception):
    """A store could not answer: it is out of reach, too slow, full or broken."""


class Store(Protocol):
    """Remembers short texts until they expire.

    `expires_at` is in seconds since the epoch; from then on an entry counts as absent. A store
    never drops an entry before that: without room for a new entry it raises. Every method raises if
    the store cannot answer, for any reason, and raises soon, because requests are waiting. Values
    are exactly `str`: another type counts as a failure of the store. Many threads call the methods
    at once.
    """

    def get(self, key: str) -> str | None:
        """Return the value, or None if there is none."""

    def get_many(self, keys: Sequence[str]) -> Sequence[str | None]:
        """Return the values of all keys in their order, in one round trip."""

    def put(self, key: str, value: str, expires_at: float) -> None:
        """Set the value, whatever was there."""

    def add(self, key: str, value: str, expires_at: float) -> str | None:
        """Set the value if there is none; return the one that was there, None if ours is the first.

        Atomic: of many calls for one key, in whatever process, exactly one gets None.
        """


def store_faults(store: object) -> Iterator[str]:
    """Say why something is no `Store`."""
    missing = [
        name
        for name in ("get", "get_many", "put", "add")
        if not callable(getattr(store, name, None))
    ]
    if missing:
        yield f"store: a {type(store).__name__} has no {', '.join(missing)}; pass e.g. SQLiteStore('sessions.db')"


def check_answers(values: Any, count: int) -> Sequence[str | None]:
    """Return the answers of a store; raise ValueError unless they are `count` times str or None."""
    # A loop, because this runs for each request. A str would pass for a sequence of str.
    is_list = type(values) is list or (isinstance(values, Sequence) and not isinstance(values, str))
    if not is_list or len(values) != count:
        raise ValueError("the store did not answer with one value for each key")
    for value in values:
        if value is not None and type(value) is not str:
            raise ValueError("the store answered with a value that is neither str nor None")
    return values  # type: ignore[no-any-return]
