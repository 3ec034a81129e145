"""Step 1: the middleware checks old tokens in front of the application, which does not change."""

from jwt_middleware import (
    JWTMiddleware,
    Policy,
    RevokedToken,
    SecretKey,
    Verifier,
    delegate,
    optional,
    public,
    require,
)
from jwt_middleware.validators import claim_is
from tests.migration import before
from tests.migration.answers import render


def old_verifier(database, secret, **options):
    """Return a verifier of the access tokens of Flask-JWT-Extended."""

    def is_not_revoked(token):
        if token.id in database.revoked:
            raise RevokedToken

    return Verifier(
        SecretKey(secret),
        issuer=None,
        audience=None,
        validators=[claim_is("type", "access"), is_not_revoked],
        **options,
    )


POLICY = Policy(
    public("/health", "/login", "/refresh"),
    # Flask-JWT-Extended takes both kinds of tokens here, and still checks them itself.
    delegate("/logout"),
    optional("/", methods=["GET"]),
    require("/notes", methods=["DELETE"], check=lambda token, environ: token.get("fresh") is True),
    require("/admin/*", check=lambda token, environ: "admin" in token.strings("roles")),
)


def create_app(database, secret):
    """Return the application."""
    app = before.create_app(database, secret)
    verifier = old_verifier(database, secret)
    app.wsgi_app = JWTMiddleware(app.wsgi_app, verifier, policy=POLICY, render=render)
    return app
