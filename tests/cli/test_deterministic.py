"""A model counts as deterministic when the suite declares it and a repeated request of the run confirms it."""

from __future__ import annotations

import itertools
import json

import pytest

from promptbench.gate.evidence import rejudge
from tests.cli.test_run import last_line
from tests.helpers.fake_openai import Body, FakeOpenAI
from tests.helpers.project import ProjectFolder, better

SUITE = "suites/triage/suite.yaml"
CASES = 3
NOTE = "openai/fake is declared deterministic, but a repeated request got another answer"


@pytest.fixture
def declared(project: ProjectFolder) -> ProjectFolder:
    project.adopt()
    project.edit(SUITE, "[openai/fake]", "[{model: openai/fake, deterministic: true}]")
    return project


def test_one_repeated_request_confirms_it(declared: ProjectFolder, server: FakeOpenAI) -> None:
    [planned] = declared.run("run", "--dry-run", "--json").data["suites"]
    assert planned["questions"] == {"openai/fake": 2 * CASES + 1}
    assert planned["expected"]["openai/fake"]["calls"] == 2 * CASES + 1
    # Interrupted after the repeat, the run does not make it again.
    assert declared.run("run", "--max-calls", "3").code == 4
    ended = declared.run("run", "--output", "evidence=proof.json")
    assert ended.code == 0, ended.out
    assert len(server.received) == 2 * CASES + 1
    assert NOTE not in ended.out + ended.err
    proof = json.loads((declared.root / "proof.json").read_text(encoding="utf-8"))
    [model] = proof["suites"][0]["models"]
    assert (model["deterministic"], model["confirmed"]) == (True, True)
    assert rejudge(proof) == []
    [repeat] = [line for line in proof["attempts"] if line["k"] == 1]
    repeat["answer"] = "sha256:other"
    why = "suite triage: a repeated request to openai/fake does not confirm that it is deterministic"
    assert rejudge(proof) == [why]
    proof["attempts"].remove(repeat)
    assert why in rejudge(proof)


def test_another_answer_makes_it_vary_in_this_run(declared: ProjectFolder, server: FakeOpenAI) -> None:
    count = itertools.count()

    def varying(body: Body) -> str:
        return f"{better(body)}{' ' * next(count)}"

    server.script = varying
    ended = declared.run("run", "--output", "evidence=proof.json")
    assert ended.code == 0, ended.out
    assert NOTE in " ".join((ended.out + ended.err).split())
    assert len(server.received) >= 2 * 3 * CASES
    proof = json.loads((declared.root / "proof.json").read_text(encoding="utf-8"))
    assert proof["suites"][0]["models"][0]["deterministic"] is False
    assert rejudge(proof) == []
    again = declared.run("runs", "gate", "latest")
    assert (again.code, last_line(again.out)) == (0, last_line(ended.out))
    assert NOTE in " ".join(again.out.split())


def test_a_comparison_confirms_it_too(declared: ProjectFolder, server: FakeOpenAI) -> None:
    declared.run("run", "--promote")
    server.received.clear()
    assert declared.run("compare", "triage@1", "triage@2", "suites/triage").code == 0
    assert len(server.received) == 2 * CASES + 1
    assert declared.run("runs", "report").code == 0
    count = itertools.count()
    server.script = lambda body: f"{better(body)}{' ' * next(count)}"
    server.received.clear()
    ended = declared.run("compare", "triage@1", "triage@2", "suites/triage")
    assert NOTE in " ".join((ended.out + ended.err).split())
    assert len(server.received) >= 2 * 3 * CASES
    assert last_line(declared.run("runs", "report").out) == last_line(ended.out)


@pytest.mark.parametrize(
    ("entry", "body", "tries"),
    [
        ("python/own.py:f", "{'team': 'billing'}", 3),
        ("{model: python/own.py:f, deterministic: true}", "{'team': 'billing'}", 1),
        ("{model: python/own.py:f, deterministic: true}", "{'team': random.random()}", 3),
        ("{model: python/own.py:f, deterministic: true}", "1 / 0", 3),
    ],
)
def test_a_function_is_taken_at_its_word_only_if_it_repeats_itself(
    project: ProjectFolder, entry: str, body: str, tries: int
) -> None:
    project.edit("promptbench.toml", "[providers", 'python = ["suites/*/*.py"]\n[providers')
    project.edit(SUITE, "[openai/fake]", f"[openai/fake, {entry}]")
    project.write("suites/triage/own.py", f"import random\n\ndef f(v):\n    return {body}\n")
    ended = project.run("run", "--json")
    assert ended.code == 0, ended.err
    [run] = ended.data["runs"]
    [row] = [row for row in run["rows"] if row["model"] == "python/own.py:f"]
    assert row["attempts"] + row["errored"] == tries * CASES
    said = any("python/own.py:f is declared deterministic, but" in note for note in run["notes"])
    assert said == ("deterministic" in entry and tries > 1)
