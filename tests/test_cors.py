"""`CORS`: preflights are answered here, and listed origins can read every answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_middleware import CORS, ConfigurationError, JWTMiddleware, Policy, public
from jwt_middleware.cors import is_preflight
from jwt_middleware.origins import normalize_origin
from tests.conftest import RecordingApp, answering, client, signed

APP = "https://app.example.com"
PREFLIGHT = {"Origin": APP, "Access-Control-Request-Method": "DELETE"}
ALLOW_ORIGIN = "Access-Control-Allow-Origin"
POLICY = Policy(public("/public"))
FINE = answering([b"fine"])


@pytest.fixture
def view():
    """An application that records its calls."""
    return RecordingApp(FINE)


def guarded(verifier, view=FINE, *, cors=None, **options):
    """Return a client of a view behind the middleware."""
    return client(verifier, view, policy=POLICY, cors=cors or CORS([APP]), **options)


@pytest.mark.parametrize("path", ["/", "/public", "/a/../b", "/nowhere"])
def test_preflight_of_a_listed_origin_is_answered_on_every_path(verifier, view, path):
    """The answer is the configured one, and no view runs, also on a public path."""
    cors = CORS([APP], methods=["GET", "DELETE"], headers=["Authorization", "X-Trace"], max_age=60)

    response = guarded(verifier, view, cors=cors).options(
        "/", headers=PREFLIGHT, extra_environ={"PATH_INFO": path}, status=204
    )

    assert view.calls == []
    assert dict(response.headers) == {
        "Access-Control-Allow-Methods": "GET, DELETE",
        "Access-Control-Allow-Headers": "Authorization, X-Trace",
        "Access-Control-Max-Age": "60",
        ALLOW_ORIGIN: APP,
        "Access-Control-Expose-Headers": "WWW-Authenticate, Retry-After, DPoP-Nonce",
        "Vary": "Origin",
    }


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example.com", "null", "", f"{APP}, {APP}", f"{APP}.evil.com", "x" * 70_000],
)
def test_preflight_of_another_origin_is_refused(verifier, view, events, origin):
    """It gets 403, which its page cannot read, and no view runs."""
    app = guarded(verifier, view, on_event=events.append)

    response = app.options("/public", headers=PREFLIGHT | {"Origin": origin}, status=403)

    assert response.json["reason"] == "origin_not_allowed"
    assert [name for name in response.headers if name.startswith("Access-Control-")] == []
    assert (response.headers["Vary"], "WWW-Authenticate" in response.headers) == ("Origin", False)
    assert view.calls == []
    assert "CORS(origins=[...])" in events[0].hint


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        pytest.param("OPTIONS", {}, id="plain OPTIONS"),
        pytest.param("OPTIONS", {"Origin": APP}, id="without requested method"),
        pytest.param("OPTIONS", {"Access-Control-Request-Method": "POST"}, id="without origin"),
        pytest.param("POST", PREFLIGHT, id="another method"),
    ],
)
def test_request_that_is_not_a_preflight_needs_a_token(verifier, view, method, headers):
    """Only a true preflight is answered without a token."""
    response = guarded(verifier, view).request("/", method=method, headers=headers, status=401)

    assert (response.json["reason"], view.calls) == ("token_missing", [])


def test_method_in_small_letters_is_not_a_preflight():
    """Browsers never send "options". Frameworks serve it, so it needs a token."""
    environ = {"HTTP_ORIGIN": APP, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}

    assert is_preflight(environ | {"REQUEST_METHOD": "OPTIONS"})
    assert not is_preflight(environ | {"REQUEST_METHOD": "options"})


def test_without_cors_a_preflight_is_an_ordinary_request(verifier, events):
    """It needs a token, and the event says how to answer preflights."""
    app = client(verifier, on_event=events.append)

    response = app.options("/", headers=PREFLIGHT, status=401)

    assert "cors=CORS(origins=[...])" in events[0].hint
    assert "Vary" not in response.headers


def test_without_cors_the_server_gets_its_own_start_response(verifier, view):
    """Without CORS, start_response is not wrapped."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}

    def start_response(status, headers, exc_info=None):
        return lambda data: None

    JWTMiddleware(view, verifier, policy=Policy(public("/*")))(environ, start_response)

    assert view.calls == [(environ, start_response)]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("/", signed, 200, id="accepted"),
        pytest.param("/public", dict, 200, id="public"),
        pytest.param("/", dict, 401, id="refused"),
        pytest.param("/", lambda: {"Authorization": "Bearer a b"}, 400, id="malformed"),
        pytest.param("/a//b%5cc", dict, 400, id="ambiguous"),
    ],
)
def test_listed_origin_can_read_every_answer(verifier, path, headers, status):
    """A page can read refusals too. Otherwise it would see a network error."""
    response = guarded(verifier).get(path, headers={"Origin": APP} | headers(), status=status)

    assert response.headers[ALLOW_ORIGIN] == APP
    assert "WWW-Authenticate" in response.headers["Access-Control-Expose-Headers"]
    assert response.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://evil.example.com"}, {"Origin": "null"}]
)
@pytest.mark.parametrize("path", ["/", "/public"])
def test_other_origins_cannot_read_answers(verifier, path, headers):
    """They get no CORS headers, and a cache must not give them the answer to a listed origin."""
    response = guarded(verifier).get(path, headers=headers, status="*")

    assert [name for name in response.headers if name.startswith("Access-Control-")] == []
    assert response.headers["Vary"] == "Origin"


