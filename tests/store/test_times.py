"""The times of a call in the run record, and a record that was made before they were kept."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from promptbench.core.types import Answer, Attempt, AttemptKey, Outcome
from promptbench.store import runs_schema
from promptbench.store.migrations import apply
from promptbench.store.runs import FILE_NAME, RunStore

KEY = AttemptKey("v", "openai/m", "case", 0)
ANSWER = Answer("{}", "m", provider_ms=850.0, connect_ms=40.5, first_byte_ms=700.25)
ATTEMPT = Attempt(
    KEY, Outcome.PASSED, "sha256:0", answer=ANSWER, queue_ms=90.0, limit_ms=50.0, backoff_ms=30.0, started="t"
)


def kept(folder: Path, *attempts: Attempt) -> list[Attempt]:
    with RunStore(folder) as runs:
        info, _ = runs.start("plan", "s", "p", {}, [], "0")
        runs.add(info.id, [(attempt, False) for attempt in attempts])
        return list(runs.attempts(info.id))


def test_times_come_back_as_they_were(tmp_path: Path) -> None:
    assert kept(tmp_path, ATTEMPT) == [ATTEMPT]


def test_an_answer_without_a_network_has_no_connection(tmp_path: Path) -> None:
    (found,) = kept(tmp_path, replace(ATTEMPT, answer=Answer("{}", "m", provider_ms=3.0)))
    assert found.answer == Answer("{}", "m", provider_ms=3.0)


@pytest.mark.parametrize(
    "attempt",
    [replace(ATTEMPT, tries=0), replace(ATTEMPT, key=replace(KEY, model="recorded/openai/m"))],
    ids=["cached", "recorded"],
)
def test_a_kept_answer_is_known_as_one(tmp_path: Path, attempt: Attempt) -> None:
    (found,) = kept(tmp_path, replace(attempt, answer=replace(ANSWER, recorded=True)))
    assert found.answer is not None
    assert found.answer.recorded


def test_an_attempt_from_the_cache_leaves_no_time(tmp_path: Path) -> None:
    (found,) = kept(tmp_path, replace(ATTEMPT, tries=0, answer=replace(ANSWER, recorded=True)))
    assert found.answer is not None
    assert (found.answer.connect_ms, found.answer.first_byte_ms) == (None, None)


def test_a_record_from_before_is_read_and_goes_on(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    apply(connection, runs_schema.SET, {"0001_tables": runs_schema.MIGRATIONS["0001_tables"]})
    connection.execute("INSERT INTO run VALUES ('r', 'p', 's', 'p', 't', 't', 'PASS', '', '0', '{}')")
    connection.execute("INSERT INTO answer VALUES ('h', 'old')")
    connection.execute(
        "INSERT INTO attempt VALUES ('r', 'v', 'openai/m', 'case', 0, 'passed', 'q', 'h', 'm', '{}', 'stop', 0, NULL, "
        "1, '[]', '[]', NULL, 1, 7.5, 850.0, NULL, NULL, NULL, NULL, NULL, 't')"
    )
    connection.close()
    with RunStore(tmp_path) as runs:
        (old,) = runs.attempts("r")
    assert old.answer is not None
    assert (old.queue_ms, old.limit_ms, old.backoff_ms) == (7.5, 0.0, 0.0)
    assert (old.answer.text, old.answer.connect_ms, old.answer.first_byte_ms) == ("old", None, None)
    assert kept(tmp_path, ATTEMPT) == [ATTEMPT]


def test_a_recording_keeps_the_times_of_its_call(tmp_path: Path) -> None:
    with RunStore(tmp_path) as runs:
        info, _ = runs.start("plan", "s", "p", {}, [], "0")
        runs.add(info.id, [(ATTEMPT, False)])
        found = runs.find("sha256:0")
    assert found == (replace(ANSWER, recorded=True), False)
