"""A record that an earlier version wrote, read by this one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from promptbench.core.canonical import digest_text
from promptbench.store import runs_schema
from promptbench.store.migrations import apply
from promptbench.store.runs import FILE_NAME, RunStore

# Rows as the version before `0018_answers_once` wrote them.
ROWS = Path(__file__).with_name("data") / "runs_0017.sql"
TEXTS = {
    "plain": '{"team": "billing"}',
    "again": '{"team": "billing"}',
    "line ends": "a\r\nb",
    "surrogate": "half \ud83d of it",
    "letters": "Grüße, \u2028 日本",
}


def old_file(folder: Path) -> None:
    names = list(runs_schema.MIGRATIONS)
    before = names[: names.index("0018_answers_once")]
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        apply(old, runs_schema.SET, {name: runs_schema.MIGRATIONS[name] for name in before})
        old.executescript(ROWS.read_text(encoding="utf-8"))


def test_a_file_of_an_earlier_version_keeps_everything_and_each_text_once(tmp_path: Path) -> None:
    old_file(tmp_path)
    with RunStore(tmp_path) as runs:
        run = runs.run("latest").id
        attempts = {attempt.key.case: attempt for attempt in runs.attempts(run)}
        assert attempts.keys() == {*TEXTS, "no answer"}
        assert attempts["no answer"].answer is None
        for case, text in TEXTS.items():
            found = runs.find(digest_text(case))
            assert found is not None
            answer, deterministic = found
            assert (answer.text, deterministic) == (text, case == "again")
            assert (answer.model, answer.reasoning, answer.provider_ms) == ("fake-1", "hm", 12.5)
            kept = attempts[case].answer
            assert kept is not None
            assert kept.text == text.encode("utf-8", "replace").decode()
            assert [score.reason for score in attempts[case].scores] == ["", 'no "x"']
        judged, found = runs.judged(run, digest_text("judge")), runs.find(digest_text("judge"))
        assert judged is not None
        assert found is not None
        assert judged.text == found[0].text == "pass"
        cached = runs.cache().find("key")
        assert cached is not None
        assert cached.text == "cached"
        assert [(item.calls, item.failed, item.cost) for item in runs.usage().by("model")] == [
            (6, 1, 2.5),
            (1, 0, 0.25),
        ]
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as record:
        [text] = record.execute("SELECT group_concat(answer, '') FROM recording").fetchone()
        assert "billing" not in text
        assert record.execute("SELECT count(*) FROM attempt_with_answer WHERE answer LIKE '%billing%'").fetchone() == (
            2,
        )
        assert record.execute("PRAGMA foreign_key_check").fetchall() == []
        assert record.execute("PRAGMA integrity_check").fetchone() == ("ok",)
