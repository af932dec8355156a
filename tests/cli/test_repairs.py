"""What the answers of a real run needed to be read, without asking again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder

ANSWERS = {
    "clean": '{"team": "billing"}',
    "fenced": '```json\n{"team": "billing"}\n```',
    "in prose": 'Here it is: {"team": "billing"} I hope this helps.',
    "both": 'Here it is:\n```json\n{"team": "billing"}\n```',
    "comma": '{"team": "billing",}',
    "guess": '{"team": "billing" "why": "card"}',
    "cut one": '{"team": "billing", "why": "the customer was ch',
    "cut two": '{"team": "delivery", "why": "a parcel that',
    "prose": "It is for the billing team, I think.",
    "other team": '{"team": 7}',
    "third team": '{"team": 8}',
    "no team": "{}",
}
SUITE = """\
suite: triage
prompt: triage.prompt
models: [openai/fake]
accept: repaired safe
checks: [{json schema: output}]
gate: {repeats: 2}
cases:
"""
PROMPT = "---\noutput: {schema: {team: string}}\n---\nWhich team? {{message}}\n"


def answering(body: dict[str, Any]) -> str:
    return ANSWERS[body["messages"][-1]["content"].removeprefix("Which team? ").strip()]


@pytest.fixture
def server():
    with FakeOpenAI(answering) as running:
        yield running


@pytest.fixture
def ran(project: ProjectFolder) -> ProjectFolder:
    cases = "".join(f"  - {{case: {name}, vars: {{message: {name}}}}}\n" for name in ANSWERS)
    project.write("suites/triage/suite.yaml", SUITE + cases)
    project.write("suites/triage/triage.prompt", PROMPT)
    assert project.run("run").code == 1
    return project


def test_which_rule_rescues_what_and_what_none_does(ran: ProjectFolder, server: FakeOpenAI) -> None:
    server.received.clear()
    data = ran.run("repairs", "latest", "--json").data
    assert not server.received
    [row] = data["rows"]
    assert (row["prompt"], row["side"], row["model"], row["answers"]) == ("triage", "candidate", "openai/fake", 24)
    rules = {rule["name"]: (rule["needed"], rule["alone"], rule["lost"], rule["accepted"]) for rule in row["rules"]}
    assert rules["fence"] == (4, 2, 4, True)
    assert rules["prose_around"] == (4, 2, 4, True)
    assert rules["trailing_comma"] == (2, 2, 2, True)
    assert rules["missing_comma"] == (2, 2, 0, False)
    assert {name for name, rule in rules.items() if not rule[3]} >= {"missing_comma"}
    assert [(group["what"], group["answers"]) for group in row["misfits"]] == [
        ("team: expected string, got …", 4),
        ("missing 'team'", 2),
    ]
    assert row["misfits"][0]["example"] == "team: expected string, got 7"
    assert row["unreadable"] == [
        {"what": "no_data", "answers": 2, "example": "There is no JSON object or array in the text"}
    ]
    assert data["schema_version"] == 1
    unfixed = sum(group["answers"] for group in (*row["unreadable"], *row["misfits"]))
    clean = 2  # `clean`, twice: each answer is in one of these
    assert clean + row["rescued"] + row["beyond"] + unfixed == 24


def test_the_page_fits_and_ends_with_the_sentence(ran: ProjectFolder) -> None:
    ended = ran.run("repairs")
    assert ended.code == 0
    *lines, last = ended.out.splitlines()
    assert last == ran.run("repairs", "--json").data["sentence"]
    assert last.startswith("8 of 24 answers depend on 3 rules;")
    assert "only another prompt fixes these" in ended.out
    assert max(map(len, lines)) <= 100


def test_a_run_whose_answers_nobody_reads(project: ProjectFolder) -> None:
    project.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [contains: billing]")
    project.edit("suites/triage/suite.yaml", "    expect: {team: billing}\n", "")
    project.edit("suites/triage/suite.yaml", "    expect: {team: delivery}\n", "")
    project.edit("suites/triage/suite.yaml", "    expect: {team: other}\n", "")
    project.run("run")
    ended = project.run("repairs")
    assert ended.code == 0
    assert ended.out.splitlines()[-1].startswith("no check of this suite reads an answer as data")


def test_the_suite_need_not_be_there_any_more(ran: ProjectFolder) -> None:
    (ran.root / "suites/triage/suite.yaml").unlink()
    assert ran.run("repairs").code == 0


def test_a_run_that_is_not_there(project: ProjectFolder) -> None:
    assert project.run("repairs", "20260101-000000-abcd").code == 2
