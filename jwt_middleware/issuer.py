"""`TokenIssuer`: access tokens of the JWT profile (RFC 9068), sessions, and the key set to verify with."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from secrets import token_urlsafe
from typing import Any

from jwt_middleware.errors import is_scope_token
from jwt_middleware.events import EventHook, log_events
from jwt_middleware.faults import ConfigurationError, callable_faults, names_faults, refuse, seconds_faults, whole_faults
from jwt_middleware.jose import HMAC, public_jwk, sign
from jwt_middleware.keys import PrivateKey, SecretKey
from jwt_middleware.sessions import Sessions
from jwt_middleware.stores import Store, store_faults
from jwt_middleware.tokens import AccessToken

_OWN_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "iat", "jti", "scope", "sid"})


class TokenIssuer:
    """Issues access tokens for one issuer and audience.

    `key` is a `SecretKey` or a `PrivateKey`, or a list of them: the first one signs, all are published by
    `jwks`. `access_ttl` and `refresh_ttl` are how long the tokens live, in whole seconds. `clock` returns the
    seconds since the epoch.

    With a `store` it also issues refresh tokens: `grant` begins a session, `refresh` carries it on, `revoke`
    and `revoke_subject` end it. Each refresh token is good once; sent again within `grace` seconds, as by
    two tabs or after a lost response, it gives the same successor, and later it ends the session. To have
    access tokens refused too, give the verifier ``Revocations`` of the same store.

    Raises `ConfigurationError` with all faults at once.
    """

    def __init__(
        self,
        key: SecretKey | PrivateKey | Sequence[SecretKey | PrivateKey],
        *,
        issuer: str,
        audience: str | Sequence[str],
        access_ttl: int = 600,
        refresh_ttl: int = 1_209_600,
        store: Store | None = None,
        grace: float = 10,
        on_event: EventHook = log_events,
        clock: Callable[[], float] = time.time,
    ) -> None:
        keys = list(key) if isinstance(key, Sequence) else [key]
        audiences = [audience] if isinstance(audience, str) else audience
        refuse(
            _key_faults(keys),
            _issuer_faults(issuer),
            names_faults("audience", audiences, "the name of the service that will accept the tokens"),
            whole_faults(1, access_ttl=access_ttl, refresh_ttl=refresh_ttl),
            seconds_faults(0, grace=grace),
            () if store is None else _session_faults(store, access_ttl, refresh_ttl),
            callable_faults(clock=clock, on_event=on_event),
        )
        self._keys = [each.key for each in keys]
        self._issuer = issuer
        self._audience = audience if isinstance(audience, str) else list(audience)
        self._clock = clock
        self.access_ttl = access_ttl
        self._sessions = (
            None
            if store is None
            else Sessions(
                store,
                issuer=issuer,
                keys=self._keys,
                refresh_ttl=refresh_ttl,
                grace=grace,
                on_event=on_event,
                clock=clock,
            )
        )

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
        content = _content(subject, scopes, client_id, claims)
        return self._access_token(subject, content, int(self._clock()))

    def grant(
        self,
        subject: str,
        *,
        scopes: Collection[str] = (),
        client_id: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Begin a session: return an access token and a refresh token, as the members of RFC 6749 §5.1.

        The arguments are those of `access_token`, for this and all later access tokens of the session. Both
        tokens carry ``sid``. Raises what `access_token` raises, and `Unavailable` while the store is out of
        reach.
        """
        content = _content(subject, scopes, client_id, claims)
        return self._response(*self._with_store().start(subject, content))

    def refresh(self, token: str) -> dict[str, Any]:
        """Spend a refresh token: return a new access token and the refresh token's successor, as `grant` does.

        Raises `InvalidGrant` for a token that is none, expired, of an ended session, or spent before, and
        `Unavailable` while the store is out of reach: the token is still good then.
        """
        return self._response(*self._with_store().rotate(token))

    def revoke(self, token: str | AccessToken) -> None:
        """End the session of a refresh token, given as its text, or of a verified `AccessToken`.

        An access token without a session is ended alone.

        Raises `InvalidGrant` for a refresh token that is none, an expired one passes; `Unavailable` if
        nothing could be stored.
        """
        sessions = self._with_store()
        if not isinstance(token, AccessToken):
            sessions.end(sessions.read(token))
        else:
            sessions.end_access(token)

    def revoke_subject(self, subject: str) -> None:
        """End all sessions of a subject, and refuse all its tokens that were issued before now.

        Raises `Unavailable` if that could not be stored.
        """
        self._with_store().end_all(subject)

    def _response(self, refresh_claims: Mapping[str, Any], refresh_token: str) -> dict[str, Any]:
        content = refresh_claims["content"]
        subject, session = refresh_claims["sub"], {"sid": refresh_claims["sid"]}
        now = max(int(self._clock()), refresh_claims["iat"])
        access_token = self._access_token(subject, {**content, **session}, now)
        response = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.access_ttl,
            "refresh_token": refresh_token,
        }
        return response | ({"scope": content["scope"]} if "scope" in content else {})

    def _access_token(self, subject: str, content: Mapping[str, Any], now: int) -> str:
        issued = {"iss": self._issuer, "sub": subject, "aud": self._audience}
        times = {"iat": now, "exp": now + self.access_ttl, "jti": token_urlsafe(16)}
        return sign({**issued, **times, **content}, self._keys[0], typ="at+jwt")

    def _with_store(self) -> Sessions:
        if self._sessions is None:
            raise ConfigurationError(
                "store: without one there are no sessions; write e.g. TokenIssuer(..., store=SQLiteStore(path))"
            )
        return self._sessions

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the JWK set (RFC 7517 §5) of the public keys, to publish. Secrets are never in it."""
        return {"keys": [public_jwk(key) for key in self._keys if key.algorithm not in HMAC]}


def _key_faults(keys: Collection[object]) -> Iterator[str]:
    if not keys or not all(isinstance(key, SecretKey | PrivateKey) for key in keys):
        kinds = ", ".join(type(key).__name__ for key in keys) or "nothing"
        yield f"key: {kinds} cannot sign; pass a SecretKey or PrivateKey, or a list of them"
        return
    names = [key.key.key_id for key in keys if isinstance(key, SecretKey | PrivateKey) and key.key.key_id is not None]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"key: two keys have the key_id {name!r}, so that nobody could tell which one signed; give each its own"


def _content(subject: object, scopes: Collection[str], client_id: str | None, claims: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a caller may put into a token, after checking it."""
    if not isinstance(subject, str) or not subject:
        raise TypeError(f"subject: {subject!r} is no subject; write a non-empty str, such as str(user.id)")
    if not isinstance(scopes, Collection) or isinstance(scopes, str) or not all(map(is_scope_token, scopes)):
        raise ValueError("scopes: write a list of names without spaces and quotes, such as ['orders:write']")
    own = _OWN_CLAIMS.intersection(claims or ())
    if own:
        raise ValueError(f"claims: {', '.join(sorted(own))} is set by the issuer; use its arguments")
    optional = {"client_id": client_id, "scope": " ".join(scopes) or None}
    content = {name: value for name, value in optional.items() if value is not None} | dict(claims or {})
    if not isinstance(content.get("client_id", ""), str):
        raise TypeError(f"client_id: {content['client_id']!r} is no client_id; write a str")
    if type(content.get("nbf", 0)) not in (int, float):
        raise TypeError(f"claims: the nbf {content['nbf']!r} is no NumericDate (RFC 7519 §2); write seconds since the epoch")
    return content


def _issuer_faults(issuer: object) -> Iterator[str]:
    if not isinstance(issuer, str) or not issuer:
        yield f"issuer: {issuer!r} is no issuer; write your own name as an https URL"


def _session_faults(store: object, access_ttl: Any, refresh_ttl: Any) -> Iterator[str]:
    yield from store_faults(store)
    if type(access_ttl) is type(refresh_ttl) is int and refresh_ttl < access_ttl:
        yield f"refresh_ttl: {refresh_ttl} is shorter than access_ttl, so that nothing could ever be refreshed; write more"
