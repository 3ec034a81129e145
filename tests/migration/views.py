"""From step 2: the views, which find the token in environ."""

from flask import Flask, jsonify, request

from jwt_middleware import token_from


def create_views(database):
    """Return the application without login, refresh and logout."""
    app = Flask(__name__)

    def name():
        return token_from(request.environ).subject

    @app.get("/health")
    def health():
        return jsonify(status="ok")

    @app.get("/")
    def index():
        token = request.environ.get("jwt_middleware.token")
        return jsonify(hello="stranger" if token is None else token.subject)

    @app.get("/me")
    def me():
        token = token_from(request.environ)
        return jsonify(name=database.users[token.subject]["name"], roles=token.strings("roles"))

    @app.get("/notes")
    def list_notes():
        return jsonify(notes=database.notes[name()])

    @app.post("/notes")
    def add_note():
        database.notes[name()].append(request.json["text"])
        return jsonify(notes=database.notes[name()]), 201

    @app.delete("/notes")
    def delete_notes():
        database.notes[name()].clear()
        return jsonify(notes=[])

    @app.get("/admin/users")
    def list_users():
        return jsonify(users=sorted(database.users))

    return app
