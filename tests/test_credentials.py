"""Extractors: they find the text of the token in environ, or refuse the request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_middleware import AuthError, ConfigurationError, InvalidRequest, from_cookie, from_header

text = st.text(st.characters(codec="latin-1"))


@pytest.mark.parametrize(
    ("header", "token"),
    [
        pytest.param(None, None, id="no header"),
        pytest.param("", None, id="empty header"),
        pytest.param("Basic YTpi", None, id="another scheme"),
        pytest.param("Bearertoken", None, id="longer scheme"),
        pytest.param("token", None, id="no scheme"),
        pytest.param("Bearer a.b.c", "a.b.c", id="usual"),
        pytest.param("bearer a.b.c", "a.b.c", id="lower case"),
        pytest.param("BEARER a.b.c", "a.b.c", id="upper case"),
        pytest.param("Bearer    a.b.c", "a.b.c", id="several spaces"),
        pytest.param(" \tBearer a.b.c ", "a.b.c", id="space around the value"),
        pytest.param("Bearer a.b.c  ", "a.b.c", id="space after the token"),
        pytest.param("Bearer " + "a" * 65_529, "a" * 65_529, id="64 KiB in all"),
    ],
)
def test_from_header_finds_the_token(header, token):
    """A bearer token is found in each spelling that RFC 9110 allows."""
    environ = {} if header is None else {"HTTP_AUTHORIZATION": header}

    assert from_header(environ) == token


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param("Bearer", "credentials_malformed", id="no token"),
        pytest.param("Bearer ", "credentials_malformed", id="empty token"),
        pytest.param("Bearer a b", "credentials_malformed", id="two words"),
        pytest.param("Bearer a, Bearer b", "credentials_repeated", id="two headers joined"),
        pytest.param("Bearer a,Bearer b", "credentials_repeated", id="two headers joined tightly"),
        pytest.param("Bearer a,", "credentials_repeated", id="comma at the end"),
        pytest.param("bearer a, Basic b", "credentials_repeated", id="another scheme behind"),
        pytest.param(
            "Bearer " + "a" * 65_530, "token_too_large", id="a character more than 64 KiB"
        ),
    ],
)
def test_from_header_refuses_broken_credentials(header, reason):
    """A header with the scheme must have exactly one token."""
    with pytest.raises(InvalidRequest) as caught:
        from_header({"HTTP_AUTHORIZATION": header})

    assert caught.value.reason == reason


@given(text)
def test_from_header_survives_any_header(header):
    """Any header gives a token without separators, None, or an `InvalidRequest`."""
    try:
        token = from_header({"HTTP_AUTHORIZATION": header})
    except InvalidRequest:
        return

    assert token is None or (token and "," not in token and " " not in token)


def cookie_request(cookie="token=a.b.c", method="GET", **headers):
    return {
        "REQUEST_METHOD": method,
        "HTTP_COOKIE": cookie,
        "HTTP_HOST": "api.example.com",
        "wsgi.url_scheme": "https",
    } | headers


@pytest.mark.parametrize(
    ("cookie", "token"),
    [
        pytest.param("token=a.b.c", "a.b.c", id="alone"),
        pytest.param("x=1; token=a.b.c; y=2", "a.b.c", id="among others"),
        pytest.param("x=1;token=a.b.c", "a.b.c", id="without a space"),
        pytest.param("mytoken=a.b.c", None, id="a longer name"),
        pytest.param("Token=a.b.c", None, id="another case"),
        pytest.param("token=", None, id="empty"),
        pytest.param("", None, id="no cookie"),
    ],
)
def test_from_cookie_finds_the_named_cookie(cookie, token):
    """The token is the value of the cookie with exactly that name."""
    assert from_cookie("token")(cookie_request(cookie)) == token


def test_from_cookie_without_header_is_none():
    """A request without cookies has no token."""
    assert from_cookie("token")({"REQUEST_METHOD": "GET"}) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW", ""])
@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        pytest.param({}, False, id="no origin at all"),
        pytest.param({"HTTP_SEC_FETCH_SITE": "same-origin"}, True, id="same origin"),
        pytest.param({"HTTP_SEC_FETCH_SITE": "same-site"}, False, id="same site"),
        pytest.param({"HTTP_SEC_FETCH_SITE": "cross-site"}, False, id="cross site"),
        pytest.param({"HTTP_SEC_FETCH_SITE": "none"}, False, id="no site"),
        pytest.param({"HTTP_ORIGIN": "https://api.example.com"}, True, id="own Origin"),
        pytest.param(
            {"HTTP_ORIGIN": "http://api.example.com"}, False, id="Origin of another scheme"
        ),
        pytest.param(
            {"HTTP_ORIGIN": "https://evil.example.com"}, False, id="Origin of another host"
        ),
        pytest.param({"HTTP_ORIGIN": "null"}, False, id="null Origin"),
        pytest.param(
            {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "https://api.example.com"},
            False,
            id="cross site, own Origin",
        ),
    ],
)
def test_from_cookie_counts_for_unsafe_methods_from_the_same_origin_only(method, headers, counts):
    """The cookie does not count in a request that another site started (CSRF)."""
    assert from_cookie("token")(cookie_request(method=method, **headers)) == (
        "a.b.c" if counts else None
    )


def test_from_cookie_finds_the_token_in_64_kib():
    """Cookies of the maximum length are read."""
    cookies = f"token=a.b.c; x={'a' * 65_521}"

    assert len(cookies) == 65_536
    assert from_cookie("token")(cookie_request(cookies)) == "a.b.c"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_from_cookie_counts_for_safe_methods(method):
    """A user who follows a link from another site stays logged in."""
    assert (
        from_cookie("token")(cookie_request(method=method, HTTP_SEC_FETCH_SITE="cross-site"))
        == "a.b.c"
    )


@pytest.mark.parametrize(
    ("cookie", "reason"),
    [
        pytest.param("token=a; token=b", "credentials_repeated", id="twice"),
        pytest.param("token=a; token=a", "credentials_repeated", id="twice the same"),
        pytest.param("x=" + "a" * 65_535, "token_too_large", id="a character more than 64 KiB"),
    ],
)
def test_from_cookie_refuses_broken_credentials(cookie, reason):
    """Two cookies with the name are two credentials, and neither is chosen."""
    with pytest.raises(InvalidRequest) as caught:
        from_cookie("token")(cookie_request(cookie))

    assert caught.value.reason == reason


@given(text)
def test_from_cookie_survives_any_header(cookie):
    """Any cookie header gives a token, None, or an `AuthError`."""
    try:
        token = from_cookie("token")(cookie_request(cookie))
    except AuthError:
        return

    assert token is None or isinstance(token, str)


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a=b", 'a"b', "ä", None])
def test_from_cookie_with_impossible_name_is_refused(name):
    """A name that no cookie can have raises ConfigurationError."""
    with pytest.raises(ConfigurationError, match=r"^name: "):
        from_cookie(name)


def test_from_cookie_shows_nothing_of_a_request_it_was_mistaken_for():
    """If from_cookie is called with environ by mistake, the error does not show the credential."""
    with pytest.raises(
        ConfigurationError, match=r"^name: a dict is not the name of a cookie"
    ) as caught:
        from_cookie({"HTTP_AUTHORIZATION": "Bearer a.b.c"})

    assert "Bearer" not in str(caught.value)
