"""A key server on loopback, on real sockets, that a test can make fail in every way."""

import gzip
import json
import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from jwt_middleware import TokenIssuer

LARGE = 60_000_000
_PIECE = b" " * 65_536


class Received(NamedTuple):
    """One request: its target, its header lines in lower case, and when it came."""

    target: str
    lines: tuple[str, ...]
    at: float


class Served(NamedTuple):
    """One good answer that was sent completely, with the time of its last byte."""

    target: str
    key_ids: tuple[str | None, ...]
    at: float


class Listener:
    """Accepts connections on a free port of loopback and calls `serve` for each, in a new thread.

    `serve` gets the socket, and an event that is set when it must stop waiting.
    """

    def __init__(self, serve):
        self._serve = serve
        self._over = threading.Event()
        self._closing = False
        self._threads = []
        self._links = set()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._socket.getsockname()[1]

    def start(self):
        self._start(self._accept)

    def stop(self):
        self._closing = True
        self.release()
        # A connection wakes the accept on every system, unlike closing its socket.
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        for link in list(self._links):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        self._socket.close()

    def release(self):
        """End everything that waits at the moment."""
        self._over.set()
        self._over = threading.Event()

    def _accept(self):
        while True:
            link, _ = self._socket.accept()
            if self._closing:
                link.close()
                return
            self._start(self._guard, link)

    def _start(self, run, *arguments):
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=run, args=arguments, name="origin", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guard(self, link):
        # A twin of the socket, which stays the same when TLS takes the other one over.
        twin = link.dup()
        self._links.add(twin)
        # A client may hang up in the middle of an answer. The server ignores that.
        with twin, suppress(OSError), link:
            self._serve(link, self._over)
        self._links.discard(twin)


class Origin:
    """Publishes the public keys of `keys` at `url`, or does what `behaviour` names.

    `behaviour` is one of `BEHAVIOURS`. `cache_control` is a list with one value for each header.
    `delay`, in seconds, comes before each good answer. An answer that hangs or drips goes on until
    `release` or the end of the ``with`` block.
    """

    def __init__(self, *keys, tls=None):
        self.keys = list(keys)
        self.behaviour = "ok"
        self.cache_control = []
        self.delay = 0
        self.received = []
        self.served = []
        self._tls = tls
        self._listener = Listener(self._serve)
        self.release = self._listener.release
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.port}/jwks.json"

    def __enter__(self):
        self._listener.start()
        return self

    def __exit__(self, *exc_info):
        self._listener.stop()

    def document(self):
        """Return the key set as it is published now."""
        return (
            json.dumps(TokenIssuer(self.keys, issuer="x", audience="x").jwks()).encode()
            if self.keys
            else b'{"keys": []}'
        )

    def send_ok(self, link, over, target, *, chunked=False):
        """Answer as a key server should."""
        body = document = self.document()
        over.wait(self.delay)
        lines = [f"Cache-Control: {value}".encode("latin-1") for value in self.cache_control]
        if chunked:
            middle = len(body) // 2
            pieces = [body[:middle], body[middle:], b""]
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
            lines.append(b"Transfer-Encoding: chunked")
        else:
            lines.append(b"Content-Length: %d" % len(body))
        link.sendall(head(*lines) + body)
        key_ids = tuple(member.get("kid") for member in json.loads(document)["keys"])
        self.served.append(Served(target, key_ids, time.monotonic()))

    def _serve(self, link, over):
        if self.behaviour in BEFORE_THE_REQUEST:
            BEFORE_THE_REQUEST[self.behaviour](link, over)
            return
        with self._tls.wrap_socket(link, server_side=True) if self._tls else link as link:
            target = self._read_request(link)
            if target is not None:
                self._answer(link, over, target)

    def _answer(self, link, over, target):
        behaviour = BEHAVIOURS[self.behaviour]
        if isinstance(behaviour, bytes):
            link.sendall(behaviour)
        else:
            behaviour(self, link, over, target)

    def _read_request(self, link):
        """Return the request's target, None if there is no request."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = link.recv(65_536)
            if not piece:
                return None
            data += piece
        first, *lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        target = first.split(" ")[1]
        self.received.append(
            Received(target, tuple(line.lower() for line in lines), time.monotonic())
        )
        return target


def head(*lines, status=b"200 OK"):
    """Return the head of an answer."""
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Connection: close", *lines, b"", b""])


def whole(body, *lines, status=b"200 OK"):
    """Return an answer with a body of the right length."""
    return head(b"Content-Length: %d" % len(body), *lines, status=status) + body


def repeat(start, piece, *, times=None):
    """Return a behaviour that sends `piece` after `start`, again and again."""

    def send(origin, link, over, target):
        link.sendall(start)
        sent = 0
        while not over.is_set() and sent != times:
            link.sendall(piece)
            sent += 1

    return send


def drip(start, rest):
    """Return a behaviour that sends `rest` after `start`, at two bytes per second."""

    def send(origin, link, over, target):
        link.sendall(start)
        for position in range(0, len(rest), 2):
            link.sendall(rest[position : position + 2])
            if over.wait(1):
                return

    return send


def hang(origin, link, over, target):
    """Accept, and never answer."""
    over.wait()


def hang_in_body(origin, link, over, target):
    """Begin to answer, and never end."""
    link.sendall(head(b"Content-Length: 1000") + b'{"keys": [')
    over.wait()


def gzipped(origin, link, over, target):
    """Answer in an encoding that the client has not asked for."""
    link.sendall(whole(gzip.compress(origin.document()), b"Content-Encoding: gzip"))


def cut_off(origin, link, over, target):
    """Announce more than there is, and close."""
    body = origin.document()
    link.sendall(head(b"Content-Length: %d" % (len(body) + 5)) + body)


def cut_off_chunk(origin, link, over, target):
    """Close in the middle of a chunk."""
    body = origin.document()
    link.sendall(head(b"Transfer-Encoding: chunked") + b"%x\r\n" % (len(body) + 5) + body)


def cut_off_chunks(origin, link, over, target):
    """Close where the chunk that ends the body should be."""
    body = origin.document()
    link.sendall(head(b"Transfer-Encoding: chunked") + b"%x\r\n%b\r\n" % (len(body), body))


def hang_before_handshake(link, over):
    """Accept the connection, and say nothing of TLS."""
    over.wait()


def drip_before_handshake(link, over):
    """Announce a TLS record, and send it piece by piece, each well within the client's patience."""
    trickle(link, over, b"\x16\x03\x03\x40\x00" + bytes(600))


