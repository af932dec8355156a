"""The main job, against a real server on loopback."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import time
from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI, error, html, stall
from tests.helpers.project import SUITE, V2, ProjectFolder, better


def last_line(text: str) -> str:
    return text.rstrip("\n").splitlines()[-1]


def test_the_loop_from_adoption_to_promotion(project: ProjectFolder) -> None:
    project.adopt()
    ended = project.run("run", "suites/triage", "--promote")
    assert ended.code == 0, ended.out + ended.err
    assert last_line(ended.out).startswith("PASS: fixed 2 of 2 failing cases, broken 0 of 1 passing case")
    assert "triage@2 is now production (was triage@1)" in ended.out
    assert project.run("get", "triage@production").out == V2
    history = project.run("prompts", "history", "triage", "--json").data
    assert [event["kind"] for event in history["events"]] == ["adopted", "promoted"]
    assert history["events"][1]["evidence"]


@pytest.mark.slow
def test_a_pass_names_the_command_that_promotes(project: ProjectFolder) -> None:
    def hint(*arguments: str) -> list[str]:
        lines = project.run(*arguments).out.splitlines()
        return [line.removeprefix("promote it: ") for line in lines if line.startswith("promote it: ")]

    project.adopt()
    project.edit("suites/triage/suite.yaml", "repeats: 3", "repeats: 1")
    assert hint("run", "--case", "hello") == []
    assert hint("run") == hint("runs", "report") == ["promptbench promote triage"]
    first = project.run("runs", "list", "--json").data["runs"][0]["run"]
    project.run("runs", "rescore")
    assert hint("runs", "gate", first) == [f"promptbench promote triage --run {first}"]
    other = SUITE.replace("suite: triage", "suite: other").replace("repeats: 3", "repeats: 1")
    project.write("suites/other/suite.yaml", other)
    project.write("suites/other/triage.better.prompt", V2)
    [both] = hint("runs", "report")
    assert both == "promptbench run suites/triage suites/other --promote"
    assert "triage@2 is now production" in project.run(*both.split()[1:]).out
    assert hint("runs", "report", first) == []


def test_progress_has_the_time_left_and_the_cost(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_SECONDS_BETWEEN_LINES", "_SECONDS_BEFORE_ESTIMATE"):
        monkeypatch.setattr(f"promptbench.cli.progress.{name}", 0.0)
    project.edit("promptbench.toml", "[providers", 'prices = "prices.toml"\n[providers')
    project.write("prices.toml", '["openai/fake"]\ninput = 1000\noutput = 2000\n')
    project.adopt()
    lines = project.run("run").err.splitlines()
    estimate = r"triage: \d+ of \d+ attempts, \d+ failed, \d+ s left, \$\d+\.\d+"
    assert any(re.fullmatch(estimate, line) for line in lines), lines
    assert re.fullmatch(r"triage: 66 of 66 attempts, \d+ failed, \$\d+\.\d+", lines[-1]), lines[-1]
    assert project.run("run", "--quiet").err == ""


def test_the_same_again_has_nothing_to_promote(project: ProjectFolder) -> None:
    project.adopt()
    project.run("run", "--promote")
    ended = project.run("run", "--promote")
    assert ended.code == 0
    assert last_line(ended.out).startswith("PASS: nothing to promote, this is the prompt in production")
    assert len(project.run("prompts", "history", "triage", "--json").data["events"]) == 2


def test_production_below_its_floors_is_a_no(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    project.run("run", "--promote")
    server.script = lambda body: '{"team": "nobody"}'
    ended = project.run("run")
    assert ended.code == 1
    assert last_line(ended.out).startswith("FAIL: the prompt in production: 0 % of answers are correct")


def test_a_first_version_passes_by_its_floors(project: ProjectFolder) -> None:
    ended = project.run("run", "--promote")
    assert ended.code == 0
    assert last_line(ended.out) == "PASS: first version: 100 % of answers are correct, 100 % are valid JSON"
    assert project.run("prompts", "history", "triage", "--json").data["events"][0]["kind"] == "initial"


def test_repeats_are_asked_where_they_decide(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    assert "\npromote it: promptbench promote triage\n" in project.run("run").out
    # Two targets with 15 tries, one guard with 3, of both prompts.
    assert len(server.received) == 2 * (15 + 15 + 3)


def test_no_verdict_when_the_server_is_dead(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    project.edit("promptbench.toml", server.base_url, "http://127.0.0.1:9/v1")
    begin = time.monotonic()
    ended = project.run("run", "--promote")
    assert ended.code == 4
    assert time.monotonic() - begin < 30
    assert last_line(ended.out).startswith("NO VERDICT: ")
    assert "is disabled for this run" in ended.err
    assert "no answer from the provider\n  openai/fake: " in ended.out
    assert project.run("prompts", "list").out == "triage: 1 version; production @1\n"


@pytest.mark.parametrize("step", [html(), error(401, "bad key"), error(404, "no such model")])
def test_no_verdict_when_the_server_does_not_answer(project: ProjectFolder, server: FakeOpenAI, step: Any) -> None:
    server.script = [step]
    project.edit("promptbench.toml", "[providers", "retries = 1\n[providers")
    ended = project.run("run")
    assert ended.code == 4
    assert last_line(ended.out).startswith("NO VERDICT: ")


def test_what_got_no_answer_is_asked_again_by_the_same_command(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.edit("promptbench.toml", "[providers", "retries = 0\n[providers")
    server.script = lambda body: error(400, "no") if "parcel" in body["messages"][-1]["content"] else better(body)
    assert project.run("run").code == 4
    asked = len(server.received)
    server.script = better
    ended = project.run("run")
    assert ended.code == 0
    assert "resumes run" in ended.err
    assert len(server.received) - asked == 3, "only the three repeats of the refused case"


def test_a_killed_run_goes_on_where_it_stood(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    project.edit(
        "suites/triage/suite.yaml",
        "cases:",
        "cases:\n"
        + "".join(
            f"  - case: hello {n}\n    vars: {{message: Hello {n}}}\n    expect: {{team: other}}\n" for n in range(60)
        ),
    )
    slow = project.root / "promptbench.toml"
    slow.write_text("concurrency = 2\n" + slow.read_text())
    record = project.root / ".promptbench" / "runs.sqlite"
    process = project.start("run", "suites/triage")
    try:
        wait_for(lambda: recorded(record) > 20)
    finally:
        process.kill()
        process.communicate()
    kept = recorded(record)
    asked = len(server.received)
    assert kept < 63 * 6
    ended = project.run("run", "suites/triage")
    assert ended.code == 0, ended.out + ended.err
    assert f"{kept} of {63 * 6} attempts are recorded" in ended.err
    with sqlite3.connect(record) as database:
        attempts = database.execute("SELECT count(*) FROM attempt").fetchone()[0]
        runs = database.execute("SELECT count(*) FROM run").fetchone()[0]
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    database.close()
    assert runs == 1
    # In flight at the kill were at most two; nothing that was on record was asked again.
    assert len(server.received) - asked == attempts - kept
    assert asked - kept <= 2


def wait_for(true: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def recorded(path: Any) -> int:
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return 0
    try:
        return int(database.execute("SELECT count(*) FROM attempt").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        database.close()


@pytest.mark.slow
def test_interrupt_drains_and_can_be_resumed(project: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: stall() if "parcel" in body["messages"][-1]["content"] else better(body)
    process = project.start("run", "suites/triage")
    try:
        wait_for(lambda: recorded(project.root / ".promptbench" / "runs.sqlite") >= 3)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130, out + err
    assert "press ^C again" in err
    assert "resumes the run" in err
    assert "Traceback" not in err
    server.script = better
    ended = project.run("run", "suites/triage")
    assert ended.code == 0
    assert "resumes run" in ended.err


def test_dry_run_asks_nothing(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    ended = project.run("run", "--dry-run")
    assert ended.code == 0
    assert ended.out.startswith(
        "triage: triage.better.prompt against triage@1, 3 cases\n  would make 18 calls to openai/fake; estimated "
    )
    first, _, could_tell = ended.out.partition(", cost unknown\n")
    assert first.endswith(" tokens in (characters / 4), up to 9,000 out")
    assert could_tell == (
        "  if 3 cases hold, a break rate above 63 % is excluded, with 26 more above 10 %\n"
        "  a case that begins to fail half of the time is called broken in 87 % of runs;\n"
        "    with 'repeats: 5' in 97 %\n"
        "  a failing case is tried up to 36 times more with each prompt; if all fail,\n"
        "    that is 234 calls in total, cost unknown\n"
    )
    assert project.run("run", "--dry-run", "--json").data["suites"][0]["questions"] == {"openai/fake": 18}
    assert project.run("run", "--dry-run", "--json").data["suites"][0]["most_questions"] == {"openai/fake": 234}
    assert not server.received


def test_dry_run_says_what_a_margin_takes(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    project.edit("suites/triage/suite.yaml", "gate: {", "gate: {margin: 5%, ")
    ended = project.run("run", "--dry-run")
    margin = "margin 5 % needs 59 stable passing cases, 93 if one is unstable: at least 56 more cases"
    assert margin in " ".join(ended.out.split())
    assert max(map(len, ended.out.splitlines()[2:])) <= 80
    said = "with the missing cases: 354 calls in the first round, cost unknown"
    assert " ".join(ended.out.split()).endswith(said)
    [suite] = project.run("run", "--dry-run", "--json").data["suites"]
    [margin] = suite["outlook"]["margins"]
    assert (margin["takes"], margin["kept"]) == ([59, 93], 0.0)
    assert suite["outlook"]["halved"][0]["broken"] == pytest.approx(0.8730, abs=5e-5)
    assert not server.received


def test_dry_run_of_a_first_version_has_no_gate_to_look_at(project: ProjectFolder) -> None:
    [suite] = project.run("run", "--dry-run", "--json").data["suites"]
    assert (suite["outlook"], suite["could_tell"]) == (None, [])


def test_one_invalid_suite_stops_before_any_call(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.write("suites/other/suite.yaml", "suite: other\nprompt: none.prompt\nmodels: [openai/fake]\ncases: []\n")
    ended = project.run("run")
    assert ended.code == 2
    assert "suites/other/suite.yaml:2:9: error[PB208]" in ended.err
    assert not server.received


def test_json_and_outputs(project: ProjectFolder) -> None:
    project.adopt()
    ended = project.run("run", "--json", "--output", "evidence=out/proof.json", "--output", "log=out/failing.jsonl")
    assert ended.code == 0
    assert ended.data["schema_version"] == 1
    assert ended.data["runs"][0]["result"] == "PASS"
    proof = json.loads((project.root / "out/proof.json").read_text())
    assert proof["verdict"]["result"] == "PASS"
    assert len(proof["attempts"]) == 2 * (15 + 15 + 3)
    assert (project.root / "out/failing.jsonl").read_text() == ""


def test_the_log_of_failures_is_a_log_that_is_replayed(project: ProjectFolder, server: FakeOpenAI) -> None:
    plain = "suites/triage/triage.plain.prompt"
    ended = project.run("run", "--prompt", plain, "--output", "log=suites/triage/failing.jsonl")
    assert ended.code == 1
    lines = (project.root / "suites/triage/failing.jsonl").read_text().splitlines()
    assert len(lines) == 6
    project.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [json]\nlog: failing.jsonl")
    project.adopt()
    ended = project.run("run")
    assert ended.code == 0
    assert "log: 2 of 2 failing calls pass now on openai/fake" in ended.out


def test_a_selection_proves_nothing_about_the_whole(project: ProjectFolder, server: FakeOpenAI) -> None:
    ended = project.run("run", "--case", "hello", "--promote")
    assert ended.code == 2
    assert "a part of the suite 'triage' proves nothing about the rest of it" in ended.err
    assert project.run("run", "--case", "h*").code == 0
    assert len(server.received) == 3
    assert project.run("runs", "gate").out.splitlines()[-1].startswith("PASS: first version: ")
    assert project.run("run", "--case", "nothing").code == 7


def test_exit_zero_covers_a_no_but_not_a_dead_server(project: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: "no"
    assert project.run("run").code == 1
    assert project.run("run", "--exit-zero").code == 0
    server.script = [error(401, "bad key")]
    assert project.run("run", "--exit-zero").code == 4


def test_answers_are_replayed_without_a_server(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    first = project.run("run", "--json").data
    asked = len(server.received)
    project.edit("suites/triage/suite.yaml", "models: [openai/fake]", "models: [recorded/openai/fake]")
    again = project.run("run", "--json").data
    assert len(server.received) == asked
    assert again["runs"][0]["judgements"] == first["runs"][0]["judgements"]


def test_a_prompt_of_two_suites_needs_both(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    second = (project.root / "suites/triage/suite.yaml").read_text().replace("suite: triage", "suite: second")
    project.write("suites/second/suite.yaml", second)
    project.write("suites/second/triage.better.prompt", V2)
    for flags in (("--promote",), ("--promote", "--dry-run")):
        ended = project.run("run", "suites/triage", *flags)
        assert ended.code == 2
        assert "suites/second/suite.yaml tests 'triage' too" in ended.err
    assert not server.received
    ended = project.run("run", "--promote")
    assert ended.code == 0
    assert "triage@2 is now production" in ended.out
    proof = project.run("prompts", "show", "triage", "--evidence", "--json").data
    assert [suite["suite"] for suite in proof["evidence"]["suites"]] == ["second", "triage"]
    assert proof["differences"] == []


def test_a_word_that_the_model_does_not_take_is_said_before_any_call(
    project: ProjectFolder, server: FakeOpenAI
) -> None:
    project.edit("suites/triage/triage.better.prompt", "{temperature: 0}", "{temperature: 0, topK: 5}")
    ended = project.run("run")
    assert ended.code == 2
    assert "suites/triage/triage.better.prompt:2:26: error" in ended.err
    assert "topK" in ended.err
    assert not server.received


def test_a_changed_output_schema_is_told(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [{json schema: output}]")
    project.adopt()
    ended = project.run("run", "--promote")
    assert ended.code == 0, "a champion without a schema is held to the candidate's"
    assert "another output schema" not in ended.out
    project.edit("suites/triage/triage.better.prompt", "{team: string}", "{team?: string}")
    ended = project.run("run")
    assert "triage.better.prompt and triage@2 have different output schemas" in ended.out
