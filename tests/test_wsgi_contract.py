"""WSGI: the middleware changes nothing for accepted requests, and answers others completely."""

import json
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from jwt_middleware import (
    InsufficientScope,
    InvalidToken,
    JWTMiddleware,
    MissingToken,
    Policy,
    SecretKey,
    Verifier,
    delegate,
    from_cookie,
    optional,
    problem_details,
    public,
    require,
)
from jwt_middleware.errors import registry
from tests.conftest import (
    AUDIENCE,
    ISSUER,
    NOW,
    SECRET,
    RecordingApp,
    answering,
    base64url,
    good_claims,
    make_token,
    sign_raw,
)

OURS = {f"jwt_middleware.{name}" for name in ("claims", "token", "error")}
OTHER_ISSUER = "https://other.example.com"
OTHER_SECRET = "another secret that only the outer middleware knows"
OPEN = Policy(
    public("/public"),
    optional("/optional"),
    delegate("/delegate"),
    require("/scoped", scopes=["a"]),
)


class Server:
    """The server's side of WSGI: it calls an application and records the answer."""

    def __init__(self):
        self.calls = []
        self.written = []

    def start_response(self, *arguments):
        self.calls.append(arguments)
        return self.written.append

    def run(self, app, environ):
        """Run the application as PEP 3333 says; return status, headers and body."""
        iterable = app(environ, self.start_response)
        try:
            body = b"".join(iterable)
        finally:
            if hasattr(iterable, "close"):
                iterable.close()
        status, headers = self.calls[-1][:2]
        return status, headers, b"".join(self.written) + body


class Untouchable:
    """A request body that must not be read."""

    def __getattr__(self, name):
        raise AssertionError(f"wsgi.input.{name} was used")


def environ_of(token=None, **variables):
    """Return the environ of a request."""
    environ = {"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {}
    environ |= {"SCRIPT_NAME": "", "PATH_INFO": "/"} | variables
    setup_testing_defaults(environ)
    return environ


def accepted(**variables):
    """Return the environ of a request that the default verifier accepts."""
    return environ_of(make_token(), **variables)


def reporting(environ, start_response):
    """Answer with our entries of environ."""
    found = {name: environ[name] for name in OURS & environ.keys()}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(found, default=str).encode()]


def test_accepted_request_hands_over_the_servers_own_objects(verifier):
    """The application gets the server's environ and start_response, not copies."""
    app, environ, start_response = RecordingApp(), accepted(), Server().start_response

    JWTMiddleware(app, verifier)(environ, start_response)

    assert app.environ is environ
    assert app.calls[0][1] is start_response


@pytest.mark.parametrize(
    "iterable",
    [
        pytest.param([b"a"], id="list"),
        pytest.param((b"a",), id="tuple"),
        pytest.param(iter([b"a"]), id="iterator"),
        pytest.param((piece for piece in [b"a"]), id="generator"),
        pytest.param(object(), id="any object"),
    ],
)
def test_accepted_request_returns_the_very_iterable(verifier, iterable):
    """The server gets the iterable of the application, not a wrapper or copy."""
    returned = JWTMiddleware(answering(iterable), verifier)(accepted(), Server().start_response)

    assert returned is iterable


def test_accepted_request_returns_the_file_wrapper(verifier):
    """The server gets its own file wrapper, and can send the file without Python."""
    wrapped = []

    class Wrapper:
        def __init__(self, file, block_size=8192):
            wrapped.append(self)

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return environ["wsgi.file_wrapper"](environ["wsgi.input"])

    environ = accepted(**{"wsgi.file_wrapper": Wrapper})
    returned = JWTMiddleware(app, verifier)(environ, Server().start_response)

    assert returned is wrapped[0]
    assert len(wrapped) == 1


def test_accepted_stream_starts_when_the_server_iterates(verifier):
    """The middleware does not iterate over a stream."""
    progress = []

    def stream():
        for number in range(2):
            progress.append(number)
            yield b"x"

    returned = JWTMiddleware(answering(stream()), verifier)(accepted(), Server().start_response)
    begun = list(progress)
    next(returned)

    assert (begun, progress) == ([], [0])