def trickle(link, over, data):
    """Send twenty bytes per second."""
    for byte in data:
        link.sendall(bytes([byte]))
        if over.wait(0.05):
            return


# What is wrong with the exchange: no client gets a document out of it.
BROKEN = {
    "redirect": whole(b"", b"Location: /elsewhere", status=b"302 Found"),
    "redirect to a file": whole(
        b"", b"Location: file:///etc/passwd", status=b"301 Moved Permanently"
    ),
    "redirect to another host": whole(
        b"", b"Location: http://localhost:1/", status=b"307 Temporary Redirect"
    ),
    "404": whole(b"{}", status=b"404 Not Found"),
    "500": whole(b"{}", status=b"500 Internal Server Error"),
    "503": whole(b"{}", b"Retry-After: 100000", status=b"503 Service Unavailable"),
    "204": head(status=b"204 No Content"),
    "60 MB": repeat(head(b"Content-Length: %d" % LARGE), _PIECE, times=LARGE // len(_PIECE)),
    "60 MB of unknown length": repeat(head(), _PIECE, times=LARGE // len(_PIECE)),
    "60 MB in one chunk": repeat(
        head(b"Transfer-Encoding: chunked") + b"%x\r\n" % LARGE, _PIECE, times=LARGE // len(_PIECE)
    ),
    "cut off": cut_off,
    "cut off in a chunk": cut_off_chunk,
    "cut off between chunks": cut_off_chunks,
    "no chunk size": head(b"Transfer-Encoding: chunked") + b"many\r\n{}",
    "drip in the body": drip(head(b"Content-Length: 1000"), b"{" + b" " * 999),
    "drip in the head": drip(b"HTTP/1.1 200 OK\r\n", b"X-Long: " + b"x" * 1000),
    "hang": hang,
    "hang in the body": hang_in_body,
    "closed": b"",
    "endless headers": repeat(b"HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n"),
    "endless header": repeat(b"HTTP/1.1 200 OK\r\nX-Header: ", _PIECE),
    "endless interim answers": repeat(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
    "endless trailers": repeat(
        head(b"Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n", b"X-Header: value\r\n"
    ),
    "garbage": b"\x00\xff\xfegarbage\r\n\r\n",
    "another protocol": b"220 ftp.example.com ready\r\n",
}
# A document of which no key set can be read.
UNREADABLE = {
    "HTML": whole(b"<!DOCTYPE html><title>Maintenance</title>", b"Content-Type: text/html"),
    "empty": whole(b""),
    "array": whole(b'[{"keys": []}]'),
    "no keys": whole(b'{"keys": []}'),
    "deep nesting": whole(b'{"keys": ' + b"[" * 100_000),
    "bad UTF-8": whole(b'{"keys": ["\xff\xfe\xc0\x80"]}'),
    "huge integer": whole(b'{"keys": [{"kty": "RSA", "n": ' + b"9" * 10_000 + b"}]}"),
    "gzip": gzipped,
}
BEFORE_THE_REQUEST = {
    "hang before the handshake": hang_before_handshake,
    "drip before the handshake": drip_before_handshake,
}
GOOD = {
    "ok": Origin.send_ok,
    "chunked": lambda origin, link, over, target: origin.send_ok(link, over, target, chunked=True),
}
BEHAVIOURS = BROKEN | UNREADABLE | GOOD


class Proxy:
    """Forwards requests, and opens tunnels to loopback for every name. `asked` are request lines.

    With `answer` it sends that instead of opening a tunnel. With `drip` it sends twenty bytes per
    second.
    """

    def __init__(self, *, answer=b"", drip=b""):
        self.asked = []
        self._answer = answer
        self._drip = drip
        self._listener = Listener(self._serve)
        self.url = f"http://127.0.0.1:{self._listener.port}"

    def __enter__(self):
        self._listener.start()
        return self

    def __exit__(self, *exc_info):
        self._listener.stop()

    def _serve(self, link, over):
        request = link.recv(65_536)
        line = request.split(b"\r\n")[0].decode()
        self.asked.append(line)
        method, target, _ = line.split(" ")
        if self._answer or self._drip:
            link.sendall(self._answer)
            trickle(link, over, self._drip)
            return
        port = int(target.removeprefix("http://").split("/")[0].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as onward:
            if method == "CONNECT":
                link.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                onward.sendall(request)
            back = threading.Thread(target=pump, args=(onward, link), daemon=True)
            back.start()
            pump(link, onward)
            back.join(10)


def pump(source, sink):
    """Copy from one socket to the other until either has enough."""
    with suppress(OSError):
        while piece := source.recv(65_536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


class Identity(NamedTuple):
    """What a TLS server needs, and what a client needs that trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def identity(name, folder):
    """Return a new self-signed identity of a host, written to `folder` for the sake of OpenSSL."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "origin")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    both = folder / "identity.pem"
    both.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    return Identity(server, ssl.create_default_context(cadata=pem.decode()))
