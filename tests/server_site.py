"""An application behind the middleware and `PropagateIdentity`, for every server.

It answers with environ as JSON, so that a test sees what arrived.
"""

import json
import os
from contextlib import suppress

from jwt_middleware import (
    CORS,
    JWTMiddleware,
    Policy,
    PropagateIdentity,
    SecretKey,
    TokenIssuer,
    Verifier,
    delegate,
    draining,
    optional,
    public,
    render_json,
)
from jwt_middleware.events import RequestRejected

KEY = SecretKey("the secret of all servers in the tests")
NAMES = {"issuer": "https://id.example.com", "audience": "https://api.example.com"}
ORIGIN = "https://app.example.com"
UPLOAD = 50 * 2**20


def token(subject="alice", **claims):
    """Return a token that the site accepts."""
    return TokenIssuer(KEY, **NAMES).access_token(subject, claims=claims)


def show_environ(environ, start_response):
    """Answer with environ, and with the resident memory of this process."""
    names = {name: value for name, value in environ.items() if isinstance(value, str)}
    if environ["PATH_INFO"] == "/memory":
        names = memory()
    body = json.dumps(names).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def memory():
    """Return the resident memory of this process, and the most since the last call, in bytes."""
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    # Apache's process may not do it, so there it is the most since its start.
    with suppress(OSError), open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    return {name: int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM")}


def remember(event):
    """Keep the hint of the last refusal for the next answer."""
    if isinstance(event, RequestRejected):
        HINTS[:] = [event.hint]


HINTS = []


def render(error, environ):
    """Render as usual, with the hint that would be in the log."""
    response = render_json(error, environ)
    response.headers["X-Hint"] = HINTS[0] or ""
    return response


app = JWTMiddleware(
    PropagateIdentity(show_environ, headers={"sub": "X-Auth-Subject", "groups": "X-Auth-Groups"}),
    Verifier(KEY, **NAMES),
    policy=Policy(public("/public", "/memory"), optional("/optional"), delegate("/delegated")),
    cors=CORS(origins=[ORIGIN]),
    render=draining(render, up_to=UPLOAD) if "DRAIN" in os.environ else render,
    on_event=remember,
)
