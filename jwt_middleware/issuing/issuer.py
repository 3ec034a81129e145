"""`TokenIssuer`: access tokens of the JWT profile (RFC 9068), sessions, and the key set to verify with."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from secrets import token_urlsafe
from typing import Any

from jwt_middleware.arguments import (
    ConfigurationError,
    callable_faults,
    names_faults,
    refuse,
    seconds_faults,
    whole_faults,
)
from jwt_middleware.clock import current_time
from jwt_middleware.errors import is_scope_token
from jwt_middleware.events import EventHook, log_events
from jwt_middleware.issuing.refresh_tokens import RefreshTokens
from jwt_middleware.issuing.sessions import Limits, Sessions
from jwt_middleware.jose import HMAC, derive_secret, public_jwk, sign
from jwt_middleware.keys import PrivateKey, SecretKey
from jwt_middleware.stores import Store, store_faults
from jwt_middleware.tokens import AccessToken

_OWN_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "iat", "jti", "scope", "sid"})
# Whom the session's tokens are issued to, and to whose key they are bound: `reload` cannot change
# that.
_FIXED_CLAIMS = frozenset({"client_id", "cnf"})

# From subject, scopes and claims to the present scopes and claims, or to None to end the session.
Granted = tuple[Collection[str], Mapping[str, Any]]
Reload = Callable[[str, list[str], dict[str, Any]], Granted | None]


class TokenIssuer:
    """Issues access tokens for one issuer and audience.

    `key` is a `SecretKey` or a `PrivateKey`, or a list of them: the first one signs, all are published by
    `jwks`. `access_ttl` and `refresh_ttl` are how long the tokens live, in whole seconds. `clock` returns the
    seconds since the epoch.

    With a `store` it also issues refresh tokens: `grant` begins a session, `refresh` carries it on,
    `revoke` and `revoke_subject` end it. A session ends `session_ttl` seconds after its grant,
    however often it is refreshed; None sets no such end. Each refresh token is good once; sent
    again within `grace` seconds, as by two tabs or after a lost response, it gives the same
    successor, and later it ends the session. To have access tokens refused too, give the verifier
    ``Revocations`` of the same store.

    `reload` is called as ``reload(subject, scopes, claims)`` at each refresh, with what was last
    granted. It returns the present ``(scopes, claims)``, or None to end the session. Without it
    both stay as they were at the grant. What it raises reaches the caller of `refresh`, and the
    refresh token is still good then. ``client_id`` and ``cnf`` belong to the session: `reload`
    neither gets nor returns them.

    The secret of the refresh tokens is derived from `key`, so whoever verifies with a `SecretKey`
    can issue them too. `refresh_secret` is another `SecretKey`, or a list of which the first signs,
    that only the issuer has.

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
        session_ttl: int | None = 7_776_000,
        store: Store | None = None,
        grace: float = 10,
        reload: Reload | None = None,
        refresh_secret: SecretKey | Sequence[SecretKey] | None = None,
        on_event: EventHook = log_events,
        clock: Callable[[], float] = current_time,
    ) -> None:
        keys = _listed(key)
        refresh_keys = keys if refresh_secret is None else _listed(refresh_secret)
        audiences = [audience] if isinstance(audience, str) else audience
        lifetimes = {"refresh_ttl": refresh_ttl, "session_ttl": session_ttl}
        refuse(
            _key_faults(keys),
            _issuer_faults(issuer),
            names_faults(
                "audience", audiences, "the name of the service that will accept the tokens"
            ),
            whole_faults(1, access_ttl=access_ttl, refresh_ttl=refresh_ttl),
            () if session_ttl is None else whole_faults(1, session_ttl=session_ttl),
            seconds_faults(0, grace=grace),
            () if refresh_secret is None else _secret_faults(refresh_keys, keys),
            () if reload is None else callable_faults(reload=reload),
            _needless_faults(store, reload=reload, refresh_secret=refresh_secret),
            () if store is None else store_faults(store),
            () if store is None else _ttl_faults(access_ttl, **lifetimes),
            callable_faults(clock=clock, on_event=on_event),
        )
        self._keys = [each.key for each in keys]
        self._issuer = issuer
        self._audience = audience if isinstance(audience, str) else list(audience)
        self._clock = clock
        self.access_ttl = access_ttl
        self._sessions = None
        if store is not None:
            signing = [each.key for each in refresh_keys]
            self._sessions = Sessions(
                store,
                RefreshTokens(signing, issuer=issuer, audience=audiences),
                limits=Limits(refresh_ttl, math.inf if session_ttl is None else session_ttl, grace),
                renew=_unchanged if reload is None else partial(_renewed, reload),
                on_event=on_event,
                clock=clock,
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
        ``client_id`` if they are given, and `claims` besides. RFC 9068 §2.2 asks for a
        ``client_id``. The token belongs to no session: nothing that ends a session ends it, except
        `revoke_subject`.

        Raises TypeError or ValueError for a subject, scope or claim that would make no valid token.
        """
        content = _content(subject, scopes, client_id, claims)
        now = int(self._clock())
        return self._access_token(subject, content, now, now + self.access_ttl)

    def grant(
        self,
        subject: str,
        *,
        scopes: Collection[str] = (),
        client_id: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Begin a session: return an access token and a refresh token, as the members of RFC 6749 §5.1.

        The arguments are those of `access_token`, for this and all later access tokens of the
        session. Both tokens carry ``sid``. Raises what `access_token` raises, ValueError for claims
        with which the refresh token would have more than 16 KiB, and `Unavailable` while the store
        is out of reach.
        """
        content = _content(subject, scopes, client_id, claims)
        return self._response(*self._with_store().start(subject, content))

    def refresh(self, token: str) -> dict[str, Any]:
        """Spend a refresh token: return a new access token and the refresh token's successor, as `grant` does.

        Raises `InvalidGrant` for anything but a refresh token of this issuer and audience, and for
        one that has expired, was spent before, or belongs to an ended session. Raises `Unavailable`
        while the store is out of reach, what `reload` raises, and TypeError or ValueError if
        `reload` returns what `grant` would not take. In these cases the token is still good.
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
        # When the store was asked, not now: a revocation since then has to cover this token.
        iat = refresh_claims["iat"]
        exp = int(min(iat + self.access_ttl, self._with_store().ends_at(refresh_claims)))
        with_session = {**content, "sid": refresh_claims["sid"]}
        response = {
            "access_token": self._access_token(refresh_claims["sub"], with_session, iat, exp),
            "token_type": "Bearer",
            "expires_in": exp - iat,
            "refresh_token": refresh_token,
        }
        return response | ({"scope": content["scope"]} if "scope" in content else {})

    def _access_token(self, subject: str, content: Mapping[str, Any], iat: int, exp: int) -> str:
        issued = {"iss": self._issuer, "sub": subject, "aud": self._audience}
        times = {"iat": iat, "exp": exp, "jti": token_urlsafe(16)}
        # Our claims come last, so that none of the content can replace them.
        return sign({**content, **issued, **times}, self._keys[0], typ="at+jwt")

    def _with_store(self) -> Sessions:
        if self._sessions is None:
            raise ConfigurationError(
                "store: without one there are no sessions; write e.g. TokenIssuer(..., store=SQLiteStore(path))"
            )
        return self._sessions

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the JWK set (RFC 7517 §5) of the public keys, to publish. Secrets are never in it."""
        return {"keys": [public_jwk(key) for key in self._keys if key.algorithm not in HMAC]}


def _unchanged(subject: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a session as it was granted."""
    return content


def _renewed(reload: Reload, subject: str, content: dict[str, Any]) -> dict[str, Any] | None:
    """Return the present content of a session, or None if `reload` ends it."""
    fixed = {name: content[name] for name in _FIXED_CLAIMS if name in content}
    claims = {name: value for name, value in content.items() if name not in {"scope", *fixed}}
    answer = reload(subject, content["scope"].split(" ") if "scope" in content else [], claims)
    if answer is None:
        return None
    if not isinstance(answer, tuple) or len(answer) != 2:
        kind = type(answer).__name__
        raise TypeError(f"reload: it returned a {kind}; return (scopes, claims), or None")
    renewed = _content(subject, answer[0], None, answer[1])
    replaced = _FIXED_CLAIMS.intersection(renewed)
    if replaced:
        names = ", ".join(sorted(replaced))
        raise ValueError(f"reload: {names} belongs to the session; leave it out of the claims")
    return renewed | fixed


def _listed(key: Any) -> list[Any]:
    return list(key) if isinstance(key, Sequence) and not isinstance(key, str | bytes) else [key]


def _key_faults(keys: Collection[object]) -> Iterator[str]:
    if not keys or not all(isinstance(key, SecretKey | PrivateKey) for key in keys):
        kinds = ", ".join(type(key).__name__ for key in keys) or "nothing"
        yield f"key: {kinds} cannot sign; pass a SecretKey or PrivateKey, or a list of them"
        return
    names = [
        key.key.key_id
        for key in keys
        if isinstance(key, SecretKey | PrivateKey) and key.key.key_id is not None
    ]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"key: two keys have the key_id {name!r}, so that nobody could tell which one signed; give each its own"


def _content(
    subject: object,
    scopes: Collection[str],
    client_id: str | None,
    claims: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what a caller may put into a token, after checking it."""
    if not isinstance(subject, str) or not subject:
        raise TypeError(
            f"subject: {subject!r} is no subject; write a non-empty str, such as str(user.id)"
        )
    if (
        not isinstance(scopes, Collection)
        or isinstance(scopes, str)
        or not all(map(is_scope_token, scopes))
    ):
        raise ValueError(
            "scopes: write a list of names without spaces and quotes, such as ['orders:write']"
        )
    # JSON has only names of text: 1 and "1" would be one claim twice.
    if not isinstance(claims, Mapping | None) or not all(
        type(name) is str for name in claims or ()
    ):
        raise TypeError(f"claims: {claims!r:.50} is not usable; write a dict with str keys")
    own = _OWN_CLAIMS.intersection(claims or ())
    if own:
        raise ValueError(
            f"claims: {', '.join(sorted(own))} is set by the issuer; use its arguments"
        )
    optional = {"client_id": client_id, "scope": " ".join(scopes) or None}
    content = {name: value for name, value in optional.items() if value is not None} | dict(
        claims or {}
    )
    if not isinstance(content.get("client_id", ""), str):
        raise TypeError(f"client_id: {content['client_id']!r} is no client_id; write a str")
    if type(content.get("nbf", 0)) not in (int, float):
        raise TypeError(
            f"claims: the nbf {content['nbf']!r} is no NumericDate (RFC 7519 §2); write seconds since the epoch"
        )
    return content


def _issuer_faults(issuer: object) -> Iterator[str]:
    if not isinstance(issuer, str) or not issuer:
        yield f"issuer: {issuer!r} is no issuer; write your own name as an https URL"


def _secret_faults(secrets: Collection[object], keys: Collection[object]) -> Iterator[str]:
    if not secrets or not all(isinstance(secret, SecretKey) for secret in secrets):
        kinds = ", ".join(type(secret).__name__ for secret in secrets) or "nothing"
        yield f"refresh_secret: {kinds} is not usable; pass a SecretKey, or a list of them"
        return
    # Compared as derived, because HMAC takes some different secrets for equal: zero bytes at the
    # end.
    if not _derived(secrets).isdisjoint(_derived(keys)):
        yield "refresh_secret: it equals key, which verifiers know; use secrets.token_bytes(32)"


def _derived(keys: Collection[object]) -> set[bytes]:
    secrets = [key.key for key in keys if isinstance(key, SecretKey)]
    return {derive_secret(secret, "comparison").material for secret in secrets}


def _needless_faults(store: Store | None, **arguments: object) -> Iterator[str]:
    for name, value in arguments.items():
        if store is None and value is not None:
            yield f"{name}: it has no effect without a store; pass a store too, or leave {name} out"


def _ttl_faults(access_ttl: Any, **arguments: Any) -> Iterator[str]:
    for name, value in arguments.items():
        if type(access_ttl) is type(value) is int and value < access_ttl:
            yield f"{name}: {value} is shorter than access_ttl; write at least {access_ttl}"
