"""Labels move on proof, are read back, and can be taken back."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import V1, V2, Project


def promoted(project: Project) -> None:
    project.adopt()
    assert project.run("run", "--promote").code == 0


def test_adopt_once_and_with_a_reason(project: Project) -> None:
    plain = "suites/triage/triage.plain.prompt"
    ended = project.run("adopt", plain)
    assert ended.code == 2
    assert "needs a reason" in ended.err
    ended = project.run("adopt", plain, "--reason", "in use")
    assert ended.out == (
        "triage@1 is now production\n"
        "  read it: promptbench get triage@production\n"
        "  undo it: promptbench retire triage --reason '…'\n"
    )
    ended = project.run("adopt", plain, "--reason", "again")
    assert ended.code == 2
    assert "is set already" in ended.err
    assert project.run("adopt", "no.prompt", "--reason", "x").code == 2


def test_reading(project: Project) -> None:
    promoted(project)
    for reference in ("triage", "triage@production", "triage@2"):
        assert project.run("get", reference).out == V2
    assert project.run("get", "triage@1").out == V1
    assert project.run("get", "triage", "--json").data["number"] == 2
    ended = project.run("get", "triagge")
    assert ended.code == 2
    assert "triage" in ended.err
    assert project.run("get", "triage@nowhere").code == 2


def test_show_diff_and_history(project: Project) -> None:
    promoted(project)
    assert "labels: production" in project.run("prompts", "show", "triage@2").out
    assert "judged again from the recorded attempts: the same verdict" in (
        project.run("prompts", "show", "triage@2", "--evidence").out
    )
    ended = project.run("prompts", "show", "triage@1", "--evidence")
    assert ended.code == 1
    assert "it was adopted or forced" in ended.out
    ended = project.run("prompts", "diff", "triage@1", "triage@2")
    assert ended.code == 1
    assert "+Answer with JSON." in ended.out
    assert project.run("prompts", "diff", "triage@2").code == 0
    told = project.run("prompts", "history", "triage").out
    assert "adopted  production: @1  by tester" in told
    assert "promoted  production: @1 → @2  by tester" in told
    assert "evidence: sha256:" in told


def test_rollback_and_forward_again(project: Project) -> None:
    promoted(project)
    assert project.run("rollback", "triage").code == 2
    ended = project.run("rollback", "triage", "--reason", "worse for one customer", "--actor", "ci")
    assert ended.code == 0
    assert "undo it: promptbench rollback triage --to 2 --reason '…'" in ended.out
    assert "fails again: charged twice, late parcel" in ended.out
    assert project.run("get", "triage").out == V1
    assert project.run("rollback", "triage", "--to", "2", "--reason", "it was not the prompt").code == 0
    assert project.run("get", "triage").out == V2


def test_retire_takes_the_label_and_keeps_the_history(project: Project) -> None:
    promoted(project)
    assert project.run("retire", "triage", "--reason", "not used any more").code == 0
    assert project.run("get", "triage").code == 2
    assert len(project.run("prompts", "history", "triage", "--json").data["events"]) == 3


def test_a_run_on_record_is_promoted_later(project: Project, server: FakeOpenAI) -> None:
    project.adopt()
    project.run("run")
    asked = len(server.received)
    ended = project.run("gate", "latest")
    assert ended.code == 0
    assert "PASS: 2 of 2 reproduced failures fixed" in ended.out
    ended = project.run("promote", "triage", "--reason", "reviewed")
    assert ended.code == 0, ended.err
    assert "triage@2 is now production (was triage@1)" in ended.out
    assert len(server.received) == asked, "judging and promoting ask nothing"
    assert project.run("promote", "triage").code in (2, 5)


def test_evidence_promotes_on_another_machine(project: Project) -> None:
    project.adopt()
    project.run("run", "--output", "evidence=proof.json")
    (project.root / ".promptbench" / "runs.sqlite").unlink()
    ended = project.run("promote", "triage", "--evidence", "proof.json")
    assert ended.code == 0, ended.err
    assert "same verdict" in project.run("prompts", "show", "triage", "--evidence").out


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("suites/triage/suite.yaml", "I was charged twice", "I was charged three times", "its cases"),
        ("suites/triage/suite.yaml", "checks: [json]", "checks: [json, {not contains: sorry}]", "its checks"),
        ("suites/triage/suite.yaml", "repeats: 3", "repeats: 4", "its gate"),
        ("suites/triage/triage.better.prompt", "Answer with JSON.", "Answer with JSON only.", "the suite's prompt"),
    ],
)
def test_evidence_is_stale_when_anything_changed(project: Project, path: str, old: str, new: str, said: str) -> None:
    project.adopt()
    project.run("run", "--output", "evidence=proof.json")
    project.edit(path, old, new)
    for arguments in (["--evidence", "proof.json"], []):
        ended = project.run("promote", "triage", *arguments)
        assert ended.code == 5, ended.out + ended.err
        assert "stale evidence" in ended.err
        assert said in ended.err
    assert project.run("get", "triage").out == V1


def test_evidence_is_stale_when_production_moved(project: Project) -> None:
    project.adopt()
    project.run("run", "--output", "evidence=proof.json")
    other = project.write("suites/triage/triage.other.prompt", "Another one: {{message}}\n")
    assert project.run("promote", "triage", "--force", str(other), "--reason", "a hot fix").code == 0
    ended = project.run("promote", "triage", "--evidence", "proof.json")
    assert ended.code == 5
    assert "stale evidence" in ended.err
    assert "forced" in project.run("prompts", "history", "triage").out


def test_evidence_has_an_age(project: Project) -> None:
    project.adopt()
    project.run("run", "--output", "evidence=proof.json")
    file = project.root / "proof.json"
    proof = json.loads(file.read_text())
    proof["made"] = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    file.write_text(json.dumps(proof))
    ended = project.run("promote", "triage", "--evidence", "proof.json")
    assert ended.code == 5
    assert "it is 8.0 days old" in ended.err


def test_evidence_that_was_edited_is_refused(project: Project, server: FakeOpenAI) -> None:
    project.adopt()
    server.script = lambda body: "no"
    assert project.run("run", "--output", "evidence=proof.json").code == 1
    file = project.root / "proof.json"
    proof = json.loads(file.read_text())
    proof["verdict"]["result"] = "PASS"
    for suite in proof["suites"]:
        suite["result"] = "PASS"
    file.write_text(json.dumps(proof))
    ended = project.run("promote", "triage", "--evidence", "proof.json")
    assert ended.code == 5
    assert "does not prove what it says" in ended.err


def test_what_did_not_pass_is_not_promoted(project: Project, server: FakeOpenAI) -> None:
    project.adopt()
    server.script = lambda body: "no"
    project.run("run")
    ended = project.run("promote", "triage")
    assert ended.code == 1
    assert "does not prove it" in ended.err


def test_the_database_can_be_deleted(project: Project) -> None:
    promoted(project)
    before = project.run("prompts", "history", "triage", "--json").data
    (project.root / "prompt_store" / "prompts.sqlite").unlink()
    assert project.run("get", "triage").out == V2
    assert project.run("prompts", "history", "triage", "--json").data == before
    assert project.run("store", "verify").code == 0


def test_verify_finds_an_edited_row(project: Project) -> None:
    promoted(project)
    assert project.run("store", "verify").code == 0
    with sqlite3.connect(project.root / "prompt_store" / "prompts.sqlite") as database:
        database.execute("DROP TRIGGER event_no_update")
        database.execute("UPDATE event SET actor = 'somebody' WHERE sequence = 2")
    database.close()
    ended = project.run("store", "verify")
    assert ended.code == 5
    assert "triage" in ended.out
    assert project.run("store", "verify", "--json").data["sound"] is False
