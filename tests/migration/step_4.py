"""Step 4: after the last old refresh token has expired, all that is old is removed."""

import time

from flask import jsonify, request

from jwt_middleware import (
    InvalidRequest,
    JWTMiddleware,
    Policy,
    Revocations,
    TokenIssuer,
    Verifier,
    from_header,
    optional,
    public,
    require,
    token_from,
)
from tests.migration.answers import render
from tests.migration.views import create_views

ISSUER = "https://notes.example.com"
AUDIENCE = "notes"


def is_fresh(token, environ):
    """Return True if the user has entered the password less than 15 minutes ago."""
    return time.time() - token.get("auth_time", 0) < 15 * 60


POLICY = Policy(
    public("/health", "/login", "/refresh"),
    optional("/", methods=["GET"]),
    require("/notes", methods=["DELETE"], check=is_fresh),
    require("/admin/*", check=lambda token, environ: "admin" in token.strings("roles")),
)


def new_issuer(database, key, store):
    """Return the issuer of the new tokens."""

    def reload(name, scopes, claims):
        user = database.users.get(name)
        return None if user is None else (scopes, claims | {"roles": user["roles"]})

    return TokenIssuer(
        key, issuer=ISSUER, audience=AUDIENCE, access_ttl=900, store=store, reload=reload
    )


def new_verifier(key, store):
    """Return the verifier of the new tokens; `key` is a secret, or the public key."""
    return Verifier(key, issuer=ISSUER, audience=AUDIENCE, revocations=Revocations(store))


def create_views_with_login(database, issuer, revoke):
    """Return the views together with login and logout; `revoke` takes the token of the request."""
    app = create_views(database)

    @app.post("/login")
    def login():
        name = request.json.get("name")
        user = database.user(name, request.json.get("password"))
        if user is None:
            return jsonify(msg="Wrong name or password"), 401
        claims = {"roles": user["roles"], "auth_time": int(time.time())}
        return jsonify(issuer.grant(name, claims=claims))

    @app.post("/logout")
    def logout():
        revoke(token_from(request.environ))
        return jsonify(msg="Logged out")

    return app


def refresh_token():
    """Return the refresh token of the request, which the clients send as before."""
    raw = from_header(request.environ)
    if raw is None:
        raise InvalidRequest("credentials_malformed")
    return raw


def create_app(database, key, store):
    """Return the application."""
    issuer = new_issuer(database, key, store)
    app = create_views_with_login(database, issuer, issuer.revoke)

    @app.post("/refresh")
    def refresh():
        return jsonify(issuer.refresh(refresh_token()))

    verifier = new_verifier(key, store)
    app.wsgi_app = JWTMiddleware(app.wsgi_app, verifier, policy=POLICY, render=render)
    return app