def test_accepted_stream_is_closed_once_and_by_the_server(verifier):
    """Only the server calls ``close()``, also if it stops midway."""
    closed = []

    class Stream:
        def __iter__(self):
            return iter([b"a", b"b"])

        def close(self):
            closed.append(True)

    returned = JWTMiddleware(answering(Stream()), verifier)(accepted(), Server().start_response)
    next(iter(returned))
    before = list(closed)
    returned.close()

    assert (before, closed) == ([], [True])


def test_accepted_generator_runs_its_cleanup_when_closed_midway(verifier):
    """If the client disconnects, the generator runs its ``finally``."""
    trace = []

    def stream():
        try:
            yield b"a"
            yield b"b"
        finally:
            trace.append("cleaned up")

    returned = JWTMiddleware(answering(stream()), verifier)(accepted(), Server().start_response)
    next(returned)
    returned.close()

    assert trace == ["cleaned up"]


def test_accepted_app_may_use_write(verifier):
    """Data given to ``write()`` (PEP 3333) comes before the iterable."""

    def app(environ, start_response):
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written, ")
        return [b"returned"]

    _, _, body = Server().run(JWTMiddleware(app, verifier), accepted())

    assert body == b"written, returned"


def test_accepted_app_may_restart_its_response_with_exc_info(verifier):
    """A second start_response with ``exc_info`` reaches the server."""

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            raise KeyError("late")
        except KeyError as error:
            start_response(
                "500 Oops", [("Content-Type", "text/plain")], (KeyError, error, error.__traceback__)
            )
        return [b"sorry"]

    server = Server()
    status, _, body = server.run(JWTMiddleware(app, verifier), accepted())

    assert (status, body, len(server.calls)) == ("500 Oops", b"sorry", 2)
    assert server.calls[1][2][0] is KeyError


FAILURES = [
    pytest.param(ValueError("own"), id="exception"),
    pytest.param(KeyError("jwt_middleware.claims"), id="missing key"),
    pytest.param(SystemExit(3), id="exit"),
    pytest.param(KeyboardInterrupt(), id="interrupt"),
]
REFUSALS = [
    pytest.param(MissingToken(), id="refusal"),
    pytest.param(InvalidToken("signature_invalid"), id="refusal with a reason"),
    pytest.param(InsufficientScope(scopes=["a"]), id="refusal with scopes"),
]


@pytest.mark.parametrize("path", ["/", "/public", "/optional", "/delegate"])
@pytest.mark.parametrize("failure", FAILURES)
def test_exception_of_the_app_passes_unchanged(verifier, failure, path):
    """An exception of the application reaches the server."""

    def app(environ, start_response):
        raise failure

    server, events = Server(), []
    with pytest.raises(type(failure)) as raised:
        JWTMiddleware(app, verifier, policy=OPEN, on_event=events.append)(
            accepted(PATH_INFO=path), server.start_response
        )

    assert raised.value is failure
    assert (server.calls, events) == ([], [])


@pytest.mark.parametrize("started", [False, True], ids=["before the start", "after the start"])
@pytest.mark.parametrize("path", ["/", "/public", "/optional", "/delegate"])
@pytest.mark.parametrize("failure", REFUSALS)
def test_refusal_of_the_app_is_answered_like_one_of_the_middleware(
    verifier, failure, path, started
):
    """An `AuthError` that the application raises has the same realm, renderer and event."""

    def app(environ, start_response):
        if started:
            start_response("200 OK", [("X-Begun", "yes")])
        raise failure

    server, events = Server(), []
    options = {"policy": OPEN, "realm": "orders", "render": problem_details}
    guarded = JWTMiddleware(app, verifier, on_event=events.append, **options)
    status, headers, body = server.run(guarded, accepted(PATH_INFO=path))

    assert status.startswith(str(failure.status))
    assert dict(headers)["WWW-Authenticate"] == failure.challenge("orders")
    assert "X-Begun" not in dict(headers)
    assert json.loads(body)["reason"] == failure.reason
    assert [event.reason for event in events] == [failure.reason]
    # PEP 3333: only with the exception may start_response be called again.
    assert server.calls[-1][2][1] is failure


