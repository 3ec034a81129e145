"""Extractors: they find the text of the token in environ, or refuse the request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_middleware import ConfigurationError, InvalidRequest, first_of, from_header

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


def found(token):
    """Return an extractor that finds this token."""
    return lambda environ: token


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        pytest.param(["a", "b"], "a", id="both"),
        pytest.param([None, "b"], "b", id="second"),
        pytest.param(["", "b"], "", id="empty text is a token"),
        pytest.param([None, None], None, id="none"),
        pytest.param([None], None, id="only one"),
    ],
)
def test_first_of_takes_the_first_token(tokens, expected):
    """The first extractor that finds a token decides."""
    assert first_of(*map(found, tokens))({}) == expected


def test_first_of_asks_no_further_than_it_must():
    """If the header has a token, the cookie is not read, so it cannot refuse the request."""

    def refuse(environ):
        raise InvalidRequest("credentials_repeated")

    assert first_of(from_header, refuse)({"HTTP_AUTHORIZATION": "Bearer a"}) == "a"


def test_first_of_passes_a_refusal_on():
    """A broken header is refused, although there may be a good cookie."""
    with pytest.raises(InvalidRequest):
        first_of(from_header, found("a"))({"HTTP_AUTHORIZATION": "Bearer a b"})


@pytest.mark.parametrize("extractors", [[], [None], [from_header, "token"]])
def test_first_of_needs_extractors(extractors):
    """Without functions there is a ConfigurationError."""
    with pytest.raises(ConfigurationError, match=r"^extractors: "):
        first_of(*extractors)
