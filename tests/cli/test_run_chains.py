"""Suites with steps: the real SDK over loopback, real functions, real SQLite, and a run that is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.types import Usage
from promptbench.project import Project
from promptbench.workflows.judge.inspect_run import inspect_case, run_info
from tests.cli.test_rubric import record
from tests.cli.test_run_otlp import spans
from tests.helpers.fake_openai import FakeOpenAI, Step, error
from tests.helpers.logs import calls, log
from tests.helpers.project import ProjectFolder

SUITE = """\
suite: routing
steps:
  - step: candidates
    model: python/find.py:two
    files: words.txt
    deterministic: true
    at: intents
    checks: [contains: '{{expect.intent}}']
  - step: choose
    prompt: choose.prompt
    checks: [intent: {at: intent, labels: '{{steps.candidates.intents}}'}]
  - step: reply
    prompt: reply.prompt
models: [openai/fake]
checks: [not contains: sorry]
gate: {repeats: 1, answer floor: 0%}
cases:
  - case: bill
    vars: {text: my bill is wrong}
    expect: {intent: bill}
    expect at candidates: [bill, other]
  - case: parcel
    vars: {text: where is my parcel}
    expect: {intent: parcel}
"""
CHOOSE = "---\nconfig: {temperature: 0}\n---\nWhich of {{steps.candidates.intents}} is it? {{text}}\n"
REPLY = "Answer {{steps.choose}}, which is {{steps.choose.intent}}: {{text}}\n"
FIND = """\
from pathlib import Path
WORDS = Path(__file__).with_name("words.txt").read_text().split()
def two(variables):
    return {"intents": [*[word for word in WORDS if word in variables["text"]], "other"]}
