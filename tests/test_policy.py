"""`Policy`: which rule decides, ambiguous paths, and wrong rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_middleware import (
    AccessDenied,
    AccessToken,
    AmbiguousPath,
    ConfigurationError,
    InsufficientScope,
    MissingToken,
    Policy,
    delegate,
    optional,
    public,
    require,
)
from jwt_middleware.policy.paths import ambiguity, is_ordinary, path_info, reduced
from jwt_middleware.policy.rules import DELEGATED, OPTIONAL, PUBLIC, REQUIRED
from jwt_middleware.validators import claim_is


def mode(policy, path, method="GET"):
    """Return the mode of a request."""
    return policy.decide(method, path).mode


@pytest.mark.parametrize("path", ["/", "", "/a", "/a/b", "//"])
def test_empty_policy_protects_everything(path):
    """Without rules every request needs a token."""
    assert mode(Policy(), path) is REQUIRED


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        pytest.param("/health", "/health", True, id="exact"),
        pytest.param("/health", "/healthy", False, id="longer word"),
        pytest.param("/health", "/health/x", False, id="below exact"),
        pytest.param("/health", "/HEALTH", False, id="case counts"),
        pytest.param("/static/*", "/static", True, id="the prefix itself"),
        pytest.param("/static/*", "/static/a/b", True, id="below"),
        pytest.param("/static/*", "/static/", True, id="the prefix with a slash"),
        pytest.param("/static/*", "/staticfile", False, id="by segments only"),
        pytest.param("/*", "/", True, id="all: root"),
        pytest.param("/*", "/a/b", True, id="all: below"),
        pytest.param("/*", "", True, id="all: empty path"),
        pytest.param("/", "/", True, id="root"),
        pytest.param("/", "", True, id="root as empty path"),
        pytest.param("/", "/a", False, id="root only"),
        pytest.param("/docs/", "/docs/", True, id="slash at the end, as written"),
        pytest.param("/docs/", "/docs", False, id="slash at the end, left out"),
        pytest.param("/docs", "/docs/", False, id="slash at the end, added"),
        pytest.param(
            "/straße/東", path_info("/straße/東"), True, id="PATH_INFO is UTF-8 read as latin-1"
        ),
        pytest.param("/files/*", "/files/%2", True, id="percent sign"),
        pytest.param("/files/*", "/files/a.b/..c", True, id="dots that are no segment"),
        pytest.param("/files/*", path_info("/files/\xa0x"), True, id="beyond ASCII"),
    ],
)
def test_pattern_matches_exactly_or_by_segments(pattern, path, matches):
    """A pattern matches a whole path."""
    assert (mode(Policy(public(pattern)), path) is PUBLIC) is matches


AMBIGUOUS = {
    "/./admin": "a dot segment",
    "/admin/.": "a dot segment",
    "/public/../admin": "a dot segment",
    "/public/..;x=1/admin": "a dot segment",
    "/public/.;/admin": "a dot segment",
    "/public/..%3bx/admin": "a dot segment",
    "/public/..%253Bx": "a dot segment",
    "../admin": "a dot segment",
    "/public/..\\admin": "a backslash",
    "\\admin": "a backslash",
    "/adm\x00in": "a control character",
    "/admin\n": "a control character",
    "/adm\x7fin": "a control character",
    "/adm\xc2\x85in": "a control character",
    "/public/%2e%2e/admin": "still encoded",
    "/public/%2E./admin": "still encoded",
    "/public%2f..": "still encoded",
    "/public%5Cadmin": "still encoded",
    "/admin%00": "still encoded",
    "/public/%252e%252E/admin": "still encoded",
    "/public%25252fadmin": "still encoded",
    "/ad\xffmin": "not UTF-8",
    "/ad\xc0\xaemin": "not UTF-8",
    "/ad\xed\xa0\x80min": "not UTF-8",
    "/ad\u0142min": "not UTF-8",
}
LENIENT = [
    "//admin",
    "/admin/",
    "/admin//",
    "///admin",
    "admin",
    "admin/",
    "/@@admin",
    "//@@admin/",
    "/@@/admin",
]


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "get"])
@pytest.mark.parametrize("path", AMBIGUOUS)
def test_ambiguous_path_is_refused_under_every_rule(path, method):
    """A path that applications read in different ways is refused under each kind of rule."""
    for policy in (
        Policy(require("/admin"), public("/*")),
        Policy(public("/admin")),
        Policy(delegate("/public/*")),
    ):
        with pytest.raises(AmbiguousPath):
            policy.decide(method, path)


@pytest.mark.parametrize(("path", "problem"), AMBIGUOUS.items())
def test_ambiguity_says_why(path, problem):
    """The operator sees what is wrong with a path."""
    assert problem in ambiguity(path)


def test_explain_says_why_a_path_is_ambiguous():
    """A refused path is explained too, also one with a surrogate."""
    policy = Policy(public("/a"))

    assert (
        policy.explain("GET", "/a/..")
        == "GET '/a/..' is refused with 400 path_ambiguous: it contains a dot segment"
    )
    assert policy.explain("GET", "/\udcff").endswith("path_ambiguous: it is not UTF-8")


@pytest.mark.parametrize("path", [*AMBIGUOUS, "no-slash", "*", ""])
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(Policy(), REQUIRED, id="no rules"),
        pytest.param(Policy(public("/*")), PUBLIC, id="everything public"),
        pytest.param(
            Policy(require("/*", methods=["POST"], scopes=["w"]), optional("/*", methods=["GET"])),
            OPTIONAL,
            id="methods",
        ),
    ],
)
def test_policy_that_does_not_depend_on_paths_refuses_none(policy, expected, path):
    """If the decision is the same for all paths, a second meaning changes nothing."""
    assert mode(policy, path) is expected


def test_rule_for_everything_covers_paths_without_a_slash():
    """A rule for ``/*`` covers a path without a leading slash too."""
    decision = Policy(require("/*", scopes=["a"])).decide("GET", "admin")

    assert [rule.scopes for rule in decision.rules] == [("a",)]


@pytest.mark.parametrize("path", LENIENT)
@pytest.mark.parametrize("pattern", ["/admin", "/admin/", "/admin/*", "/@@admin"])
def test_rule_that_asks_for_something_covers_all_spellings(pattern, path):
    """Added slashes and view selectors do not avoid a rule."""
    decision = Policy(require(pattern, scopes=["admin"]), public("/*")).decide("GET", path)

    assert decision.mode is REQUIRED
    assert ("admin",) in [rule.scopes for rule in decision.rules]


def test_rule_with_a_slash_at_its_end_covers_the_path_without():
    """Some applications serve one page with and without a trailing slash."""
    assert mode(Policy(require("/admin/"), public("/*")), "/admin") is REQUIRED


@pytest.mark.parametrize("path", LENIENT)
def test_rule_that_lets_through_covers_only_what_it_says(path):
    """Another spelling of a public path still needs a token."""
    assert mode(Policy(public("/admin")), path) is REQUIRED


def test_other_spelling_below_one_public_prefix_stays_public():
    """If both spellings are public, there is nothing to protect."""
    assert mode(Policy(public("/static/*")), "/static//a/b/") is PUBLIC


def test_path_judged_twice_must_satisfy_both_rules():
    """A request that matches two rules in its two spellings needs the scopes of both."""
    policy = Policy(require("/a/b", scopes=["page"]), require("/a/*", scopes=["folder"]))

    decision = policy.decide("GET", "/a//b")

    assert [rule.scopes for rule in decision.rules] == [("folder",), ("page",)]


@pytest.mark.parametrize("path", ["//a//", "//a", "/@@a/"])
@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([public("/a"), require("/a/*", scopes=["s"])], id="open without the slash"),
        pytest.param([public("/a/"), require("/a/*", scopes=["s"])], id="open with the slash"),
        pytest.param(
            [require("/a/", scopes=["t"]), require("/a/*", scopes=["s"])], id="two scopes"
        ),
    ],
)
def test_merged_slashes_get_what_either_form_needs(rules, path):
    """An application may keep or drop the last slash, so the request needs what both paths need."""
    assert ("s",) in [rule.scopes for rule in Policy(*rules).decide("GET", path).rules]


@pytest.mark.parametrize("path", ["/@@a/b", "/@@a//b"])
def test_selector_that_a_rule_opens_is_open(path):
    """A path is open if a rule opens it and its reduced form matches no rule."""
    assert mode(Policy(public("/@@a/*")), path) is PUBLIC


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([public("/a/b"), optional("/a/*")], OPTIONAL, id="public and optional"),
        pytest.param([optional("/a/b"), public("/a/*")], OPTIONAL, id="optional and public"),
        pytest.param([delegate("/a/b"), optional("/a/*")], OPTIONAL, id="delegate and optional"),
        pytest.param([public("/a/b"), delegate("/a/*")], DELEGATED, id="public and delegate"),
        pytest.param([delegate("/a/b"), require("/a/*")], REQUIRED, id="delegate and require"),
    ],
)
def test_path_judged_twice_gets_the_stricter_mode(rules, expected):
    """Of two decisions the stricter mode counts."""
    assert mode(Policy(*rules), "/a//b") is expected


segments = st.lists(
    st.sampled_from(
        [
            "a",
            "admin",
            ".",
            "..",
            "",
            "@@admin",
            "%2e%2e",
            "%2F",
            "\\",
            "\x00",
            ";x",
            "Ã¤",
            "\xe4",
            "..;",
            "@@",
        ]
    ),
    max_size=6,
)


@given(segments.map("/".join) | st.text(st.characters(codec="latin-1"), max_size=20))
def test_public_means_public_in_both_spellings(path):
    """A path is public only if its reduced form is public too."""
    policy = Policy(require("/admin/*"), public("/a/*", "/"))
    try:
        decision = policy.decide("GET", path)
    except AmbiguousPath:
        assert ambiguity(path)
        return

    assert ambiguity(path or "/") is None
    if decision.mode is PUBLIC:
        assert mode(policy, reduced(path)) is PUBLIC


@given(segments.map("/".join) | st.text(st.characters(codec="latin-1"), max_size=30))
def test_ordinary_path_is_unambiguous_and_reduced(path):
    """An ordinary path needs no further checks."""
    if is_ordinary(path):
        assert ambiguity(path) is None
        assert reduced(path) == path


@given(st.text(st.characters(codec="latin-1"), max_size=30))
def test_reduced_path_has_neither_empty_segments_nor_selectors(path):
    """Nothing else is removed from a path."""
    once = reduced(path)

    assert once[0] == "/"
    assert "" not in once[1:].split("/") or once == "/"
    assert once.replace("/", "").replace("@@", "") == path.replace("/", "").replace("@@", "")


@pytest.mark.parametrize("method", ["post", "Post", "pOST"])
def test_method_in_small_letters_gets_no_milder_rule(method):
    """Frameworks serve "post" as POST, so it needs what POST needs."""
    policy = Policy(
        require("/orders/*", methods=["POST"], scopes=["orders:write"]),
        public("/orders/*", methods=["GET"]),
    )

    decision = policy.decide(method, "/orders/7")

    assert decision.mode is REQUIRED
    assert ("orders:write",) in [rule.scopes for rule in decision.rules]
    assert policy.decide("GET", "/orders/7").mode is PUBLIC


def test_method_in_small_letters_passes_where_all_methods_do():
    """A path that is public for all methods is public for "get" too."""
    assert mode(Policy(public("/health")), "/health", "get") is PUBLIC


def test_first_matching_rule_decides():
    """A narrow exception goes before the wide rule."""
    policy = Policy(require("/static/private/*"), public("/static/*"), optional("/*"))

    assert [mode(policy, path) for path in ("/static/private/x", "/static/x", "/x")] == [
        REQUIRED,
        PUBLIC,
        OPTIONAL,
    ]


@pytest.mark.parametrize(
    ("methods", "method", "matches"),
    [
        pytest.param(None, "BREW", True, id="all methods"),
        pytest.param(["GET"], "GET", True, id="GET"),
        pytest.param(["GET"], "HEAD", True, id="HEAD follows GET"),
        pytest.param(["HEAD"], "GET", False, id="GET does not follow HEAD"),
        pytest.param(["GET"], "POST", False, id="another method"),
        pytest.param(["GET", "POST"], "POST", True, id="one of several"),
        pytest.param(["GET"], "get", False, id="methods have case"),
        pytest.param(["GET"], "", False, id="no method"),
    ],
)
def test_methods_limit_a_rule(methods, method, matches):
    """A rule applies to its methods only."""
    assert (mode(Policy(public("/x", methods=methods)), "/x", method) is PUBLIC) is matches


def permits(rule, claims, environ=None):
    """Return what the rule raises for a token with these claims, or None."""
    try:
        rule.authorize(AccessToken(claims, {}), environ or {})
    except (InsufficientScope, AccessDenied, MissingToken) as error:
        return error
    return None


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        pytest.param("a b x", True, id="all and one"),
        pytest.param("a b x y", True, id="all and both"),
        pytest.param("a b", False, id="all and none"),
        pytest.param("a x", False, id="not all"),
        pytest.param("", False, id="empty"),
        pytest.param(None, False, id="no scope claim"),
    ],
)
def test_require_wants_all_scopes_and_one_of_any(scope, granted):
    """All of `scopes`, and at least one of `any_scope`."""
    rule = require("/x", scopes=["a", "b"], any_scope=["x", "y"])
    error = permits(rule, {} if scope is None else {"scope": scope})

    assert (error is None) is granted
    assert granted or error.scopes == ("a", "b", "x", "y")


@pytest.mark.parametrize(
    ("rule", "scope", "granted"),
    [
        pytest.param(require("/x", any_scope=["x", "y"]), "a y", True, id="any: one of them"),
        pytest.param(require("/x", any_scope=["x", "y"]), "a", False, id="any: none of them"),
        pytest.param(require("/x", scopes=["a", "b"]), "b a", True, id="all: both"),
        pytest.param(require("/x", scopes=["a", "b"]), "a x", False, id="all: one of them"),
    ],
)
def test_require_checks_either_kind_of_scopes_alone(rule, scope, granted):
    """`scopes` and `any_scope` are checked independently."""
    assert (permits(rule, {"scope": scope}) is None) is granted


def not_awaited():
    """Return a closed coroutine, of which Python does not warn."""

    async def verdict():
        return False

    coroutine = verdict()
    coroutine.close()
    return coroutine


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        pytest.param(lambda token, environ: True, None, id="true"),
        pytest.param(lambda token, environ: environ["user"] == token.subject, None, id="sees both"),
        pytest.param(lambda token, environ: False, "check_failed", id="false"),
        pytest.param(lambda token, environ: None, "check_failed", id="forgotten return"),
        pytest.param(lambda token, environ: token.claims["nope"], "check_failed", id="exception"),
        pytest.param(lambda token, environ: "false", "check_failed", id="text that says no"),
        pytest.param(
            lambda token, environ: (role == "admin" for role in ["user"]),
            "check_failed",
            id="generator",
        ),
        pytest.param(
            lambda token, environ: claim_is("role", "admin"), "check_failed", id="forgotten call"
        ),
        pytest.param(lambda token, environ: not_awaited(), "check_failed", id="forgotten await"),
    ],
)
def test_check_must_approve(check, reason):
    """Access is denied unless a check returns True, because many wrong answers are truthy."""
    error = permits(require("/x", check=check), {"sub": "alice"}, {"user": "alice"})

    assert (error.reason if error else None) == reason


def test_check_may_choose_its_own_failure():
    """If a check raises an `AuthError`, that is the answer."""

    def check(token, environ):
        raise MissingToken

    assert isinstance(permits(require("/x", check=check), {}), MissingToken)


def test_check_that_breaks_keeps_its_cause():
    """The exception of a check is the cause of the refusal."""
    error = permits(require("/x", check=lambda token, environ: 1 / 0), {})

    assert isinstance(error.__cause__, ZeroDivisionError)


NO_RULE = "needs a valid token: no rule matches"
ORDERS = "rule 2, require('/orders/*', methods=['POST'], scopes=['orders:write'])"
SPECIAL = "rule 5, require('/special', any_scope=['a', 'b'], check=approve)"
DELEGATE = "passes, and the application is told whether its token is good: rule 4, delegate('/mcp')"
EXPLANATIONS = {
    "GET '/health'": "passes without a token: rule 1, public('/health')",
    "GET '/x'": NO_RULE,
    "POST '/orders/1'": f"needs a valid token: {ORDERS}",
    "GET '/me'": "passes without a token or with a valid one: rule 3, optional('/me', '/you')",
    "GET '/mcp'": DELEGATE,
    "GET '/special/'": f"(judged also as '/special') needs a valid token: {SPECIAL}",
    "GET '/grüße'": NO_RULE,
    "GET ''": NO_RULE,
}


@pytest.mark.parametrize(("request_line", "expected"), EXPLANATIONS.items())
def test_explain_names_the_deciding_rule(request_line, expected):
    """`explain` tells the operator which rule decides."""

    def approve(token, environ):
        return True

    policy = Policy(
        public("/health"),
        require("/orders/*", methods=["POST"], scopes=["orders:write"]),
        optional("/me", "/you"),
        delegate("/mcp"),
        require("/special", any_scope=["a", "b"], check=approve),
    )

    method, path = request_line.replace("'", "").split(" ")

    assert policy.explain(method, path) == f"{request_line} {expected}"


def test_explain_judges_once_where_paths_do_not_matter():
    """If paths do not matter, `explain` does not mention other spellings."""
    assert (
        Policy(public("/*")).explain("GET", "/a/../b/")
        == "GET '/a/../b/' passes without a token: rule 1, public('/*')"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: public(), "paths: a rule needs at least one", id="no path"),
        pytest.param(
            lambda: public("health"),
            "paths: 'health' can never match as written; write '/health'",
            id="no slash",
        ),
        pytest.param(lambda: public("/a//b"), "write '/a/b'", id="double slash"),
        pytest.param(
            lambda: public("/a/../b"),
            "because such paths are refused: it contains a dot segment",
            id="dot segments",
        ),
        pytest.param(
            lambda: public("/a/%2e"),
            "because such paths are refused: it contains a dot, slash",
            id="encoded",
        ),
        pytest.param(
            lambda: public("/a\udc80"),
            "because such paths are refused: it is not UTF-8",
            id="raw byte",
        ),
        pytest.param(lambda: public("/a/*/b"), "not its last segment", id="star in the middle"),
        pytest.param(lambda: public("/a*"), "not its last segment", id="star within a segment"),
        pytest.param(lambda: public("*"), "not its last segment", id="star alone"),
        pytest.param(lambda: public(""), "can never match", id="empty"),
        pytest.param(
            lambda: require("/a/<int:id>"),
            "'/a/<int:id>' is a pattern of a router",
            id="pattern of Flask",
        ),
        pytest.param(
            lambda: require("/a/{id}"), "'/a/{id}' is a pattern of a router", id="pattern of Falcon"
        ),
        pytest.param(lambda: public(["/a"]), "a list is not a path", id="list"),
        pytest.param(
            lambda: public("/a", methods=["get"]),
            "methods: ['get'] are not HTTP methods",
            id="lower case",
        ),
        pytest.param(
            lambda: public("/a", methods=[]), "methods: [] are not HTTP methods", id="no methods"
        ),
        pytest.param(
            lambda: public("/a", methods="GET"),
            "methods: 'GET' is not a list; write e.g. ['GET']",
            id="method as a str",
        ),
        pytest.param(
            lambda: public("/a", methods=[5]),
            "methods: [5] are not HTTP methods",
            id="method a number",
        ),
        pytest.param(
            lambda: require("/a", scopes="a b"),
            "scopes: 'a b' is not a list; write e.g. ['a b']",
            id="scopes as a str",
        ),
        pytest.param(
            lambda: require("/a", scopes=["a b"]),
            "scopes: 'a b' is not a scope",
            id="two scopes in one",
        ),
        pytest.param(
            lambda: require("/a", any_scope=["ä"]), "scopes: 'ä' is not a scope", id="not ASCII"
        ),
        pytest.param(
            lambda: require("/a", scopes=[None]), "scopes: None is not a scope", id="no scope"
        ),
        pytest.param(
            lambda: public("/a", methods=5), "methods: 5 is not a list", id="methods a number"
        ),
        pytest.param(
            lambda: require("/a", scopes=5), "scopes: 5 is not a list", id="scopes a number"
        ),
        pytest.param(
            lambda: require("/a", any_scope=b"a"),
            "any_scope: b'a' is not a list",
            id="scopes as bytes",
        ),
        pytest.param(lambda: require("/a", check=5), "check: an int is not callable", id="check"),
        pytest.param(lambda: Policy("/health"), "rules: a str is not a rule", id="path as rule"),
        pytest.param(
            lambda: Policy(require("/a/*", methods=["GET"]), public("/*")),
            "protects only GET, HEAD, and public('/*') opens every other method of '/a/*'",
            id="other methods open",
        ),
        pytest.param(
            lambda: Policy(require("/a", methods=["POST"]), optional("/a")),
            "opens every other method",
            id="optional",
        ),
        pytest.param(
            lambda: Policy(
                require("/a", methods=["POST"]), require("/a", methods=["PUT"]), delegate("/a/*")
            ),
            "opens every other method",
            id="delegated, after two rules",
        ),
        pytest.param(
            lambda: Policy(public("/a"), require("/a")),
            "'/a' in require('/a') is never reached",
            id="conflict",
        ),
        pytest.param(lambda: Policy(public("/a"), public("/a")), "never reached", id="twice"),
        pytest.param(
            lambda: Policy(public("/a"), require("/a/")),
            "'/a' and '/a/' are one page",
            id="protected but for a slash",
        ),
        pytest.param(
            lambda: Policy(public("/a/"), require("/a")),
            "'/a/' and '/a' are one page",
            id="public but for a slash",
        ),
        pytest.param(
            lambda: Policy(
                public("/a", methods=["GET", "PUT"]), require("/a/", methods=["PUT", "POST"])
            ),
            "'/a' and '/a/' are one page",
            id="one method in common but for a slash",
        ),
        pytest.param(
            lambda: Policy(public("/@@a"), require("/a")),
            "'/@@a' and '/a' are one page",
            id="selector of a page",
        ),
        pytest.param(
            lambda: Policy(public("/@@a/*"), require("/a/b")),
            "are one page",
            id="selector above a page",
        ),
        pytest.param(
            lambda: Policy(require("/a/*"), public("/@@a")),
            "are one page",
            id="selector of a folder",
        ),
        pytest.param(lambda: Policy(public("/a", "/a")), "never reached", id="twice in one rule"),
        pytest.param(
            lambda: Policy(public("/a/*"), require("/a/*")), "never reached", id="prefix twice"
        ),
        pytest.param(
            lambda: Policy(public("/*"), require("/admin/*")),
            "never reached",
            id="behind a wider rule",
        ),
        pytest.param(
            lambda: Policy(public("/a/*"), require("/a")),
            "never reached",
            id="prefix covers itself",
        ),
        pytest.param(
            lambda: Policy(public("/a/*"), require("/a/")),
            "never reached",
            id="prefix covers its slash",
        ),
        pytest.param(
            lambda: Policy(public("/a"), require("/a", methods=["POST"])),
            "never reached",
            id="methods behind all methods",
        ),
        pytest.param(
            lambda: Policy(public("/a", methods=["GET"]), require("/a", methods=["HEAD"])),
            "never reached",
            id="HEAD behind GET",
        ),
        pytest.param(
            lambda: Policy(
                public("/*", methods=["GET"]),
                public("/a", methods=["POST"]),
                require("/a", methods=["GET", "POST"]),
            ),
            "never reached",
            id="methods covered by two rules",
        ),
    ],
)
def test_rule_that_cannot_work_is_refused(make, message):
    """A rule that is malformed or can never apply raises ConfigurationError."""
    with pytest.raises(ConfigurationError) as caught:
        make()

    assert message in str(caught.value)


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([public("/a"), require("/a/*")], id="narrow before wide"),
        pytest.param([public("/a", methods=["GET"]), require("/a")], id="some methods before all"),
        pytest.param(
            [public("/a", methods=["GET"]), require("/a", methods=["GET", "POST"])],
            id="one method left",
        ),
        pytest.param([public("/a"), public("/a/")], id="with and without slash"),
        pytest.param(
            [public("/a", methods=["GET"]), require("/a/", methods=["POST"])],
            id="slash for another method",
        ),
        pytest.param([public("/a/"), require("/a/*")], id="slash before all below"),
        pytest.param([public("/@@a"), require("/*")], id="one selector open"),
        pytest.param([public("/a/*"), require("/ab/*")], id="neighbours"),
        pytest.param([require("/a"), public("/*")], id="all the rest"),
        pytest.param(
            [require("/a", methods=["POST"]), optional("/a", methods=["GET"])],
            id="each method for itself",
        ),
        pytest.param(
            [require("/a", methods=["POST"]), require("/a/*"), public("/*")],
            id="other methods protected",
        ),
        pytest.param([require("/a/*", methods=["POST"]), public("/a/b")], id="one page below open"),
    ],
)
def test_rules_that_can_apply_are_accepted(rules):
    """Rules may overlap in part."""
    assert Policy(*rules).rules == tuple(rules)


def test_problems_of_a_rule_are_reported_together():
    """One error names all problems of a rule."""
    with pytest.raises(ConfigurationError) as caught:
        require("x", methods=["get"], scopes=[""], check=5)

    named = sorted(problem.partition(":")[0] for problem in caught.value.problems)

    assert named == ["check", "methods", "paths", "scopes"]
