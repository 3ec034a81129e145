"""An identity provider on loopback. A benchmark changes its keys, delays and faults as it runs."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from jwt_middleware import PrivateKey, TokenIssuer


class Origin:
    """Publishes the public halves of `keys` after `delay` seconds, with `status`.

    It counts the requests.
    """

    def __init__(self, keys: Sequence[PrivateKey]) -> None:
        self.keys = keys
        self.delay = 0.0
        self.status = 200
        self.fetches = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Serve one request."""
        with self._lock:
            self.fetches += 1
        status, body = (
            self.status,
            json.dumps(TokenIssuer(list(self.keys), issuer="x", audience="x").jwks()).encode(),
        )
        self.closing.wait(self.delay)
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def origin(*keys: PrivateKey) -> Iterator[Origin]:
    """Run an origin in threads of this process."""
    provider = Origin(keys)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                provider.answer(self)
            except OSError:
                return  # The client has gone, as it does when it has waited long enough.

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        provider.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            provider.closing.set()
            server.shutdown()
            thread.join()
