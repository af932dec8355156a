from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptbench.core.errors import Diagnostics
from promptbench.prompts.parser import load, parse_prompt
from promptbench.prompts.prompt import Prompt
from promptbench.yaml.source import Source
from tests.prompts.kit import prompt, read

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "the weather now", "inputSchema": SCHEMA}


def front(yaml: str) -> str:
    return f"---\n{yaml}\n---\nHi"


def test_tools_are_part_of_the_version_if_there_are_any() -> None:
    plain = prompt(front("config: {}"))
    # The hash of older versions.
    assert plain.hash == prompt("Hi", "triage.md").hash
    assert "tools" not in plain.content
    found = prompt(front(f"tools: {json.dumps([WEATHER])}"))
    assert (found.content["engine"], found.content["tools"]) == ("promptbench/3", [WEATHER])
    served = Prompt.of_content("a", found.content)
    assert (served.hash, served.tools) == (found.hash, found.tools)
    picoschema = prompt(front("tools:\n- {name: get_weather, inputSchema: {'city, where': string}}"), "b.prompt")
    assert picoschema.tools[0]["inputSchema"]["properties"] == {"city, where": {"type": "string"}}


@pytest.mark.parametrize(
    "form",
    [
        [{**WEATHER, "strict": True}],
        [{"name": "get_weather", "description": "the weather now", "input_schema": SCHEMA}],
        [
            {
                "type": "function",
                "function": {"name": "get_weather", "description": "the weather now", "parameters": SCHEMA},
            }
        ],
    ],
    ids=["dotprompt", "anthropic", "openai"],
)
def test_a_file_has_the_tools_in_any_form_and_is_written_out(form: object, tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(json.dumps(form, indent=2), encoding="utf-8")
    (tmp_path / "_rule.prompt").write_text("Hi", encoding="utf-8")
    path = tmp_path / "a.prompt"
    path.write_text("---\ntools: 'tools.json' # ours\nconfig: {topP: 1}\n---\n{{>rule}}", encoding="utf-8")
    found = Diagnostics()
    loaded = load(path, "a.prompt", found)
    assert loaded is not None
    assert not list(found)
    assert loaded.tools == (WEATHER,)
    # The store has no other file.
    stored = parse_prompt(Source("stored.prompt", loaded.source), found)
    assert stored is not None
    assert stored.hash == loaded.hash


@pytest.mark.parametrize(
    ("yaml", "place", "message"),
    [
        ("tools:\n  - search", "3:5", "'search' is only a name, and the model needs its inputs"),
        ("tools: {name: a}", "2:8", "'tools' must be a list of tools, or the name of a .json or .yaml file"),
        ("tools: [{name: a b}]", "2:16", "a tool needs a 'name' of up to 64 letters"),
        ("tools: [{name: a, inputs: {}}]", "2:19", "unknown key 'inputs' in a tool"),
        ("tools: [{name: a, inputSchema: {x: strin}}]", "2:36", "'strin' is not a type"),
        ("tools: [{name: a, parameters: {type: array}}]", "2:31", "the inputs of 'a' must be an object"),
        ("tools: [{name: a, description: [x]}]", "2:32", "'description' must be text"),
        ("tools: [{name: a}, {name: a}]", "2:27", "two tools are named 'a'"),
        ("tools: [{name: a}]\nconfig: {toolChoice: b}", "3:10", "'toolChoice' must be auto, required, none or the"),
    ],
)
def test_what_is_wrong_with_tools_has_a_place(yaml: str, place: str, message: str) -> None:
    parsed, found = read(front(yaml))
    assert parsed is None
    [item] = found
    assert f"{item.location.line}:{item.location.column}" == place
    assert item.message.startswith(message)


def test_what_is_wrong_with_a_file_of_tools_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "tools.yaml").write_text("tools:\n- {name: a}\n- {nam: b}\n", encoding="utf-8")
    for written, place, message in (
        ("tools.yaml", "suites/tools.yaml:3:4", "unknown key 'nam' in a tool"),
        ("tool.yaml", "suites/a.prompt:2:8", "file 'tool.yaml' not found next to the prompt"),
        ("../tools.yaml", "suites/a.prompt:2:8", "'../tools.yaml' is outside the suite's folder"),
    ):
        (tmp_path / "a.prompt").write_text(front(f"tools: {written}"), encoding="utf-8")
        found = Diagnostics()
        assert load(tmp_path / "a.prompt", "suites/a.prompt", found) is None
        first = next(iter(found))
        assert f"{first.location.path}:{first.location.line}:{first.location.column}" == place
        assert first.message.startswith(message)
