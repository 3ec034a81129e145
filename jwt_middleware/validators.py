"""Additional checks of claims: functions ``(token) -> None`` that raise `InvalidToken`.

Pass them as ``Verifier(..., validators=[...])``. They run on every request, also for a cached
token, after all other checks. Any such function is a validator. If it raises something other than
an `AuthError`, or returns something other than None, the token is refused as ``claim_invalid``.
"""

from collections.abc import Callable
from typing import Final

from jwt_middleware.errors import InvalidToken
from jwt_middleware.jose import normalize_type
from jwt_middleware.tokens import AccessToken

Validator = Callable[[AccessToken], object]

_RFC9068_CLAIMS: Final = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")


def claim_is(name: str, *accepted: object) -> Validator:
    """Return a validator that requires a claim to equal one of the accepted values.

    Values of different types are not equal: 1, 1.0 and true are three values.
    """
    typed = [(type(value), value) for value in accepted]

    def check(token: AccessToken) -> None:
        value = _present(token, name)
        if (type(value), value) not in typed:
            raise InvalidToken("claim_invalid", claim=name)

    return check


def claim_contains(name: str, *wanted: object) -> Validator:
    """Return a validator that requires a claim to be a list with all the wanted values.

    Use it for roles or groups. Values compare as in `claim_is`.
    """
    typed = [(type(value), value) for value in wanted]

    def check(token: AccessToken) -> None:
        values = _present(token, name)
        found = [(type(value), value) for value in values] if isinstance(values, list) else None
        if found is None or not all(pair in found for pair in typed):
            raise InvalidToken("claim_invalid", claim=name)

    return check


def rfc9068(token: AccessToken) -> None:
    """Accept only access tokens of the JWT profile (RFC 9068 §2.1, §2.2, §4).

    The type is ``at+jwt``, and all claims that the profile requires are present and not empty. The
    verifier checks issuer, audience, signature and times itself. Give it an `issuer` and an
    `audience`.
    """
    typ = token.header.get("typ")
    if not isinstance(typ, str) or normalize_type(typ) != "at+jwt":
        raise InvalidToken("type_not_allowed")
    for name in _RFC9068_CLAIMS:
        _present(token, name)
    if not isinstance(token.get("client_id"), str):
        raise InvalidToken("claim_invalid", claim="client_id")


def _present(token: AccessToken, name: str) -> object:
    value = token.get(name)
    if value is None or value == "":
        raise InvalidToken("claim_missing", claim=name)
    return value
