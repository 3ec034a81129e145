"""From environ to the token's text: where a request carries it, and that it carries only one.

An extractor is a function ``(environ) -> str | None``. It returns the token's text, unverified, or
None if the request has no bearer token. It raises `InvalidRequest` if the credential is malformed.
There is no extractor for the query string, because RFC 9700 §4.3.2 and RFC 6750 §5.3 advise against
it, and none for the body, because the application could not read it any more.
"""

import re
from collections.abc import Callable
from typing import Final
from wsgiref.types import WSGIEnvironment

from jwt_middleware.arguments import ConfigurationError, a
from jwt_middleware.errors import InvalidRequest

Extractor = Callable[[WSGIEnvironment], str | None]

# No common server lets a longer header through. It is refused before anything is copied.
_MAX_HEADER: Final = 65_536
_COOKIE_NAME: Final = r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def from_header(environ: WSGIEnvironment) -> str | None:
    """Return the token of ``Authorization: Bearer <token>`` (RFC 6750 §2.1).

    The scheme compares without case. Return None for another scheme, and without the header. Raises
    `InvalidRequest` if the value is empty or contains a space or a comma. Servers join repeated
    headers with a comma, and no token contains one. The verifier checks all other characters.
    """
    header: str | None = environ.get("HTTP_AUTHORIZATION")
    if header is None:
        return None
    if len(header) > _MAX_HEADER:
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


def from_cookie(name: str) -> Extractor:
    """Return an extractor that takes the token from the cookie `name`.

    Browsers also send cookies with requests that other sites start (CSRF). So for a method that may
    change something, the cookie counts only if the request comes from the same origin:
    ``Sec-Fetch-Site: same-origin``, or without that header an ``Origin`` with the scheme and host
    of this request. Otherwise the request counts as one without a token. Set the cookie with
    ``Secure; HttpOnly; SameSite=Lax``.
    """
    if not isinstance(name, str) or re.fullmatch(_COOKIE_NAME, name) is None:
        shown = repr(name) if isinstance(name, str) else a(name)
        raise ConfigurationError(
            f"name: {shown} is not the name of a cookie; write e.g. '__Host-token'"
        )

    def from_named_cookie(environ: WSGIEnvironment) -> str | None:
        cookies = environ.get("HTTP_COOKIE", "")
        if len(cookies) > _MAX_HEADER:
            raise InvalidRequest("token_too_large")
        pairs = (part.strip(" \t").partition("=") for part in cookies.split(";"))
        found = [value for key, _, value in pairs if key == name]
        if len(found) > 1:
            raise InvalidRequest("credentials_repeated")
        if (
            not found
            or not found[0]
            or not (environ.get("REQUEST_METHOD") in _SAFE_METHODS or _same_origin(environ))
        ):
            return None
        return str(found[0])

    return from_named_cookie


def _same_origin(environ: WSGIEnvironment) -> bool:
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return bool(site == "same-origin")
    own = f"{environ.get('wsgi.url_scheme')}://{environ.get('HTTP_HOST')}"
    return bool(environ.get("HTTP_ORIGIN") == own)
