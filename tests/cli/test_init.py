"""`promptbench init`: what it asks, what it writes, and that what it writes runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptbench.cli.app import run
from promptbench.core.diagnostics import Diagnostics
from promptbench.prompts.parser import load as load_prompt
from promptbench.workflows.start.schema import suite_schema
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.terminal import Terminal


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nobody_there_is_asked_nothing_and_gets_the_example(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines() == [
        "wrote suites/orders/suite.yaml",
        "wrote suites/orders/orders.prompt",
        "wrote suites/.suite.schema.json",
        "wrote promptbench.toml",
        "wrote .gitignore",
        "wrote .gitattributes",
        "next: promptbench run suites/orders",
        "a case of your own: promptbench new case suites/orders",
    ]
    first = (here / "suites/orders/suite.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../.suite.schema.json"
    assert json.loads((here / "suites/.suite.schema.json").read_text(encoding="utf-8")) == suite_schema()


def test_a_suite_from_options_runs_at_once(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    about = "Say which {{team}} answers: billing, or 'delivery'."
    written = ["init", "--about", about, "--fields", "team, order number", "--model", "openai/fake", "--dir", "new"]
    assert run(written) == 0
    assert "next: cd new && promptbench run suites/say-which-team" in capsys.readouterr().out
    with FakeOpenAI(lambda body: '{"team": "billing", "order_number": "B-1"}') as server:
        (here / "new" / "promptbench.toml").write_text(
            f'[providers.openai]\nbase_url = "{server.base_url}"\n', encoding="utf-8"
        )
        found = Diagnostics()
        prompt = load_prompt(here / "new/suites/say-which-team/say-which-team.prompt", "say-which-team.prompt", found)
        assert prompt is not None
        assert prompt.variables == {"message"}
        assert list(prompt.output_schema["properties"]) == ["team", "order_number"]
        monkeypatch.chdir(here / "new")
        assert run(["run", "suites/say-which-team"]) == 0
    assert f"suite: say-which-team\nabout: '{about.replace(chr(39), chr(39) * 2)}'\n" in (
        here / "new/suites/say-which-team/suite.yaml"
    ).read_text(encoding="utf-8")


def test_the_small_local_model_is_held_to_the_fields(here: Path) -> None:
    assert run(["init", "--about", "Sort the mail", "--fields", "team"]) == 0
    assert run(["doctor"]) == 0
    assert "[providers.gguf]\nstructured = true\n" in (here / "promptbench.toml").read_text(encoding="utf-8")


def test_an_answer_without_fields_is_a_text(here: Path) -> None:
    assert run(["init", "replies", "--about", "Answer politely", "--fields", "", "--model", "openai/fake"]) == 0
    assert "refusal: no" in (here / "suites/replies/suite.yaml").read_text(encoding="utf-8")
    assert "output:" not in (here / "suites/replies/replies.prompt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Not A Name"], "invalid prompt name"),
        (["--model", "nonsense"], "'nonsense' is not a model"),
        (["--fields", "order.id"], "'order.id' is not a valid field name"),
        (["--about", " "], "--about is empty"),
    ],
)
def test_what_is_refused(arguments: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_nothing_is_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "suites/orders").mkdir(parents=True)
    (here / "suites/orders/orders.prompt").write_text("mine", encoding="utf-8")
    assert run(["init"]) == 2
    assert "suites/orders/orders.prompt already exists" in capsys.readouterr().err
    assert [path.name for path in here.rglob("*") if path.is_file()] == ["orders.prompt"]


def test_the_schema_that_is_there_stays(here: Path) -> None:
    (here / "suites").mkdir()
    (here / "suites/.suite.schema.json").write_text("{}", encoding="utf-8")
    assert run(["init"]) == 0
    assert (here / "suites/.suite.schema.json").read_text(encoding="utf-8") == "{}"


def test_three_questions_at_a_terminal(here: Path) -> None:
    with Terminal(["init"], here) as terminal:
        terminal.answer("What should the prompt do?", "Sort the mail")
        terminal.answer("Which fields should its answer have", "team")
        terminal.answer("Which model", "")
        assert terminal.end() == 0
    assert "next: promptbench run suites/sort-the-mail" in terminal.shown
    assert max(map(len, terminal.shown.splitlines())) <= 80
    assert "models: [gguf/smollm2-135m]" in (here / "suites/sort-the-mail/suite.yaml").read_text(encoding="utf-8")
