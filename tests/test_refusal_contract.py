"""`RefusalContract`: it passes good applications, and finds each mistake of broken ones."""

import pytest
from webtest.lint import middleware as lint

from jwt_middleware import ASYMMETRIC, JWTMiddleware, Policy, require
from jwt_middleware.testing import FakeIssuer, FrozenClock, RefusalContract
from jwt_middleware.testing.forging import Good
from jwt_middleware.testing.refused_requests import REFUSED_REQUESTS
from tests.conftest import NOW, echo
from tests.refusing_apps import BROKEN, CHALLENGE, CarefulApp

pytest_plugins = ["jwt_middleware.testing.pytest_plugin"]


class TestOurs(RefusalContract):
    """The middleware keeps the contract, with lint on both of its sides."""

    @pytest.fixture
    def app(self, fake_issuer):
        return lint(JWTMiddleware(lint(echo), fake_issuer.verifier()))


class TestCareful(RefusalContract):
    """An application with another library keeps the contract, if it checks enough."""

    @pytest.fixture
    def app(self, fake_issuer):
        return CarefulApp(fake_issuer)


class TestOptions(RefusalContract):
    """Path, method, user, scopes, claims, headers and the clock are those of the application."""

    path = "/orders/ä?all=1"
    method = "DELETE"
    subject = "alice.of.wonderland"
    scopes = ("orders:write",)
    claims = {"tenant": "acme"}
    headers = {"X-Api-Version": "2"}
    skipped = {"identity-headers": "the clients do not matter here"}

    @pytest.fixture
    def fake_issuer(self):
        return FakeIssuer(clock=FrozenClock(NOW), audience=["https://a.example.com", "b"])

    @pytest.fixture
    def app(self, fake_issuer):
        def is_expected(token, environ):
            return (
                token.get("tenant") == "acme"
                and environ["HTTP_X_API_VERSION"] == "2"
                and environ["QUERY_STRING"].startswith("all=1")
            )

        policy = Policy(
            require("/orders/ä", methods=["DELETE"], scopes=["orders:write"], check=is_expected)
        )
        return JWTMiddleware(echo, fake_issuer.verifier(), policy=policy)


def run(app, issuer, contract=RefusalContract):
    """Run the tests of a contract; return those that fail with what they say."""
    tests, failures = contract(), {}
    for name in (name for name in dir(contract) if name.startswith("test_")):
        test = getattr(tests, name)
        cases = [{}]
        if hasattr(test, "pytestmark"):
            cases = [{"refused": refused} for refused in REFUSED_REQUESTS]
        for case in cases:
            key = "".join([name.removeprefix("test_"), *(f"[{r.id}]" for r in case.values())])
            fixtures = (
                {} if name.startswith("test_skipped") else {"app": app, "fake_issuer": issuer}
            )
            try:
                test(**fixtures, **case)
            except pytest.fail.Exception as failure:
                failures[key] = str(failure)
    return failures


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_mistake_is_found(kind, fake_issuer):
    """Each mistake fails the checks that are meant for it, and the good token still gets in."""
    failures = run(kind(fake_issuer), fake_issuer)

    assert set(BROKEN[kind]) <= failures.keys()
    assert ("good_token_gets_in" in failures) == (kind.__name__ == "RefusesAll")


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_contract_fits_each_algorithm(algorithm):
    """The requests can be made with each kind of key, and our middleware refuses them."""
    issuer = FakeIssuer(algorithm=algorithm)

    assert run(JWTMiddleware(echo, issuer.verifier()), issuer) == {}


def test_there_are_many_requests_with_names():
    """Each request has an id of its own, and texts that say what is wrong and what to do."""
    ids = [refused.id for refused in REFUSED_REQUESTS]

    assert len(ids) == len(set(ids)) >= 100
    assert all(
        text.endswith(".") and text[0].isupper()
        for refused in REFUSED_REQUESTS
        for text in (refused.problem, refused.remedy)
    )


def test_requests_differ_from_good_ones_in_one_respect(fake_issuer):
    """The tokens that are made by hand are accepted if nothing about them is wrong."""
    good, verifier = Good(fake_issuer, "alice"), fake_issuer.verifier()

    assert verifier.verify(good.sign(good.header(), good.claims())).subject == "alice"
    assert verifier.verify(good.resigned(bytes)).subject == "alice"


def test_messages_say_what_to_do(fake_issuer):
    """A failure names the problem, the answer and the remedy, and repeats no token."""
    broken = {kind.__name__: kind for kind in BROKEN}

    def message(name, check):
        return run(broken[name](fake_issuer), fake_issuer)[check]

    assert message("LeewayOfADay", "request_is_refused[expired-ten-minutes-ago]") == (
        "The token expired ten minutes ago. It was answered 200, and must be answered 400, 401 or"
        " 403. Allow clocks to differ by seconds, and by five minutes at the most."
    )
    assert "(it raised RecursionError)" in message(
        "CrashesOnNesting", "request_is_refused[header-deeply-nested]"
    )
    assert message("NoChallenge", "refusal_has_a_challenge[missing]") == (
        "The request has no credential. It was answered 401 without the challenge Bearer. Add the"
        ' header WWW-Authenticate: Bearer realm="..." to every 401.'
    )
    assert message("ReflectsToken", "refusal_leaks_nothing[expired]") == (
        "The token expired a year ago. The answer contains a part of the token. Send fixed texts,"
        " and write the details to the log."
    )
    assert "the value of a claim" in message("ReflectsClaims", "refusal_leaks_nothing[expired]")
    assert "a traceback" in message("ShowsTraceback", "refusal_leaks_nothing[expired]")
    assert "the key" in message("ShowsKey", "refusal_leaks_nothing[missing]")
    assert "was answered 401. Let the application trust" in message(
        "RefusesAll", "good_token_gets_in"
    )


def test_unknown_name_in_skipped_is_a_failure(fake_issuer):
    """A misspelled id would skip nothing, or hide that a request was renamed."""

    class Misspelled(RefusalContract):
        skipped = {"token-in-querry": "links"}

    with pytest.raises(pytest.fail.Exception, match="skipped: token-in-querry is not the id"):
        Misspelled().test_skipped_requests_exist()


def test_answer_is_read_as_a_server_reads_it(fake_issuer):
    """``write``, a second ``start_response`` and ``close`` are supported (PEP 3333)."""
    closed = []

    class Body:
        def __iter__(self):
            return iter([b" user"])

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("500 Error", [])
        start_response("401 Unauthorized", CHALLENGE, (None, None, None))(b"unknown")
        return Body()

    contract = RefusalContract()
    contract.subject = "unknown user"
    (missing,) = (refused for refused in REFUSED_REQUESTS if refused.id == "missing")

    contract.test_request_is_refused(app, fake_issuer, missing)
    with pytest.raises(pytest.fail.Exception, match="the value of a claim"):
        contract.test_refusal_leaks_nothing(app, fake_issuer, missing)
    assert closed == [True, True]


def test_application_that_never_answers_counts_as_500(fake_issuer):
    """An application must call ``start_response``."""
    failures = run(lambda environ, start_response: [], fake_issuer)

    assert "was answered 500 (it raised IndexError)" in failures["good_token_gets_in"]
