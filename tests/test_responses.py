"""Rendering refusals: as JSON, as problem details, and with a function of the application."""

from io import BytesIO

import pytest
from werkzeug.wrappers import Response

from jwt_middleware import (
    AccessDenied,
    AuthError,
    ConfigurationError,
    JWTMiddleware,
    Policy,
    draining,
    log_events,
    problem_details,
    render_json,
    require,
)
from jwt_middleware.events import CallableFailed
from tests.conftest import NOT_WHOLE, client, echo, signed


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


class Body(BytesIO):
    """A body that counts what is read, and breaks at the end if it is read further."""

    def __init__(self, data, *, terminated=True, broken=None):
        super().__init__(data)
        self.terminated = terminated
        self.broken = broken
        self.largest = 0

    def read(self, size):
        if self.broken is not None:
            raise self.broken
        self.largest = max(self.largest, size)
        piece = super().read(size)
        assert self.terminated or len(piece) == size, "a server would wait forever"
        return piece


def answer_to(body, verifier, *, app=echo, up_to=300_000, on_event=log_events, **environ):
    """Refuse a request with this body; return the status and how much of the body was read."""
    app = JWTMiddleware(app, verifier, render=draining(render_json, up_to=up_to), on_event=on_event)
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "wsgi.input": body} | environ
    if body.terminated:
        environ["wsgi.input_terminated"] = True
    started = []
    answer = b"".join(app(environ, lambda status, headers, _=None: started.append(status)))
    assert answer.startswith(b'{"error":')
    return started[0][:3], body.tell()


@pytest.mark.parametrize("terminated", [True, False])
@pytest.mark.parametrize("size", [1, 65_536, 200_000, 300_000])
def test_draining_reads_the_whole_body_before_the_refusal(verifier, size, terminated):
    """A client that sends first has sent everything, and nothing beyond its body is read."""
    body = Body(b"x" * size, terminated=terminated)

    assert answer_to(body, verifier, CONTENT_LENGTH=str(size)) == ("401", size)
    assert body.largest <= 65_536


@pytest.mark.parametrize("terminated", [True, False])
@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"CONTENT_LENGTH": "300001"}, id="too long"),
        pytest.param({"CONTENT_LENGTH": "9" * 5000}, id="far too long"),
        pytest.param({"CONTENT_LENGTH": "0"}, id="empty"),
        pytest.param({"CONTENT_LENGTH": "-1"}, id="negative"),
        pytest.param({"CONTENT_LENGTH": "1_0"}, id="with underscore"),
        pytest.param({"CONTENT_LENGTH": "\u0661"}, id="Arabic digit"),
        pytest.param({"CONTENT_LENGTH": "\xb2"}, id="superscript"),
        pytest.param({"CONTENT_LENGTH": "5", "HTTP_EXPECT": "100-continue"}, id="expects"),
    ],
)
def test_draining_reads_nothing_where_that_would_not_help(verifier, environ, terminated):
    """A body that is too long, of unclear length, or not sent yet is left alone."""
    body = Body(b"x" * 400_000, terminated=terminated)

    assert answer_to(body, verifier, **environ) == ("401", 0)


@pytest.mark.parametrize("environ", [{}, {"CONTENT_LENGTH": ""}])
@pytest.mark.parametrize(("size", "read"), [(0, 0), (5, 5), (300_000, 300_000), (10**6, 300_000)])
def test_draining_reads_a_chunked_body_up_to_its_limit(verifier, size, read, environ):
    """Where the server marks the end of the body, its length need not be known."""
    assert answer_to(Body(b"x" * size), verifier, **environ) == ("401", read)


def test_draining_does_not_wait_for_the_end_of_a_body_of_unknown_length(verifier):
    """Where the server does not mark the end, nothing is read."""
    assert answer_to(Body(b"x" * 5, terminated=False), verifier) == ("401", 0)


@pytest.mark.parametrize("view_reads", [0, 3, 10])
@pytest.mark.parametrize("terminated", [True, False])
def test_draining_knows_that_a_view_may_have_read_the_body(verifier, view_reads, terminated):
    """For a refusal of a view the rest is read only where the server marks the end."""

    def view(environ, start_response):
        environ["wsgi.input"].read(view_reads)
        raise AccessDenied

    token = signed()["Authorization"]
    environ = {"CONTENT_LENGTH": "10", "HTTP_AUTHORIZATION": token}
    body = Body(b"x" * 10, terminated=terminated)

    read = 10 if terminated else view_reads
    assert answer_to(body, verifier, app=view, **environ) == ("403", read)


def test_draining_a_client_that_goes_away_is_not_an_error(verifier, events):
    """The refusal is reported as usual, and no failure of a renderer."""
    body = Body(b"x" * 10, broken=ConnectionResetError())

    assert answer_to(body, verifier, on_event=events.append, CONTENT_LENGTH="10") == ("401", 0)
    assert [type(event).__name__ for event in events] == ["RequestRejected"]


@pytest.mark.parametrize(
    ("render", "up_to", "problems"),
    [
        pytest.param(None, 5, ["render"], id="render"),
        *[pytest.param(render_json, value, ["up_to"]) for value in NOT_WHOLE],
        pytest.param(5, 0, ["render", "up_to"], id="both"),
    ],
)
def test_draining_tells_wrong_arguments(render, up_to, problems):
    """A limit that is not a positive number of bytes is a configuration error."""
    with pytest.raises(ConfigurationError) as caught:
        draining(render, up_to=up_to)

    assert [problem.partition(":")[0] for problem in caught.value.problems] == problems
