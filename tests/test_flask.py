"""The adapter for Flask: which views need what, and what a view can ask."""

import inspect

import pytest
from flask import Blueprint, Flask, Response, abort, g, request
from flask.views import MethodView
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from jwt_middleware import (
    CORS,
    ConfigurationError,
    InsufficientScope,
    JWTMiddleware,
    Policy,
    delegate,
    optional,
    problem_details,
    public,
)
from jwt_middleware.events import RequestRejected
from jwt_middleware.integrations.flask import (
    JWT,
    current_token,
    current_user,
    protected,
    public_view,
)
from tests.conftest import NOW, bearer, make_token, signed

USERS = {"alice": {"name": "Alice"}}


def without_wraps(view):
    """Decorate a view as careless decorators do: name, marks and `__wrapped__` are lost."""
    return lambda *args, **kwargs: view(*args, **kwargs)


def load_user(token):
    return USERS.get(token.subject)


@pytest.fixture
def app():
    """A Flask application with an open view and a view that nobody thought of."""
    app = Flask(__name__)

    @app.get("/open")
    @public_view
    def opened():
        return {"subject": current_token.subject if current_token else None}

    @app.get("/forgotten")
    def forgotten():
        return {"subject": current_token.subject}

    @app.route("/slash/", methods=["GET", "POST"])
    def slash():
        return "slash"

    return app


@pytest.fixture
def http(app, verifier):
    """A client of the protected application; call it with the options of `JWT`."""

    def make(**options):
        JWT(app, verifier, **options)
        return app.test_client()

    return make


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize(
    "path", ["/forgotten", "/slash", "/slash/", "/static/a.css", "/nothing", "//forgotten", "/"]
)
def test_view_without_decorator_is_closed(http, method, path):
    """Whatever the path and method, only views that were opened answer without a token."""
    response = http().open(path, method=method)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_view_with_token_knows_the_client(http):
    """With a valid token the view runs, and unknown paths are what they are in Flask."""
    http = http()

    assert http.get("/forgotten", headers=signed()).json == {"subject": "alice"}
    assert http.get("/nothing", headers=signed()).status_code == 404
    assert http.post("/forgotten", headers=signed()).status_code == 405
    assert http.get("/slash", headers=signed()).status_code == 308
    assert http.options("/forgotten", headers=signed()).status_code == 200
