"""Rotations, a key server that fails in every way, and hostile traffic, all at once for a minute.

`python -m benchmarks.soak --seconds 60` runs gunicorn --preload with two workers of eight threads,
judges every answer, prints a table, and exits with 1 if anything was wrong. These are wrong:

* A good token is refused with 4xx. One case is allowed. Clients use a key as soon as it is
  published. The hostile traffic uses up the look-ups of unknown keys, and a process makes one of
  them per cooldown. So a process may answer 401 if it was not sent the key yet and made its look-up
  less than one cooldown before.
* A good token is answered 503 by a process that was sent its key, in a good answer, more than
  `SLACK` seconds before the request. A process may answer 503 only if it has had no good answer
  since the key was published, and has asked within `LEAD` (one cooldown and one timeout) before the
  request.
* A hostile token is let in, or a token of a withdrawn key is let in by a process that was sent a
  set without the key after the withdrawal.
* There is an answer 5xx other than 503, no answer at all, or a traceback.
"""

import argparse
import base64
import json
import os
import random
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from jwt_middleware import PrivateKey, SecretKey, TokenIssuer
from tests.origin import BROKEN, UNREADABLE, Origin, Served
from tests.servers import free_port

ROOT = Path(__file__).parents[1]
ISSUER = "https://id.example.com"
AUDIENCE = "https://api.example.com"
OPTIONS = {"max_age": 2, "cooldown": 1, "timeout": 1}
LEAD = OPTIONS["cooldown"] + OPTIONS["timeout"]
SLACK = 0.5
ROTATIONS = 5
CLIENTS = 12
HOSTILE = 0.4
WORKERS = 2
THREADS = 8


class Published(NamedTuple):
    """A key, tokens of it, and since when it can be fetched."""

    key_id: str
    key: PrivateKey
    tokens: tuple[str, ...]
    at: float


class Sent(NamedTuple):
    """One request and its answer.

    `published` is when the key of the token was published, or None if that does not matter.
    """

    kind: str
    key_id: str | None
    published: float | None
    at: float
    seconds: float
    status: int
    process: int


class Provider:
    """Rotates the keys of an origin, with overlap, and breaks it for a part of each second."""

    def __init__(self, origin: Origin, seconds: float) -> None:
        self.origin = origin
        self.seconds = seconds
        self.keys: list[Published] = []
        self.withdrawn: dict[str, tuple[float, tuple[str, ...]]] = {}
        self.faults: Counter[str] = Counter()
        self.over = threading.Event()
        self.publish()

    def publish(self) -> None:
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        key_id = f"key-{len(self.keys) + len(self.withdrawn)}"
        key = PrivateKey(pem, algorithm="ES256", key_id=key_id)
        tokens = tuple(issuer(key).access_token(f"user-{number}") for number in range(50))
        self.origin.keys = [key, *(published.key for published in self.keys)]
        self.keys = [Published(key_id, key, tokens, time.monotonic()), *self.keys]

    def withdraw(self) -> None:
        newest, *others = self.keys
        # Good clients stop using a key a moment before it is withdrawn; what is on its way arrives.
        self.keys = [newest]
        self.over.wait(1)
        self.origin.keys = [newest.key]
        self.withdrawn |= {old.key_id: (time.monotonic(), old.tokens) for old in others}

    def rotate(self) -> None:
        pause = self.seconds / (ROTATIONS + 1)
        for _ in range(ROTATIONS):
            if self.over.wait(pause / 2):
                return
            self.publish()
            if self.over.wait(pause / 2 - 1):
                return
            self.withdraw()

    def fail(self) -> None:
        names = [*BROKEN, *UNREADABLE]
        while not self.over.is_set():
            # Faults begin at a random moment of the second, so that they do not keep step with a
            # cooldown of one second.
            part = random.uniform(0.3, 0.9)
            before = random.uniform(0, 1 - part)
            self.over.wait(before)
            self.origin.behaviour = random.choice(names)
            self.faults[self.origin.behaviour] += 1
            self.over.wait(part)
            self.origin.behaviour = "ok"
            self.over.wait(1 - part - before)
            self.origin.release()


def issuer(key: Any, **options: Any) -> TokenIssuer:
    return TokenIssuer(
        key, **({"issuer": ISSUER, "audience": AUDIENCE, "access_ttl": 3600} | options)
    )


