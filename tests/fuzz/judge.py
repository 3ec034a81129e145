"""The laws that every answer is held to. None of them asks the code under test."""

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache

from jwt_middleware.errors import registry
from tests.fuzz.peers import Disagreement, canonical
from tests.fuzz.stores import FAILED, HONEST
from tests.fuzz.targets import ALLOWED_ORIGINS, REVOKED_IDS, Line
from tests.fuzz.values import CANARY, METHODS

_CLAIMS, _TOKEN, _ERROR = (f"jwt_middleware.{name}" for name in ("claims", "token", "error"))
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}
_CANONICAL = re.compile(r"/|(?:/[A-Za-z0-9_-]+)+")
# RFC 6750 §2.1, with the optional white space that RFC 9110 §5.5 puts around a field's value.
_BEARER = re.compile(r"[ \t]*bearer +([A-Za-z0-9._~+/-]+=*) *[ \t]*", re.IGNORECASE)
_NO_BEARER = re.compile(r"(?![ \t]*bearer(?: |[ \t]*$))", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_STATUS_LINE = re.compile(r"\d{3} [ -~]+")
_TOKEN_REQUIRED = Line("require", ())
# Taken before any test adds errors of its own.
_REGISTRY = {reason: kind.code for reason, kind in registry().items()}


@dataclass
class Answer:
    """What became of one request."""

    started: list[tuple[str, object]] = field(default_factory=list)
    body: bytes = b""
    exception: Exception | None = None

    @property
    def status(self):
        """The status line, empty if there was none."""
        return self.started[-1][0] if self.started else ""


def ask(target, environ):
    """Send a request to a target and return its answer."""
    answer = Answer()
    target.probe.environ = None
    target.probe.events.clear()
    if target.store is not None:
        target.store.last = None
    try:
        chunks = target.app(
            environ, lambda status, headers, exc_info=None: answer.started.append((status, headers))
        )
        answer.body = b"".join(chunks)
    except Exception as exc:  # noqa: BLE001  # Any exception is a finding.
        answer.exception = exc
    return answer


def problems(target, request, answer):
    """Return every law that the answer breaks."""
    if answer.exception is not None:
        return [f"exception: {type(answer.exception).__name__}: {answer.exception}"]
    if len(answer.started) != 1:
        return [f"start_response was called {len(answer.started)} times"]
    environ = request.environ
    line = _line_for(target, environ)
    is_preflight = target.cors is not None and _is_preflight(environ)
    found = list(_cors_problems(target, environ, answer))
    if is_preflight:
        found += _preflight_problems(target, environ, answer)
    elif target.probe.environ is not None:
        found += _passage_problems(target, line, environ)
    else:
        found += _refusal_problems(answer, environ, target.probe.events)
        if line is not None and line.kind in {"public", "delegate"}:
            found.append(f"a request to a {line.kind} path was refused")
    if request.is_good and (target.probe.environ is None or _CLAIMS not in target.probe.environ):
        found.append(f"a good token was not accepted: {answer.status}")
    return found


def reason_of(target, answer):
    """Return the reason of a refusal as its event says it."""
    return next(
        (event.reason for event in target.probe.events if hasattr(event, "reason")), answer.status
    )


def _passage_problems(target, line, sent):
    """Say why this request should not have reached the application as it did."""
    arrived = target.probe.environ
    has_claims = _CLAIMS in arrived
    is_delegated = line is None or line.kind == "delegate"
    if _ERROR in arrived and (has_claims or not is_delegated):
        yield "an error is in environ beside claims, or without a delegate rule"
    if not has_claims:
        yield from _bare_passage_problems(target, line, sent, arrived)
        return
    if line is not None and line.kind == "public":
        yield "a public path has claims"
    text = _credential(target, sent)
    if text is None:
        yield "claims without one well-formed credential"
        return
    claims = arrived[_CLAIMS]
    if not hasattr(arrived.get(_TOKEN), "claims") or canonical(arrived[_TOKEN].claims) != canonical(
        claims
    ):
        yield "the token in environ has other claims"
    try:
        if target.peers.claims(text) != canonical(claims):
            yield "the peers read other claims"
    except Disagreement as disagreement:
        yield f"disagreement: {disagreement}"
    if line is not None:
        yield from _permission_problems(line, claims)
    if target.store is not None:
        yield from _store_problems(target, claims)


def _bare_passage_problems(target, line, sent, arrived):
    if line is None:
        return
    if line.kind == "require":
        yield "a request reached the application without a token"
    elif line.kind == "optional" and not _lacks_credential(target, sent):
        yield "a bad token passed an optional rule"
    elif (
        line.kind == "delegate"
        and _REGISTRY.get(getattr(arrived.get(_ERROR), "reason", None)) is None
    ):
        yield "a delegate rule handed on no error of the registry"


def _permission_problems(line, claims):
    granted = claims["scope"] if "scope" in claims else claims.get("scp")
    if isinstance(granted, list):
        granted = " ".join(entry for entry in granted if isinstance(entry, str))
    held = set(granted.split(" ")) if isinstance(granted, str) else set()
    if not held.issuperset(line.scopes) or (line.any_scope and held.isdisjoint(line.any_scope)):
        yield "a scope is missing"
    if line.subject is not None and claims.get("sub") != line.subject:
        yield "the check did not approve"


def _store_problems(target, claims):
    if target.store.last == FAILED and not target.fails_open:
        yield "the store failed and the token passed"
    if target.store.last == HONEST and claims.get("jti") in REVOKED_IDS:
        yield "a revoked token passed"


def _line_for(target, environ):
    """Return the line of the policy that decides, None where that is for other tests to say."""
    if not target.lines:
        return _TOKEN_REQUIRED
    path, method = environ.get("PATH_INFO", "") or "/", environ.get("REQUEST_METHOD", "")
    if "HTTP_X_VHM_ROOT" in environ or method not in METHODS or _CANONICAL.fullmatch(path) is None:
        return None
    for line in target.lines:
        if line.methods is not None and method not in line.methods:
            continue
        for pattern in line.paths:
            base = pattern.removesuffix("/*")
            if path == base or (pattern != base and path.startswith(base + "/")):
                return line
    return _TOKEN_REQUIRED


def _is_preflight(environ):
    """Tell a CORS preflight (Fetch standard, §3.3.3)."""
    wanted = ("HTTP_ORIGIN", "HTTP_ACCESS_CONTROL_REQUEST_METHOD")
    return environ.get("REQUEST_METHOD") == "OPTIONS" and all(name in environ for name in wanted)


def _is_allowed_origin(target, origin):
    return origin is not None and ("*" in target.cors or origin.lower() in ALLOWED_ORIGINS)


def _preflight_problems(target, environ, answer):
    events = target.probe.events
    if target.probe.environ is not None:
        yield "a preflight reached the application"
    elif not _is_allowed_origin(target, environ["HTTP_ORIGIN"]):
        yield from _refusal_problems(answer, environ, events)
        if [event.reason for event in events] != ["origin_not_allowed"]:
            yield "a preflight of another origin was not refused for that"
    elif not answer.status.startswith("204 ") or answer.body or events:
        yield f"a preflight of a listed origin was answered with {answer.status}"


def _cors_problems(target, environ, answer):
    """Say why another origin may read this answer, or a listed one may not."""
    fields = {name.lower(): value for name, value in answer.started[0][1]}
    allowed = fields.get("access-control-allow-origin")
    origin = environ.get("HTTP_ORIGIN")
    if target.cors is None:
        if any(name.startswith("access-control-") for name in fields):
            yield "an answer may be read by other origins"
        return
    if fields.get("vary") != "Origin":
        yield "an answer that depends on the origin does not say so"
    if not _is_allowed_origin(target, origin):
        if allowed is not None:
            yield "an origin that is not listed may read the answer"
    elif allowed != ("*" if "*" in target.cors else origin):
        yield "a listed origin may not read the answer"


def _credential(target, environ):
    """Return the one token that the request carries, None if it carries none or several."""
    if target.cookie is None:
        match = _BEARER.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
        return match and match[1]
    found = _cookies(target, environ)
    return found[0] if len(found) == 1 and _may_use_cookie(environ) else None


def _lacks_credential(target, environ):
    if target.cookie is None:
        return _NO_BEARER.match(environ.get("HTTP_AUTHORIZATION", "")) is not None
    return not any(_cookies(target, environ)) or not _may_use_cookie(environ)


def _cookies(target, environ):
    pairs = [part.strip(" \t").split("=", 1) for part in environ.get("HTTP_COOKIE", "").split(";")]
    return [pair[-1] for pair in pairs if pair[0] == target.cookie and len(pair) == 2]


def _may_use_cookie(environ):
    if environ.get("REQUEST_METHOD") in _SAFE_METHODS:
        return True
    origin = environ.get("HTTP_ORIGIN", "").lower()
    if origin in ALLOWED_ORIGINS:
        return True
    if "HTTP_SEC_FETCH_SITE" in environ:
        return environ["HTTP_SEC_FETCH_SITE"] in {"same-origin", "none"}
    # The fuzzer speaks http, so 80 is the port that may be left out.
    own = f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST')}".lower()
    return {origin, f"{origin}:80"} & {own, f"{own}:80"} != set()


def _refusal_problems(answer, environ, events):
    status, headers = answer.started[0]
    if not _is_header_list(headers):
        yield f"the headers are not a list of pairs of str: {headers!r}"
        return
    is_head = environ.get("REQUEST_METHOD") == "HEAD"
    yield from _answer_problems(status, tuple(headers), answer.body, is_head)
    told = [(event.reason, event.status) for event in events if hasattr(event, "reason")]
    if (
        len(told) != 1
        or _REGISTRY.get(told[0][0]) != told[0][1]
        or not status.startswith(f"{told[0][1]} ")
    ):
        yield f"the events tell of {told}, the status is {status}"
    elif not is_head and f'"reason": "{told[0][0]}"'.encode() not in answer.body:
        yield f"the event tells of {told[0][0]}, the body of something else"


def _is_header_list(headers):
    return type(headers) is list and all(
        type(pair) is tuple and len(pair) == 2 and all(type(text) is str for text in pair)
        for pair in headers
    )


@lru_cache(maxsize=4096)
def _answer_problems(status, headers, body, is_head):
    """Judge an answer by itself. There are few of them, and each is judged once."""
    found = []
    texts = [status, *(text for pair in headers for text in pair)]
    if CANARY.lower() in "".join([*texts, body.decode("latin-1")]).lower():
        found.append("a value of the request is reflected")
    if _STATUS_LINE.fullmatch(status) is None or any(_CONTROL.search(text) for text in texts):
        found.append("the status or a header has control characters")
    if any(ord(character) > 255 for text in texts for character in text):
        found.append("the status or a header is not latin-1")
    fields = {name.lower(): value for name, value in headers}
    if len(fields) != len(headers):
        found.append("a header is repeated")
    if status.startswith("401 ") and not fields.get("www-authenticate", "").startswith(
        "Bearer realm="
    ):
        found.append("a 401 has no challenge")
    if fields.get("cache-control") != "no-store":
        found.append("the answer may be cached")
    return found + ([] if is_head and not body else _body_problems(status, fields, body))


def _body_problems(status, fields, body):
    try:
        members = json.loads(body, object_pairs_hook=_unique, parse_constant=_refuse)
    except ValueError as exc:
        return [f"the body is not strict JSON: {exc}"]
    found = []
    if not isinstance(members, dict) or _REGISTRY.get(members.get("reason")) != int(status[:3]):
        found.append(f"status and reason are not of the registry: {status}")
    if fields.get("content-type") not in {"application/json", "application/problem+json"}:
        found.append("the body is not declared as JSON")
    if fields.get("content-length") != str(len(body)):
        found.append("the length of the body is not declared")
    return found


def _unique(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member is repeated")
    return dict(pairs)


def _refuse(literal):
    raise ValueError(f"{literal} is not JSON")
