"""Rendering refusals: as JSON, as problem details, and with a function of the application."""

import pytest
from werkzeug.wrappers import Response

from jwt_middleware import AuthError, Policy, problem_details, render_json, require
from jwt_middleware.events import CallableFailed
from tests.conftest import client, signed


def test_problem_details_follow_rfc9457(verifier):
    """The body is a problem document, with error and reason as extension members."""
    response = client(verifier, render=problem_details).get("/", status=401)

    assert response.content_type == "application/problem+json"
    assert response.json == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The request carries no bearer token",
        "error": "missing_token",
        "reason": "token_missing",
    }


def test_realm_goes_into_the_challenge(verifier):
    """The challenge quotes the realm."""
    response = client(verifier, realm="orders, v2").get("/", status=401)

    assert response.headers["WWW-Authenticate"] == 'Bearer realm="orders, v2"'


def test_render_makes_the_body(verifier):
    """A renderer gets the error and environ."""

    def render(error, environ):
        page = f"<h1>{error.reason} at {environ['PATH_INFO']}</h1>"
        return Response(page, error.status, content_type="text/html")

    response = client(verifier, render=render).get("/x", status=401)

    assert response.text == "<h1>token_missing at /x</h1>"


def test_render_cannot_lose_the_challenge(verifier):
    """Every rendered refusal has the challenge and no-store."""

    def render(error, environ):
        return Response("no", 401, headers={"Cache-Control": "public", "WWW-Authenticate": "Basic"})

    response = client(verifier, render=render).get("/", status=401)

    assert response.headers.getall("WWW-Authenticate") == ['Bearer realm="api"']
    assert response.headers.getall("Cache-Control") == ["no-store"]


def test_render_cannot_change_the_status(verifier):
    """A refusal keeps its status."""
    client(verifier, render=lambda error, environ: Response("fine")).get("/", status=401)


@pytest.mark.parametrize("render", [render_json, problem_details], ids=["json", "problem"])
def test_error_of_an_application_is_rendered_as_it_is(verifier, render):
    """Its constructor may take arguments, and its body may have other members."""

    class TenantSuspended(AuthError):
        code = 403
        error = "tenant_suspended"
        reasons = {"tenant_suspended": "The tenant is suspended"}

        def __init__(self, tenant):
            super().__init__()
            self.tenant = tenant

        def to_dict(self):
            return super().to_dict() | {"tenant": self.tenant}

    def check(token, environ):
        raise TenantSuspended(environ["PATH_INFO"])

    app = client(verifier, policy=Policy(require("/*", check=check)), render=render)
    answers = [app.get(path, headers=signed(), status=403) for path in ("/a", "/b")]

    assert [answer.json["tenant"] for answer in answers] == ["/a", "/b"]


def test_render_is_called_each_time(verifier):
    """The answer of a renderer is not cached."""
    app = client(verifier, render=lambda error, environ: Response(environ["PATH_INFO"], 401))

    assert [app.get(path, status=401).text for path in ("/a", "/b")] == ["/a", "/b"]


@pytest.mark.parametrize(
    ("render", "cause"),
    [
        pytest.param(lambda error, environ: environ["nope"], "KeyError", id="raises"),
        pytest.param(lambda error, environ: "<h1>no</h1>", "TypeError", id="returns a str"),
        pytest.param(lambda error, environ: None, "TypeError", id="returns nothing"),
    ],
)
def test_render_that_breaks_falls_back_to_json(verifier, render, cause):
    """If a renderer fails, the client gets JSON with the right status and challenge."""
    events = []

    response = client(verifier, render=render, on_event=events.append).get("/", status=401)

    assert response.json["reason"] == "token_missing"
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert CallableFailed(argument="render", cause=cause) in events


@pytest.mark.parametrize("render", [render_json, problem_details], ids=["json", "problem"])
def test_head_has_the_headers_of_get_and_no_body(verifier, render):
    """A refused HEAD has the Content-Length of the GET."""
    app = client(verifier, render=render)

    get, head = app.get("/", status=401), app.head("/", status=401)

    assert head.body == b""
    assert dict(head.headers) == dict(get.headers)
    assert int(get.headers["Content-Length"]) == len(get.body)
