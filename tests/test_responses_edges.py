"""Rendering refusals: requests without a method, HEAD, and when to try again."""

from werkzeug.wrappers import Response

from jwt_middleware import JWTMiddleware
from jwt_middleware.errors import Unavailable
from tests.conftest import client, echo


def page(error, environ):
    """Render a refusal as text."""
    return Response("refused", error.status)


def unavailable(environ):
    """Fail as a verifier does whose store is down for a while."""
    raise Unavailable("store_unavailable", retry_after=30)


def test_time_to_try_again_is_that_of_the_failure(verifier):
    """A failure that knows its end says so, instead of the usual second."""
    response = client(verifier, credential=unavailable).get("/", status=503)

    assert response.headers["Retry-After"] == "30"


def test_renderer_answers_a_request_without_a_method(verifier):
    """A server that leaves the method out gets an answer, too."""
    statuses = []
    app = JWTMiddleware(echo, verifier, render=page)

    body = app({"PATH_INFO": "/"}, lambda status, headers: statuses.append(status))

    assert b"".join(body) == b"refused"
    assert statuses == ["401 UNAUTHORIZED"]


def test_renderer_answers_head_without_a_body(verifier):
    """RFC 9110 §9.3.2: the response to HEAD has no content, whoever renders it."""
    response = client(verifier, render=page).head("/", status=401)

    assert response.body == b""
