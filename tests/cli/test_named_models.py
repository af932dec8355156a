"""One model several times in a suite, under names and with parameters of its own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from promptbench.gate.evidence import rejudge
from tests.helpers.fake_openai import FakeOpenAI, Step, error
from tests.helpers.project import SUITE, V1, Ended, ProjectFolder, right

MODELS = """
  - {model: openai/fake, as: careful, config: {temperature: 0.5, max tokens: 800, extra: {top_k: 3}}}
  - {model: openai/fake, as: quick, config: {max-tokens: 20, temperature: }}
"""
PROMPT = f"---\nconfig: {{temperature: 1, maxOutputTokens: 100}}\n---\n{V1}"
CAREFUL = {"max_tokens": 800, "temperature": 0.5, "top_k": 3}


def model(body: dict[str, Any]) -> str:
    """Right if it may write more than a little."""
    text = body["messages"][-1]["content"]
    return right(text) if "Hello" in text or body["max_tokens"] > 100 else "It is for billing."


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(model) as fake:
        yield fake


@pytest.fixture
def folder(project: ProjectFolder) -> ProjectFolder:
    project.write("suites/triage/suite.yaml", SUITE.replace(" [openai/fake]", MODELS))
    project.write("suites/triage/triage.better.prompt", PROMPT)
    return project


def answers(ended: Ended) -> dict[str, float]:
    return {row["model"]: row["passed"] / row["attempts"] for row in ended.data["runs"][0]["rows"]}


def query(folder: ProjectFolder, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder.root / ".promptbench/runs.sqlite")) as connection:
        return connection.execute(sql).fetchall()


def test_both_are_called_with_their_own_parameters_and_kept_apart(folder: ProjectFolder, server: FakeOpenAI) -> None:
    ended = folder.run("run", "suites/triage", "--json", "--cache", "read")
    assert answers(ended) == {"careful": 1.0, "quick": pytest.approx(1 / 3)}
    sent = [{name: item.body[name] for name in item.body.keys() - {"model", "messages"}} for item in server.received]
    assert (sent.count(CAREFUL), sent.count({"max_tokens": 20}), len(sent)) == (9, 9, 18)
    assert {item.body["model"] for item in server.received} == {"fake"}
    assert ended.data["runs"][0]["notes"] == [
        "careful is openai/fake with {temperature: 0.5, max output tokens: 800, extra: {top_k: 3}}",
        "quick is openai/fake with {max output tokens: 20, temperature: null}",
    ]
    [(facts,)] = query(folder, "SELECT facts FROM run")
    assert [(item["model"], item["of"]) for item in json.loads(facts)["models"]] == [
        ("careful", "openai/fake"),
        ("quick", "openai/fake"),
    ]
    # Replayed by the real model and its parameters; from the cache; and scored again: each its own answers.
    assert query(folder, "SELECT DISTINCT model FROM recording") == [("openai/fake",)]
    assert answers(folder.run("run", "suites/triage", "--json", "--cache", "read")) == answers(ended)
    assert answers(folder.run("runs", "rescore", "--json")) == answers(ended)
    folder.edit("suites/triage/suite.yaml", "model: openai/fake", "model: recorded/openai/fake")
    assert answers(folder.run("run", "suites/triage", "--json")) == answers(ended)
    assert len(server.received) == 18


def test_the_gate_the_selection_and_a_comparison_take_the_names(folder: ProjectFolder, server: FakeOpenAI) -> None:
    folder.edit("suites/triage/suite.yaml", "{repeats: 3}", "{repeats: 3, models: [careful]}")
    folder.adopt()
    ended = folder.run("run", "suites/triage", "--output", "evidence=proof.json", "--promote")
    assert ended.code == 0, ended.out
    proof = json.loads((folder.root / "proof.json").read_text(encoding="utf-8"))
    [judged] = proof["suites"][0]["models"]
    assert (judged["model"], judged["of"], judged["config"]["maxOutputTokens"]) == ("careful", "openai/fake", 800)
    assert rejudge(proof) == []
    assert folder.run("store", "verify").code == 0
    told = folder.run("compare", "latest", "--model", "careful", "--model", "quick").out
    assert "unknown if triage.better on quick is worse than on careful" in told
    assert answers(folder.run("run", "suites/triage", "--model", "quick", "--json")).keys() == {"quick"}
    plan = folder.run("run", "suites/triage", "--model", "openai/fake", "--dry-run").out
    assert "calls to careful" in plan
    assert "calls to quick" in plan
    ended = folder.run("compare", "suites/triage", "--model", "careful", "--model", "openai/fake")
    assert (ended.code, "name it as the suite does: careful or quick" in ended.err) == (2, True)
    assert "careful: 3 of 3 calls answered" in folder.run("bench", "suites/triage", "--calls", "3").out


def test_a_run_with_other_parameters_is_another_run(folder: ProjectFolder, server: FakeOpenAI) -> None:
    first = folder.run("run", "suites/triage", "--json", "--max-calls", "5")
    assert folder.run("run", "suites/triage", "--json").data["runs"][0]["run"] == first.data["runs"][0]["run"]
    assert len(server.received) == 18
    folder.edit("suites/triage/suite.yaml", "max-tokens: 20", "max-tokens: 300")
    ended = folder.run("run", "suites/triage", "--json")
    assert answers(ended) == {"careful": 1.0, "quick": 1.0}
    assert len(server.received) == 36


def test_shards_of_named_models_are_merged(folder: ProjectFolder, server: FakeOpenAI) -> None:
    for shard in ("1/2", "2/2"):
        assert folder.run("run", "-q", "--shard", shard).code == 0
    assert answers(folder.run("runs", "merge", "--json")) == {"careful": 1.0, "quick": pytest.approx(1 / 3)}


def test_what_a_server_refuses_is_told_with_its_line(folder: ProjectFolder, server: FakeOpenAI) -> None:
    def refuse(body: dict[str, Any]) -> str | Step:
        return model(body) if body["max_tokens"] > 100 else error(400, "max_tokens is too small")

    server.script = refuse
    told = [line for line in folder.run("run", "suites/triage").err.splitlines() if "was refused" in line]
    [line] = told
    assert line.startswith("suites/triage/suite.yaml:5:46: 'maxOutputTokens' in the config of quick was refused: ")
    assert line.endswith("(400): max_tokens is too small")


@pytest.mark.parametrize(
    ("models", "where", "says"),
    [
        ("[{model: openai/fake, as: a}, {model: openai/o, as: a}]", "3:61", "there are two models named 'a'"),
        ("[openai/fake, {model: openai/fake, config: {seed: 1}}]", "3:23", "name each of them with 'as: NAME'"),
        ("[{model: openai/fake, as: a/b}]", "3:35", "'as': write a short name without '/', such as careful"),
        ("[{model: openai/fake, config: {efort: low}}]", "3:40", "unknown key 'efort' under 'config'"),
        (
            "[{model: openai/fake, config: {store: true}}]",
            "3:40",
            "of the provider's own belongs under 'extra:'",
        ),
        ("[{model: openai/fake, config: {max tokens: many}}]", "3:52", "'max tokens' must be a whole number above 0"),
        (
            "[{model: openai/fake, config: {max tokens: 1, max_tokens: 2}}]",
            "3:55",
            "duplicate key: 'max_tokens' is 'maxOutputTokens', which is there already",
        ),
        ("[{model: openai/fake, config: {top k: 3}}]", "3:40", "openai/fake does not take 'topK' from the config"),
        ("[{model: anthropic/claude-haiku-4-5, config: {temperature: }}]", None, None),
        ("[{model: openai/fake, as: a}]\ngate: {models: [openai/fake]}", "4:17", "it is there as 'a': write that"),
        ("[{model: openai/fake, as: a}]\ngate: {models: [b]}", "4:17", "add it under 'models:'"),
    ],
)
def test_bad_input(project: ProjectFolder, models: str, where: str | None, says: str | None) -> None:
    suite = SUITE.replace("[openai/fake]", models)
    project.write("suites/triage/suite.yaml", suite.replace("gate: {repeats: 3}\n", ""))
    if says is None:
        project.write(".env", "ANTHROPIC_API_KEY=sk-ant-none\n")
    ended = project.run("validate", "suites/triage")
    if where is None or says is None:
        assert ended.code == 0, ended.out
        return
    assert ended.code == 2
    assert f"suites/triage/suite.yaml:{where}: error" in ended.out
    assert says in " ".join(ended.out.split())


def test_a_word_that_a_prompt_has_is_told_in_the_prompt(project: ProjectFolder) -> None:
    project.write("suites/triage/triage.better.prompt", PROMPT.replace("temperature: 1", "thinking budget: 2000"))
    ended = project.run("validate", "suites/triage")
    assert "triage.better.prompt:2:10: error[PB201] openai/fake does not take 'thinkingBudget'" in ended.out


SHORT = "---\nconfig: {temperature: 1}\n---\nTeam? {{message}}\n"


@pytest.fixture
def pair(folder: ProjectFolder) -> ProjectFolder:
    """A second model whose prompt is its own, next to a candidate and what is in production."""
    folder.write("suites/triage/short.prompt", SHORT)
    short = "{model: openai/fake, as: tuned, prompt: short.prompt, config: {max tokens: 300}}"
    folder.edit("suites/triage/suite.yaml", MODELS.splitlines()[2].strip(" -"), short)
    folder.adopt()
    return folder


def test_a_model_with_a_prompt_of_its_own_is_a_baseline(pair: ProjectFolder, server: FakeOpenAI) -> None:
    ended = pair.run("run", "suites/triage", "--json", "--output", "evidence=proof.json")
    run = ended.data["runs"][0]
    rows = [(row["model"], row["side"], row["prompt"], row["gated"]) for row in run["rows"]]
    assert rows == [
        ("careful", "champion", "triage@1", True),
        ("careful", "candidate", "triage.better", True),
        ("tuned", "baseline", "short", False),
    ]
    note = "tuned is openai/fake with {max output tokens: 300}, gets short.prompt and is not judged"
    assert note in run["notes"]
    assert {item.body["messages"][0]["content"][:5] for item in server.received if item.body["max_tokens"] == 300} == {
        "Team?"
    }
    proof = json.loads((pair.root / "proof.json").read_text(encoding="utf-8"))
    assert {line["model"] for line in proof["attempts"]} == {"careful"}
    assert rejudge(proof) == []
    assert [len(answers(ended)), answers(pair.run("runs", "rescore", "--json"))] == [2, answers(ended)]
    told = pair.run("compare", "latest", "--model", "careful", "--model", "tuned").out
    assert told.splitlines()[-1].startswith("PASS: short is not worse than triage.better: ")
    told = pair.run("compare", "suites/triage", "--model", "careful", "--model", "tuned").out
    assert "PASS: short.prompt on tuned is not worse than triage@1 on careful: " in told
    pair.edit("suites/triage/short.prompt", "Team?", "Which team?")
    calls = len(server.received)
    assert pair.run("run", "suites/triage").code == 0
    assert len(server.received) == calls + 27, "with another prompt it is another run"


@pytest.mark.parametrize(
    ("entry", "where", "says"),
    [
        ("{model: openai/fake, prompt: shrt.prompt}", "3:39", "did you mean 'short.prompt'?"),
        ("{model: openai/fake, prompt: ../short.prompt}", "3:39", "outside"),
        ("{model: openai/fake, prompt: short.prompt, uses prompt: false}", "3:10", "so it takes no 'prompt'"),
        ("{model: openai/fake, as: a, prompt: short.prompt}]\ngate: {models: [a]", "4:17", "a baseline: it is shown"),
    ],
)
def test_bad_input_for_a_prompt_of_its_own(pair: ProjectFolder, entry: str, where: str, says: str) -> None:
    suite = SUITE.replace("openai/fake", entry).replace("gate: {repeats: 3}\n", "")
    pair.write("suites/triage/suite.yaml", suite.replace("gate: {models: [a]]", "gate: {models: [a]}"))
    ended = pair.run("validate", "suites/triage")
    assert ended.code == 2
    assert f"suites/triage/suite.yaml:{where}: error" in ended.out
    assert says in " ".join(ended.out.split())


def test_cases_name_models_as_the_suite_does(folder: ProjectFolder, server: FakeOpenAI) -> None:
    folder.edit("suites/triage/suite.yaml", "case: hello\n", "case: hello\n    only models: [quick]\n")
    assert folder.run("run", "suites/triage", "--dry-run").code == 0
