"""The examples of docs/cookies.md and the demo in a real browser, with attacks from other pages."""

from runpy import run_path

import pytest
from werkzeug.wrappers import Response

from demo_app import create_app
from jwt_middleware.testing import FrozenClock
from tests.browser import browser, serving
from tests.conftest import NOW
from tests.servers import ROOT

SECRET = "a demo secret of more than thirty-two bytes"
EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(scope="module")
def chromium():
    """One browser for all tests of the module."""
    with browser() as window:
        yield window


@pytest.fixture
def page(chromium):
    """The browser, without the cookies of earlier tests, which all were of localhost."""
    chromium.command(
        "POST", "/goog/cdp/execute", {"cmd": "Network.clearBrowserCookies", "params": {}}
    )
    return chromium


@pytest.fixture
def clock():
    """The time of the servers. The browser has its own."""
    return FrozenClock(NOW)


@pytest.fixture
def foreign():
    """The address of a page of another origin. Ports do not separate cookies."""
    with serving(Response("<!doctype html><title>Foreign</title>", mimetype="text/html")) as server:
        yield f"http://localhost:{server.port}/"


# A form that a foreign page sends without its user.
POST_FORM = """
const [action, fields] = arguments, form = document.createElement("form");
form.method = "post"; form.action = action;
for (const [name, value] of Object.entries(fields)) {
  const input = document.createElement("input");
  input.name = name; input.value = value; form.append(input);
}
document.body.append(form); form.submit();
"""
# A request of a script that needs no preflight. The answer cannot be read, but it is sent.
POST_FETCH = """
await fetch(arguments[0], {method: "POST", mode: "no-cors", credentials: "include",
                           body: new URLSearchParams(arguments[1])});
"""


@pytest.fixture
def site(clock):
    """The address of the site with a login page."""
    create_site = run_path(str(EXAMPLES / "login_site.py"))["create_site"]
    with serving(create_site(SECRET, clock=clock)) as server:
        yield f"http://localhost:{server.port}"


def log_in(page, url):
    """Log in at an example as Alice."""
    page.open(url)
    page.write("[name=user]", "alice")
    page.write("[name=password]", "wonderland")
    page.click("#login button, form button")


def logged_in(page, url):
    """Log in at the site, and return once its page shows the user."""
    log_in(page, url)
    page.wait("document.title === 'Orders'")
    assert page.text.startswith("alice")


def order(page, item):
    """Order something at the site, and wait for the page that follows."""
    page.write("[name=item]", item)
    page.run("document.title = 'Sent'")
    page.click("form[action='/orders'] button")
    page.wait("document.title !== 'Sent' && document.readyState === 'complete'")


def test_site_logs_in_and_out(page, site):
    """A user logs in with a form, acts, and logs out. Then the session is over."""
    logged_in(page, site)
    order(page, "tea")
    assert "alice: tea" in page.text

    kept = page.cookies["__Host-refresh"]
    # A name with "__Host-" cannot have a domain.
    del kept["domain"]
    page.click("#logout")
    page.wait("document.title === 'Log in'")

    assert page.cookies == {}
    # A copy of the cookie that a thief has made.
    page.command("POST", "/cookie", {"cookie": kept})
    page.open(site)
    assert page.run("return document.title") == "Log in"


def test_wrong_password_does_not_log_in(page, site):
    """The login page is shown again, and there are no cookies."""
    page.open(site)
    page.write("[name=user]", "alice")
    page.write("[name=password]", "x")
    page.click("button")
    page.wait("location.pathname === '/login'")

    assert page.cookies == {}


def test_site_renews_an_expired_token(page, site, clock):
    """The user of an expired token notices nothing, also when sending a form."""
    logged_in(page, site)
    first = page.cookies

    clock.tick(700)
    order(page, "coffee")

    assert "alice: coffee" in page.text
    for name in ("__Host-access", "__Host-refresh"):
        assert page.cookies[name]["value"] != first[name]["value"]


