"""`JWTMiddleware`: requests that lack what every server sends, and refusals of the application."""

import pytest

from jwt_middleware import (
    CORS,
    AccessDenied,
    ConfigurationError,
    JWTMiddleware,
    Policy,
    public,
    require,
)
from tests.conftest import client, echo, make_token, signed

ORIGIN = "https://app.example.com"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}


def call(app, **environ):
    """Call an application with exactly this environ; return the status and what was passed on."""
    calls = []
    body = app(environ, lambda *arguments: calls.append(arguments))
    return calls[-1][0], calls, b"".join(body)


def refusing(environ, start_response):
    """Begin a response, and refuse the request then."""
    start_response("200 OK", [])
    raise AccessDenied


def returning(environ, start_response):
    """Return a refusal as the response, as a view of Werkzeug may do."""
    return AccessDenied()(environ, start_response)


def is_realm(verifier, text):
    """Tell whether a realm can be quoted."""
    try:
        JWTMiddleware(echo, verifier, realm=text)
    except ConfigurationError:
        return False
    return True


def test_realm_has_only_characters_that_need_no_escape(verifier):
    """RFC 9110 §5.6.4: printable ASCII, without the quote and the backslash."""
    printable = {chr(code) for code in range(0x20, 0x7F)}
    found = {c for c in map(chr, range(256)) if is_realm(verifier, f"a{c}")}

    assert found == printable - {'"', "\\"}


def test_cors_of_another_type_is_refused(verifier):
    """A list of origins is not a CORS."""
    with pytest.raises(ConfigurationError, match="cors: a list is not a CORS"):
        JWTMiddleware(echo, verifier, cors=[ORIGIN])


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        pytest.param({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, "200 OK", id="complete"),
        pytest.param({"PATH_INFO": "/"}, "200 OK", id="no method"),
        pytest.param({"REQUEST_METHOD": "", "PATH_INFO": "/"}, "200 OK", id="empty method"),
        pytest.param({"REQUEST_METHOD": "GET"}, "200 OK", id="no path"),
        pytest.param({"REQUEST_METHOD": "POST"}, "401 UNAUTHORIZED", id="another method"),
    ],
)
def test_request_without_method_or_path_is_a_get_of_the_root(verifier, environ, status):
    """PEP 3333 lets a server leave out an empty path, and frameworks take no method for GET."""
    app = JWTMiddleware(echo, verifier, policy=Policy(public("/", methods=["GET"])))

    assert call(app, **environ)[0] == status


def test_event_of_a_request_without_method_and_path(verifier, events):
    """The event tells what there was, and does not fill in anything."""
    call(JWTMiddleware(echo, verifier, on_event=events.append))

    assert (events[0].method, events[0].path, events[0].cause) == ("", "", None)


def test_event_names_the_cause(verifier, events):
    """If an exception stands behind a refusal, the event has its class."""
    app = JWTMiddleware(
        echo, verifier, credential=lambda environ: environ["X"], on_event=events.append
    )

    call(app)

    assert events[-1].cause == "KeyError"


@pytest.mark.parametrize(
    ("cors", "hint"),
    [
        pytest.param(CORS(["https://other.example.com"]), "not in CORS", id="not listed"),
        pytest.param(None, "answers preflights", id="without CORS"),
    ],
)
def test_event_of_a_refused_preflight_has_a_hint(verifier, events, cors, hint):
    """Who sees the event learns what to write, if the origin should be allowed."""
    app = client(verifier, cors=cors, on_event=events.append)

    app.options("/", headers=PREFLIGHT, status=[401, 403])

    assert hint in events[0].hint


def test_event_of_another_refusal_has_no_hint(verifier, events):
    """A missing token needs no advice."""
    client(verifier, on_event=events.append).get("/", status=401)

    assert events[0].hint is None


def test_virtual_root_does_not_matter_if_paths_do_not(verifier):
    """A policy for all paths needs no path, so no header can move it."""
    headers = {"X-Vhm-Root": "/x"}

    client(verifier, policy=Policy(public("/*"))).get("/", headers=headers, status=200)
    client(verifier, policy=Policy(public("/"))).get("/", headers=headers, status=400)


def test_refusal_of_the_application_replaces_what_it_began(verifier, events):
    """PEP 3333: a second `start_response` needs the exception. The refusal is reported once."""
    app = JWTMiddleware(refusing, verifier, policy=Policy(public("/*")), on_event=events.append)

    status, calls, body = call(app, REQUEST_METHOD="GET", PATH_INFO="/")

    assert status == "403 FORBIDDEN"
    assert calls[-1][2][0] is AccessDenied
    assert b"check_failed" in body
    assert [event.reason for event in events] == ["check_failed"]


def test_refusal_that_the_application_returns_is_reported(verifier, events):
    """A refusal used as a response is rendered and reported by the middleware."""
    app = JWTMiddleware(returning, verifier, policy=Policy(require("/*")), on_event=events.append)
    token = make_token()

    status, _, body = call(app, REQUEST_METHOD="GET", HTTP_AUTHORIZATION=f"Bearer {token}")

    assert status == "403 FORBIDDEN"
    assert b"check_failed" in body
    assert [event.reason for event in events] == ["check_failed"]


def test_preflight_is_answered_and_other_requests_are_not(verifier):
    """With CORS, only a preflight is answered in place of the application."""
    app = client(verifier, cors=CORS([ORIGIN]))

    app.options("/", headers=PREFLIGHT, status=204)
    app.get("/", headers={"Origin": ORIGIN} | signed(), status=200)
