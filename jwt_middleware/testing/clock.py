"""A clock that a test sets."""


class FrozenClock:
    """A clock that stands still until a test moves it.

    Pass it as `clock` to `FakeIssuer`, `Verifier`, `TokenIssuer`, `Revocations`, `MemoryStore` and
    `SQLiteStore`. Calling it returns `now`, in seconds since the epoch.
    """

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def tick(self, seconds: float = 1) -> None:
        """Move the clock forward; a negative number moves it back."""
        self.now += seconds

    def __repr__(self) -> str:
        return f"FrozenClock({self.now!r})"
