"""A site with a login page. Its tokens are in cookies and are renewed without a word to the user.

pip install flask
python docs/examples/login_site.py
"""

import time
from secrets import token_urlsafe

from flask import Flask, redirect, render_template_string, request
from werkzeug.wrappers import Response

from jwt_middleware import (
    AuthError,
    ExpiredToken,
    JWTMiddleware,
    MemoryStore,
    Policy,
    Revocations,
    SecretKey,
    TokenCookies,
    TokenIssuer,
    Unavailable,
    Verifier,
    first_of,
    from_header,
    public,
    token_from,
)

NAME = "https://shop.example.com"  # Issuer and audience: the site accepts the tokens it issues.
PASSWORDS = {"alice": "wonderland", "bob": "builder"}  # Yours are hashed, and in a database.


def create_site(secret, *, clock=time.time):
    key, store = SecretKey(secret), MemoryStore(clock=clock)
    issuer = TokenIssuer(key, issuer=NAME, audience=NAME, store=store, clock=clock)
    revocations = Revocations(store, clock=clock)
    verifier = Verifier(key, issuer=NAME, audience=NAME, revocations=revocations, clock=clock)
    cookies = TokenCookies(clock=clock)
    site = Flask(__name__)
    orders = []

    @site.post("/login")
    def log_in():
        cookies.check_origin(request.environ)
        user = request.form.get("user", "")
        if user not in PASSWORDS or PASSWORDS[user] != request.form.get("password"):
            return LOGIN_PAGE, 403
        response = redirect("/", 303)
        response.headers.extend(cookies.set_headers(issuer.grant(user)))
        return response

    @site.post("/logout")
    def log_out():
        issuer.revoke(token_from(request.environ))
        response = redirect("/", 303)
        response.headers.extend(cookies.clear_headers())
        return response

    @site.get("/")
    def show_orders():
        user = token_from(request.environ).subject
        return render_template_string(ORDERS_PAGE, user=user, orders=orders)

    @site.post("/orders")
    def add_order():
        orders.append(f"{token_from(request.environ).subject}: {request.form.get('item')}")
        return redirect("/", 303)

    @site.after_request
    def forbid_caching(response):
        response.headers["Cache-Control"] = "no-store"
        return response

    protected = JWTMiddleware(
        site.wsgi_app,
        verifier,
        policy=Policy(public("/login")),
        credential=first_of(from_header, cookies.credential),
        render=login_page_or_error,
    )
    site.wsgi_app = Renewal(protected, verifier, issuer, cookies)
    return site


def login_page_or_error(error, environ):
    """Show the login page to users who must log in. The status stays 401."""
    if error.status == 401:
        return Response(LOGIN_PAGE, content_type="text/html")
    return Response(error.description, content_type="text/plain")


class Renewal:
    """Gets new tokens for a request whose access token has expired."""

    def __init__(self, app, verifier, issuer, cookies):
        self.app = app
        self.verifier = verifier
        self.issuer = issuer
        self.cookies = cookies

    def __call__(self, environ, start_response):
        try:
            if not self.has_expired(environ):
                return self.app(environ, start_response)
            granted = self.issuer.refresh(self.cookies.refresh_token(environ))
        except Unavailable as outage:  # Not a 401: the user need not log in again.
            return outage(environ, start_response)
        except AuthError:  # There is no session. The middleware decides what that means.
            return self.app(environ, start_response)
        environ["HTTP_AUTHORIZATION"] = f"Bearer {granted['access_token']}"

        def start(status, headers, exc_info=None):
            # First, so that a logout of the application comes after it and wins.
            return start_response(status, [*self.cookies.set_headers(granted), *headers], exc_info)

        return self.app(environ, start)

    def has_expired(self, environ):
        raw = self.cookies.credential(environ)
        if raw is None:  # Browsers drop cookies when they expire.
            return True
        try:
            self.verifier.verify(raw)
        except ExpiredToken:
            return True
        return False


LOGIN_PAGE = """<!doctype html><title>Log in</title>
<form method="post" action="/login">
  <input name="user" placeholder="alice"> <input name="password" type="password">
  <button>Log in</button>
</form>"""

ORDERS_PAGE = """<!doctype html><title>Orders</title>
<h1>{{ user }}</h1>
<ul>{% for order in orders %}<li>{{ order }}</li>{% endfor %}</ul>
<form method="post" action="/orders"><input name="item"> <button>Order</button></form>
<form method="post" action="/logout"><button id="logout">Log out</button></form>"""

if __name__ == "__main__":
    create_site(token_urlsafe(48)).run(host="localhost", port=8000)
