"""`Problems`: what a constructor says of a wrong argument."""

import pytest

from jwt_middleware import ConfigurationError
from jwt_middleware.arguments import Problems
from tests.conftest import NOT_SECONDS, NOT_WHOLE


@pytest.fixture
def problems():
    """A collector without problems."""
    return Problems()


def found(problems):
    """Return what was collected."""
    with pytest.raises(ConfigurationError) as caught:
        problems.raise_if_any()
    return caught.value.problems


@pytest.mark.parametrize("value", [0, 0.5, 1, 2**31 - 1])
def test_seconds_may_be_whole_or_not(problems, value):
    """A number of seconds is an int or a float, up to 2^31."""
    problems.seconds("a", value)

    assert problems.raise_if_any() is None


@pytest.mark.parametrize("value", NOT_SECONDS)
def test_wrong_seconds_are_named(problems, value):
    """The problem names the argument, and says what to write."""
    problems.seconds("a", value)

    (problem,) = found(problems)
    assert problem.startswith("a: ")
    assert problem.endswith("write a number of seconds, 0 or more and less than 2^31")


@pytest.mark.parametrize("value", [*NOT_WHOLE, 0])
def test_wrong_whole_number_is_named(problems, value):
    """A float or a bool is not a whole number here."""
    problems.whole("a", value, least=1)

    (problem,) = found(problems)
    assert problem.startswith("a: ")
    assert problem.endswith("write a whole number, 1 or more and less than 2^31")


@pytest.mark.parametrize("url", ["https://a.example/jwks.json", "https://a.example:8443"])
def test_https_url_has_no_problem(problems, url):
    """Keys are fetched over HTTPS."""
    problems.url("a", url, allow_http=False)

    assert problems.raise_if_any() is None


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(5, id="number"),
        pytest.param("a.example/jwks.json", id="no scheme"),
        pytest.param("https:///jwks.json", id="no host"),
        pytest.param("https://me:secret@a.example", id="password"),
        pytest.param("https://a.example:x", id="port"),
        pytest.param("https://a.example/#x", id="fragment"),
        pytest.param("https://a.example/ x", id="space"),
        pytest.param("http://a.example", id="http"),
        pytest.param("ftp://a.example", id="another scheme"),
    ],
)
def test_wrong_url_is_named(problems, url):
    """The problem says what to write, and does not repeat a password."""
    problems.url("a", url, allow_http=False)

    (problem,) = found(problems)
    assert problem.startswith("a: ")
    assert "https" in problem
    assert "secret" not in problem


def test_http_url_can_be_allowed(problems):
    """``allow_http=True`` is for development. A truthy value is not enough."""
    problems.url("a", "http://localhost", allow_http=True)
    problems.url("b", "http://localhost", allow_http=1)

    assert [problem[:2] for problem in found(problems)] == ["b:"]


def test_good_arguments_have_no_problem(problems):
    """Only wrong arguments are named, in the order of the checks."""
    problems.whole("a", 0, least=1)
    problems.whole("b", 1, least=1)
    problems.callables(c=None, d=len)
    problems.names("e", "text", "['x']")
    problems.names("f", ["x"], "['x']")

    assert [problem[:2] for problem in found(problems)] == ["a:", "c:", "e:"]


def test_long_value_is_not_repeated(problems):
    """A problem is one line that can be read."""
    problems.names("a", {"x" * 10_000: 1}, "['b']")

    assert found(problems) == ("a: this dict is not usable; write ['b']",)


def test_problems_are_reported_together(problems):
    """One error names all problems, and a program can show them one by one."""
    problems.add("a: wrong")
    problems.add("b: wrong", "c: wrong")

    with pytest.raises(ConfigurationError) as caught:
        problems.raise_if_any()

    assert caught.value.problems == ("a: wrong", "b: wrong", "c: wrong")
    assert str(caught.value) == "a: wrong; b: wrong; c: wrong"
    assert isinstance(caught.value, ValueError)
