"""The plain text of prompts without values, and of cases."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from promptbench.core.types import Role
from promptbench.prompts.prompt import Prompt
from promptbench.suite.models import Case
from promptbench.text.templates import literals

_BREAK = "\n\0\n"  # Replaces values and separates messages, so that no match spans them.


def static_text(prompt: Prompt, roles: Collection[Role] = ("system", "user", "assistant")) -> str:
    """Return the prompt's messages with these roles, without their values."""
    return _BREAK.join(_BREAK.join(literals(item.parts)) for item in prompt.templates if item.role in roles)


def texts_of(case: Case) -> Iterator[str]:
    """Yield the texts among the values of a case, and its messages."""
    for value in case.variables.values():
        if isinstance(value, str):
            yield value
    for message in case.said:
        yield message.content
