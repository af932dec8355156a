"""A repair rule from its back-test to the evidence of a promotion."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engine.prepare.test_repair_rules import RULE
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import SUITE, ProjectFolder, right


def arrow(body: dict[str, Any]) -> str:
    """A model that answers the better prompt rightly with arrows for colons, and the plain one with prose."""
    if body["messages"][0]["role"] == "system":
        return right(body["messages"][-1]["content"]).replace('":', '" =>')
    return "It is for the billing team, I think."


@pytest.fixture
def server():
    with FakeOpenAI(arrow) as running:
        yield running


def call(name: str, answer: str, **more: Any) -> str:
    return json.dumps({"promptbench": "call/1", "id": name, "vars": {}, "answer": answer, **more}) + "\n"


@pytest.fixture
def ruled(project: ProjectFolder) -> ProjectFolder:
    project.edit("promptbench.toml", "[providers", 'repairs = ["repairs/*.py"]\n[providers')
    project.write("repairs/arrow.py", RULE)
    project.write("calls.jsonl", call("one", '{"team" => "billing"}') + call("two", '{"team": "billing"}'))
    project.write("suites/triage/suite.yaml", SUITE.replace("checks: [json]", "accept: repaired safe\nchecks: [json]"))
    return project


def counts(project: ProjectFolder, *words: str, code: int = 0) -> tuple[int, ...]:
    ended = project.run("repairs", "test", "arrow", *words, "--json")
    assert ended.code == code, ended.err
    return tuple(ended.data[name] for name in ("rescued", "wrong", "failed", "unchanged"))


def test_a_rule_counts_after_its_back_test_and_not_before(ruled: ProjectFolder) -> None:
    ruled.write("answer.txt", '{"team" => "billing"}')
    check = ("suite", "score", "--text-file", "answer.txt", "--accept", "repaired safe", "--with", "json", "--json")
    assert ruled.run("repairs", "list", "--json").data["rules"][0]["advisory"] == "it has never been back-tested"
    assert ruled.run(*check).data["rung"] == "none"
    assert "repair rule 'arrow' is advisory" in (ended := ruled.run("validate")).out + ended.err

    assert counts(ruled, "--log", "calls.jsonl") == (1, 0, 0, 1)
    assert ruled.run("repairs", "list", "--json").data["rules"][0]["advisory"] is None
    data = ruled.run(*check).data
    assert (data["rung"], data["repairs"][0]["name"]) == ("repaired_safe", "arrow")
    assert "advisory" not in (ended := ruled.run("validate")).out + ended.err


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        # The right answer is known, and another one is rescued.
        (
            call("bad", '{"team" => "billing"}', expected={"team": "delivery"}),
            "team: expected 'delivery', got 'billing'",
        ),
        # An answer that needs no repair must keep its meaning.
        (call("bad", '{"a": "b\\" => c"}'), 'it reads as {"a":"b\\": c"}, without the rule as {"a":"b\\" => c"}'),
    ],
)
def test_a_rule_with_a_wrong_answer_stays_advisory(ruled: ProjectFolder, line: str, reason: str) -> None:
    ruled.write("bad.jsonl", line)
    assert counts(ruled, "--log", "calls.jsonl", "--log", "bad.jsonl", code=1)[1] == 1
    ended = ruled.run("repairs", "test", "arrow", "--log", "calls.jsonl", "--log", "bad.jsonl")
    assert ended.code == 1
    assert f"wrong: bad.jsonl#bad: {reason}" in ended.out
    assert ended.out.splitlines()[-1] == "arrow is advisory: 1 wrong in its back-test"
    assert ruled.run("repairs", "list", "--json").data["rules"][0]["advisory"] == "1 wrong in its back-test"


def test_the_answers_of_a_suite_are_replayed(ruled: ProjectFolder, server: FakeOpenAI) -> None:
    ruled.run("run", "suites/triage")
    # Three answers to the candidate, each given three times; nothing is in production.
    assert counts(ruled, "--suite", "suites/triage") == (3, 0, 0, 0)


def test_a_promotion_names_the_rules_that_it_depends_on(ruled: ProjectFolder, server: FakeOpenAI) -> None:
    assert ruled.run("run", "suites/triage").code == 1
    counts(ruled, "--log", "calls.jsonl")
    ended = ruled.run("run", "suites/triage", "--output", "evidence=proof.json")
    assert ended.code == 0, ended.out + ended.err
    rule = ruled.run("repairs", "list", "--json").data["rules"][0]
    proof = json.loads((ruled.root / "proof.json").read_text(encoding="utf-8"))
    assert proof["suites"][0]["repairs"] == {"arrow": {"trust": "safe", "hash": rule["hash"]}}

    report = ruled.run("repairs", "latest", "--json").data
    [used] = [item for item in report["rows"][-1]["rules"] if item["name"] == "arrow"]
    assert (used["rung"], used["accepted"], used["lost"]) == ("repaired_safe", True, used["needed"])

    # With another text the rule is another one: it does not count, and the proof is stale.
    ruled.write("repairs/arrow.py", RULE + "\n# edited\n")
    ended = ruled.run("promote", "triage", "--evidence", "proof.json")
    assert ended.code == 5
    assert "has changed since proof.json: how answers are read" in ended.err
    ruled.write("repairs/arrow.py", RULE)
    assert ruled.run("promote", "triage", "--evidence", "proof.json").code == 0


def test_without_rules_evidence_is_as_it_was(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.edit("suites/triage/suite.yaml", "checks: [json]", "checks: []")
    project.run("run", "suites/triage", "--output", "evidence=proof.json")
    assert "repairs" not in json.loads((project.root / "proof.json").read_text(encoding="utf-8"))["suites"][0]


def test_an_unknown_rule_and_nothing_to_replay(ruled: ProjectFolder) -> None:
    assert "did you mean 'arrow'?" in ruled.run("repairs", "test", "arow").err
    assert ruled.run("repairs", "test", "arrow").code == 7
    assert ruled.run("repairs", "test", "arrow", "--log", "nowhere.jsonl").code == 2
    assert not (ruled.root / "repairs/arrow.backtest.json").exists()


def test_a_broken_rule_stops_every_command_that_reads_answers(ruled: ProjectFolder) -> None:
    ruled.edit("repairs/arrow.py", '{"a": 1}},', '{"a": 2}},')
    ruled.write("answer.txt", "{}")
    check = ("suite", "score", "--text-file", "answer.txt", "--with", "json")
    for words in (("run",), ("validate",), ("repairs", "list"), check):
        ended = ruled.run(*words)
        assert ended.code == 2
        assert "repairs/arrow.py:12:15: error[PB701]" in ended.out + ended.err
