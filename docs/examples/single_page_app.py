"""An API for a page on another origin. The page cannot read the tokens, which are in cookies.

pip install flask
python docs/examples/single_page_app.py
"""

import time
from pathlib import Path
from secrets import token_urlsafe
from threading import Thread

from flask import Flask, jsonify, request

from jwt_middleware import (
    CORS,
    JWTMiddleware,
    MemoryStore,
    Policy,
    Revocations,
    SecretKey,
    TokenCookies,
    TokenIssuer,
    Verifier,
    public,
    token_from,
)

NAME = "https://api.example.com"  # Issuer and audience: the API accepts the tokens it issues.
PASSWORDS = {"alice": "wonderland", "bob": "builder"}  # Yours are hashed, and in a database.
PAGE = Path(__file__).with_suffix(".html")


def create_api(secret, *, page_origin, clock=time.time):
    key, store = SecretKey(secret), MemoryStore(clock=clock)
    issuer = TokenIssuer(key, issuer=NAME, audience=NAME, store=store, clock=clock)
    revocations = Revocations(store, clock=clock)
    verifier = Verifier(key, issuer=NAME, audience=NAME, revocations=revocations, clock=clock)
    # The same list twice: CORS lets the page read answers, and the cookies let it act as the user.
    cors = CORS([page_origin], headers=["Content-Type"], credentials=True)
    cookies = TokenCookies(trusted_origins=[page_origin], clock=clock)
    api = Flask(__name__)
    orders = []

    @api.post("/login")
    def log_in():
        cookies.check_origin(request.environ)
        user, password = request.json.get("user"), request.json.get("password")
        if user not in PASSWORDS or PASSWORDS[user] != password:
            return {"error": "wrong user or password"}, 403
        return answer({"user": user}, cookies.set_headers(issuer.grant(user)))

    @api.post("/refresh")
    def refresh():
        granted = issuer.refresh(cookies.refresh_token(request.environ))
        return answer({"expires_in": granted["expires_in"]}, cookies.set_headers(granted))

    @api.post("/logout")
    def log_out():
        issuer.revoke(cookies.refresh_token(request.environ))
        return answer({}, cookies.clear_headers())

    @api.get("/orders")
    def list_orders():
        return {"user": token_from(request.environ).subject, "orders": orders}

    @api.post("/orders")
    def add_order():
        orders.append(f"{token_from(request.environ).subject}: {request.json['item']}")
        return {"orders": orders}

    @api.after_request
    def forbid_caching(response):
        response.headers["Cache-Control"] = "no-store"
        return response

    api.wsgi_app = JWTMiddleware(
        api.wsgi_app,
        verifier,
        # These need no access token. The views check the origin themselves.
        policy=Policy(public("/login", "/refresh", "/logout")),
        credential=cookies.credential,
        cors=cors,
    )
    return api


def answer(body, headers):
    response = jsonify(body)
    # extend() keeps both cookies. ``return body, headers`` would keep only the last one.
    response.headers.extend(headers)
    return response


def create_page(api_url):
    """Return the site that serves the page. It could be a server of static files."""
    page = Flask(__name__)
    page.get("/")(lambda: PAGE.read_text().replace("http://localhost:8001", api_url))
    return page


if __name__ == "__main__":
    api = create_api(token_urlsafe(48), page_origin="http://localhost:8000")
    page = create_page("http://localhost:8001")
    Thread(target=api.run, kwargs={"host": "localhost", "port": 8001}, daemon=True).start()
    page.run(host="localhost", port=8000)
