"""`AccessToken`, the verified token an application works with, and reading it from environ."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from sys import intern
from typing import Any
from wsgiref.types import WSGIEnvironment

from jwt_middleware.errors import AuthError, MissingToken

# The dots matter: a client header always arrives under HTTP_..., so no client can write these keys.
CLAIMS = "jwt_middleware.claims"
TOKEN = "jwt_middleware.token"  # noqa: S105  # The name of a key, no password.
ERROR = "jwt_middleware.error"

_CLIENT_ID = ("client_id", "azp", "cid", "appid")
_RECURRING = ("iss", "aud", "client_id", "azp", "scope", "scp")
_MUTABLE = frozenset({dict, list})


class AccessToken:
    """The verified claims of one token, as values that cannot be changed.

    A `Verifier` makes these and may hand the same one to many requests, so everything mutable is copied
    on the way out: change what `claims`, `header` or `get` return as you like.

    Constructing one verifies nothing, and takes over the lists and dicts inside `claims`.
    """

    __slots__ = ("_claims", "_header", "_nested")

    def __init__(self, claims: Mapping[str, Any], header: Mapping[str, Any]) -> None:
        # What recurs in every token is shared; that saves a third of a cached token's memory.
        self._claims = {intern(name): value for name, value in claims.items()}
        for name in _RECURRING:
            if name in claims:
                self._claims[name] = _shared(claims[name])
        self._header = header
        self._nested: tuple[tuple[str, Callable[[Any], Any]], ...] | None = None

    def __repr__(self) -> str:
        return f"AccessToken(issuer={self.issuer!r}, subject={self.subject!r}, id={self.id!r}, expires_at={self.expires_at!r})"

    @property
    def claims(self) -> dict[str, Any]:
        """All claims as they were signed; a new dict at each access."""
        claims = self._claims.copy()
        if self._nested is None:
            # Found once for all requests to come with the same token.
            mutable = [(name, _copier(value)) for name, value in claims.items() if type(value) in _MUTABLE]
            self._nested = _same(tuple(mutable))
        for name, copy in self._nested:
            claims[name] = copy(claims[name])
        return claims

    @property
    def header(self) -> dict[str, Any]:
        """The JOSE header; a new dict at each access."""
        header: dict[str, Any] = _copy(dict(self._header))
        return header

    def get(self, name: str, default: Any = None) -> Any:
        """Return one claim, or `default` if the token does not carry it."""
        return _copy(self._claims.get(name, default))

    def strings(self, name: str) -> tuple[str, ...]:
        """Return the strings of a claim that is one or a list of them, such as roles; none of any other claim."""
        return tuple(_words(self._claims.get(name), split=False))

    @property
    def issuer(self) -> str | None:
        """``iss``."""
        value: str | None = self._claims.get("iss")
        return value

    @property
    def subject(self) -> str | None:
        """``sub``: whom the token speaks of. Unique only together with `issuer`."""
        value: str | None = self._claims.get("sub")
        return value

    @property
    def audience(self) -> tuple[str, ...]:
        """``aud`` as a tuple, whether it was one string or several."""
        return self.strings("aud")

    @property
    def id(self) -> str | None:
        """``jti``. Unique only together with `issuer`."""
        value: str | None = self._claims.get("jti")
        return value

    @property
    def client_id(self) -> str | None:
        """``client_id`` (RFC 9068 §2.2), or ``azp``, ``cid`` or ``appid`` where an issuer writes that instead."""
        value = next((self._claims[name] for name in _CLIENT_ID if name in self._claims), None)
        return value if isinstance(value, str) else None

    @property
    def issued_at(self) -> float | None:
        """``iat``, in seconds since the epoch."""
        value: float | None = self._claims.get("iat")
        return value

    @property
    def expires_at(self) -> float | None:
        """``exp``, in seconds since the epoch: the token is refused from then on."""
        value: float | None = self._claims.get("exp")
        return value

    @property
    def scopes(self) -> frozenset[str]:
        """``scope`` (RFC 9068 §2.2.3), or ``scp`` where an issuer writes that instead; string or list."""
        claims = self._claims
        return frozenset(_words(claims["scope"] if "scope" in claims else claims.get("scp"), split=True))


def token_from(environ: WSGIEnvironment) -> AccessToken:
    """Return the verified token of this request.

    Raises `MissingToken` where the request has none, or the failure itself below a `delegate` rule.
    Where a token is optional, ``environ.get("jwt_middleware.token")`` asks without raising.
    """
    token = environ.get(TOKEN)
    if isinstance(token, AccessToken):
        return token
    error = environ.get(ERROR)
    raise error if isinstance(error, AuthError) else MissingToken()


def _words(value: object, *, split: bool) -> list[str]:
    if isinstance(value, str):
        # RFC 6749 §3.3: scopes are parted by spaces, and by nothing else that looks empty.
        return [word for word in value.split(" ") if word] if split else [value]
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _shared(value: Any) -> Any:
    if type(value) is str:
        return intern(value)
    if type(value) is list:
        return [intern(member) if type(member) is str else member for member in value]
    return value


@lru_cache(maxsize=64)
def _same(nested: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the tuple that was there first of all that are equal."""
    return nested


def _copier(value: dict[str, Any] | list[Any]) -> Callable[[Any], Any]:
    """Return the cheapest function that makes an independent copy of the value."""
    members = value.values() if isinstance(value, dict) else value
    return type(value).copy if _MUTABLE.isdisjoint(map(type, members)) else _copy


def _copy(value: Any) -> Any:
    # copy.deepcopy takes twenty times as long; JSON has only two kinds that can be changed.
    if type(value) is dict:
        return {name: _copy(member) for name, member in value.items()}
    if type(value) is list:
        return [_copy(member) for member in value]
    return value
