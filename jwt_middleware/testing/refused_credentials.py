"""Requests without one good credential in its place, for `RefusalContract`."""

import json
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from jwt_middleware.testing.forging import Good, Request

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
# Names of parameters, members and cookies that applications read tokens from.
_NAMES: Final = ("access_token", "token", "jwt", "bearer", "auth_token", "authorization")
_GRAMMAR: Final = "Accept exactly 'Bearer', a space, and one token (RFC 6750 §2.1)."
_ELSEWHERE: Final = "Read tokens from the Authorization header only (RFC 9700 §4.3.2)."


def _credential(template: str) -> Callable[[Good], Request]:
    """Return a maker of requests with this ``Authorization``; ``{}`` is a good token."""
    return lambda good: Request({"Authorization": template.replace("{}", good.token())})


def _parameters(good: Good) -> dict[str, str]:
    return dict.fromkeys(_NAMES, good.token())


def _carried(where: str) -> Callable[[Good], Request]:
    """Return a maker of requests that carry a good token outside ``Authorization``."""
    makers: dict[str, Callable[[Good], Request]] = {
        "query": lambda good: Request(query=urlencode(_parameters(good))),
        "form": lambda good: Request(
            body=urlencode(_parameters(good)).encode(), content_type=_FORM
        ),
        "json": lambda good: Request(
            body=json.dumps(_parameters(good)).encode(), content_type=_JSON
        ),
        "headers": lambda good: Request(
            dict.fromkeys(("X-Authorization", "X-Access-Token", "X-Auth-Token"), good.token())
        ),
        "subject": lambda good: Request(
            dict.fromkeys(
                ("Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Auth-Subject"), good.subject
            )
        ),
    }
    return makers[where]


# Each row: id, what is wrong with the credential, what to do, how to make the request.
CREDENTIALS: Final[list[tuple[str, str, str, Callable[[Good], Request]]]] = [
    ("missing", "has no credential", "Require a token on this path.", lambda _: Request()),
    ("empty-header", "has an empty Authorization", _GRAMMAR, _credential("")),
    ("no-token", "has the scheme Bearer and no token", _GRAMMAR, _credential("Bearer")),
    ("blank-token", "has the scheme Bearer and spaces", _GRAMMAR, _credential("Bearer   ")),
    ("other-scheme", "has a token under the scheme Basic", _GRAMMAR, _credential("Basic {}")),
    ("scheme-token", "has a token under the scheme Token", _GRAMMAR, _credential("Token {}")),
    ("dpop-without-proof", "has the scheme DPoP without proof", _GRAMMAR, _credential("DPoP {}")),
    ("no-scheme", "has a token without a scheme", _GRAMMAR, _credential("{}")),
    ("no-space", "has no space after the scheme", _GRAMMAR, _credential("Bearer{}")),
    ("scheme-colon", "has a colon after the scheme", _GRAMMAR, _credential("Bearer: {}")),
    ("tab-after-scheme", "has a tab after the scheme", _GRAMMAR, _credential("Bearer\t{}")),
    ("nbsp-after-scheme", "has a no-break space", _GRAMMAR, _credential("Bearer\xa0{}")),
    ("nbsp-after-token", "has a no-break space", _GRAMMAR, _credential("Bearer {}\xa0")),
    ("quoted-token", "has quotes around the token", _GRAMMAR, _credential('Bearer "{}"')),
    ("named-token", "has a name before the token", _GRAMMAR, _credential("Bearer token={}")),
    ("two-tokens", "has two tokens", _GRAMMAR, _credential("Bearer {} {}")),
    ("two-credentials", "has two credentials", _GRAMMAR, _credential("Bearer {}, Bearer {}")),
    ("two-schemes", "has two credentials", _GRAMMAR, _credential("Basic YTpi, Bearer {}")),
    ("list-of-tokens", "has a list of tokens", _GRAMMAR, _credential("Bearer {},{}")),
    (
        "good-and-bad-token",
        "has a good and a bad credential",
        _GRAMMAR,
        lambda good: Request(
            {"Authorization": f"Bearer {good.token()}, Bearer {good.unsigned(alg='none')}"}
        ),
    ),
    ("token-in-query", "has its token in the query string", _ELSEWHERE, _carried("query")),
    ("token-in-form", "has its token in a form", _ELSEWHERE, _carried("form")),
    ("token-in-json-body", "has its token in a JSON body", _ELSEWHERE, _carried("json")),
    ("token-in-other-header", "has its token in another header", _ELSEWHERE, _carried("headers")),
    (
        "identity-headers",
        "has headers such as X-Remote-User, and no token",
        "Remove such headers from every request.",
        _carried("subject"),
    ),
]