@pytest.mark.parametrize("failure", REFUSALS)
def test_refusal_that_the_app_renders_is_one_of_the_middleware(verifier, failure):
    """Frameworks turn an `AuthError` into a response themselves, and get the same one."""

    def app(environ, start_response):
        return failure.get_response(environ)(environ, start_response)

    server, events = Server(), []
    options = {"realm": "orders", "render": problem_details}
    guarded = JWTMiddleware(app, verifier, on_event=events.append, **options)
    status, headers, body = server.run(guarded, accepted())

    assert status.startswith(str(failure.status))
    assert dict(headers)["WWW-Authenticate"] == failure.challenge("orders")
    assert json.loads(body)["reason"] == failure.reason
    assert [event.reason for event in events] == [failure.reason]


@pytest.mark.parametrize("failure", [*FAILURES, *REFUSALS])
def test_exception_amid_a_stream_passes_unchanged(verifier, failure):
    """If a stream raises, the server gets the exception, and no second answer."""

    def stream():
        yield b"a"
        raise failure

    server = Server()
    with pytest.raises(type(failure)) as raised:
        server.run(JWTMiddleware(answering(stream()), verifier), accepted())

    assert raised.value is failure
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("variables", "ours"),
    [
        pytest.param(
            {"token": make_token()},
            {"jwt_middleware.claims", "jwt_middleware.token"},
            id="accepted",
        ),
        pytest.param({"PATH_INFO": "/public"}, set(), id="public"),
        pytest.param({"PATH_INFO": "/optional"}, set(), id="optional"),
        pytest.param({"PATH_INFO": "/delegate"}, {"jwt_middleware.error"}, id="delegate"),
        pytest.param({"PATH_INFO": "/"}, {"jwt_middleware.unread"}, id="refused"),
        pytest.param(
            {"PATH_INFO": "/gr\xc3\xbc\xc3\x9fe//../%2e"},
            {"jwt_middleware.unread"},
            id="refused on an odd path",
        ),
    ],
)
def test_environ_changes_by_our_keys_only(verifier, variables, ours):
    """All other entries of environ keep their values, and even their identity."""
    variables |= {"CONTENT_LENGTH": "7", "QUERY_STRING": "a=%00", "HTTP_X": "\xff"}
    environ = environ_of(**variables, **{"some.key": object()})
    before = dict(environ)

    Server().run(JWTMiddleware(answering([]), verifier, policy=OPEN), environ)

    assert environ.keys() - before.keys() == ours | {"jwt_middleware.respond"}
    assert all(environ[name] is value for name, value in before.items())


