"""Moving from other libraries: each step of the example runs, and old tokens are safe."""

import base64
import json
import secrets

import freezegun
import jwt.types
import pytest
from flask import Flask
from webtest import TestApp

from jwt_middleware import MemoryStore, PrivateKey, SecretKey, Verifier
from jwt_middleware.jose import generate_private_pem
from jwt_middleware.testing import FrozenClock
from jwt_middleware.validators import claim_is
from tests.conftest import bearer, refused

if not hasattr(jwt.types, "Options"):
    pytest.skip("Flask-JWT-Extended needs a newer PyJWT", allow_module_level=True)

from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token

from tests.migration import before, step_1, step_2, step_3, step_4
from tests.migration.database import Database

# Flask-JWT-Extended and its successor share a secret until step 3.
SECRET = secrets.token_urlsafe(48)
# Real tokens of djangorestframework-simplejwt 5.5.1 and of pyramid_jwt 1.6.1.
SIMPLEJWT_SECRET = "simplejwt test secret kR7vQ2mZ9xW4tB6nLpY1cD8sF3gH5jUe"
SIMPLEJWT = {
    "access": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjoxNzk5OTcxNTAwLC"
        "JpYXQiOjE3OTk5NzEyMDAsImp0aSI6IjNmYTU2ZmQyYzY3ZDQ3MDY5NzIxYjJiMDkyNDZkNDkyIiwidXNlcl9pZCI6Ij"
        "cifQ.DLkiySXb8flcBv2MOC5EvPl1MRxy_5bfuhNj9sT96Dg"
    ),
    "refresh": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6MTgwMDA1NzYwMC"
        "wiaWF0IjoxNzk5OTcxMjAwLCJqdGkiOiJhYjhkM2NkMTlhNzQ0YWUzOWU5OGYxMjhmNjM0ZmZkYiIsInVzZXJfaWQiOi"
        "I3In0.5NoM_Li-yHEdFPFT2Upq-XhDfoXINf9XPdVeneODhVw"
    ),
    "sliding": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoic2xpZGluZyIsImV4cCI6MTc5OTk3MTUwMC"
        "wiaWF0IjoxNzk5OTcxMjAwLCJqdGkiOiJkODllMTdlMWUyMjA0ZTE2YjI4MzZkODM0Y2NlOGY0YSIsInJlZnJlc2hfZX"
        "hwIjoxNzk1NjU2NTE3LCJ1c2VyX2lkIjoiNyJ9.KFeQWgE8qZOmPyAcGTM4_yRK4zjJ_TP6bEKvxLVSjeg"
    ),
}
SIMPLEJWT_NOW = 1_799_971_200
PYRAMID_JWT_SECRET = "pyramid_jwt test secret of sixty-four bytes: Zq8rT3yU6iO1pA5sD7fG9hJ2kL4"
PYRAMID_JWT_NOW = 1_795_570_118
PYRAMID_JWT = {
    "expires": (
        "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJyb2xlcyI6WyJhZG1pbiJdLCJzdWIiOiI3IiwiaWF0IjoxNzk1NTc"
        "wMTE4LCJleHAiOjE3OTU1NzM3MTh9.6oFnwBFYvdcvYglGa0wqniJmrrOpYSh9mDIkV0AZNTEn1iappcPTyO5PL0972I"
        "0ABRWGXsdT9gPV1jWoN-7pBw"
    ),
    "never expires": (
        "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJyb2xlcyI6WyJhZG1pbiJdLCJzdWIiOiI3IiwiaWF0IjoxNzk1NTc"
        "wMTE4fQ.h6rwM6GbDE5K-Vxc2iHNwuVagZROXfX1V1HgyAq3ttq14HqnJAkhSQ0E9No92_aAZBtqFmzNXvY14rLuvQ92"
        "zQ"
    ),
}


class World:
    """What all steps share: the database, the old secret, the new key and the store."""

    def __init__(self):
        self.database = Database()
        self.key = SecretKey(secrets.token_bytes(32))
        self.store = MemoryStore()

    def app(self, step):
        """Return a client of the application at one step."""
        arguments = {
            before: (self.database, SECRET),
            step_1: (self.database, SECRET),
            step_2: (self.database, SECRET),
            step_3: (self.database, SECRET, self.key, self.store),
            step_4: (self.database, self.key, self.store),
        }
        return TestApp(step.create_app(*arguments[step]))


def login(app, name="alice", password="correct horse"):
    """Log in and return the tokens."""
    return app.post_json("/login", {"name": name, "password": password}).json


@pytest.fixture
def world():
    return World()


STEPS = {
    "before": before,
    "step 1": step_1,
    "step 2": step_2,
    "step 3": step_3,
    "step 4": step_4,
}
at_each_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)


