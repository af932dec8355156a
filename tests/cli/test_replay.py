from __future__ import annotations

import json
from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import V1, ProjectFolder, right

SUITE = "suites/triage/suite.yaml"


def call(name: str, message: str, answer: str | None, **more: Any) -> str:
    messages = [{"role": "user", "content": V1.strip().replace("{{message}}", message)}]
    base = {"promptbench": "call/1", "id": name, "messages": messages, "answer": answer, "failed": "bad"}
    return json.dumps(base | {"model": "openai/fake"} | more) + "\n"


LOG = (
    call("c1", "I was charged for this", "It is for the billing team, I think.")
    + call("c2", "My parcel got lost", '{"team": "delivery"', model="openai/old")
    + call("c3", "Hello again", "Hello!")
    + call("c4", "I was charged twice", '{"team": "other"}')
    + call("c5", "My parcel is blue", '{"team": "delivery"}')
    + call("c6", "My parcel", None, error="HTTP 503")
    + call("c7", "Hello", "{").replace("Which team", "What team")
)


def answers(body: dict[str, Any]) -> str:
    """The better prompt is answered rightly but for lost parcels; the plain one in prose, but for a greeting."""
    text = body["messages"][-1]["content"]
    if "lost" in text:
        return "It is lost."
    return right(text) if body["messages"][0]["role"] == "system" or "Hello" in text else "I think it is billing."


@pytest.fixture
def replayed(project: ProjectFolder, server: FakeOpenAI) -> ProjectFolder:
    server.script = answers
    project.write("calls.jsonl", LOG)
    project.adopt()
    return project


def test_logged_answers_are_scored_again_without_a_call(replayed: ProjectFolder, server: FakeOpenAI) -> None:
    ended = replayed.run("replay", "suites/triage", "--log", "calls.jsonl")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "model        answers  failing now  format of these",
        "openai/fake        4            3  2 none, 1 raw",
        "openai/old         1            1  1 repaired risky",
        "failing checks: json 3, expect 1",
        "passing all checks now: 'c5'",
        "left out: 1 call: it has no answer",
        "left out: 1 call: its variables cannot be recovered: "
        "message 1 does not start with the prompt's text 'Which team is this for?'",
        "",
        f"4 of 5 logged answers fail the checks of {SUITE}; no model was called",
    ]
    assert server.received == []


def test_rescoring_needs_no_key(replayed: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    replayed.write("promptbench.toml", "")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ended = replayed.run("replay", "suites/triage", "--log", "calls.jsonl", "--json")
    assert ended.data["checks"] == {"json": 3, "expect": 1}


def test_asking_again_says_what_is_fixed(replayed: ProjectFolder, server: FakeOpenAI) -> None:
    ended = replayed.run("replay", "suites/triage", "--log", "calls.jsonl", "--ask")
    assert ended.code == 1
    assert "4 logged failures: 24 calls to openai/fake; estimated" in ended.err
    assert ended.out.splitlines() == [
        "openai/fake: 2 fixed, 1 still failing, 1 not reproduced",
        "still failing: 'c2'",
        "not reproduced: 'c3'",
        "'c2' failed on openai/old, which is not called here: reproduced on 1 of 1 model",
        "1 logged answer passes all checks now",
        "left out: 1 call: it has no answer",
        "left out: 1 call: its variables cannot be recovered: "
        "message 1 does not start with the prompt's text 'Which team is this for?'",
        "this is not the whole suite, so it cannot be promoted",
        "",
        "again: promptbench replay suites/triage --log calls.jsonl --ask",
        "",
        "of 4 logged failures 2 are fixed by triage.better.prompt, 1 still failing, 1 not reproduced by triage@1",
    ]
    assert server.received


def test_a_failure_of_a_model_that_is_not_asked_is_named_with_where_it_was_reproduced(replayed: ProjectFolder) -> None:
    replayed.edit(SUITE, "models: [openai/fake]", "models: [openai/fake, openai/other]")
    replayed.write("one.jsonl", call("c2", "My parcel got lost", "{", model="gpt-old"))
    ended = replayed.run("replay", "suites/triage", "--log", "one.jsonl", "--ask", "-q", "--json")
    assert ended.data["counts"] == {"fixed": 0, "still_failing": 1, "not_reproduced": 0, "no_answer": 0}
    [case] = ended.data["cases"]
    assert (case["other_models"], case["reproduced_on"]) == (["gpt-old"], 2)


def test_the_price_is_said_first_and_may_be_all(replayed: ProjectFolder, server: FakeOpenAI) -> None:
    ended = replayed.run("replay", "suites/triage", "--log", "calls.jsonl", "--ask", "--dry-run")
    assert (ended.code, ended.err, server.received) == (0, "", [])
    assert "4 logged failures: 24 calls to openai/fake" in ended.out
    planned = replayed.run("replay", "suites/triage", "--log", "calls.jsonl", "--ask", "--dry-run", "--json").data
    assert (planned["failures"], planned["expected"]["openai/fake"]["calls"]) == (4, 24)
    assert not (replayed.root / ".promptbench").exists()
    bound = replayed.run("replay", "suites/triage", "--log", "calls.jsonl", "--ask", "-q", "--max-calls", "3")
    assert bound.code == 4
    assert "stopped at the budget" in bound.out


def test_imported_calls_are_replayed_by_filter(replayed: ProjectFolder) -> None:
    assert replayed.run("replay", "suites/triage").code == 2
    replayed.run("import", "calls.jsonl")
    ended = replayed.run("replay", "suites/triage", "--model", "openai/old", "--json")
    assert [(item["model"], item["failing"]) for item in ended.data["models"]] == [("openai/old", 1)]
    none = replayed.run("replay", "suites/triage", "--model", "nobody")
    assert (none.code, "no logged call can be replayed" in none.err) == (7, True)


def test_a_part_of_the_calls(replayed: ProjectFolder) -> None:
    ended = replayed.run("replay", "suites/triage", "--log", "calls.jsonl", "--first", "2")
    assert "2 of 2 logged answers fail" in ended.out
    replayed.run("replay", "suites/triage", "--log", "calls.jsonl", "--first", "1", "--ask")
    assert "replay suites/triage --ask --log calls.jsonl --first 1" in replayed.run("runs", "gate").err


def test_nothing_can_be_promoted_by_a_replay(replayed: ProjectFolder) -> None:
    replayed.write("one.jsonl", call("c1", "I was charged for this", "No."))
    ended = replayed.run("replay", "suites/triage", "--log", "one.jsonl", "--ask", "-q")
    assert ended.code == 0, ended.out
    assert ended.out.endswith(
        "of 1 logged failure 1 is fixed by triage.better.prompt, 0 still failing, 0 not reproduced by triage@1\n"
    )
    promoted = replayed.run("promote", "triage")
    assert (promoted.code, "no finished run of a whole suite" in promoted.err) == (2, True)
    judged = replayed.run("runs", "gate")
    assert (judged.code, "replayed logged calls" in judged.err) == (2, True)
    whole = replayed.run("run", "suites/triage", "-q", "--promote")
    assert whole.code == 0, whole.err


def test_both_ways_at_once_are_refused(replayed: ProjectFolder) -> None:
    assert replayed.run("replay", "suites/triage", "--ask", "--rescore-only").code == 2
