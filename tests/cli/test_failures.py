"""What fails, by cause: from imported logs, from runs, and by a suite's checks over logged answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder

PARCEL = "Where is my parcel number {}? It should have been here on Monday and I am still waiting for it at home"


def call(name: str, **more: Any) -> str:
    record = {"promptbench": "call/1", "id": name, "vars": {"message": name}, "answer": "{}", "model": "gpt", **more}
    return json.dumps(record) + "\n"


def broken(name: str, day: int) -> str:
    return call(name, answer='{"team": "billing"', failed="parse", time=f"2026-11-{day:02d}T00:00:00Z")


@pytest.fixture
def logged(project: ProjectFolder) -> ProjectFolder:
    log = [broken(f"b{day}", day) for day in range(1, 8)]
    log += [call(f"t{index}", answer=None, error=f"HTTP 429: try again in {index} ms") for index in range(3)]
    log += [call("cut", answer='{"a', finish_reason="length"), call("fine", answer="fine")]
    log += [
        call(
            f"w{index}", answer="billing", failed="wrong", messages=[{"role": "user", "content": PARCEL.format(index)}]
        )
        for index in range(4)
    ]
    log.append(call("w9", answer="billing", failed="wrong", vars={"message": "I was charged twice for March"}))
    project.write("log.jsonl", "".join(log))
    assert project.run("import", "log.jsonl").code == 0
    return project


def test_the_largest_first_with_an_example_each(logged: ProjectFolder) -> None:
    ended = logged.run("failures", "--json")
    rows = ended.data["rows"]
    assert [(row["count"], row["inputs"], row["tier"], row["why"]) for row in rows] == [
        (7, 1, "content", "JSON: unclosed:object@after"),
        (4, 1, "content", "wrong"),
        (3, 1, "transport", "HTTP 429"),
        (1, 1, "cut", "length"),
        (1, 1, "content", "wrong"),
    ]
    assert (rows[0]["oldest"], rows[0]["newest"]) == ("2026-11-01T00:00:00Z", "2026-11-07T00:00:00Z")
    assert rows[0]["example"]["answer"] == '{"team": "billing"'
    assert (ended.data["failures"], ended.data["clusters"]) == (16, 5)


def test_at_a_terminal_of_80_columns(logged: ProjectFolder) -> None:
    out = logged.run("failures").out.splitlines()
    assert max(map(len, out)) <= 80
    assert out[0].split() == ["calls", "inputs", "newest", "what", "why", "example"]
    assert out[1].startswith("      7      1  2026-11-07  content    JSON: unclosed:object@after  ")
    assert out[-1] == "16 failing calls in 5 clusters"


def test_filters(logged: ProjectFolder) -> None:
    assert logged.run("failures", "--json", "--where", "tier=cut").data["failures"] == 1
    assert logged.run("failures", "--json", "--since", "2026-11-05").data["failures"] == 3
    assert logged.run("failures", "--model", "claude").code == 7


def test_only_the_first_forty(project: ProjectFolder) -> None:
    words = ("one", "two", "three", "four", "five", "six", "seven")
    verdicts = [f"{a} {b}" for a in words for b in words]
    project.write("log.jsonl", "".join(call(name, answer="x", failed=name) for name in verdicts))
    assert project.run("import", "log.jsonl").code == 0
    out = project.run("failures").out.splitlines()
    assert out[-2] == "and 9 more clusters with 9 calls: --all shows them"
    assert len(project.run("failures", "--all", "--json").data["rows"]) == 49


def test_a_suites_checks_find_what_the_log_did_not_mark(logged: ProjectFolder, server: FakeOpenAI) -> None:
    logged.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [json schema: output]")
    rows = logged.run("failures", "suites/triage", "--json").data["rows"]
    assert rows[0]["why"] == "JSON: unclosed:object@after"
    assert {row["why"]: row["count"] for row in rows}["JSON: no_data"] == 6
    assert not server.received


def test_attempts_of_the_newest_run(project: ProjectFolder) -> None:
    project.adopt()
    assert project.run("run").code == 0
    ended = project.run("failures", "--json")
    [row] = ended.data["rows"]
    assert (row["tier"], row["why"]) == ("content", "JSON: no_data")
    assert row["example"]["source"].endswith("of triage")


def test_nothing_on_record(project: ProjectFolder) -> None:
    ended = project.run("failures")
    assert (ended.code, "nothing is on record" in ended.err) == (7, True)
    assert not (project.root / ".promptbench").exists()
