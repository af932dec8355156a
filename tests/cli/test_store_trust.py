"""What the store serves can be trusted, whatever was edited, killed, or done twice."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptbench.client import PromptClient
from promptbench.core.canonical import digest
from promptbench.store.chain import LabelEvent
from promptbench.store.mirror import event_text, evidence_text
from tests.docs.verifier import check_store
from tests.helpers.project import V1, V2, ProjectFolder

OTHER = "suites/triage/other.prompt"


def promoted(project: ProjectFolder) -> None:
    project.adopt()
    assert project.run("run", "--promote").code == 0


def rewrite(project: ProjectFolder, change: Any) -> None:
    """Change the text of the evidence, recompute every hash, and lose the database, as after a fresh clone."""
    folder = project.root / "prompt_store" / "text" / "triage"
    [old] = folder.glob("evidence/*.json")
    text = change(json.loads(old.read_text(encoding="utf-8")))
    tagged = digest(json.loads(text))
    old.unlink()
    (folder / "evidence" / f"{tagged.removeprefix('sha256:')}.json").write_text(text, encoding="utf-8")
    [path] = folder.glob("events/*-promoted-*.json")
    event = LabelEvent.from_dict({**json.loads(path.read_text(encoding="utf-8")), "evidence": tagged})
    event = LabelEvent.from_dict({**event.as_dict(), "summary": event.describe(1)}).sealed()
    path.unlink()
    (folder / "events" / event.file_name).write_text(event_text(event), encoding="utf-8")
    (project.root / "prompt_store" / "prompts.sqlite").unlink()


def all_failed(proof: dict[str, Any]) -> str:
    for attempt in proof["attempts"]:
        if attempt["prompt"] == "candidate":
            attempt["outcome"] = "failed"
    return evidence_text(proof)


def doubled_line(proof: dict[str, Any]) -> str:
    return evidence_text({**proof, "attempts": [*proof["attempts"], proof["attempts"][0]]})


def doubled_key(proof: dict[str, Any]) -> str:
    return evidence_text(proof).replace("{\n", '{\n  "schema_version": 1,\n', 1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (all_failed, "recorded PASS, judged again NO VERDICT"),
        (doubled_line, "duplicate attempt 0"),
        (doubled_key, "duplicate key 'schema_version'"),
    ],
)
def test_a_forged_promotion_is_never_served(project: ProjectFolder, change: Any, why: str) -> None:
    promoted(project)
    rewrite(project, change)
    ended = project.run("get", "triage")
    assert (ended.code, ended.out) == (5, "")
    assert why in ended.err
    ended = project.run("store", "verify")
    assert ended.code == 5
    assert why in ended.out


def test_verify_judges_again_what_is_in_the_database(project: ProjectFolder) -> None:
    promoted(project)
    rewrite(project, evidence_text)
    assert project.run("store", "verify").code == 0, "the same content under the same hash"
    edit(project, """UPDATE evidence SET body = replace(body, '"passed"', '"failed"')""")
    ended = project.run("store", "verify")
    assert ended.code == 5
    assert "evidence" in ended.out


def edit(project: ProjectFolder, sql: str, *values: str) -> None:
    """Edit the database with its triggers removed and put back, so that nothing but the chain can notice."""
    connection = sqlite3.connect(project.root / "prompt_store" / "prompts.sqlite", isolation_level=None)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(sql, values)
    for _, statement in triggers:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE event SET to_hash = from_hash, to_number = 1 WHERE kind = 'promoted'",
        "UPDATE event SET label = 'other' WHERE kind = 'promoted'",
        "UPDATE version SET number = 3 - number + 10",
    ],
)
def test_an_edited_cell_moves_nothing(project: ProjectFolder, sql: str) -> None:
    promoted(project)
    before = PromptClient(project.root / "prompt_store", ttl=0)
    assert before.get("triage").number == 2
    edit(project, sql)
    for command in (("get", "triage"), ("prompts", "list")):
        ended = project.run(*command)
        assert ended.code == 5, ended.out
        assert "store verify" in ended.err
    assert before.get("triage").stale
    fallback = PromptClient(project.root / "prompt_store").get("triage", fallback="Sort: {{message}}")
    assert fallback.is_fallback


def other_prompt(project: ProjectFolder) -> None:
    project.adopt()
    project.write(OTHER.replace("other", "triage.other"), V2.replace("Answer", "Reply"))


@pytest.mark.parametrize("by", ["run", "evidence"])
def test_the_prompt_that_run_was_given_is_promoted(project: ProjectFolder, by: str) -> None:
    other_prompt(project)
    file = OTHER.replace("other", "triage.other")
    assert project.run("run", "--prompt", file, "--output", "evidence=proof.json").code == 0
    if by == "evidence":
        (project.root / ".promptbench" / "runs.sqlite").unlink()
    options = ("--evidence", "proof.json") if by == "evidence" else ()
    project.edit(file, "Reply", "Write")
    ended = project.run("promote", "triage", *options)
    assert ended.code == 5
    assert f"than what is in {file} and what is in production now" in ended.err
    assert f"promptbench run suites/triage --prompt {file} --promote" in ended.err
    project.edit(file, "Write", "Reply")
    ended = project.run("promote", "triage", *options)
    assert ended.code == 0, ended.err
    assert "Reply" in project.run("get", "triage").out


def test_the_prompt_that_run_was_given_is_gone(project: ProjectFolder) -> None:
    other_prompt(project)
    file = OTHER.replace("other", "triage.other")
    project.run("run", "--prompt", file)
    (project.root / file).unlink()
    ended = project.run("promote", "triage")
    assert ended.code == 5
    assert f"the prompt file {file} that was judged is not found" in ended.err


# Dies as by `kill -9` when the commit is done and nothing else is.
KILLED = """
import os, signal, sys
from promptbench.store.prompts import Store
Store._mirror_follows = lambda self, prompt: os.kill(os.getpid(), signal.SIGKILL)
from promptbench.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


