"""What many attempts share is stored once, and read as it was before."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from promptbench.core.canonical import digest
from promptbench.core.types import Answer, ToolCall, Usage
from promptbench.store import runs_schema
from promptbench.store.migrations import apply
from promptbench.store.runs import FILE_NAME, RunStore
from tests.store.test_answers_once import old_file

_BEFORE = [name for name in runs_schema.MIGRATIONS if name < "0021"]
_READ = (
    "SELECT run, variant, model, case_name, repeat, outcome, request_hash, answer_hash, model_returned, params, "
    "finish_reason, structured, rung, well_formed, repairs, scores, error, tries, queue_ms, provider_ms, input_tokens, "
    "output_tokens, cost, started, connect_ms, first_byte_ms, fallback, calls, steps FROM attempt "
    "ORDER BY 1, 2, 3, 4, 5",
    "SELECT * FROM attempt_with_answer ORDER BY 1, 2, 3, 4, 5",
    "SELECT * FROM result ORDER BY 1, 2",
    """SELECT request_hash, model, deterministic, recorded, answer_hash, json_extract(answer, '$.model'),
        json_extract(answer, '$.params'), coalesce(json_extract(answer, '$.structured'), 0),
        json_extract(answer, '$.finish_reason'), json_extract(answer, '$.provider_ms'),
        json_extract(answer, '$.connect_ms'), json_extract(answer, '$.usage.output_tokens'),
        json_extract(answer, '$.reasoning'), instr(answer, '\\ud83d') > 0 FROM recording ORDER BY 1""",
    "SELECT hash, text FROM answer ORDER BY 1",
)


def rows(folder: Path) -> list[list[tuple[object, ...]]]:
    with closing(sqlite3.connect(folder / FILE_NAME)) as record:
        assert record.execute("PRAGMA foreign_key_check").fetchall() == []
        return [record.execute(sql).fetchall() for sql in _READ]


def file_of_the_version_before(folder: Path, copies: int = 1) -> None:
    old_file(folder)
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as old:
        old.create_function("text_hash", 1, lambda text: text and bytes.fromhex(digest(text)[7:]))
        old.create_function("hash_bytes", 1, lambda tagged: tagged and bytes.fromhex(tagged[7:]))
        apply(old, runs_schema.SET, {name: runs_schema.MIGRATIONS[name] for name in _BEFORE})
        columns = [row[1] for row in old.execute("PRAGMA table_info(attempt)") if row[1] != "repeat"]
        old.execute(
            f"""WITH RECURSIVE copy(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM copy WHERE number < ?)
            INSERT OR IGNORE INTO attempt ({", ".join(columns)}, repeat) SELECT {", ".join(columns)}, number
            FROM attempt, copy""",
            [copies],
        )


def test_a_file_of_the_version_before_reads_the_same(tmp_path: Path) -> None:
    file_of_the_version_before(tmp_path, 30)
    before = rows(tmp_path)
    RunStore(tmp_path).close()
    assert rows(tmp_path) == before
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as record:
        shared = [record.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("run_column", "usual_scores")]
    assert shared == [(1,), (2,)]


@pytest.mark.slow
def test_a_migration_that_is_killed_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file_of_the_version_before(tmp_path, 500)
    before = rows(tmp_path)
    opening = f"""
import sqlite3, sys
from pathlib import Path
from promptbench.store.runs import RunStore
start = sqlite3.connect
def connect(*given, **named):
    connection = start(*given, **named)
    connection.set_trace_callback(lambda sql: print(sql, flush=True))
    return connection
sqlite3.connect = connect
RunStore(Path({str(tmp_path)!r})).close()
"""
    for moment in ("INSERT INTO answer (", "INSERT INTO recording_row", "CREATE VIEW attempt AS", "never"):
        command = [sys.executable, "-c", opening]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
            assert process.stdout is not None
            for line in process.stdout:
                if moment in line:
                    process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
                    break
        if moment != "never":
            assert process.returncode != 0
        assert rows(tmp_path) == before
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as record:
        [[migrations]] = record.execute("SELECT count(*) FROM _sqlite_migrations WHERE migration_set = 'runs'")
    assert (process.returncode, migrations) == (0, len(runs_schema.MIGRATIONS))


_texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["\r\n", "half \ud83d", '{"a": null}', ""])
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "\r", "é"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["text", "a"]), inner, max_size=2),
    max_leaves=4,
)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(tmp_path) as opened:
        yield opened


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answer=st.builds(
        Answer,
        _texts,
        st.sampled_from(["m-1", "m-2"]),
        st.dictionaries(st.sampled_from(["stop", "seed"]), _json, max_size=2),
        st.none() | st.builds(Usage, st.integers(0, 99), st.integers(0, 99), st.none() | st.just(3), st.none()),
        st.none() | st.just("length"),
        st.floats(0, 1e6).map(lambda number: round(number, 3)),
        st.booleans(),
        connect_ms=st.none() | st.just(0.0),
        first_byte_ms=st.none() | st.just(0.125),
        calls=st.just(()) | st.just((ToolCall("look", '{"x": null}', "c-1"),)),
        reasoning=st.none() | _texts,
        turn=_json,
        by_batch=st.booleans(),
        recorded=st.just(True),
    ),
    deterministic=st.booleans(),
)
def test_a_recording_comes_back_as_it_was(runs: RunStore, answer: Answer, deterministic: bool) -> None:
    for request in (digest("request"), "no hash"):
        runs.record(request, "fake/m", answer, deterministic=deterministic)
        assert runs.find(request) == (answer, deterministic)