def test_site_renews_a_token_whose_cookie_the_browser_dropped(page, site):
    """Browsers drop the access token when it expires. The refresh token is enough."""
    logged_in(page, site)
    page.command("DELETE", "/cookie/__Host-access")

    page.open(site)

    assert page.text.startswith("alice")
    assert "__Host-access" in page.cookies


def test_site_asks_for_a_login_when_the_session_has_ended(page, site, clock):
    """After the lifetime of the refresh token, the login page is shown."""
    logged_in(page, site)
    clock.tick(15 * 86_400)

    page.open(site)

    assert page.run("return document.title") == "Log in"


def test_logout_with_an_expired_token_logs_out(page, site, clock):
    """The cookies of the renewal do not outlive the logout that made it necessary."""
    logged_in(page, site)
    clock.tick(700)
    page.click("#logout")
    page.wait("document.title === 'Log in'")

    assert page.cookies == {}


def test_scripts_cannot_read_the_tokens(page, site):
    """A script in the page sees no cookie, and the browser keeps all attributes."""
    logged_in(page, site)

    assert page.run("return document.cookie") == ""
    for cookie in page.cookies.values():
        assert (cookie["httpOnly"], cookie["secure"], cookie["path"]) == (True, True, "/")
        assert cookie["sameSite"] == "Lax"
        assert not cookie["domain"].startswith(".")


@pytest.mark.parametrize("is_expired", [False, True], ids=["good token", "expired token"])
def test_form_and_fetch_of_another_origin_do_not_act(page, site, foreign, clock, is_expired):
    """A page on another port, which gets the same cookies sent, cannot act as the user."""
    logged_in(page, site)
    clock.tick(700 if is_expired else 0)
    before = page.cookies

    page.open(foreign)
    page.run(POST_FETCH, f"{site}/orders", {"item": "by fetch"})
    page.run(POST_FETCH, f"{site}/logout", {})
    page.run(POST_FORM, f"{site}/orders", {"item": "by form"})
    page.wait("document.body.innerText.includes('another site')")

    assert page.cookies == before
    page.open(site)
    assert page.text.startswith("alice")
    assert "by f" not in page.text


def test_login_from_another_origin_is_refused(page, site, foreign):
    """A foreign page cannot log its visitor in as somebody else."""
    page.open(foreign)
    page.run(POST_FORM, f"{site}/login", {"user": "bob", "password": "builder"})
    page.wait("document.body.innerText.includes('another site')")

    assert page.cookies == {}


def test_link_from_another_site_keeps_the_user_logged_in(page, site, foreign):
    """A link is a GET request, so its cookies count."""
    logged_in(page, site)
    page.open(foreign)
    page.run("location.href = arguments[0]", site)
    page.wait("document.title === 'Orders'")

    assert page.text.startswith("alice")


@pytest.fixture
def app_and_api(clock):
    """The addresses of the page and of the API that it uses."""
    example = run_path(str(EXAMPLES / "single_page_app.py"))
    with serving() as pages, serving() as api:
        app_url, api_url = (f"http://localhost:{server.port}" for server in (pages, api))
        pages.app = example["create_page"](api_url)
        api.app = example["create_api"](SECRET, page_origin=app_url, clock=clock)
        yield app_url, api_url


def status(page, expected):
    """Wait until the single-page app shows a status."""
    page.wait(f"document.querySelector('#status')?.textContent === '{expected}'")


def test_single_page_app_logs_in_refreshes_and_logs_out(page, app_and_api, clock):
    """A page of another origin logs in, acts, gets new tokens after a 401, and logs out."""
    app, _ = app_and_api
    page.open(app)
    status(page, "not logged in (token_missing)")
    log_in(page, app)
    status(page, "alice: 0 orders")
    page.click("#order")
    status(page, "alice: 1 orders")
    first = page.cookies

    clock.tick(700)
    page.click("#order")
    status(page, "alice: 2 orders")
    assert page.cookies["__Host-refresh"]["value"] != first["__Host-refresh"]["value"]
    assert page.run("return document.cookie") == ""

    page.click("#logout")
    status(page, "not logged in (token_missing)")
    assert page.cookies == {}


