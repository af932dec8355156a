"""The answers of a run, scored again by changed checks; the server is not asked."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

import pytest

from promptbench.parsing.ladder import LADDER
from promptbench.workflows.judge import rejudge, workers
from tests.cli.test_run import last_line
from tests.helpers import fake_openai as fake
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import Ended, ProjectFolder


@pytest.fixture
def ran(project: ProjectFolder, server: FakeOpenAI) -> ProjectFolder:
    project.adopt()
    assert project.run("run").code == 0
    server.received.clear()
    return project


def rescored(project: ProjectFolder, *arguments: str) -> Ended:
    ended = project.run("runs", "rescore", *arguments)
    assert "error:" not in ended.err
    return ended


def test_the_same_checks_give_the_same_verdict(ran: ProjectFolder, server: FakeOpenAI) -> None:
    before = ran.run("runs", "gate")
    after = rescored(ran)
    assert (after.code, last_line(after.out)) == (before.code, last_line(before.out))
    assert not server.received


def test_changed_checks_change_the_scores_and_no_model_is_asked(ran: ProjectFolder, server: FakeOpenAI) -> None:
    ran.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [json, not contains: billing]")
    ended = rescored(ran, "latest", "--json")
    [run] = ended.data["runs"]
    assert run["judgements"][0]["counts"]["fixed"] == 1
    assert not server.received


@pytest.mark.slow
def test_several_processes_score_as_one_does(ran: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    ran.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [json, not contains: billing]")
    [run] = ran.run("runs", "list", "--json").data["runs"]

    def table() -> str:
        # Without the name of the run.
        return re.sub(r"\d\d-\d{6}-\w{4}", "", rescored(ran, run["run"], "--format", "csv").out)

    alone, shared = table(), []

    share = workers.Workers.share

    def spied(own: workers.Workers, there: Any, here: Any, batches: Any) -> Any:
        shared.append(own.processes)
        # What this process would score fails.
        return share(own, there, lambda batch: pytest.fail("scored here"), batches)

    monkeypatch.setattr(workers.Workers, "share", spied)
    monkeypatch.setattr(workers, "core_count", lambda: 2)
    monkeypatch.setattr(rejudge, "_MANY", 1)
    assert table() == alone
    assert shared == [1]


def test_what_looks_again_writes_every_format(ran: ProjectFolder) -> None:
    ran.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [json, not contains: nowhere]")
    for command in ("rescore", "gate", "report"):
        ended = ran.run("runs", command, "latest", "--output", f"csv={command}.csv", "--format", "markdown")
        assert (ended.code, ended.out.startswith("## ")) == (0, True)
        assert (ran.root / f"{command}.csv").read_text(encoding="utf-8").count("charged twice") == 2
        shown = ran.run("runs", command, "latest", "--verbose")
        assert (shown.code, last_line(shown.out)[:5]) == (0, "PASS:")
        assert "production: It is for the billing team" in shown.out


def test_what_passes_by_the_new_checks_is_promoted_without_a_call(ran: ProjectFolder, server: FakeOpenAI) -> None:
    ran.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [json, contains: team]")
    assert ran.run("promote", "triage").code == 5  # the run was judged by other checks
    assert rescored(ran).code == 0
    promoted = ran.run("promote", "triage")
    assert promoted.code == 0, promoted.err
    assert not server.received
    assert ran.run("prompts", "show", "triage@production", "--evidence").code == 0


def test_where_answers_are_missing_the_suite_goes_on_from_there(ran: ProjectFolder, server: FakeOpenAI) -> None:
    # By these checks `hello` fails on the candidate too, so the gate wants it asked again.
    ran.edit("suites/triage/suite.yaml", "expect: {team: other}", "expect: {team: nothing}")
    ended = rescored(ran)
    assert ended.code == 6
    assert "makes these calls" in last_line(ended.out)
    assert not server.received
    assert ran.run("run").code == 0
    assert {message["content"] for item in server.received for message in item.body["messages"]} >= {"Hello"}
    assert not any("parcel" in str(item.body) for item in server.received)


def test_a_run_of_the_first_rule_needs_its_retries_too(ran: ProjectFolder) -> None:
    with sqlite3.connect(ran.root / ".promptbench" / "runs.sqlite") as record:
        record.execute("UPDATE run SET facts = json_remove(facts, '$.rule')")
        record.execute("DELETE FROM attempt_row WHERE repeat >= 3")
    ended = rescored(ran)
    assert ended.code == 6
    assert "the gate needs answers that this run does not have" in last_line(ended.out)


def test_other_inputs_are_left_out(ran: ProjectFolder, server: FakeOpenAI) -> None:
    ran.edit("suites/triage/suite.yaml", "message: Hello}", "message: Hello you}")
    ended = rescored(ran)
    assert ended.code == 6
    with sqlite3.connect(ran.root / ".promptbench" / "runs.sqlite") as record:
        cases = record.execute(
            "SELECT DISTINCT case_name FROM attempt WHERE run = (SELECT id FROM run ORDER BY rowid DESC LIMIT 1)"
        ).fetchall()
    assert sorted(cases) == [("charged twice",), ("late parcel",)]
    assert not server.received


def test_other_prompts_are_refused(ran: ProjectFolder) -> None:
    ran.edit("suites/triage/triage.better.prompt", "Answer with JSON.", "Answer in JSON.")
    ended = ran.run("runs", "rescore")
    assert ended.code == 2
    assert "used prompts that have changed since" in ended.err


def test_a_run_that_is_not_there(project: ProjectFolder) -> None:
    assert project.run("runs", "rescore", "20260101-000000-abcd").code == 2


def test_tool_calls_of_a_run_are_on_record_and_scored_again(project: ProjectFolder, server: FakeOpenAI) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "route", "arguments": '{"team": "billing"}'}}
    server.script = [fake.answer("I route [this].", message={"tool_calls": [call]})]
    suite = project.root / "suites/triage/suite.yaml"
    checks = "{function call: {name: route, arguments: {team: billing}}}, not contains: nowhere"
    text = suite.read_text(encoding="utf-8").replace("[json]", f"[{checks}]")
    suite.write_text(re.sub(r"    expect: .*\n", "", text), encoding="utf-8")
    assert project.run("run").code == 0
    sent = len(server.received)
    suite.write_text(suite.read_text(encoding="utf-8").replace("team: billing", "team: sales"), encoding="utf-8")
    ended = rescored(project)
    assert (ended.code, len(server.received)) == (1, sent)
    assert "team: expected 'sales', got 'billing'" in ended.out
    with sqlite3.connect(project.root / ".promptbench/runs.sqlite") as record:
        [kept] = record.execute("SELECT DISTINCT calls, answer.text FROM attempt JOIN answer ON hash = answer_hash")
    assert kept == (
        '[["route", "{\\"team\\": \\"billing\\"}", "c1"]]',
        'I route [this].\n[{"name": "route", "arguments": {"team": "billing"}}]',
    )


@pytest.mark.parametrize(
    ("ladder", "shown"), [("$.other", LADDER[7:15]), ("$.ladder", "unknown")], ids=["known", "unknown"]
)
def test_answers_on_another_rung_are_listed(ran: ProjectFolder, ladder: str, shown: str) -> None:
    with sqlite3.connect(ran.root / ".promptbench" / "runs.sqlite") as record:
        record.execute("UPDATE run SET facts = json_remove(facts, ?)", [ladder])
        record.execute("UPDATE attempt_row SET rung = 'extracted' WHERE case_name = 'hello' AND rung = 'raw'")
    out = rescored(ran, "latest", "--output", "json=rescored.json").out
    [run] = json.loads((ran.root / "rescored.json").read_text(encoding="utf-8"))["runs"]
    before, now = run["ladders"]
    assert before.removeprefix("sha256:").startswith(shown)
    assert now == LADDER
    assert {(item["case"], item["before"], item["after"]) for item in run["rungs"]} == {("hello", "extracted", "raw")}
    assert f"on another rung than in the record: {len(run['rungs'])} answers (ladder {shown}" in out
    assert "hello, try 1, triage.better.prompt on openai/fake: extracted → raw" in out


def test_a_run_without_personal_data_is_judged_again_but_not_scored_again(
    project: ProjectFolder, server: FakeOpenAI
) -> None:
    project.edit("promptbench.toml", "[providers", "redact-runs = true\n[providers")
    project.adopt()
    server.script = lambda body: json.dumps({"team": "billing", "to": "ann.lee@acme.com"})
    made = project.run("run", "--cache", "write", "--output", "log=a.log", "--output", "html=a.html", "-v")
    assert made.code in (0, 1, 6), made.err
    files = {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}
    assert b"@example.com" in files[project.root / "a.log"]
    assert not [path for path, content in files.items() if b"ann.lee" in content]
    assert "ann.lee" not in made.out + made.err
    again = project.run("runs", "gate")
    assert (again.code, last_line(again.out)) == (made.code, last_line(made.out))
    for command in ("runs rescore", "suite mutate --run latest"):
        refused = project.run(*command.split())
        assert refused.code == 2, refused.out
        assert re.search(r"error: the answers of run \S+ are redacted, and cannot be scored again", refused.err)