def hostile_token(provider: Provider) -> tuple[str, str]:
    """Return a kind of hostile token, and one of that kind."""
    good = random.choice(provider.keys)
    header, payload, signature = random.choice(good.tokens).split(".")
    kind = random.choice([*HOSTILE_KINDS])
    match kind:
        case "unknown kid":
            unknown = encode({"alg": "ES256", "kid": f"random-{random.random()}"})
            return kind, f"{unknown}.{payload}.{signature}"
        case "bad signature":
            return kind, f"{header}.{payload}.{signature[:-6]}AAAAAA"
        case "changed claims":
            claims = encode({"iss": ISSUER, "aud": AUDIENCE, "sub": "root", "exp": 2**40})
            return kind, f"{header}.{claims}.{signature}"
        case "expired":
            return kind, issuer(good.key, clock=lambda: time.time() - 7200).access_token("eve")
        case "another audience":
            return kind, issuer(good.key, audience="https://other.example.com").access_token("eve")
        case "another issuer":
            return kind, issuer(good.key, issuer="https://evil.example.com").access_token("eve")
        case "alg none":
            return kind, f"{encode({'alg': 'none', 'kid': good.key_id})}.{payload}."
        case "secret":
            return kind, issuer(
                SecretKey(secrets.token_bytes(64), key_id=good.key_id)
            ).access_token("eve")
        case "huge":
            return kind, f"{header}.{'A' * random.choice([7_000, 100_000])}.{signature}"
        case _:
            return kind, random.choice(
                ["", "a.b.c", "." * 50, "\x7f\xff", "null", header, f"{header}.{payload}."]
            )


HOSTILE_KINDS = (
    *(
        "unknown kid",
        "bad signature",
        "changed claims",
        "expired",
        "another audience",
        "another issuer",
    ),
    *("alg none", "secret", "huge", "junk"),
)


