"""Before: the application with Flask-JWT-Extended."""

from datetime import timedelta

from flask import Flask, jsonify, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    current_user,
    get_jwt,
    get_jwt_identity,
    jwt_required,
)


def create_app(database, secret):
    """Return the application."""
    app = Flask(__name__)
    app.config["JWT_SECRET_KEY"] = secret
    app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(minutes=15)
    app.config["JWT_REFRESH_TOKEN_EXPIRES"] = timedelta(days=30)
    manager = JWTManager(app)

    @manager.additional_claims_loader
    def add_claims(identity):
        return {"roles": database.users[identity]["roles"]}

    @manager.user_lookup_loader
    def load_user(header, claims):
        return database.users.get(claims["sub"])

    @manager.token_in_blocklist_loader
    def is_revoked(header, claims):
        return claims["jti"] in database.revoked

    @manager.unauthorized_loader
    def answer_missing(message):
        return jsonify(msg="Please log in"), 401

    @manager.expired_token_loader
    def answer_expired(header, claims):
        return jsonify(msg="Please refresh"), 401

    @app.get("/health")
    def health():
        return jsonify(status="ok")

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

    @app.get("/")
    @jwt_required(optional=True)
    def index():
        return jsonify(hello=get_jwt_identity() or "stranger")

    @app.get("/me")
    @jwt_required()
    def me():
        return jsonify(name=current_user["name"], roles=get_jwt()["roles"])

    @app.get("/notes")
    @jwt_required()
    def list_notes():
        return jsonify(notes=database.notes[get_jwt_identity()])

    @app.post("/notes")
    @jwt_required()
    def add_note():
        database.notes[get_jwt_identity()].append(request.json["text"])
        return jsonify(notes=database.notes[get_jwt_identity()]), 201

    @app.delete("/notes")
    @jwt_required(fresh=True)
    def delete_notes():
        database.notes[get_jwt_identity()].clear()
        return jsonify(notes=[])

    @app.get("/admin/users")
    @jwt_required()
    def list_users():
        if "admin" not in get_jwt()["roles"]:
            return jsonify(msg="Admins only"), 403
        return jsonify(users=sorted(database.users))

    return app
