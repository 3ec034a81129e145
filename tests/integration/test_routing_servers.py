"""On real servers, no spelling of a path reaches a view without the right token."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import quote

import pytest

from tests.routing import VARIANTS
from tests.routing_policies import CREDENTIALS, canonical
from tests.routing_site import NAMES
from tests.routing_spellings import ODD_PATHS, ORIGIN, PATTERNS
from tests.servers import WSGI_SERVERS, serving

SITE = "tests.routing_site:app"
SERVERS = [*WSGI_SERVERS, "mod_wsgi"]
# The policy, and a credential that is not enough for the view of /admin.
ATTEMPTS = [("closed", "none"), ("open", "plain")]
HEADERS = [
    [f"Origin: {ORIGIN}".encode(), b"Access-Control-Request-Method: GET"],
    [b"SCRIPT_NAME: /static"],
    [b"Script-Name: /static"],
    [b"PATH_INFO: /static/x"],
    [b"X-Original-URL: /admin", b"X-Rewrite-URL: /admin"],
    [b"X-Forwarded-Prefix: /static", b"X-Script-Name: /static"],
    [b"X-HTTP-Method-Override: GET"],
    [b"X-Vhm-Root: /admin"],
]


def targets():
    """Return the spellings of ``/admin`` as request targets: raw, and encoded once."""
    paths = [pattern.format(t="admin", a="ad", z="min").encode("latin-1") for pattern in PATTERNS]
    paths += [path.encode("latin-1") for path in ODD_PATHS]
    plain = [path for path in paths if not re.search(rb"[\x00-\x20\x7f]", path) and path]
    encoded = [quote(path, safe="/@;=:*").encode() for path in paths]
    forms = [b"http://127.0.0.1" + path for path in plain[::5]]
    return list(dict.fromkeys([*plain, *encoded, *forms]))


def ask(port, site, credential, target, method=b"GET", *lines):
    """Send one request; return the first line of the answer and the views that ran."""
    token = credential.token
    sent = [
        method + b" " + target + b" HTTP/1.1",
        b"Host: 127.0.0.1",
        b"X-Site: " + " ".join(site).encode(),
        *([] if token is None else [b"Authorization: Bearer " + token.encode()]),
        *lines,
        b"Connection: close",
        b"\r\n",
    ]
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as link, suppress(OSError):
        link.sendall(b"\r\n".join(sent))
        while piece := link.recv(65_536):
            received += piece
    views = re.findall(rb"^x-view: *([^\r]*)", received, re.IGNORECASE | re.MULTILINE)
    return received.partition(b"\r\n")[0], [view.decode() for view in views]


@pytest.fixture(scope="module", params=SERVERS)
def port(request):
    """The port of the site on each server."""
    with serving(request.param, SITE) as port:
        yield port


def bypasses(port, name, requests):
    """Yield the requests whose credential was not enough for the view that ran."""
    cases = VARIANTS[name].cases()
    jobs = [(policy, who, *each) for policy, who in ATTEMPTS for each in requests]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda job: attempt(port, name, *job), jobs)
        for (policy, who, *rest), (line, views) in zip(jobs, answers, strict=True):
            needs = [cases[policy].need_of(view, "GET") for view in views]
            if not all(map(CREDENTIALS[who].satisfies, needs)):
                yield policy, who, rest, views, line


def attempt(port, name, policy, who, *request):
    """Send one request with a credential to an application behind a policy."""
    return ask(port, (name, policy), CREDENTIALS[who], *request)


@pytest.mark.parametrize("name", NAMES)
def test_server_and_spelling_together_open_nothing(port, name):
    """No request target runs a view without the right token."""
    assert list(bypasses(port, name, [(target,) for target in targets()])) == []


@pytest.mark.parametrize("name", NAMES)
def test_server_and_headers_together_open_nothing(port, name):
    """No header moves a request to another path, and no preflight runs a view."""
    requests = [
        (target, method, *lines)
        for target in (b"/admin", b"/static/admin", b"/health")
        for method in (b"GET", b"OPTIONS")
        for lines in HEADERS
    ]

    assert list(bypasses(port, name, requests)) == []


@pytest.mark.parametrize("name", NAMES)
def test_server_brings_good_requests_to_their_views(port, name):
    """Each view answers at its own path with the weakest credential that its rule accepts."""
    lost = []
    for policy, _ in ATTEMPTS:
        case = VARIANTS[name].cases()[policy]
        for view, path in canonical():
            need = case.need_of(view, "GET")
            credential = next(each for each in CREDENTIALS.values() if each.satisfies(need))
            target = quote(path.encode("latin-1")).encode()
            line, views = ask(port, (name, policy), credential, target)
            if (line.split()[1:2], views) != ([b"200"], [view]):
                lost.append((policy, view, path, line, views))

    assert lost == []
