"""Fetching one small document over HTTPS from a server that may be hostile.

The standard library's urllib does the work: proxies, TLS and chunked bodies. So nothing has to be
installed, and PyJWT has imported it already. This module adds one deadline for handshake, headers
and body together, because a server that sends two bytes a second never exceeds a time-out per read.
"""

import io
import re
import ssl
import time
from collections.abc import Mapping
from functools import lru_cache, partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final, NamedTuple, Protocol
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

_MAX_AGE = r"(?i)(?:^|[,\s])max-age\s*=\s*\"?([0-9]{1,10})"
_UNCACHEABLE = r"(?i)(?:^|[,\s])no-(?:cache|store)\b"
_HEADERS: Final = {"Accept": "application/json", "User-Agent": "wsgi-jwt-middleware"}


class Fetched(NamedTuple):
    """A document, and for how many seconds it is fresh, or None if the server does not say."""

    body: bytes
    max_age: float | None = None


class Fetch(Protocol):
    """A function that fetches a document: `fetch_document`, or your own."""

    def __call__(self, url: str, *, timeout: float, max_bytes: int) -> Fetched:
        """Return the document at `url` within `timeout` seconds, or raise an exception."""


def fetch_document(
    url: str,
    *,
    timeout: float,
    max_bytes: int,
    proxies: Mapping[str, str] | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> Fetched:
    """Return the document at an http or https URL.

    `timeout`, in seconds, is for the whole document. Only resolving the host's name, and connecting
    to a second address of it, may take longer. Raises OSError for every failure on the way, for a
    status other than 200, also a redirect, and for a body of more than `max_bytes`.

    `proxies` maps ``"https"`` to the URL of a proxy. ``urllib.request.getproxies()`` returns the
    proxies of the environment. `ssl_context` replaces the system's certificate authorities. Bind
    both with `functools.partial`.
    """
    deadline = time.monotonic() + timeout
    # The default opener is not used, because it follows redirects and reads file: and ftp: URLs.
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
        # Without a context, HTTPSHandler of Python 3.12 reads the certificates each time.
        self._tls = ssl_context or _system_authorities()
        super().__init__(context=self._tls)
        self._deadline = deadline

    def https_open(self, req: Request) -> Any:
        return self.do_open(
            _SecureConnection,  # type: ignore[arg-type]
            req,
            deadline=self._deadline,
            context=self._tls,
        )


class _PlainConnection(HTTPConnection):
    def __init__(self, host: str, *, deadline: float, **options: Any) -> None:
        super().__init__(host, **options)
        self.response_class: Any = partial(_Response, deadline=deadline)


class _SecureConnection(HTTPSConnection):
    def __init__(
        self, host: str, *, deadline: float, context: ssl.SSLContext, **options: Any
    ) -> None:
        super().__init__(host, context=context, **options)
        # The answer of a proxy to CONNECT is a response too, so the deadline includes it.
        self.response_class: Any = partial(_Response, deadline=deadline)
        self._deadline = deadline
        self._tls = context

    def connect(self) -> None:
        # The same steps as in HTTPSConnection, but the handshake gets only the remaining time.
        HTTPConnection.connect(self)
        self.sock.settimeout(_remaining(self._deadline))
        server: str = getattr(self, "_tunnel_host", None) or self.host
        self.sock: Any = self._tls.wrap_socket(self.sock, server_hostname=server)


class _Response(HTTPResponse):
    """A response with one deadline for everything that is read from the server."""

    def __init__(self, sock: Any, *args: Any, deadline: float, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp: Any = io.BufferedReader(_DeadlineReader(sock, self.fp.detach(), deadline))


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket, and gives each read only the time until the deadline."""

    def __init__(self, sock: Any, file: io.RawIOBase, deadline: float) -> None:
        self._sock = sock
        self._file = file
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        self._sock.settimeout(_remaining(self._deadline))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


@lru_cache(maxsize=1)
def _system_authorities() -> ssl.SSLContext:
    # Reading the certificates takes longer than most fetches.
    return ssl.create_default_context()


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("timed out")
    return remaining
