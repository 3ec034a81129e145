"""What a benchmark returns, and how that is written as Markdown."""

import os
import platform
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

_PEERS = (
    "PyJWT",
    "cryptography",
    "Werkzeug",
    "joserfc",
    "Authlib",
    "Flask",
    "Flask-JWT-Extended",
    "granian",
    "gunicorn",
    "redis",
)

_METHOD = """\
Written by `make bench ARGS=--write`. All contenders of a table run in one process and take turns in
shuffled rounds; each keeps its best time, because other processes only ever add some. The garbage
collector rests while the clock runs. Microseconds are those of one machine; ratios, measured side
by side, are what carries over. `jwt.decode` differs much between releases of PyJWT, so the ratio to
the bare crypto primitive stands beside it.

The token has twelve claims, two of them lists: about 780 bytes with HS256. Everybody checks
signature, algorithm, times, issuer and audience, with keys that were loaded beforehand."""


class NotMeasured(Exception):
    """A benchmark cannot run here; its message says what to do about it."""


@dataclass(frozen=True)
class Target:
    """One promise, and what became of it."""

    what: str
    target: str
    measured: str
    met: bool


@dataclass(frozen=True)
class Table:
    """The measurements of one benchmark. `note` says what was measured, in Markdown."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    targets: Sequence[Target] = field(default=())


def at_most(what: str, limit: float, measured: float, *, unit: str = "") -> Target:
    """Return a target that is met by a small number."""
    return Target(what, f"≤ {limit:g}{unit}", f"{figure(measured)}{unit}", measured <= limit)


def at_least(what: str, limit: float, measured: float, *, unit: str = "") -> Target:
    """Return a target that is met by a large number."""
    return Target(what, f"≥ {limit:g}{unit}", f"{figure(measured)}{unit}", measured >= limit)


def microseconds(seconds: float) -> str:
    """Write a duration as microseconds."""
    return figure(seconds * 1e6)


def figure(value: float) -> str:
    """Write a number with as many digits as noise leaves meaning to."""
    if abs(value) < 0.1:
        return f"{value:.4f}"
    return (
        f"{value:.2f}"
        if abs(value) < 10
        else f"{value:,.1f}"
        if abs(value) < 100
        else f"{value:,.0f}"
    )


def heading() -> str:
    """Return the title, how it was measured, and with what."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    releases = ", ".join(f"{name} {version(name)}" for name in _PEERS)
    machine = f"{os.cpu_count()} CPUs ({platform.machine()})"
    return f"# Results\n\n{_METHOD}\n\n{python}, {machine}. {releases}.\n"


def section(table: Table) -> str:
    """Return one table with its title and note."""
    return f"## {table.title}\n\n{table.note}\n\n{_grid(table.columns, table.rows)}\n"


def summary(tables: Iterable[Table]) -> str:
    """Return the targets of all tables, or nothing if they have none."""
    targets = [target for table in tables for target in table.targets]
    rows = [(one.what, one.target, one.measured, "yes" if one.met else "**no**") for one in targets]
    return f"## Targets\n\n{_grid(('what', 'target', 'measured', 'met'), rows)}\n" if rows else ""


def _grid(columns: Sequence[str], rows: Collection[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [columns, rule, *rows])
