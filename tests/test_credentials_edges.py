"""Credentials: the edges of cookie names, and of what belongs to a token."""

import string

import pytest

from jwt_middleware import ConfigurationError, from_cookie, from_header

SAFE = {"REQUEST_METHOD": "GET"}


def is_name(text):
    """Tell whether a cookie may have this name."""
    try:
        from_cookie(text)
    except ConfigurationError:
        return False
    return True


def test_cookie_name_has_only_characters_of_a_token():
    """RFC 6265 §4.1.1: the name of a cookie is a token."""
    allowed = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"

    assert {c for c in map(chr, range(256)) if is_name(f"a{c}")} == set(allowed)


def test_wrong_cookie_name_is_in_the_message():
    """Who wrote the name sees it again."""
    with pytest.raises(ConfigurationError, match="'a b' is not the name of a cookie"):
        from_cookie("a b")


@pytest.mark.parametrize(
    ("cookies", "token"),
    [
        pytest.param("t=a=b==", "a=b==", id="equals signs in the value"),
        pytest.param("x=1;\tt=abc\t; y=2", "abc", id="tabs around a pair"),
        pytest.param("x=t; t=abc", "abc", id="name as a value"),
    ],
)
def test_cookie_is_cut_at_its_first_equals_sign(cookies, token):
    """The name ends at the first equals sign; white space around a pair does not count."""
    assert from_cookie("t")(SAFE | {"HTTP_COOKIE": cookies}) == token


@pytest.mark.parametrize(
    ("header", "token"),
    [
        pytest.param("Bearer  XabcX ", "XabcX", id="only spaces are removed"),
        pytest.param("bearer  XabcX ", "XabcX", id="only spaces are removed: bearer"),
        pytest.param("Basic Bearer ", None, id="another scheme that ends in Bearer"),
    ],
)
def test_header_is_cut_after_its_scheme(header, token):
    """The scheme is what the header begins with, and the token what follows, without spaces."""
    assert from_header({"HTTP_AUTHORIZATION": header}) == token
