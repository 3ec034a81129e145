"""Tokens in cookies: reading and writing them, and which requests they count in."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Literal
from wsgiref.types import WSGIEnvironment

from jwt_middleware.arguments import Problems, a, is_collection
from jwt_middleware.clock import current_time
from jwt_middleware.credentials import MAX_HEADER, Extractor
from jwt_middleware.errors import AuthError, CrossSiteRequest, InvalidRequest, MissingToken
from jwt_middleware.jose import parse_claims, parse_compact
from jwt_middleware.origins import check_origins, normalize_origin

_NAME: Final = r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_SAME_SITE: Final = ("Strict", "Lax", "None")
# RFC 6265 §6.1: browsers keep 4096 bytes of name, value and attributes, and drop a larger cookie
# without a word.
_MAX_COOKIE: Final = 4096
# The longest Max-Age that browsers keep to: 400 days.
_LONGEST: Final = 34_560_000


def from_cookie(name: str, *, trusted_origins: Collection[str] = ()) -> Extractor:
    """Return an extractor that takes the token from the cookie `name`.

    Browsers also send cookies with requests that other sites start (CSRF). So for a method that may
    change something, the cookie counts only if the request comes from its own origin, from one of
    `trusted_origins`, or from the user (``Sec-Fetch-Site: none``). The browser must say so in
    ``Sec-Fetch-Site`` or ``Origin``. Otherwise the extractor raises `CrossSiteRequest`.

    `TokenCookies` also writes the cookies. If something else writes them, use
    ``Secure; HttpOnly; SameSite=Lax``. Raises `ConfigurationError` with all problems at once.
    """
    problems = Problems()
    _check_name(problems, "name", name)
    _check_trusted_origins(problems, trusted_origins)
    problems.raise_if_any()
    trusted = frozenset(map(normalize_origin, trusted_origins))

    def from_named_cookie(environ: WSGIEnvironment) -> str | None:
        return _read(environ, name, trusted)

    return from_named_cookie


class TokenCookies:
    """The cookies of a site that keeps its tokens where scripts cannot read them.

    One cookie holds the access token, another one the refresh token. They are ``Secure`` and
    ``HttpOnly``, belong to exactly this host, and end with their tokens. `same_site` is ``"Lax"``,
    ``"Strict"`` or ``"None"``. `credential` is the extractor for `JWTMiddleware`.

    Both cookies count only in requests of the same origin, of `trusted_origins` and of the user, as
    `from_cookie` explains. `trusted_origins` are exact origins of pages that may act as the user.

    `clock` returns the seconds since the epoch. Raises `ConfigurationError` with all problems at
    once.
    """

    def __init__(
        self,
        access: str = "__Host-access",
        refresh: str = "__Host-refresh",
        *,
        same_site: Literal["Strict", "Lax", "None"] = "Lax",
        trusted_origins: Collection[str] = (),
        clock: Callable[[], float] = current_time,
    ) -> None:
        problems = Problems()
        _check_name(problems, "access", access)
        _check_name(problems, "refresh", refresh)
        if access == refresh:
            problems.add("refresh: it has the name of access; write e.g. '__Host-refresh'")
        if same_site not in _SAME_SITE:
            problems.add(f"same_site: {same_site!r} is not one of {', '.join(_SAME_SITE)}")
        _check_trusted_origins(problems, trusted_origins)
        problems.callables(clock=clock)
        problems.raise_if_any()
        self._access = access
        self._refresh = refresh
        self._trusted = frozenset(map(normalize_origin, trusted_origins))
        # Without Domain the cookie belongs to one host. "__Host-" names require all of these.
        self._attributes = f"Path=/; Secure; HttpOnly; SameSite={same_site}"
        self._clock = clock

    def credential(self, environ: WSGIEnvironment) -> str | None:
        """Return the access token of a request, None if it has none; for ``credential=``.

        Raises `CrossSiteRequest` if the cookie does not count, and `InvalidRequest` if there are
        two.
        """
        return _read(environ, self._access, self._trusted)

    def refresh_token(self, environ: WSGIEnvironment) -> str:
        """Return the refresh token of a request, for `TokenIssuer.refresh` and `revoke`.

        Raises `MissingToken` if there is none, and what `credential` raises.
        """
        token = _read(environ, self._refresh, self._trusted)
        if token is None:
            raise MissingToken
        return token

    def check_origin(self, environ: WSGIEnvironment) -> None:
        """Raise `CrossSiteRequest` for a request whose cookies would not count.

        For views that work without a cookie, such as a login: another site could otherwise log its
        visitors in as somebody else.
        """
        _check_origin(environ, self._trusted)

    def set_headers(self, granted: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the ``Set-Cookie`` headers for what `TokenIssuer` has granted or refreshed.

        Without a refresh token, the refresh cookie is removed, because it may be of another user.

        Raises ValueError for a token without ``exp``, and for one that is too large for a cookie:
        browsers drop cookies of more than 4096 bytes.
        """
        refresh_token = granted.get("refresh_token")
        return [
            self._header("access_token", self._access, granted["access_token"]),
            self._cleared(self._refresh)
            if refresh_token is None
            else self._header("refresh_token", self._refresh, refresh_token),
        ]

    def clear_headers(self) -> list[tuple[str, str]]:
        """Return the ``Set-Cookie`` headers that remove both cookies."""
        return [self._cleared(self._access), self._cleared(self._refresh)]

    def _header(self, member: str, name: str, token: str) -> tuple[str, str]:
        now = self._clock()
        seconds = max(0, int(min(_expiry(member, token), now + _LONGEST) - now))
        cookie = f"{name}={token}; Max-Age={seconds}; {self._attributes}"
        if len(cookie) > _MAX_COOKIE:
            raise ValueError(
                f"{member}: its cookie would have {len(cookie)} bytes, and browsers keep"
                f" {_MAX_COOKIE}; keep large claims in your database and look them up there"
            )
        return "Set-Cookie", cookie

    def _cleared(self, name: str) -> tuple[str, str]:
        return "Set-Cookie", f"{name}=; Max-Age=0; {self._attributes}"


