"""Requests while the store of revocations fails: `python -m benchmarks.store_faults`.

For each fault and each `on_failure`, 16 threads send requests through the whole middleware during
the fault. After it, a token that was revoked before must be refused again.
"""

import argparse
import gc
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from redis import Redis

from benchmarks.credentials import AUDIENCE, ISSUER, SECRET
from jwt_middleware import (
    JWTMiddleware,
    RedisStore,
    Revocations,
    SecretKey,
    SQLiteStore,
    Store,
    StoreError,
    TokenIssuer,
    Verifier,
)
from jwt_middleware.revocations import entry_key
from tests.servers import RedisServer

THREADS = 16
Fault = Callable[[], Callable[[], None]]  # Breaks something, and returns what mends it.


class Site:
    """One middleware with its store, a good token and a revoked one."""

    def __init__(self, store: Store, on_failure: str) -> None:
        key = SecretKey(SECRET)
        self.events: list[object] = []
        self.revocations = Revocations(store, on_failure=on_failure, on_event=self.events.append)  # type: ignore[arg-type]
        verifier = Verifier(key, issuer=ISSUER, audience=AUDIENCE, revocations=self.revocations)
        self.app = JWTMiddleware(_hello, verifier, on_event=lambda event: None)
        issuer = TokenIssuer(key, issuer=ISSUER, audience=AUDIENCE)
        self.good, self.revoked = issuer.access_token("alice"), issuer.access_token("mallory")
        self.revoked_token = verifier.verify(self.revoked)
        self.revocations.revoke(self.revoked_token)

    def get(self, raw: str) -> int | str:
        """Return the status of one request, or the exception that came out of the middleware."""
        seen: list[str] = []
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_AUTHORIZATION": f"Bearer {raw}"}
        try:
            list(
                self.app(
                    environ, lambda status, headers, exc_info=None: seen.append(status) or print
                )
            )  # type: ignore[func-returns-value]
        except Exception as exc:  # noqa: BLE001
            return type(exc).__name__
        return int(seen[0][:3])

    def load(self, count: int) -> tuple[Counter[int | str], float]:
        """Send good requests from many threads; return their statuses and the longest time."""

        def request(_: int) -> tuple[int | str, float]:
            begin = time.perf_counter()
            return self.get(self.good), time.perf_counter() - begin

        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(request, range(count)))
        return Counter(status for status, _ in answers), max(seconds for _, seconds in answers)

    def recovery(self) -> float:
        """Return the seconds until good tokens pass and the revoked one is refused."""
        begin = time.perf_counter()
        while self.get(self.good) != 200 or self.get(self.revoked) != 401:
            if time.perf_counter() - begin > 10:
                return float("inf")
            threading.Event().wait(0.01)
        return time.perf_counter() - begin


