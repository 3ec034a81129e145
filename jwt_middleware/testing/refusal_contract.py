"""`RefusalContract`: requests that your application must refuse, as tests. Needs pytest.

    class TestRefusals(RefusalContract):
        path = "/orders"

        @pytest.fixture
        def app(self, fake_issuer):
            return create_app(fake_issuer.verifier())

It works with every WSGI application and every library, and calls the application directly.
"""

import io
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, ClassVar, Final, NamedTuple
from wsgiref.types import WSGIApplication, WSGIEnvironment

import pytest

from jwt_middleware.testing.fake_issuer import FakeIssuer
from jwt_middleware.testing.forging import Good, Request
from jwt_middleware.testing.refused_requests import REFUSED_REQUESTS, RefusedRequest

_REFUSALS: Final = (400, 401, 403)
_BEARER: Final = re.compile(r"(?:^|,)\s*bearer(?:\s|,|$)", re.IGNORECASE)
_TRACEBACK: Final = re.compile(
    r"Traceback\b.{0,40}most recent call last|\.py(?:&quot;|&#34;|\\?\")?, line ", re.DOTALL
)
# A repeated part of this many characters is certain to be found.
_LONGEST_PART: Final = 31

each_request = pytest.mark.parametrize(
    "refused", [pytest.param(refused, id=refused.id) for refused in REFUSED_REQUESTS]
)


class RefusalContract:
    """Requests that every application must refuse.

    The fixture `app` returns the application. It trusts the fixture `fake_issuer`: its keys, its
    `issuer`, and its `audience`, and it uses the same clock. `path` and `method` are those of a
    request that needs a token; add ``?`` and a query string to `path` if it needs one.

    The good token has `subject`, `scopes` and `claims`, and `headers` are sent with each request.
    `skipped` names requests that you accept, each with a reason:
    ``skipped = {"token-in-query": "links for downloads"}``.
    """

    path: ClassVar[str] = "/"
    method: ClassVar[str] = "GET"
    subject: ClassVar[str] = "refusal-contract-user"
    scopes: ClassVar[Collection[str]] = ()
    claims: ClassVar[Mapping[str, Any]] = {}
    headers: ClassVar[Mapping[str, str]] = {}
    skipped: ClassVar[Mapping[str, str]] = {}

    def test_good_token_gets_in(self, app: WSGIApplication, fake_issuer: FakeIssuer) -> None:
        """A good token is accepted. Otherwise the refusals would prove nothing."""
        token = self._good(fake_issuer).token()
        answer = self._send(app, Request({"Authorization": f"Bearer {token}"}))

        if not 200 <= answer.status < 400:
            pytest.fail(
                f"A good token was answered {answer.description}. Let the application trust the"
                " keys, the issuer and the audience of fake_issuer, with the same clock. Set"
                " path, method, subject, scopes and claims of this class to a request that needs a"
                f" token, and to a user who may send it: {self.method} {self.path}.",
                pytrace=False,
            )

    def test_skipped_requests_exist(self) -> None:
        """Each name in `skipped` is the id of a request."""
        unknown = set(self.skipped) - {refused.id for refused in REFUSED_REQUESTS}

        if unknown:
            pytest.fail(
                f"skipped: {', '.join(sorted(unknown))} is not the id of a request; the ids are in"
                " the names of the tests",
                pytrace=False,
            )

    @each_request
    def test_request_is_refused(
        self, app: WSGIApplication, fake_issuer: FakeIssuer, refused: RefusedRequest
    ) -> None:
        """The answer is 400, 401 or 403."""
        answer, _, _ = self._answer(app, fake_issuer, refused)

        if answer.status not in _REFUSALS:
            pytest.fail(
                f"{refused.problem} It was answered {answer.description}, and must be answered"
                f" 400, 401 or 403. {refused.remedy}",
                pytrace=False,
            )

    @each_request
    def test_refusal_has_a_challenge(
        self, app: WSGIApplication, fake_issuer: FakeIssuer, refused: RefusedRequest
    ) -> None:
        """A 401 tells the client which scheme to use (RFC 9110 §11.6.1, RFC 6750 §3)."""
        answer, _, _ = self._answer(app, fake_issuer, refused)
        challenges = [value for name, value in answer.headers if name.lower() == "www-authenticate"]

        if answer.status == 401 and not any(map(_BEARER.search, challenges)):
            pytest.fail(
                f"{refused.problem} It was answered 401 without the challenge Bearer. Add the"
                ' header WWW-Authenticate: Bearer realm="..." to every 401.',
                pytrace=False,
            )

    @each_request
    def test_refusal_leaks_nothing(
        self, app: WSGIApplication, fake_issuer: FakeIssuer, refused: RefusedRequest
    ) -> None:
        """An error repeats no part of the token, the claims or the key, and has no traceback."""
        answer, good, request = self._answer(app, fake_issuer, refused)
        # What is not an error is reported by test_request_is_refused.
        leaks = sorted(_leaks(answer, good, request)) if answer.status >= 400 else []

        if leaks:
            pytest.fail(
                f"{refused.problem} The answer contains {' and '.join(leaks)}. Send fixed texts,"
                " and write the details to the log.",
                pytrace=False,
            )

    def _good(self, fake_issuer: FakeIssuer) -> Good:
        return Good(fake_issuer, self.subject, scopes=self.scopes, claims=self.claims)

    def _answer(
        self, app: WSGIApplication, fake_issuer: FakeIssuer, refused: RefusedRequest
    ) -> tuple["_Answer", Good, Request]:
        if refused.id in self.skipped:
            pytest.skip(self.skipped[refused.id])
        good = self._good(fake_issuer)
        request = refused.make(good)
        return self._send(app, request), good, request

    def _send(self, app: WSGIApplication, request: Request) -> "_Answer":
        return _call(app, _environ(self.method, self.path, self.headers, request))


