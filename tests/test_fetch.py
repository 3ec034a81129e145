"""Fetching over real sockets from a server that fails in every way."""

import ipaddress
import json
import socket
import time
import tracemalloc
from functools import partial
from threading import Event

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwt_middleware import RemoteJWKSet
from jwt_middleware.events import KeyRefreshFailed, KeysRefreshed
from jwt_middleware.keys.fetch import fetch_document
from tests.conftest import bearer, client
from tests.origin import BEFORE_THE_REQUEST, BROKEN, LARGE, UNREADABLE, Origin, Proxy, identity

TIMEOUT = 0.2
MAX_BYTES = 524_288
# Much longer than a fetch takes on a busy machine, and much shorter than a server that drips.
GENEROUS = 3

fetch = partial(fetch_document, timeout=TIMEOUT, max_bytes=MAX_BYTES)


def params(*tables):
    """Return a parameter for each behaviour of the tables."""
    return [pytest.param(name, id=name) for table in tables for name in table]


@pytest.fixture
def origin(old):
    """An identity provider that behaves, until a test says otherwise."""
    with Origin(old) as origin:
        yield origin


@pytest.fixture
def without_proxies(monkeypatch):
    """A proxy in the environment that is not there, and one that is not to be used."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")


def refusal(url, **options):
    """Return the error that fetching ends in, which is an OSError, and comes in time."""
    started = time.monotonic()
    with pytest.raises(OSError) as caught:  # noqa: PT011
        fetch(url, **options)
    assert time.monotonic() - started < GENEROUS
    return caught.value


@pytest.mark.parametrize("behaviour", ["ok", "chunked"])
def test_document_arrives_whole(origin, behaviour):
    """The body is what the server sent, with Content-Length or in chunks."""
    origin.behaviour = behaviour

    assert fetch(origin.url) == (origin.document(), None)


def test_document_of_exactly_the_limit_is_taken(origin):
    """A body of `max_bytes` is accepted, and one more byte is refused."""
    size = len(origin.document())

    assert fetch(origin.url, max_bytes=size).body == origin.document()
    assert "bytes" in str(refusal(origin.url, max_bytes=size - 1))


@pytest.mark.parametrize("behaviour", params(BROKEN))
def test_broken_exchange_is_an_oserror_in_time(origin, behaviour):
    """Every failure of a server raises OSError within seconds."""
    origin.behaviour = behaviour

    refusal(origin.url)

    assert len(origin.received) == 1


@pytest.mark.parametrize("behaviour", params(UNREADABLE))
def test_content_is_none_of_its_business(origin, behaviour):
    """An answer with status 200 is returned unchanged."""
    origin.behaviour = behaviour

    assert isinstance(fetch(origin.url).body, bytes)


@pytest.mark.parametrize("behaviour", [name for name in BROKEN if "60 MB" in name])
def test_large_document_takes_bounded_memory(origin, behaviour):
    """Of sixty megabytes no more than the limit is read, however they are announced."""
    origin.behaviour = behaviour
    tracemalloc.start()
    try:
        refusal(origin.url, timeout=5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4 * MAX_BYTES < LARGE / 20


@pytest.mark.parametrize("behaviour", [name for name in BROKEN if "redirect" in name])
def test_redirect_is_not_followed(origin, behaviour):
    """Whoever can redirect could point at a file, or at a server that the URL does not name."""
    origin.behaviour = behaviour

    assert "status 30" in str(refusal(origin.url))


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("ftp://127.0.0.1/jwks.json", id="ftp"),
        pytest.param("data:application/json,{}", id="data"),
        pytest.param("jwks.json", id="no scheme"),
        pytest.param("", id="empty"),
        pytest.param("http://", id="no host"),
        pytest.param("http://[::1", id="a broken host"),
        pytest.param("http://127.0.0.1:port/", id="a broken port"),
        pytest.param("http://127.0.0.1:1/a b", id="a space"),
        pytest.param("http://127.0.0.1:1/\r\nX: y", id="a line break"),
        pytest.param("http://127.0.0.1:1/ü", id="beyond ASCII"),
        pytest.param(f"http://{'a' * 70}.invalid/", id="a label too long"),
    ],
)
def test_url_that_cannot_be_fetched_is_an_oserror(url):
    """A URL of another scheme, or an invalid one, raises OSError."""
    refusal(url)


def test_refused_connection_is_an_oserror(origin):
    """A server that is down."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    assert "refused" in str(refusal(f"http://127.0.0.1:{port}/"))


def test_unknown_host_is_an_oserror():
    """A name that no server has (RFC 6761 §6.4)."""
    refusal("http://nonexistent.invalid/")


def test_request_says_nothing_of_the_client(origin):
    """The request is fixed. It contains no credential, and nothing of a client's request."""
    fetch(origin.url)

    ((target, lines, _),) = origin.received
    assert target == "/jwks.json"
    assert {line.partition(":")[0] for line in lines} == {
        "accept",
        "accept-encoding",
        "connection",
        "host",
        "user-agent",
    }
    assert "accept-encoding: identity" in lines