"""


def chooses(body: dict[str, Any]) -> str:
    """Choose what the text names, and repeat it in the reply."""
    text = body["messages"][-1]["content"]
    intent = next((word for word in ("bill", "parcel") if word in text.rpartition("?")[2]), "other")
    return json.dumps({"intent": intent})


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(chooses) as running:
        yield running


@pytest.fixture
def project(
    tmp_path: Path, server: FakeOpenAI, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> ProjectFolder:
    monkeypatch.chdir(tmp_path)
    folder = ProjectFolder(tmp_path, server.base_url, capsys)
    folder.edit("promptbench.toml", "[providers", 'python = ["suites/*/*.py"]\n[providers')
    files = {
        "suite.yaml": SUITE,
        "choose.prompt": CHOOSE,
        "reply.prompt": REPLY,
        "find.py": FIND,
        "words.txt": "bill parcel",
    }
    for name, text in files.items():
        folder.write(f"suites/routing/{name}", text)
    return folder


def asked(server: FakeOpenAI) -> list[str]:
    return [item.body["messages"][-1]["content"] for item in server.received]


def calls_on_record(project: ProjectFolder) -> int:
    used = project.run("runs", "usage", "--by", "model", "--json").data["usage"]
    assert {row["group"] for row in used} == {"openai/fake", "python/find.py:two"}
    return next(row["calls"] for row in used if row["group"] == "openai/fake")


def in_production(project: ProjectFolder, server: FakeOpenAI) -> None:
    assert project.run("run", "suites/routing", "--promote").code == 0
    server.received.clear()


def flat(text: str) -> str:
    return " ".join(text.split())


def test_each_step_gets_the_answers_before_it(project: ProjectFolder, server: FakeOpenAI) -> None:
    ended = project.run("run", "suites/routing", "--case", "bill", "--json", "--output", "otlp=t.jsonl")
    assert ended.code == 0, ended.out + ended.err
    assert asked(server) == [
        'Which of ["bill", "other"] is it? my bill is wrong',
        'Answer {"intent": "bill"}, which is bill: my bill is wrong',
    ]
    # The attempt is the sum of its steps; a function takes no tokens.
    assert record(project, "SELECT outcome, steps, tries, input_tokens, output_tokens FROM attempt") == [
        ("passed", 3, 3, 22, 14)
    ]
    [run] = ended.data["runs"]
    assert [(row["step"], row["checked"], row["figures"]["passed"]) for row in run["steps"]] == [
        ("candidates", True, 1),
        ("choose", True, 1),
        ("reply", False, 1),
        ("whole chain", True, 1),
    ]
    assert [item["name"] for item in run["results"][0]["called"]] == ["candidates", "choose", "reply"]
    whole, *steps = spans("t.jsonl")
    assert (whole["name"], [span["name"] for span in steps]) == (
        "invoke_workflow routing",
        ["chat find.py:two", "chat fake", "chat fake"],
    )
    assert {span["parentSpanId"] for span in steps} == {whole["spanId"]}
    [call] = calls(log(Path("t.jsonl").read_bytes()), "otlp")
    assert (call.answer, call.usage, call.failed) == ('{"intent": "bill"}', Usage(22, 14), None)


def test_checks_are_of_their_step_and_scored_again(project: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: '{"intent": "other"}'
    ended = project.run("run", "suites/routing")
    assert "choose: intent: expected 'bill'" not in ended.out, "it is one of the two"
    assert "expect: intent: expected 'bill', got 'other'" in flat(ended.out)
    project.edit("suites/routing/suite.yaml", "expect at candidates: [bill, other]", "expect at candidates: [bill]")
    project.edit("suites/routing/suite.yaml", "labels: '{{steps.candidates.intents}}'", "labels: [bill, parcel]")
    out = flat(project.run("runs", "rescore").out)
    assert "candidates: expect: intents: " in out
    assert "choose: intent: intent: expected one of the 2 labels, got 'other'" in out
    assert len(server.received) == 4, "no call was made to score again"


def test_an_unreadable_answer_ends_the_chain(project: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: "The bill, I think."
    ended = project.run("run", "suites/routing", "--case", "bill")
    assert "answer: 'reply' was not called: the answer of 'choose' is not readable as JSON" in flat(ended.out)
    assert asked(server) == ['Which of ["bill", "other"] is it? my bill is wrong']
    assert record(project, "SELECT outcome, steps FROM attempt") == [("failed", 2)]
    server.script = [error(400, "too long")]
    project.edit("suites/routing/choose.prompt", "Which", "What")
    assert project.run("run", "suites/routing", "--case", "bill").code == 4
    query = "SELECT outcome, substr(error, 1, 14) FROM attempt ORDER BY started DESC LIMIT 1"
    assert record(project, query) == [("errored", "step 'choose':")]


def test_answers_that_another_accept_level_would_not_read_are_not_scored_again(
    project: ProjectFolder, server: FakeOpenAI
) -> None:
    server.script = lambda body: f"Sure: {chooses(body)}"
    assert "2/2" in project.run("run", "suites/routing").out
    project.edit("suites/routing/suite.yaml", "gate:", "accept: raw\ngate:")
    assert "needs answers that this run does not have" in project.run("runs", "rescore").out


def test_equal_steps_are_one_call(project: ProjectFolder, server: FakeOpenAI) -> None:
    in_production(project, server)
    project.write("suites/routing/reply.prompt", REPLY.replace("Answer", "Reply to"))
    assert project.run("run", "suites/routing").code == 0
    assert sorted(text[:6] for text in asked(server)) == ["Answer"] * 2 + ["Reply "] * 2 + ["Which "] * 2
    query = "SELECT sum(tries), count(DISTINCT request_hash) FROM step GROUP BY run, step ORDER BY min(started)"
    assert record(project, query)[-3:] == [(4, 2), (4, 2), (4, 4)], "each attempt has the figures of all its steps"


@pytest.mark.slow
def test_the_step_that_broke_a_case_is_named(project: ProjectFolder, server: FakeOpenAI) -> None:
    in_production(project, server)
    project.write("suites/routing/choose.prompt", CHOOSE.replace("{{text}}", "{{text}} or a parcel? Say it."))
    server.script = lambda body: '{"intent": "parcel"}' if "Say it" in str(body) else chooses(body)
    one = flat(project.run("run", "suites/routing").out)
    assert "only 'choose' differs from production: its answer changed in 1 of 2 cases, in 1 of them" in one
    assert "with the same input; 1 broke (bill)" in one
    assert "'candidates' has the right one in 100 % (2 of 2 answers); of these 'reply' takes it in 50 %" in one
    # The code of production runs beside that of the candidate.
    project.write("suites/routing/words.txt", "bill")
    server.script = chooses
    several = flat(project.run("run", "suites/routing").out)
    assert "broken by 'candidates', whose checks pass in production: 1 case (parcel)" in several
    project.edit(
        "suites/routing/suite.yaml", "    prompt: reply.prompt", "    model: python/find.py:last\n    files: words.txt"
    )
    project.write("suites/routing/choose.prompt", CHOOSE)
    project.write("suites/routing/words.txt", "bill parcel")
    project.write("suites/routing/find.py", f"{FIND}def last(variables):\n    return variables['steps']['choose']\n")
    in_production(project, server)
    project.edit("suites/routing/find.py", "in variables", "not in variables")
    shared = flat(project.run("run", "suites/routing").out)
    assert "only 'find.py' of 'candidates' and 'reply' differs from production: an answer of these changed" in shared


def test_swaps_find_the_step_that_no_check_names(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.edit("suites/routing/suite.yaml", "[openai/fake]", "[{model: openai/fake, deterministic: true}]")
    in_production(project, server)
    adopted = calls_on_record(project)
    assert adopted == 6, "two for each case, and two to confirm; functions have a row of their own"
    # 'other' is one of the two, so the checks of 'choose' pass; the new words of 'reply' do no harm.
    project.write("suites/routing/choose.prompt", CHOOSE.replace("Which", "Guess which"))
    project.write("suites/routing/reply.prompt", REPLY.replace("Answer", "Reply to"))
    server.script = lambda body: '{"intent": "other"}' if re.search("Guess|is other", str(body)) else chooses(body)
    before = project.run("run", "suites/routing")
    assert "decides what broke; `run --blame` finds the step: 2 cases (bill, parcel)" in flat(before.out)
    calls, recorded = len(server.received), calls_on_record(project)
    after = project.run("run", "suites/routing", "--blame")
    changed = "differs from production: its answer changed in 2 of 2 cases, in"
    assert f"'choose' {changed} 2 of them with the same input; 2 broke (bill, parcel)" in flat(after.out)
    assert f"'reply' {changed} 0 of them with the same input; 2 broke (bill, parcel)" in flat(after.out)
    found = "broken by 'choose', passing with production's answer in its place: 2 cases (bill, parcel)"
    assert found in flat(after.out)
    assert after.out.splitlines()[-1] == before.out.splitlines()[-1], "the verdict is the same"
    assert len(server.received) == 2 * calls + 2, "only the steps after the swapped one are called"
    assert calls_on_record(project) - recorded == recorded - adopted + 2, "as in the run before, and the two"
    assert record(project, "SELECT case_name, repeat, outcome FROM swap") == [
        ("bill", 0, "passed"),
        ("parcel", 0, "passed"),
    ]
    # As if it had been killed after the swaps: the same command makes none again.
    with closing(sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")) as connection, connection:
        connection.execute("UPDATE run SET finished = NULL WHERE id = (SELECT max(run) FROM swap)")
    assert found in flat(project.run("run", "suites/routing", "--blame").out)
    assert len(server.received) == 2 * calls + 2
    # The record has what was found, and its attempts have no column of swaps.
    assert found in flat(project.run("runs", "gate").out)
    assert record(project, "SELECT count(DISTINCT variant) FROM attempt") == [(2,)]
    opened = Project.open(project.root)
    [*_, attempt] = inspect_case(opened, run_info(opened, "latest"), "bill").case.attempts
    assert [str(step).partition(":")[0] for step in attempt.called] == ["candidates", "choose", "reply"]
    runs = [str(run) for (run,) in record(project, "SELECT id FROM run ORDER BY started")]
    compared = project.run("compare", runs[0], runs[-1], "--json").data["runs"][0]
    assert [(row["step"], row["figures"]["side"], row["figures"]["passed"]) for row in compared["steps"]][::4] == [
        ("candidates", "A", 2),
        ("candidates", "B", 2),
    ]
    assert [item["name"] for item in compared["flips"][0]["candidate"]["called"]] == ["candidates", "choose", "reply"]


CHAIN = """\
suite: plain
steps:
  - {step: find, model: "python/own.py:find", deterministic: true}
  - {step: say, model: "python/own.py:say", deterministic: true, checks: [contains: bill]}
