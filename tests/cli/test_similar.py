"""Answers that are compared with a reference by the embeddings of a model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI, Step, embedding, error
from tests.helpers.judging import FOLDER, kind_model
from tests.helpers.project import ProjectFolder


def script(body: dict[str, Any]) -> str | Step:
    if "input" not in body:
        return kind_model(body)
    return embedding(1, 0.1) if any(word in body["input"] for word in ("Sorry", "apolog")) else embedding(0, 1)


@pytest.fixture
def embedded(support: ProjectFolder, server: FakeOpenAI) -> ProjectFolder:
    """Production is curt and the candidate apologises, which an embedding knows."""
    check = "similar: {to: We apologise., by: openai/embed-small, at least: 0.9}"
    support.edit(f"{FOLDER}/suite.yaml", "rubric: {judge: openai/judge-1, passes if: the answer apologises}", check)
    support.write("prices.toml", '["openai/embed-small"]\ninput = 1000\noutput = 0\n')
    support.edit("promptbench.toml", "[providers.openai]", 'prices = "prices.toml"\n\n[providers.openai]')
    server.script = script
    return support


def to_model(server: FakeOpenAI) -> list[dict[str, Any]]:
    return [item.body for item in server.received if item.path.endswith("/embeddings")]


def test_the_gate_decides_by_it(embedded: ProjectFolder, server: FakeOpenAI) -> None:
    ended = embedded.run("run", FOLDER, "--case", "complaint 1", "--json")
    assert ended.code == 0, ended.err + ended.out
    asked = to_model(server)
    texts = [body["input"] for body in asked]
    assert sorted(texts) == ["Noted: complaint 1.", "Sorry about complaint 1.", "We apologise."], "each text once"
    assert asked[0] | {"input": ""} == {"model": "embed-small", "input": "", "encoding_format": "float"}
    [run] = ended.data["runs"]
    assert run["judgements"][0]["counts"]["fixed"] == 1
    [judge] = run["judges"]
    assert judge["questions"] == 3
    assert judge["cost"] == pytest.approx(3 * 5 * 1000 / 1e6)
    server.received.clear()
    embedded.edit(f"{FOLDER}/suite.yaml", "at least: 0.9", "at least: 0.05")
    embedded.run("runs", "rescore")
    assert not server.received, "another threshold needs no embedding"


def test_a_dead_end_is_an_error_and_only_the_embeddings_are_made_again(
    embedded: ProjectFolder, server: FakeOpenAI
) -> None:
    server.script = lambda body: error(400, "no such model") if "input" in body else kind_model(body)
    ended = embedded.run("run", FOLDER, "--case", "complaint 1")
    assert ended.code == 4
    assert "openai/embed-small: " in ended.out
    assert "no such model" in ended.out
    server.received.clear()
    server.script = script
    assert embedded.run("run", FOLDER, "--case", "complaint 1").code == 0
    messages = [item.body["messages"][-1]["content"] for item in server.received if "input" not in item.body]
    assert messages.count("Answer this customer. about complaint 1") == 12, "the retest, and not the one on record"


def test_embeddings_are_within_the_budget(embedded: ProjectFolder, server: FakeOpenAI) -> None:
    ended = embedded.run("run", FOLDER, "--case", "complaint 1", "--max-calls", "4")
    assert ended.code == 4
    assert len(server.received) == 4
    server.script = lambda body: embedding(1, float("nan")) if "input" in body else kind_model(body)
    assert "returns no list of numbers" in embedded.run("run", FOLDER, "--case", "complaint 1").out


def test_a_changed_function_embeds_anew(embedded: ProjectFolder, server: FakeOpenAI) -> None:
    embedded.write(f"{FOLDER}/embed.py", "def embed(vars):\n    return [float('polog' in vars['text']), 1.0]\n")
    embedded.edit(f"{FOLDER}/suite.yaml", "openai/embed-small", "python/embed.py:embed")
    refused = embedded.run("validate")
    assert refused.code == 2
    assert f"{FOLDER}/embed.py may not run" in refused.out
    embedded.edit("promptbench.toml", "prices =", f'python = ["{FOLDER}/*.py"]\nprices =')
    assert embedded.run("run", FOLDER, "--case", "complaint 1").code == 6, "no answer is like the reference"
    embedded.edit(f"{FOLDER}/embed.py", "'polog' in", "'polog' in vars['text'] or 'Sorry' in")
    assert embedded.run("run", FOLDER, "--case", "complaint 1").code == 0
    assert embedded.run("suite", "agreement", FOLDER, "--labels", "none.csv").code == 2, "there is no judge"


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("anthropic/claude-haiku-5-5", "anthropic has no embeddings"),
        ("gpt", "'gpt' is not a model: write it as provider/name"),
        ("openai/e, ignore: case", "'ignore' is about letters"),
        ("python/nope.py:embed", "file not found next to the suite: nope.py"),
    ],
)
def test_bad_input_has_its_line(embedded: ProjectFolder, by: str, message: str) -> None:
    embedded.edit(f"{FOLDER}/suite.yaml", "openai/embed-small", by)
    ended = embedded.run("validate")
    assert ended.code == 2
    assert f"{FOLDER}/suite.yaml:5:" in ended.out
    assert message in ended.out