def killed(project: ProjectFolder, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *command], check=False, cwd=project.root, capture_output=True, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_the_same_command_again_after_a_kill(project: ProjectFolder) -> None:
    steps = [
        (("adopt", "suites/triage/triage.plain.prompt", "--reason", "in use"), "triage@1 is already production"),
        (("promote", "triage"), "triage@2 is already production (was triage@1)"),
        (("rollback", "triage", "--reason", "worse"), "triage@1 is already production (was triage@2)"),
        (("prompts", "label", "triage@2", "canary", "--reason", "try"), "triage@2 is already canary"),
        (("retire", "triage", "--label", "canary", "--reason", "over"), "removed the label canary"),
    ]
    for command, said in steps:
        if command[0] == "promote":
            assert project.run("run").code == 0
        killed(project, *command)
        ended = project.run(*command)
        assert ended.code == 0, ended.err
        assert ended.out.startswith(said)
    assert [event["kind"] for event in project.run("prompts", "history", "triage", "--json").data["events"]] == [
        "adopted",
        "promoted",
        "rolled_back",
        "labelled",
        "retired",
    ]
    assert project.run("store", "verify").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("same", [True, False], ids=["the same version", "another version"])
def test_who_loses_a_race(project: ProjectFolder, same: bool) -> None:
    project.adopt()
    project.write("suites/triage/triage.other.prompt", V2.replace("Answer", "Reply"))
    files = ["triage.better.prompt", "triage.better.prompt" if same else "triage.other.prompt"]
    names = []
    for file in files:
        assert project.run("run", "--prompt", f"suites/triage/{file}").code == 0
        names.append(project.run("runs", "list", "--json").data["runs"][0]["run"])
    processes = [project.start("promote", "triage", "--run", name) for name in names]
    outputs = [process.communicate(timeout=60) for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == ([0, 0] if same else [0, 5]), outputs
    assert ("is already production" if same else "stale evidence") in str(outputs)


@pytest.mark.slow
def test_who_loses_a_race_of_runs(project: ProjectFolder) -> None:
    project.adopt()
    processes = [project.start("run", "--promote") for _ in range(3)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert len(project.run("prompts", "history", "triage", "--json").data["events"]) == 2


def fork(project: ProjectFolder, tmp_path: Path) -> None:
    """Two people promote different versions, git brings their files together, and a third clones that."""
    project.adopt()
    text = project.root / "prompt_store" / "text"
    shutil.copytree(text, tmp_path / "ours")
    force = ("promote", "triage", "--reason", "now", "--force", "suites/triage/triage.better.prompt")
    assert project.run(*force, "--actor", "mine").code == 0
    mine = tmp_path / "mine"
    shutil.copytree(text, mine)
    (project.root / "prompt_store" / "prompts.sqlite").unlink()
    shutil.rmtree(text)
    shutil.copytree(tmp_path / "ours", text)
    project.write("suites/triage/triage.better.prompt", V1.replace("Which", "What"))
    assert project.run(*force, "--actor", "hers").code == 0
    shutil.copytree(mine, text, dirs_exist_ok=True)
    (project.root / "prompt_store" / "prompts.sqlite").unlink()


def test_merge_in_a_fresh_clone(project: ProjectFolder, tmp_path: Path) -> None:
    fork(project, tmp_path / "fork")
    ended = project.run("get", "triage")
    assert ended.code == 5
    assert "promptbench store merge triage" in ended.err
    for options in ((), ("--keep", "ours"), ("--keep", "theirs")):
        ended = project.run("store", "merge", *options)
        assert ended.code == 2
        assert "(forced by mine at" in ended.err
        assert "(forced by hers at" in ended.err
    choices = re.findall(r"--keep (production=sha256:[0-9a-f]{8})", ended.err)
    assert len(choices) == 2
    ended = project.run("store", "merge", "--keep", choices[1])
    assert ended.code == 0, ended.err
    assert project.run("store", "verify").code == 0


def test_another_program_can_check_it(project: ProjectFolder) -> None:
    project.adopt()
    assert project.run("run", "--promote").code == 0
    assert project.run("rollback", "triage", "--reason", "worse").code == 0
    store = project.root / "prompt_store"
    assert check_store(store)["triage"]["production"] == project.run("get", "triage", "--json").data["hash"]
    [proof] = store.glob("text/triage/evidence/*.json")
    proof.write_text(proof.read_text(encoding="utf-8").replace('"passed"', '"failed"', 1), encoding="utf-8")
    with pytest.raises(AssertionError, match="does not match the name"):
        check_store(store)