cases:
  - {case: bill, vars: {text: a bill}, expect: {intent: bill}}
"""
OWN = """\
def find(variables):
    return {"intent": variables["text"].split()[-1]}
def say(variables):
    return variables["steps"]["find"]
"""


def test_a_chain_of_functions_needs_no_models(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.write("suites/plain/suite.yaml", CHAIN)
    project.write("suites/plain/own.py", OWN)
    planned = project.run("run", "suites/plain", "--dry-run", "--json").data["suites"][0]
    assert planned["questions"] == {"python/own.py:say": 2}
    ended = project.run("run", "suites/plain", "--promote")
    assert ended.code == 0, ended.out + ended.err
    project.write("suites/plain/own.py", OWN.replace("[-1]", "[0]"))
    ended = project.run("run", "suites/plain")
    assert ended.code == 1, ended.out + ended.err
    assert "only 'own.py' of 'find' and 'say' differs from production" in flat(ended.out)
    assert not server.received
    # Its models are named by no line, so an unknown one is reported at its step.
    project.edit("suites/plain/suite.yaml", "own.py:say", "no.py:say")
    assert "suites/plain/suite.yaml:4:" in project.run("validate", "suites/plain").out


@pytest.mark.slow
def test_a_killed_run_repeats_no_step(project: ProjectFolder, server: FakeOpenAI) -> None:
    process = project.start("run", "suites/routing", "--case", "bill")

    def kill(body: dict[str, Any]) -> str | Step:
        if "Answer" in str(body):
            os.kill(process.pid, signal.SIGKILL)
        return chooses(body)

    server.script = kill
    process.communicate(timeout=60)
    server.script = chooses
    assert [text[:6] for text in asked(server)] == ["Which ", "Answer"]
    assert record(project, "SELECT count(*) FROM step") == [(2,)], "that of the function, too"
    assert project.run("run", "suites/routing", "--case", "bill").code == 0
    assert [text[:6] for text in asked(server)] == ["Which ", "Answer", "Answer"]


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        (
            "steps.candidates.intents}} is",
            "steps.candidate.intents}} is",
            "choose.prompt:4:10",
            "unknown step 'candidate'",
        ),
        ("steps.candidates.intents}} is", "steps.reply}} is", "choose.prompt:4:10", "'reply' has not run before it"),
        ("'{{steps.candidates.intents}}'", "'{{steps.choose.x}}'", "suite.yaml:11:", "'choose' has not run before it"),
        ("'{{expect.intent}}'", "'{{expct.intent}}'", "suite.yaml:8:", "unknown variable {{expct.intent}}"),
        (
            "expect: {intent: parcel}",
            "note: x",
            "suite.yaml:22:",
            "uses {{expect.intent}}, which 'parcel' does not have",
        ),
        (
            "    prompt: reply.prompt",
            "    prompt: reply.prompt\n    model: python/find.py:two",
            "suite.yaml:12:",
            "'prompt', or 'model' and its 'files', and not both",
        ),
        ("step: reply", "step: choose", "suite.yaml:12:", "two steps are named 'choose'"),
        ("expect at candidates", "expect at candidate", "suite.yaml:21:", "unknown step 'candidate'"),
        (
            "models: [openai/fake]",
            "models: [openai/fake]\nprompt: a.prompt",
            "suite.yaml:15:",
            "a suite with 'steps' has no 'prompt'",
        ),
        ("files: words.txt", "files: word.txt", "suite.yaml:", "word.txt"),
        ("python/find.py:two", "openai/fake", "suite.yaml:4:", "gets messages, and this step has none"),
        (
            "[contains: '{{expect.intent}}']",
            "[{rubric: {judge: openai/j, passes if: it is}}]",
            "suite.yaml:8:",
            "the answers of steps are not judged",
        ),
        (
            "    prompt: reply.prompt",
            "    prompt: reply.prompt\n    checks: [json schema: output]",
            "suite.yaml:14:",
            "'json schema': ",
        ),
        ("[contains: '{{expect.intent}}']", "[contians: x]", "suite.yaml:8:", "unknown check 'contians'"),
    ],
)
def test_bad_input_has_its_line(project: ProjectFolder, old: str, new: str, at: str, message: str) -> None:
    project.edit(f"suites/routing/{'suite.yaml' if old in SUITE else 'choose.prompt'}", old, new)
    ended = project.run("validate")
    assert ended.code == 2
    found = [text for text in ended.out.splitlines() if text.startswith(f"suites/routing/{at}")]
    assert any(message in text for text in found), ended.out


def test_a_prompt_of_a_step_can_be_selected(project: ProjectFolder, server: FakeOpenAI) -> None:
    for name in ("choose.a", "choose.b", "chose"):
        project.write(f"suites/routing/{name}.prompt", CHOOSE.replace("Which", name))
    options = [word for name in ("choose.a", "choose.b") for word in ("--prompt", f"suites/routing/{name}.prompt")]
    ended = project.run("run", "suites/routing", *options, "--json")
    assert [item["candidate"] for item in ended.data["runs"][0]["judgements"]] == ["choose.a", "choose.b"]
    ended = project.run("run", "suites/routing", "--prompt", "suites/routing/chose.prompt")
    assert (ended.code, "did you mean 'choose'?" in ended.err) == (2, True)


@pytest.mark.parametrize(
    "command", [("export", "--for", "messages", "-o", "out.jsonl"), ("ablate",), ("suggest", "--by", "openai/fake")]
)
def test_commands_about_one_prompt_refuse_a_chain(project: ProjectFolder, command: tuple[str, ...]) -> None:
    ended = project.run(command[0], "suites/routing", *command[1:])
    message = f"{command[0]} needs one prompt, and the suite 'routing' has steps or a judged model"
    assert (ended.code, message in ended.err, (project.root / "out.jsonl").exists()) == (2, True, False), ended.err
