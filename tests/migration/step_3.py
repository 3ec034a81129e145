"""Step 3: a `TokenIssuer` issues new tokens. Old ones are accepted until they expire."""

from flask import jsonify

from jwt_middleware import InvalidGrant, InvalidToken, JWTMiddleware, SecretKey, Verifier
from jwt_middleware.validators import claim_is
from tests.migration.answers import render
from tests.migration.step_1 import old_verifier
from tests.migration.step_4 import (
    POLICY,
    create_views_with_login,
    new_issuer,
    new_verifier,
    refresh_token,
)


class NewOrOld:
    """Accepts new tokens, and old ones, which have no issuer."""

    def __init__(self, new, old):
        self.new = new
        self.old = old

    def verify(self, raw):
        """Return the token, or raise an `AuthError`."""
        try:
            return self.new.verify(raw)
        except InvalidToken as refusal:
            if refusal.reason not in {"issuer_not_trusted", "algorithm_not_allowed"}:
                raise
            token = self.old.verify(raw)
            if token.issuer is not None:
                raise refusal from None
            return token


def create_app(database, secret, key, store):
    """Return the application. `secret` is the old one, and `key` the new one."""
    issuer = new_issuer(database, key, store)
    old_refresh_tokens = Verifier(
        SecretKey(secret), issuer=None, audience=None, validators=[claim_is("type", "refresh")]
    )

    def revoke(token):
        if token.issuer is None:
            database.revoked.add(token.id)
        else:
            issuer.revoke(token)

    app = create_views_with_login(database, issuer, revoke)

    @app.post("/refresh")
    def refresh():
        raw = refresh_token()
        try:
            return jsonify(issuer.refresh(raw))
        except InvalidGrant as refusal:
            if refusal.reason not in {"refresh_token_invalid", "refresh_token_expected"}:
                raise
        # An old refresh token begins a session once. Users do not have to log in again.
        old = old_refresh_tokens.verify(raw)
        if old.issuer is not None or old.id in database.revoked:
            raise InvalidGrant("refresh_token_invalid")
        user = database.users.get(old.subject)
        if user is None:
            raise InvalidGrant("refresh_token_invalid")
        database.revoked.add(old.id)
        return jsonify(issuer.grant(old.subject, claims={"roles": user["roles"]}))

    verifier = NewOrOld(new_verifier(key, store), old_verifier(database, secret))
    app.wsgi_app = JWTMiddleware(app.wsgi_app, verifier, policy=POLICY, render=render)
    return app