def _hello(environ: object, start_response: Callable[..., object]) -> list[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


def redis_faults(server: RedisServer) -> dict[str, Fault]:
    """Return the faults of a Redis server."""

    def command(*words: str) -> None:
        subprocess.run(
            ["redis-cli", "-p", str(server.port), *words],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stopped() -> Callable[[], None]:
        server.stop()
        return server.start

    def hung() -> Callable[[], None]:
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        return lambda: server.process.send_signal(signal.SIGCONT)

    def restarted() -> Callable[[], None]:
        server.stop()
        server.start()
        return lambda: None

    def loading() -> Callable[[], None]:
        server.stop()
        return _answering(server, b"-LOADING Redis is loading the dataset in memory\r\n")

    def password() -> Callable[[], None]:
        command("CONFIG", "SET", "requirepass", "another")
        command("-a", "another", "CLIENT", "KILL", "TYPE", "normal")
        return lambda: command("-a", "another", "CONFIG", "SET", "requirepass", "")

    def slow() -> Callable[[], None]:
        command("CLIENT", "PAUSE", "3000", "ALL")
        return lambda: None

    return {
        "Redis stopped": stopped,
        "Redis hung (SIGSTOP)": hung,
        "Redis restarted": restarted,
        "Redis LOADING": loading,
        "Redis refuses the password": password,
        "Redis takes 3 s": slow,
    }


def _answering(server: RedisServer, answer: bytes) -> Callable[[], None]:
    listener = socket.create_server(("127.0.0.1", server.port), backlog=128)

    def serve(link: socket.socket) -> None:
        with suppress(OSError), link:
            while link.recv(65_536):
                link.sendall(answer)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()

    def mend() -> None:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.start()

    return mend


def sqlite_faults(store: SQLiteStore, path: Path, *, mounted: bool) -> dict[str, Fault]:
    """Return the faults of an SQLite file; those of a mounted one need their own disk."""
    content = path.read_bytes

    def locked() -> Callable[[], None]:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        return other.close

    def corrupted() -> Callable[[], None]:
        saved = {each: each.read_bytes() for each in path.parent.glob(f"{path.name}*")}
        for each in saved:
            each.unlink()
        path.write_bytes(b"This is not a database. " * 1000)

        def mend() -> None:
            path.unlink()
            for each, old in saved.items():
                each.write_bytes(old)

        return mend

    def deleted() -> Callable[[], None]:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        saved = content()
        path.unlink()

        def mend() -> None:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
            path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
            path.write_bytes(saved)

        return mend

    def folder_gone() -> Callable[[], None]:
        away = path.parent.with_name("away")
        path.parent.rename(away)
        return lambda: path.parent.exists() or away.rename(path.parent)  # type: ignore[return-value,func-returns-value]

    def read_only() -> Callable[[], None]:
        # A file system can be made read-only only while nobody has a file of it open for writing.
        store._local.__dict__.clear()
        gc.collect()
        subprocess.run(["mount", "-o", "remount,ro", str(path.parent)], check=True)
        return lambda: subprocess.run(["mount", "-o", "remount,rw", str(path.parent)], check=True)  # type: ignore[return-value]

    def full() -> Callable[[], None]:
        filler = path.parent / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"x" * 65_536)
        return filler.unlink

    if mounted:
        return {"SQLite file read-only": read_only, "SQLite disk full": full}
    return {
        "SQLite file locked": locked,
        "SQLite file corrupted": corrupted,
        "SQLite file deleted": deleted,
        "SQLite folder gone": folder_gone,
    }


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a file system of a megabyte; yields whether that is allowed here."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    allowed = subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0
    try:
        yield allowed
    finally:
        if allowed:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def examine(name: str, fault: Fault, store: Store, count: int) -> list[list[str]]:
    """Return a row for each choice of `on_failure`."""
    rows = []
    for on_failure in ("refuse", "allow"):
        print(f"{name}, {on_failure} ...", file=sys.stderr, flush=True)
        site = Site(store, on_failure)
        site.events.clear()
        mend = fault()
        begin = time.perf_counter()
        statuses, slowest = site.load(count)
        seconds = time.perf_counter() - begin
        try:
            site.revocations.revoke(site.revoked_token)
            written = "yes"
        except Exception as exc:  # noqa: BLE001
            written = f"no ({type(exc).__name__})"
        mend()
        recovered = site.recovery()
        answers = ", ".join(
            f"{status}: {number:,}" for status, number in sorted(statuses.items(), key=str)
        )
        figures = [
            answers,
            f"{slowest * 1e3:,.0f} ms",
            str(len(site.events)),
            f"{seconds:.1f} s",
            written,
            f"{recovered:.2f} s",
        ]
        rows.append([name, on_failure, *figures])
    return rows


def main() -> None:
    """Run all faults and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store_faults", description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    count = parser.parse_args().requests
    rows: list[list[str]] = []
    # SQLiteStore refuses a file that others can read, also one that is written again here.
    os.umask(0o077)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if shutil.which("redis-server"):
            rows += _with_redis(folder, count)
        plain = folder / "plain"
        plain.mkdir()
        store = SQLiteStore(plain / "sessions.db", timeout=0.5)
        store.get("made")
        for fault_name, fault in sqlite_faults(store, plain / "sessions.db", mounted=False).items():
            rows += examine(fault_name, fault, store, count)
        with small_disk(folder / "small") as allowed:
            if allowed:
                store = SQLiteStore(folder / "small" / "sessions.db", timeout=0.5)
                store.get("made")
                for fault_name, fault in sqlite_faults(
                    store, folder / "small" / "sessions.db", mounted=True
                ).items():
                    rows += examine(fault_name, fault, store, count)
            else:
                print(
                    "read-only and full disk: not measured, no file system can be mounted here",
                    file=sys.stderr,
                )
    titles = [
        "fault",
        "on_failure",
        "answers",
        "slowest",
        "events",
        "took",
        "revoke() stored",
        "recovered after",
    ]
    for cells in (titles, ["---"] * len(titles), *rows):
        print(f"| {' | '.join(cells)} |")
    print(
        json.dumps(
            {"exceptions or 500": sum("500: " in row[2] or "Error: " in row[2] for row in rows)}
        )
    )


def _with_redis(folder: Path, count: int) -> list[list[str]]:
    (folder / "redis").mkdir()
    server = RedisServer(folder / "redis")
    server.start()
    try:
        store = RedisStore(server.url)
        rows: list[list[str]] = []
        for name, fault in redis_faults(server).items():
            rows += examine(name, fault, store, count)
        return rows + _wrong_type(server, store, count)
    finally:
        server.stop()


def _wrong_type(server: RedisServer, store: RedisStore, count: int) -> list[list[str]]:
    # Every check without a session asks for the empty name, so each request finds this list.
    name = f"jwt_middleware:{entry_key('session', ISSUER, '')}"

    def fault() -> Callable[[], None]:
        client = Redis.from_url(server.url)
        client.rpush(name, "x")
        return lambda: client.delete(name)

    return examine("a key of the wrong type", fault, store, count)


if __name__ == "__main__":
    with suppress(StoreError):
        main()