def encode(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Client:
    """Sends good and bad requests, one after the other, and keeps its connections for a while."""

    def __init__(self, provider: Provider, port: int) -> None:
        self.provider = provider
        self.port = port
        self.sent: list[Sent] = []
        self._connection: HTTPConnection | None = None
        self._used = 0

    def run(self) -> None:
        while not self.provider.over.is_set():
            self.sent.append(self._send(*self._choose()))
        self._close()

    def _choose(self) -> tuple[str, str | None, float | None, str]:
        if random.random() >= HOSTILE:
            published = random.choice(self.provider.keys)
            return "good", published.key_id, published.at, random.choice(published.tokens)
        withdrawn = list(self.provider.withdrawn.items())
        if withdrawn and random.random() < 0.1:
            key_id, (at, tokens) = random.choice(withdrawn)
            return "withdrawn", key_id, at, random.choice(tokens)
        kind, token = hostile_token(self.provider)
        return kind, None, None, token

    def _send(self, kind: str, key_id: str | None, published: float | None, token: str) -> Sent:
        started = time.monotonic()
        try:
            status, process = self._ask(token)
        except (OSError, HTTPException):
            self._close()
            try:
                status, process = self._ask(token)
            except (OSError, HTTPException):
                self._close()
                # A server may hang up on a header that is too long, and on none else.
                status, process = (431 if kind == "huge" else 0), 0
        return Sent(kind, key_id, published, started, time.monotonic() - started, status, process)

    def _ask(self, token: str) -> tuple[int, int]:
        if self._connection is None or self._used >= 20:
            self._close()
            self._connection, self._used = HTTPConnection("127.0.0.1", self.port, timeout=10), 0
        self._used += 1
        self._connection.request(
            "GET", "/", headers={"Authorization": f"Bearer {token}".encode("latin-1")}
        )
        response = self._connection.getresponse()
        response.read()
        return response.status, int(response.headers.get("X-Process", 0))

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def process_of(target: str) -> int:
    return int(target.partition("?")[2])


class Judge:
    """Knows what each process was sent, and when, and judges by that."""

    def __init__(self, origin: Origin, sent: list[Sent]) -> None:
        answering = {each.process for each in sent}
        # What the parent was sent before the fork, its children have.
        self._inherited = [
            served for served in origin.served if process_of(served.target) not in answering
        ]
        self._served: dict[int, list[Served]] = defaultdict(list)
        self._asked: dict[int, list[float]] = defaultdict(list)
        for served in origin.served:
            self._served[process_of(served.target)].append(served)
        for received in origin.received:
            self._asked[process_of(received.target)].append(received.at)

    def judge(self, sent: Sent) -> str:
        """Return "" if the answer was right, "tolerated: …" or "wrong: …"."""
        if sent.status in {0, 500, 502, 504}:
            return f"wrong: answer {sent.status or 'missing'}"
        if sent.kind == "good":
            return self._judge_good(sent)
        if sent.status != 200:
            return ""
        if sent.kind == "withdrawn" and not self.was_told(sent, with_key=False):
            return "tolerated: withdrawn key, of which the process was not told"
        return f"wrong: {sent.kind} let in"

    def _judge_good(self, sent: Sent) -> str:
        if sent.status == 200:
            return ""
        if sent.status not in {401, 503}:
            return f"wrong: good token answered {sent.status}"
        if self.was_told(sent, with_key=True):
            return f"wrong: good token answered {sent.status} by a process that has its key"
        lead = LEAD if sent.status == 503 else OPTIONS["cooldown"]
        if not any(
            sent.at - lead - SLACK < at < sent.at + sent.seconds for at in self._asked[sent.process]
        ):
            return f"wrong: {sent.status} without having asked"
        if sent.status == 503:
            return "tolerated: 503 for a key the process has asked for in vain"
        return "tolerated: 401 for a key published after the look-up that the flood had used up"

    def was_told(self, sent: Sent, *, with_key: bool) -> bool:
        """Whether the process was sent a set with (or without) the key before this request."""
        return any(
            (sent.published or 0) < served.at < sent.at - SLACK
            and (sent.key_id in served.key_ids) is with_key
            for served in [*self._inherited, *self._served[sent.process]]
        )


@contextmanager
def gunicorn(origin: Origin, output: Any):
    port = free_port()
    command = (
        "-m gunicorn tests.remote_app:app --no-control-socket --preload"
        f" --workers {WORKERS} --worker-class gthread"
    )
    environ = os.environ | {
        "JWKS_URL": origin.url,
        "JWKS_OPTIONS": json.dumps(OPTIONS),
        "JWKS_PRELOAD": "yes",
    }
    arguments = [
        sys.executable,
        *command.split(),
        "--threads",
        str(THREADS),
        "--bind",
        f"127.0.0.1:{port}",
    ]
    with subprocess.Popen(
        arguments, cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT
    ) as process:
        try:
            wait_until_answering(port)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_answering(port: int) -> None:
    for _ in range(400):
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    raise SystemExit("the server did not come up")


def soak(seconds: float) -> tuple[list[Sent], Origin, Provider, str]:
    """Run it all; return what was sent, and what the server wrote."""
    with Origin() as origin, tempfile.TemporaryFile() as output:
        provider = Provider(origin, seconds)
        with gunicorn(origin, output) as port:
            clients = [Client(provider, port) for _ in range(CLIENTS)]
            runs = [provider.rotate, provider.fail, *(client.run for client in clients)]
            threads = [threading.Thread(target=run) for run in runs]
            for thread in threads:
                thread.start()
            time.sleep(seconds)
            provider.over.set()
            for thread in threads:
                thread.join()
        output.seek(0)
        return (
            [sent for client in clients for sent in client.sent],
            origin,
            provider,
            output.read().decode(errors="replace"),
        )


def percentile(values: list[float], part: float) -> str:
    return f"{1000 * sorted(values)[int(part * (len(values) - 1))]:.1f} ms" if values else "none"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--log", help="where to put what the server wrote")
    options = parser.parse_args()
    random.seed(options.seed)
    sent, origin, provider, log = soak(options.seconds)
    if options.log:
        Path(options.log).write_text(log)

    judge = Judge(origin, sent)
    verdicts = Counter(filter(None, map(judge.judge, sent)))
    wrong = {verdict: count for verdict, count in verdicts.items() if verdict.startswith("wrong")}
    tracebacks = len(re.findall("Traceback", log))
    good = [each for each in sent if each.kind == "good"]
    by_kind: dict[str, Counter[int]] = defaultdict(Counter)
    for each in sent:
        by_kind[each.kind][each.status] += 1

    setup = f"{WORKERS} workers of {THREADS} threads, {CLIENTS} clients"
    print(f"| {options.seconds:.0f} s, {setup} | |\n|---|---|")
    hostile = len(sent) - len(good)
    print(f"| requests, of which hostile | {len(sent)}, {hostile} ({hostile / len(sent):.0%}) |")
    rotations, faults = len(provider.withdrawn), provider.faults
    print(f"| rotations, faults of {len(faults)} kinds | {rotations}, {sum(faults.values())} |")
    print(f"| fetches, of which good | {len(origin.received)}, {len(origin.served)} |")
    told = [each for each in good if judge.was_told(each, with_key=True)]
    refused = sum(each.status != 200 for each in told)
    label = "good tokens of a key that the process was sent, of which refused"
    print(f"| {label} | {len(told)}, {refused} |")
    times = [each.seconds for each in good]
    percentiles = ", ".join(str(percentile(times, part)) for part in (0.5, 0.99, 1))
    print(f"| good clients' p50, p99, longest | {percentiles} |")
    for kind, statuses in sorted(by_kind.items()):
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
        print(f"| answers to: {kind} | {counts} |")
    for verdict, count in sorted(verdicts.items()):
        print(f"| {verdict} | {count} |")
    print(f"| wrong answers | {sum(wrong.values())} |")
    print(f"| answers 500 | {sum(each.status == 500 for each in sent)} |")
    print(f"| tracebacks | {tracebacks} |")
    return 1 if wrong or tracebacks or len(provider.withdrawn) < ROTATIONS else 0


if __name__ == "__main__":
    sys.exit(main())
