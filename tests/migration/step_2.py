"""Step 2: the views use the middleware's token. Flask-JWT-Extended only issues and refreshes."""

from datetime import timedelta

from flask import jsonify, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt,
    get_jwt_identity,
    jwt_required,
)

from jwt_middleware import JWTMiddleware
from tests.migration.answers import render
from tests.migration.step_1 import POLICY, old_verifier
from tests.migration.views import create_views


def create_app(database, secret):
    """Return the application."""
    app = create_views(database)
    app.config["JWT_SECRET_KEY"] = secret
    app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(minutes=15)
    app.config["JWT_REFRESH_TOKEN_EXPIRES"] = timedelta(days=30)
    manager = JWTManager(app)
    manager.additional_claims_loader(lambda name: {"roles": database.users[name]["roles"]})
    manager.token_in_blocklist_loader(lambda header, claims: claims["jti"] in database.revoked)

    @app.post("/login")
    def login():
        name = request.json.get("name")
        if database.user(name, request.json.get("password")) is None:
            return jsonify(msg="Wrong name or password"), 401
        return jsonify(
            access_token=create_access_token(name, fresh=True),
            refresh_token=create_refresh_token(name),
        )

    @app.post("/refresh")
    @jwt_required(refresh=True)
    def refresh():
        return jsonify(access_token=create_access_token(get_jwt_identity()))

    @app.post("/logout")
    @jwt_required(verify_type=False)
    def logout():
        database.revoked.add(get_jwt()["jti"])
        return jsonify(msg="Logged out")

    verifier = old_verifier(database, secret)
    app.wsgi_app = JWTMiddleware(app.wsgi_app, verifier, policy=POLICY, render=render)
    return app