def test_request_of_another_origin_needs_only_its_token(verifier):
    """CORS decides who can read the answer. The token decides what a request may do."""
    headers = {"Origin": "https://evil.example.com"} | signed()

    guarded(verifier).post("/", headers=headers, status=200)


@pytest.mark.parametrize(
    "origin",
    ["HTTPS://APP.example.com", "https://app.example.com:443", "https://App.Example.com:443"],
)
def test_origins_compare_normalized(verifier, origin):
    """Case and default ports do not count. The header repeats the spelling of the browser."""
    response = guarded(verifier).get("/public", headers={"Origin": origin})

    assert response.headers[ALLOW_ORIGIN] == origin


@pytest.mark.parametrize(
    "origin",
    ["http://app.example.com", "https://app.example.com:80", "https://app.example.com:8443"],
)
def test_another_scheme_or_port_is_another_origin(verifier, origin):
    """Scheme, host and port must be the same."""
    assert ALLOW_ORIGIN not in guarded(verifier).get("/public", headers={"Origin": origin}).headers


@pytest.mark.parametrize(
    "configured",
    [
        "http://localhost:80",
        "http://[::1]:8080",
        "capacitor://localhost",
        "https://xn--bcher-kva.example",
    ],
)
def test_origins_of_every_kind_can_be_listed(verifier, configured):
    """Development servers, IPv6 addresses, packaged apps and international names can be listed."""
    app = guarded(verifier, cors=CORS([configured]))

    assert ALLOW_ORIGIN in app.get("/public", headers={"Origin": configured}).headers


def test_credentials_are_allowed_where_configured(verifier):
    """For cookies, preflights and answers have one more header."""
    app = guarded(verifier, cors=CORS([APP], credentials=True))

    for response in (
        app.options("/", headers=PREFLIGHT),
        app.get("/public", headers={"Origin": APP}),
    ):
        assert response.headers["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize("origin", ["https://any.example.com", "null", "<script>"])
def test_star_allows_every_origin_and_repeats_none(verifier, origin):
    """The origin of the client is not repeated."""
    app = guarded(verifier, cors=CORS(["*"]))

    assert app.get("/public", headers={"Origin": origin}).headers[ALLOW_ORIGIN] == "*"
    preflight = app.options("/", headers=PREFLIGHT | {"Origin": origin}, status=204)
    assert preflight.headers[ALLOW_ORIGIN] == "*"


def test_application_keeps_its_own_cors_headers(verifier):
    """CORS headers that the application has set are not changed."""
    own = ("access-control-allow-origin", "https://other.example.com")
    view = answering([b""], own, ("Vary", "Accept"))

    response = guarded(verifier, view).get("/public", headers={"Origin": APP})

    assert response.headers.getall(ALLOW_ORIGIN) == ["https://other.example.com"]
    assert response.headers.getall("Vary") == ["Accept"]


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        pytest.param("Accept-Encoding", ["Accept-Encoding", "Origin"], id="added"),
        pytest.param("Accept, origin", ["Accept, origin"], id="there"),
        pytest.param("*", ["*"], id="star"),
    ],
)
def test_vary_of_the_application_is_kept(verifier, sent, received):
    """`Vary: Origin` is added once."""
    response = guarded(verifier, answering([b""], ("Vary", sent))).get("/public")

    assert response.headers.getall("Vary") == received


