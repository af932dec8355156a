"""The models that the documentation names are in the price list, and no shutdown of them is announced."""

from __future__ import annotations

import re
from pathlib import Path

import genai_prices
import pytest
from anthropic.resources.messages.messages import DEPRECATED_MODELS

import promptbench
from promptbench.providers import plugins, provider_spec

PACKAGE = Path(promptbench.__file__).parent
FILES = [PACKAGE.parent / "README.md", *(PACKAGE / "docs").rglob("*.md"), *PACKAGE.rglob("*.py")]
# By OpenAI's page of deprecations, November 2026.
SHUT_DOWN = ("gpt-3.5", "gpt-4-", "gpt-4.1-mini-2025", "gpt-5-mini", "gpt-5-nano", "gpt-5-pro", "gpt-5-2025", "o3")
_NAME = re.compile(r"\b(openai|anthropic)/((?:gpt-|o\d|claude-)[a-z0-9.-]*[a-z0-9])")
# Names in examples that no provider has.
INVENTED = {"triage-prod", "gpt-5.4-mni"}


def named() -> set[tuple[str, str]]:
    """Return the models of hosted providers that the documentation and the docstrings name."""
    found = {
        match
        for file in FILES
        if file.name != "changelog.md"
        for match in re.findall(
            r"\b(openai|anthropic)/((?:gpt-|o\d|claude-)[a-z0-9.-]*[a-z0-9])", file.read_text("utf-8")
        )
    }
    starters = {(name, provider_spec(name).starter_model) for name in plugins.names()}
    return {item for item in found | starters if item[0] in ("openai", "anthropic") and item[1] not in INVENTED}


@pytest.mark.parametrize(("provider", "name"), sorted(named()))
def test_a_model_of_the_documentation_is_alive(provider: str, name: str) -> None:
    usage = genai_prices.Usage(input_tokens=1, output_tokens=1)
    assert genai_prices.calc_price(usage, name, provider_id=provider).total_price > 0
    assert name not in DEPRECATED_MODELS
    assert name != "gpt-5"
    assert not name.startswith(SHUT_DOWN)
