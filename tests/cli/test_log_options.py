"""`--map` and `--log-model` mean the same in every command that reads a log."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.helpers.logs import SAMPLES
from tests.helpers.project import ProjectFolder

ROWS = "frage,antwort,ms\nI was charged,no JSON,120\nMy parcel,{,80\n"
MAP = ("--map", "vars.message=frage", "--map", "answer=antwort", "--map", "latency_ms=ms")


@pytest.fixture
def tables(project: ProjectFolder) -> ProjectFolder:
    """Two equal tables, the logs of two models, with columns that nobody could know."""
    for name in ("a.csv", "b.csv"):
        project.write(name, ROWS)
    return project


def test_a_call_belongs_to_the_model_of_its_file(tables: ProjectFolder) -> None:
    assert tables.run("import", "a.csv", *MAP).out.splitlines()[-1].startswith("imported 2 calls: 2 new")
    ended = tables.run("import", "b.csv", *MAP)
    assert "imported 2 calls: 0 new, 2 already there" in ended.out
    assert "--log-model NAME names it" in ended.err
    for file, model in (("a.csv", "shop/a"), ("b.csv", "shop/b")):
        assert "imported 2 calls: 2 new" in tables.run("import", file, *MAP, "--log-model", model).out
    out = tables.run("replay", "suites/triage").out
    assert [line.split() for line in out.splitlines()[1:4]] == [
        ["?", "2", "2", "2", "none"],
        ["shop/a", "2", "2", "2", "none"],
        ["shop/b", "2", "2", "2", "none"],
    ]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["import", "a.csv", "--dry-run"], "would import 2 calls: 2 new"),
        (["replay", "suites/triage", "--log", "a.csv"], "2 of 2 logged answers fail"),
        (["bench", "--from", "a.csv"], "shop/a"),
        (["failures", "suites/triage", "--log", "a.csv"], "2 failing calls in 2 clusters"),
        (["capture", "suites/triage", "--log", "a.csv#line 2", "--dry-run"], "model: shop/a"),
    ],
)
def test_every_command_takes_them(tables: ProjectFolder, command: list[str], said: str) -> None:
    ended = tables.run(*command, *MAP, "--log-model", "shop/a")
    assert (ended.code, said in ended.out) == (0, True), ended
    assert tables.run(*command).code != 0


def test_an_unreadable_record_is_counted(project: ProjectFolder) -> None:
    project.write(
        "log.jsonl", '{"promptbench": "call/1", "id": 1, "vars": {"message": "Hello"}, "answer": "x"}\n{\n{\n'
    )
    ended = project.run("replay", "suites/triage", "--log", "log.jsonl")
    assert "left out: 2 calls: not JSON" in ended.out
    assert not Path(".promptbench").exists()


def test_answers_wait_for_the_file_with_their_requests(project: ProjectFolder) -> None:
    for name in ("input", "output", "error"):
        shutil.copy(SAMPLES / f"openai_batch_{name}.jsonl", project.root / f"{name}.jsonl")
    alone = project.run("import", "output.jsonl", "error.jsonl", "--json")
    assert (alone.code, alone.data["calls"], alone.data["bad"]) == (2, 0, 3)
    assert "no input; import the file of the requests together with it" in alone.err
    assert any("failed: status 400" in record["reason"] for record in alone.data["bad_records"])
    whole = project.run("import", "input.jsonl", "output.jsonl", "error.jsonl", "--json")
    assert (whole.code, whole.data["added"], whole.data["bad"]) == (0, 2, 1)
    assert "already there" in project.run("import", ".").out
