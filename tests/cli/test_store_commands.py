"""Labels move on proof, are read back, and can be taken back."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from promptbench.parsing.ladder import LADDER
from promptbench.workflows.judge import proof
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import V1, V2, ProjectFolder


def promoted(project: ProjectFolder) -> None:
    project.adopt()
    assert project.run("run", "--promote").code == 0


def test_adopt_once_and_with_a_reason(project: ProjectFolder) -> None:
    plain = "suites/triage/triage.plain.prompt"
    ended = project.run("adopt", plain)
    assert ended.code == 2
    assert "needs a reason" in ended.err
    ended = project.run("adopt", plain, "--reason", "in use")
    assert ended.out == (
        "triage@1 is now production\n"
        "  read it: promptbench get triage@production\n"
        "  undo it: promptbench retire triage --label production --reason '…'\n"
    )
    ended = project.run("adopt", plain, "--reason", "again")
    assert ended.code == 2
    assert "is already set" in ended.err
    assert project.run("adopt", "no.prompt", "--reason", "x").code == 2


def test_what_is_adopted_is_the_whole_prompt(project: ProjectFolder) -> None:
    project.write("prompts/_rules.prompt", "Be brief.\n")
    project.write("prompts/greet.formal.prompt", "{{>rules}}\nHello {{name}}\n")
    assert project.run("adopt", "prompts/greet.formal.prompt", "--reason", "in use").code == 0
    assert project.run("get", "greet").out == "Be brief.\nHello {{name}}\n"
    ended = project.run("promote", "greet", "--force", "prompts/greet.formal.prompt", "--reason", "again")
    assert (ended.code, ended.out.partition(" ")[0]) == (0, "greet@1")
    project.write("prompts/critic.json", json.dumps({"name": "critic", "prompt": "Do you like {{movie}}?"}))
    assert project.run("adopt", "prompts/critic.json", "--reason", "in production in Langfuse").code == 0
    ended = project.run("get", "critic", "--format", "messages", "--var", "movie=Dune")
    assert ended.data == [{"role": "user", "content": "Do you like Dune?"}]


def test_reading(project: ProjectFolder) -> None:
    promoted(project)
    for reference in ("triage", "triage@production", "triage@2"):
        assert project.run("get", reference).out == V2
    assert project.run("get", "triage@1").out == V1
    assert project.run("get", "triage", "--json").data["number"] == 2
    ended = project.run("get", "triagge")
    assert ended.code == 2
    assert "triage" in ended.err
    assert project.run("get", "triage@nowhere").code == 2


def test_show_diff_and_history(project: ProjectFolder) -> None:
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


def test_rollback_and_forward_again(project: ProjectFolder) -> None:
    promoted(project)
    assert project.run("rollback", "triage").code == 2
    ended = project.run("rollback", "triage", "--reason", "worse for one customer", "--actor", "ci")
    assert ended.code == 0
    assert "undo it: promptbench rollback triage --to 2 --reason '…'" in ended.out
    assert "fails again: charged twice, late parcel" in ended.out
    assert project.run("get", "triage").out == V1
    assert project.run("rollback", "triage", "--to", "2", "--reason", "it was not the prompt").code == 0
    assert project.run("get", "triage").out == V2


def test_retire_takes_the_label_and_keeps_the_history(project: ProjectFolder) -> None:
    promoted(project)
    ended = project.run("retire", "triage", "--reason", "not used any more")
    assert ended.code == 0
    assert ended.out.endswith("\n  undo it: promptbench rollback triage --to 2 --reason '…'\n")
    assert project.run("get", "triage").code == 2
    assert len(project.run("prompts", "history", "triage", "--json").data["events"]) == 3


def test_a_run_on_record_is_promoted_later(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    project.run("run")
    asked = len(server.received)
    ended = project.run("runs", "gate", "latest")
    assert ended.code == 0
    assert "PASS: fixed 2 of 2 failing cases" in ended.out
    ended = project.run("promote", "triage", "--reason", "reviewed")
    assert ended.code == 0, ended.err
    assert "triage@2 is now production (was triage@1)" in ended.out
    assert len(server.received) == asked, "judging and promoting ask nothing"
    ended = project.run("promote", "triage")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("triage@2 is already production")


def test_evidence_promotes_on_another_machine(project: ProjectFolder) -> None:
    project.adopt()
    project.run("run", "--output", "evidence=proof.json")
    (project.root / ".promptbench" / "runs.sqlite").unlink()
    ended = project.run("promote", "triage", "--evidence", "proof.json")
    assert ended.code == 0, ended.err
    assert "same verdict" in project.run("prompts", "show", "triage", "--evidence").out
    ended = project.run("promote", "triage", "--evidence", "proof.json")
    assert ended.code == 0
    assert "is already production" in ended.out


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("suites/triage/suite.yaml", "I was charged twice", "I was charged three times", "its cases"),
        ("suites/triage/suite.yaml", "checks: [json]", "checks: [json, {not contains: sorry}]", "its checks"),
        ("suites/triage/suite.yaml", "repeats: 3", "repeats: 4", "its gate"),
        ("suites/triage/triage.better.prompt", "Answer with JSON.", "Answer with JSON only.", "the suite's prompt"),
    ],
)
def test_evidence_is_stale_when_anything_changed(
    project: ProjectFolder, path: str, old: str, new: str, said: str
) -> None:
    project.adopt()
    project.run("run", "--output", "evidence=proof.json")
    project.edit(path, old, new)
    for arguments in (["--evidence", "proof.json"], []):
        ended = project.run("promote", "triage", *arguments)
        assert ended.code == 5, ended.out + ended.err
        assert "stale evidence" in ended.err
        assert said in ended.err
    assert project.run("get", "triage").out == V1


def test_evidence_is_stale_when_production_moved(project: ProjectFolder) -> None:
    project.adopt()
    project.run("run", "--output", "evidence=proof.json")
    other = project.write("suites/triage/triage.other.prompt", "Another one: {{message}}\n")
    assert project.run("promote", "triage", "--force", str(other), "--reason", "a hot fix").code == 0
    ended = project.run("promote", "triage", "--evidence", "proof.json")
    assert ended.code == 5
    assert "stale evidence" in ended.err
    assert "forced" in project.run("prompts", "history", "triage").out


def test_evidence_has_an_age(project: ProjectFolder) -> None:
    project.adopt()
    project.run("run", "--output", "evidence=proof.json")
    file = project.root / "proof.json"
    proof = json.loads(file.read_text())
    proof["made"] = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    file.write_text(json.dumps(proof))
    ended = project.run("promote", "triage", "--evidence", "proof.json")
    assert ended.code == 5
    assert "it is 8.0 days old" in ended.err


def test_evidence_that_was_edited_is_refused(project: ProjectFolder, server: FakeOpenAI) -> None:
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
    assert "is inconsistent" in ended.err


def test_what_did_not_pass_is_not_promoted(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    server.script = lambda body: "no"
    project.run("run")
    ended = project.run("promote", "triage")
    assert ended.code == 1
    assert "does not prove it" in ended.err


def test_the_database_can_be_deleted(project: ProjectFolder) -> None:
    promoted(project)
    before = project.run("prompts", "history", "triage", "--json").data
    (project.root / "prompt_store" / "prompts.sqlite").unlink()
    assert project.run("get", "triage").out == V2
    assert project.run("prompts", "history", "triage", "--json").data == before
    shutil.rmtree(project.root / ".promptbench")
    assert "the same verdict" in project.run("prompts", "show", "triage", "--evidence").out
    assert project.run("store", "verify").code == 0


def test_verify_finds_an_edited_row(project: ProjectFolder) -> None:
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


def forked(project: ProjectFolder) -> None:
    """What `git merge` leaves where a colleague promoted another version; this machine's database has ours."""
    promoted(project)
    text, aside = project.root / "prompt_store" / "text", project.root / "aside"
    other = project.write("suites/triage/triage.other.prompt", "Another one: {{message}}\n")
    shutil.copytree(text, aside)
    arguments = ("promote", "triage", "--force", str(other), "--reason", "a hot fix", "--actor", "Bea")
    assert project.run(*arguments).code == 0
    shutil.copytree(text, project.root / "hers")
    shutil.rmtree(project.root / "prompt_store")
    shutil.copytree(aside, text)
    assert project.run("rollback", "triage", "--reason", "worse", "--actor", "Ann").code == 0
    shutil.copytree(project.root / "hers", text, dirs_exist_ok=True)


