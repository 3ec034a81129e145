"""Sessions of one issuer: refresh tokens that can be used once, so that a stolen one is detected.

The store holds hashes and ids, never a token, and is not trusted. What it says of a spent token
decides only which id and time of issue its successor has, and both are checked.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from secrets import token_urlsafe
from typing import Any, Final, NamedTuple

from jwt_middleware.errors import InvalidGrant
from jwt_middleware.events import EventHook, RefreshTokenReused, emit
from jwt_middleware.issuing.refresh_tokens import RefreshTokens
from jwt_middleware.jose import parse_json_object
from jwt_middleware.revocations import MARGIN, MAX_AHEAD, Revocations, entry_key, revoked_before
from jwt_middleware.stores import Store, check_answers
from jwt_middleware.tokens import AccessToken

_ENTRY: Final = {"jti": str, "at": float}
# Threads that read the clock at once differ by less than this, in seconds. More is a clock set
# back.
_STEP: Final = 1.0
_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")

# From subject and content of a session to its new content, or to None if the session must end.
Granted = tuple[dict[str, Any], str]
Renew = Callable[[str, dict[str, Any]], Mapping[str, Any] | None]


class Limits(NamedTuple):
    """How long refresh tokens and sessions live, and for how long a spent token may be repeated.

    All are in seconds; a session without an end has the limit infinity.
    """

    refresh_ttl: int
    session_ttl: float
    grace: float


class _Spent(NamedTuple):
    """When a refresh token was spent, and the id of its successor."""

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
        renew: Renew,
        on_event: EventHook,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._issuer = tokens.issuer
        self._limits = limits
        self._renew = renew
        self._revocations = Revocations(store, on_event=on_event, clock=clock)
        self._on_event = on_event
        self._clock = clock
        self._latest = -math.inf

    def start(self, subject: str, content: Mapping[str, Any]) -> Granted:
        """Begin a session; return the claims of its first refresh token, and that token.

        Raises ValueError for content that could not be refreshed, and `Unavailable`.
        """
        key = entry_key("subject", self._issuer, subject)
        # Before the store is asked: a revocation that we do not see any more has to cover these
        # tokens.
        now = self._now()
        revoked = revoked_before(self._revocations.ask_one(key))
        if revoked > now + MAX_AHEAD:
            # It would refuse the new tokens as well. Either we did not write it, or a clock is
            # wrong.
            raise self._revocations.failed("get", ValueError("a subject is revoked in the future"))
        # A login within the second of the revocation gets tokens that are dated a second ahead.
        issued_at = int(max(now, revoked))
        claims = {
            "sub": subject,
            "sid": token_urlsafe(16),
            "jti": token_urlsafe(16),
            "iat": issued_at,
            "exp": self._expiry(issued_at, issued_at),
            "started": issued_at,
            "content": content,
        }
        return claims, self._tokens.sign(claims)

    def rotate(self, raw: str) -> Granted:
        """Spend a refresh token; return the claims of its successor, and that token.

        Of several calls with one token, in any process, the first makes the successor. Calls within
        `grace` seconds return the same successor, and a later call ends the session. Raises
        `InvalidGrant`, and `Unavailable` while the store is out of reach. What `renew` raises, and
        ValueError for content that could not be refreshed again, leave the token unspent.
        """
        claims = self.read(raw)
        now = self._now()
        self._refuse_untimely(claims, now)
        spent = self._look_up(claims, now)
        content = self._renew(claims["sub"], claims["content"])
        if content is None:
            self.end(claims)
            raise InvalidGrant("refresh_token_revoked")
        own = _Spent(token_urlsafe(16), float(now))
        # Before the token is spent, because this may raise.
        successor = self._successor(claims, own, content)
        first = spent or self._spend(claims, own, now)
        return successor if first is own else self._successor(claims, first, content)

    def read(self, raw: str) -> dict[str, Any]:
        """Return the claims of a refresh token; raises `InvalidGrant`. Checks no times."""
        return self._tokens.read(raw)

    def ends_at(self, claims: Mapping[str, Any]) -> float:
        """Return when the session of a refresh token ends at the latest."""
        return float(claims["started"] + self._limits.session_ttl)

    def end(self, claims: Mapping[str, Any]) -> None:
        """Refuse all tokens of a session. Raises `Unavailable` if that could not be stored."""
        # All tokens that are being issued at this moment expire by then. The latest time, because a
        # clock that was set back must not make the entry expire before them.
        expires_at = max(self._now(), self._latest) + self._limits.refresh_ttl
        expires_at = max(expires_at, claims.get("exp") or 0)
        self._revocations.revoke_session(self._issuer, claims["sid"], expires_at=expires_at)

    def end_access(self, token: AccessToken) -> None:
        """Refuse one access token of this issuer, and all tokens of its session if it has one.

        Raises ValueError for another issuer's, and `Unavailable` if that could not be stored.
        """
        if token.issuer != self._issuer:
            raise ValueError("token: it is another issuer's; use Revocations to refuse it here")
        session = token.get("sid")
        if isinstance(session, str):
            self.end({"sid": session, "exp": token.expires_at})
        else:
            self._revocations.revoke(token)

    def end_all(self, subject: str) -> None:
        """Refuse all tokens of a subject. Raises `Unavailable` if that could not be stored."""
        self._revocations.revoke_subject(self._issuer, subject)

    def _now(self) -> float:
        now = self._clock()
        self._latest = max(self._latest, now)
        return now

    def _expiry(self, issued_at: int, started: int) -> int:
        return int(min(issued_at + self._limits.refresh_ttl, started + self._limits.session_ttl))

    def _refuse_untimely(self, claims: Mapping[str, Any], now: float) -> None:
        issued_at = claims["iat"]
        if issued_at > now + MAX_AHEAD:
            # revoke_subject would not cover it, nor its successors.
            raise InvalidGrant("refresh_token_not_yet_valid")
        # Shorter limits apply to older tokens too: what ends a session must outlive them.
        expires_at = min(claims["exp"], self._expiry(issued_at, claims["started"]))
        if not now < expires_at:
            raise InvalidGrant("refresh_token_expired")

    def _look_up(self, claims: Mapping[str, Any], now: float) -> _Spent | None:
        """Refuse a token that is reused or whose session has ended; return how it was spent."""
        keys = [
            entry_key("session", self._issuer, claims["sid"]),
            entry_key("subject", self._issuer, claims["sub"]),
            entry_key("spent", self._issuer, claims["jti"]),
        ]
        answers = self._ask("get_many", lambda: check_answers(self._store.get_many(keys), 3))
        by_session, by_subject, entry = answers
        if by_session is not None or claims["iat"] < revoked_before(by_subject):
            raise InvalidGrant("refresh_token_revoked")
        if entry is None:
            return None
        spent = self._ask("get_many", lambda: self._parse(entry, claims))
        return self._refuse_reuse(claims, spent, now)

    def _spend(self, claims: Mapping[str, Any], own: _Spent, now: float) -> _Spent:
        """Mark the token as spent; return our entry, or that of another call which was faster."""
        key = entry_key("spent", self._issuer, claims["jti"])
        value = json.dumps(own._asdict())
        first = self._ask("add", lambda: self._store.add(key, value, claims["exp"] + MARGIN))
        if first is None:
            return own
        return self._refuse_reuse(claims, self._ask("add", lambda: self._parse(first, claims)), now)

    def _refuse_reuse(self, claims: Mapping[str, Any], spent: _Spent, now: float) -> _Spent:
        if not now <= spent.at + self._limits.grace:
            self.end(claims)
            emit(self._on_event, RefreshTokenReused(claims["sub"], claims["sid"]))
            raise InvalidGrant("refresh_token_reused")
        return spent

    def _parse(self, entry: str, claims: Mapping[str, Any]) -> _Spent:
        """Return an entry of a spent token; raises ValueError for what we did not write."""
        members = parse_json_object(entry.encode())
        if {name: type(value) for name, value in members.items()} != _ENTRY:
            raise ValueError("the entry of a spent refresh token has other members or types")
        spent = _Spent(**members)
        # The token was good when it was spent, and that is not in the future. Clocks differ by less
        # than the grace period, or it would not work between two machines.
        now, grace = self._now(), self._limits.grace
        possible = claims["iat"] - MAX_AHEAD <= spent.at <= now + min(grace, MAX_AHEAD)
        if not _ID.fullmatch(spent.jti) or not possible:
            raise ValueError("the entry of a spent refresh token has an impossible id or time")
        # The grace period has ended once. It must not begin again because the clock went back.
        if now <= spent.at + grace and self._latest > max(now, spent.at + grace) + _STEP:
            raise ValueError("the clock was set back, so whether a token is reused is unknown")
        return spent

    def _successor(self, claims: Mapping[str, Any], spent: _Spent, content: Any) -> Granted:
        """Make the successor; it is the same each time if the content is the same."""
        # Both are within a minute of now, so that the token cannot live longer than it should.
        issued_at = max(int(spent.at), claims["iat"])
        times = {"iat": issued_at, "exp": self._expiry(issued_at, claims["started"])}
        renewed = {**claims, **times, "jti": spent.jti, "content": content}
        return renewed, self._tokens.sign(renewed)

    def _ask(self, operation: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Exception as exc:
            # An exception, or an entry that we did not write, counts as a failure of the store.
            raise self._revocations.failed(operation, exc) from exc
