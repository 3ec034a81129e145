"""A store that answers what it holds, or lies, or fails."""

from jwt_middleware import StoreError
from tests.fuzz.values import CANARY

HONEST, LIED, FAILED = "honest", "lied", "failed"


class Unreadable:
    """A result that has a length and fails when it is read, as a lost cursor does."""

    def __len__(self):
        return 3

    def __iter__(self):
        raise StoreError(CANARY)


_FAILURES = (
    StoreError(CANARY),
    OSError(CANARY),
    ValueError(CANARY),
    KeyError(CANARY),
    RuntimeError(),
    TypeError(),
)
_VALUES = (
    *(
        "",
        "0",
        "revoked",
        CANARY,
        b"revoked",
        b"",
        b"1800000000",
        b"\xff",
        0,
        5,
        -1,
        1.5,
        True,
        False,
    ),
    *("nan", "inf", "-inf", "1e400", "9" * 5000, 10**400, float("nan"), [], {}, (), ["x"], object),
    *("1800000000", "1700000000", "1_8", " 1800000001 ", "\uff11\uff18", "\ud800"),
    *("null", "[]", "{}", '{"jti":5}', '{"jti":"x","iat":1,"exp":2,"at":3}', '{"jti":"x"}'),
    *(
        f'{{"jti":"{CANARY}","iat":{iat},"exp":{exp},"at":{at}}}'
        for iat, exp, at in (
            *(
                ("1e300", "1e300", "1800000000"),
                ("1800000000", "9e15", "1800000000"),
                ("NaN", "1", "1"),
            ),
            *(
                ("1800000000", "1801000000", "1e300"),
                ("-1e300", "-1e300", "1800000000"),
                ("true", "1", "1"),
            ),
            *(
                ("0", "0", "1800000000"),
                ("1800000000.5", "1801000000.5", "1800000000"),
                ("9" * 400, "1", "1"),
            ),
            *(("1800000000", "1801000000", "9" * 400), ("1800000000", "9" * 400, "1800000000")),
        )
    ),
    *(
        f'{{"jti":"{"A" * 22}","at":{at}}}'
        for at in (
            "1800000000.0",
            "1800000100.0",
            "1e300",
            "-1e300",
            "NaN",
            "1e400",
            "9" * 400,
            "true",
            '"x"',
        )
    ),
    '{"jti":"x","iat":1800000000,"exp":1801000000,"at":1800000000,"sub":"eve","sid":"x","iss":"x"}',
)


class HostileStore:
    """Wraps a store. `last` says what became of the questions since it was set to None."""

    def __init__(self, store, rng, *, honesty):
        self._store = store
        self._rng = rng
        self._honesty = honesty
        self.last = None

    def get(self, key):
        """Return the value, or anything."""
        return self._answer(lambda: self._store.get(key), self._value)

    def get_many(self, keys):
        """Return the values, or anything."""
        return self._answer(lambda: self._store.get_many(keys), lambda: self._values(len(keys)))

    def put(self, key, value, expires_at):
        """Set the value, or fail."""
        return self._answer(lambda: self._store.put(key, value, expires_at), lambda: None)

    def add(self, key, value, expires_at):
        """Set the value, or return anything."""
        return self._answer(lambda: self._store.add(key, value, expires_at), self._value)

    def _answer(self, ask, lie):
        if self._rng.random() < self._honesty:
            self.last = self.last or HONEST
            return ask()
        if self._rng.random() < 0.4:
            self.last = FAILED
            raise self._rng.choice(_FAILURES)
        self.last = LIED
        return lie()

    def _value(self):
        return self._rng.choice(_VALUES)

    def _values(self, count):
        kind = self._rng.randrange(6)
        if kind == 0:
            return self._rng.choice(
                (None, 5, "abc", "ab", b"abc", {}, [], (), object(), Unreadable(), CANARY)
            )
        if kind == 1:
            return [None] * self._rng.choice((0, 1, 2, 4, 100))
        answers = [None] * count
        answers[self._rng.randrange(count)] = self._value()
        return tuple(answers) if kind == 2 else answers
