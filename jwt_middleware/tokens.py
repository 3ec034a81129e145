"""`AccessToken`, the verified token an application works with, and reading it from environ."""

from collections.abc import Mapping
from sys import intern
from typing import Any
from wsgiref.types import WSGIEnvironment

from jwt_middleware.errors import AuthError, MissingToken

# The dots matter: a client header always arrives under HTTP_..., so no client can write these keys.
CLAIMS = "jwt_middleware.claims"
TOKEN = "jwt_middleware.token"  # noqa: S105  # The name of a key, no password.
ERROR = "jwt_middleware.error"


class AccessToken:
    """The verified claims of one token, as values that cannot be changed.

    A `Verifier` makes these and may hand the same one to many requests, so everything mutable is copied
    on the way out: change what `claims`, `header` or `get` return as you like.

    Constructing one verifies nothing.
    """

    __slots__ = ("_claims", "_header", "_nested", "expires_at", "issued_at", "not_before")

    _claims: dict[str, Any]
    _header: Mapping[str, Any]
    _nested: tuple[str, ...]
    expires_at: float | None
    """``exp``: seconds since the epoch; the token is refused from then on."""
    issued_at: float | None
    """``iat``: seconds since the epoch."""
    not_before: float | None
    """``nbf``: seconds since the epoch; the token is refused before."""

    def __init__(self, claims: Mapping[str, Any], header: Mapping[str, Any]) -> None:
        # Claim names recur in every token; one shared copy of each saves a third of a cached token's memory.
        own = {intern(name): _copy(value) for name, value in claims.items()}
        set_once = super().__setattr__
        set_once("_claims", own)
        set_once("_header", header)
        set_once("_nested", tuple(name for name, value in own.items() if isinstance(value, dict | list)))
        set_once("expires_at", own.get("exp"))
        set_once("issued_at", own.get("iat"))
        set_once("not_before", own.get("nbf"))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an AccessToken is frozen; {name} cannot be set")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"AccessToken(issuer={self.issuer!r}, subject={self.subject!r}, id={self.id!r}, expires_at={self.expires_at!r})"

    @property
    def claims(self) -> dict[str, Any]:
        """All claims as they were signed; a new dict at each access."""
        claims: dict[str, Any] = self._claims.copy()
        for name in self._nested:
            claims[name] = _copy(claims[name])
        return claims

    @property
    def header(self) -> dict[str, Any]:
        """The JOSE header; a new dict at each access."""
        header: dict[str, Any] = _copy(dict(self._header))
        return header

    def get(self, name: str, default: Any = None) -> Any:
        """Return one claim, or `default` if the token does not carry it."""
        return _copy(self._claims.get(name, default))

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
        return tuple(_words(self._claims.get("aud"), split=False))

    @property
    def id(self) -> str | None:
        """``jti``. Unique only together with `issuer`."""
        value: str | None = self._claims.get("jti")
        return value

    @property
    def client_id(self) -> str | None:
        """``client_id`` (RFC 9068 §2.2), or ``azp`` where an issuer writes that instead."""
        value: str | None = self._claims.get("client_id", self._claims.get("azp"))
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
        return value.split() if split else [value]
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _copy(value: Any) -> Any:
    # copy.deepcopy takes twenty times as long; JSON has only two kinds that can be changed.
    if type(value) is dict:
        return {name: _copy(member) for name, member in value.items()}
    if type(value) is list:
        return [_copy(member) for member in value]
    return value
