"""`Revocations`: tokens that are refused before they expire: one, one session's, or all of a subject."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final, Literal

from jwt_middleware.arguments import callable_faults, refuse, seconds_faults
from jwt_middleware.clock import current_time
from jwt_middleware.errors import InvalidToken, RevokedToken, Unavailable
from jwt_middleware.events import EventHook, StoreFailed, emit, log_events
from jwt_middleware.stores import Store, StoreError, check_answers, store_faults
from jwt_middleware.tokens import AccessToken

# Entries outlive what they revoke by this, in seconds: clocks differ, and a verifier has its leeway.
MARGIN: Final = 300.0
# How far ahead ``iat`` may be, in seconds: clocks differ, and a login in the second of a logout is
# dated a second ahead. A token dated later would outlive the revocation of its subject.
MAX_AHEAD: Final = 60.0
# A century: how long something stays revoked where nobody says when the last token of it expires.
_FOREVER: Final = 36_525 * 86_400.0
# After a failure the store is left alone for this long, so that an outage costs one time-out and not one per
# request, and is over as soon after it ends.
_PAUSE: Final = 0.5
_EVENT_INTERVAL: Final = 10.0
_MAX_ANSWERS: Final = 16_384
_MAX_PUTS: Final = 5
_SECOND: Final = re.compile(r"[1-9][0-9]{0,11}")

Kind = Literal["token", "session", "subject", "spent"]


class Revocations:
    """Remembers in `store` what was revoked; pass it to `Verifier`, which then asks for each request.

    Tokens are known by issuer and ``jti``, never by their text, of which there may be several; so a token
    without ``jti`` is refused. The store sees hashes only.

    While the store is out of reach, `on_failure` decides: ``"refuse"`` answers 503, ``"allow"`` lets tokens
    pass as if none were revoked. `max_staleness`, in seconds, is how old an answer of the store may be: 0
    asks it for each request, once. `clock` returns the seconds since the epoch.

    Raises `ConfigurationError` with all faults at once.
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
        refuse(
            store_faults(store),
            _choice_faults(on_failure),
            seconds_faults(0, max_staleness=max_staleness),
            callable_faults(on_event=on_event, clock=clock),
        )
        self._store = store
        self._allow = on_failure == "allow"
        self._max_staleness = max_staleness
        self._on_event = on_event
        self._clock = clock
        self._answers: dict[tuple[str, ...], tuple[float, Sequence[str | None] | None]] = {}
        self._retry_at: float | None = None
        self._tell_at = 0.0

    def check(self, token: AccessToken) -> None:
        """Return if the token is not revoked.

        Raises `RevokedToken`, `InvalidToken` for a token without ``jti``, and `Unavailable` while the store
        is out of reach and `on_failure` is ``"refuse"``.
        """
        if not token.id:
            raise InvalidToken("claim_missing", claim="jti")
        session = token.get("sid")
        keys = _keys(
            token.issuer, token.id, token.subject, session if isinstance(session, str) else None
        )
        by_token, by_session, by_subject = self._ask(keys)
        if by_token is not None or by_session is not None:
            raise RevokedToken
        issued_at = token.issued_at
        # Without a time of issue it may well be one of those that were revoked.
        if by_subject is not None and (issued_at is None or issued_at < revoked_before(by_subject)):
            raise RevokedToken

    def revoke(self, token: AccessToken) -> None:
        """Refuse this token from now on.

        Raises TypeError for a token's text, ValueError for a token without ``jti``, and `Unavailable` if
        nothing could be stored.
        """
        if not isinstance(token, AccessToken):
            raise TypeError(
                f"token: a {type(token).__name__} is none; pass an AccessToken, such as token_from(environ)"
            )
        if not token.id:
            raise ValueError("token: it has no jti to be known by")
        self._put(entry_key("token", token.issuer, token.id), "revoked", token.expires_at)

    def revoke_session(
        self, issuer: str | None, session: str, *, expires_at: float | None = None
    ) -> None:
        """Refuse all tokens with this ``sid`` (OpenID Connect Front-Channel Logout 1.0 §3).

        `expires_at`, in seconds since the epoch, is when the last of them expires; without it the store
        remembers for good. Raises ValueError for an empty session, and `Unavailable` if nothing could be
        stored.
        """
        self._put(entry_key("session", issuer, _named("session", session)), "revoked", expires_at)

    def revoke_subject(self, issuer: str | None, subject: str) -> None:
        """Refuse all tokens of the subject that were issued before now.

        ``iat`` counts whole seconds, so a token issued later within this very second is refused
        too. A token whose ``iat`` is ahead of our clock is not, so a verifier with revocations
        accepts one minute at most. The store remembers one entry for each such subject, for good.
        Raises ValueError for an empty subject, and `Unavailable` if nothing could be stored.
        """
        key = entry_key("subject", issuer, _named("subject", subject))
        # If the clock was set back since the last time, an earlier second would undo that
        # revocation.
        earlier = revoked_before(self.ask_one(key))
        for _ in range(_MAX_PUTS):
            second = int(max(self._clock() + 1, earlier if earlier < math.inf else 0))
            self._put(key, str(second), None)
            # A refresh that has not seen the entry is dated before the end of the write. So the
            # entry has to cover that moment too, also if the store was slow.
            if self._clock() < second:
                return
        raise self.failed("put", StoreError("every write took more than a second"))

    def ask_one(self, key: str) -> str | None:
        """Return what the store has under a key now; raises `Unavailable`."""
        try:
            return check_answers([self._store.get(key)], 1)[0]
        except Exception as exc:
            raise self.failed("get", exc) from exc

    def _put(self, key: str, value: str, expires_at: float | None) -> None:
        # An ``exp`` may be up to 2^64, which is more than Redis takes.
        latest = self._clock() + _FOREVER
        until = latest if expires_at is None else min(expires_at + MARGIN, latest)
        try:
            self._store.put(key, value, until)
        except Exception as exc:
            raise self.failed("put", exc) from exc
        finally:
            # A new dict, because a check may just now be waiting for an answer from before. It will
            # write that to the old dict. Also after a failure, since the store may have got the
            # entry.
            self._answers = {}

    def _ask(self, keys: tuple[str, ...]) -> Sequence[str | None]:
        """Return what the store says of the keys, in one round trip at most."""
        now = self._clock()
        answers = self._answers
        answered_at, answer = answers.get(keys, (now, None))
        if answer is not None and 0 <= now - answered_at < self._max_staleness:
            return answer
        # Read once: another thread may set it anew.
        retry_at = self._retry_at
        if retry_at is not None:
            if now < retry_at <= now + _PAUSE:
                return self._without_store(None)
            # Whoever comes first tries again; the others do not wait for that.
            self._retry_at = now + _PAUSE
        try:
            answer = check_answers(self._store.get_many(keys), len(keys))
        except Exception as exc:  # noqa: BLE001
            # Any exception, of any kind of store, means that the store did not answer.
            self._retry_at = self._clock() + _PAUSE
            return self._without_store(exc)
        self._retry_at = None
        if self._max_staleness:
            if len(answers) >= _MAX_ANSWERS:
                answers.clear()
            answers[keys] = (now, answer)
        return answer

    def _without_store(self, exc: Exception | None) -> Sequence[str | None]:
        error = Unavailable("store_unavailable") if exc is None else self.failed("get_many", exc)
        if not self._allow:
            raise error from exc
        return (None, None, None)

    def failed(self, operation: str, exc: Exception) -> Unavailable:
        """Return the error for a store that has failed, after telling of it, once in ten seconds."""
        now = self._clock()
        if not now < self._tell_at <= now + _EVENT_INTERVAL:
            self._tell_at = now + _EVENT_INTERVAL
            allowed = self._allow and operation == "get_many"
            emit(
                self._on_event,
                StoreFailed(operation, f"{type(exc).__name__}: {exc}"[:200], allowed),
            )
        return Unavailable("store_unavailable")


