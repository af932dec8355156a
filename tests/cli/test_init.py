"""`promptbench init`: what it asks, what it writes, and that what it writes runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptbench.cli.app import run
from promptbench.core.errors import Diagnostics
from promptbench.prompts.parser import load as load_prompt
from promptbench.providers import gguf
from promptbench.workflows.start import find_models
from promptbench.workflows.start.schema import suite_schema
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.terminal import Terminal


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["openai/gpt-5-mini", "openai/gpt-5.4-mini", "openai/gpt-6-luna", "openai/o3"])
def test_a_prompt_for_a_model_of_openai_has_only_what_it_takes(
    name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert run(["init", "--model", name]) == 0
    assert run(["validate"]) == 0


@pytest.mark.parametrize("name", ["claude-haiku-4-5", "claude-haiku-5-5", "claude-opus-5-5", "claude-fable-5-2"])
def test_a_prompt_for_a_model_of_anthropic_has_only_what_it_takes(
    name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-1")
    assert run(["init", "--model", f"anthropic/{name}"]) == 0
    assert run(["validate"]) == 0


@pytest.fixture
def without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where neither the embedded model nor a server on a usual port is found."""
    absent = replace(gguf.PACKAGED["smollm2-135m"], distribution="not-installed", bytes=0)
    monkeypatch.setitem(gguf.PACKAGED, "smollm2-135m", absent)
    monkeypatch.setattr(find_models, "LOCAL_SERVERS", {})


@pytest.mark.usefixtures("without_models")
def test_a_first_verdict_needs_no_model(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init"]) == 0
    assert "`promptbench models install` installs a small local model" in capsys.readouterr().out
    assert run(["run"]) == 0
    assert "recorded/gguf/smollm2-135m" in capsys.readouterr().out
    # A prompt of one's own has no recorded answers.
    assert run(["init", "--about", "Sort the mail", "--fields", "team"]) == 0
    assert "first install the model: promptbench models install" in capsys.readouterr().out


@pytest.mark.usefixtures("without_models")
def test_a_key_is_enough(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-1")
    assert run(["init"]) == 0
    assert "models: [anthropic/claude-haiku-5-5]" in (here / "suites/orders/suite.yaml").read_text(encoding="utf-8")
    assert run(["validate"]) == 0


@pytest.mark.usefixtures("without_models")
def test_the_suite_runs_on_a_server_of_this_machine(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = {"L-4410", "58213", "M-7152"}

    def answer(body: dict[str, Any]) -> str:
        written = body["messages"][-1]["content"]
        return json.dumps({"order": next(number for number in right if number in written)})

    with FakeOpenAI(answer) as server:
        server.models = [{"id": "nomic-embed-text:latest"}, {"id": "llama3.2:latest"}]
        monkeypatch.setattr(find_models, "LOCAL_SERVERS", {"ollama": server.port})
        monkeypatch.setenv("OPENAI_API_KEY", "sk-1")  # costs money, so it comes last
        assert run(["init"]) == 0
        assert "model: openai_compatible/ollama/llama3.2:latest" in capsys.readouterr().out
        assert run(["run"]) == 0
        assert not any("sk-1" in item.authorization for item in (*server.listings, *server.received))
        # The settings of a project are never changed; what to add is printed.
        (here / "promptbench.toml").write_text("retries = 1\n", encoding="utf-8")
        assert run(["init", "second"]) == 0
        table = "[providers.openai_compatible.servers.ollama]"
        assert f'add to {table} of promptbench.toml:\nbase_url = "http://127.0.0.1:{server.port}/v1"' in (
            capsys.readouterr().out
        )


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
        "model: gguf/smollm2-135m",
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
