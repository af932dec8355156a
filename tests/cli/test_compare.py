"""Runs, versions and models compared from the command line, against a real server on loopback."""

from __future__ import annotations

import json
import random
import shlex
import threading
from collections import Counter
from typing import Any

import pytest

from tests.cli.test_run import last_line
from tests.helpers.fake_openai import FakeOpenAI, answer
from tests.helpers.project import ProjectFolder, better, right

SUITE = "suites/triage/suite.yaml"
PLAIN, BETTER = "suites/triage/triage.plain.prompt", "suites/triage/triage.better.prompt"


@pytest.fixture
def ran(project: ProjectFolder, server: FakeOpenAI) -> ProjectFolder:
    """A project whose better prompt was promoted over the plain one."""
    project.adopt()
    assert project.run("run", "--promote").code == 0
    server.received.clear()
    return project


def report(project: ProjectFolder, *arguments: str, code: int = 0) -> Any:
    ended = project.run("compare", *arguments, "--json")
    assert ended.code == code, ended.out + ended.err
    [run] = ended.data["runs"]
    return run


def runs(project: ProjectFolder) -> list[str]:
    """The names of the runs on record, the oldest first."""
    import sqlite3

    with sqlite3.connect(project.root / ".promptbench" / "runs.sqlite") as record:
        return [row[0] for row in record.execute("SELECT id FROM run ORDER BY rowid")]


def test_two_versions_of_one_run(ran: ProjectFolder, server: FakeOpenAI) -> None:
    ended = ran.run("compare", "triage@1", "triage@2")
    assert ended.code == 0, ended.err
    assert last_line(ended.out).startswith(
        "PASS: triage@2 is not worse than triage@1: fixed 2 of 2 failing cases, broken 0 of 1 passing case"
    )
    worse = ran.run("compare", "triage@2", "triage@1")
    assert worse.code == 6
    assert last_line(worse.out) == (
        "INCONCLUSIVE: unknown if triage@1 is worse than triage@2: 2 cases with too few tries: 'charged twice', "
        "'late parcel'; `promptbench compare triage@2 triage@1 suites/triage` tries them again"
    )
    assert not server.received


def test_it_says_what_the_gate_says(ran: ProjectFolder) -> None:
    judged = ran.run("runs", "report", "--json").data
    compared = ran.run("compare", "triage@1", "triage@2", "--json").data
    assert judged["schema_version"] == compared["schema_version"] == 1
    gate, run = judged["runs"][0], compared["runs"][0]
    assert run["judgements"][0]["counts"] == gate["judgements"][0]["counts"]
    assert run["judgements"][0]["mid_p"] == gate["judgements"][0]["mid_p"]
    for name in ("passed", "attempts", "well_formed", "p50_ms", "p99_ms", "cost", "rungs"):
        assert [row[name] for row in run["rows"]] == [row[name] for row in gate["rows"]]
    states = [{(flip["case"], flip["flip"]) for flip in found["flips"]} for found in (gate, run)]
    assert states[0] == states[1] != set()
    assert gate["sentence"].removeprefix("PASS: ") in run["sentence"]


def test_every_check_that_changed_is_named(ran: ProjectFolder) -> None:
    run = report(ran, "triage@2", "triage@1", code=6)
    assert run["checks"] == [
        {"check": "expect", "model": "openai/fake", "fixed": 0, "broken": 2},
        {"check": "json", "model": "openai/fake", "fixed": 0, "broken": 2},
    ]
    assert [row["side"] for row in run["rows"]] == ["A", "B"]
    assert "checks: expect 2 broken · json 2 broken" in ran.run("compare", "triage@2", "triage@1").out


def test_two_runs_are_matched_by_what_their_cases_are(ran: ProjectFolder, server: FakeOpenAI) -> None:
    ran.edit(SUITE, "message: Hello}", "message: Hello you}")
    ran.edit(SUITE, "case: late parcel", "case: lost parcel")
    ran.run("run")
    server.received.clear()
    first, second = runs(ran)
    run = report(ran, first, second)
    assert run["left_out"] == {"changed since": ["hello"], "new": ["lost parcel"], "gone": ["late parcel"]}
    assert run["cases"] == 1
    ended = ran.run("compare", first, "latest")
    assert "they did not run side by side" in ended.out.replace("\n", " ")
    assert "not compared, changed since: hello" in ended.out
    assert not server.received


