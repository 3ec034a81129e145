"""The report: what became of the mutants of each module, and why the survivors may survive."""

from pathlib import Path

FILE = Path(__file__).with_name("REPORT.md")
LEAST_PER_CENT = 95
_HEAD = """# Mutation tests

`make mutants` changes the modules that decide in one place at a time, and runs the tests. A
*survivor* is a change that no test notices. `make mutants` writes this file. The reasons are in
[survivors.toml](survivors.toml), what is changed is in [mutations.py](mutations.py).

*Equivalent* survivors do the same as the original. *Harmless* ones do something else, but break no
promise of the package. The last column is the share of killed mutants among those that are not
equivalent. A mutant that runs out of time counts as killed.
"""


class Report:
    """The outcomes of a campaign, with the reasons for its survivors."""

    def __init__(self, outcomes, reasons):
        self._outcomes = [outcome for outcome in outcomes if outcome.mutants]
        self._reasons = reasons

    @property
    def unexplained(self):
        """The survivors without a reason."""
        return [mutant for mutant in self._survivors if mutant.key not in self._reasons]

    @property
    def per_cent(self):
        """The share of the killed among the mutants that are not equivalent."""
        return self._per_cent(self._outcomes)

    @property
    def failed(self):
        """Tell whether tests are missing."""
        return bool(self.unexplained) or self.per_cent < LEAST_PER_CENT

    def text(self):
        """Return the report as Markdown. It has no dates, so it changes only if a result does."""
        survivors = [line for outcome in self._outcomes for line in self._list(outcome)]
        return "\n".join([_HEAD, *self._table(), "", "## Survivors", *survivors]) + "\n"

    def table(self):
        """Return the figures of each module as lines."""
        return "\n".join(self._table())

    @property
    def _survivors(self):
        return [mutant for outcome in self._outcomes for mutant in outcome.survivors]

    def _equivalent(self, outcomes):
        return sum(
            self._kind(mutant) == "equivalent"
            for outcome in outcomes
            for mutant in outcome.survivors
        )

    def _kind(self, mutant):
        reason = self._reasons.get(mutant.key)
        return "unexplained" if reason is None else reason.kind

    def _per_cent(self, outcomes):
        dead = sum(outcome.killed + outcome.timed_out for outcome in outcomes)
        counted = sum(outcome.mutants for outcome in outcomes) - self._equivalent(outcomes)
        return 100 * dead / counted if counted else 100.0

    def _table(self):
        yield (
            "| module | mutants | killed | out of time | survivors | of these equivalent |"
            " per cent |"
        )
        yield "|---|--:|--:|--:|--:|--:|--:|"
        for outcome in self._outcomes:
            yield self._row(f"`{outcome.module}`", [outcome])
        yield self._row("all", self._outcomes)

    def _row(self, title, outcomes):
        cells = (
            title,
            sum(outcome.mutants for outcome in outcomes),
            sum(outcome.killed for outcome in outcomes),
            sum(outcome.timed_out for outcome in outcomes),
            sum(len(outcome.survivors) for outcome in outcomes),
            self._equivalent(outcomes),
            f"{self._per_cent(outcomes):.1f}",
        )
        return f"| {' | '.join(map(str, cells))} |"

    def _list(self, outcome):
        if not outcome.survivors:
            return
        yield f"\n### `{outcome.module}`\n"
        for mutant in sorted(outcome.survivors, key=lambda mutant: (mutant.line, mutant.change)):
            yield f"* {shown(mutant)}"
            reason = self._reasons.get(mutant.key)
            text = "no reason yet" if reason is None else reason.text
            yield f"  *{self._kind(mutant).capitalize()}*: {text}"


def shown(mutant):
    """Return where a mutant is and what it changes, as Markdown."""
    fence = "``" if "`" in mutant.change else "`"
    space = " " if "`" in mutant.change else ""
    place = f"{mutant.module}:{mutant.line}"
    return f"{place}: {fence}{space}{_shortened(mutant.change)}{space}{fence}"


def _shortened(text):
    return text if len(text) <= 240 else f"{text[:110]} … {text[-120:]}"
