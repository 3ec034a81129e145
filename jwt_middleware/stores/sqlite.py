"""`SQLiteStore`: a store in a file, for all processes of one machine."""

import os
import shlex
import stat
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from jwt_middleware.arguments import callable_faults, refuse, seconds_faults
from jwt_middleware.clock import current_time
from jwt_middleware.stores.protocol import StoreError

if TYPE_CHECKING:
    from sqlite3 import Connection

_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS entries_by_end ON entries (expires_at);
"""
_PUT: Final = """
    INSERT INTO entries VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
# What has expired is replaced; what has not is kept, and then no row is changed.
_ADD: Final = _PUT + "WHERE entries.expires_at <= ?"
_PURGE: Final = "DELETE FROM entries WHERE key IN (SELECT key FROM entries WHERE expires_at <= ? ORDER BY expires_at LIMIT 20)"


class SQLiteStore:
    """A store in a file of a local disk, which survives a restart and serves several processes.

    The file is created when it is first needed, and only its owner can read and write it then.
    `timeout`, in seconds, is how long a write waits for others. Every write is on the disk before
    it returns. `clock` returns the seconds since the epoch.

    Raises `ConfigurationError` for a wrong argument, and for an existing file whose mode gives
    others access. Methods raise `StoreError` while the file cannot be used, and if others get
    access to it later. If the file is deleted, its entries are lost and a new one is created.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 1.0,
        clock: Callable[[], float] = current_time,
    ) -> None:
        refuse(_path_faults(path), seconds_faults(0, timeout=timeout), callable_faults(clock=clock))
        # Imported where it is used: it takes longer than most of this package.
        import sqlite3

        self._sqlite3 = sqlite3
        self._path = os.path.abspath(os.fsdecode(path))
        self._timeout = timeout
        self._clock = clock
        # A connection belongs to one thread of one process: SQLite's locks do not survive a fork.
        self._local = threading.local()

    def get(self, key: str) -> str | None:
        """Return the value, or None if there is none."""
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[str]) -> list[str | None]:
        """Return the values of all keys in their order, with one query."""
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key, value FROM entries WHERE key IN ({marks}) AND expires_at > ?"  # noqa: S608  # Only marks.
        found = dict(self._run(query, *keys, self._clock())[0])
        return [found.get(key) for key in keys]

    def put(self, key: str, value: str, expires_at: float) -> None:
        """Set the value, whatever was there."""
        self._run(_PUT, key, value, expires_at)
        self._run(_PURGE, self._clock())

    def add(self, key: str, value: str, expires_at: float) -> str | None:
        """Set the value if there is none; return the one that was there."""
        now = self._clock()
        while not self._run(_ADD, key, value, expires_at, now)[1]:
            there, _ = self._run("SELECT value FROM entries WHERE key = ?", key)
            if there:
                first: str = there[0][0]
                return first
            # It expired and went just now.
        self._run(_PURGE, now)
        return None

    def __repr__(self) -> str:
        return f"SQLiteStore({self._path!r})"

    def _run(self, statement: str, *arguments: object) -> tuple[list[Any], int]:
        """Run one statement, a transaction of its own; return its rows, and how many it has changed."""
        try:
            cursor = self._connection().execute(statement, arguments)
            return cursor.fetchall(), cursor.rowcount
        except (self._sqlite3.Error, OSError) as exc:
            # The next call starts anew, with the file as it is then.
            self._local.__dict__.clear()
            raise StoreError(f"{os.path.basename(self._path)}: {exc}") from exc

    def _connection(self) -> "Connection":
        # A file that was deleted or replaced is another file, which other processes write to.
        held: _Held | None = getattr(self._local, "held", None)
        if held is None or held.identity != (os.getpid(), *_identity(self._path)):
            held = self._local.held = self._connect()
        return held.connection

    def _connect(self) -> "_Held":
        # Created here and not by SQLite, because of the mode: only the owner may read it.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        for fault in _mode_faults(self._path):
            raise StoreError(fault)
        # Another thread may only close it, when the thread is gone whose it is.
        connection = self._sqlite3.connect(
            self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False
        )
        held = _Held(connection, (os.getpid(), *_identity(self._path)))
        # Readers do not wait for a writer. FULL, or a power cut could bring back what was revoked.
        self._turn_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
        return held

    def _turn_to_wal(self, connection: "Connection") -> None:
        """Set the journal mode, which SQLite does not wait for when several processes do so to a new file at once."""
        deadline = time.monotonic() + 2 * self._timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except self._sqlite3.OperationalError:
                if time.monotonic() >= deadline:
                    raise
            threading.Event().wait(0.01)


class _Held:
    """A connection, whose and to which file it is; it is closed when its thread ends."""

    def __init__(self, connection: "Connection", identity: tuple[int, int, int, int]) -> None:
        self.connection = connection
        self.identity = identity
        weakref.finalize(self, _end, connection, identity[0])


# What the parent has opened is the parent's to close; SQLite closes what nobody refers to.
_of_the_parent: list["Connection"] = []


def _end(connection: "Connection", process: int) -> None:
    if process == os.getpid():
        connection.close()
    else:
        _of_the_parent.append(connection)


def _path_faults(path: object) -> Iterator[str]:
    if not isinstance(path, str | os.PathLike) or str(path) in {"", ":memory:"}:
        yield f"path: {path!r} is no file; write e.g. 'sessions.db', or use MemoryStore"
    elif os.path.isdir(path):
        yield f"path: {os.fsdecode(path)!r} is a folder; write the name of a file in it"
    elif not os.path.isdir(folder := os.path.dirname(os.path.abspath(os.fsdecode(path)))):
        yield f"path: there is no folder {folder!r}; make it first"
    else:
        yield from _mode_faults(os.fsdecode(path))


def _mode_faults(path: str) -> Iterator[str]:
    """Say whether others have access: whoever can write the file can undo a revocation."""
    mode = stat.S_IMODE(os.stat(path).st_mode) if os.name == "posix" and os.path.exists(path) else 0
    if mode & 0o007:
        command = f"chmod o= {shlex.quote(path)}"
        yield f"path: the mode {mode:04o} of {path!r} gives others access; run: {command}"


def _identity(path: str) -> tuple[int, int, int]:
    """Return what tells files apart, and the access of others, so that chmod is noticed."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return (0, 0, 0)
    return (status.st_dev, status.st_ino, status.st_mode & 0o007)