def test_request_without_a_method_is_judged_as_get(verifier):
    """Frameworks serve such a request as GET, so a rule for GET applies."""
    policy = Policy(require("/a", methods=["GET"], scopes=["a"]), require("/a"))
    environ = accepted() | {"PATH_INFO": "/a"}
    del environ["REQUEST_METHOD"]

    status, _, _ = Server().run(JWTMiddleware(answering([]), verifier, policy=policy), environ)

    assert status.startswith("403")


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"PATH_INFO": "/public"}, id="public"),
        pytest.param({"PATH_INFO": "/optional"}, id="optional"),
        pytest.param({"PATH_INFO": "/delegate"}, id="delegate"),
        pytest.param({"PATH_INFO": "/"}, id="refused"),
        pytest.param({"PATH_INFO": "/", "token": make_token()}, id="accepted"),
        pytest.param(
            {"PATH_INFO": "/scoped", "token": make_token()},
            id="refused after verification",
        ),
    ],
)
def test_environ_keys_of_an_outer_layer_are_gone(verifier, variables):
    """Values of an outer layer under our keys are removed on every path."""
    planted = object()
    environ = environ_of(**variables) | dict.fromkeys(OURS, planted)

    Server().run(JWTMiddleware(answering([]), verifier, policy=OPEN), environ)

    assert planted not in environ.values()


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="refused"),
        pytest.param({"token": "a.b.c"}, id="refused token"),
        pytest.param({"token": make_token()}, id="accepted"),
        pytest.param({"PATH_INFO": "/public"}, id="public"),
        pytest.param({"PATH_INFO": "/delegate"}, id="delegate"),
    ],
)
def test_request_body_stays_unread(verifier, variables):
    """The middleware never reads the body."""
    body = Untouchable()
    environ = environ_of(
        **variables, REQUEST_METHOD="POST", CONTENT_LENGTH="5", **{"wsgi.input": body}
    )

    Server().run(JWTMiddleware(answering([]), verifier, policy=OPEN), environ)

    assert environ["wsgi.input"] is body


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PROPFIND", "get"])
@pytest.mark.parametrize("path", ["/", "", "*", "/gr\xc3\xbc\xc3\x9fe", "/a//b/c/", "/@@a"])
def test_accepted_request_keeps_method_and_path(verifier, method, path):
    """The application gets the method and path as they were sent."""
    app = RecordingApp(answering([b""]))
    environ = accepted() | {"REQUEST_METHOD": method, "PATH_INFO": path}

    Server().run(JWTMiddleware(app, verifier, policy=Policy(require("/a/*"))), environ)

    assert (app.environ["REQUEST_METHOD"], app.environ["PATH_INFO"]) == (method, path)


def page(error, environ):
    """Render a refusal as HTML, with characters beyond ASCII."""
    return Response(
        f"<h1>Zutritt verweigert: {error.reason} ä€</h1>",
        error.status,
        content_type="text/html; charset=utf-8",
    )


REFUSED = [
    pytest.param({}, "401", id="401"),
    pytest.param({"HTTP_AUTHORIZATION": "Bearer"}, "400", id="400"),
    pytest.param({"PATH_INFO": "/scoped", "token": make_token()}, "403", id="403"),
]
RENDERERS = [
    pytest.param({}, id="json"),
    pytest.param({"render": problem_details}, id="problem"),
    pytest.param({"render": page}, id="own"),
]


@pytest.mark.parametrize("options", RENDERERS)
@pytest.mark.parametrize(("variables", "status"), REFUSED)
def test_refusal_is_one_complete_answer(verifier, variables, status, options):
    """start_response is called once, and Content-Length is the length of the body."""
    server = Server()

    line, headers, body = server.run(
        JWTMiddleware(answering([]), verifier, policy=OPEN, **options), environ_of(**variables)
    )

    lengths = [value for name, value in headers if name.lower() == "content-length"]
    assert len(server.calls) == 1
    assert line.startswith(f"{status} ")
    assert lengths == [str(len(body))]
    assert body
    assert server.written == []


@pytest.mark.parametrize("options", RENDERERS)
@pytest.mark.parametrize(("variables", "status"), REFUSED)
def test_refusal_of_head_is_that_of_get_without_body(verifier, variables, status, options):
    """A HEAD gets the status and headers of the GET, and no body."""
    app = JWTMiddleware(answering([]), verifier, policy=OPEN, **options)

    get = Server().run(app, environ_of(**variables))
    head = Server().run(app, environ_of(**variables, REQUEST_METHOD="HEAD"))

    assert head[:2] == get[:2]
    assert head[2] == b""


def test_refusal_may_be_changed_without_changing_the_next(verifier):
    """An outer layer may change the list of headers (PEP 3333). The next answer has its own."""
    app = JWTMiddleware(answering([]), verifier)
    _, first, _ = Server().run(app, environ_of())
    untouched = list(first)

    first.append(("Set-Cookie", "session=of the first client"))
    _, second, _ = Server().run(app, environ_of())

    assert second == untouched


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="refused"),
        pytest.param({"HTTP_AUTHORIZATION": "Bearer a, b"}, id="broken header"),
        pytest.param({"token": make_token()}, id="accepted"),
        pytest.param({"PATH_INFO": "/delegate"}, id="delegate"),
    ],
)
def test_middleware_satisfies_the_validator_of_python(verifier, method, variables):
    """``wsgiref.validate`` finds nothing wrong on either side."""
    environ = environ_of(
        **variables, REQUEST_METHOD=method, QUERY_STRING="", SERVER_PROTOCOL="HTTP/1.1"
    )
    calls = []

    def start_response(status, headers, exc_info=None):
        calls.append(status)
        return lambda data: None

    returned = validator(JWTMiddleware(validator(answering([])), verifier, policy=OPEN))(
        environ, start_response
    )
    list(returned)
    returned.close()

    assert len(calls) == 1


