"""Sessions: the time that revocations add to a request, and refreshes per second."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.credentials import AUDIENCE, ISSUER, SECRET, generate, verification_key
from benchmarks.measure import Call, Effort, fastest
from benchmarks.report import NotMeasured, Table, figure, microseconds
from jwt_middleware import (
    MemoryStore,
    RedisStore,
    Revocations,
    SecretKey,
    SQLiteStore,
    Store,
    TokenIssuer,
    Verifier,
)
from tests.servers import redis_server


def stores(effort: Effort) -> Table:
    """Measure each store with and without bounded staleness."""
    if shutil.which("redis-server") is None:
        raise NotMeasured("redis-server is missing; try: apt-get install redis-server")
    with _stores() as by_name:
        checks = fastest(_checks(by_name), effort.rounds)
        refreshes = fastest(
            {name: _refresh(store) for name, store in by_name.items()}, max(effort.rounds // 10, 3)
        )
    bare = checks["no revocations"]
    rows = [
        [
            name,
            microseconds(seconds),
            microseconds(seconds - bare),
            _per_second(refreshes.get(name)),
        ]
        for name, seconds in checks.items()
    ]
    note = (
        "`Verifier.verify` of one cached RS256 token, with `Revocations` of each store. Redis is on"
        " the same machine. A refresh spends one token and issues two, signed with HS256. SQLite"
        " writes each to the disk."
    )
    return Table(
        "Looking revocations up", note, ("", "µs", "added µs", "refreshes per second"), rows
    )


def _checks(by_name: Mapping[str, Store]) -> dict[str, Call]:
    credentials = generate("RS256")
    token = credentials.token()
    checks: dict[str, Call] = {"no revocations": partial(credentials.verifier().verify, token)}
    for name, store in by_name.items():
        for staleness in (0, 3600):
            verifier = Verifier(
                verification_key(credentials.pem, "RS256"),
                issuer=ISSUER,
                audience=AUDIENCE,
                revocations=Revocations(store, max_staleness=staleness),
            )
            label = f"{name}, max_staleness" if staleness else name
            checks[label] = partial(verifier.verify, token)
    return checks


def _refresh(store: Store) -> Call:
    issuer = TokenIssuer(SecretKey(SECRET), issuer=ISSUER, audience=AUDIENCE, store=store)
    latest = [issuer.grant("alice")["refresh_token"]]

    def refresh() -> None:
        latest[0] = issuer.refresh(latest[0])["refresh_token"]

    return refresh


@contextmanager
def _stores() -> Iterator[dict[str, Store]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(redis_server(folder, "--appendonly", "no"))
        yield {
            "MemoryStore": MemoryStore(),
            "SQLiteStore": SQLiteStore(folder / "sessions.db"),
            "RedisStore": RedisStore(server.url),
        }


def _per_second(seconds: float | None) -> str:
    return "" if seconds is None else figure(1 / seconds)
