"""`AccessToken`, the verified token an application works with, and reading it from environ."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from wsgiref.types import WSGIEnvironment

from jwt_middleware.errors import AuthError, MissingToken

# The dots matter: a client header always arrives under HTTP_..., so no client can write these keys.
CLAIMS = "jwt_middleware.claims"
TOKEN = "jwt_middleware.token"  # noqa: S105  # The name of a key, not a password.
ERROR = "jwt_middleware.error"

_CLIENT_ID = ("client_id", "azp", "cid", "appid")
_RECURRING = ("iss", "aud", "client_id", "azp", "scope", "scp")
_MUTABLE = frozenset({dict, list})


class AccessToken:
    """The verified claims of one token. They cannot be changed.

    A `Verifier` makes it and may give the same one to many requests. So `claims`, `header` and
    `get` return copies, which you may change.

    Constructing one verifies nothing. It keeps `claims` without copying them.
    """

    __slots__ = ("_claims", "_header", "_nested")

    def __init__(self, claims: dict[str, Any], header: Mapping[str, Any]) -> None:
        self._claims = claims
        self._header = header
        self._nested: tuple[tuple[str, Callable[[Any], Any]], ...] | None = None

    def __repr__(self) -> str:
        return (
            f"AccessToken(issuer={self.issuer!r}, subject={self.subject!r}, id={self.id!r},"
            f" expires_at={self.expires_at!r})"
        )

    @property
    def claims(self) -> dict[str, Any]:
        """All claims as they were signed; a new dict at each access."""
        claims = self._claims.copy()
        if self._nested is None:
            # Found once for all later requests with the same token.
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
        """Return the strings of a claim, such as roles: of one string, or of a list.

        Other members of a list are left out. A claim of another type has no strings.
        """
        value = self._claims.get(name)
        return (value,) if isinstance(value, str) else tuple(_strings(value))

    @property
    def issuer(self) -> str | None:
        """``iss``."""
        value: str | None = self._claims.get("iss")
        return value

    @property
    def subject(self) -> str | None:
        """``sub``: whom the token is about. It is unique only together with `issuer`."""
        value: str | None = self._claims.get("sub")
        return value

    @property
    def audience(self) -> tuple[str, ...]:
        """``aud`` as a tuple, also if it was one string."""
        return self.strings("aud")

    @property
    def id(self) -> str | None:
        """``jti``. It is unique only together with `issuer`."""
        value: str | None = self._claims.get("jti")
        return value

    @property
    def client_id(self) -> str | None:
        """``client_id`` (RFC 9068 §2.2), or else ``azp``, ``cid`` or ``appid``."""
        value = next((self._claims[name] for name in _CLIENT_ID if name in self._claims), None)
        return value if isinstance(value, str) else None

    @property
    def issued_at(self) -> float | None:
        """``iat``, in seconds since the epoch."""
        value: float | None = self._claims.get("iat")
        return value

    @property
    def expires_at(self) -> float | None:
        """``exp``, in seconds since the epoch. From then on the token is refused."""
        value: float | None = self._claims.get("exp")
        return value

    @property
    def scopes(self) -> frozenset[str]:
        """``scope`` (RFC 9068 §2.2.3), or else ``scp``, as a string or a list."""
        value = self._claims["scope"] if "scope" in self._claims else self._claims.get("scp")
        return _split(value) if isinstance(value, str) else frozenset(_strings(value))


def token_from(environ: WSGIEnvironment) -> AccessToken:
    """Return the verified token of this request.

    Raises `MissingToken` if the request has no token. Under a `delegate` rule, raises the failure
    of its token. If a token is optional, use ``environ.get("jwt_middleware.token")``, which returns
    None.
    """
    token = environ.get(TOKEN)
    if isinstance(token, AccessToken):
        return token
    error = environ.get(ERROR)
    raise error if isinstance(error, AuthError) else MissingToken()


def with_shared_parts(claims: dict[str, Any]) -> dict[str, Any]:
    """Return equal claims that share with other tokens what recurs in all of them.

    It saves a third of the memory of a token that is kept. Interning would do the same, but Python
    3.12 never frees an interned string.
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
    # RFC 6749 §3.3: only spaces separate scopes, and no other white space.
    return frozenset(word for word in scope.split(" ") if word)


def _strings(value: object) -> list[str]:
    return (
        [member for member in value if isinstance(member, str)] if isinstance(value, list) else []
    )


def _copier(value: dict[str, Any] | list[Any]) -> Callable[[Any], Any]:
    """Return the fastest function that makes an independent copy of the value."""
    members = value.values() if isinstance(value, dict) else value
    return type(value).copy if _MUTABLE.isdisjoint(map(type, members)) else _copy


def _copy(value: Any) -> Any:
    # copy.deepcopy takes twenty times as long. JSON has only two types that can be changed.
    if type(value) is dict:
        return {name: _copy(member) for name, member in value.items()}
    if type(value) is list:
        return [_copy(member) for member in value]
    return value