def nested(app, verifier, clock, *, policy):
    """Wrap an application twice. The outer middleware trusts another issuer and reads a cookie."""
    other = Verifier(SecretKey(OTHER_SECRET), issuer=OTHER_ISSUER, audience=AUDIENCE, clock=clock)
    inner = JWTMiddleware(app, verifier, policy=policy, realm="inner")
    return JWTMiddleware(inner, other, credential=from_cookie("outer"), realm="outer")


def cookie():
    """Return a cookie that the outer middleware accepts."""
    claims = good_claims(iss=OTHER_ISSUER, sub="outer", secret="of the outer")
    return f"outer={sign_raw(claims, secret=OTHER_SECRET)}"


def test_nested_inner_claims_win(verifier, clock):
    """The application gets the claims of the inner middleware."""
    app = nested(reporting, verifier, clock, policy=Policy())

    _, _, body = Server().run(app, accepted(HTTP_COOKIE=cookie()))

    assert json.loads(body)["jwt_middleware.claims"] == good_claims()
    assert "outer" not in body.decode()


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/public", set()), ("/optional", set()), ("/delegate", {"jwt_middleware.error"})],
)
def test_nested_outer_claims_do_not_leak_past_the_inner(verifier, clock, path, expected):
    """If the inner middleware needs no token, the claims of the outer one are removed."""
    app = nested(reporting, verifier, clock, policy=OPEN)

    _, _, body = Server().run(app, environ_of(HTTP_COOKIE=cookie(), PATH_INFO=path))

    assert json.loads(body).keys() == expected


@pytest.mark.parametrize(
    ("variables", "realm"),
    [
        pytest.param({}, "outer", id="no token at all"),
        pytest.param({"token": make_token()}, "outer", id="inner token only"),
        pytest.param({"HTTP_COOKIE": cookie()}, "inner", id="outer token only"),
        pytest.param(
            {"HTTP_COOKIE": cookie(), "token": cookie().removeprefix("outer=")},
            "inner",
            id="outer token for both",
        ),
        pytest.param({"HTTP_COOKIE": f"outer={make_token()}"}, "outer", id="inner token as outer"),
    ],
)
def test_nested_both_must_agree(verifier, clock, variables, realm):
    """Each checks its own token. The outer one does not change a refusal of the inner one."""
    app = nested(reporting, verifier, clock, policy=Policy())

    status, headers, body = Server().run(app, environ_of(**variables))

    challenges = [value for name, value in headers if name == "WWW-Authenticate"]
    assert status.startswith("401 ")
    assert len(challenges) == 1
    assert challenges[0].startswith(f'Bearer realm="{realm}"')
    assert "claims" not in body.decode()


@pytest.mark.parametrize(
    "missing",
    [
        "REQUEST_METHOD",
        "PATH_INFO",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PROTOCOL",
        "HTTP_HOST",
        "wsgi.input",
        "wsgi.errors",
        "wsgi.url_scheme",
        "wsgi.version",
    ],
)
@pytest.mark.parametrize(
    "credential", [{}, {"credential": from_cookie("outer")}], ids=["header", "cookie"]
)
def test_environ_without_a_key_is_answered(verifier, credential, missing):
    """A missing key of environ does not raise, and does not let a request in."""
    environ = environ_of(
        HTTP_COOKIE=cookie(),
        HTTP_AUTHORIZATION="Bearer a.b.c",
        REQUEST_METHOD="POST",
        HTTP_ORIGIN="http://127.0.0.1",
    )
    del environ[missing]

    app = JWTMiddleware(answering([]), verifier, policy=OPEN, **credential)
    status, _, _ = Server().run(app, environ)

    # Without scheme or host, the origin of the request may be another one.
    is_cookie_lost = credential and missing in {"HTTP_HOST", "wsgi.url_scheme"}
    assert status.startswith("403 " if is_cookie_lost else "401 ")