@pytest.mark.parametrize(
    ("values", "max_age"),
    [
        pytest.param([], None, id="no header"),
        pytest.param([""], None, id="empty"),
        pytest.param(["public"], None, id="another directive"),
        pytest.param(["max-age=600"], 600, id="max-age"),
        pytest.param(["public,max-age=600,must-revalidate"], 600, id="among others"),
        pytest.param(["Public, MAX-AGE = 600"], 600, id="in capitals, with spaces"),
        pytest.param(['max-age="600"'], 600, id="quoted"),
        pytest.param(["public", "max-age=600"], 600, id="in a second header"),
        pytest.param(["max-age=600", "no-cache"], 0, id="no-cache in a second header"),
        pytest.param(["max-age=600, no-store"], 0, id="no-store"),
        pytest.param(['no-cache="Set-Cookie", max-age=600'], 0, id="no-cache for one header"),
        pytest.param(["s-maxage=600"], None, id="for shared caches"),
        pytest.param(["x-max-age=600"], None, id="a name that ends the same"),
        pytest.param(["max-age=-1"], None, id="negative"),
        pytest.param(["max-age=soon"], None, id="no number"),
        pytest.param(["max-age=" + "9" * 5000], 9_999_999_999, id="absurd"),
        pytest.param(["max-age=\u00b2"], None, id="a digit beyond ASCII"),
    ],
)
def test_cache_control_says_how_long(origin, values, max_age):
    """``max-age`` is read anywhere in the header. ``no-store`` and ``no-cache`` give 0."""
    origin.cache_control = values

    assert fetch(origin.url).max_age == max_age


LATIN = st.characters(max_codepoint=255, exclude_characters="\r\n")
DIRECTIVES = st.sampled_from(
    ["max-age=", "max-age", '"', "=", ",", " ", "no-store", "9" * 400, "-", "1"]
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=st.lists(st.lists(DIRECTIVES | LATIN, max_size=12).map("".join), max_size=3))
def test_any_cache_control_is_a_number_or_nothing(origin, values):
    """Every header gives a finite number of seconds, 0 or more, or None."""
    origin.cache_control = values

    max_age = fetch(origin.url, timeout=GENEROUS).max_age

    assert max_age is None or 0 <= max_age < 10**10


def test_certificate_of_the_right_name_is_trusted_with_its_context(tmp_path, old):
    """`ssl_context` replaces the certificate authorities."""
    tls = identity(x509.IPAddress(ipaddress.ip_address("127.0.0.1")), tmp_path)
    with Origin(old, tls=tls.server) as origin:
        assert fetch(origin.url, timeout=GENEROUS, ssl_context=tls.client).body == origin.document()


def test_certificate_of_another_name_is_refused(tmp_path, old):
    """Whom one trusts speaks for the names in its certificate only."""
    tls = identity(x509.DNSName("id.example.com"), tmp_path)
    with Origin(old, tls=tls.server) as origin:
        assert "CERTIFICATE_VERIFY_FAILED" in str(
            refusal(origin.url, timeout=GENEROUS, ssl_context=tls.client)
        )
        assert origin.received == []


def test_certificate_of_an_unknown_authority_is_refused(tmp_path, old):
    """The system's authorities are asked where no context is given."""
    tls = identity(x509.IPAddress(ipaddress.ip_address("127.0.0.1")), tmp_path)
    with Origin(old, tls=tls.server) as origin:
        assert "CERTIFICATE_VERIFY_FAILED" in str(refusal(origin.url, timeout=GENEROUS))
        assert origin.received == []


@pytest.mark.parametrize(
    "behaviour", params(BEFORE_THE_REQUEST, ["drip in the head", "drip in the body", "hang"])
)
def test_tls_is_bounded_by_the_same_deadline(tmp_path, old, behaviour):
    """Neither a handshake nor what comes after it may take longer than the whole."""
    tls = identity(x509.IPAddress(ipaddress.ip_address("127.0.0.1")), tmp_path)
    with Origin(old, tls=tls.server) as origin:
        origin.behaviour = behaviour
        assert "timed out" in str(refusal(origin.url, ssl_context=tls.client))


@pytest.mark.usefixtures("without_proxies")
def test_proxies_of_the_environment_are_not_used(origin):
    """Where keys come from is configured, not inherited."""
    assert fetch(origin.url).body == origin.document()


def test_proxy_forwards_a_plain_request(origin):
    """For http, the proxy gets the whole URL."""
    with Proxy() as proxy:
        assert (
            fetch(origin.url, timeout=GENEROUS, proxies={"http": proxy.url}).body
            == origin.document()
        )
        assert proxy.asked == [f"GET {origin.url} HTTP/1.1"]


