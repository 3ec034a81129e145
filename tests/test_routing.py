"""No spelling of a request reaches a view without the token that its rule requires."""

import logging
from functools import partial

import pytest
from webtest import TestApp
from webtest.lint import middleware as lint

from tests.conftest import bearer
from tests.routing import COUNT, VARIANTS, Shell, Variant, explore, guard, send
from tests.routing_apps import PATHS, bottle_mounted_app
from tests.routing_policies import CREDENTIALS, NO_BAD_TOKEN, NOTHING, canonical
from tests.routing_spellings import Spelling

REFUSALS = {204, 400, 401, 403, 503}


class Explored:
    """One application, bare and behind each policy, and the views that each spelling reaches."""

    def __init__(self, name, variant):
        self.variant = variant
        self.app = Shell(variant.make())
        self.cases = variant.cases()
        self.guarded = {key: guard(self.app, case.policy) for key, case in self.cases.items()}
        self.found = explore(self.app, name, variant.mount, variant.slash)

    def requests(self):
        """Yield each policy with each spelling that reaches a view in the bare application."""
        for name, case in self.cases.items():
            for spelling, views in self.found:
                if views:
                    yield name, case, spelling, views

    def bypasses(self, requests):
        """Yield each request that ran a view without a sufficient credential."""
        for name, case, spelling, views in requests:
            for who, credential in CREDENTIALS.items():
                if all(credential.satisfies(need) for need in needs(case, views)):
                    continue
                outcome = send(self.guarded[name], spelling, credential.token)
                for wrong in wrongs(case, credential, outcome):
                    yield name, who, spelling, wrong


@pytest.fixture(scope="module", autouse=True)
def quiet():
    """Frameworks log every unknown path."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module", params=VARIANTS)
def explored(request, quiet):
    """Each application in turn."""
    return Explored(request.param, VARIANTS[request.param])


def wrongs(case, credential, outcome):
    """Yield what is wrong with a view that ran."""
    for ran in outcome.ran:
        need = case.need_of(ran.view, ran.method)
        if not credential.satisfies(need):
            yield f"{ran.view} asks for {need}"
        if ran.claims not in (None, credential.claims):
            yield f"{ran.view} saw claims that were not sent"
        if ran.claims is None and need not in {NOTHING, NO_BAD_TOKEN}:
            yield f"{ran.view} saw no claims"


def shown(problems):
    """Shorten a list of problems for a report."""
    return problems[:10] + [f"... {len(problems)} in all"] * (len(problems) > 10)


def test_no_spelling_reaches_a_view_without_what_its_rule_asks_for(explored):
    """A view never runs without a sufficient credential, and sees only the claims of the token."""
    requests = [request for request in explored.requests() if not is_preflight(request[2])]

    bypasses = list(explored.bypasses(requests))

    assert shown(bypasses) == []


def test_no_preflight_runs_a_view_without_what_its_rule_asks_for(explored):
    """Browsers send preflights without credentials, so no view may run."""
    requests = [request for request in explored.requests() if is_preflight(request[2])]

    bypasses = list(explored.bypasses(requests))

    assert requests
    assert shown(bypasses) == []


def is_preflight(spelling):
    """Tell whether a browser sends such a request before another."""
    asks = "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in dict(spelling.headers)
    return spelling.method.upper() == "OPTIONS" and asks


def needs(case, views):
    """Return what a policy requires for the views, for all methods."""
    return {case.need_of(view, method) for view in views for method in ("GET", "POST", "PUT")}


def test_spelling_with_every_scope_is_refused_or_changes_nothing(explored):
    """With every scope a spelling is refused or runs what it runs without the middleware."""
    lost = []
    for name, case, spelling, views in explored.requests():
        outcome = send(explored.guarded[name], spelling, CREDENTIALS["all"].token)
        if outcome.entered:
            same = tuple(ran.view for ran in outcome.ran) == views
            good = same and not list(wrongs(case, CREDENTIALS["all"], outcome))
        else:
            good = outcome.status in {204, 400, 403}
        if not good:
            lost.append((name, spelling, outcome))

    assert shown(lost) == []


def test_spelling_without_view_is_answered_without_failure(explored):
    """If no view is reached, the middleware refuses or calls the application, and never raises."""
    names, credentials = list(explored.cases), list(CREDENTIALS.values())
    odd = []
    for number, (spelling, views) in enumerate(explored.found):
        if not views:
            name = names[number % len(names)]
            credential = credentials[number % len(credentials)]
            outcome = send(explored.guarded[name], spelling, credential.token)
            if outcome.ran or not (outcome.entered or outcome.status in REFUSALS):
                odd.append((name, spelling, outcome))

    assert shown(odd) == []


def test_good_request_reaches_its_view(explored):
    """Under every policy, each view answers at its own path with the weakest credential allowed."""
    lost = []
    for name, case in explored.cases.items():
        client = TestApp(lint(explored.guarded[name]))
        for view, path in canonical(explored.variant.mount, explored.variant.slash):
            for method in ("GET", "HEAD", "POST"):
                need = case.need_of(view, method)
                token = next(each.token for each in CREDENTIALS.values() if each.satisfies(need))
                answer = client.request(
                    "/",
                    method=method,
                    headers={} if token is None else bearer(token),
                    environ={"PATH_INFO": path, "tests.ran": [], "tests.entered": []},
                    expect_errors=True,
                )
                if (answer.status_int, answer.headers.get("X-View")) != (200, view):
                    lost.append((name, method, path, need, answer.status))

    assert shown(lost) == []


def test_spellings_are_many_and_reach_every_view_in_other_ways(explored):
    """There are enough spellings, and every view is reached by several."""
    variant = explored.variant
    known = {Spelling("GET", "", path) for _, path in canonical(variant.mount, variant.slash)}
    others = [found for found in explored.found if found.spelling not in known]
    reached = {view.rstrip("+") for _, views in others for view in views}
    admitted = {
        ran.view
        for spelling, views in others
        if "admin" in views
        for ran in send(explored.guarded["open"], spelling, CREDENTIALS["admin"].token).ran
    }

    assert len(others) >= COUNT
    assert reached == set(PATHS)
    assert admitted == {"admin"}


@pytest.mark.xfail(reason="Bottle passes on a decoded PATH_INFO to a WSGI function that it mounts")
def test_no_spelling_reaches_a_bottle_that_is_mounted_as_wsgi():
    """A mounted Bottle decodes the path twice: it reads the UTF-8 of /adümin as /admin."""
    explored = Explored("bottle", Variant(partial(bottle_mounted_app, as_wsgi=True), mount="/app"))

    assert shown(list(explored.bypasses(explored.requests()))) == []
