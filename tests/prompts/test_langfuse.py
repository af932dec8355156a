from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.errors import Diagnostics
from promptbench.core.types import Message
from promptbench.prompts.parser import load
from promptbench.prompts.prompt import Prompt

PARAMETERS = {"type": "object", "properties": {"stars": {"type": "integer"}}, "required": ["stars"]}
CHAT = [
    {"role": "developer", "content": 'You are a {{level}} critic.\n\nBe brief: {"stars": 3}.'},
    {"type": "placeholder", "name": "chat_history"},
    {"type": "chatmessage", "role": "user", "content": "Do you like {{ movie }}?"},
]
CONFIG = {
    "model": "gpt-4o",
    "temperature": 0.5,
    "max_tokens": 100,
    "languages": ["en", "a: b\n# c"],
    "tools": [{"type": "function", "function": {"name": "rate", "parameters": PARAMETERS}}],
}


def read(folder: Path, data: Any) -> tuple[Prompt | None, list[str]]:
    file, found = folder / "critic.json", Diagnostics()
    file.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return load(file, file.name, found), [f"{item.location.path}: {item.message}" for item in found]


def test_a_chat_with_its_config(tmp_path: Path) -> None:
    data = {
        "name": "films/critic",
        "type": "chat",
        "prompt": CHAT,
        "config": CONFIG,
        "version": 3,
        "labels": ["latest"],
    }
    prompt, problems = read(tmp_path, data)
    assert prompt is not None, problems
    assert (prompt.name, problems) == ("critic", [])
    assert prompt.config == {"temperature": 0.5, "maxOutputTokens": 100}
    assert prompt.tools == ({"name": "rate", "description": "", "inputSchema": PARAMETERS},)
    assert prompt.render({"level": "harsh", "movie": "Dune"}, [Message("assistant", "Hi")]) == (
        Message("system", 'You are a harsh critic.\n\nBe brief: {"stars": 3}.'),
        Message("assistant", "Hi"),
        Message("user", "Do you like Dune?"),
    )
    # What no word is for is seen by whoever reads the prompt.
    assert '# model: gpt-4o\n# languages: [en, "a: b\\n# c"]\n' in prompt.source


@pytest.mark.parametrize("config", [None, {}])
def test_a_text(tmp_path: Path, config: Any) -> None:
    prompt, problems = read(tmp_path, {"name": "critic", "prompt": "--- {{movie}}?", "config": config})
    assert prompt is not None, problems
    assert prompt.render({"movie": "Dune"}) == (Message("user", "--- Dune?"),)


@pytest.mark.parametrize(
    "data",
    ["{", "[]", "3", {"name": "a"}, {"prompt": 3}, {"prompt": [{"role": "user"}]}, {"prompt": "a", "config": [1]}],
)
def test_anything_else_is_refused(tmp_path: Path, data: Any) -> None:
    assert read(tmp_path, data) == (None, ["critic.json: this is not a prompt of Langfuse"])


def test_a_prompt_that_is_only_named_and_a_wrong_placeholder(tmp_path: Path) -> None:
    _, problems = read(tmp_path, {"prompt": "@@@langfusePrompt:name=rules|label=production@@@"})
    assert problems == ["critic.json: it inserts another prompt: export it resolved"]
    _, problems = read(tmp_path, {"prompt": "Is {{a b}}?"})
    assert problems == ["critic.json.prompt: {{a b}} is not supported"]
