"""A million revocations: the time of lookups, and of writes after all of them have expired."""

import random
import sqlite3
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import quantiles

from benchmarks.measure import Effort
from benchmarks.report import Table, Target, at_most, figure
from jwt_middleware import MemoryStore, SQLiteStore, Store

_NOW = time.time()


class _Clock:
    def __init__(self) -> None:
        self.now = _NOW

    def __call__(self) -> float:
        return self.now


def million(effort: Effort) -> Table:
    """Fill both stores and measure lookups, and writes after everything has expired."""
    count = 1_000_000 if effort.rounds > 50 else 100_000
    targets: list[Target] = []
    with tempfile.TemporaryDirectory() as folder:
        clock = _Clock()
        rows = [
            _examine("MemoryStore", *_memory(count, clock), count, clock, targets),
            _examine(
                "SQLiteStore",
                *_sqlite(Path(folder) / "sessions.db", count, clock),
                count,
                clock,
                targets,
            ),
        ]
    note = (
        f"{count:,} entries that expire within an hour. After the hour, 2,000 writes delete expired"
        " entries: 2 with each write in memory, 20 in SQLite, where each write is on the disk"
        " before it returns."
    )
    columns = (
        "",
        "bytes per entry",
        "lookup p50",
        "lookup p99",
        "write p50 after expiry",
        "slowest write after expiry",
    )
    return Table(f"{count:,} revocations", note, columns, rows, targets)


def _examine(
    name: str,
    store: Store,
    bytes_per_entry: float,
    count: int,
    clock: _Clock,
    targets: list[Target],
) -> list[str]:
    clock.now = _NOW
    lookups = _times(
        lambda: store.get_many([_key(random.randrange(count)), "session:x", "subject:x"]), 20_000
    )
    clock.now = _NOW + 3600
    numbers = iter(range(2_000))
    writes = _times(lambda: store.put(f"new:{next(numbers)}", "revoked", clock.now + 60), 2_000)
    p50, p99 = (quantiles(lookups, n=100)[percent - 1] for percent in (50, 99))
    targets.append(at_most(f"{name}: lookup p99 among {count:,}", 1, p99 * 1e3, unit=" ms"))
    return [
        name,
        f"{bytes_per_entry:,.0f}",
        f"{figure(p50 * 1e6)} µs",
        f"{figure(p99 * 1e6)} µs",
        f"{figure(quantiles(writes, n=2)[0] * 1e6)} µs",
        f"{figure(max(writes) * 1e3)} ms",
    ]


def _memory(count: int, clock: _Clock) -> tuple[Store, float]:
    tracemalloc.start()
    store = MemoryStore(max_entries=count + 10_000, clock=clock)
    for number in range(count):
        store.put(_key(number), "revoked", _end(number, count))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return store, used / count


def _sqlite(path: Path, count: int, clock: _Clock) -> tuple[Store, float]:
    store = SQLiteStore(path, timeout=10, clock=clock)
    store.get("made")
    # In one transaction: a million of them would take many minutes of waiting for the disk.
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = ((_key(number), "revoked", _end(number, count)) for number in range(count))
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return store, path.stat().st_size / count


def _key(number: int) -> str:
    return f"token:{number:064x}"


def _end(number: int, count: int) -> float:
    return _NOW + 1 + number * 3598 / count


def _times(call: Callable[[], object], repeats: int) -> list[float]:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return times