READ_REASON = """
const options = {method: arguments[1], credentials: "include"};
try { return (await (await fetch(arguments[0], options)).json()).reason }
catch (error) { return error.name }
"""


def test_api_does_nothing_for_other_pages(page, app_and_api, foreign):
    """A page that is not listed can neither act, nor refresh, nor read an answer."""
    app, api = app_and_api
    log_in(page, app)
    status(page, "alice: 0 orders")
    before = page.cookies

    page.open(foreign)
    for path in ("/orders", "/refresh", "/logout", "/login"):
        page.run(POST_FETCH, api + path, {"item": "x"})
        assert page.run(READ_REASON, api + path, "POST") == "TypeError"
    assert page.run(READ_REASON, f"{api}/orders", "GET") == "TypeError"

    assert page.cookies == before
    page.open(app)
    status(page, "alice: 0 orders")


def test_page_can_read_why_it_is_refused(page, app_and_api):
    """CORS makes refusals readable for the listed page."""
    app, api = app_and_api
    page.open(app)
    status(page, "not logged in (token_missing)")

    assert page.run(READ_REASON, f"{api}/orders", "POST") == "token_missing"
    assert page.run(READ_REASON, f"{api}/refresh", "POST") == "token_missing"


@pytest.fixture
def demo(page, clock):
    """The demo's page, opened in the browser. A token lives for 1800 seconds."""
    with serving(create_app(SECRET, clock=clock)) as server:
        page.open(f"http://localhost:{server.port}/")
        yield page


def shown(page, element, expected):
    """Wait until an element of the demo's page contains a text."""
    page.wait(f"document.getElementById('{element}').textContent.includes('{expected}')")


def test_demo_page_shows_the_life_of_a_token(demo, clock):
    """Log in, use the token, let it expire, refresh it, and log out."""
    shown(demo, "countdown", "Logged out")
    demo.click("#resource")
    shown(demo, "status", "401 token_missing")

    demo.click("#bob")
    shown(demo, "claims", '"sub": "2"')
    shown(demo, "countdown", "expires in")
    demo.click("#resource")
    shown(demo, "answer", "Bob")

    clock.tick(1800)
    demo.click("#resource")
    shown(demo, "status", "401 token_expired")
    demo.click("#refresh")
    shown(demo, "status", "200")
    demo.click("#resource")
    shown(demo, "answer", "Bob")

    demo.click("#logout")
    shown(demo, "countdown", "Logged out")
    assert demo.run("return document.getElementById('claims').textContent") == ""


def test_demo_page_logs_out_with_an_expired_token(demo, clock):
    """The page refreshes the token first, because only a valid one ends its session."""
    demo.click("#alice")
    shown(demo, "countdown", "expires in")
    clock.tick(1800)
    # The page measures time itself, so it is told that the time is over.
    demo.run("performance.now = () => 1e9")
    shown(demo, "countdown", "has expired")
    demo.click("#logout")

    shown(demo, "answer", "Logged out")


def test_demo_page_runs_no_other_script(demo):
    """The content security policy stops a script and a handler that somebody has injected."""
    demo.run("""
        const image = '<img src="x:" onerror="window.injected = 1">';
        document.body.insertAdjacentHTML("beforeend", image);
        const script = document.createElement("script");
        script.textContent = "window.injected = 1";
        window.blocked = [];
        document.addEventListener("securitypolicyviolation",
                                  (event) => blocked.push(event.effectiveDirective));
        document.body.append(script);
    """)
    demo.wait("blocked.some((name) => name.startsWith('script-src'))")

    assert demo.run("return window.injected ?? null") is None