def test_proxy_tunnels_tls(tmp_path, old):
    """For https the proxy opens a tunnel, and the certificate must be that of the host."""
    tls = identity(x509.DNSName("id.example.com"), tmp_path)
    with Origin(old, tls=tls.server) as origin, Proxy() as proxy:
        url = origin.url.replace("127.0.0.1", "id.example.com")
        body = fetch(
            url, timeout=GENEROUS, proxies={"https": proxy.url}, ssl_context=tls.client
        ).body
        assert body == origin.document()
        assert proxy.asked[0].startswith("CONNECT id.example.com:")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(
            {"answer": b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"}, id="refuses"
        ),
        pytest.param({"answer": b"\x00garbage\r\n\r\n"}, id="garbage"),
        pytest.param({"drip": b"HTTP/1.1 200 OK\r\nX-Header: " + b"x" * 200}, id="drips"),
    ],
)
def test_proxy_without_a_tunnel_is_an_oserror_in_time(options):
    """A proxy is a server too: what it says is bounded like everything else."""
    with Proxy(**options) as proxy:
        refusal("https://id.example.com/jwks.json", proxies={"https": proxy.url})


@pytest.fixture
def events():
    """The events of `on_event`."""
    return []


@pytest.fixture
def app(origin, make_verifier, clock, events):
    """An application behind the middleware, with keys from the origin."""
    keys = RemoteJWKSet(
        origin.url, allow_http=True, timeout=TIMEOUT, clock=clock, on_event=events.append
    )
    return client(make_verifier(keys), on_event=lambda event: None)


def get(app, token, status=200):
    """Send a request that is answered in time with this status."""
    started = time.monotonic()
    response = app.get("/", headers=bearer(token), status=status)
    assert time.monotonic() - started < GENEROUS
    return response


def wait_for(events, count):
    """Wait for so many events."""
    deadline = time.monotonic() + GENEROUS
    while len(events) < count and time.monotonic() < deadline:
        Event().wait(0.002)


@pytest.mark.parametrize("behaviour", params(BROKEN, UNREADABLE))
def test_fault_after_a_good_load_is_not_noticed(
    origin, app, events, old, new, clock, token_of, behaviour
):
    """Known keys stay in use, each attempt is one event, and pauses are kept."""
    get(app, token_of(old))
    origin.behaviour = behaviour
    clock.tick(300)
    get(app, token_of(old))
    wait_for(events, 2)
    get(app, token_of(old))
    assert [type(event) for event in events] == [KeysRefreshed, KeyRefreshFailed]
    assert len(origin.received) == 2
    origin.behaviour, origin.keys = "ok", [new, old]
    clock.tick(60)
    get(app, token_of(old))
    wait_for(events, 3)

    assert isinstance(events[2], KeysRefreshed)
    get(app, token_of(new))
    assert len(origin.received) == len(events) == 3


@pytest.mark.parametrize("behaviour", params(BROKEN, UNREADABLE))
def test_fault_before_any_load_is_503_until_it_ends(
    origin, app, events, old, clock, token_of, behaviour
):
    """Without keys every answer is 503, and a good document is used within a cooldown."""
    origin.behaviour = behaviour
    response = get(app, token_of(old), status=503)
    assert 1 <= int(response.headers["Retry-After"]) <= 30
    assert [type(event) for event in events] == [KeyRefreshFailed]
    origin.behaviour = "ok"
    clock.tick(30)

    assert get(app, token_of(old)).json["sub"] == "alice"


@pytest.mark.parametrize("behaviour", params(BROKEN, UNREADABLE))
def test_fault_while_a_new_key_is_looked_for_is_503(
    origin, app, events, old, new, clock, token_of, behaviour
):
    """An unknown key is 503 while the server fails, and known keys never wait."""
    get(app, token_of(old))
    origin.behaviour, origin.keys = behaviour, [new, old]
    response = get(app, token_of(new), status=503)
    assert 1 <= int(response.headers["Retry-After"]) <= 30
    get(app, token_of(old))
    origin.behaviour = "ok"
    clock.tick(30)

    assert get(app, token_of(new)).json["sub"] == "alice"


def test_credential_never_travels_to_the_key_server(origin, app, old, token_of):
    """The key server sees no part of the token that its keys are fetched for."""
    token = token_of(old)
    get(app, token)

    (received,) = origin.received
    assert not {"authorization", "cookie"} & {line.partition(":")[0] for line in received.lines}
    assert not any(part.lower() in line for part in token.split(".") for line in received.lines)


def test_cache_control_moves_the_refresh(origin, app, events, old, clock, token_of):
    """A server that declares its keys fresh for ten minutes is not asked before, and asked then."""
    origin.cache_control = ["max-age=600"]
    get(app, token_of(old))
    clock.tick(599)
    get(app, token_of(old))
    assert len(origin.received) == 1
    clock.tick(1)
    get(app, token_of(old))
    wait_for(events, 2)

    assert len(origin.received) == 2


def test_keys_over_tls_open_the_door(tmp_path, old, make_verifier, token_of):
    """The usual case, with an authority of one's own bound to the fetch function."""
    tls = identity(x509.IPAddress(ipaddress.ip_address("127.0.0.1")), tmp_path)
    with Origin(old, tls=tls.server) as origin:
        keys = RemoteJWKSet(origin.url, fetch=partial(fetch_document, ssl_context=tls.client))
        assert json.loads(get(client(make_verifier(keys)), token_of(old)).body)["sub"] == "alice"
