"""`Revocations`: refuses tokens before they expire: one token, a session, or a subject."""

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final, Literal

from jwt_middleware.arguments import Problems, a, shown
from jwt_middleware.clock import current_time
from jwt_middleware.errors import InvalidToken, RevokedToken, Unavailable
from jwt_middleware.events import EventHook, log_events
from jwt_middleware.stores import GuardedStore, Store, StoreError, check_store
from jwt_middleware.tokens import AccessToken

# How long an entry outlives the tokens it refuses, in seconds. Clocks differ, and a verifier has
# its leeway.
MARGIN: Final = 300.0
# How far ahead ``iat`` may be, in seconds. Clocks differ, and a login within the second of a logout
# gets an ``iat`` one second ahead. A token with a later ``iat`` would outlive the revocation of its
# subject.
MAX_AHEAD: Final = 60.0
# A century. An entry is kept for so long if it is unknown when the last token that it refuses
# expires.
_FOREVER: Final = 36_525 * 86_400.0
_MAX_ANSWERS: Final = 16_384
_MAX_PUTS: Final = 5
_SECOND: Final = re.compile(r"[1-9][0-9]{0,11}")

Kind = Literal["token", "session", "subject", "spent"]


class Revocations:
    """Remembers in a store what was revoked. Pass it to `Verifier`, which checks each token.

    A token is identified by issuer and ``jti``, and not by its text, because one token may have
    several texts. So a token without ``jti`` is refused. The store contains only hashes.

    If the store fails, `on_failure` decides: ``"refuse"`` answers 503, ``"allow"`` lets tokens pass
    as if none were revoked. `max_staleness`, in seconds, is how old an answer of the store may be:
    with 0 each request asks the store once. `clock` returns the seconds since the epoch.

    The attribute `store` is the store with its failures handled, for entries other than
    revocations. Raises `ConfigurationError` that names all problems.
    """

    def __init__(
        self,
        store: Store,
        *,
        on_failure: Literal["refuse", "allow"] = "refuse",
        max_staleness: float = 0,
        on_event: EventHook = log_events,
        clock: Callable[[], float] = current_time,
    ) -> None:
        problems = Problems()
        check_store(problems, store)
        if on_failure not in ("refuse", "allow"):
            problems.add(
                f"on_failure: {shown(on_failure)} is not usable; write 'refuse' or 'allow'"
            )
        problems.seconds("max_staleness", max_staleness)
        problems.callables(on_event=on_event, clock=clock)
        problems.raise_if_any()
        self.store = GuardedStore(store, on_event=on_event, clock=clock)
        self._allow = on_failure == "allow"
        self._max_staleness = max_staleness
        self._clock = clock
        # By keys: when the store was asked, and what it answered.
        self._answers: dict[tuple[str, ...], tuple[float, Sequence[str | None]]] = {}

    def check(self, token: AccessToken) -> None:
        """Return if the token is not revoked.

        Raises `RevokedToken`, `InvalidToken` for a token without ``jti``, and `Unavailable` if the
        store fails and `on_failure` is ``"refuse"``.
        """
        token_id = token.id
        if not token_id:
            raise InvalidToken("claim_missing", claim="jti")
        try:
            by_token, by_session, by_subject = self._look_up(
                _keys(token.issuer, token_id, session_of(token), token.subject)
            )
        except Unavailable:
            if self._allow:
                return
            raise
        if by_token is not None or by_session is not None:
            raise RevokedToken
        if by_subject is None:
            return
        # A token without a time of issue may have been issued before the revocation.
        issued_at = token.issued_at
        if issued_at is None or issued_at < revoked_before(by_subject):
            raise RevokedToken

    def revoke(self, token: AccessToken) -> None:
        """Refuse this token from now on.

        Raises TypeError for the text of a token, ValueError for a token without ``jti``, and
        `Unavailable` if the store fails.
        """
        if not isinstance(token, AccessToken):
            raise TypeError(
                f"token: {a(token)} is not an AccessToken; pass one, such as token_from(environ)"
            )
        if not token.id:
            raise ValueError("token: it has no jti, so it cannot be identified")
        self._put(entry_key("token", token.issuer, token.id), "revoked", token.expires_at)

    def revoke_session(
        self, issuer: str | None, session: str, *, expires_at: float | None = None
    ) -> None:
        """Refuse all tokens with this ``sid`` (OpenID Connect Front-Channel Logout 1.0 §3).

        `expires_at`, in seconds since the epoch, is when the last of them expires. Without it the
        entry stays for good. Raises ValueError for an empty session, and `Unavailable` if the store
        fails.
        """
        _refuse_empty("session", session)
        self._put(entry_key("session", issuer, session), "revoked", expires_at)

    def revoke_subject(self, issuer: str | None, subject: str) -> None:
        """Refuse all tokens of the subject that were issued before now.

        ``iat`` counts whole seconds, so a token that is issued later within the same second is
        refused too. A token whose ``iat`` is ahead of our clock is not refused. So a verifier with
        revocations accepts an ``iat`` of one minute ahead at most. The entry of the subject stays
        for good. Raises ValueError for an empty subject, and `Unavailable` if the store fails.
        """
        _refuse_empty("subject", subject)
        key = entry_key("subject", issuer, subject)
        # If the clock was set back since the last call, an earlier second would undo that
        # revocation.
        earlier = revoked_before(self.store.get(key))
        for _ in range(_MAX_PUTS):
            second = int(max(self._clock() + 1, earlier if earlier < math.inf else 0))
            self._put(key, str(second), None)
            # A refresh that did not see the entry has an ``iat`` before the end of the write. The
            # entry must cover that moment too, even if the store was slow.
            if self._clock() < second:
                return
        raise self.store.failure("put", StoreError("every write took more than a second"))

    def _put(self, key: str, value: str, expires_at: float | None) -> None:
        # An ``exp`` may be as large as 2^64, which is more than Redis accepts.
        latest = self._clock() + _FOREVER
        until = latest if expires_at is None else min(expires_at + MARGIN, latest)
        try:
            self.store.put(key, value, until)
        finally:
            # Also after a failure, because the store may have the entry. A new dict, because a
            # check may be waiting for an older answer: it puts that into the old dict.
            self._answers = {}

    def _look_up(self, keys: tuple[str, ...]) -> Sequence[str | None]:
        """Return the values of the keys: a recent answer if there is one, or the store's."""
        if not self._max_staleness:
            return self.store.get_many(keys, allowed=self._allow)
        now = self._clock()
        answers = self._answers
        asked_at, values = answers.get(keys, (math.nan, ()))
        # Written so that an answer from the future, or none, does not count.
        if 0 <= now - asked_at < self._max_staleness:
            return values
        values = self.store.get_many(keys, allowed=self._allow)
        if len(answers) >= _MAX_ANSWERS:
            answers.clear()
        answers[keys] = (now, values)
        return values