@at_each_step
def test_clients_notice_nothing(world, step):
    """The same client works at each step: paths, bodies and texts stay as they are."""
    app = world.app(step)
    granted = login(app)
    headers = bearer(granted["access_token"])

    assert app.get("/health").json == {"status": "ok"}
    assert app.get("/").json == {"hello": "stranger"}
    assert app.get("/", headers=headers).json == {"hello": "alice"}
    assert app.get("/me", status=401).json["msg"] == "Please log in"
    assert app.get("/me", headers=headers).json == {"name": "Alice", "roles": ["admin"]}
    assert app.post_json("/notes", {"text": "call Bob"}, headers=headers, status=201).json == {
        "notes": ["buy milk", "call Bob"]
    }
    assert app.delete("/notes", headers=headers).json == {"notes": []}
    assert app.get("/admin/users", headers=headers).json == {"users": ["alice", "bob"]}
    renewed = app.post("/refresh", headers=bearer(granted["refresh_token"])).json["access_token"]
    assert app.get("/me", headers=bearer(renewed)).json["name"] == "Alice"
    assert app.post("/logout", headers=headers).json == {"msg": "Logged out"}
    assert app.get("/me", headers=headers, status=401)


@at_each_step
def test_refresh_token_is_not_an_access_token(world, step):
    """A refresh token opens nothing at any step; before, the status was 422."""
    app = world.app(step)
    token = login(app)["refresh_token"]

    for path in ("/me", "/notes", "/admin/users"):
        assert app.get(path, headers=bearer(token), status="*").status_int == (
            422 if step is before else 401
        )


@at_each_step
def test_users_without_a_role_are_kept_out(world, step):
    """The claim decides about the path at each step."""
    app = world.app(step)
    headers = bearer(login(app, "bob", "battery staple")["access_token"])

    assert app.get("/admin/users", headers=headers, status=403).json["msg"] == "Admins only"
    assert app.get("/me", headers=headers).json == {"name": "Bob", "roles": []}


@at_each_step
def test_wrong_password_gets_no_token(world, step):
    """The login works at each step as before."""
    app = world.app(step)

    app.post_json("/login", {"name": "alice", "password": "x"}, status=401)


@pytest.mark.parametrize("step", [before, step_1, step_2], ids=["before", "step 1", "step 2"])
def test_refreshed_token_of_the_old_library_is_not_fresh(world, step):
    """What asks for a password again keeps doing so."""
    app = world.app(step)
    renewed = app.post("/refresh", headers=bearer(login(app)["refresh_token"])).json

    app.delete("/notes", headers=bearer(renewed["access_token"]), status=(401, 403))


@pytest.mark.parametrize("step", [step_3, step_4], ids=["step 3", "step 4"])
def test_password_of_long_ago_is_not_fresh(world, step):
    """The time of the login is part of the session, and a refresh does not change it."""
    app = world.app(step)
    with freezegun.freeze_time("2027-01-15") as frozen:
        granted = login(app)
        frozen.tick(800)
        renewed = app.post("/refresh", headers=bearer(granted["refresh_token"])).json
        headers = bearer(renewed["access_token"])

        assert app.delete("/notes", headers=headers).status_int == 200
        frozen.tick(200)
        assert app.get("/me", headers=headers).json["name"] == "Alice"
        assert app.delete("/notes", headers=headers, status=403)


@pytest.mark.parametrize("old", [before, step_1, step_2], ids=["before", "step 1", "step 2"])
@pytest.mark.parametrize("new", [step_1, step_2, step_3], ids=["step 1", "step 2", "step 3"])
def test_old_tokens_are_accepted_by_the_next_steps(world, old, new):
    """Users who logged in before a step go on working, and can log out."""
    granted = login(world.app(old))
    app = world.app(new)
    headers = bearer(granted["access_token"])

    assert app.get("/me", headers=headers).json["name"] == "Alice"
    renewed = app.post("/refresh", headers=bearer(granted["refresh_token"])).json["access_token"]
    assert app.get("/me", headers=bearer(renewed)).json == {"name": "Alice", "roles": ["admin"]}
    app.post("/logout", headers=headers)
    assert app.get("/me", headers=headers, status=401).json["reason"] == "token_revoked"


def test_old_refresh_token_begins_one_session(world):
    """At step 3 it is exchanged once, and not for a user who is gone or has logged out."""
    first, second, third = (login(world.app(before)) for _ in range(3))
    old, app = world.app(before), world.app(step_3)
    old.post("/logout", headers=bearer(second["refresh_token"]))

    def refresh(granted, status):
        return app.post("/refresh", headers=bearer(granted["refresh_token"]), status=status).json

    assert "refresh_token" in refresh(first, 200)
    assert refresh(first, 400)["reason"] == "refresh_token_invalid"
    assert refresh(second, 400)["reason"] == "refresh_token_invalid"
    assert "reason" in refresh({"refresh_token": third["access_token"]}, 401)
    del world.database.users["alice"]
    assert refresh(third, 400)["reason"] == "refresh_token_invalid"