def test_a_fork_names_the_command_that_joins_it(project: ProjectFolder) -> None:
    forked(project)
    ended = project.run("get", "triage")
    assert ended.code == 5
    assert "two branches changed it at the same time" in ended.err
    assert "`promptbench store merge triage`" in ended.err
    ended = project.run("store", "merge")
    assert ended.code == 2
    assert "nobody can be asked" in ended.err
    assert "--keep production=ours (rolled back by Ann at" in ended.err
    assert "or --keep production=theirs (forced by Bea at" in ended.err
    for keep, said in (
        ("thiers", "no branch has production"),
        ("=ours", "invalid --keep"),
        ("staging=", "invalid --keep"),
    ):
        ended = project.run("store", "merge", "--keep", keep)
        assert ended.code == 2, keep
        assert said in ended.err
    ended = project.run("store", "merge", "--keep", "ours")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == [
        "triage: joined; production is triage@1",
        "  triage@3 comes from a merged branch, where it was production as @3: forced by Bea as event 3",
        "  other choice: promptbench rollback triage --to 3 --reason '…'",
        "commit prompt_store/text; others get it with their next pull",
    ]
    assert project.run("store", "verify").code == 0
    assert "merged: @3 of another branch" in project.run("prompts", "history", "triage").out
    assert project.run("store", "merge", "triage").out == "nothing to merge\n"
    assert project.run("rollback", "triage", "--to", "3", "--reason", "the hot fix it is").code == 0