def entry_key(kind: Kind, issuer: str | None, name: str) -> str:
    """Return the key under which a store knows one token, session, subject or spent refresh token of an issuer."""
    # A hash is short whatever a claim holds, and tells a reader of the store nothing. The length keeps two
    # issuers apart whose names and ids run together.
    issuer = issuer or ""
    return f"{kind}:{sha256(f'{len(issuer)}:{issuer}{name}'.encode()).hexdigest()}"


def revoked_before(entry: str | None) -> float:
    """Return the time in a subject's entry: all tokens issued before it are revoked.

    For an entry that `revoke_subject` cannot have written, all tokens are.
    """
    if entry is None:
        return -math.inf
    return int(entry) if _SECOND.fullmatch(entry) else math.inf


@lru_cache(maxsize=4096)
def _keys(
    issuer: str | None, token_id: str, subject: str | None, session: str | None
) -> tuple[str, ...]:
    # A token without the claim is asked for all the same: nothing is ever stored under an empty name.
    named: tuple[tuple[Kind, str], ...] = (
        ("token", token_id),
        ("session", session or ""),
        ("subject", subject or ""),
    )
    return tuple(entry_key(kind, issuer, name) for kind, name in named)


def _named(argument: str, name: str) -> str:
    if not name:
        raise ValueError(f"{argument}: it is empty, and all tokens without one would be refused")
    return name


def _choice_faults(on_failure: object) -> Iterator[str]:
    if on_failure not in ("refuse", "allow"):
        yield f"on_failure: {on_failure!r} is no choice; write 'refuse' or 'allow'"
