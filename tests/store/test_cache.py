"""The cache in its file: by one process, by several, and in a file that an older version made."""

from __future__ import annotations

import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import promptbench
from promptbench.core.types import Answer, Attempt, AttemptKey, Outcome, Usage
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.store import runs_schema
from promptbench.store.migrations import apply
from promptbench.store.runs import RunStore

ROOT = Path(__file__).parents[2]
ANSWER = Answer("a\r\n\ud83d", "m-1", {"seed": 1}, Usage(3, 4, 1), "stop", 12.5, structured=True)

WORK = """
import sys
from pathlib import Path
from promptbench.core.types import Answer
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.store.runs import RunStore
folder, name = Path(sys.argv[1]), sys.argv[2]
with RunStore(folder) as runs:
    cache = runs.cache()
    for n in range(40):
        cache.keep(f"{name} {n}", "p/m", Answer(f"{name} {n}", "m"))
        cache.keep(f"common {n}", "p/m", Answer(f"common {n}", name))
        assert cache.find(f"{name} {n}").text == f"{name} {n}"
        assert cache.find(f"common {n}").text == f"common {n}"
"""


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(tmp_path) as opened:
        yield opened


def test_an_answer_is_kept_whole(runs: RunStore) -> None:
    cache = runs.cache()
    assert cache.find("k") is None
    cache.keep("k", "p/m", ANSWER)
    assert cache.find("k") == ANSWER
    assert cache.find("other") is None


def test_a_new_answer_takes_the_place_of_the_old_one(runs: RunStore) -> None:
    cache = runs.cache()
    cache.keep("k", "p/m", ANSWER)
    cache.keep("k", "p/m", replace(ANSWER, text="new"))
    found = cache.find("k")
    assert found is not None
    assert found.text == "new"


def test_it_outlives_the_process(tmp_path: Path) -> None:
    with RunStore(tmp_path) as first:
        first.cache().keep("k", "p/m", ANSWER)
    with RunStore(tmp_path) as second:
        assert second.cache().find("k") is not None


def test_several_processes_make_the_file_and_write_at_once(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d"]
    processes = [
        subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path), name], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    assert [process.communicate(timeout=120)[1] for process in processes] == [""] * len(names)
    database = sqlite3.connect(tmp_path / "runs.sqlite")
    try:
        assert database.execute("SELECT count(*) FROM cache").fetchone()[0] == 40 * (len(names) + 1)
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    finally:
        database.close()


def test_a_file_from_before_the_cache_gets_its_table_and_keeps_its_runs(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "runs.sqlite", isolation_level=None)
    try:
        old.execute("BEGIN IMMEDIATE")
        apply(old, runs_schema.SET, {"0001_tables": runs_schema.MIGRATIONS["0001_tables"]})
        old.execute("INSERT INTO run VALUES ('r', 'p', 's', 'p', 't', NULL, NULL, NULL, '0', '{}')")
        old.execute("COMMIT")
    finally:
        old.close()
    with RunStore(tmp_path) as runs:
        assert runs.run("r").suite == "s"
        runs.cache().keep("k", "p/m", ANSWER)
        assert runs.cache().find("k") is not None


def test_the_record_tells_what_came_from_the_cache(runs: RunStore) -> None:
    def attempt(repeat: int, **changes: object) -> Attempt:
        plain = Attempt(AttemptKey("v", "p/m", "case", repeat), Outcome.PASSED, f"h{repeat}", ANSWER, cost=0.5)
        return replace(plain, **changes)  # type: ignore[arg-type]

    info, _ = runs.start("plan", "suite", "prompt", {}, [], "0")
    kept = replace(ANSWER, recorded=True)
    runs.add(info.id, [(attempt(0), False), (attempt(1, answer=kept, tries=0, cost=0.0), False)])
    assert [item.cached for item in runs.attempts(info.id)] == [False, True]
    assert AttemptMatrix.of(runs.outcomes(info.id), {}).cached("v", "p/m") == 1
    assert runs.find("h0") is not None
    assert runs.find("h1") is None, "an answer from the cache is no recording"
    database = sqlite3.connect(runs.path)
    try:
        row = database.execute("SELECT attempts, cached, mean_ms, cost FROM result").fetchone()
        times = database.execute("SELECT provider_ms FROM attempt ORDER BY repeat").fetchall()
    finally:
        database.close()
    assert row == (2, 1, 12.5, 0.5)
    assert times == [(12.5,), (None,)]


def test_it_is_looked_at_and_emptied_as_the_guide_says(tmp_path: Path) -> None:
    guide = (Path(promptbench.__file__).parent / "docs/guides/cache.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```sh\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    with RunStore(tmp_path / ".promptbench") as runs:
        runs.cache().keep("k", "p/m", ANSWER)
    said = []
    for line in block.splitlines():
        name, *arguments = shlex.split(line)
        assert name == "sqlite-utils"
        command = [sys.executable, "-m", "sqlite_utils", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        said.append(done.stdout)
    assert "p/m" in said[0]
    with RunStore(tmp_path / ".promptbench") as runs:
        assert runs.cache().find("k") is None
