"""`StoreContract`: what every store must do, as tests for a store of your own. Needs pytest.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self):
            return MyStore(...)

`ENDED` is a time in the past, and `LATER` is a time in the future.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from jwt_middleware.stores import Store

ENDED: Final = 1_000_000_000.0
LATER: Final = 4_000_000_000.0


class StoreContract:
    """The laws of `jwt_middleware.Store`. The fixture `store` returns an empty store."""

    def test_absent_is_none(self, store: Store) -> None:
        """A key that was never set has no value."""
        assert store.get("a") is None

    def test_put_is_kept(self, store: Store) -> None:
        """`put` sets the value, and replaces an existing one."""
        store.put("a", "one", LATER)
        store.put("b", "two", LATER)
        store.put("a", "three", LATER)

        assert (store.get("a"), store.get("b")) == ("three", "two")

    def test_expired_is_absent(self, store: Store) -> None:
        """An expired entry counts as absent, also if it replaced another."""
        store.put("a", "one", LATER)
        store.put("a", "two", ENDED)
        store.put("b", "one", ENDED)

        assert list(store.get_many(["a", "b"])) == [None, None]

    def test_put_replaces_the_expiry(self, store: Store) -> None:
        """`put` on an existing key sets the expiry too."""
        store.put("a", "one", ENDED)
        store.put("a", "two", LATER)

        assert store.get("a") == "two"

    def test_add_sets_what_is_absent(self, store: Store) -> None:
        """The first `add` returns None, and its value is kept."""
        assert store.add("a", "one", LATER) is None
        assert store.get("a") == "one"

    def test_add_keeps_an_existing_value(self, store: Store) -> None:
        """Each later `add` returns the existing value, and does not replace it."""
        store.add("a", "one", LATER)
        store.put("b", "one", LATER)

        assert [store.add(key, "two", LATER) for key in "aabb"] == ["one"] * 4
        assert store.get("a") == store.get("b") == "one"

    def test_add_keeps_the_expiry_of_an_existing_value(self, store: Store) -> None:
        """`add` does not make an entry expire sooner, because that would undo a revocation."""
        store.put("a", "one", LATER)
        store.add("a", "two", ENDED)

        assert store.get("a") == "one"

    def test_answers_are_str(self, store: Store) -> None:
        """Every method returns exactly str. Any other type counts as a failure of the store."""
        store.put("a", "one", LATER)
        store.add("b", "two", LATER)
        answers = [store.get("a"), store.add("b", "x", LATER), *store.get_many(["a", "b"])]

        assert [type(answer) for answer in answers] == [str] * 4

    def test_add_replaces_what_has_expired(self, store: Store) -> None:
        """After an entry has expired, the next `add` is the first again."""
        store.put("a", "one", ENDED)

        assert store.add("a", "two", LATER) is None
        assert store.get("a") == "two"

    def test_get_many_answers_in_order(self, store: Store) -> None:
        """Each key has its value in its place, also a repeated key. No keys give no values."""
        store.put("a", "one", LATER)
        store.put("b", "two", LATER)

        assert list(store.get_many(["b", "x", "a", "b"])) == ["two", None, "one", "two"]
        assert list(store.get_many([])) == []

    @pytest.mark.parametrize(
        "text",
        ["", " ", "ä€😀", "a\nb\0c'\"%", "x" * 20_000],
        ids=["empty", "blank", "unicode", "odd", "long"],
    )
    def test_text_is_kept_as_it_is(self, store: Store, text: str) -> None:
        """Keys and values may be any text."""
        store.put("k" + text, text, LATER)

        assert store.get("k" + text) == text
        assert store.add("k" + text, "other", LATER) == text
        assert store.get("k") == (text if not text else None)

    def test_one_of_many_is_first(self, store: Store) -> None:
        """If many threads add one key at once, one is first, and the others get its value."""
        start = threading.Barrier(16)

        def add(name: str) -> str | None:
            start.wait()
            return store.add("a", name, LATER)

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(add, map(str, range(16))))

        assert answers.count(None) == 1
        assert (
            {answer for answer in answers if answer is not None}
            == {str(answers.index(None))}
            == {store.get("a")}
        )
