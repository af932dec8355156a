"""`promptbench suite score` and `promptbench explain`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptbench.checks import plugins
from promptbench.cli.app import run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answer.txt").write_text('```json\n{"team": "billing", "n": 3,}\n```', encoding="utf-8")
    return tmp_path


def test_each_check_and_each_repair_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["suite", "score", "--text-file", "answer.txt", "--accept", "repaired safe", "--with", "json"]
    assert run([*words, "--with", "expect: {team: delivery}"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "format: repaired safe (fence at 0, trailing_comma at 34)",
        "passed: json",
        "failed: expect: team: expected 'delivery', got 'billing'",
        "FAIL: 1 of 2 checks passed",
    ]
    assert run([*words, "--with", "[{expect: {team: billing}}, contains: team]"]) == 0
    assert capsys.readouterr().out.endswith("PASS: 3 of 3 checks passed\n")


def test_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["suite", "score", "--text-file", "answer.txt", "--with", "contains: {any of: [x]}", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["schema_version"], data["passed"], data["rung"]) == (1, False, None)
    assert data["scores"][0]["check"] == "contains"


def test_a_variable(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["suite", "score", "--text-file", "answer.txt", "--with", "grounded", "--var"]
    assert run([*words, "message=3 things for team billing, json n"]) == 0
    assert run([*words, "message=nothing"]) == 1
    assert run([*words, "message"]) == 2
    assert "write it as --var NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("containz: x", "check 1:1:1: error[PB501] unknown check 'containz'"),
        ("{contains: x, regex: y}", "write one check per '- ' line"),
        ("contains: [a", "the list opened with [ is not closed"),
        ("contains: []", "check 1:1:11: error[PB502]"),
        ("python: rules.py:judge", "file not found next to the suite: rules.py"),
        ("", "error"),
    ],
)
def test_what_is_wrong_with_a_check_and_where(check: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["suite", "score", "--text-file", "answer.txt", "--with", check]) == 2
    assert message in capsys.readouterr().err


def test_a_text_that_cannot_be_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "latin.txt").write_bytes(b"caf\xe9")
    assert run(["suite", "score", "--text-file", "latin.txt", "--with", "contains: a"]) == 2
    assert run(["suite", "score", "--text-file", "nowhere.txt", "--with", "contains: a"]) == 2
    said = capsys.readouterr().err
    assert "latin.txt is not UTF-8 text" in said
    assert "nowhere.txt cannot be read: No such file or directory" in said


def test_what_a_model_wrote_is_no_command_to_the_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "answer.txt").write_text("\x1b[2Jgone", encoding="utf-8")
    run(["suite", "score", "--text-file", "answer.txt", "--with", "equals: x"])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("name", plugins.names())
def test_every_check_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", *name.split("_")]) == 0
    said = capsys.readouterr().out
    assert said.startswith(name.replace("_", " ") + ": ")
    assert "\nWhat: " in said
    assert "\nWhen: " in said
    assert "\nExample:\n  " in said
    assert max(map(len, said.split("\nExample:")[0].splitlines())) <= 100


def test_all_checks_in_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n{name.replace('_', ' ')} " in f"\n{said}" for name in plugins.names())
    assert run(["explain", "--json"]) == 0
    assert [page["name"] for page in json.loads(capsys.readouterr().out)["checks"]] == [
        name.replace("_", " ") for name in plugins.names()
    ]


def test_a_check_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "containz"]) == 2
    assert "did you mean 'contains'?" in capsys.readouterr().err
