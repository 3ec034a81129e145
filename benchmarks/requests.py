"""Whole requests in one process: what authentication adds to them, and what refusing them costs."""

from functools import partial
from wsgiref.types import WSGIApplication

import jwt

from benchmarks.applications import (
    authlib_app,
    bare,
    flask_app,
    flask_jwt_extended_app,
    naive,
    request,
    status,
)
from benchmarks.credentials import AUDIENCE, ISSUER, Credentials, generate
from benchmarks.measure import Effort, fastest
from benchmarks.report import Table, at_least, at_most, figure, microseconds
from jwt_middleware import JWTMiddleware, Policy, public, require

_POLICY = Policy(
    public("/health", "/static/*"),
    require("/admin/*", any_scope=["admin", "support"]),
    require("/orders/*", scopes=["orders:read"]),
)
_REJECT_TARGETS = {
    "no header": 3,
    "`a.b.c`": 5,
    "`alg: none`": 5,
    "expired": 5,
    "another algorithm (HS256)": 7.5,
    "20 KiB token": 5,
    "1 MiB token": 5,
}


def wsgi(effort: Effort) -> Table:
    """Measure what authenticating adds to a request that passes."""
    credentials = generate("RS256")
    token = credentials.token()
    plain: dict[str, WSGIApplication] = {
        "**ours**, cached": JWTMiddleware(bare, credentials.verifier()),
        "**ours**, cached, policy of three rules": JWTMiddleware(
            bare, credentials.verifier(), policy=_POLICY
        ),
        "**ours**, uncached": JWTMiddleware(bare, credentials.verifier(cache_size=0)),
        "middleware around `jwt.decode`": naive(bare, credentials.public, "RS256"),
    }
    flasks: dict[str, WSGIApplication] = {
        "Flask with **ours**, cached": JWTMiddleware(flask_app(), credentials.verifier()),
        "Flask-JWT-Extended": flask_jwt_extended_app(credentials.pem),
        "Flask with Authlib's `ResourceProtector`": authlib_app(credentials.pem),
    }
    bases: dict[str, WSGIApplication] = {"bare": bare, "bare Flask": flask_app()}
    _expect(200, bases | plain | flasks, f"Bearer {token}")
    calls = {
        name: request(app, f"Bearer {token}") for name, app in (bases | plain | flasks).items()
    }
    decode = partial(
        jwt.decode,
        token,
        credentials.public,
        algorithms=["RS256"],
        audience=AUDIENCE,
        issuer=ISSUER,
    )
    seconds = fastest({**calls, "jwt.decode": decode}, effort.rounds)

    added = {
        name: seconds[name] - seconds["bare Flask" if name in flasks else "bare"]
        for name in [*plain, *flasks]
    }
    ours = added["**ours**, cached"]
    return Table(
        "A request that passes (RS256)",
        "What is added to the call of an application that needs no token: a function that does"
        " nothing\n"
        f"({microseconds(seconds['bare'])} µs), or for the last three a Flask view"
        f" ({microseconds(seconds['bare Flask'])} µs)."
        f" `jwt.decode` alone takes {microseconds(seconds['jwt.decode'])} µs.",
        ("", "added µs", "÷ `jwt.decode`", "÷ ours"),
        [
            [name, microseconds(cost), figure(cost / seconds["jwt.decode"]), figure(cost / ours)]
            for name, cost in added.items()
        ],
        [
            at_most("cached request, added ÷ `jwt.decode`", 0.023, ours / seconds["jwt.decode"]),
            at_most("cached request, added", 2.0, ours * 1e6, unit=" µs"),
            at_most(
                "cached request, policy of three rules, added",
                3.2,
                added["**ours**, cached, policy of three rules"] * 1e6,
                unit=" µs",
            ),
            at_least(
                "added by Flask-JWT-Extended ÷ added by ours",
                100,
                added["Flask-JWT-Extended"] / ours,
            ),
        ],
    )


def rejects(effort: Effort) -> Table:
    """Measure what refusing a bad request costs."""
    credentials = generate("RS256")
    ours = JWTMiddleware(bare, credentials.verifier())
    peer = naive(bare, credentials.public, "RS256")
    headers = _bad_headers(credentials)
    for header in headers.values():
        if status(ours, header) not in (400, 401):
            raise AssertionError("a request that was to be refused passed")
    calls = {
        f"{name} {label}": request(app, header)
        for name, app in (("ours", ours), ("peer", peer))
        for label, header in headers.items()
    }
    seconds = fastest(calls, effort.rounds)
    return Table(
        "A request that is refused (RS256)",
        "The whole call, with a complete answer. The logger is asked and is silent. A forged"
        " signature costs the crypto.",
        ("", "ours µs", "middleware around `jwt.decode` µs"),
        [
            [label, microseconds(seconds[f"ours {label}"]), microseconds(seconds[f"peer {label}"])]
            for label in headers
        ],
        [
            at_most(f"refusing {label}", limit, seconds[f"ours {label}"] * 1e6, unit=" µs")
            for label, limit in _REJECT_TARGETS.items()
        ],
    )


def _bad_headers(credentials: Credentials) -> dict[str, str | None]:
    token = credentials.token()
    signing_input = token.rpartition(".")[0]
    return {
        "no header": None,
        "`a.b.c`": "Bearer a.b.c",
        "`alg: none`": f"Bearer {jwt.encode({'sub': 'eve'}, '', algorithm='none')}",
        "another algorithm (HS256)": f"Bearer {generate('HS256').token()}",
        "20 KiB token": f"Bearer {signing_input}.{'A' * 20_480}",
        "1 MiB token": f"Bearer {signing_input}.{'A' * 1_048_576}",
        "expired": f"Bearer {credentials.token(exp=1_500_000_000)}",
        "forged signature": f"Bearer {signing_input}.{credentials.token().rpartition('.')[2]}",
    }


def _expect(expected: int, apps: dict[str, WSGIApplication], authorization: str) -> None:
    for name, app in apps.items():
        answer = status(app, authorization)
        if answer != expected:
            raise AssertionError(f"{name} answers {answer} instead of {expected}")
