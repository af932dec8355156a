from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptbench.providers import _options, anthropic, azure_openai, gguf, http, openai, openai_compatible
from tests.helpers.asking import context

OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("name", "url", "tokens"),
    [
        ("gpt-4o", OPENAI, 128_000),
        ("gpt-4o", "https://triage.openai.azure.com", 128_000),
        ("claude-haiku-4-5", "https://api.anthropic.com", 200_000),
        ("nobody-knows", OPENAI, None),
        ("gpt-4o", "https://llm.example.com/v1", None),
        ("gpt-4o", "http://127.0.0.1:9/v1", None),
        ("gpt-4o", "", None),
        ("gpt-4o", "::", None),
    ],
)
def test_the_address_says_whose_model_it_is(name: str, url: str, tokens: int | None) -> None:
    assert _options.context_window(name, url, {}) == tokens


@pytest.mark.parametrize(("written", "tokens"), [(5000, 5000), (5000.0, 5000), (0, None), ("5000", None), (True, None)])
def test_the_settings_win(written: Any, tokens: int | None) -> None:
    assert _options.context_window("nobody-knows", OPENAI, {"context_window": written}) == tokens
    assert _options.declared_window({"context_window": written}) == tokens


def test_each_provider_knows_where_its_windows_are_written() -> None:
    here = {"url": "http://127.0.0.1:9", "base_url": "http://127.0.0.1:9", "context_window": 7000}
    assert openai.SPEC.context_window("gpt-4o", context()) == 128_000
    assert openai.SPEC.context_window("gpt-4o", context(options=here)) == 7000
    assert anthropic.SPEC.context_window("claude-haiku-4-5", context()) == 200_000
    azure = {"endpoint": "https://triage.openai.azure.com", "deployments": {"triage-prod": "gpt-4o"}}
    assert azure_openai.SPEC.context_window("triage-prod", context(options=azure)) == 128_000
    assert azure_openai.SPEC.context_window("gpt-4o", context(options={**azure, "deployments": []})) == 128_000
    servers = {"servers": {"a": here, "b": {"base_url": "http://127.0.0.1:9"}}}
    names = ("a/m", "b/m", "c/m")
    assert [openai_compatible.SPEC.context_window(name, context(options=servers)) for name in names] == [
        7000,
        None,
        None,
    ]
    endpoints = {"endpoints": {"a": here, "b": {}}}
    assert [http.SPEC.context_window(name, context(options=endpoints)) for name in "abc"] == [7000, None, None]
    assert gguf.SPEC.context_window("any", context()) == 4096
    assert gguf.SPEC.context_window("any", context(options={"context": 512})) == 512


@pytest.mark.parametrize(
    ("module", "name", "options"),
    [
        (openai, "m", {}),
        (openai_compatible, "a/m", {"servers": {"a": {"base_url": "http://127.0.0.1:9"}}}),
        (http, "a", {"endpoints": {"a": {"url": "http://127.0.0.1:9"}}}),
    ],
)
def test_a_window_that_is_no_number_is_told(module: Any, name: str, options: dict[str, Any]) -> None:
    around = context(environ={"OPENAI_API_KEY": "k"}, options={**options, "context_window": "large"})
    (problem,) = module.SPEC.problems(name, around)
    assert "'context_window'" in problem.message


def test_a_server_on_this_machine_opens_no_list() -> None:
    look = "import sys; from promptbench.providers._options import context_window as size;"
    look += "size('m', 'http://localhost:9', {});"
    look += "sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], cwd=Path(__file__).parents[2], check=False).returncode == 0
