"""`Policy`: the edges of methods, paths and contradictions, and what is remembered."""

import string
import unicodedata
from functools import partial

import pytest

from jwt_middleware import (
    AccessDenied,
    AccessToken,
    ConfigurationError,
    Policy,
    delegate,
    optional,
    public,
    require,
)
from jwt_middleware.errors import AmbiguousPath
from jwt_middleware.policy.paths import ambiguity, is_ordinary, path_info, reduced
from jwt_middleware.policy.rules import PUBLIC, REQUIRED

BYTES = [chr(code) for code in range(256)]


def is_valid(*paths, **options):
    """Tell whether a rule can be made."""
    try:
        public(*(paths or ["/"]), **options)
    except ConfigurationError:
        return False
    return True


def problems(*rules):
    """Return what is wrong with a policy."""
    with pytest.raises(ConfigurationError) as caught:
        Policy(*rules)
    return caught.value.problems


@pytest.mark.parametrize(
    ("method", "allowed"),
    [
        pytest.param("{}", string.ascii_uppercase, id="alone"),
        pytest.param("A{}", string.ascii_uppercase, id="at the end"),
        pytest.param("A{}B", string.ascii_uppercase + "-_", id="inside"),
        pytest.param("A-{}", string.ascii_uppercase, id="after a hyphen"),
        pytest.param("A_B{}", string.ascii_uppercase, id="in a second word"),
    ],
)
def test_method_is_written_in_capitals(method, allowed):
    """Words of capitals, with hyphens or underscores between them, are methods."""
    found = {c for c in BYTES if is_valid(methods=[method.format(c)])}

    assert found == set(allowed)


@pytest.mark.parametrize("character", "<>{}")
def test_pattern_of_a_router_is_refused(character):
    """Each bracket of a router's pattern is noticed by itself."""
    assert not is_valid(f"/a{character}b")


def test_ordinary_path_has_only_visible_characters():
    """Everything that a server may read in two ways needs a closer look."""
    visible = {chr(code) for code in range(0x21, 0x7F)}

    assert {c for c in BYTES if is_ordinary(f"/a{c}")} == visible - set("%/\\")
    assert {c for c in BYTES if is_ordinary(f"/{c}a/b")} == visible - set("%/\\.@")


@pytest.mark.parametrize("path", ["/{}", "/{}a", "/a{}", "/a{}b", "/a/{}/b"])
def test_ordinary_path_is_never_ambiguous(path):
    """The quick check never lets a path through that the closer look would refuse."""
    paths = [path.format(c) for c in BYTES]

    assert [p for p in paths if is_ordinary(p) and (ambiguity(p) or reduced(p) != p)] == []


def test_every_control_character_is_ambiguous():
    """Some servers drop control characters, those of Unicode (C1) included."""
    found = {
        c for c in BYTES if ambiguity(path_info(f"/a{c}")) == "it contains a control character"
    }

    assert found == {c for c in BYTES if unicodedata.category(c) == "Cc"}


@pytest.mark.parametrize("path", ["/a\\b", "/a%2fb", "/a/../b", "/a\x00b", "/\xff", "/a\x7fb"])
def test_ambiguous_path_is_not_decided(path):
    """No rule is chosen for a path with two meanings."""
    with pytest.raises(AmbiguousPath):
        Policy(public("/a/*")).decide("GET", path)


def test_each_contradiction_is_told_once():
    """A rule that is never reached is one problem, however mild the rule before it is."""
    assert len(problems(public("/a"), require("/a", methods=["POST"]))) == 1


def test_wide_rule_contradicts_an_earlier_page_that_is_spelled_apart():
    """The page of the first rule is below the second one, for applications that ignore @@."""
    assert "are one page" in problems(public("/@@a/b"), require("/a/*"))[0]


@pytest.mark.parametrize("mild", [public, optional, delegate])
def test_rule_that_protects_nothing_may_leave_methods_open(mild):
    """Only a rule that requires a token is pointless if a later rule opens the other methods."""
    policy = Policy(mild("/a", methods=["POST"]), public("/a"))

    assert policy.decide("PUT", "/a").mode is PUBLIC


def test_rule_with_a_trailing_slash_covers_the_path_without_it():
    """The scopes of a rule hold for all spellings of its path."""
    rule = require("/admin/", scopes=["admin"])

    assert Policy(rule).decide("GET", "/admin").rules == (rule,)


def test_public_rule_with_a_trailing_slash_is_public_as_written():
    """The rule for everything else does not close the page that is written in a rule."""
    policy = Policy(public("/docs/"), require("/*"))

    assert policy.decide("GET", "/docs/").mode is PUBLIC
    assert policy.decide("GET", "/docs").mode is REQUIRED


@pytest.mark.parametrize(
    ("length", "remembered"),
    [pytest.param(256, True, id="256"), pytest.param(257, False, id="257")],
)
def test_long_requests_are_not_remembered(length, remembered):
    """Clients choose long paths, so a decision on one is made each time."""
    policy = Policy(public("/a"))
    path = "//".ljust(length - len("GET"), "a")

    assert (policy.decide("GET", path) is policy.decide("GET", path)) is remembered


def test_explanation_names_all_rules_that_decide():
    """Two rules that both count are joined, and an empty path is the root."""
    policy = Policy(require("/a", scopes=["x"]), public("/"), require("/*", scopes=["y"]))

    assert policy.explain("GET", "") == "GET '' passes without a token: rule 2, public('/')"
    assert policy.explain("GET", "/a/") == (
        "GET '/a/' (judged also as '/a') needs a valid token:"
        " rule 3, require('/*', scopes=['y']) and rule 1, require('/a', scopes=['x'])"
    )


def test_check_without_a_name_is_shown_as_callable():
    """A rule with a partial function can be shown."""
    rule = require("/a", check=partial(lambda answer, *_: answer, True))

    assert str(rule) == "require('/a', check=callable)"


@pytest.mark.parametrize("answer", [None, False])
def test_check_that_answers_no_denies_without_a_cause(answer):
    """A check without a `return` denies access; it has not failed."""
    rule = require("/a", check=lambda token, environ: answer)

    with pytest.raises(AccessDenied) as caught:
        rule.authorize(AccessToken({}, {}), {})

    assert caught.value.__cause__ is None
