from __future__ import annotations

from promptbench.core.errors import Diagnostics
from promptbench.prompts.parser import parse_prompt
from promptbench.prompts.prompt import Prompt
from promptbench.yaml.source import Source


def read(text: str, name: str = "triage.prompt") -> tuple[Prompt | None, Diagnostics]:
    found = Diagnostics()
    return parse_prompt(Source(name, text), found), found


def prompt(text: str, name: str = "triage.prompt") -> Prompt:
    """The prompt in a text that has nothing wrong with it."""
    parsed, found = read(text, name)
    assert [item.message for item in found] == []
    assert parsed is not None
    return parsed
