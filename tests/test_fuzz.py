"""The fuzzer of `make fuzz`: a short run, and proof that each of its laws can fail."""

import json

import pytest

from jwt_middleware import JWTMiddleware, SecretKey, TokenIssuer, Verifier
from tests.fuzz.runner import Tally, run, run_block
from tests.fuzz.signing import Keys, from_base64url
from tests.fuzz.targets import AUDIENCE, ISSUER, NOW, make_targets

# EdDSA is not recommended any more (RFC 9864), and joserfc says so; issuers use it all the same.
pytestmark = pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")


def claims_of(environ):
    """Return the claims of the token in the header, as somebody who trusts everybody would."""
    payload = environ["HTTP_AUTHORIZATION"].split(".")[1]
    return json.loads(from_base64url(payload))


def laws_broken_by(change):
    """Change the app of one target; return how often requests find which law broken."""

    def make(keys, rng):
        target = make_targets(keys, rng)[0]
        target.app = change(target.app, target.probe)
        return [target]

    return run_block(1, 0, 4000, make=make, refreshes=0).laws


def with_verifier(**options):
    """Return a change to a verifier with these options."""
    key = SecretKey(Keys().secret.private)
    usual = {"issuer": ISSUER, "audience": AUDIENCE, "clock": lambda: NOW}
    verifier = Verifier(key, **(usual | options))
    return lambda app, probe: JWTMiddleware(probe, verifier, on_event=probe.on_event)


def without_signatures(app, probe):
    """Let unsigned tokens in (alg none)."""
    none = ("eyJhbGciOiJub25lIn0", "eyJhbGciOiAibm9uZSJ9", "eyJhbGciOiJub25lIiw")

    def broken(environ, start_response):
        header = environ.get("HTTP_AUTHORIZATION", "")
        if not header.startswith(tuple(f"Bearer {start}" for start in none)):
            return app(environ, start_response)
        try:
            environ["jwt_middleware.claims"] = claims_of(environ)
        except ValueError:
            return app(environ, start_response)
        return probe(environ, start_response)

    return broken


def with_other_claims(app, probe):
    """Hand on claims that the token does not hold."""

    def stained(environ, start_response):
        environ.get("jwt_middleware.claims", {})["admin"] = True
        return probe(environ, start_response)

    stained.on_event = probe.on_event
    return with_verifier()(app, stained)


def answering(edit):
    """Return a change to an app whose status, headers and body of refusals go through `edit`."""

    def change(app, probe):
        def broken(environ, start_response):
            started = []
            body = b"".join(app(environ, lambda *arguments: started.append(arguments)))
            status, headers = started[0]
            if probe.environ is None:
                status, headers, body = edit(environ, status, list(headers), body)
            start_response(status, headers)
            return [body]

        return broken

    return change


def letting_through(is_let_through):
    """Return a change to an app that is not asked about some requests."""

    def change(app, probe):
        return lambda environ, start: (probe if is_let_through(environ) else app)(environ, start)

    return change


def raising(app, probe):
    """Raise for a path with a per cent sign."""

    def broken(environ, start_response):
        if "%" in environ.get("PATH_INFO", ""):
            raise LookupError
        return app(environ, start_response)

    return broken


def refusing_everything(app, probe):
    """Refuse every token."""

    def broken(environ, start_response):
        environ.pop("HTTP_AUTHORIZATION", None)
        return app(environ, start_response)

    return broken


def path_of(environ):
    """Return the path of a request."""
    return environ.get("PATH_INFO", "")


def test_short_run_finds_nothing():
    """Three thousand hostile requests break no law, and enough of them are accepted."""
    total = Tally()
    for block in range(2):
        total.add(run_block(20_261_124, block, 1500))

    assert total.findings == []
    assert total.requests == 3000
    assert total.outcomes["accepted with claims"] > 500


def test_run_stops_at_the_number_of_requests():
    """The number of requests is kept exactly over several blocks, in processes of their own."""
    lines = []
    total = run(seed=1, requests=2100, processes=2, progress=lambda *so_far: lines.append(so_far))

    assert total.requests == total.outcomes.total() == 2100
    assert len(lines) >= 1