@pytest.mark.parametrize("options", RENDERERS)
def test_environ_that_is_empty_is_refused(verifier, options):
    """An empty environ has no token, and is refused with each renderer."""
    status, _, body = Server().run(
        JWTMiddleware(answering([]), verifier, policy=OPEN, **options), {}
    )

    assert status.startswith("401 ")
    assert body


@pytest.mark.parametrize(
    "key",
    [
        "Authorization",
        "HTTP_AUTHORIZATION_",
        "HTTP__AUTHORIZATION",
        "AUTHORIZATION",
        "REDIRECT_HTTP_AUTHORIZATION",
    ],
)
def test_environ_key_that_only_resembles_the_header_is_no_credential(verifier, key):
    """A good token counts only in ``HTTP_AUTHORIZATION``."""
    environ = environ_of(**{key: f"Bearer {make_token()}"})

    _, _, body = Server().run(JWTMiddleware(answering([]), verifier), environ)

    assert json.loads(body)["reason"] == "token_missing"


LATIN_1 = st.text(st.characters(max_codepoint=0xFF), max_size=200)
SEGMENTS = st.lists(st.binary(max_size=30).map(base64url) | LATIN_1, min_size=1, max_size=4).map(
    ".".join
)
JSON_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
).map(json.dumps)
JUNK_TOKENS = st.builds(
    lambda head, body: f"{base64url(head)}.{base64url(body)}.AAAA", JSON_TEXT, JSON_TEXT
)
HEADERS = LATIN_1 | st.builds(
    "{} {}".format, st.sampled_from(["Bearer", "bearer", "BEARER ", "DPoP"]), SEGMENTS | JUNK_TOKENS
)
JUNK_VERIFIER = Verifier(SecretKey(SECRET), issuer=ISSUER, audience=AUDIENCE, clock=lambda: NOW)


def answer_of(reason):
    """Return the answer to a failure. It does not depend on the request."""
    error = registry()[reason](reason)
    body = json.dumps(error.to_dict()).encode()
    own = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return error.status, own | dict(error.own_headers()), body


@given(HEADERS)
@example("Bearer " + "a" * 65_536)
@example("Bearer \x85\xa0")
@example("Bearer\ta.b.c")
@example("\x00Bearer a.b.c")
@example(f"Bearer {base64url('[' * 10_000)}.a.b")
def test_header_of_junk_gets_a_fixed_answer(header):
    """For any header, the answer is one of the registry, and repeats nothing of the header."""
    app = JWTMiddleware(answering([]), JUNK_VERIFIER)

    status, headers, body = Server().run(app, environ_of(HTTP_AUTHORIZATION=header))

    code = int(status[:3])
    assert (code, dict(headers), body) == answer_of(json.loads(body)["reason"])
    assert code in {400, 401}


@given(method=LATIN_1, path=LATIN_1, cookies=LATIN_1, origin=LATIN_1)
@example(method="OPTIONS", path="*", cookies="outer=a", origin="null")
@example(method="POST", path="\ud800", cookies="outer=\x00", origin="http://127.0.0.1")
def test_request_line_of_junk_is_refused(method, path, cookies, origin):
    """No method, path, cookie or origin raises, or lets a request in."""
    app = JWTMiddleware(
        answering([]),
        JUNK_VERIFIER,
        policy=Policy(require("/*", check=lambda *_: True)),
        credential=from_cookie("outer"),
    )
    environ = environ_of(REQUEST_METHOD=method, HTTP_COOKIE=cookies, HTTP_ORIGIN=origin) | {
        "PATH_INFO": path
    }

    status, _, body = Server().run(app, environ)

    assert int(status[:3]) in {400, 401}
    assert method == "HEAD" or json.loads(body)["reason"] in registry()
