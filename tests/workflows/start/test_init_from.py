"""`promptbench init --from`: what a config of promptfoo becomes, and that each item of it is carried over or listed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import promptbench
from promptbench.cli.app import run

Import = Callable[..., tuple[dict[str, Any], dict[str, Any]]]

CONFIG = """\
description: A translator
prompts:
  - file://prompts.txt
  - id: file://chat.json
    label: Chat
providers:
  - openai:gpt-4o-mini
  - id: anthropic:messages:claude-haiku-4-5
    label: haiku
    config: {temperature: 0, max_tokens: 100, response_format: {type: json}}
  - exec:./run.sh
  - groq:llama-3.3-70b
assertionTemplates:
  short: {type: word-count, value: {max: 30}}
defaultTest:
  vars: {tone: formal}
  assert:
    - {type: latency, threshold: 5000}
tests:
  - vars: {text: [Hello, Bye], language: [French, German]}
    assert:
      - {type: not-icontains, value: '{{text}}', metric: copied}
      - $ref: '#/assertionTemplates/short'
      - {type: javascript, value: output.split(' ').length > 3}
  - description: a set
    vars: {text: file://letter.txt, language: French}
    threshold: 0.5
    options: {transform: output.trim()}
    assert:
      - type: assert-set
        threshold: 0.5
        weight: 2
        assert:
          - {type: equals, value: Bonjour}
          - {type: contains, value: jour}
      - type: assert-set
        assert:
          - {type: contains-any, value: [Bonjour, Salut]}
          - {type: llm-rubric, value: 'is {{tone}}', provider: {id: 'openai:gpt-4o', config: {temperature: 0}}}
  - vars: {text: file://../secret.txt}
    assert: [{type: python, value: file://check.py}]
  - file://more.yaml
  - file://rows.csv
scenarios:
  - config:
      - vars: {language: Welsh}
      - vars: {language: Dutch}
    tests:
      - vars: {text: Good day}
        options: {disableDefaultAsserts: true}
        assert: [{type: is-json, value: {type: object}}]
outputPath: out.json
"""

LIST = f"[{', '.join(f'x{n}' for n in range(25))}]"

FILES = {
    "promptfooconfig.yaml": CONFIG,
    "prompts.txt": """Translate {{text}} to {{ language | upper }}.
---
{% if tone %}Be {{tone}}. {% endif %}{{text}}
""",
    "chat.json": '[{"role": "system", "content": "You translate."}, {"role": "user", "content": {{text | dump}}}]',
    "letter.txt": "A long letter",
    "more.yaml": "- vars: {text: from a file}\n  assert:\n    - {type: is-refusal}\n",
    "rows.csv": 'text,language,__expected,__expected2,__metric\n"One, two",French,contains: Un,fn: f(output),x\n',
    "check.py": "raise SystemExit('run')\n",
}


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Import:
    source, project = tmp_path / "promptfoo", tmp_path / "project"
    for folder in (source, project):
        folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    monkeypatch.chdir(project)
    for name in ("OPENAI", "ANTHROPIC", "GROQ"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-1")

    def run_import(files: dict[str, str], *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
        for name, text in files.items():
            (source / name).write_text(text, encoding="utf-8")
        assert run(["init", "translate", "--from", str(source / "promptfooconfig.yaml"), "--json", *arguments]) == 0
        data = json.loads(capsys.readouterr().out)
        return data, yaml.safe_load((project / "suites/translate/suite.yaml").read_text(encoding="utf-8"))

    return run_import


def test_every_assertion_and_every_key_is_carried_over_or_listed(imported: Import) -> None:
    data, suite = imported(FILES)
    items = data["items"]
    # The leaves of the config and of its files, counted by hand: 1 by default, 3, 2 + 2 in sets, 1, 1, 2 in the table,
    # 1 in the scenario.
    assert items["assertion"] == {"carried": 9, "listed": 4}
    assert items["provider"] == {"carried": 3, "listed": 1}
    assert items["prompt"] == {"carried": 3, "listed": 0}
    assert sum(row["listed"] for row in items.values()) == len(data["listed"])
    listed = {item["message"].partition(":")[0] for item in data["listed"]}
    assert listed == {
        "javascript", "llm-rubric", "python", "exec", "temperature", "response_format", "metric", "transform",
        "{{ language | upper }}", "file", "outputPath", "provider",
    }  # fmt: skip
    # 4 combinations, the set, the secret, the file, the row and the two of the scenario.
    assert data["cases"] == len(suite["cases"]) == 10
    assert all(item["line"] and item["hint"] for item in data["listed"])


def test_the_suite_says_the_same(imported: Import) -> None:
    _, suite = imported(FILES)
    cases = {case["case"]: case for case in suite["cases"]}
    short = {"count": {"of": "words", "at most": 30}}
    latency = {"latency": "5000 ms"}
    combinations = [case["vars"] for case in suite["cases"][:4]]
    assert combinations == [
        {"tone": "formal", "text": text, "language": language}
        for text in ("Hello", "Bye")
        for language in ("French", "German")
    ]
    assert suite["cases"][0]["checks"] == [latency, {"not contains": "Hello"}, short]
    assert cases["a set"]["threshold"] == 0.5
    assert cases["a set"]["vars"]["text"] == "A long letter"
    both = [{"expect": "Bonjour"}, {"contains": {"all of": "jour", "ignore": "nothing"}}]
    some = {"contains": {"any of": ["Bonjour", "Salut"], "ignore": "nothing"}}
    assert cases["a set"]["checks"] == [latency, {"all of": {"checks": both, "at least": 0.5}, "weight": 2}, some]
    # A value that was not read: the case is there, and not called.
    assert [case["vars"]["text"] for case in suite["cases"] if "skip" in case] == ["file://../secret.txt"]
    assert suite["cases"][-1]["checks"] == [{"json schema": {"type": "object"}}]
    assert cases["One two"]["checks"] == [latency, {"contains": {"all of": "Un", "ignore": "nothing"}}]
    assert suite["models"][1] == {
        "model": "anthropic/claude-haiku-4-5",
        "as": "haiku",
        "config": {"maxOutputTokens": 100},
    }


def test_prompts_and_settings_are_valid(imported: Import, capsys: pytest.CaptureFixture[str]) -> None:
    imported(FILES, "--judge", "openai/gpt-5.4-2026-03-05")
    folder = Path("suites/translate")
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.prompt")}
    default = "---\ninput:\n  default: {language: null}\n---\n"
    assert texts == {
        "translate.1.prompt": f"{default}Translate {{{{text}}}} to {{{{language}}}}.\n",
        "translate.2.prompt": "{{#if tone}}Be {{tone}}. {{/if}}{{text}}\n",
        "translate.chat.prompt": '{{role "system"}}\nYou translate.\n{{role "user"}}\n{{text}}\n',
    }
    assert "passes if: is formal" in (folder / "suite.yaml").read_text(encoding="utf-8")
    assert run(["validate"]) == 2
    # The key of a server in the project's own settings goes nowhere until the user trusts the address.
    assert "PB406" in capsys.readouterr().out


def test_without_equivalents_is_a_suite_too(imported: Import) -> None:
    prompts = ["{% for m in items %}{{m}}{% endfor %} {{a === b}}", "{{env.HOME}} {{q}}"]
    tests = [{"assert": [{"type": "bleu"}]}, {"vars": {"q": "{{ env.HOME }}"}}, {"vars": {"q": "{{q2}}", "q2": "x"}}]
    config = {"prompts": prompts, "providers": ["openai:chat:{{env.MODEL}}"], "tests": tests}
    data, suite = imported({"promptfooconfig.yaml": json.dumps(config)})
    assert data["items"]["assertion"] == {"carried": 0, "listed": 1}
    assert data["items"]["provider"] == {"carried": 0, "listed": 1}
    # The loop and its end, the expression, the environment in a prompt and in a value.
    assert data["items"]["template"] == {"carried": 2, "listed": 5}
    assert [case.get("skip") is not None for case in suite["cases"]] == [True, False, False]
    assert suite["cases"][2]["vars"] == {"q": "x", "q2": "x"}
    assert suite["models"] == ["gguf/smollm2-135m"]
    assert run(["validate"]) == 0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("suite: a\ncases: []\n", "promptfooconfig.yaml has no tests or rows of data"),
        ("prompts: [a\n", "promptfooconfig.yaml cannot be read"),
        ("", "the file is empty"),
        (f"tests: [{{vars: {{a: {LIST}, b: {LIST}, c: {LIST}}}}}]\n", "more than 10,000 cases"),
    ],
)
def test_what_is_refused(config: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "promptfooconfig.yaml").write_text(config, encoding="utf-8")
    folder = tmp_path / "new"
    folder.mkdir()
    assert run(["init", "--from", str(tmp_path / "promptfooconfig.yaml"), "--dir", str(folder)]) == 2
    assert message in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_nothing_is_overwritten(imported: Import, capsys: pytest.CaptureFixture[str]) -> None:
    imported(FILES)
    before = Path("suites/translate/suite.yaml").read_bytes()
    assert run(["init", "translate", "--from", "../promptfoo/promptfooconfig.yaml"]) == 2
    assert "suites/translate/suite.yaml already exists" in capsys.readouterr().err
    assert Path("suites/translate/suite.yaml").read_bytes() == before


GUIDE = (Path(promptbench.__file__).parent / "docs/guides/arriving.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"```(?:yaml|json)\n(.*?)```\s*```text\n\$ promptbench init (.*?)\n(.*?)^…", GUIDE, re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize(("text", "arguments", "shown"), EXAMPLES)
def test_the_examples_of_the_guide(
    text: str,
    arguments: str,
    shown: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path(arguments.rsplit(maxsplit=1)[-1])
    samples = tmp_path / "registry/data/capitals/samples.jsonl"
    samples.parent.mkdir(parents=True)
    sample = '{"input": [{"role": "user", "content": "France?"}], "ideal": "Paris"}\n'
    samples.write_text(sample * 2, encoding="utf-8")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    assert run(["init", *arguments.split()]) == 0
    assert capsys.readouterr().out.startswith(shown)


def test_all_examples_of_the_guide_are_tested() -> None:
    assert len(EXAMPLES) == GUIDE.count("$ promptbench init") == 4
