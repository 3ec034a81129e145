"""`SQLiteStore`: a store in a file, for all processes of one machine."""

import os
import shlex
import stat
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from jwt_middleware.arguments import Problems, shown
from jwt_middleware.clock import current_time
from jwt_middleware.stores.protocol import StoreError

if TYPE_CHECKING:
    from sqlite3 import Connection

_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS entries
        (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS entries_by_end ON entries (expires_at);
"""
_PUT: Final = """
    INSERT INTO entries VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
# An expired entry is replaced. Any other entry is kept, and then no row changes.
_ADD: Final = _PUT + "WHERE entries.expires_at <= ?"
_DELETE_EXPIRED: Final = """
    DELETE FROM entries WHERE key IN
        (SELECT key FROM entries WHERE expires_at <= ? ORDER BY expires_at LIMIT 20)
"""


class SQLiteStore:
    """A store in a file on a local disk. It survives a restart and serves several processes.

    The file is created when it is first needed, and then only its owner can read and write it.
    `timeout`, in seconds, is how long a write waits for other writes. Every write is on the disk
    before it returns. `clock` returns the seconds since the epoch.

    Raises `ConfigurationError` for wrong arguments, and for an existing file whose mode gives
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
        problems = Problems()
        _check_path(problems, path)
        problems.seconds("timeout", timeout)
        problems.callables(clock=clock)
        problems.raise_if_any()
        # Imported here, because it takes longer than most of this package.
        import sqlite3

        self._sqlite3 = sqlite3
        self._path = os.path.abspath(os.fsdecode(path))
        self._timeout = timeout
        self._clock = clock
        # Each thread of each process has a connection: SQLite's locks do not survive a fork.
        self._local = threading.local()

    def get(self, key: str) -> str | None:
        """Return the value, or None if it is absent."""
        return self.get_many((key,))[0]

    def get_many(self, keys: Sequence[str]) -> list[str | None]:
        """Return the values of all keys in their order, with one query."""
        if not keys:
            return []
        now = self._clock()
        rows, _ = self._run(_select(len(keys)), *(value for key in keys for value in (key, now)))
        return list(rows[0])

    def put(self, key: str, value: str, expires_at: float) -> None:
        """Set the value, and replace an existing one."""
        self._run(_PUT, key, value, expires_at)
        self._run(_DELETE_EXPIRED, self._clock())

    def add(self, key: str, value: str, expires_at: float) -> str | None:
        """Set the value if it is absent and return None; otherwise return the existing value."""
        now = self._clock()
        while not self._run(_ADD, key, value, expires_at, now)[1]:
            rows, _ = self._run("SELECT value FROM entries WHERE key = ?", key)
            if rows:
                existing: str = rows[0][0]
                return existing
            # Another process has deleted it just now, because it has expired.
        self._run(_DELETE_EXPIRED, now)
        return None

    def __repr__(self) -> str:
        return f"SQLiteStore({self._path!r})"

    def _run(self, statement: str, *arguments: object) -> tuple[list[Any], int]:
        """Run one statement as a transaction; return its rows and the number of changed rows."""
        try:
            cursor = self._connection().execute(statement, arguments)
            return cursor.fetchall(), cursor.rowcount
        except (self._sqlite3.Error, OSError) as exc:
            # The next call opens the file again.
            self._local.__dict__.clear()
            raise StoreError(f"{os.path.basename(self._path)}: {exc}") from exc

    def _connection(self) -> "Connection":
        # If the file was deleted or replaced, other processes use the new file.
        opened: _OpenedFile | None = getattr(self._local, "opened", None)
        if opened is None or opened.identity != _identity(self._path):
            opened = self._local.opened = self._open()
        return opened.connection

    def _open(self) -> "_OpenedFile":
        # Not created by SQLite, which would let others read it.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        problem = _mode_problem(self._path)
        if problem is not None:
            raise StoreError(problem)
        # Only this thread uses it. When the thread has ended, another one may close it.
        connection = self._sqlite3.connect(
            self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False
        )
        opened = _OpenedFile(connection, _identity(self._path))
        # With WAL, readers do not wait for a writer. Without FULL, a power cut could undo a
        # revocation.
        self._enable_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
        return opened

    def _enable_wal(self, connection: "Connection") -> None:
        """Set the journal mode. SQLite does not wait if several processes do so at once."""
        deadline = time.monotonic() + 2 * self._timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except self._sqlite3.OperationalError:
                if time.monotonic() >= deadline:
                    raise
            threading.Event().wait(0.01)


class _OpenedFile:
    """A connection of one thread, and the identity of its file; closed when the thread ends."""

    def __init__(self, connection: "Connection", identity: tuple[int, ...]) -> None:
        self.connection = connection
        self.identity = identity
        weakref.finalize(self, _close, connection, os.getpid())


# After a fork, only the parent may close its connections: closing them in the child would remove
# the locks of the parent. Python closes connections that are not referenced, so they are kept here.
_connections_of_parent: list["Connection"] = []


def _close(connection: "Connection", process: int) -> None:
    if process == os.getpid():
        connection.close()
    else:
        _connections_of_parent.append(connection)


@lru_cache(maxsize=16)
def _select(count: int) -> str:
    """Return the query for the values of `count` keys, as one row; absent ones are NULL."""
    # One row takes less time than one row for each key.
    values = ["(SELECT value FROM entries WHERE key = ? AND expires_at > ?)"] * count
    return f"SELECT {', '.join(values)}"


def _check_path(problems: Problems, path: object) -> None:
    if not isinstance(path, str | os.PathLike) or str(path) in {"", ":memory:"}:
        problems.add(
            f"path: {shown(path)} is not a file; write e.g. 'sessions.db', or use MemoryStore"
        )
        return
    name = os.fsdecode(path)
    folder = os.path.dirname(os.path.abspath(name))
    if os.path.isdir(name):
        problems.add(f"path: {name!r} is a folder; write the name of a file in it")
    elif not os.path.isdir(folder):
        problems.add(f"path: the folder {folder!r} does not exist; make it first")
    elif (problem := _mode_problem(name)) is not None:
        problems.add(problem)


def _mode_problem(path: str) -> str | None:
    """Return a message if others have access: who can write the file can undo a revocation."""
    mode = stat.S_IMODE(os.stat(path).st_mode) if os.name == "posix" and os.path.exists(path) else 0
    if not mode & 0o007:
        return None
    command = f"chmod o= {shlex.quote(path)}"
    return f"path: the mode {mode:04o} of {path!r} gives others access; run: {command}"


def _identity(path: str) -> tuple[int, ...]:
    """Return the process, and the file's mode, number and device.

    If any of them changes, the file must be opened again: after a fork, after a chmod, or when the
    file was replaced.
    """
    try:
        return (os.getpid(), *os.stat(path)[:3])
    except FileNotFoundError:
        return (os.getpid(),)
