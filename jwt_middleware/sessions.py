"""Refresh tokens: families of which each member is good once, so that a stolen one is found out.

A refresh token is a JWT that only its issuer can verify: it is signed with a secret derived from the issuer's
key, so no service that holds the public key, and no key set, makes an access token of it. The store holds
hashes and ids, never a token; a successor is made anew from what the store says of it, the same each time.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from secrets import token_urlsafe
from typing import Any, Final

from jwt_middleware.errors import AuthError, InvalidGrant
from jwt_middleware.events import EventHook, RefreshTokenReused, emit
from jwt_middleware.jose import Key, derive_secret, parse_claims, parse_compact, parse_json_object, sign
from jwt_middleware.revocation import MARGIN, Revocations, entry_key, revoked_before
from jwt_middleware.stores import Store
from jwt_middleware.tokens import AccessToken

_TYPE: Final = "refresh+jwt"
_CLAIMS: Final = {"iss", "sub", "sid", "jti", "iat", "exp", "content"}
_MAX_BYTES: Final = 16_384


class Sessions:
    """The refresh tokens of one issuer."""

    def __init__(
        self,
        store: Store,
        *,
        issuer: str,
        keys: Sequence[Key],
        refresh_ttl: int,
        grace: float,
        on_event: EventHook,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._revocations = Revocations(store, on_event=on_event, clock=clock)
        self._issuer = issuer
        self._keys = [derive_secret(key, "refresh tokens") for key in keys]
        self._refresh_ttl = refresh_ttl
        self._grace = grace
        self._on_event = on_event
        self._clock = clock

    def start(self, subject: str, content: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Begin a session; return the claims of its first refresh token, and that token."""
        entry = self._ask("get", lambda: self._store.get(entry_key("subject", self._issuer, subject)))
        now = int(self._clock())
        # Whoever logs in within the second in which all tokens were revoked gets tokens of the next second.
        # More than a minute ahead is no clock that differs, but an entry that nobody wrote.
        issued_at = int(min(max(now, revoked_before(entry)), now + 60))
        session = {"iss": self._issuer, "sub": subject, "sid": token_urlsafe(16), "content": content}
        claims = {**session, "jti": token_urlsafe(16), "iat": issued_at, "exp": issued_at + self._refresh_ttl}
        return claims, self._sign(claims)

    def rotate(self, raw: str) -> tuple[dict[str, Any], str]:
        """Spend a refresh token; return the claims of its successor, and that token.

        Of several calls with one token, in whatever process, the first makes the successor, and those within
        `grace` seconds get the same one. A later call ends the session. Raises `InvalidGrant`, and
        `Unavailable` while the store is out of reach.
        """
        claims = self.read(raw)
        now = self._clock()
        # A shorter `refresh_ttl` holds for older tokens too: what ends a session must outlive them.
        if not now < min(claims["exp"], claims["iat"] + self._refresh_ttl):
            raise InvalidGrant("refresh_token_expired")
        self._refuse_revoked(claims)
        issued_at = max(int(now), claims["iat"])
        own = {"jti": token_urlsafe(16), "iat": issued_at, "exp": issued_at + self._refresh_ttl, "at": now}
        spent = entry_key("spent", self._issuer, claims["jti"])
        first = self._ask("add", lambda: self._store.add(spent, json.dumps(own), claims["exp"] + MARGIN))
        successor = own if first is None else self._ask("add", lambda: _successor(first))
        if not now <= successor.pop("at") + self._grace:
            self.end(claims)
            emit(self._on_event, RefreshTokenReused(claims["sub"], claims["sid"]))
            raise InvalidGrant("refresh_token_reused")
        renewed = claims | successor
        return renewed, self._sign(renewed)

    def end(self, claims: Mapping[str, Any]) -> None:
        """Refuse all tokens of a session. Raises `Unavailable` if that could not be stored."""
        # Whatever is being issued at this moment expires by then.
        expires_at = self._clock() + self._refresh_ttl
        self._revocations.revoke_session(self._issuer, claims["sid"], expires_at=expires_at)

    def end_access(self, token: AccessToken) -> None:
        """Refuse one access token of this issuer, and all tokens of its session if it has one.

        Raises ValueError for another issuer's, and `Unavailable` if that could not be stored.
        """
        if token.issuer != self._issuer:
            raise ValueError("token: it is another issuer's; use Revocations to refuse it here")
        session = token.get("sid")
        if isinstance(session, str):
            self.end({"sid": session})
        else:
            self._revocations.revoke(token)

    def end_all(self, subject: str) -> None:
        """Refuse all tokens of a subject. Raises `Unavailable` if that could not be stored."""
        self._revocations.revoke_subject(self._issuer, subject)

    def read(self, raw: str) -> dict[str, Any]:
        """Return the claims of a refresh token of this issuer; raises `InvalidGrant`. Its times are not checked."""
        if not isinstance(raw, str) or len(raw) > _MAX_BYTES:
            raise InvalidGrant("refresh_token_invalid")
        try:
            header, payload, signing_input, signature = parse_compact(raw)
            if header.type in {"at+jwt", "jwt"}:
                raise InvalidGrant("refresh_token_expected")
            known = header.type == _TYPE and header.algorithm == "HS256"
            if not known or not any(key.verify(signing_input, signature) for key in self._keys):
                raise InvalidGrant("refresh_token_invalid")
            claims = parse_claims(payload)
        except InvalidGrant:
            raise
        except AuthError as exc:
            raise InvalidGrant("refresh_token_invalid") from exc
        # Two issuers may share one key; and another release may have put other things into its tokens.
        if claims.get("iss") != self._issuer or not claims.keys() >= _CLAIMS:
            raise InvalidGrant("refresh_token_invalid")
        return claims

    def _refuse_revoked(self, claims: Mapping[str, Any]) -> None:
        keys = [entry_key("session", self._issuer, claims["sid"]), entry_key("subject", self._issuer, claims["sub"])]
        by_session, by_subject = self._ask("get_many", lambda: _pair(self._store.get_many(keys)))
        if by_session is not None or claims["iat"] < revoked_before(by_subject):
            raise InvalidGrant("refresh_token_revoked")

    def _sign(self, claims: Mapping[str, Any]) -> str:
        return sign(claims, self._keys[0], typ=_TYPE)

    def _ask(self, operation: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Exception as exc:
            # Whatever kind of store it is, one that raises, or holds what nobody wrote, has not answered.
            raise self._revocations.failed(operation, exc) from exc


def _pair(values: Sequence[str | None]) -> tuple[str | None, str | None]:
    first, second = values
    return first, second


def _successor(value: str) -> dict[str, Any]:
    """Return what a store says of a successor; raises ValueError for anything that was not written here."""
    successor = parse_json_object(value.encode())
    times = [successor.get(name) for name in ("iat", "exp", "at")]
    if not isinstance(successor.get("jti"), str) or not all(type(time) in (int, float) for time in times):
        raise ValueError("an entry of the store is not what was written")
    return successor
