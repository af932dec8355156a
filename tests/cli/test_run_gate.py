"""What a suite's gate may ask for, from the command line to the proof, against a real server on loopback."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI, answer
from tests.helpers.project import V2, ProjectFolder, better

GATE = "gate: {repeats: 3}"
SUITE = "suites/triage/suite.yaml"
PROOF = "proof.json"


def last_line(text: str) -> str:
    return text.rstrip("\n").splitlines()[-1]


def with_guards(project: ProjectFolder, count: int, tags: str = "") -> None:
    """Adds cases that production passes."""
    lines = "".join(
        f"  - {{case: hello {n}, vars: {{message: Hello {n}}}, expect: {{team: other}}{tags}}}\n" for n in range(count)
    )
    project.edit(SUITE, "gate:", f"{lines}gate:")


def promoted_by_its_proof(project: ProjectFolder) -> bool:
    """Whether the evidence of a run promotes where no runs yet, and is judged the same again."""
    project.run("run", "--output", f"evidence={PROOF}")
    (project.root / ".promptbench" / "runs.sqlite").unlink()
    ended = project.run("promote", "triage", "--evidence", PROOF)
    return ended.code == 0 and project.run("prompts", "show", "triage@production", "--evidence").code == 0


def test_a_margin_that_is_kept(project: ProjectFolder) -> None:
    project.adopt()
    with_guards(project, 28)
    project.edit(SUITE, GATE, "gate: {margin: 10%, repeats: 1}")
    ended = project.run("run")
    assert ended.code == 0, ended.out + ended.err
    assert "(margin 10 %: lower bound −7.8 points, at most 9.8 % broken, at 95 % confidence)" in last_line(ended.out)
    assert promoted_by_its_proof(project)


def test_a_margin_with_too_few_guards(project: ProjectFolder) -> None:
    project.adopt()
    project.edit(SUITE, GATE, "gate: {margin: 5%}")
    ended = project.run("run", "--promote")
    assert ended.code == 6
    assert last_line(ended.out) == ("INCONCLUSIVE: margin 5 % needs 58 more passing cases (fixed 2 of 2 failing cases)")
    assert project.run("promote", "triage").code == 6


def test_a_run_from_before_margins_and_ratios_is_promoted_still(project: ProjectFolder) -> None:
    """Its facts know nothing of what a gate may ask for since then."""
    project.adopt()
    project.run("run")
    database = sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")
    (facts,) = database.execute("SELECT facts FROM run").fetchone()
    database.close()
    assert json.loads(facts)["policy"] == {
        "margin": "auto", "repeats": 3, "fixed": "any", "format_floor": 0.95, "answer_floor": 0.8, "max_age": 7.0,
    }  # fmt: skip
    assert project.run("promote", "triage").code == 0


def test_a_tags_floor_and_margin(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    with_guards(project, 3, ", tags: greeting")
    project.edit(SUITE, GATE, "gate: {tags: {greeting: {floor: 90%, margin: 50%}}}")
    ended = project.run("run")
    assert last_line(ended.out) == (
        "INCONCLUSIVE: margin 50 % of 'greeting' needs 7 more passing cases (fixed 2 of 2 failing cases)"
    )
    project.edit(SUITE, "floor: 90%, margin: 50%", "floor: 90%")
    assert promoted_by_its_proof(project)
    assert json.loads((project.root / PROOF).read_text())["suites"][0]["tags"] == {
        "greeting": ["hello 0", "hello 1", "hello 2"]
    }
    server.script = lambda body: better(body) if "Hello 1" not in body["messages"][-1]["content"] else "no"
    ended = project.run("run")
    assert ended.code == 1
    assert (
        "67 % of answers to cases tagged 'greeting' are correct; `gate: tags: greeting: floor` needs 90 %"
        in last_line(ended.out)
    )


@pytest.mark.slow
def test_ratios(project: ProjectFolder, server: FakeOpenAI) -> None:
    """The candidate is answered a quarter of a second later, at the same price."""

    def slow(body: dict[str, Any]) -> Any:
        return answer(better(body), delay=0.25 if body["messages"][0]["role"] == "system" else 0.0)

    project.edit("promptbench.toml", "[providers", 'prices = "prices.toml"\n[providers')
    project.write("prices.toml", '["openai/fake"]\ninput = 1000\noutput = 2000\n')
    project.adopt()
    project.edit(SUITE, GATE, "gate: {cost ratio: 1.2, latency ratio: 1.5}")
    server.script = slow
    ended = project.run("run")
    assert ended.code == 1
    assert "latency ratio " in last_line(ended.out)
    assert " is above 1.50 (`gate: latency ratio`): a median of " in last_line(ended.out)
    project.edit(SUITE, "latency ratio: 1.5", "latency ratio: 1000")
    assert promoted_by_its_proof(project)
    [suite] = json.loads((project.root / PROOF).read_text())["suites"]
    assert suite["policy"]["latency_ratio"] == 1000.0
    assert suite["models"][0]["cost"] == {"candidate": pytest.approx(0.025), "champion": pytest.approx(0.025)}


def test_a_ratio_of_costs_that_nobody_knows(project: ProjectFolder) -> None:
    project.adopt()
    project.edit(SUITE, GATE, "gate: {cost ratio: 1.2}")
    ended = project.run("run")
    assert ended.code == 6
    assert "the cost of a call is unknown, so its ratio is too" in last_line(ended.out)
    assert project.run("runs", "gate").code == 6


def test_several_candidates_are_corrected_for(project: ProjectFolder) -> None:
    project.adopt()
    project.write("suites/triage/triage.other.prompt", V2.replace("JSON", "a JSON object"))
    project.edit(SUITE, "prompt: triage.better.prompt", "prompt: [triage.better.prompt, triage.other.prompt]")
    ended = project.run("run")
    assert ended.code == 0
    assert last_line(ended.out).endswith("; Holm over 2 candidates")
    assert promoted_by_its_proof(project)
    assert json.loads((project.root / PROOF).read_text())["suites"][0]["holm"]["candidates"] == 2


def test_a_promotion_with_a_fix_starts_the_count_of_looks_anew(project: ProjectFolder) -> None:
    project.adopt()

    def notes(number: int, *options: str) -> list[str]:
        project.write("suites/triage/triage.better.prompt", V2.replace("JSON", f"JSON, version {number}"))
        [report] = project.run("run", "--json", *options).data["runs"]
        return [note for note in report["notes"] if note.startswith("look")]

    assert notes(0) == ["look 1 against triage@1 on this machine: a fix needs p ≤ 3 %"]
    assert notes(1, "--promote") == ["look 2 against triage@1 on this machine: a fix needs p ≤ 0.76 %"]
    assert notes(2) == [], "nothing is left to fix"


def test_production_is_held_against_the_run_that_promoted_it(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    with_guards(project, 12)
    project.edit(SUITE, GATE, "gate: {answer floor: 10%, repeats: 1}")
    assert project.run("run", "--promote").code == 0
    day = str(project.run("runs", "list", "--json").data["runs"][0]["started"])[:10]
    ended = project.run("run")
    assert ended.code == 0
    assert last_line(ended.out).startswith("PASS: nothing to promote, this is the prompt in production: ")
    assert last_line(ended.out).endswith(f"; correct answers as when promoted on {day}")
    server.script = lambda body: "no" if "Hello" in body["messages"][-1]["content"] else better(body)
    ended = project.run("run")
    assert ended.code == 1
    assert last_line(ended.out) == (
        "FAIL: the prompt in production: 13 % of answers are valid JSON; `gate: format floor` needs 95 %; "
        "correct answers 13 % now, "
        f"100 % when promoted on {day}, 13 worse and 0 better (p < 0.001)"
    )
    dry = project.run("run", "--dry-run")
    said = "this is the production version: the verdict is on its floors and its earlier answers"
    assert " ".join(dry.out.split()).endswith(said)


def test_a_case_that_flakes_in_production_is_shown_and_decides_nothing(
    project: ProjectFolder, server: FakeOpenAI
) -> None:
    project.adopt()
    asked: list[str] = []

    def script(body: dict[str, Any]) -> str:
        text = body["messages"][-1]["content"]
        if "Hello" not in text or body["messages"][0]["role"] == "system":
            return better(body)
        asked.append(text)
        return "no" if len(asked) == 2 else better(body)

    server.script = script
    ended = project.run("run", "--output", "junit=found.xml", "--output", "json=found.json")
    assert ended.code == 0, ended.out
    assert "flaky (1)" in ended.out
    assert last_line(ended.out).startswith("PASS: fixed 2 of 2 failing cases, broken 0 of 1 passing case")
    [report] = json.loads((project.root / "found.json").read_text())["runs"]
    [flip] = [item for item in report["flips"] if item["flip"] == "flaky"]
    assert (flip["champion"]["passed"], flip["champion"]["attempts"], flip["candidate"]["passed"]) == (2, 3, 3)
    assert 'failures="0"' in (project.root / "found.xml").read_text()