class _Answer(NamedTuple):
    """What an application answered. An exception counts as 500."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    raised: str | None = None

    @property
    def description(self) -> str:
        """Say what was answered."""
        return f"{self.status} (it raised {self.raised})" if self.raised else str(self.status)

    @property
    def text(self) -> str:
        """All that the client can read."""
        lines = [f"{name}: {value}" for name, value in self.headers]
        return "\n".join([*lines, self.body.decode("latin-1")])


def _environ(
    method: str, path: str, headers: Mapping[str, str], request: Request
) -> WSGIEnvironment:
    """Return the environ of a request (PEP 3333)."""
    path, _, query = path.partition("?")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": "&".join(filter(None, [query, request.query])),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": request.content_type,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in {**headers, **request.headers}.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    return environ


def _call(app: WSGIApplication, environ: WSGIEnvironment) -> _Answer:
    """Call the application as a server does."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        started[:] = [(status, headers)]
        return written.append

    try:
        chunks = app(environ, start_response)
        try:
            written.extend(chunks)
        finally:
            getattr(chunks, "close", list)()
        status, headers = started[0]
        return _Answer(int(status[:3]), headers, b"".join(written))
    except Exception:  # noqa: BLE001  # A server answers 500 to every exception.
        return _Answer(500, [], b"", raised=sys.exc_info()[0].__name__)  # type: ignore[union-attr]


def _leaks(answer: _Answer, good: Good, request: Request) -> Iterator[str]:
    """Say what an answer reveals."""
    text = answer.text
    if _TRACEBACK.search(text):
        yield "a traceback"
    if any(part in text for sent in request.texts() for part in _parts(sent)):
        yield "a part of the token"
    if good.marker in text or good.subject in text:
        yield "the value of a claim"
    published = [str(value) for key in good.issuer.jwks()["keys"] for value in key.values()]
    if any(part in text for value in published for part in _parts(value)):
        yield "the key"


def _parts(text: str) -> Iterator[str]:
    """Return short parts, one of which is in every longer part of the text."""
    size = (_LONGEST_PART + 1) // 2
    for word in re.findall(rf"[\w+/-]{{{size},}}", text, re.ASCII):
        for start in range(0, len(word) - size + 1, size):
            yield word[start : start + size]
