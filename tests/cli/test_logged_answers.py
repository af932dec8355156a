"""What a run's own log and other logs bring back: expected answers, checks, and answers without a server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import V1, ProjectFolder, right

SUITE = "suites/triage/suite.yaml"
OTHER = "suites/other/suite.yaml"
PLAIN = "suites/triage/triage.plain.prompt"
CHECKS = "[{not contains: sorry}, {regex: 'deliv', weight: 2}]"
HELLO = """\
  - case: hello
    vars: {message: Hello}
    expect: {team: other}
"""
EXPECTED = """\
  - case: charged twice
    vars: {message: I was charged twice}
    was: It is for the billing team, I think.
    expect: {team: billing}
    tags: [captured]
  - case: late parcel
    vars: {message: My parcel is late}
    was: It is for the billing team, I think.
    checks:
      - not contains: sorry
      - regex: deliv
        weight: 2.0
    threshold: 0.9
    expect: {team: delivery}
    tags: [captured]
"""


@pytest.fixture
def logged(project: ProjectFolder) -> ProjectFolder:
    """A project with a failing run of the plain prompt, its log, and another suite without cases."""
    project.adopt()
    project.edit(SUITE, "{team: delivery}\n", f"{{team: delivery}}\n    checks: {CHECKS}\n    threshold: 0.9\n")
    ended = project.run("run", "suites/triage", "--prompt", PLAIN, "--output", "log=failing.jsonl")
    assert ended.code == 1
    project.write("suites/other/triage.plain.prompt", V1)
    project.write(OTHER, f"suite: other\nprompt: triage.plain.prompt\nmodels: [openai/fake]\ncases:\n{HELLO}")
    return project


def without_origin(path: str) -> str:
    return re.sub(r"    origin:\n(      .*\n)+", "", Path(path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("by_import", [True, False])
def test_what_a_case_expects_is_captured_again(logged: ProjectFolder, by_import: bool) -> None:
    command = ["capture", "suites/other", "--run", "latest"]
    if by_import:
        assert logged.run("import", "failing.jsonl").code == 0
        command = ["capture", "suites/other", "--all-clusters"]
    ended = logged.run(*command)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == f"2 cases added to {OTHER}; `git diff {OTHER}` shows it"
    added = without_origin(OTHER).partition(HELLO)[2]
    # The order of clusters of one size is by the clock.
    found, wanted = (sorted(map(str.strip, text.split("  - case: "))) for text in (added, EXPECTED))
    assert found == wanted


def test_a_log_of_a_suite_expects_the_same_of_a_new_prompt(logged: ProjectFolder, server: FakeOpenAI) -> None:
    # Valid JSON that the suite's own checks accept, and the wrong team.
    server.script = lambda body: '{"team": "sales"}'
    logged.write("suites/other/failing.jsonl", Path("failing.jsonl").read_text(encoding="utf-8"))
    logged.edit(OTHER, f"cases:\n{HELLO}", "log: failing.jsonl\nchecks: [json]\n")
    ended = logged.run("run", "suites/other", "--output", "log=again.jsonl")
    assert "log: 0 of 2 failing calls pass now on openai/fake" in ended.out
    before, after = (
        {line["vars"]["message"]: [line["expected"], line.get("checks")] for line in map(json.loads, text.splitlines())}
        for text in (Path(name).read_text(encoding="utf-8") for name in ("failing.jsonl", "again.jsonl"))
    )
    assert before == after


def test_a_failing_answer_becomes_the_was_of_its_own_case(logged: ProjectFolder) -> None:
    ended = logged.run("capture", "suites/triage", "--run", "latest", "late parcel")
    diff = f"; `git diff {SUITE}` shows it"
    assert (ended.code, ended.out.splitlines()[-1]) == (0, f"0 cases added to {SUITE}, 1 case changed{diff}")
    text = Path(SUITE).read_text(encoding="utf-8")
    assert text.count("was: It is for the billing team, I think.") == 1
    ended = logged.run("capture", "suites/triage", "--run", "latest", "late parcel")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, f"0 cases added to {SUITE}")
    assert Path(SUITE).read_text(encoding="utf-8") == text
    ended = logged.run("capture", "suites/triage", "--run", "latest", "hullo")
    assert (ended.code, "case 'hullo' not found" in ended.err) == (2, True)


def test_two_logs_are_judged_without_a_server(project: ProjectFolder, server: FakeOpenAI) -> None:
    messages = ["I was charged twice", "My parcel is late", "Hello"]

    def log(name: str, answers: list[str]) -> None:
        prompt = V1.strip()
        rows = [
            {"messages": [{"role": "user", "content": prompt.replace("{{message}}", text)}], "answer": answer}
            for text, answer in zip(messages, answers, strict=True)
        ]
        lines = [{"promptbench": "call/1", "id": str(number), "model": name, **row} for number, row in enumerate(rows)]
        project.write(f"{name}.jsonl", "".join(json.dumps(line) + "\n" for line in lines))

    log("old", ['{"team": "sales"}', '{"team": "delivery"}', '{"team": "other"}'])
    log("new", [right(text) for text in messages])
    project.edit(SUITE, "triage.better.prompt", "triage.plain.prompt")
    project.edit(SUITE, "[openai/fake]", "[recorded/shop/old, recorded/shop/new]")
    ended = project.run("run", "suites/triage")
    assert (ended.code, "import a log with its answers" in ended.err) == (2, True)
    assert project.run("import", "old.jsonl", "new.jsonl").code == 0
    project.run("run", "suites/triage")
    models = ("--model", "recorded/shop/old", "--model", "recorded/shop/new")
    ended = project.run("compare", "suites/triage", *models, "--json")
    assert server.connections == 0
    [found] = ended.data["runs"]
    counts = found["judgements"][0]["counts"]
    assert (found["result"], counts["fixed"], counts["broken"], counts["still passing"]) == ("PASS", 1, 0, 2)
    project.edit(SUITE, "I was charged twice", "I was charged thrice")
    ended = project.run("run", "suites/triage")
    assert "no recording of shop/old for this request" in ended.out