@pytest.mark.parametrize("step", [step_3, step_4], ids=["step 3", "step 4"])
def test_refresh_needs_a_token_and_ends_with_its_user(world, step):
    """Without a token the request is malformed, and a deleted user gets no new token."""
    app = world.app(step)
    granted = login(app)
    del world.database.users["alice"]

    assert app.post("/refresh", status=400).json["reason"] == "credentials_malformed"
    answer = app.post("/refresh", headers=bearer(granted["refresh_token"]), status=400)
    assert answer.json["reason"] == "refresh_token_revoked"


def test_reused_new_refresh_token_is_not_taken_for_an_old_one(world):
    """Step 3 tries the old verifier only for what is not a refresh token of the issuer."""
    app = world.app(step_3)
    granted = login(app)
    app.post("/logout", headers=bearer(granted["access_token"]))

    answer = app.post("/refresh", headers=bearer(granted["refresh_token"]), status=400)

    assert answer.json["reason"] == "refresh_token_revoked"


def test_old_tokens_are_refused_at_the_end(world):
    """After step 4 the old secret opens nothing."""
    granted = login(world.app(before))
    app = world.app(step_4)

    app.get("/me", headers=bearer(granted["access_token"]), status=401)
    app.post("/refresh", headers=bearer(granted["refresh_token"]), status=400)


def test_old_secret_cannot_imitate_the_new_issuer(world):
    """At step 3, who knows the old secret cannot issue tokens in the name of the new issuer."""
    imitated = {"JWT_ENCODE_ISSUER": step_4.ISSUER, "JWT_ENCODE_AUDIENCE": step_4.AUDIENCE}
    other = {"JWT_ENCODE_ISSUER": "https://other.example.com"}
    app = world.app(step_3)

    for settings in (imitated, other):
        access, refresh = tokens_of_flask(SECRET, **settings)
        app.get("/me", headers=bearer(access), status=401)
        app.post("/refresh", headers=bearer(refresh), status=(400, 401))


def test_change_of_the_algorithm_is_possible(world):
    """Step 3 can sign with a private key from then on, and still accepts old tokens."""
    new = PrivateKey(generate_private_pem("ES256"), algorithm="ES256")
    verifier = step_3.NewOrOld(
        step_4.new_verifier(new.public_key(), world.store),
        step_1.old_verifier(world.database, SECRET),
    )
    issuer = step_4.new_issuer(world.database, new, world.store)
    access, refresh = tokens_of_flask(SECRET)

    assert verifier.verify(issuer.access_token("bob")).subject == "bob"
    assert verifier.verify(access).subject == "alice"
    assert refused(verifier, refresh) == ("claim_invalid", "type")


def tokens_of_flask(secret, **settings):
    """Return an access token and a refresh token of Flask-JWT-Extended."""
    app = Flask(__name__)
    app.config.update(JWT_SECRET_KEY=secret, **settings)
    JWTManager(app)
    with app.app_context():
        return create_access_token("alice"), create_refresh_token("alice")


def test_tokens_of_flask_jwt_extended():
    """Access tokens are accepted. Refresh tokens are refused only because of the validator."""
    access, refresh = tokens_of_flask(SECRET)
    careless = Verifier(SecretKey(SECRET), issuer=None, audience=None)
    verifier = Verifier(
        SecretKey(SECRET), issuer=None, audience=None, validators=[claim_is("type", "access")]
    )

    assert verifier.verify(access).subject == "alice"
    assert refused(verifier, refresh) == ("claim_invalid", "type")
    assert careless.verify(refresh).subject == "alice"


def test_tokens_of_simplejwt():
    """Access tokens are accepted. Refresh and sliding tokens are refused only by the validator."""
    options = {"issuer": None, "audience": None, "clock": FrozenClock(SIMPLEJWT_NOW)}
    careless = Verifier(SecretKey(SIMPLEJWT_SECRET), **options)
    verifier = Verifier(
        SecretKey(SIMPLEJWT_SECRET), validators=[claim_is("token_type", "access")], **options
    )

    assert verifier.verify(SIMPLEJWT["access"]).get("user_id") == "7"
    for kind in ("refresh", "sliding"):
        assert refused(verifier, SIMPLEJWT[kind]) == ("claim_invalid", "token_type")
        assert careless.verify(SIMPLEJWT[kind]).get("user_id") == "7"


def test_tokens_of_pyramid_jwt():
    """They are signed with HS512. Those that never expire are refused."""
    verifier = Verifier(
        SecretKey(PYRAMID_JWT_SECRET, algorithm="HS512"),
        issuer=None,
        audience=None,
        clock=FrozenClock(PYRAMID_JWT_NOW),
    )

    assert verifier.verify(PYRAMID_JWT["expires"]).strings("roles") == ("admin",)
    assert refused(verifier, PYRAMID_JWT["never expires"]) == ("claim_missing", "exp")


def test_recorded_tokens_are_what_their_names_say():
    """The recorded tokens hold the claims of their kinds."""

    def claims(token):
        return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))

    assert {kind: claims(token)["token_type"] for kind, token in SIMPLEJWT.items()} == {
        kind: kind for kind in SIMPLEJWT
    }
    assert "exp" not in claims(PYRAMID_JWT["never expires"])
