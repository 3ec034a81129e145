"""An application with remote keys, for real servers. Each answer names its process.

Environment: JWKS_URL, and JWKS_OPTIONS, the arguments of `RemoteJWKSet` as JSON. With JWKS_PRELOAD
the keys are loaded on import. Each fetch tells the key server the process.
"""

import json
import os

from jwt_middleware import JWTMiddleware, RemoteJWKSet, Verifier
from jwt_middleware.keys.fetch import fetch_document

ISSUER = "https://id.example.com"
AUDIENCE = "https://api.example.com"


def fetch(url, **options):
    return fetch_document(f"{url}?{os.getpid()}", **options)


def hello(environ, start_response):
    body = environ["jwt_middleware.token"].subject.encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


keys = RemoteJWKSet(
    os.environ["JWKS_URL"],
    allow_http=True,
    fetch=fetch,
    **json.loads(os.environ.get("JWKS_OPTIONS", "{}")),
)
guarded = JWTMiddleware(hello, Verifier(keys, issuer=ISSUER, audience=AUDIENCE))
if os.environ.get("JWKS_PRELOAD"):
    assert keys.ready()


def app(environ, start_response):
    def named(status, headers, exc_info=None):
        return start_response(status, [*headers, ("X-Process", str(os.getpid()))], exc_info)

    return guarded(environ, named)
