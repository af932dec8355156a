"""Old runs go; what proves a labelled version, or is asked for by name, stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.types import Answer, Attempt, AttemptKey, Outcome
from promptbench.project import Project
from promptbench.store.prompts import Store
from promptbench.store.retention import _TABLES_OF_RUNS
from promptbench.workflows.upkeep.prune import prune

OLD, NEW = "2026-01-01T00:00:00.000Z", "2026-06-01T00:00:00.000Z"
CUT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Project:
    (tmp_path / "promptbench.toml").write_text("")
    return Project.open(tmp_path, environ={})


def _run(
    workspace: Project, answers: list[str], *, suite: str = "triage", started: str = OLD, **facts: Any
) -> tuple[str, str]:
    """A finished run with these answers: its name, and the plan that it had."""
    with workspace.runs() as runs:
        info, _ = runs.start(f"plan {datetime.now(UTC)}", suite, "triage", facts, [], "0")
        attempts = [
            Attempt(AttemptKey("v", "openai/m", f"case-{n}", 0), Outcome.PASSED, f"asked {text}", answer=_answer(text))
            for n, text in enumerate(answers)
        ]
        runs.add(info.id, [(attempt, False) for attempt in attempts])
        runs.finish(info.id, "PASS", "PASS")
    _date(workspace, info.id, started)
    return info.id, started


def _answer(text: str) -> Answer:
    return Answer(text, "m")


def _date(workspace: Project, run: str, started: str) -> None:
    with closing(sqlite3.connect(workspace.settings.state / "runs.sqlite")) as connection, connection:
        connection.execute("UPDATE run SET started = ? WHERE id = ?", [started, run])


def _ids(workspace: Project) -> set[str]:
    return {row[0] for row in _rows(workspace, "SELECT id FROM run")}


def _rows(workspace: Project, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(workspace.settings.state / "runs.sqlite")) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return connection.execute(query).fetchall()


def _promote(store: Store, source: str, run: str, champion: str | None = None) -> str:
    from promptbench.project import version_of

    candidate = version_of(source)[0]
    proof = {
        "schema_version": 1,
        "prompt": "triage",
        "candidate": candidate,
        "champion": champion,
        "verdict": {"result": "PASS", "sentence": "PASS"},
        "suites": [{"suite": "triage", "run": run}],
        "attempts": [],
    }
    store.promote("triage", source, evidence=proof, actor="ci")
    return candidate


def test_old_runs_go_with_all_that_only_they_had(workspace: Project) -> None:
    old, _ = _run(workspace, ["shared", "only old"])
    new, _ = _run(workspace, ["shared", "only new"], started=NEW)
    done = prune(workspace, CUT, recordings=True)
    assert done.runs == (old,)
    assert _ids(workspace) == {new}
    assert {row[0] for row in _rows(workspace, "SELECT text FROM answer")} == {"shared", "only new"}
    assert _rows(workspace, "SELECT count(*) FROM attempt") == [(2,)]
    assert done.removed.answers == 1


def test_the_proof_of_a_labelled_version_stays_however_old(workspace: Project) -> None:
    first, second, third, loose = (_run(workspace, [f"answer {n}"])[0] for n in range(4))
    newest, _ = _run(workspace, ["new"], started=NEW)
    with workspace.prompts() as store:
        one = _promote(store, "one {{message}}\n", first)
        two = _promote(store, "two {{message}}\n", second, one)
        _promote(store, "three {{message}}\n", third, two)
        store.label("triage@1", "staging", actor="ci", reason="to compare")
    done = prune(workspace, CUT)
    assert set(done.runs) == {second, loose}
    assert done.kept == {first: "it proves triage@staging", third: "it proves triage@production"}
    assert _ids(workspace) == {first, third, newest}
    with workspace.prompts() as store:
        store.retire("triage", label="staging", actor="ci", reason="over")
    assert set(prune(workspace, CUT).runs) == {first}


def test_the_answers_that_a_kept_run_scored_again_stay(workspace: Project) -> None:
    source, _ = _run(workspace, ["answer"])
    again, _ = _run(workspace, ["answer"], scored_again=source)
    _run(workspace, ["new"], started=NEW)
    with workspace.prompts() as store:
        _promote(store, "one {{message}}\n", again)
    assert prune(workspace, CUT).kept == {
        source: f"its answers are scored again in {again}",
        again: "it proves triage@production",
    }


def test_the_newest_run_of_a_suite_stays(workspace: Project) -> None:
    older, _ = _run(workspace, ["a"], started="2025-12-01T00:00:00.000Z")
    newest, _ = _run(workspace, ["b"])
    assert prune(workspace, CUT).kept == {newest: "the newest run of its suite"}
    assert _ids(workspace) == {newest} != {older}


def test_recordings_stay_unless_they_are_meant(workspace: Project) -> None:
    _run(workspace, ["old"])
    _run(workspace, ["new"], started=NEW)
    with workspace.runs() as runs:
        runs.cache().keep("key", "openai/m", _answer("cached"))
        for name in ("fixture", "asked old"):
            runs.record(name, "openai/m", replace(_answer("kept"), params={"user": "someone"}), deterministic=False)
    future = datetime.now(UTC) + timedelta(days=1)
    before = {row[0] for row in _rows(workspace, "SELECT request_hash FROM recording")}
    assert before == {"asked old", "asked new", "fixture"}
    assert prune(workspace, CUT).removed.recordings == 0
    assert {row[0] for row in _rows(workspace, "SELECT request_hash FROM recording")} == before
    with workspace.runs() as runs:
        kept = replace(_answer("kept"), params={"user": "someone"}, recorded=True)
        assert runs.find("fixture") == (kept, False), "its text stays too"
    done = prune(workspace, future, recordings=True)
    assert (done.removed.recordings, done.removed.cached) == (2, 1)
    assert _rows(workspace, "SELECT request_hash FROM recording") == [("asked new",)]
    assert _rows(workspace, "SELECT DISTINCT params FROM answer_source") == [("{}",)]


def test_a_run_that_a_process_works_on_stays(workspace: Project) -> None:
    _run(workspace, ["new"], started=NEW)
    with workspace.runs() as runs:
        info, _ = runs.start("plan", "triage", "triage", {}, [], "0")
        _date(workspace, info.id, OLD)
        assert prune(workspace, CUT).kept == {info.id: "a process is writing it"}
    assert prune(workspace, CUT).runs == (info.id,)
    assert not list((workspace.settings.state / "locks").glob(f"{info.id}*"))


def test_a_dry_run_removes_nothing(workspace: Project) -> None:
    old, _ = _run(workspace, ["old"])
    _run(workspace, ["new"], started=NEW)
    assert prune(workspace, CUT, dry_run=True).runs == (old,)
    assert old in _ids(workspace)


def test_where_there_is_no_record_none_is_made(workspace: Project) -> None:
    assert prune(workspace, CUT).runs == ()
    assert not workspace.settings.state.exists()


def test_the_room_is_given_back(workspace: Project) -> None:
    _run(workspace, [f"{n} " + "long " * 20_000 for n in range(10)])
    _run(workspace, ["new"], started=NEW)
    half = prune(workspace, CUT)
    assert half.compacted
    assert half.removed.answers == 0, "recordings stay, with their texts"
    whole = prune(workspace, CUT, recordings=True)
    assert whole.bytes_after < half.bytes_after / 2


@pytest.mark.parametrize("table", ["failed_try", "judging", "run_case", "variant"])
def test_every_table_that_belongs_to_a_run_is_known(workspace: Project, table: str) -> None:
    with workspace.runs() as runs:
        assert (table,) in runs.retention()._rows(_TABLES_OF_RUNS)