@pytest.mark.parametrize("keep", ["theirs", "3", "production=theirs", "none of it known"])
def test_the_other_branchs_version_is_kept(project: ProjectFolder, keep: str) -> None:
    forked(project)
    if keep == "none of it known":
        (project.root / "prompt_store" / "prompts.sqlite").unlink()
        ended = project.run("store", "merge", "--keep", "theirs")
        assert ended.code == 2
        assert "has none of the branches alone" in ended.err
        other = project.run("store", "merge", "--keep", "3", "--json")
        assert other.data["merged"][0]["labels"] == {"production": 3}
        return
    ended = project.run("store", "merge", "triage", "--keep", keep, "--json")
    assert ended.data["merged"][0]["labels"] == {"production": 3}
    assert project.run("get", "triage").out.startswith("Another one")


def test_a_person_is_asked_which_version_stays(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    forked(project)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("what\ntheirs\n"))
    ended = project.run("store", "merge")
    assert ended.code == 0, ended.err
    assert "triage: 2 branches moved production to different versions" in ended.err
    assert "ours    triage@1 (sha256:" in ended.err
    assert "rolled back by Ann at 2" in ended.err
    assert "theirs  triage@3 (sha256:" in ended.err
    assert "at 'what'" in ended.err
    assert project.run("get", "triage").out.startswith("Another one")
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert project.run("store", "merge").out == "nothing to merge\n"