def _read(environ: WSGIEnvironment, name: str, trusted: frozenset[str]) -> str | None:
    cookies = environ.get("HTTP_COOKIE", "")
    if len(cookies) > MAX_HEADER:
        raise InvalidRequest("token_too_large")
    # Only these two characters surround a cookie. str.strip() would also remove U+0085 and U+00A0,
    # with which a page of a subdomain can write names that look like "__Host-" ones.
    pairs = (part.strip(" \t").partition("=") for part in cookies.split(";"))
    found: list[str] = [value for key, _, value in pairs if key == name]
    if not any(found):
        return None
    # Before anything else is said about the cookie: another site must not learn, or act on, it.
    _check_origin(environ, trusted)
    if len(found) > 1:
        raise InvalidRequest("credentials_repeated")
    return found[0]


def _check_origin(environ: WSGIEnvironment, trusted: frozenset[str]) -> None:
    # 1. A safe method changes nothing, and other origins cannot read its answer.
    # 2. A trusted origin may be of another site.
    # 3. Sec-Fetch-Site is the browser's own judgement. It also holds with "Origin: null", and if a
    #    proxy changes scheme or host.
    # 4. Browsers send it only to https:// and localhost, and old ones never do. All send Origin.
    if environ.get("REQUEST_METHOD") in _SAFE_METHODS:
        return
    origin = normalize_origin(environ.get("HTTP_ORIGIN", ""))
    if origin in trusted:
        return
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site in ("same-origin", "none"):
        return
    if site is None and origin == _own_origin(environ):
        return
    raise CrossSiteRequest


def _own_origin(environ: WSGIEnvironment) -> str | None:
    scheme, host = environ.get("wsgi.url_scheme"), environ.get("HTTP_HOST")
    return normalize_origin(f"{scheme}://{host}") if scheme and host else None


def _expiry(member: str, token: object) -> Any:
    """Return ``exp`` of a token. A text that is not a JWT could add attributes to the cookie."""
    try:
        if isinstance(token, str):
            _, payload, _, _ = parse_compact(token)
            expiry: Any = parse_claims(payload).get("exp")
            if type(expiry) in (int, float):
                return expiry
    except AuthError:
        pass
    raise ValueError(f"{member}: this is not a JWT with exp; pass what TokenIssuer.grant returns")


def _check_name(problems: Problems, argument: str, name: object) -> None:
    if not isinstance(name, str) or re.fullmatch(_NAME, name) is None:
        shown = repr(name) if isinstance(name, str) else a(name)
        problems.add(f"{argument}: {shown} is not the name of a cookie; write e.g. '__Host-token'")


def _check_trusted_origins(problems: Problems, origins: object) -> None:
    if not is_collection(origins):
        problems.add(
            "trusted_origins: write a list of origins, such as ['https://app.example.com']"
        )
    elif "*" in origins:
        problems.add("trusted_origins: '*' would let every page act as the user; list the origins")
    else:
        check_origins(problems, "trusted_origins", origins)
