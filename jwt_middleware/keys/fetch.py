"""Getting one small document over HTTPS, bounded in time and memory, from a server that may be hostile.

It stands on urllib of the standard library: proxies, TLS and chunked bodies are its work, nothing has to be
installed, and PyJWT has imported it already. What no common client offers is here: one deadline over the
handshake, headers and body together, so that a server that sends two bytes a second is given up in time.
"""

import io
import re
import ssl
import time
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final, NamedTuple, Protocol
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

_MAX_AGE = r"(?i)(?:^|[,\s])max-age\s*=\s*\"?([0-9]{1,10})"
_UNCACHEABLE = r"(?i)(?:^|[,\s])no-(?:cache|store)\b"
_HEADERS: Final = {"Accept": "application/json", "User-Agent": "wsgi-jwt-middleware"}


class Fetched(NamedTuple):
    """A document, and for how many seconds its server declares it fresh; None if it does not."""

    body: bytes
    max_age: float | None = None


class Fetch(Protocol):
    """What fetches a document: `fetch_document`, or a function of your own."""

    def __call__(self, url: str, *, timeout: float, max_bytes: int) -> Fetched:
        """Return the document at `url` within `timeout` seconds; raise whatever prevents that."""


def fetch_document(
    url: str,
    *,
    timeout: float,
    max_bytes: int,
    proxies: Mapping[str, str] | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> Fetched:
    """Return the document at an http or https URL.

    `timeout`, in seconds, is for the whole; only looking up the host's name, and trying a second address of
    it, may take longer. Raises OSError for everything that goes wrong on the way, for any status but 200,
    redirects included, and for a body of more than `max_bytes`.

    `proxies` maps ``"https"`` to a proxy's URL; ``urllib.request.getproxies()`` are those of the environment.
    `ssl_context` replaces the system's certificate authorities. Bind them with `functools.partial`.
    """
    deadline = time.monotonic() + timeout
    # Put together by hand: the usual opener follows redirects and reads file: and ftp: URLs too.
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(dict(proxies or {})),
        _Plain(deadline),
        _Secure(deadline, ssl_context),
    ):
        opener.add_handler(handler)
    try:
        response = opener.open(Request(url, headers=_HEADERS), timeout=timeout)  # noqa: S310
        if response is None:
            raise ValueError("neither http nor https")
        with response:
            if response.status != 200:
                raise OSError(f"status {response.status}")
            body = response.read(max_bytes + 1)
    except (HTTPException, ValueError) as exc:
        raise OSError(f"no valid HTTP exchange ({type(exc).__name__})") from exc
    if len(body) > max_bytes:
        raise OSError(f"more than {max_bytes} bytes")
    if response.length:
        raise OSError("the body was cut off")
    return Fetched(body, _max_age(", ".join(response.headers.get_all("Cache-Control", []))))


def _max_age(cache_control: str) -> float | None:
    if re.search(_UNCACHEABLE, cache_control):
        return 0
    found = re.search(_MAX_AGE, cache_control)
    return float(found[1]) if found else None


class _Plain(HTTPHandler):
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: Request) -> Any:
        return self.do_open(_PlainConnection, req, deadline=self._deadline)  # type: ignore[arg-type]


class _Secure(HTTPSHandler):
    def __init__(self, deadline: float, ssl_context: ssl.SSLContext | None) -> None:
        super().__init__()
        self._deadline = deadline
        self._ssl_context = ssl_context

    def https_open(self, req: Request) -> Any:
        context = self._ssl_context or _system_authorities()
        return self.do_open(_SecureConnection, req, deadline=self._deadline, context=context)  # type: ignore[arg-type]


class _PlainConnection(HTTPConnection):
    def __init__(self, host: str, *, deadline: float, **options: Any) -> None:
        super().__init__(host, **options)
        self._deadline = deadline

    def connect(self) -> None:
        super().connect()
        self.sock: Any = _DeadlineSocket(self.sock, self._deadline)


class _SecureConnection(HTTPSConnection):
    def __init__(
        self, host: str, *, deadline: float, context: ssl.SSLContext, **options: Any
    ) -> None:
        super().__init__(host, context=context, **options)
        self.sock: Any
        self._deadline = deadline
        self._tls = context

    def _tunnel(self) -> None:
        # A proxy that drips its answer counts against the deadline too.
        plain, self.sock = self.sock, _DeadlineSocket(self.sock, self._deadline)
        super()._tunnel()  # type: ignore[misc]
        self.sock = plain

    def connect(self) -> None:
        # As HTTPSConnection does it, but only what is left of the time is for the handshake.
        HTTPConnection.connect(self)
        self.sock.settimeout(_left(self._deadline))
        server: str = getattr(self, "_tunnel_host", None) or self.host
        self.sock = _DeadlineSocket(
            self._tls.wrap_socket(self.sock, server_hostname=server), self._deadline
        )


class _DeadlineSocket:
    """The part of a socket that http.client uses, with one deadline for all that is read."""

    def __init__(self, sock: Any, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self.sendall = sock.sendall
        self.close = sock.close

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._sock, self._deadline))


class _DeadlineReader(io.RawIOBase):
    def __init__(self, sock: Any, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        # It keeps the connection open when http.client closes the socket before it has read the body.
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._deadline))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


@lru_cache(maxsize=1)
def _system_authorities() -> ssl.SSLContext:
    # Reading them takes longer than most fetches.
    return ssl.create_default_context()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
