"""A minimal application behind `JWTMiddleware`: log in, use the token, refresh it, log out.

python demo_app.py --port 8000 --token-ttl 1800
JWT_SECRET=... JWT_STORE=sessions.db gunicorn --workers 4 demo_app:app
"""

import argparse
import json
import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

import jwt_middleware as jwt

NAME = "https://demo.example.com"  # Issuer and audience: the demo accepts the tokens it issues.
USERS = {"1": "Alice", "2": "Bob"}
Answer = tuple[dict[str, Any], int]


def login(request: Request, issuer: jwt.TokenIssuer) -> Answer:
    """Begin a session. A real application checks a password here."""
    user_id = json_member(request, "user_id")
    # Not isinstance: a bool is an int, and {"user_id": true} is not Alice.
    if type(user_id) is not int or str(user_id) not in USERS:
        return {"error": "Invalid user_id"}, 400
    return tokens(issuer.grant(str(user_id)))


def resource(request: Request, issuer: jwt.TokenIssuer) -> Answer:
    """Answer with the user that the token is about. The middleware has verified the token."""
    user_id = jwt.token_from(request.environ).subject
    if user_id not in USERS:
        return {"error": "User not found"}, 404
    return {"user": {"id": int(user_id), "name": USERS[user_id]}}, 200


def create_app(
    secret: str, *, token_ttl: int = 1800, store: jwt.Store | None = None, clock: Any = time.time
) -> jwt.JWTMiddleware:
    """Put the middleware around the demo. Three paths need no token."""
    key, store = jwt.SecretKey(secret), store or jwt.MemoryStore(clock=clock)
    common: dict[str, Any] = {"issuer": NAME, "audience": NAME, "clock": clock}
    issuer = jwt.TokenIssuer(key, access_ttl=token_ttl, store=store, **common)
    logouts = jwt.Revocations(store, clock=clock)
    verifier = jwt.Verifier(key, revocations=logouts, leeway=0, **common)
    policy = jwt.Policy(jwt.public("/", "/login", "/refresh"))
    demo = Request.application(lambda request: respond(request, issuer))
    return jwt.JWTMiddleware(demo, verifier, policy=policy)


def index(request: Request, issuer: jwt.TokenIssuer) -> Answer:
    """Say what can be tried."""
    return {"try": [" ".join(route) for route in VIEWS], "users": USERS}, 200


def refresh(request: Request, issuer: jwt.TokenIssuer) -> Answer:
    """Return new tokens for a refresh token, which is spent."""
    return tokens(issuer.refresh(json_member(request, "refresh_token")))


def logout(request: Request, issuer: jwt.TokenIssuer) -> Answer:
    """End the session of the request's token."""
    issuer.revoke(jwt.token_from(request.environ))
    return {"message": "Logged out"}, 200


VIEWS: dict[tuple[str, str], Callable[[Request, jwt.TokenIssuer], Answer]] = {
    ("GET", "/"): index,
    ("POST", "/login"): login,
    ("GET", "/resource"): resource,
    ("POST", "/refresh"): refresh,
    ("POST", "/logout"): logout,
}

TYPES = ["application/json", "text/html"]
NOT_FOUND: Answer = {"error": "Not found"}, 404
HEADERS = {"Cache-Control": "no-store", "Vary": "Accept"}
PAGE = Path(__file__).with_name("demo_page.html")
CSP = "default-src 'nonce-{nonce}'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"


def respond(request: Request, issuer: jwt.TokenIssuer) -> Response:
    """Answer a request that the middleware has let through."""
    route = request.method.replace("HEAD", "GET"), request.path
    if route == ("GET", "/") and request.accept_mimetypes.best_match(TYPES) == "text/html":
        nonce = token_urlsafe(16)  # Only scripts and styles with this word run.
        headers = HEADERS | {"Content-Security-Policy": CSP.format(nonce=nonce)}
        return Response(PAGE.read_text().replace("{nonce}", nonce), 200, headers, "text/html")
    body, status = VIEWS[route](request, issuer) if route in VIEWS else NOT_FOUND
    return Response(json.dumps(body), status, HEADERS, "application/json")


def tokens(granted: dict[str, Any]) -> Answer:
    """Return the tokens of a grant under the names of the demo."""
    return {"token": granted.pop("access_token"), **granted}, 200


def json_member(request: Request, name: str) -> Any:
    """Return one member of the request's JSON object, or None."""
    try:
        return (request.get_json(silent=True) or {}).get(name)
    except (AttributeError, RecursionError):  # Not an object, or a thousand brackets.
        return None


def app_from_environment(**options: Any) -> jwt.JWTMiddleware:
    """Return the demo with the secret in JWT_SECRET and the store at JWT_STORE, if they are set."""
    secret, place = os.environ.get("JWT_SECRET"), os.environ.get("JWT_STORE", "")
    if not secret:
        print("JWT_SECRET is not set: this process makes a secret, and its tokens end with it.")
    store = jwt.RedisStore(place) if "://" in place else jwt.SQLiteStore(place) if place else None
    return create_app(secret or token_urlsafe(48), store=store, **options)


def main() -> None:
    """Serve the demo until it is interrupted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--token-ttl", type=int, default=1800)
    options = parser.parse_args()
    logging.basicConfig(level="INFO", format="%(message)s")  # Shows why a request is refused.
    try:
        app = app_from_environment(token_ttl=options.token_ttl)
        listener = socket.create_server(("127.0.0.1", options.port))
    except (jwt.ConfigurationError, OSError, OverflowError) as problem:
        parser.error(f"check --port, --token-ttl, JWT_SECRET and JWT_STORE: {problem}")
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(HELP.format(url=url, ttl=options.token_ttl), flush=True)
    make_server("127.0.0.1", 0, app, threaded=True, fd=listener.fileno()).serve_forever()


HELP = """\
Listening on {url}; open it in a browser. A token lives {ttl} seconds. Ctrl-C stops. Or try:
  curl -i {url}/resource
  TOKEN=$(curl -s {url}/login --json '{{"user_id": 1}}' | cut -d '"' -f 4)
  curl -i {url}/resource -H "Authorization: Bearer $TOKEN"
"""

if __name__ == "__main__":
    main()
else:
    app = app_from_environment()
