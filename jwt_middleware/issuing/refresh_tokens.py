"""`Sessions`: refresh token rotation and reuse detection, for the sessions of one issuer.

Each refresh token can be used once. The store remembers each use until the token expires: when it
was, and the id of the new refresh token. It contains hashes and ids, never a token. It is not
trusted: from the entry of a use come only the id and the time of issue of the new refresh token,
and both are checked.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from secrets import token_urlsafe
from typing import Any, Final, NamedTuple

from jwt_middleware.errors import InvalidGrant
from jwt_middleware.events import EventHook, RefreshTokenReused, emit
from jwt_middleware.issuing.refresh_token_format import RefreshToken, RefreshTokens
from jwt_middleware.jose import parse_json_object
from jwt_middleware.revocations import (
    MARGIN,
    MAX_AHEAD,
    Revocations,
    entry_key,
    revoked_before,
    session_of,
)
from jwt_middleware.stores import Store
from jwt_middleware.tokens import AccessToken

_USE_MEMBERS: Final = {"jti": str, "at": float}
_TOKEN_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
# Threads may read the clock in another order than they report it. If the difference is larger than
# this, in seconds, the clock was set back.
_MAX_STEP_BACK: Final = 1.0

# From the subject and the content of a session to its new content, or to None to end the session.
ReloadContent = Callable[[str, dict[str, Any]], Mapping[str, Any] | None]


class Limits(NamedTuple):
    """How long refresh tokens and sessions live, and how long a used token may be repeated.

    All are in seconds. A session without an end has the limit infinity.
    """

    refresh_ttl: int
    session_ttl: float
    grace: float


class _Use(NamedTuple):
    """The use of a refresh token: the ``jti`` of the new refresh token, and the time."""

    jti: str
    at: float


class Sessions:
    """The sessions of one issuer, in a store."""

    def __init__(
        self,
        store: Store,
        tokens: RefreshTokens,
        *,
        limits: Limits,
        reload: ReloadContent,
        on_event: EventHook,
        clock: Callable[[], float],
    ) -> None:
        self._revocations = Revocations(store, on_event=on_event, clock=clock)
        self._store = self._revocations.store
        self._tokens = tokens
        self._issuer = tokens.issuer
        self._limits = limits
        self._reload = reload
        self._on_event = on_event
        self._clock = clock
        self._latest_time = -math.inf

    def start(self, subject: str, content: Mapping[str, Any]) -> RefreshToken:
        """Begin a session; return its first refresh token.

        Raises ValueError for content that could not be refreshed, and `Unavailable`.
        """
        key = entry_key("subject", self._issuer, subject)
        # The time before the store is asked: a revocation that comes too late for the answer must
        # cover these tokens.
        now = self._now()
        revoked = revoked_before(self._store.get(key))
        if revoked > now + MAX_AHEAD:
            # It would refuse the new tokens too. We did not write it, or a clock is wrong.
            raise self._store.failure("get", ValueError("a subject is revoked in the future"))
        # After a revocation within the same second, the tokens are dated one second ahead.
        issued_at = int(max(now, revoked))
        return self._tokens.sign(
            {
                "sub": subject,
                "sid": token_urlsafe(16),
                "jti": token_urlsafe(16),
                "iat": issued_at,
                "exp": self._expiry(issued_at, issued_at),
                "started": issued_at,
                "content": content,
            }
        )

    def refresh(self, raw: str) -> RefreshToken:
        """Exchange a refresh token for a new one.

        Of several calls with one token, in any processes, the first one decides the id and the
        times of the new token. The others get the same within `grace` seconds. A later call ends
        the session.

        Raises `InvalidGrant`, and `Unavailable` if the store fails. If `reload` raises, or returns
        content that could not be refreshed (ValueError), the token is not spent.
        """
        claims = self.read(raw)
        now = self._now()
        self._check_times(claims, now)
        first_use = self._look_up(claims, now)
        content = self._reload(claims["sub"], claims["content"])
        if content is None:
            self.end(claims)
            raise InvalidGrant("refresh_token_revoked")
        if first_use is None:
            this_use = _Use(token_urlsafe(16), float(now))
            # Signed before the old token is spent, because this may raise.
            new_token = self._new_token(claims, this_use, content)
            first_use = self._spend(claims, this_use, now)
            if first_use is this_use:
                return new_token
        return self._new_token(claims, first_use, content)

    def read(self, raw: str) -> dict[str, Any]:
        """Return the claims of a refresh token; raises `InvalidGrant`. Checks no times."""
        return self._tokens.read(raw)

    def ends_at(self, claims: Mapping[str, Any]) -> float:
        """Return when the session of a refresh token ends at the latest."""
        return float(claims["started"] + self._limits.session_ttl)

    def end(self, claims: Mapping[str, Any]) -> None:
        """Refuse all tokens of the session of a refresh token. Raises `Unavailable`."""
        self._end(claims["sid"], claims["exp"])

    def end_of_access_token(self, token: AccessToken) -> None:
        """Refuse all tokens of the session of an access token, or that token if it has no session.

        Raises ValueError for a token of another issuer, and `Unavailable`.
        """
        if token.issuer != self._issuer:
            raise ValueError("token: it is of another issuer; use Revocations to refuse it here")
        session = session_of(token)
        if session is None:
            self._revocations.revoke(token)
        else:
            self._end(session, token.expires_at or 0)

    def end_all(self, subject: str) -> None:
        """Refuse all tokens of a subject. Raises `Unavailable`."""
        self._revocations.revoke_subject(self._issuer, subject)

    def _end(self, session: str, token_expires_at: float) -> None:
        # Tokens that are being issued at this moment expire by then. The latest time, because the
        # entry must not expire before them if the clock was set back.
        expires_at = max(self._now(), self._latest_time) + self._limits.refresh_ttl
        self._revocations.revoke_session(
            self._issuer, session, expires_at=max(expires_at, token_expires_at)
        )

    def _now(self) -> float:
        now = self._clock()
        self._latest_time = max(self._latest_time, now)
        return now

    def _expiry(self, issued_at: int, started: int) -> int:
        return int(min(issued_at + self._limits.refresh_ttl, started + self._limits.session_ttl))

    def _check_times(self, claims: Mapping[str, Any], now: float) -> None:
        issued_at = claims["iat"]
        if issued_at > now + MAX_AHEAD:
            # revoke_subject would cover neither this token nor the ones that follow it.
            raise InvalidGrant("refresh_token_not_yet_valid")
        # A lower limit applies to older tokens too, because the entry that ends a session must
        # outlive its tokens.
        expires_at = min(claims["exp"], self._expiry(issued_at, claims["started"]))
        if not now < expires_at:
            raise InvalidGrant("refresh_token_expired")

    def _look_up(self, claims: Mapping[str, Any], now: float) -> _Use | None:
        """Refuse the token if its session has ended; return its first use, or None if unused."""
        by_session, by_subject, entry = self._store.get_many(
            [
                entry_key("session", self._issuer, claims["sid"]),
                entry_key("subject", self._issuer, claims["sub"]),
                entry_key("spent", self._issuer, claims["jti"]),
            ]
        )
        if by_session is not None or claims["iat"] < revoked_before(by_subject):
            raise InvalidGrant("refresh_token_revoked")
        return None if entry is None else self._first_use("get_many", entry, claims, now)

    def _spend(self, claims: Mapping[str, Any], this_use: _Use, now: float) -> _Use:
        """Store this use, unless another call was faster; return the first use."""
        key = entry_key("spent", self._issuer, claims["jti"])
        entry = self._store.add(key, json.dumps(this_use._asdict()), claims["exp"] + MARGIN)
        return this_use if entry is None else self._first_use("add", entry, claims, now)

    def _first_use(self, operation: str, entry: str, claims: Mapping[str, Any], now: float) -> _Use:
        """Return the use in an entry; end the session if its grace period is over."""
        try:
            first_use = self._parse(entry, claims)
        except ValueError as exc:
            # An entry that we did not write counts as a failure of the store.
            raise self._store.failure(operation, exc) from exc
        if now <= first_use.at + self._limits.grace:
            return first_use
        self.end(claims)
        emit(self._on_event, RefreshTokenReused(claims["sub"], claims["sid"]))
        raise InvalidGrant("refresh_token_reused")

    def _parse(self, entry: str, claims: Mapping[str, Any]) -> _Use:
        """Return the use in an entry; raises ValueError for an entry that we did not write."""
        members = parse_json_object(entry.encode())
        if {name: type(value) for name, value in members.items()} != _USE_MEMBERS:
            raise ValueError("the entry of a spent refresh token has other members or types")
        use = _Use(**members)
        # The token was valid when it was used, and that was not in the future. Clocks may differ by
        # the grace period at most, because otherwise two machines could not share it.
        now, grace = self._now(), self._limits.grace
        possible = claims["iat"] - MAX_AHEAD <= use.at <= now + min(grace, MAX_AHEAD)
        if not _TOKEN_ID.fullmatch(use.jti) or not possible:
            raise ValueError("the entry of a spent refresh token has an impossible id or time")
        # If the grace period was over once, it must not begin again because the clock was set back.
        grace_ends = use.at + grace
        if now <= grace_ends and self._latest_time > max(now, grace_ends) + _MAX_STEP_BACK:
            raise ValueError("the clock was set back, so whether a token is reused is unknown")
        return use

    def _new_token(
        self, claims: Mapping[str, Any], use: _Use, content: Mapping[str, Any]
    ) -> RefreshToken:
        """Return the refresh token that follows; equal arguments give equal tokens."""
        # Both are within a minute of now, so the new token does not live longer than it should.
        issued_at = max(int(use.at), claims["iat"])
        expires_at = self._expiry(issued_at, claims["started"])
        changes = {"jti": use.jti, "iat": issued_at, "exp": expires_at, "content": content}
        return self._tokens.sign({**claims, **changes})