def test_some_cases_of_what_is_on_record(ran: ProjectFolder) -> None:
    run = report(ran, "triage@1", "triage@2", "--case", "charged*", "--case", "hello")
    assert (run["cases"], run["reproduce"]) == (
        2,
        "promptbench compare triage@1 triage@2 --case 'charged*' --case hello",
    )
    assert [flip["case"] for flip in run["flips"]] == ["charged twice"]
    none = ran.run("compare", "triage@1", "triage@2", "--case", "unheard of")
    assert (none.code, "neither run has a case named unheard of" in none.err) == (7, True)
    for flag, value in (("--tag", "vip"), ("--prompt", BETTER)):
        refused = ran.run("compare", "latest", "--model", "openai/a", "--model", "openai/b", flag, value)
        assert (refused.code, f"{flag} selects calls" in refused.err) == (2, True)


def test_the_command_beside_a_failure_makes_it_again(ran: ProjectFolder) -> None:
    worse = ran.run("compare", "triage@2", "triage@1")
    [command] = [line.strip() for line in worse.out.splitlines() if line.startswith("  again: ")]
    assert command == "again: promptbench compare triage@2 triage@1 --case 'charged twice' --case 'late parcel'"
    again = ran.run(*shlex.split(command)[2:])
    assert (again.code, "broken (2): A passes, B fails" in again.out) == (6, True)


def test_what_an_interrupted_run_did_not_ask_is_left_out(ran: ProjectFolder, server: FakeOpenAI) -> None:
    ran.edit(SUITE, "gate: {repeats: 3}", "gate: {repeats: 4}")
    assert ran.run("run", "--max-calls", "5", "--concurrency", "1").code == 4
    first, second = runs(ran)
    # Of the last case some tries are missing.
    run = report(ran, first, second, code=6)
    asked = {"charged twice", "late parcel", "hello"} - {*run["left_out"]["not asked of both"]}
    assert run["cases"] == len(asked) < 3
    assert run["notes"][0] == (f"run {second} is not finished; `promptbench run suites/triage` resumes it")


def test_a_changed_check_makes_another_case(ran: ProjectFolder) -> None:
    ran.edit(SUITE, "checks: [json]", "checks: [json, contains: team]")
    ran.run("run")
    ended = ran.run("compare", *runs(ran))
    assert ended.code == 7
    assert "no case is the same in both runs" in ended.err


def test_the_same_prompt_in_a_bad_hour(ran: ProjectFolder, server: FakeOpenAI) -> None:
    """What a provider changed under a prompt shows as cases that broke."""
    server.script = lambda body: '{"team": "none"}' if "Hello" in body["messages"][-1]["content"] else better(body)
    ran.run("run")
    first, second = runs(ran)
    ended = ran.run("compare", first, second)
    assert ended.code == 6
    assert last_line(ended.out) == (
        f"INCONCLUSIVE: unknown if triage@2 in run {second} is worse than in run {first}: 1 case with too few tries: "
        "'hello'; `promptbench run suites/triage` tries them again"
    )


def test_versions_are_asked_now_with_a_suite(project: ProjectFolder, server: FakeOpenAI) -> None:
    ended = project.run("compare", PLAIN, BETTER, "suites/triage")
    assert ended.code == 0, ended.err
    assert last_line(ended.out).startswith(
        "PASS: triage.better is not worse than triage.plain: fixed 2 of 2 failing cases"
    )
    # 3 cases, 3 tries, both prompts; then 12 more of the failures.
    assert len(server.received) == 18 + 2 * 2 * 12
    server.received.clear()
    dry = project.run("compare", PLAIN, BETTER, "suites/triage", "--dry-run")
    assert last_line(dry.out).startswith("  would make 18 calls to openai/fake; estimated ")
    assert not server.received


