"""Checking constructor arguments: all problems at once, each with what to write instead."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

_LIMIT: Final = 2**31
_EXAMPLE_URL: Final = "https://id.example.com/jwks.json"


class ConfigurationError(ValueError):
    """The program itself asked for something unsafe or impossible. No request can cause it.

    Constructors raise it, and so do methods that need what the constructor was not given. Each of
    `problems` is one sentence that names the argument and says what to write instead. A
    constructor reports all its problems together.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Problems:
    """Collects what is wrong with the arguments of one constructor.

    Each check adds one sentence if it fails. Call `raise_if_any` after the last one.
    """

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, *problems: str) -> None:
        """Add sentences such as ``"key_id: 5 is not a kid; write a non-empty str"``."""
        self._found += problems

    def raise_if_any(self) -> None:
        """Raise one `ConfigurationError` with all problems."""
        if self._found:
            raise ConfigurationError(*self._found)

    def callables(self, **arguments: object) -> None:
        """Check that each argument can be called."""
        for argument, value in arguments.items():
            if not callable(value):
                self.add(f"{argument}: {a(value)} is not callable; pass a function")

    def seconds(self, argument: str, value: Any, *, least: float = 0) -> None:
        """Check that the argument is a number of seconds, `least` or more."""
        # Written so that NaN fails.
        if type(value) not in (int, float) or not least <= value < _LIMIT:
            self.add(
                f"{argument}: {shown(value)} is not usable; write a number of seconds,"
                f" {least} or more and less than 2^31"
            )

    def whole(self, argument: str, value: Any, *, least: int = 0) -> None:
        """Check that the argument is a whole number, `least` or more."""
        if type(value) is not int or not least <= value < _LIMIT:
            self.add(
                f"{argument}: {shown(value)} is not usable; write a whole number,"
                f" {least} or more and less than 2^31"
            )

    def names(self, argument: str, value: object, example: str, *, empty: bool = False) -> None:
        """Check that the argument is a collection of non-empty strings; `empty` allows none."""
        names = list(value) if is_collection(value) else [None]
        if not all(isinstance(name, str) and name for name in names) or not (names or empty):
            self.add(f"{argument}: {shown(value)} is not usable; write {example}")

    def url(self, argument: str, url: object, *, allow_http: object) -> None:
        """Check that keys can be fetched from the URL."""
        problem = url_problem(url, allow_http=allow_http)
        if problem is not None:
            self.add(f"{argument}: {problem}")


def url_problem(url: object, *, allow_http: object) -> str | None:
    """Return why keys cannot be fetched from a URL, and what to write; None if they can."""
    if not isinstance(url, str):
        return f"{a(url)} is not a URL; write e.g. {_EXAMPLE_URL!r}"
    try:
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url and parts.port != 0
        good = plain and parts.hostname and parts.username is None and not parts.fragment
    except ValueError:
        good = False
    if not good:
        return (
            f"this is not the URL of a document on a host; write e.g. {_EXAMPLE_URL!r},"
            " without user and password"
        )
    if parts.scheme == "http" and allow_http is not True:
        # Whoever can change the keys on their way can issue tokens.
        return (
            f"{parts.hostname} must be reached over https; allow_http=True is for development on"
            " one machine"
        )
    if parts.scheme not in {"http", "https"}:
        return f"{parts.scheme!r} is not https; write e.g. {_EXAMPLE_URL!r}"
    return None


def is_collection(value: object) -> TypeGuard[Collection[object]]:
    """Tell whether the value is a collection of items, and not text or a mapping."""
    return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)


def a(value: object) -> str:
    """Return what kind of value it is, for a message: ``"a str"``, ``"an int"``."""
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def shown(value: object) -> str:
    """Return the value as the program wrote it, unless it is long or cannot be written."""
    try:
        text = repr(value)
    except ValueError:
        # An int of more than 4,300 digits.
        return f"this {type(value).__name__}"
    return text if len(text) <= 200 else f"this {type(value).__name__}"


def kinds(values: Iterable[object]) -> str:
    """Return the kinds of several values, for a message that must not show the values."""
    return ", ".join(type(value).__name__ for value in values) or "nothing"
