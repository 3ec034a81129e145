"""`TrustedIssuers`: several issuers, each with its own `Verifier`."""

from collections.abc import Sequence
from typing import Final

from jwt_middleware.arguments import Problems
from jwt_middleware.errors import InvalidRequest, InvalidToken
from jwt_middleware.jose import parse_claims, parse_compact
from jwt_middleware.tokens import AccessToken
from jwt_middleware.verifier import Verifier

_MAX_REMEMBERED: Final = 4096


class TrustedIssuers:
    """Several issuers, each with its own `Verifier`. The exact ``iss`` of a token chooses one.

    The choice is made before any key is fetched. Keys of one issuer never verify a token of
    another. Pass it to `JWTMiddleware` in place of a verifier.

    Raises `ConfigurationError` if two verifiers have the same issuer, or one accepts any issuer.
    """

    def __init__(self, *verifiers: Verifier) -> None:
        problems = Problems()
        _check_verifiers(problems, verifiers)
        problems.raise_if_any()
        self._verifiers = {verifier.issuer: verifier for verifier in verifiers}
        self._max_token_bytes = max(verifier.max_token_bytes for verifier in verifiers)
        # A hash takes less memory than its token. If two tokens have the same hash, the wrong
        # verifier may be chosen, and it refuses the token.
        self._chosen: dict[int, Verifier] = {}

    def verify(self, raw: str) -> AccessToken:
        """Return the verified claims of the token.

        Raises an `AuthError` for any other `raw`. The reason is ``issuer_not_trusted`` if no
        verifier has the issuer of the token.
        """
        if not isinstance(raw, str):
            raise InvalidRequest("credentials_malformed")
        if len(raw) > self._max_token_bytes:
            raise InvalidRequest("token_too_large")
        known = self._chosen.get(hash(raw))
        if known is not None:
            return known.verify(raw)
        verifier = self._choose(raw)
        token = verifier.verify(raw)
        # Only good tokens are remembered, so bad ones never replace them.
        if len(self._chosen) >= _MAX_REMEMBERED:
            self._chosen.clear()
        self._chosen[hash(raw)] = verifier
        return token

    def _choose(self, raw: str) -> Verifier:
        _, payload, _, _ = parse_compact(raw)
        issuer = parse_claims(payload).get("iss")
        verifier = self._verifiers.get(issuer) if isinstance(issuer, str) else None
        if verifier is None:
            raise InvalidToken("issuer_not_trusted", claim="iss")
        return verifier


def _check_verifiers(problems: Problems, verifiers: Sequence[object]) -> None:
    issuers = [verifier.issuer for verifier in verifiers if isinstance(verifier, Verifier)]
    if not issuers or len(issuers) < len(verifiers):
        problems.add("verifiers: pass one Verifier for each issuer, each as a separate argument")
        return
    if None in issuers:
        problems.add("verifiers: one accepts any issuer; write its issuer")
    for issuer in sorted({name for name in issuers if name and issuers.count(name) > 1}):
        problems.add(
            f"verifiers: more than one is for {issuer!r}; give one Verifier a list of keys"
        )
