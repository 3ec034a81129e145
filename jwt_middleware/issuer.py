"""`TokenIssuer`: access tokens of the JWT profile (RFC 9068), and the key set to verify them with."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from secrets import token_urlsafe
from typing import Any

from jwt_middleware.errors import is_scope_token, refuse
from jwt_middleware.jose import HMAC, public_jwk, sign
from jwt_middleware.keys import PrivateKey, SecretKey

_OWN_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "iat", "jti", "scope"})


class TokenIssuer:
    """Issues access tokens for one issuer and audience.

    `key` is a `SecretKey` or a `PrivateKey`, or a list of them: the first one signs, all are published by
    `jwks`. `access_ttl` is how long a token lives, in whole seconds. `clock` returns the seconds since the
    epoch. Raises `ConfigurationError` with all faults at once.
    """

    def __init__(
        self,
        key: SecretKey | PrivateKey | Sequence[SecretKey | PrivateKey],
        *,
        issuer: str,
        audience: str | Sequence[str],
        access_ttl: int = 600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        keys = list(key) if isinstance(key, Sequence) else [key]
        audiences = [audience] if isinstance(audience, str) else audience
        refuse(_key_faults(keys), _argument_faults(issuer, audiences, access_ttl, clock))
        self._keys = [each.key for each in keys]
        self._issuer = issuer
        self._audience = audience if isinstance(audience, str) else list(audience)
        self._clock = clock
        self.access_ttl = access_ttl

    def access_token(
        self,
        subject: str,
        *,
        scopes: Collection[str] = (),
        client_id: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Return a new signed access token (``typ: at+jwt``) that expires `access_ttl` seconds from now.

        It carries ``iss``, ``aud``, ``sub``, ``iat``, ``exp`` and a random ``jti``; ``scope`` and
        ``client_id`` if they are given, and `claims` besides. RFC 9068 §2.2 asks for a ``client_id``.

        Raises TypeError or ValueError for a subject, scope or claim that would make no valid token.
        """
        if not isinstance(subject, str) or not subject:
            raise TypeError(f"subject: {subject!r} is no subject; write a non-empty str, such as str(user.id)")
        if isinstance(scopes, str) or not all(map(is_scope_token, scopes)):
            raise ValueError("scopes: write a list of names without spaces and quotes, such as ['orders:write']")
        own = _OWN_CLAIMS.intersection(claims or ())
        if own:
            raise ValueError(f"claims: {', '.join(sorted(own))} is set by the issuer; use its arguments")
        now = int(self._clock())
        issued = {"iss": self._issuer, "sub": subject, "aud": self._audience}
        times = {"iat": now, "exp": now + self.access_ttl, "jti": token_urlsafe(16)}
        optional = {"client_id": client_id, "scope": " ".join(scopes) or None}
        given = {name: value for name, value in optional.items() if value is not None}
        return sign({**issued, **times, **given, **(claims or {})}, self._keys[0], typ="at+jwt")

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the JWK set (RFC 7517 §5) of the public keys, to publish. Secrets are never in it."""
        return {"keys": [public_jwk(key) for key in self._keys if key.algorithm not in HMAC]}


def _key_faults(keys: Collection[object]) -> Iterator[str]:
    if not keys or not all(isinstance(key, SecretKey | PrivateKey) for key in keys):
        kinds = ", ".join(type(key).__name__ for key in keys) or "nothing"
        yield f"key: {kinds} cannot sign; pass a SecretKey or PrivateKey, or a list of them"


def _argument_faults(issuer: object, audiences: Sequence[object], access_ttl: object, clock: object) -> Iterator[str]:
    if not isinstance(issuer, str) or not issuer:
        yield f"issuer: {issuer!r} is no issuer; write your own name as an https URL"
    if not isinstance(audiences, Sequence) or not audiences or not all(isinstance(name, str) and name for name in audiences):
        yield f"audience: {audiences!r} is no audience; write the name of the service that will accept the tokens"
    if type(access_ttl) is not int or access_ttl < 1:
        yield f"access_ttl: {access_ttl!r} is no life time; write whole seconds, such as 600"
    if not callable(clock):
        yield f"clock: a {type(clock).__name__} is not callable; write a function such as time.time"
