"""From environ to the token's text: where a request carries it, and that it carries only one.

An extractor is a function ``(environ) -> str | None``. It returns the token's text, unverified, or
None if the request has no bearer token. It raises `InvalidRequest` if the credential is malformed.
There is no extractor for the query string, because RFC 9700 §4.3.2 and RFC 6750 §5.3 advise against
it, and none for the body, because the application could not read it any more.
"""

from collections.abc import Callable
from typing import Final
from wsgiref.types import WSGIEnvironment

from jwt_middleware.arguments import ConfigurationError, kinds
from jwt_middleware.errors import InvalidRequest

Extractor = Callable[[WSGIEnvironment], str | None]

# No common server lets a longer header through. It is refused before anything is copied.
MAX_HEADER: Final = 65_536


def from_header(environ: WSGIEnvironment) -> str | None:
    """Return the token of ``Authorization: Bearer <token>`` (RFC 6750 §2.1).

    The scheme compares without case. Return None for another scheme, and without the header. Raises
    `InvalidRequest` if the value is empty or contains a space or a comma. Servers join repeated
    headers with a comma, and no token contains one. The verifier checks all other characters.
    """
    header: str | None = environ.get("HTTP_AUTHORIZATION")
    if header is None:
        return None
    if len(header) > MAX_HEADER:
        raise InvalidRequest("token_too_large")
    if header.startswith("Bearer "):
        token = header[7:]
    else:
        scheme, _, token = header.strip(" \t").partition(" ")
        if scheme.lower() != "bearer":
            return None
    if "," in token:
        raise InvalidRequest("credentials_repeated")
    if " " in token:
        token = token.strip(" ")
    if not token or " " in token:
        raise InvalidRequest("credentials_malformed")
    return token


def first_of(*extractors: Extractor) -> Extractor:
    """Return an extractor that asks each of `extractors`, and takes the first token.

    With ``first_of(from_header, from_cookie("__Host-access"))`` the header wins: if the request has
    a bearer token there, its cookies are not read. What an extractor raises is raised at once.
    """
    if not extractors or not all(map(callable, extractors)):
        raise ConfigurationError(
            f"extractors: {kinds(extractors)} is not usable;"
            " write e.g. first_of(from_header, from_cookie('__Host-access'))"
        )

    def from_first(environ: WSGIEnvironment) -> str | None:
        found = (extractor(environ) for extractor in extractors)
        return next((token for token in found if token is not None), None)

    return from_first
