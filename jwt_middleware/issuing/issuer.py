"""`TokenIssuer`: issues access tokens (RFC 9068), keeps sessions, and publishes its key set."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from secrets import token_urlsafe
from typing import Any

from jwt_middleware.arguments import ConfigurationError, Problems, kinds, shown
from jwt_middleware.clock import current_time
from jwt_middleware.events import EventHook, log_events
from jwt_middleware.issuing.refresh_token_format import RefreshToken, RefreshTokens
from jwt_middleware.issuing.refresh_tokens import Limits, Sessions
from jwt_middleware.issuing.token_content import Reload, reloaded_content, token_content
from jwt_middleware.jose import HMAC, derive_secret, public_jwk, sign
from jwt_middleware.keys import PrivateKey, SecretKey
from jwt_middleware.stores import Store, check_store
from jwt_middleware.tokens import AccessToken


class TokenIssuer:
    """Issues access tokens for one issuer and audience.

    `key` is a `SecretKey` or a `PrivateKey`, or a list of them: the first one signs, and `jwks`
    publishes all. `access_ttl` and `refresh_ttl` are the lifetimes of the tokens, in whole seconds.
    `clock` returns the seconds since the epoch.

    With a `store` it also issues refresh tokens: `grant` begins a session, `refresh` continues it,
    `revoke` and `revoke_subject` end it. A session ends `session_ttl` seconds after its grant, even
    if it is refreshed; None sets no such end. Each refresh token can be used once. If it is used
    again within `grace` seconds, as by two tabs or after a lost response, the answer is the same
    new refresh token. If it is used again later, the session ends. To refuse the access tokens of
    ended sessions too, give the verifier ``Revocations`` of the same store.

    `reload` is called as ``reload(subject, scopes, claims)`` at each refresh, with the scopes and
    claims of the last grant or refresh. It returns the present ``(scopes, claims)``, or None to end
    the session. Without it both stay as they were at the grant. If it raises, the exception reaches
    the caller of `refresh`, and the refresh token can still be used. ``client_id`` and ``cnf``
    belong to the session: `reload` neither gets nor returns them.

    The secret of the refresh tokens is derived from `key`, so everybody who verifies with a
    `SecretKey` can issue them too. `refresh_secret` is another `SecretKey` that only the issuer
    has, or a list of which the first one signs.

    Raises `ConfigurationError` that names all problems.
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
        keys = _as_list(key)
        refresh_keys = keys if refresh_secret is None else _as_list(refresh_secret)
        audiences = [audience] if isinstance(audience, str) else audience
        problems = Problems()
        _check_keys(problems, keys)
        if not isinstance(issuer, str) or not issuer:
            problems.add(
                f"issuer: {shown(issuer)} is not an issuer; write your own name as an https URL"
            )
        problems.names("audience", audiences, "the name of the service that accepts the tokens")
        problems.whole("access_ttl", access_ttl, least=1)
        problems.whole("refresh_ttl", refresh_ttl, least=1)
        if session_ttl is not None:
            problems.whole("session_ttl", session_ttl, least=1)
        problems.seconds("grace", grace)
        if refresh_secret is not None:
            _check_refresh_secret(problems, refresh_keys, keys)
        if reload is not None:
            problems.callables(reload=reload)
        problems.callables(clock=clock, on_event=on_event)
        if store is None:
            _check_unused(problems, reload=reload, refresh_secret=refresh_secret)
        else:
            check_store(problems, store)
            _check_ttls(problems, access_ttl, refresh_ttl=refresh_ttl, session_ttl=session_ttl)
        problems.raise_if_any()
        self._keys = [each.key for each in keys]
        self._issuer = issuer
        self._audience = audience if isinstance(audience, str) else list(audience)
        self._clock = clock
        self.access_ttl = access_ttl
        self._sessions = None
        if store is not None:
            secrets = [each.key for each in refresh_keys]
            self._sessions = Sessions(
                store,
                RefreshTokens(secrets, issuer=issuer, audience=audiences),
                limits=Limits(refresh_ttl, math.inf if session_ttl is None else session_ttl, grace),
                reload=_unchanged if reload is None else partial(reloaded_content, reload),
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
        """Return a new access token (``typ: at+jwt``) that expires `access_ttl` seconds from now.

        It contains ``iss``, ``aud``, ``sub``, ``iat``, ``exp`` and a random ``jti``, the given
        ``scope`` and ``client_id``, and `claims`. RFC 9068 §2.2 requires a ``client_id``. The token
        does not belong to a session, so only `revoke_subject` and its expiry end it.

        Raises TypeError or ValueError for a subject, scope or claim that verifiers would refuse.
        """
        content = token_content(subject, scopes, client_id, claims)
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
        """Begin a session: return its first access token and refresh token (RFC 6749 §5.1).

        The arguments are those of `access_token`, for this and all later access tokens of the
        session. Both tokens contain ``sid``. Raises what `access_token` raises, ValueError if the
        refresh token would have more than 16 KiB, and `Unavailable` if the store fails.
        """
        content = token_content(subject, scopes, client_id, claims)
        return self._response(self._with_store().start(subject, content))

    def refresh(self, token: str) -> dict[str, Any]:
        """Exchange a refresh token for a new access token and a new refresh token.

        Raises `InvalidGrant` if the argument is not a refresh token of this issuer and audience,
        has expired, was used before, or belongs to an ended session.

        Raises `Unavailable` if the store fails, any exception of `reload`, and TypeError or
        ValueError if `reload` returns what `grant` does not accept. In these cases the refresh
        token can still be used.
        """
        return self._response(self._with_store().refresh(token))

    def revoke(self, token: str | AccessToken) -> None:
        """End the session of a refresh token, given as text, or of a verified `AccessToken`.

        An access token without a session is refused alone. An expired refresh token is accepted.

        Raises `InvalidGrant` if the text is not a refresh token of this issuer and audience, and
        `Unavailable` if the store fails.
        """
        sessions = self._with_store()
        if isinstance(token, AccessToken):
            sessions.end_of_access_token(token)
        else:
            sessions.end(sessions.read(token))

    def revoke_subject(self, subject: str) -> None:
        """End all sessions of a subject, and refuse all its tokens that were issued before now.

        Raises `Unavailable` if the store fails.
        """
        self._with_store().end_all(subject)

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the JWK set (RFC 7517 §5) of the public keys, to publish. It has no secrets."""
        return {"keys": [public_jwk(key) for key in self._keys if key.algorithm not in HMAC]}

    def _response(self, refresh_token: RefreshToken) -> dict[str, Any]:
        session = refresh_token.claims
        content = session["content"]
        # Not the present time: if the tokens were revoked since the store was asked, the revocation
        # must cover this one.
        iat = session["iat"]
        exp = int(min(iat + self.access_ttl, self._with_store().ends_at(session)))
        access_token = self._access_token(
            session["sub"], {**content, "sid": session["sid"]}, iat, exp
        )
        response = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": exp - iat,
            "refresh_token": refresh_token.text,
        }
        return response | ({"scope": content["scope"]} if "scope" in content else {})

    def _access_token(self, subject: str, content: Mapping[str, Any], iat: int, exp: int) -> str:
        issued = {"iss": self._issuer, "sub": subject, "aud": self._audience}
        times = {"iat": iat, "exp": exp, "jti": token_urlsafe(16)}
        # The issuer's claims come last, so that the content cannot replace them.
        return sign({**content, **issued, **times}, self._keys[0], typ="at+jwt")

    def _with_store(self) -> Sessions:
        if self._sessions is None:
            raise ConfigurationError(
                "store: sessions need one; write e.g. TokenIssuer(..., store=SQLiteStore(path))"
            )
        return self._sessions


def _unchanged(subject: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a session as it was granted."""
    return content


def _as_list(key: Any) -> list[Any]:
    return list(key) if isinstance(key, Sequence) and not isinstance(key, str | bytes) else [key]


def _check_keys(problems: Problems, keys: Sequence[Any]) -> None:
    if not keys or not all(isinstance(key, SecretKey | PrivateKey) for key in keys):
        problems.add(
            f"key: {kinds(keys)} cannot sign; pass a SecretKey or PrivateKey, or a list of them"
        )
        return
    key_ids = [key.key.key_id for key in keys if key.key.key_id is not None]
    for key_id in sorted({key_id for key_id in key_ids if key_ids.count(key_id) > 1}):
        problems.add(
            f"key: several keys have the key_id {key_id!r}, so a verifier cannot choose between"
            " them; give each its own"
        )


def _check_refresh_secret(
    problems: Problems, secrets: Sequence[object], keys: Sequence[object]
) -> None:
    if not secrets or not all(isinstance(secret, SecretKey) for secret in secrets):
        problems.add(
            f"refresh_secret: {kinds(secrets)} is not usable; pass a SecretKey, or a list of them"
        )
    # Compared after derivation, because HMAC treats secrets that differ in zero bytes at their end
    # as equal.
    elif not _derived(secrets).isdisjoint(_derived(keys)):
        problems.add(
            "refresh_secret: it equals key, which verifiers know; use secrets.token_bytes(32)"
        )


def _derived(keys: Sequence[object]) -> set[bytes]:
    secrets = [key.key for key in keys if isinstance(key, SecretKey)]
    return {derive_secret(secret, "comparison").material for secret in secrets}


def _check_unused(problems: Problems, **arguments: object) -> None:
    for name, value in arguments.items():
        if value is not None:
            problems.add(
                f"{name}: it has no effect without a store; pass a store too, or leave {name} out"
            )


def _check_ttls(problems: Problems, access_ttl: Any, **arguments: Any) -> None:
    for name, value in arguments.items():
        if type(access_ttl) is type(value) is int and value < access_ttl:
            problems.add(f"{name}: {value} is shorter than access_ttl; write at least {access_ttl}")
