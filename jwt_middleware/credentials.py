"""From environ to the credential: where a request carries its token, and whether it carries just one.

An extractor is a plain function ``(environ) -> str | None``. It returns the token's text unverified, None
where the request has no bearer token, and raises `InvalidRequest` where it has a broken one. There is none
for the query string or the body: RFC 9700 §2.1 and RFC 6750 §5.3 advise against the former, and reading the
latter would take the application's input away.
"""

import re
from collections.abc import Callable
from typing import Final
from wsgiref.types import WSGIEnvironment

from jwt_middleware.arguments import ConfigurationError
from jwt_middleware.errors import InvalidRequest

Extractor = Callable[[WSGIEnvironment], str | None]

# No common server lets a longer header through. Refused by its length alone, before anything is copied.
_MAX_HEADER: Final = 65_536
_COOKIE_NAME = r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def from_header(environ: WSGIEnvironment) -> str | None:
    """Return the token of ``Authorization: Bearer <token>`` (RFC 6750 §2.1).

    The scheme compares without case. Another scheme, or no header, is no bearer token: None. Raises
    `InvalidRequest` for an empty or torn value, and for a comma: servers join repeated headers with one,
    and no token contains one. Which other characters a token may contain is left to the verifier.
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

    Browsers send cookies along with requests that other sites start (CSRF). So for a method that may
    change something the cookie counts only if the request comes from the same origin: ``Sec-Fetch-Site:
    same-origin``, or without that header an ``Origin`` that is this request's own scheme and host.
    Otherwise the request counts as one without a token. Set the cookie ``Secure; HttpOnly; SameSite=Lax``.
    """
    if not isinstance(name, str) or re.fullmatch(_COOKIE_NAME, name) is None:
        shown = repr(name) if isinstance(name, str) else f"a {type(name).__name__}"
        raise ConfigurationError(f"name: {shown} is no cookie name; write e.g. '__Host-token'")

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
