"""`TrustedIssuers`: several issuers, each with a `Verifier` of its own."""

from collections.abc import Iterator, Sequence
from typing import Final

from jwt_middleware.arguments import refuse
from jwt_middleware.errors import InvalidRequest, InvalidToken
from jwt_middleware.jose import parse_claims, parse_compact
from jwt_middleware.tokens import AccessToken
from jwt_middleware.verifier import Verifier

_MAX_CHOICES: Final = 4096


class TrustedIssuers:
    """Several issuers, each with a `Verifier` of its own: the exact ``iss`` of a token chooses.

    The choice is made before any key is fetched, and keys of one issuer never verify another's token.
    Pass it to `JWTMiddleware` in place of a verifier. Raises `ConfigurationError` for two verifiers of one
    issuer, and for one that accepts any.
    """

    def __init__(self, *verifiers: Verifier) -> None:
        refuse(_trust_faults(verifiers))
        self._verifiers = {verifier.issuer: verifier for verifier in verifiers}
        self._max_token_bytes = max(verifier.max_token_bytes for verifier in verifiers)
        self._choices: dict[int, Verifier] = {}

    def verify(self, raw: str) -> AccessToken:
        """Return the token's verified claims.

        Raises an `AuthError`, whatever `raw` is: ``issuer_not_trusted`` where no verifier is the issuer's.
        """
        if not isinstance(raw, str):
            raise InvalidRequest("credentials_malformed")
        if len(raw) > self._max_token_bytes:
            raise InvalidRequest("token_too_large")
        # By hash, which takes less memory than the token. A collision chooses a verifier that says no.
        known = self._choices.get(hash(raw))
        if known is not None:
            return known.verify(raw)
        verifier = self._choose(raw)
        token = verifier.verify(raw)
        # Only now, so that bad tokens never push out the choices of good ones.
        if len(self._choices) >= _MAX_CHOICES:
            self._choices.clear()
        self._choices[hash(raw)] = verifier
        return token

    def _choose(self, raw: str) -> Verifier:
        _, payload, _, _ = parse_compact(raw)
        issuer = parse_claims(payload).get("iss")
        verifier = self._verifiers.get(issuer) if isinstance(issuer, str) else None
        if verifier is None:
            raise InvalidToken("issuer_not_trusted", claim="iss")
        return verifier


def _trust_faults(verifiers: Sequence[object]) -> Iterator[str]:
    if not verifiers or not all(isinstance(verifier, Verifier) for verifier in verifiers):
        yield "verifiers: pass one Verifier for each issuer, each as an argument of its own"
        return
    issuers = [verifier.issuer for verifier in verifiers if isinstance(verifier, Verifier)]
    if None in issuers:
        yield "verifiers: one accepts any issuer; give each its issuer"
    for issuer in sorted(
        {issuer for issuer in issuers if issuer is not None and issuers.count(issuer) > 1}
    ):
        yield f"verifiers: two of them are for {issuer!r}; give one Verifier a list of keys"
