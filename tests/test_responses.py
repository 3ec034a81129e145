"""Rendering refusals: two built-in forms, and a hook that cannot lose the challenge."""

import pytest
from werkzeug.wrappers import Response

from jwt_middleware import AuthError, Policy, problem_details, require
from jwt_middleware.events import CallableFailed
from tests.conftest import bearer, client, good_claims, sign_raw


def test_problem_details_follow_rfc9457(verifier):
    """The body is a problem document; error code and reason are extension members."""
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
    """The realm is quoted as it was given."""
    response = client(verifier, realm="orders, v2").get("/", status=401)

    assert response.headers["WWW-Authenticate"] == 'Bearer realm="orders, v2"'


def test_render_decides_about_the_body(verifier):
    """A renderer sees the error and the request."""

    def render(error, environ):
        return Response(
            f"<h1>{error.reason} at {environ['PATH_INFO']}</h1>",
            error.status,
            content_type="text/html",
        )

    response = client(verifier, render=render).get("/x", status=401)

    assert response.text == "<h1>token_missing at /x</h1>"


def test_render_cannot_lose_the_challenge(verifier):
    """Whatever a renderer returns, the challenge and no-store are on it."""

    def render(error, environ):
        return Response("no", 401, headers={"Cache-Control": "public", "WWW-Authenticate": "Basic"})

    response = client(verifier, render=render).get("/", status=401)

    assert response.headers.getall("WWW-Authenticate") == ['Bearer realm="api"']
    assert response.headers.getall("Cache-Control") == ["no-store"]


def test_render_cannot_change_the_status(verifier):
    """A refusal is never a 200, whatever the page says."""
    client(verifier, render=lambda error, environ: Response("fine")).get("/", status=401)


@pytest.mark.parametrize("render", [None, problem_details], ids=["json", "problem"])
def test_error_of_an_application_is_rendered_as_it_is(verifier, render):
    """Whatever its constructor takes and its body holds."""

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

    app = client(
        verifier,
        policy=Policy(require("/*", check=check)),
        **({"render": render} if render else {}),
    )
    headers = bearer(sign_raw(good_claims()))

    assert [app.get(path, headers=headers, status=403).json["tenant"] for path in ("/a", "/b")] == [
        "/a",
        "/b",
    ]


def test_render_is_asked_each_time(verifier):
    """An answer of the application's own is not remembered for other requests."""
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
    """A broken renderer costs the page, not the status or the challenge."""
    events = []

    response = client(verifier, render=render, on_event=events.append).get("/", status=401)

    assert response.json["reason"] == "token_missing"
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert CallableFailed(argument="render", cause=cause) in events


@pytest.mark.parametrize("render", [None, problem_details], ids=["json", "problem"])
def test_head_has_the_headers_of_get_and_no_body(verifier, render):
    """A refused HEAD says how long the body of the GET would be."""
    app = client(verifier, **({"render": render} if render else {}))

    get, head = app.get("/", status=401), app.head("/", status=401)

    assert head.body == b""
    assert dict(head.headers) == dict(get.headers)
    assert int(get.headers["Content-Length"]) == len(get.body)
