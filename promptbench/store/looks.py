"""The looks at fixes, the cases to watch, and the uses of held-out cases: tables of `runs.sqlite` that outlive the runs
that filled them.

A look is counted when its fresh tries are planned, whatever becomes of the run, and pruning runs does not lower the
count. Otherwise a candidate could be tried until it passes by chance. A use of held-out cases is counted for the same
reason: its result says something about them, and the next proposals follow it.
"""

import json
from collections.abc import Collection

from promptbench.core.clock import now
from promptbench.store.run_table import RunTable

HELD_OUT = (
    # No reference to `run`: cases stay used when runs are pruned.
    """CREATE TABLE held_out_use (
        run TEXT PRIMARY KEY,
        suite TEXT NOT NULL,
        champion TEXT NOT NULL,
        cases TEXT NOT NULL,
        used TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
)
HELD_OUT_COLUMNS = {
    "run": "the run of `suggest` that judged prompts on them; it may be pruned",
    "suite": "the suite's name",
    "champion": "hash of the version that they were judged against",
    "cases": "JSON list of the held-out cases",
    "used": "ISO 8601, UTC",
}


class Looks(RunTable):
    """The tables `look`, `watched_case` and `held_out_use`."""

    def take(self, run: str, suite: str, model: str, champion: str, champions: Collection[str]) -> int:
        """Count one more look of a run on a model, and return its number m.

        Args:
            champions: the production versions since the last one that was promoted with a proven fix. All looks at
                candidates against any of them are counted together.
        """
        with self.transaction() as connection:
            number = self.next_number(suite, model, champions)
            connection.execute("INSERT INTO look VALUES (?, ?, ?, ?, ?)", [run, suite, model, champion, number])
        return number

    def next_number(self, suite: str, model: str, champions: Collection[str]) -> int:
        """Return the number that the next look would have."""
        marks = ", ".join("?" * len(champions))
        sql = f"SELECT max(number) FROM look WHERE suite = ? AND model = ? AND champion IN ({marks})"
        row = self._row(sql, [suite, model, *champions])
        return 1 + (row[0] or 0 if row else 0)

    def numbers(self, run: str) -> dict[str, tuple[int, ...]]:
        """Return, by model, the numbers of the looks of a run and of its continuations."""
        found: dict[str, tuple[int, ...]] = {}
        for model, number in self._rows("SELECT model, number FROM look WHERE run = ? ORDER BY number", [run]):
            found[model] = (*found.get(model, ()), number)
        return found

    def copy(self, source: str, run: str) -> None:
        """Give a run that scores the answers of another one its looks, without counting them again."""
        with self.transaction() as connection:
            sql = "INSERT INTO look SELECT ?, suite, model, champion, number FROM look WHERE run = ?"
            connection.execute(sql, [run, source])

    def watch(self, run: str, suite: str, model: str, champion: str, cases: Collection[str]) -> None:
        """Replace what a run found doubtful on a model: later candidates against this champion watch these cases."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM watched_case WHERE run = ? AND model = ?", [run, model])
            rows = [(run, suite, model, champion, case) for case in cases]
            connection.executemany("INSERT INTO watched_case VALUES (?, ?, ?, ?, ?)", rows)

    def watched(self, suite: str, champion: str) -> dict[str, list[str]]:
        """Return, by model, the cases to watch in runs of a suite against a production version."""
        sql = "SELECT DISTINCT model, case_name FROM watched_case WHERE suite = ? AND champion = ? ORDER BY 1, 2"
        found: dict[str, list[str]] = {}
        for model, case in self._rows(sql, [suite, champion]):
            found.setdefault(model, []).append(case)
        return found

    def use_held_out(self, run: str, suite: str, champion: str, cases: Collection[str]) -> None:
        """Count the use of held-out cases by a run, once."""
        with self.transaction() as connection:
            row = [run, suite, champion, json.dumps([*cases]), now()]
            connection.execute("INSERT OR IGNORE INTO held_out_use VALUES (?, ?, ?, ?, ?)", row)

    def held_out_uses(self, suite: str, cases: Collection[str], run: str = "") -> list[str]:
        """Return the production version of each use, that of `run` excepted.

        Uses count that had at least half of these cases: a few new cases do not make the others unused.
        """
        sql = "SELECT champion, cases FROM held_out_use WHERE suite = ? AND run <> ?"
        return [
            it for it, used in self._rows(sql, [suite, run]) if 2 * len({*json.loads(used)} & {*cases}) >= len(cases)
        ]
