"""The mutation tests: what is changed, what is left alone, and what becomes of a mutant."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants import survivors
from tests.mutants.campaign import Outcome
from tests.mutants.mutations import mutants_of
from tests.mutants.report import Report

ROOT = Path(__file__).parents[1]


def changes(source):
    """Return what the mutants of a source change."""
    return [mutant.change for mutant in mutants_of("m.py", source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("a < b", ["a < b -> pass", "a < b -> a <= b", "a < b -> a >= b"], id="<"),
        pytest.param(
            "x = a and b", ["a and b -> a or b", "a and b -> b", "a and b -> a"], id="and"
        ),
        pytest.param("x = not a", ["not a -> a"], id="not"),
        pytest.param("x = A | B", ["A | B -> A", "A | B -> B"], id="union"),
        pytest.param("x = 5", ["5 -> 6", "5 -> 4"], id="number"),
        pytest.param("x = True", ["True -> False"], id="bool"),
        pytest.param("x = 'GET'", ["'GET' -> 'XXGETXX'"], id="text"),
        pytest.param("x = '<>'", ["'<>' -> '>'", "'<>' -> '<'"], id="set of characters"),
        pytest.param("self.x = y", ["self.x = y -> pass"], id="attribute"),
        pytest.param("x = f(a=b)", ["f(a=b) -> f()"], id="keyword argument"),
        pytest.param("x = y.lower()", ["y.lower() -> y"], id="method"),
        pytest.param("x = y[a:b]", ["a:b -> :b", "a:b -> a:"], id="slice"),
        pytest.param("if a: raise b", ["a -> True", "a -> False", "raise b -> pass"], id="if"),
        pytest.param(
            "try: f\nexcept (A, B): g",
            ["f -> pass", "g -> pass"] + [f"except (A, B): g -> except ({x},): g" for x in "BA"],
            id="except",
        ),
        pytest.param(
            "x = r'[a-c_]+'",
            [
                f"'[a-c_]+' -> {new!r}"
                for new in ["[_]+", "[\\x62-c_]+", "[a-\\x62_]+", "[a-\\x64_]+", "[a-c]+", "[a-c_]"]
            ],
            id="pattern",
        ),
    ],
)
def test_mutants_of_one_statement(source, expected):
    """Each kind of statement has its small changes."""
    assert sorted(changes(source)) == sorted(expected)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('"""Say what this is."""', id="docstring"),
        pytest.param("x: 'int | None'", id="annotation"),
        pytest.param("Extractor = Callable[[int], str | None]", id="alias"),
        pytest.param("if TYPE_CHECKING:\n    x = 1", id="for type checkers"),
        pytest.param("class P(Protocol):\n    x = 1", id="protocol"),
        pytest.param("def __repr__(self):\n    return 'x'", id="repr"),
        pytest.param("__all__ = ['a']", id="all"),
        pytest.param("x = f'{name} is not a rule; write {1}'", id="message"),
        pytest.param("x = lru_cache(maxsize=8)(f)", id="cache"),
    ],
)
def test_what_no_test_should_notice_is_left_alone(source):
    """Prose, types and the sizes of caches are not changed."""
    assert changes(source) == []


def test_mutant_does_something_else():
    """The changed tree runs, and only the change is different."""
    (mutant, _) = mutants_of("m.py", "def f(): pass\nx = 5\n")
    names = {}

    exec(compile(mutant.apply(), "m.py", "exec"), names)

    assert (names["x"], mutant.line) == (6, 2)


def test_key_does_not_depend_on_other_lines():
    """A reason stays valid if lines are added above. Equal changes in a line are told apart."""
    source = "def f():\n    return 1, 1\n"
    keys = [mutant.key for mutant in mutants_of("m.py", source)]

    assert keys == [mutant.key for mutant in mutants_of("m.py", f"import x\n\n\n{source}")]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("kind", "killed", "per_cent", "failed"),
    [
        pytest.param("equivalent", 1, 100, False, id="equivalent ones do not count"),
        pytest.param("harmless", 1, 50, True, id="harmless ones count"),
        pytest.param(None, 1, 50, True, id="one without a reason"),
    ],
)
def test_report_counts_the_killed(kind, killed, per_cent, failed):
    """The share is that of all that are not equivalent, and a survivor without a reason fails."""
    (mutant, _) = mutants_of("m.py", "x = 1")
    outcome = Outcome("m.py", 2, (), killed=killed, survivors=[mutant])
    reasons = {mutant.key: survivors.Reason(kind, "It says so.")} if kind else {}

    report = Report([outcome], reasons)

    assert (report.per_cent, report.failed) == (per_cent, failed)
    assert ("It says so." in report.text()) is (kind is not None)


def test_entry_of_a_survivor_can_be_read_again(tmp_path):
    """What is printed for a survivor is valid, once it has a kind and a reason."""
    (mutant, *_) = mutants_of("m.py", "def f():\n    return '\"\\\\ü'")
    file = tmp_path / "survivors.toml"
    entry = survivors.as_entry(mutant)
    file.write_text(
        entry.replace('kind = ""', 'kind = "harmless"').replace('reason = ""', 'reason = "x"')
    )

    assert list(survivors.read(file)) == [mutant.key]
    file.write_text(entry)
    with pytest.raises(SystemExit, match="needs one kind"):
        survivors.read(file)


def test_every_explained_survivor_has_a_reason():
    """The file is well-formed."""
    assert survivors.read()


def test_a_few_mutants_are_killed():
    """The command changes what the tests import, and they fail."""
    arguments = ["--quick", "--modules", "policy/__init__", "--sample", "3", "--processes", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutants", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert "| all | 3 | 3 | 0 | 0 | 0 | 100.0 |" in done.stdout
    assert done.returncode == 0
