"""`RefreshingValue`: its states, and which request loads when. Threads are real."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from jwt_middleware.keys.refreshing import KeySetState, RefreshingValue, _reset_all_after_fork

LIFETIME = 300
STALE = 3600
COOLDOWN = 30
TIMEOUT = 5


class Source:
    """A value to load. It counts the loads, and can fail or wait."""

    def __init__(self, clock):
        self.clock = clock
        self.takes = 0
        self.loads = 0
        self.threads = []
        self.value = "one"
        self.failure = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def load(self):
        self.loads += 1
        self.threads.append(threading.current_thread())
        self.clock.now += self.takes
        self.entered.set()
        assert self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        return self.value, LIFETIME


@pytest.fixture
def source(clock):
    """The source of the value."""
    source = Source(clock)
    yield source
    source.gate.set()


@pytest.fixture
def reported():
    """The reported successes and failures."""
    return []


@pytest.fixture
def make_value(source, clock, reported):
    """Return a function that makes a value that was not loaded yet."""

    def make(*, timeout=TIMEOUT):
        return RefreshingValue(
            source.load,
            "nothing",
            stale_if_error=STALE,
            cooldown=COOLDOWN,
            timeout=timeout,
            clock=clock,
            on_success=lambda snapshot, changed: reported.append((snapshot.value, changed)),
            on_failure=lambda snapshot, failures: reported.append(failures.problem),
        )

    return make


@pytest.fixture
def value(make_value):
    """A value that was not loaded yet."""
    return make_value()


@pytest.fixture
def loaded(value, clock):
    """A fresh value."""
    value.load_or_wait()
    return value


def wait_until_idle(value):
    """Wait for the attempt in progress."""
    value._wait(10)


def test_nothing_is_loaded_before_it_is_asked_for(value, source, clock):
    """Constructing loads nothing, and the initial value is unusable."""
    assert source.loads == 0
    assert value.snapshot.state(clock()) is KeySetState.UNUSABLE


@pytest.mark.parametrize(
    ("age", "state"),
    [
        pytest.param(0, KeySetState.FRESH, id="new"),
        pytest.param(LIFETIME - 1, KeySetState.FRESH, id="just fresh"),
        pytest.param(LIFETIME, KeySetState.STALE, id="just stale"),
        pytest.param(LIFETIME + STALE - 1, KeySetState.STALE, id="still stale"),
        pytest.param(LIFETIME + STALE, KeySetState.UNUSABLE, id="too old"),
    ],
)
def test_state_follows_age(loaded, clock, age, state):
    """A value is fresh for its life time, then stale for a bounded time, then unusable."""
    clock.now += age

    assert loaded.snapshot.state(clock()) is state


def test_age_counts_from_before_the_load(value, source, clock):
    """A slow load does not make its value younger than it is."""
    source.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(value.load_or_wait)
        source.entered.wait(10)
        clock.now += 4
        source.gate.set()
        loading.result()

    assert value.snapshot.fresh_until == clock.now - 4 + LIFETIME


def test_cold_start_of_many_threads_is_one_load(value, source, clock):
    """One thread loads, the others wait for it, and all see the value."""
    source.gate.clear()
    with ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(value.load_or_wait) for _ in range(50)]
        source.entered.wait(10)
        source.gate.set()
        for each in waiting:
            each.result()

    assert source.loads == 1
    assert value.snapshot.value == "one"


def test_stale_value_is_refreshed_in_the_background(loaded, source, clock):
    """A load that hangs delays no request, and only one thread is started."""
    clock.now += LIFETIME
    source.gate.clear()
    source.entered.clear()
    source.value = "two"

    for _ in range(10):
        loaded.refresh_in_background()
    assert loaded.snapshot.value == "one"
    assert loaded.loading
    source.gate.set()
    wait_until_idle(loaded)

    assert loaded.snapshot.value == "two"
    assert source.loads == 2


def test_quick_refresh_counts_for_the_request_that_started_it(loaded, source, clock):
    """What is loaded within the head start is there when the call returns."""
    clock.now += LIFETIME
    source.value = "two"

    loaded.refresh_in_background()

    assert loaded.snapshot.value == "two"


def test_failure_keeps_the_value_and_backs_off(loaded, source, clock, reported):
    """After the n-th failure the pause is between half of 2^(n-1) seconds and all of it."""
    source.failure = OSError("refused")
    clock.now += LIFETIME
    for pause in (1, 2, 4, 8, 16, 32, 60, 60):
        loads = source.loads
        loaded.refresh_in_background()
        wait_until_idle(loaded)
        assert source.loads == loads + 1
        clock.now += pause * 0.49
        loaded.refresh_in_background()
        assert source.loads == loads + 1
        clock.now += pause * 0.51

    assert loaded.snapshot.value == "one"
    assert reported[1:] == ["OSError: refused"] * 8
    assert loaded.failures.number == 8


def test_success_forgets_the_failures(loaded, source, clock):
    """The next failure starts again at the shortest pause."""
    source.failure = OSError("refused")
    clock.now += LIFETIME
    loaded.refresh_in_background()
    wait_until_idle(loaded)
    source.failure = None
    clock.now += 1
    loaded.refresh_in_background()
    wait_until_idle(loaded)

    assert loaded.failures.number == 0
    assert loaded.snapshot.state(clock()) is KeySetState.FRESH


def test_unusable_value_is_tried_for_again_within_a_cooldown(value, source, clock):
    """After a recovery, requests are refused for one cooldown at most."""
    source.failure = OSError("refused")
    for _ in range(8):
        value.load_or_wait()
        clock.now += COOLDOWN
    assert source.loads == 8
    source.failure = None

    value.load_or_wait()

    assert value.snapshot.value == "one"


def test_unusable_value_is_not_tried_for_during_a_pause(value, source, clock):
    """A flood of requests while nothing can be loaded is one attempt per pause."""
    source.failure = OSError("refused")
    for _ in range(100):
        value.load_or_wait()

    assert source.loads == 1


def test_first_reload_is_free_right_after_a_load(loaded, source):
    """A name that was published just after a load is found at once."""
    source.value = "two"

    assert loaded.reload_for_missing("new", lambda: False)
    assert loaded.snapshot.value == "two"


def test_reloads_are_bounded_by_the_cooldown(loaded, source, clock):
    """A flood of unknown names causes one load per cooldown, also while loads fail."""
    source.failure = OSError("refused")
    for number in range(10_000):
        loaded.reload_for_missing(number, lambda: False)
        clock.now += 0.01

    assert source.loads - 1 <= 1 + 100 / COOLDOWN


def test_missing_name_leaves_the_next_chance_to_another(loaded, source, clock):
    """A missing name causes no second load within a cooldown. Another name may."""
    source.takes = 5
    loaded.reload_for_missing("bad", lambda: False)
    clock.now += COOLDOWN - 5
    assert not loaded.reload_for_missing("bad", lambda: False)
    assert loaded.reload_for_missing("good", lambda: False)


def test_missing_name_is_forgotten_after_one_cooldown(loaded, clock):
    """A key that is published after its first token is found one cooldown later, not two."""
    loaded.reload_for_missing("new", lambda: False)
    clock.now += COOLDOWN - 1
    assert not loaded.reload_for_missing("new", lambda: False)
    clock.now += 1

    assert loaded.reload_for_missing("new", lambda: False)


@pytest.mark.parametrize("names", [1, 2, 300])
def test_reloads_for_the_same_names_are_bounded_too(loaded, source, clock, names):
    """A flood that repeats its names causes one load per cooldown too."""
    for number in range(10_000):
        loaded.reload_for_missing(number % names, lambda: False)
        clock.now += 0.01

    assert source.loads - 1 <= 1 + 100 / COOLDOWN


def test_name_that_a_failed_load_could_not_find_is_looked_for_again(loaded, source, clock):
    """Only a successful load shows that a name is missing."""
    source.failure = OSError("down")
    assert loaded.reload_for_missing("new", lambda: False)
    source.failure = None
    clock.now += COOLDOWN

    assert loaded.reload_for_missing("new", lambda: False)


def test_missing_names_take_bounded_memory(loaded, clock):
    """The number of remembered missing names is bounded."""
    for number in range(1000):
        clock.now += COOLDOWN
        loaded.reload_for_missing(number, lambda: False)

    assert len(loaded._missing_until) <= 256


def test_reload_waits_for_a_load_in_progress(loaded, source, clock):
    """Two tokens of one new key are one load, and both find it."""
    source.value = "two"
    source.gate.clear()
    source.entered.clear()
    found = []

    def reload():
        loaded.reload_for_missing("new", lambda: loaded.snapshot.value == "two")
        found.append(loaded.snapshot.value)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(reload)
        source.entered.wait(10)
        second = pool.submit(reload)
        source.gate.set()
        first.result()
        second.result()

    assert found == ["two", "two"]
    assert source.loads == 2


def test_hanging_reload_delays_nobody_for_long(make_value, source, clock):
    """A request that waits for a load that hangs goes on after the timeout."""
    value = make_value(timeout=0.05)
    value.load_or_wait()
    source.gate.clear()
    source.entered.clear()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(value.reload_for_missing, "first", lambda: False)
        source.entered.wait(10)

        assert not value.reload_for_missing("second", lambda: False)
        assert value.loading
        source.gate.set()


def test_hanging_load_delays_the_others_for_the_timeout_only(make_value, source, clock):
    """If the value is unusable, waiting for a load that hangs ends after the timeout."""
    value = make_value(timeout=0.05)
    source.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(value.load_or_wait)
        source.entered.wait(10)
        value.load_or_wait()

        assert value.snapshot.state(clock()) is KeySetState.UNUSABLE
        source.gate.set()


def test_load_that_ends_lets_the_others_go_on(make_value, source, clock):
    """Waiting ends with the load, long before the timeout."""
    value = make_value(timeout=3600)
    source.gate.clear()
    threads = [threading.Thread(target=value.load_or_wait, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert source.entered.wait(10)
    source.gate.set()
    for thread in threads:
        thread.join(10)

    assert not any(thread.is_alive() for thread in threads)
    assert value.snapshot.value == "one"


def test_known_missing_name_does_not_wait(loaded, source, clock):
    """A name that is known to be missing does not wait for a load."""
    loaded.reload_for_missing("bad", lambda: False)
    clock.now += LIFETIME
    source.gate.clear()
    loaded.refresh_in_background()
    loaded._remember_missing("bad")
    loaded._wait = pytest.fail

    assert not loaded.reload_for_missing("bad", lambda: False)


def test_overdue_attempt_is_replaced(loaded, source, clock):
    """An overdue refresh is abandoned, and requests load for a while."""
    clock.now += LIFETIME
    source.gate.clear()
    source.entered.clear()
    source.value = "late"
    loaded.refresh_in_background()
    lost = loaded._attempt
    clock.now += 2 * TIMEOUT
    loaded.refresh_in_background()
    assert source.loads == 2
    clock.now += 1
    source.gate.set()
    source.value = "two"
    loaded.refresh_in_background()

    assert lost.done.wait(10)
    assert loaded.snapshot.value == "two"
    clock.now += LIFETIME
    source.value = "three"
    loaded.refresh_in_background()
    assert loaded.snapshot.value == "three"
    assert source.threads[-1] is threading.current_thread()


@pytest.fixture
def without_threads(loaded, source, clock):
    """A value whose background load has hung, so that requests load it."""
    clock.now += LIFETIME
    source.gate.clear()
    loaded.refresh_in_background()
    clock.now += 2 * TIMEOUT + 1
    source.gate.set()
    loaded.refresh_in_background()
    assert source.threads[-1] is threading.current_thread()
    return loaded


def test_threads_are_used_again_after_a_hang(without_threads, source, clock):
    """Ten minutes after a background load has hung, a thread is tried again."""
    clock.now += 599
    without_threads.refresh_in_background()
    assert source.threads[-1] is threading.current_thread()
    clock.now += LIFETIME
    without_threads.refresh_in_background()
    wait_until_idle(without_threads)

    assert source.threads[-1] is not threading.current_thread()
    assert without_threads.snapshot.state(clock()) is KeySetState.FRESH


def test_threads_that_never_run_are_survived_each_time(without_threads, source, clock, monkeypatch):
    """If threads never run, each trial costs one late refresh, and the next request loads."""
    monkeypatch.setattr(threading.Thread, "start", lambda thread: None)
    for _ in range(3):
        clock.now += 600
        loads = source.loads
        without_threads.refresh_in_background()
        assert source.loads == loads
        clock.now += 2 * TIMEOUT + 1
        without_threads.refresh_in_background()

        assert source.loads == loads + 1
        assert without_threads.snapshot.state(clock()) is KeySetState.FRESH


def test_reload_that_replaces_an_overdue_attempt_ends_waiting(loaded, source, clock):
    """Waiting for an overdue load ends when another load replaces it."""
    clock.now += LIFETIME
    source.gate.clear()
    loaded.refresh_in_background()
    lost = loaded._attempt
    loaded._wait = lambda seconds: None
    clock.now += 2 * TIMEOUT + 1
    source.gate.set()
    lost.done.clear()

    assert loaded.reload_for_missing("new", lambda: False)
    assert lost.done.is_set()


@pytest.mark.parametrize("failure", [None, OSError("late")], ids=["late success", "late failure"])
def test_abandoned_attempt_changes_nothing(loaded, source, clock, reported, failure):
    """The late value or failure of an abandoned attempt is ignored."""
    clock.now += LIFETIME
    attempt = loaded._begin(clock())
    clock.now += 2 * TIMEOUT + 1
    loaded._begin(clock())
    source.failure, source.value = failure, "late"
    before = (loaded.snapshot, loaded.failures, list(reported))

    loaded._run(attempt)

    assert (loaded.snapshot, loaded.failures, reported) == before
    assert loaded.loading


def test_no_thread_to_be_had_refreshes_at_once(loaded, source, clock, monkeypatch):
    """If a thread cannot be started, the request itself loads."""

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    clock.now += LIFETIME
    source.value = "two"

    loaded.refresh_in_background()

    assert loaded.snapshot.value == "two"


def test_fork_is_survived_by_the_value(loaded, source, clock):
    """A child process forgets the attempt of its parent, and keeps the value."""
    clock.now += LIFETIME
    source.gate.clear()
    loaded.refresh_in_background()

    _reset_all_after_fork()

    assert not loaded.loading
    assert loaded.snapshot.value == "one"


def test_interrupted_attempt_does_not_block_the_next(value, source, clock):
    """A worker that exits in the middle of a load leaves no attempt behind."""
    source.failure = SystemExit()
    with pytest.raises(SystemExit):
        value.load_or_wait()
    source.failure = None

    value.load_or_wait()

    assert value.snapshot.value == "one"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_child_of_a_fork_starts_clean(loaded, source, clock):
    """A load or a locked lock in the parent does not keep the child from loading."""
    clock.now += LIFETIME
    source.gate.clear()
    loaded.refresh_in_background()
    with loaded._lock:
        child = os.fork()
        if not child:
            source.gate.set()
            source.value = "the child's"
            loaded.refresh_in_background()
            os._exit(0 if loaded.snapshot.value == "the child's" else 1)
    source.gate.set()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("prepare", "due"),
    [
        pytest.param(lambda source, clock: None, LIFETIME, id="fresh"),
        pytest.param(
            lambda source, clock: setattr(clock, "now", clock.now + LIFETIME), 0, id="stale"
        ),
    ],
)
def test_next_load_is_reported(loaded, source, clock, prepare, due):
    """A fresh value is due when its life time ends, a stale one at once."""
    prepare(source, clock)

    assert max(loaded.next_load(loaded.snapshot.state(clock())) - clock(), 0) == due


def test_changed_is_reported_only_of_another_value(loaded, clock, reported):
    """The same value is not reported as changed."""
    clock.now += LIFETIME
    loaded.refresh_in_background()
    wait_until_idle(loaded)

    assert reported == [("one", True), ("one", False)]
