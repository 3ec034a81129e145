"""`AccessToken`, the verified token an application works with, and reading it from environ."""

from collections.abc import Callable, Mapping
from functools import lru_cache
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

    def __init__(self, claims: dict[str, Any], header: Mapping[str, Any]) -> None:
        self._claims = claims
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
            mutable = [
                (name, _copier(value)) for name, value in claims.items() if type(value) in _MUTABLE
            ]
            self._nested = _shared(tuple(mutable))
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
        value = self._claims.get(name)
        return (value,) if isinstance(value, str) else tuple(_strings(value))

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
        value = self._claims["scope"] if "scope" in self._claims else self._claims.get("scp")
        return _split(value) if isinstance(value, str) else frozenset(_strings(value))


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


def with_shared_parts(claims: dict[str, Any]) -> dict[str, Any]:
    """Return equal claims that share with other tokens what recurs in all of them.

    It saves a third of the memory of a token that is kept. Interning would do the same, but Python 3.12 never
    frees an interned string.
    """
    names, recurring = _shared_names(tuple(claims))
    shared = dict(zip(names, claims.values(), strict=False))
    for name in recurring:
        value = shared[name]
        if type(value) is str:
            shared[name] = _shared(value)
        elif type(value) is list:
            shared[name] = [_shared(member) if type(member) is str else member for member in value]
    return shared


@lru_cache(maxsize=1024)
def _shared_names(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return one instance of equal names, and those whose values are shared too."""
    return names, tuple(name for name in _RECURRING if name in names)


@lru_cache(maxsize=1024)
def _shared(value: Any) -> Any:
    """Return one instance of equal values."""
    return value


@lru_cache(maxsize=1024)
def _split(scope: str) -> frozenset[str]:
    # RFC 6749 §3.3: scopes are separated by spaces, and by nothing else that looks empty.
    return frozenset(word for word in scope.split(" ") if word)


def _strings(value: object) -> list[str]:
    return (
        [member for member in value if isinstance(member, str)] if isinstance(value, list) else []
    )


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
