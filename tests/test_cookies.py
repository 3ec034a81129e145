"""Tokens in cookies: which requests they count in, and how they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_cookie

from jwt_middleware import (
    AuthError,
    ConfigurationError,
    CrossSiteRequest,
    InvalidRequest,
    MissingToken,
    Policy,
    TokenCookies,
    TokenIssuer,
    delegate,
    first_of,
    from_cookie,
    from_header,
    optional,
)
from tests.conftest import (
    AUDIENCE,
    ISSUER,
    NOW,
    bearer,
    client,
    make_token,
    sign_raw,
)

OWN = "https://api.example.com"
APP = "https://app.example.com"
UNSAFE = ["POST", "PUT", "PATCH", "DELETE", "BREW", "", "get", "Head", "GET ", "POST\x00", None]
text = st.text(st.characters(codec="latin-1"))


def request(cookie="token=a.b.c", method="POST", *, origin=None, site=None, **environ):
    """Return the environ of a request to `OWN`."""
    optional = {"REQUEST_METHOD": method, "HTTP_ORIGIN": origin, "HTTP_SEC_FETCH_SITE": site}
    return {
        "HTTP_COOKIE": cookie,
        "HTTP_HOST": "api.example.com",
        "wsgi.url_scheme": "https",
        **{name: value for name, value in optional.items() if value is not None},
        **environ,
    }


def outcome(credential, environ):
    """Return the token that an extractor finds, or the reason for which it refuses."""
    try:
        return credential(environ)
    except AuthError as error:
        return error.reason


# What a request says of its origin, and whether its cookie counts if the method is unsafe.
REQUESTS = {
    "neither header": ({}, False),
    "same origin": ({"site": "same-origin"}, True),
    "the user, by the address bar": ({"site": "none"}, True),
    "same site: another subdomain, or another port": ({"site": "same-site"}, False),
    "cross site": ({"site": "cross-site"}, False),
    "a site that does not exist": ({"site": "Same-Origin"}, False),
    "an empty site": ({"site": ""}, False),
    "two sites": ({"site": "same-origin, cross-site"}, False),
    "own origin": ({"origin": OWN}, True),
    "own origin with its port": ({"origin": f"{OWN}:443"}, True),
    "own origin, host with its port": ({"origin": OWN, "HTTP_HOST": "api.example.com:443"}, True),
    "own origin, host in capitals": ({"origin": OWN, "HTTP_HOST": "API.Example.com"}, True),
    "own origin on a port": ({"origin": f"{OWN}:8443", "HTTP_HOST": "api.example.com:8443"}, True),
    "port of the other scheme": ({"origin": f"{OWN}:80", "HTTP_HOST": "api.example.com"}, False),
    "another port": ({"origin": f"{OWN}:8443"}, False),
    "another scheme": ({"origin": "http://api.example.com"}, False),
    "a host that begins like ours": ({"origin": f"{OWN}.evil.example"}, False),
    "a host that ends like ours": ({"origin": "https://evil-api.example.com"}, False),
    "a subdomain": ({"origin": "https://x.api.example.com"}, False),
    "the domain above": ({"origin": "https://example.com"}, False),
    "a user name like our host": ({"origin": f"{OWN}@evil.example"}, False),
    "a path after our origin": ({"origin": f"{OWN}/"}, False),
    "two origins": ({"origin": f"{OWN} https://evil.example"}, False),
    "two origins joined": ({"origin": f"{OWN}, {OWN}"}, False),
    "null: a sandbox, a file, a redirect": ({"origin": "null"}, False),
    "empty origin": ({"origin": ""}, False),
    "any origin": ({"origin": "*"}, False),
    "null, but the browser knows it is ours": ({"origin": "null", "site": "same-origin"}, True),
    "null from another site": ({"origin": "null", "site": "cross-site"}, False),
    "own origin after a redirect": ({"origin": OWN, "site": "cross-site"}, False),
}


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize(("headers", "counts"), REQUESTS.values(), ids=REQUESTS)
def test_cookie_counts_for_unsafe_methods_from_its_own_origin_only(method, headers, counts):
    """A cookie does not count in a request that another site may have started (CSRF)."""
    environ = request(method=method, **headers)

    assert outcome(from_cookie("token"), environ) == ("a.b.c" if counts else "csrf_failed")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(("headers", "_"), REQUESTS.values(), ids=REQUESTS)
def test_cookie_counts_for_safe_methods_from_everywhere(method, headers, _):
    """A user who follows a link from another site stays logged in."""
    assert outcome(from_cookie("token"), request(method=method, **headers)) == "a.b.c"


@pytest.mark.parametrize("lost", ["HTTP_HOST", "wsgi.url_scheme"])
def test_own_origin_must_be_known(lost):
    """If host or scheme are missing, no Origin is the own one."""
    for origin in ("https://none", "none://api.example.com", "https://", OWN):
        environ = request(origin=origin)
        del environ[lost]

        assert outcome(from_cookie("token"), environ) == "csrf_failed"


TRUSTED = ["https://app.example.com", "http://LOCALHOST:5173", "https://old.example.com:443"]


@pytest.mark.parametrize(
    ("origin", "counts"),
    [
        pytest.param(APP, True, id="as written"),
        pytest.param(f"{APP}:443", True, id="with the default port"),
        pytest.param("https://APP.example.com", True, id="in capitals"),
        pytest.param("http://localhost:5173", True, id="on a port"),
        pytest.param("https://old.example.com", True, id="written with the default port"),
        pytest.param(f"{APP}:80", False, id="port of another scheme"),
        pytest.param(f"{APP}:444", False, id="another port"),
        pytest.param("http://app.example.com", False, id="another scheme"),
        pytest.param("http://localhost", False, id="without its port"),
        pytest.param("https://x.app.example.com", False, id="subdomain"),
        pytest.param(f"{APP}.evil.example", False, id="beginning"),
        pytest.param("null", False, id="null"),
        pytest.param(f"{APP}, {APP}", False, id="twice"),
        pytest.param("", False, id="empty"),
    ],
)
@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
def test_trusted_origin_may_act_as_the_user(origin, site, counts):
    """Exactly the trusted origins count, with any value of `Sec-Fetch-Site`."""
    credential = from_cookie("token", trusted_origins=TRUSTED)

    expected = "a.b.c" if counts else "csrf_failed"
    assert outcome(credential, request(origin=origin, site=site)) == expected


@pytest.mark.parametrize(
    ("cookie", "token"),
    [
        pytest.param("token=a.b.c", "a.b.c", id="alone"),
        pytest.param("x=1; token=a.b.c; y=2", "a.b.c", id="among others"),
        pytest.param("x=1;token=a.b.c", "a.b.c", id="without a space"),
        pytest.param(" \ttoken=a.b.c\t ", "a.b.c", id="space around"),
        pytest.param('token="a.b.c"', '"a.b.c"', id="quotes are part of the value"),
        pytest.param('x="; token=a.b.c', "a.b.c", id="a quote spans no cookies"),
        pytest.param("token=a=b", "a=b", id="equals sign in the value"),
        pytest.param("x=1, token=a.b.c", None, id="a comma separates no cookies"),
        pytest.param("mytoken=a.b.c", None, id="a longer name"),
        pytest.param("Token=a.b.c", None, id="another case"),
        pytest.param("\xa0token=a.b.c", None, id="no-break space before the name"),
        pytest.param("\x85token=a.b.c", None, id="next line before the name"),
        pytest.param("token =a.b.c", None, id="space after the name"),
        pytest.param("=token=a.b.c", None, id="empty name"),
        pytest.param("%74oken=a.b.c", None, id="encoded name"),
        pytest.param('$Version=1; $Path="/"; token=a.b.c', "a.b.c", id="RFC 2965"),
        pytest.param("token=", None, id="empty"),
        pytest.param("token", None, id="name alone"),
        pytest.param("token=; token=", None, id="twice empty"),
        pytest.param("", None, id="no cookie"),
    ],
)
def test_cookie_is_found_by_its_exact_name(cookie, token):
    """The token is the value of the cookie with exactly that name, without decoding."""
    assert from_cookie("token")(request(cookie, site="same-origin")) == token


def test_request_without_cookies_has_no_token():
    """Without a cookie there is nothing to protect, so the answer is `token_missing`."""
    assert from_cookie("token")({"REQUEST_METHOD": "POST"}) is None
    assert from_cookie("token")(request("x=1", site="cross-site")) is None


@pytest.mark.parametrize(
    "cookie", ["token=a; token=b", "token=a; token=a", "token=; token=a", "token=a;token;x"]
)
def test_two_cookies_of_one_name_are_refused(cookie):
    """A subdomain can add a cookie of the same name, so none of two is chosen."""
    assert outcome(from_cookie("token"), request(cookie, "GET")) == "credentials_repeated"


def test_another_site_learns_nothing_of_the_cookies():
    """The origin is checked first."""
    environ = request("token=a; token=b", site="cross-site")

    assert outcome(from_cookie("token"), environ) == "csrf_failed"


@pytest.mark.parametrize(("size", "expected"), [(65_536, "a.b.c"), (65_537, "token_too_large")])
def test_huge_cookies_are_not_read(size, expected):
    """Cookies are read up to 64 KiB."""
    cookie = "token=a.b.c; x="

    assert outcome(from_cookie("token"), request(cookie.ljust(size, "a"), "GET")) == expected


names = st.text("abc_-.~!", min_size=1)
values = st.text("abc=\"%,$ \xa0'\\", min_size=1).filter(lambda value: value == value.strip(" "))


@given(st.dictionaries(names, values), names)
def test_parser_finds_what_a_browser_sends(jar, name):
    """Each cookie of a jar is found under its name, and no other one."""
    header = "; ".join(f"{key}={value}" for key, value in jar.items())

    assert from_cookie(name)(request(header, "GET")) == jar.get(name)


@given(text, st.sampled_from(["GET", "POST"]))
def test_any_cookie_header_is_survived(cookie, method):
    """Any header gives None, a refusal, or a value that stands in the header after its name."""
    found = outcome(from_cookie("a"), request(cookie, method, site="same-origin"))

    assert found in {None, "credentials_repeated"} or f"a={found}" in cookie


@given(text, text, st.sampled_from(UNSAFE))
def test_any_foreign_origin_is_refused(origin, site, method):
    """Only the exact own origin, or two exact words of the browser, let a cookie count."""
    environ = request(method=method, origin=origin, site=site)

    assert outcome(from_cookie("token"), environ) == "csrf_failed"


BAD_NAMES = ["", "a b", "a;b", "a=b", 'a"b', "ä", "a\n", None]
BAD_ORIGINS = [
    pytest.param(["*"], id="every origin"),
    pytest.param(["null"], id="null"),
    pytest.param(["NULL"], id="null in capitals"),
    pytest.param(["https://*.example.com"], id="wildcard"),
    pytest.param(["https://app.example.com/"], id="slash"),
    pytest.param(["app.example.com"], id="no scheme"),
    pytest.param([""], id="empty"),
    pytest.param([None], id="None"),
    pytest.param("https://app.example.com", id="text"),
    pytest.param(None, id="no list"),
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_impossible_name_is_refused(name):
    """A name that no cookie can have raises ConfigurationError."""
    with pytest.raises(ConfigurationError, match=r"^name: "):
        from_cookie(name)


def test_error_shows_nothing_of_a_request_that_was_taken_for_a_name():
    """If from_cookie is called with environ by mistake, the error does not show the credential."""
    with pytest.raises(ConfigurationError, match=r"^name: a dict is not the name of") as caught:
        from_cookie({"HTTP_AUTHORIZATION": "Bearer a.b.c"})

    assert "Bearer" not in str(caught.value)


@pytest.mark.parametrize("origins", BAD_ORIGINS)
@pytest.mark.parametrize("make", [lambda **options: from_cookie("token", **options), TokenCookies])
def test_impossible_origin_is_refused(make, origins):
    """Only exact origins can be trusted."""
    with pytest.raises(ConfigurationError, match=r"^trusted_origins: "):
        make(trusted_origins=origins)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *[("access", name) for name in BAD_NAMES],
        *[("refresh", name) for name in BAD_NAMES],
        ("refresh", "__Host-access"),
        *[("same_site", value) for value in ("lax", "", None, "Lax; Domain=example.com", ["Lax"])],
        ("clock", 5),
    ],
)
def test_wrong_argument_of_token_cookies_is_refused(argument, value):
    """The constructor names each wrong argument."""
    with pytest.raises(ConfigurationError, match=f"^{argument}: "):
        TokenCookies(**{argument: value})


@pytest.fixture
def cookies(clock):
    """Cookies with the usual names."""
    return TokenCookies(trusted_origins=[APP], clock=clock)


@pytest.fixture
def issuer(secret_key, clock, store):
    """An issuer with sessions."""
    return TokenIssuer(secret_key, issuer=ISSUER, audience=AUDIENCE, store=store, clock=clock)


def values_of(headers):
    """Return the values of headers that must all be Set-Cookie."""
    assert {name for name, _ in headers} == {"Set-Cookie"}
    return [value for _, value in headers]


def test_cookies_end_with_their_tokens(cookies, issuer):
    """Each cookie has the attributes that `__Host-` needs, and the lifetime of its token."""
    granted = issuer.grant("alice")
    access, refresh = granted["access_token"], granted["refresh_token"]

    assert values_of(cookies.set_headers(granted)) == [
        f"__Host-access={access}; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax",
        f"__Host-refresh={refresh}; Max-Age=1209600; Path=/; Secure; HttpOnly; SameSite=Lax",
    ]


@pytest.mark.parametrize(
    ("expiry", "seconds"),
    [
        pytest.param(NOW + 90, 90, id="soon"),
        pytest.param(NOW + 90.9, 90, id="fraction"),
        pytest.param(NOW, 0, id="now"),
        pytest.param(NOW - 90, 0, id="past"),
        pytest.param(-(10**400), 0, id="endless past"),
        pytest.param(NOW + 10**9, 34_560_000, id="beyond 400 days"),
        pytest.param(10**400, 34_560_000, id="endless"),
    ],
)
def test_lifetime_is_what_is_left_of_the_token(cookies, expiry, seconds):
    """Max-Age is a whole number of seconds, from 0 to the 400 days of RFC 6265bis."""
    granted = {"access_token": make_token(exp=expiry)}

    assert f"; Max-Age={seconds}; " in values_of(cookies.set_headers(granted))[0]


@pytest.mark.parametrize("same_site", ["Strict", "Lax", "None"])
def test_attributes_protect_every_cookie(clock, same_site):
    """No cookie is without Secure and HttpOnly, and none has a Domain."""
    cookies = TokenCookies("a", "b", same_site=same_site, clock=clock)
    granted = {"access_token": make_token(), "refresh_token": make_token()}

    for cookie in values_of(cookies.set_headers(granted) + cookies.clear_headers()):
        attributes = cookie.split("; ")[2:]
        assert attributes == ["Path=/", "Secure", "HttpOnly", f"SameSite={same_site}"]


CLEARED = [
    "__Host-access=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax",
    "__Host-refresh=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax",
]


def test_clear_headers_remove_both_cookies(cookies):
    """A cookie is removed with the attributes that it was set with."""
    assert values_of(cookies.clear_headers()) == CLEARED


def test_grant_without_refresh_token_removes_the_old_one(cookies):
    """A refresh token of an earlier user does not stay in the browser."""
    headers = values_of(cookies.set_headers({"access_token": make_token()}))

    assert headers[1] == CLEARED[1]


def test_cookie_that_browsers_would_drop_is_refused(clock):
    """A cookie of 4096 bytes is written. One of 4097 raises ValueError, which hides the token."""
    granted = {"access_token": make_token(pad="a" * 2000)}

    def cookie(name):
        return values_of(TokenCookies(name, clock=clock).set_headers(granted))[0]

    longest = "n" * (4096 - len(cookie("n")) + 1)

    assert len(cookie(longest)) == 4096
    with pytest.raises(ValueError, match=r"^access_token: its cookie would have 4097") as caught:
        cookie(longest + "n")
    assert granted["access_token"] not in str(caught.value)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("a.b.c; Domain=example.com", id="an attribute"),
        pytest.param(f"{make_token()}; Domain=example.com", id="an attribute after a token"),
        pytest.param(f"{make_token()}\r\nX: y", id="a line break"),
        pytest.param("opaque", id="opaque"),
        pytest.param("ä", id="beyond ASCII"),
        pytest.param(make_token(exp=None), id="no exp"),
        pytest.param(make_token(exp="soon"), id="exp as text"),
        pytest.param(make_token(exp=True), id="exp as bool"),
        pytest.param(sign_raw('{"exp":NaN}'), id="exp is not a number"),
        pytest.param(sign_raw("[1]"), id="a list"),
        pytest.param(make_token({"crit": ["b64"]}), id="a header that is not understood"),
        pytest.param(5, id="a number"),
    ],
)
@pytest.mark.parametrize("member", ["access_token", "refresh_token"])
def test_text_that_is_not_a_token_reaches_no_header(cookies, member, token):
    """Text that could add attributes to the cookie, and a token without an end, are refused."""
    granted = {"access_token": make_token()} | {member: token}

    with pytest.raises(ValueError, match=f"^{member}: this is not a JWT with exp") as caught:
        cookies.set_headers(granted)

    assert str(token) not in str(caught.value)


def sent(headers):
    """Return the Cookie header of a browser that got these headers."""
    jar = {name: value for header in values_of(headers) for name, value in cookie_of(header)}
    return "; ".join(f"{name}={value}" for name, value in jar.items())


def cookie_of(header):
    """Return name and value of a Set-Cookie header, as Werkzeug reads them."""
    return list(parse_cookie(header.partition(";")[0]).items())


def test_cookies_come_back_as_they_were_written(cookies, issuer):
    """`credential` and `refresh_token` read what `set_headers` has written."""
    granted = issuer.grant("alice")
    environ = request(sent(cookies.set_headers(granted)), site="same-origin")

    assert cookies.credential(environ) == granted["access_token"]
    assert cookies.refresh_token(environ) == granted["refresh_token"]


def test_missing_refresh_token_is_a_missing_token(cookies):
    """Without its cookie, or with a cleared one, `refresh_token` raises instead of returning."""
    for cookie in ("", sent(cookies.clear_headers()), "__Host-access=a.b.c"):
        with pytest.raises(MissingToken):
            cookies.refresh_token(request(cookie, "GET"))


@pytest.mark.parametrize(("headers", "counts"), REQUESTS.values(), ids=REQUESTS)
def test_both_cookies_and_a_login_are_protected_alike(cookies, headers, counts):
    """The refresh cookie, and a view that checks the origin only, follow the same rule."""
    environ = request("__Host-access=a; __Host-refresh=a", **headers)

    expected = "a" if counts else "csrf_failed"
    assert outcome(cookies.credential, environ) == expected
    assert outcome(cookies.refresh_token, environ) == expected
    assert outcome(cookies.check_origin, environ) == (None if counts else "csrf_failed")


def test_trusted_origin_may_use_both_cookies(cookies):
    """`trusted_origins` of TokenCookies applies to all that it reads."""
    environ = request("__Host-access=a; __Host-refresh=b", origin=APP, site="cross-site")

    assert cookies.check_origin(environ) is None
    assert cookies.credential(environ) == "a"
    assert cookies.refresh_token(environ) == "b"


POLICY = Policy(optional("/optional"), delegate("/delegate"))


@pytest.fixture
def app(verifier, cookies):
    """An application behind a header or a cookie."""
    credential = first_of(from_header, cookies.credential)
    return client(verifier, policy=POLICY, credential=credential)


def with_cookie(**headers):
    """Return the headers of a request with a good cookie."""
    return {"Cookie": f"__Host-access={make_token()}", "Sec-Fetch-Site": "cross-site"} | headers


def test_request_of_another_site_is_refused_without_challenge(app):
    """The answer is 403 and not 401, so that clients keep their tokens."""
    response = app.post("/", headers=with_cookie(), status=403)

    assert response.json["reason"] == "csrf_failed"
    assert "WWW-Authenticate" not in response.headers


def test_request_of_another_site_is_anonymous_where_a_token_is_optional(app):
    """On an optional path it goes on without the user. The same from our own site has one."""
    ours = with_cookie(**{"Sec-Fetch-Site": "same-origin"})

    assert app.post("/optional", headers=with_cookie()).json is None
    assert app.post("/optional", headers=ours).json["sub"] == "alice"


def test_application_is_told_where_it_decides(verifier, cookies):
    """Under a delegate rule the application gets the failure."""

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["jwt_middleware.error"].reason.encode()]

    app = client(verifier, app, policy=POLICY, credential=cookies.credential)

    assert app.post("/delegate", headers=with_cookie()).text == "csrf_failed"


def test_header_wins_over_cookie(app):
    """With a bearer token in the header the cookie counts for nothing, wherever it comes from."""
    assert app.post("/", headers=with_cookie(**bearer(make_token(sub="bob")))).json["sub"] == "bob"
    assert app.get("/", headers=with_cookie(Authorization="Basic x")).json["sub"] == "alice"
    app.get("/", headers=with_cookie(**bearer("a.b.c")), status=401)


def test_log_says_what_to_change(verifier, cookies, events):
    """The event of a refusal has a hint for the site's own developers."""
    app = client(verifier, credential=cookies.credential, on_event=events.append)
    app.post("/", headers=with_cookie(), status=403)

    assert events[0].reason == "csrf_failed"
    assert "trusted_origins" in events[0].hint


def test_application_may_check_the_origin_itself(verifier, cookies):
    """A login view has no cookie to read, and raises the same refusal."""

    def login(environ, start_response):
        cookies.check_origin(environ)
        start_response("204 No Content", [])
        return []

    app = client(verifier, login, policy=Policy(optional("/login")))

    app.post("/login", headers={"Origin": "http://localhost:80"}, status=204)
    app.post("/login", headers={"Origin": APP}, status=204)
    assert app.post("/login", status=403).json["reason"] == "csrf_failed"


def test_registry_has_the_class_for_cookies():
    """`CrossSiteRequest` needs no argument."""
    assert CrossSiteRequest().reason == "csrf_failed"
    assert not issubclass(CrossSiteRequest, InvalidRequest)