def test_exc_info_and_write_reach_the_server(verifier):
    """With CORS, `write` and a second start_response with exc_info still work."""
    calls = []
    failure = (ValueError, ValueError("x"), None)

    def app(environ, start_response):
        start_response("200 OK", [])(b"piece")
        start_response("500 Oops", [], failure)
        return []

    def start_response(*arguments):
        calls.append(arguments)
        return calls.append

    JWTMiddleware(app, verifier, policy=Policy(public("/*")), cors=CORS([APP]))(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, start_response
    )

    assert calls == [
        ("200 OK", [("Vary", "Origin")]),
        b"piece",
        ("500 Oops", [("Vary", "Origin")], failure),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"origins": []}, "origins: write a list", id="none"),
        pytest.param({"origins": APP}, "origins: write a list", id="text"),
        pytest.param({"origins": None}, "origins: write a list", id="None"),
        pytest.param({"origins": [5]}, "an int is not an origin", id="number"),
        pytest.param(
            {"origins": [f"{APP}/"]},
            "is not an origin; write scheme, host and port only",
            id="slash",
        ),
        pytest.param({"origins": [f"{APP}/app"]}, "is not an origin", id="path"),
        pytest.param({"origins": [f"{APP}?x"]}, "is not an origin", id="query"),
        pytest.param({"origins": ["app.example.com"]}, "is not an origin", id="no scheme"),
        pytest.param({"origins": ["https://*.example.com"]}, "is not an origin", id="wildcard"),
        pytest.param({"origins": ["https://me@example.com"]}, "is not an origin", id="user"),
        pytest.param(
            {"origins": ["https://bücher.example"]}, "is not an origin", id="beyond ASCII"
        ),
        pytest.param({"origins": [f"{APP}\n"]}, "is not an origin", id="line feed"),
        pytest.param({"origins": ["null"]}, "everybody can have it", id="null"),
        pytest.param({"origins": ["NULL"]}, "everybody can have it", id="null in capitals"),
        pytest.param({"origins": ["*", APP]}, "write it alone", id="star and another"),
        pytest.param(
            {"origins": ["*"], "credentials": True},
            "'*' with credentials",
            id="star with credentials",
        ),
        pytest.param({"methods": "GET"}, "methods: 'GET' is not usable", id="method as text"),
        pytest.param(
            {"methods": ["GET", "PO ST"]}, "methods: 'PO ST' is not a name of HTTP", id="method"
        ),
        pytest.param({"methods": ["*"]}, "methods: '*' is not", id="all methods"),
        pytest.param({"headers": ["X-A\r\nX-B"]}, "headers: ", id="header"),
        pytest.param({"headers": ["*"]}, "headers: '*' is not", id="all headers"),
        pytest.param({"credentials": 1}, "credentials: 1 is not a bool", id="credentials"),
        pytest.param({"max_age": -1}, "max_age: -1", id="max_age"),
        pytest.param({"max_age": 0.5}, "max_age: 0.5", id="max_age a fraction"),
    ],
)
def test_wrong_argument_is_refused(arguments, message):
    """An argument that cannot work or allows too much raises ConfigurationError."""
    with pytest.raises(ConfigurationError) as caught:
        CORS(**{"origins": [APP]} | arguments)

    assert message in str(caught.value)


def test_cors_must_be_one(verifier):
    """A list of origins is not accepted in place of a CORS object."""
    with pytest.raises(ConfigurationError, match=r"cors: a list is not a CORS"):
        JWTMiddleware(FINE, verifier, cors=[APP])


@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_origin_in_an_answer_is_always_a_listed_one(origin):
    """The answer contains no origin except the spellings of a listed one."""
    headers = []
    start = CORS([APP]).make_readable(
        {"HTTP_ORIGIN": origin}, lambda status, sent: headers.extend(sent)
    )

    start("200 OK", [])

    assert {normalize_origin(value) for name, value in headers if name == ALLOW_ORIGIN} <= {APP}
