"""`run --cache` against a real server on loopback: what it asks, what it shows, and that nothing is proven by it."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from tests.cli.test_run import recorded, wait_for
from tests.helpers.fake_openai import FakeOpenAI, stall
from tests.helpers.project import ProjectFolder, better

ALL = 2 * (15 + 15 + 3)
"""Two targets with 15 tries, one guard with 3, of both prompts."""
LATEST = "SELECT id FROM run ORDER BY started DESC LIMIT 1"
UNPROVEN = "INCONCLUSIVE: {} answers came from the cache and prove nothing; the same command without --cache decides"


def last_line(text: str) -> str:
    return text.rstrip("\n").splitlines()[-1]


def query(project: ProjectFolder, sql: str) -> list[Any]:
    database = sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


@pytest.fixture
def filled(project: ProjectFolder) -> ProjectFolder:
    """A project with something in production, and all answers of a run in the cache."""
    project.adopt()
    assert project.run("run", "--cache", "write").code == 0
    return project


def test_off_is_the_default_and_keeps_nothing(project: ProjectFolder) -> None:
    project.run("run")
    project.run("run", "--cache", "off")
    assert query(project, "SELECT count(*) FROM cache") == [(0,)]


def test_write_asks_everything_and_decides_as_ever(filled: ProjectFolder, server: FakeOpenAI) -> None:
    assert len(server.received) == ALL
    assert query(filled, "SELECT count(*), min(model) FROM cache") == [(ALL, "openai/fake")]
    ended = filled.run("run", "--cache", "write", "--promote")
    assert ended.code == 0
    assert len(server.received) == 2 * ALL
    assert "triage@2 is now production" in ended.out


def test_read_asks_nothing_and_proves_nothing(filled: ProjectFolder, server: FakeOpenAI) -> None:
    ended = filled.run("run", "--cache", "read", "--promote")
    assert ended.code == 6
    assert len(server.received) == ALL
    assert last_line(ended.out) == UNPROVEN.format(f"{ALL} of {ALL}")
    assert "fixed (2)" in ended.out
    assert "again: promptbench run suites/triage --cache read" in ended.out
    assert filled.run("prompts", "list").out == "triage: 1 version; production @1\n"
    assert filled.run("run").code == 0
    assert len(server.received) == 2 * ALL


def test_what_the_report_says_of_answers_from_the_cache(filled: ProjectFolder) -> None:
    text = filled.run("run", "--cache", "read").out
    assert "cached" in text
    [run] = filled.run("run", "--cache", "read", "--json").data["runs"]
    for row in run["rows"]:
        assert (row["attempts"], row["cached"]) == (9, 9)
        assert (row["p50_ms"], row["cost"], row["cost_per_1000"]) == (None, 0.0, None)
    assert query(filled, f"SELECT DISTINCT tries, provider_ms, cost FROM attempt WHERE run = ({LATEST})") == [
        (0, None, 0.0)
    ]


def test_a_changed_check_is_tried_without_a_call(filled: ProjectFolder, server: FakeOpenAI) -> None:
    filled.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [json, {not contains: delivery}]")
    ended = filled.run("run", "--cache", "read")
    assert ended.code == 6
    assert "not contains: " in ended.out
    assert len(server.received) == ALL


def test_checks_of_a_call_look_at_the_call_that_gave_the_answer(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.edit("promptbench.toml", "[providers", 'prices = "prices.toml"\n[providers')
    project.write("prices.toml", '["openai/fake"]\ninput = 1000\noutput = 2000\n')
    project.run("run", "--cache", "write")
    asked = len(server.received)
    project.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [json, {cost: $0.0001}, {latency: 0.001 ms}]")
    [run] = project.run("run", "--cache", "read", "--json").data["runs"]
    assert len(server.received) == asked
    assert [(row["passed"], row["cached"], row["cost"]) for row in run["rows"]] == [(0, 9, 0.0)]
    reasons = {reason for flip in run["flips"] for reason in flip["candidate"]["reasons"]}
    assert "cost: cost: expected at most $0.0001, got $0.025" in reasons
    assert any(reason.startswith("latency: time: expected at most 0.001 ms, got ") for reason in reasons)
    assert query(project, "SELECT DISTINCT cost, provider_ms FROM attempt WHERE tries = 0") == [(0.0, None)]


def test_a_changed_prompt_asks_for_itself_only(filled: ProjectFolder, server: FakeOpenAI) -> None:
    filled.edit("suites/triage/triage.better.prompt", "Answer with JSON.", "Answer with JSON only.")
    ended = filled.run("run", "--cache", "read")
    assert last_line(ended.out) == UNPROVEN.format(f"{ALL // 2} of {ALL}")
    assert len(server.received) == ALL + ALL // 2
    ended = filled.run("run", "--cache", "read")
    assert last_line(ended.out) == UNPROVEN.format(f"{ALL} of {ALL}")
    assert len(server.received) == ALL + ALL // 2


def test_a_read_that_finds_nothing_decides_as_ever(project: ProjectFolder) -> None:
    project.adopt()
    ended = project.run("run", "--cache", "read", "--promote")
    assert ended.code == 0
    assert "triage@2 is now production" in ended.out
    assert "cached" not in ended.out


def test_another_server_is_another_model(filled: ProjectFolder, server: FakeOpenAI) -> None:
    with FakeOpenAI(better) as other:
        filled.edit("promptbench.toml", server.base_url, other.base_url)
        assert filled.run("run", "--cache", "read").code == 0
        assert len(other.received) == ALL


def test_another_version_of_this_program_asks_anew(
    filled: ProjectFolder, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptbench.workflows.judge.execute.__version__", "99")
    assert filled.run("run", "--cache", "read").code == 0
    assert len(server.received) == 2 * ALL


def test_it_cannot_be_promoted_in_any_way(filled: ProjectFolder) -> None:
    filled.run("run", "--cache", "read", "--output", "evidence=proof.json")
    sentence = UNPROVEN.format(f"{ALL} of {ALL}")
    [[run]] = query(filled, LATEST)
    judged = filled.run("runs", "gate", run)
    assert judged.code == 6
    assert " ".join(judged.out.split()).endswith(sentence)
    for arguments in (["--run", run], []):
        refused = filled.run("promote", "triage", *arguments)
        assert refused.code == 6
        assert f"run {run} does not prove it: {sentence}" in refused.err
    refused = filled.run("promote", "triage", "--evidence", "proof.json")
    assert refused.code == 1
    assert f"the verdict is INCONCLUSIVE, so production was not moved: {sentence}" in refused.err
    path = filled.root / "proof.json"
    proof = json.loads(path.read_text())
    assert all(line["cached"] for line in proof["attempts"])
    for said in (proof["verdict"], *proof["suites"]):
        said["result"] = "PASS"
    path.write_text(json.dumps(proof))
    refused = filled.run("promote", "triage", "--evidence", "proof.json")
    assert refused.code == 5
    assert "recorded PASS, judged again INCONCLUSIVE" in refused.err
    assert filled.run("prompts", "list").out == "triage: 1 version; production @1\n"


@pytest.mark.slow
def test_no_run_goes_on_with_answers_from_the_cache(filled: ProjectFolder, server: FakeOpenAI) -> None:
    """A run of the cache that is interrupted is gone on with by the same command, and by no other."""
    filled.edit("suites/triage/triage.better.prompt", "Answer with JSON.", "Answer with JSON only.")
    server.script = lambda body: stall()
    record = filled.root / ".promptbench" / "runs.sqlite"
    before = recorded(record)
    process = filled.start("run", "suites/triage", "--cache", "read")
    try:
        wait_for(lambda: recorded(record) - before == 9)
    finally:
        process.kill()
        process.communicate()
    server.script = better
    server.received.clear()
    ended = filled.run("run", "suites/triage")
    assert ended.code == 0
    assert "resumes run" not in ended.err
    assert len(server.received) == ALL
    assert query(filled, f"SELECT count(*) FROM attempt WHERE tries = 0 AND run = ({LATEST})") == [(0,)]
    ended = filled.run("run", "suites/triage", "--cache", "read")
    assert ended.code == 6
    assert "resumes run" in ended.err
    assert len(server.received) == ALL + ALL // 2


def test_a_model_of_which_not_all_is_known_is_named(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.edit("promptbench.toml", "[providers", 'python = ["suites/*/*.py"]\n[providers')
    project.edit("suites/triage/suite.yaml", "[openai/fake]", '[openai/fake, "python/own.py:f"]')
    project.write("suites/triage/own.py", "import yaml\n\ndef f(v):\n    return {'team': 'billing'}\n")
    ended = project.run("run", "--cache", "write")
    assert "answers of python/own.py:f are not cached: not everything that shapes them is known" in ended.err
    assert query(project, "SELECT DISTINCT model FROM cache") == [("openai/fake",)]
    project.write("suites/triage/own.py", "def f(v):\n    return {'team': 'billing'}\n")
    ended = project.run("run", "--cache", "write")
    assert "is cached" not in ended.err
    assert query(project, "SELECT DISTINCT model FROM cache ORDER BY model") == [
        ("openai/fake",),
        ("python/own.py:f",),
    ]


def test_what_is_no_way_to_use_it(project: ProjectFolder, server: FakeOpenAI) -> None:
    ended = project.run("run", "--cache", "always")
    assert ended.code == 2
    assert "'always' is not one of 'off', 'read', 'write'" in ended.err
    assert not server.received