@pytest.mark.parametrize(
    ("change", "law"),
    [
        pytest.param(without_signatures, "disagreement", id="alg none is accepted"),
        pytest.param(with_verifier(leeway=10**7), "disagreement", id="exp is ignored"),
        pytest.param(
            with_verifier(types=["at+jwt", "JWT", "dpop+jwt", None]),
            "disagreement",
            id="another typ",
        ),
        pytest.param(with_verifier(require=[]), "disagreement", id="exp may be missing"),
        pytest.param(with_other_claims, "the peers read other claims", id="claims are changed"),
        pytest.param(
            answering(
                lambda environ, status, headers, body: (
                    status,
                    headers,
                    body + path_of(environ).encode(),
                )
            ),
            "a value of the request is reflected",
            id="the path is reflected in the body",
        ),
        pytest.param(
            answering(
                lambda environ, status, headers, body: (
                    status,
                    [*headers, ("X-Path", path_of(environ))],
                    body,
                )
            ),
            "the status or a header has control characters",
            id="the path is reflected in a header",
        ),
        pytest.param(
            answering(lambda environ, status, headers, body: ("500 Oops", headers, body)),
            "status and reason are not of the registry",
            id="500",
        ),
        pytest.param(
            answering(lambda environ, status, headers, body: (status, headers[:2], body)),
            "a 401 has no challenge",
            id="no challenge",
        ),
        pytest.param(
            answering(
                lambda environ, status, headers, body: (
                    status,
                    headers,
                    body.replace(b"}", b',"a":NaN}'),
                )
            ),
            "the body is not strict JSON",
            id="NaN in the body",
        ),
        pytest.param(
            letting_through(lambda environ: path_of(environ).startswith("/static")),
            "a request reached the application without a token",
            id="a path is let through",
        ),
        pytest.param(
            letting_through(lambda environ: environ.get("REQUEST_METHOD") == "pOST"),
            "a request reached the application without a token",
            id="a method is let through",
        ),
        pytest.param(
            letting_through(lambda environ: "jwt_middleware.claims" in environ),
            "claims without one well-formed credential",
            id="claims of an outer layer survive",
        ),
        pytest.param(raising, "exception", id="an exception"),
        pytest.param(refusing_everything, "a good token was not accepted", id="all are refused"),
    ],
)
def test_broken_middleware_is_found(change, law):
    """Each law notices a middleware that breaks it."""
    broken = laws_broken_by(change)

    assert broken[law] > 0


def test_sound_middleware_is_not_blamed():
    """The same harness finds nothing in a target that is left alone."""
    assert laws_broken_by(lambda app, probe: app) == {}


class Forgetful(TokenIssuer):
    """Takes everybody for Eve."""

    def refresh(self, token):
        """Begin a session instead."""
        return self.grant("eve")


class Generous(TokenIssuer):
    """Issues access tokens that last."""

    def __init__(self, key, **options):
        super().__init__(key, **(options | {"access_ttl": 86_400}))


class Clumsy(TokenIssuer):
    """Trips over some tokens."""

    def refresh(self, token):
        """Take it for granted that a token is a text with two dots."""
        _, _, _ = token.split(".")
        return super().refresh(token)


@pytest.mark.parametrize(
    ("make_issuer", "law"),
    [
        pytest.param(Forgetful, "sub is not the one of the refresh token", id="another subject"),
        pytest.param(Forgetful, "a token was spent that was never signed", id="any token"),
        pytest.param(Generous, "times of the access token", id="times"),
        pytest.param(Clumsy, "exception", id="an exception"),
    ],
)
def test_broken_issuer_is_found(make_issuer, law):
    """Each law notices an issuer that breaks it."""
    assert run_block(1, 0, 400, make_issuer=make_issuer, refreshes=1).laws[law] > 0


def test_findings_can_be_repeated():
    """The same seed and block send the same requests, and so find the same."""
    options = {"make_issuer": Generous, "refreshes": 0.5}
    first, second = (run_block(7, 3, 200, **options) for _ in range(2))

    assert first.outcomes == second.outcomes
    assert first.laws == second.laws
    assert first.laws.total() > 0
