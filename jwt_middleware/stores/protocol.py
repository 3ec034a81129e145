"""`Store`: the methods that revocations and sessions need of a store."""

from collections.abc import Sequence
from typing import Protocol

from jwt_middleware.arguments import Problems, a

_METHODS = ("get", "get_many", "put", "add")


class StoreError(Exception):
    """A store could not answer: it is unreachable, too slow, full or broken."""


class Store(Protocol):
    """Keeps short texts until they expire.

    `expires_at` is in seconds since the epoch. From then on an entry counts as absent. A store
    never drops an entry before that: if it has no room for a new entry, it raises. Every method
    raises if the store cannot answer, for any reason. It raises soon, because requests are waiting.
    Values are exactly `str`: another type counts as a failure of the store. Many threads call the
    methods at once.
    """

    def get(self, key: str) -> str | None:
        """Return the value, or None if it is absent."""

    def get_many(self, keys: Sequence[str]) -> Sequence[str | None]:
        """Return the values of all keys in their order, in one round trip."""

    def put(self, key: str, value: str, expires_at: float) -> None:
        """Set the value, and replace an existing one."""

    def add(self, key: str, value: str, expires_at: float) -> str | None:
        """Set the value if it is absent and return None; otherwise return the existing value.

        Atomic: of many calls for one key, in any processes, exactly one gets None.
        """


def check_store(problems: Problems, store: object) -> None:
    """Check that the argument ``store`` has the methods of a `Store`."""
    missing = [name for name in _METHODS if not callable(getattr(store, name, None))]
    if missing:
        problems.add(
            f"store: {a(store)} is not a Store, it lacks {', '.join(missing)};"
            " pass e.g. SQLiteStore('sessions.db')"
        )
