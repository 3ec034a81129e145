"""What is wrong with the arguments of a constructor: all of it at once, each with what to write instead."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final
from urllib.parse import urlsplit

_MOST: Final = 2**31


class ConfigurationError(ValueError):
    """Something unsafe or impossible was asked for by the program itself, never by a request.

    Constructors raise it, and methods that need what the constructor was not given. Each of `faults` is one
    sentence that names the argument and what to write instead; all faults of one constructor are reported
    together.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def refuse(*faults: Iterable[str]) -> None:
    """Raise one `ConfigurationError` with all faults, if there are any."""
    found = list(chain(*faults))
    if found:
        raise ConfigurationError(*found)


def callable_faults(**arguments: object) -> Iterator[str]:
    """Say which arguments cannot be called."""
    for name, value in arguments.items():
        if not callable(value):
            yield f"{name}: a {type(value).__name__} is not callable; pass a function"


def seconds_faults(least: float, **arguments: Any) -> Iterator[str]:
    """Say which arguments are no number of seconds from `least` up."""
    for name, value in arguments.items():
        # So written that NaN fails.
        if type(value) not in (int, float) or not least <= value < _MOST:
            yield f"{name}: {_shown(value)} is not usable; write a number of seconds from {least} up, below 2^31"


def whole_faults(least: int, **arguments: Any) -> Iterator[str]:
    """Say which arguments are no whole number from `least` up."""
    for name, value in arguments.items():
        if type(value) is not int or not least <= value < _MOST:
            yield f"{name}: {_shown(value)} is not usable; write a whole number from {least} up, below 2^31"


def names_faults(argument: str, value: object, example: str, *, optional: bool = False, empty: bool = False) -> Iterator[str]:
    """Say why a value is no collection of names; None may be among them if `optional`, and it may be `empty`."""
    names = list(value) if isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping) else None
    good = names is not None and all((name is None and optional) or (isinstance(name, str) and name) for name in names)
    if not good or not (names or empty):
        yield f"{argument}: {_shown(value)} is not usable; write {example}"


def url_faults(argument: str, url: object, *, allow_http: object) -> Iterator[str]:
    """Say why a URL is none that keys can be fetched from."""
    if not isinstance(url, str):
        yield f"{argument}: a {type(url).__name__} is no URL; write e.g. 'https://id.example.com/jwks.json'"
        return
    try:
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url and parts.port != 0
        good = plain and parts.hostname and parts.username is None and not parts.fragment
    except ValueError:
        good = False
    if not good:
        yield f"{argument}: this is no URL of a host; write e.g. 'https://id.example.com/jwks.json', without user and password"
    elif parts.scheme == "http" and allow_http is not True:
        # Whoever can change the keys on their way can issue tokens.
        yield f"{argument}: {parts.hostname} must be reached over https; allow_http=True is for development on one machine"
    elif parts.scheme not in {"http", "https"}:
        yield f"{argument}: {parts.scheme!r} is not https; write e.g. 'https://id.example.com/jwks.json'"


def _shown(value: object) -> str:
    """Return the value as the program wrote it, unless that is a page long or cannot be written at all."""
    try:
        shown = repr(value)
    except ValueError:
        # An int of more than 4,300 digits.
        return f"this {type(value).__name__}"
    return shown if len(shown) <= 200 else f"this {type(value).__name__}"