def test_to_staging_and_from_there_to_production(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    project.run("run", "--output", "evidence=proof.json")
    asked = len(server.received)
    ended = project.run("promote", "triage", "--evidence", "proof.json", "--to", "staging")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0] == "triage@2 is now staging"
    assert "undo it: promptbench retire triage --label staging" in ended.out
    assert project.run("get", "triage@staging").out == V2
    assert project.run("get", "triage").out == V1
    ended = project.run("promote", "triage", "--from", "staging", "--json")
    assert ended.code == 0, ended.err
    assert (ended.data["label"], ended.data["version"], ended.data["previous"]) == ("production", 2, 1)
    assert ended.data["proof"].startswith("the evidence of triage@staging, PASS: fixed 2 of 2 failing cases")
    assert len(server.received) == asked, "nothing is asked again"
    assert project.run("store", "verify").code == 0
    kinds = [event["kind"] for event in project.run("prompts", "history", "triage", "--json").data["events"]]
    assert kinds == ["adopted", "promoted", "promoted"]
    assert "production @2, staging @2" in project.run("prompts", "list").out


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("suites/triage/suite.yaml", "I was charged twice", "I was charged three times", "its cases"),
        ("suites/triage/suite.yaml", "repeats: 3", "repeats: 4", "its gate"),
        ("age", "", "", "it is 8.0 days old, the gate's maximum is 7"),
        ("production", "", "", "but production of triage is now triage@3"),
    ],
)
def test_what_staging_has_may_be_stale(
    project: ProjectFolder, path: str, old: str, new: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.adopt()
    project.run("run")
    if path == "age":
        monkeypatch.setattr(proof, "now", (datetime.now(UTC) - timedelta(days=8)).isoformat)
    assert project.run("promote", "triage", "--to", "staging").code == 0
    if path == "production":
        other = project.write("suites/triage/triage.other.prompt", "Another one: {{message}}\n")
        project.run("promote", "triage", "--force", str(other), "--reason", "a hot fix")
    elif path != "age":
        project.edit(path, old, new)
    ended = project.run("promote", "triage", "--from", "staging")
    assert ended.code == 5
    assert said in ended.err
    renew = ended.err.split("renew it: ")[1].strip()
    assert renew == (
        "promptbench get triage@staging > suites/triage/triage.staging.prompt && "
        "promptbench run suites/triage --prompt suites/triage/triage.staging.prompt --promote"
    )
    if path == "production":
        project.write("suites/triage/triage.staging.prompt", project.run("get", "triage@staging").out)
        ended = project.run("run", "suites/triage", "--prompt", "suites/triage/triage.staging.prompt", "--promote")
        assert ended.code == 0, ended.out + ended.err
        assert project.run("get", "triage").out == V2


def test_what_staging_has_may_lack_evidence_or_the_suite(project: ProjectFolder) -> None:
    project.adopt()
    project.run("run")
    assert project.run("promote", "triage", "--to", "staging").code == 0
    other = project.write("suites/triage/triage.other.prompt", "Another one: {{message}}\n")
    project.run("promote", "triage", "--force", str(other), "--reason", "try it", "--to", "mine-too")
    ended = project.run("promote", "triage", "--from", "mine-too")
    assert ended.code == 1
    assert "triage@3 has no evidence" in ended.err
    assert "renew it: promptbench get triage@mine-too" in ended.err
    assert project.run("promote", "triage", "--from", "nowhere").code == 2
    assert project.run("promote", "triage", "--from", "staging", "--run", "latest").code == 2
    assert project.run("promote", "triage", "--to", "No Label!").code == 2
    (project.root / "suites/triage/suite.yaml").unlink()
    assert project.run("promote", "triage", "--from", "staging").code == 0, "the suite is not at hand"


def test_the_newest_run_that_may_prove_something_is_taken(project: ProjectFolder) -> None:
    project.adopt()
    project.run("run")
    proving = project.run("runs", "gate", "latest", "--json").data["runs"][0]["run"]
    project.run("run", "--case", "hello")
    ended = project.run("promote", "triage")
    assert ended.code == 0, ended.err
    assert f"  proof: run {proving} of suite triage, PASS: fixed 2 of 2" in ended.out


def test_a_part_of_a_suite_alone_promotes_nothing(project: ProjectFolder) -> None:
    project.adopt()
    project.run("run", "--case", "hello")
    ended = project.run("promote", "triage")
    assert ended.code == 2
    assert "no finished run of a whole suite tests 'triage'" in ended.err


@pytest.mark.parametrize(
    ("old", "new"), [("repeats: 3", "repeats: 3, cost ratio: 2"), ("[json]", "[json, {all of: [{cost: $1}]}]")]
)
def test_evidence_is_stale_under_another_ladder_or_other_prices(project: ProjectFolder, old: str, new: str) -> None:
    project.edit("promptbench.toml", "[providers", 'prices = "prices.toml"\n[providers')
    project.write("prices.toml", '["openai/fake"]\ninput = 1000\noutput = 2000\n')
    project.edit("suites/triage/suite.yaml", old, new)
    project.adopt()
    project.run("run", "--output", "evidence=proof.json")
    file = project.root / "proof.json"
    proof = json.loads(file.read_text())
    assert proof["suites"][0]["ladder"] == LADDER
    file.write_text(json.dumps({**proof, "suites": [{**proof["suites"][0], "ladder": "sha256:another"}]}))
    ended = project.run("promote", "triage", "--evidence", "proof.json")
    assert ended.code == 5
    assert "how answers are read" in ended.err
    assert "hint: run again: promptbench run suites/triage --promote" in ended.err
    file.write_text(json.dumps(proof))
    project.edit("prices.toml", "2000", "3000")
    for arguments in (["--evidence", "proof.json"], []):
        ended = project.run("promote", "triage", *arguments)
        assert ended.code == 5
        assert "its prices" in ended.err
    project.edit("prices.toml", "3000", "2000")
    assert project.run("promote", "triage", "--evidence", "proof.json").code == 0


@pytest.mark.slow
def test_of_two_processes_one_promotes_and_the_other_is_told(project: ProjectFolder) -> None:
    """Both versions are proven against the same one in production."""
    project.adopt()
    project.write("suites/triage/triage.other.prompt", V2.replace("JSON", "a JSON object"))
    for label, name in (("staging", "better"), ("mine", "other")):
        project.edit("suites/triage/suite.yaml", "prompt: triage.better", f"prompt: triage.{name}")
        assert project.run("run").code == 0
        assert project.run("promote", "triage", "--to", label).code == 0
    both = [project.start("promote", "triage", "--from", label) for label in ("staging", "mine")]
    ended = [(process.communicate(timeout=60), process.returncode) for process in both]
    assert sorted(code for _, code in ended) == [0, 5], ended
    [told] = [err for (_, err), code in ended if code == 5]
    assert "stale evidence: it compared with triage@1 (sha256:" in told
    assert "but production of triage is now triage@" in told
    assert project.run("store", "verify").code == 0


def test_a_label_of_ones_own_points_anywhere(project: ProjectFolder) -> None:
    promoted(project)
    assert project.run("prompts", "label", "triage@1", "canary").code == 2
    ended = project.run("prompts", "label", "triage@1", "canary", "--reason", "ten customers")
    assert ended.out == (
        "triage@1 is now canary\n"
        "  read it: promptbench get triage@canary\n"
        "  undo it: promptbench retire triage --label canary --reason '…'\n"
    )
    assert project.run("get", "triage@canary").out == V1
    ended = project.run("prompts", "label", "triage", "canary", "--reason", "all of them", "--json")
    assert (ended.data["version"], ended.data["previous"]) == (2, 1)
    assert "rollback triage --to 1 --label canary" in ended.data["undo"]
    ended = project.run("prompts", "label", "triage@1", "production", "--reason", "I say so")
    assert ended.code == 2
    assert "production moves by evidence only" in ended.err


def test_a_rollback_names_what_fails_again_also_where_the_proof_came_by_a_merge(project: ProjectFolder) -> None:
    project.adopt()
    text, aside = project.root / "prompt_store" / "text", project.root / "aside"
    shutil.copytree(text, aside)
    assert project.run("run", "--promote").code == 0
    shutil.copytree(text, project.root / "hers")
    shutil.rmtree(project.root / "prompt_store")
    shutil.copytree(aside, text)
    other = project.write("suites/triage/triage.other.prompt", "Another one: {{message}}\n")
    assert project.run("promote", "triage", "--force", str(other), "--reason", "a hot fix").code == 0
    shutil.copytree(project.root / "hers", text, dirs_exist_ok=True)
    assert project.run("store", "merge", "--keep", "ours").code == 0
    assert project.run("rollback", "triage", "--to", "3", "--reason", "hers after all").code == 0
    assert "the same verdict" in project.run("prompts", "show", "triage", "--evidence").out
    assert project.run("get", "triage", "--json").data["models"] == [{"model": "openai/fake", "returned": ["fake-1"]}]
    ended = project.run("rollback", "triage", "--reason", "worse for one customer")
    assert "fails again: charged twice, late parcel" in ended.out


def test_what_others_wrote_into_the_history_is_nothing_that_a_terminal_obeys(project: ProjectFolder) -> None:
    evil = project.write("suites/triage/triage.evil.prompt", "\x1b[2J{{message}}\n")
    project.run("adopt", str(evil), "--reason", "fine\n2026-01-01T00:00:00Z  promoted", "--actor", "Eve\x1b]0;x\x07")
    ended = project.run("prompts", "history", "triage")
    assert len(ended.out.splitlines()) == 2
    assert "by Eve\\u001b]0;x\\u0007" in ended.out
    for words in (["history", "triage"], ["show", "triage"], ["list"]):
        assert "\x1b" not in project.run("prompts", *words).out
    assert "\x1b" not in project.run("get", "triage@\x1b[31m").err
    assert project.run("get", "triage").out == "\x1b[2J{{message}}\n", "a program gets it as it is"