def test_versions_that_nobody_asked(project: ProjectFolder) -> None:
    project.adopt()
    ended = project.run("compare", "triage@1", BETTER)
    assert ended.code == 2
    assert "no run has called triage@1" in ended.err
    assert f"promptbench compare triage@1 {BETTER} SUITE" in ended.err


def by_model(body: dict[str, Any]) -> Any:
    """`large` is always right, and `small` never where a parcel is meant; `slow` is `large` with a pause."""
    text = body["messages"][-1]["content"]
    wrong = body["model"] == "small" and "parcel" in text
    return answer('{"team": "none"}' if wrong else right(text), delay=0.05 if body["model"] == "slow" else 0.0)


def test_one_prompt_on_two_models(ran: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = by_model
    worse = ran.run("compare", "suites/triage", "--model", "openai/large", "--model", "openai/small")
    assert worse.code == 1
    assert last_line(worse.out) == (
        "FAIL: triage@2 on openai/small is worse than on openai/large: 1 case broken: 'late parcel' (nothing to fix)"
    )
    assert 'expected → B: {"team": "[-delivery-]{+none+}"}' in worse.out
    run = report(ran, "suites/triage", "--model", "openai/large", "--model", "openai/slow")
    assert run["sentence"].startswith("PASS: triage@2 on openai/slow is not worse than on openai/large: nothing to fix")
    assert [(row["side"], row["model"], row["prompt"]) for row in run["rows"]] == [
        ("A", "openai/large", "triage@2"),
        ("B", "openai/slow", "triage@2"),
    ]
    [line] = run["comparisons"]
    assert line.startswith("A to B: answers 100 % to 100 %, p50 × ")
    assert run["reproduce"] == "promptbench compare suites/triage --model openai/large --model openai/slow"


@pytest.mark.slow
def test_recorded_answers_of_two_models_are_paired_case_by_case(project: ProjectFolder, server: FakeOpenAI) -> None:
    """Counted again from what the server answered, without the product's record."""
    draw, lock = random.Random(7), threading.Lock()
    names = [f"case {number}" for number in range(40)]
    rates = {(model, name): draw.choice((0.0, 0.3, 0.7, 1.0, 1.0)) for model in "ab" for name in names}
    passes: Counter[tuple[str, str]] = Counter()

    def script(body: dict[str, Any]) -> str:
        key = (body["model"], body["messages"][-1]["content"].strip())
        with lock:
            right = draw.random() < rates[key]
            passes[key] += right
        return json.dumps({"team": "billing" if right else "other"})

    server.script = script
    cases = "".join(f"- {{case: {name}, vars: {{message: {name}}}, expect: {{team: billing}}}}\n" for name in names)
    head = "suite: triage\nprompt: triage.better.prompt\nmodels: [openai/a, openai/b]\nchecks: [json]\n"
    (project.root / SUITE).write_text(f"{head}gate: {{repeats: 3, answer floor: 0 %}}\ncases:\n{cases}")
    assert project.run("run").code == 0

    run = report(project, "latest", "--model", "openai/a", "--model", "openai/b", code=6)
    kinds = {(False, True): "fixed", (True, False): "broken", (False, False): "still failing"}
    most = {name: (passes["a", name] >= 2, passes["b", name] >= 2) for name in names}
    assert {flip["case"]: flip["flip"] for flip in run["flips"] if flip["flip"] != "still passing"} == {
        name: kinds[pair] for name, pair in most.items() if pair in kinds
    }
    assert [row["passed"] for row in run["rows"]] == [sum(passes[model, name] for name in names) for model in "ab"]
    assert "`promptbench compare suites/triage --model openai/a --model openai/b` tries them again" in run["sentence"]


def test_which_prompt_two_models_are_asked(project: ProjectFolder, server: FakeOpenAI) -> None:
    """The suite's own where nothing is in production, and the file that is named."""
    models = ("--model", "openai/a", "--model", "openai/b")
    assert {row["prompt"] for row in report(project, *models)["rows"]} == {"triage.better"}
    named = report(project, *models, "--prompt", PLAIN, "--exit-zero")
    assert {row["prompt"] for row in named["rows"]} == {"triage.plain"}
    assert named["reproduce"] == f"promptbench compare {' '.join(models)} --prompt {PLAIN}"
    dry = project.run("compare", *models, "--dry-run", "--json").data
    assert (dry["schema_version"], {*dry["comparison"]["expected"]}) == (1, {"openai/a", "openai/b"})


def test_a_failure_of_both_models_is_no_reason_against_the_second(ran: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: '{"team": "none"}' if "parcel" in str(body) else right(body["messages"][-1]["content"])
    run = report(ran, "--model", "openai/a", "--model", "openai/b")
    assert run["sentence"].startswith(
        "PASS: triage@2 on openai/b is not worse than on openai/a: fixed 0 of 1 failing case, "
        "broken 0 of 2 passing cases"
    )


def test_a_comparison_is_no_trial(project: ProjectFolder) -> None:
    """It proves nothing for a promotion, and the run before it is still the one that does."""
    project.adopt()
    project.run("run")
    made = report(project, "triage@1", BETTER, "suites/triage")
    assert project.run("runs", "report", "latest", "--json").data["runs"][0]["sentence"] == made["sentence"]
    assert "is a comparison" in project.run("runs", "rescore", "latest").err
    assert "is a comparison" in project.run("promote", "triage", "--run", "latest").err
    assert project.run("promote", "triage").code == 0


def test_a_comparison_that_was_made_is_on_record(ran: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = by_model
    flags = ("--model", "openai/large", "--model", "openai/small")
    made = report(ran, "suites/triage", *flags, code=1)
    server.received.clear()
    again = report(ran, made["run"], *flags, code=1)
    assert again["sentence"] == made["sentence"]
    shown = ran.run("runs", "report", "--json")
    assert shown.code == 1
    assert {shown.data["runs"][0][key] == made[key] for key in ("run", "sentence", "rows", "judgements")} == {True}
    assert not server.received


def test_an_answer_is_no_escape_and_no_markup(ran: ProjectFolder, server: FakeOpenAI, monkeypatch: Any) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    said = "\x1b]0;owned\x07[red]no[/red] \u202edone"
    server.script = lambda body: answer(said if body["model"] == "b" else right(body["messages"][-1]["content"]))
    ended = ran.run("compare", "--model", "openai/a", "--model", "openai/b", "-v")
    assert ended.code == 1
    assert "\\u001b]0;owned\\u0007[red]no[/red] \\u202edone" in ended.out
    assert "\x1b" not in ended.out
    assert "\x07" not in ended.out


WRONG: list[tuple[tuple[str, ...], str]] = [
    ((), "compare needs two runs, two versions or two models"),
    (("triage@1",), "compare needs two runs, two versions or two models"),
    (("latest", "triage@1"), "a run and a version cannot be compared"),
    (("latest", "latest"), "is compared with itself"),
    (("triage@1", "triage@1"), "are the same version"),
    (("triage@1", "triage@9"), "triage has no version '9'"),
    (("no.prompt", "triage@1"), "file no.prompt not found"),
    (("--model", "openai/a", "--model", "openai/a"), "is compared with itself"),
    (("latest", "--model", "openai/a", "--model", "openai/b"), "did not call openai/a"),
    (("20200101-000000-abcd", "latest"), "not found in"),
    (("triage@1", "triage@2", "suites/none"), "suites/none"),
    (("triage@1", "notes@1", "suites/triage"), "triage@1 and notes@1 are versions of different prompts"),
    (("triage@1", "notes@1"), "triage@1 and notes@1 are versions of different prompts"),
    (("suites/triage", "triage@1"), "suites/triage is a suite"),
]


def test_what_cannot_be_compared(ran: ProjectFolder, server: FakeOpenAI) -> None:
    ran.write("notes.prompt", "Summarise: {{message}}\n")
    assert ran.run("adopt", "notes.prompt", "--reason", "in use").code == 0
    for arguments, message in WRONG:
        ended = ran.run("compare", *arguments)
        assert ended.code == 2, arguments
        assert message in ended.err
        assert "hint: " in ended.err or "error[PB208]" in ended.err
    assert not server.received
