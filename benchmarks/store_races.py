"""Many processes refresh the same tokens at once: `python -m benchmarks.store_races --seconds 30`.

In each round all threads of all processes spend the current refresh token of one session at once,
like the tabs of one client. All of them must get the same successor. Sometimes an attacker sends a
token that was spent before the grace period. This reuse must be detected, and end the session.
"""

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.credentials import AUDIENCE, ISSUER, SECRET
from jwt_middleware import InvalidGrant, RedisStore, SecretKey, SQLiteStore, Store, TokenIssuer
from tests.servers import redis_server

PROCESSES, THREADS, SESSIONS = 4, 16, 8
GRACE = 2.0
_TOKEN_BYTES = 1024


@dataclass
class Shared:
    """The memory that all threads of all processes share."""

    barrier: Any
    stop: Any
    tokens: Any
    answers: Any


@dataclass
class Tally:
    """The counts of the referee."""

    rounds: int = 0
    two_successors: int = 0
    honest_refused: int = 0
    reuses: int = 0
    reuse_missed: int = 0
    sessions_alive_after_reuse: int = 0
    spent: dict[int, list[tuple[float, str]]] = field(default_factory=dict)


def issuer_of(place: str) -> TokenIssuer:
    """Return an issuer with a store of this process."""
    store: Store = (
        RedisStore(place, timeout=5) if "://" in place else SQLiteStore(place, timeout=10)
    )
    return TokenIssuer(
        SecretKey(SECRET), issuer=ISSUER, audience=AUDIENCE, store=store, grace=GRACE
    )


def process(place: str, number: int, shared: Shared) -> None:
    """Run the threads of one process."""
    issuer = issuer_of(place)
    threads = [
        threading.Thread(target=client, args=(issuer, number * THREADS + index, shared))
        for index in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def client(issuer: TokenIssuer, number: int, shared: Shared) -> None:
    """Spend the current token of one session after another, together with all other clients."""
    round_number = 0
    while True:
        shared.barrier.wait()
        if shared.stop.value:
            return
        session = round_number % SESSIONS
        try:
            answer = issuer.refresh(read(shared.tokens, session))["refresh_token"]
        except InvalidGrant as error:
            answer = f"refused: {error.reason}"
        except Exception as exc:  # noqa: BLE001
            answer = f"failed: {type(exc).__name__}"
        shared.answers[number * 32 : number * 32 + 32] = sha256(answer.encode()).digest()
        if number == 0:
            write(shared.tokens, SESSIONS, answer)
        shared.barrier.wait()
        round_number += 1


def read(tokens: Any, slot: int) -> str:
    """Return the text in one slot of the shared memory."""
    raw = bytes(tokens[slot * _TOKEN_BYTES : (slot + 1) * _TOKEN_BYTES])
    return raw.rstrip(b"\0").decode()


def write(tokens: Any, slot: int, text: str) -> None:
    """Set the text in one slot of the shared memory."""
    tokens[slot * _TOKEN_BYTES : (slot + 1) * _TOKEN_BYTES] = text.encode().ljust(
        _TOKEN_BYTES, b"\0"
    )


def referee(place: str, seconds: float) -> Tally:
    """Run the processes and check each round."""
    context = multiprocessing.get_context("spawn")
    clients = PROCESSES * THREADS
    shared = Shared(
        context.Barrier(clients + 1),
        context.Value("b", 0),
        context.Array("B", (SESSIONS + 1) * _TOKEN_BYTES, lock=False),
        context.Array("B", clients * 32, lock=False),
    )
    issuer, tally = issuer_of(place), Tally()
    for session in range(SESSIONS):
        write(shared.tokens, session, issuer.grant(f"user{session}")["refresh_token"])
    processes = [
        context.Process(target=process, args=(place, number, shared)) for number in range(PROCESSES)
    ]
    for each in processes:
        each.start()
    end: float | None = None
    while end is None or time.monotonic() < end:
        session = tally.rounds % SESSIONS
        spent = read(shared.tokens, session)
        shared.barrier.wait()
        end = end or time.monotonic() + seconds
        shared.barrier.wait()
        judge(tally, shared, clients)
        tally.spent.setdefault(session, []).append((time.monotonic(), spent))
        write(shared.tokens, session, read(shared.tokens, SESSIONS))
        if tally.rounds % 50 == 0:
            reuse(issuer, tally, shared, session)
        tally.rounds += 1
    shared.stop.value = 1
    shared.barrier.wait()
    for each in processes:
        each.join()
    return tally


def judge(tally: Tally, shared: Shared, clients: int) -> None:
    """Count what went wrong in a round."""
    raw = bytes(shared.answers[:])
    answers = {raw[number * 32 : number * 32 + 32] for number in range(clients)}
    told = read(shared.tokens, SESSIONS)
    tally.two_successors += len(answers) != 1
    tally.honest_refused += told.startswith(("refused", "failed"))
    if told.startswith(("refused", "failed")):
        print(told, file=sys.stderr)


def reuse(issuer: TokenIssuer, tally: Tally, shared: Shared, session: int) -> None:
    """Send a token that was spent before the grace period, and begin a new session."""
    old = [token for at, token in tally.spent[session] if time.monotonic() - at > GRACE + 0.5]
    if not old:
        return
    tally.reuses += 1
    tally.reuse_missed += refusal(issuer, old[-1]) != "refresh_token_reused"
    tally.sessions_alive_after_reuse += (
        refusal(issuer, read(shared.tokens, session)) != "refresh_token_revoked"
    )
    tally.spent[session].clear()
    write(shared.tokens, session, issuer.grant(f"user{session}")["refresh_token"])


def refusal(issuer: TokenIssuer, token: str) -> str | None:
    """Return why a token is refused; None if it is not."""
    try:
        issuer.refresh(token)
    except InvalidGrant as error:
        return error.reason
    return None


def main() -> int:
    """Run both stores; returns 1 if a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store_races", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        tallies = {"SQLiteStore": referee(str(Path(folder) / "sessions.db"), seconds)}
        if shutil.which("redis-server"):
            with redis_server(Path(folder)) as server:
                tallies["RedisStore"] = referee(server.url, seconds)
    names = [
        "rounds",
        "two_successors",
        "honest_refused",
        "reuses",
        "reuse_missed",
        "sessions_alive_after_reuse",
    ]
    print(f"{PROCESSES} processes of {THREADS} threads, {seconds:g} s each, grace {GRACE:g} s\n")
    print(
        f"| store | {' | '.join(name.replace('_', ' ') for name in names)} |\n"
        f"|{'---|' * (len(names) + 1)}"
    )
    for store, tally in tallies.items():
        print(f"| {store} | {' | '.join(str(getattr(tally, name)) for name in names)} |")
    laws = ("two_successors", "honest_refused", "reuse_missed", "sessions_alive_after_reuse")
    return int(any(getattr(tally, law) for tally in tallies.values() for law in laws))


if __name__ == "__main__":
    sys.exit(main())