def session_of(token: AccessToken) -> str | None:
    """Return the ``sid`` of a token, or None if it is not a str."""
    session = token.get("sid")
    return session if isinstance(session, str) else None


def entry_key(kind: Kind, issuer: str | None, name: str) -> str:
    """Return the store's key for a token, session, subject or spent refresh token of an issuer."""
    # A hash is short, and reveals nothing to readers of the store. The length prefix prevents
    # collisions such as ("a", "bc") and ("ab", "c").
    issuer = issuer or ""
    return f"{kind}:{sha256(f'{len(issuer)}:{issuer}{name}'.encode()).hexdigest()}"


def revoked_before(entry: str | None) -> float:
    """Return the time in the entry of a subject: tokens issued before it are revoked.

    All tokens are revoked if `revoke_subject` cannot have written the entry.
    """
    if entry is None:
        return -math.inf
    return int(entry) if _SECOND.fullmatch(entry) else math.inf


@lru_cache(maxsize=4096)
def _keys(
    issuer: str | None, token_id: str, session: str | None, subject: str | None
) -> tuple[str, ...]:
    # An absent session or subject has an empty name, under which nothing is ever stored.
    return (
        entry_key("token", issuer, token_id),
        entry_key("session", issuer, session or ""),
        entry_key("subject", issuer, subject or ""),
    )


def _refuse_empty(argument: str, name: str) -> None:
    if not name:
        raise ValueError(f"{argument}: it is empty, which would refuse all tokens without one")
