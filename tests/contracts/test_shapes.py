"""What each provider says shapes its answers, for the key of the cache: all of it, and no secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.canonical import canonical
from promptbench.core.types import Json
from promptbench.providers import plugins, provider_spec
from tests.contracts.test_providers import ODD_NAMES
from tests.helpers.asking import context

SECRET = "s3cret-0123456789"
URL = "https://llm.example.com/v1"
ENVIRON = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "TEAM_KEY"), SECRET)
ENDPOINT = {
    "url": URL,
    "headers": {"Authorization": "Bearer ${TEAM_KEY}", "X-Team": "support"},
    "body": {"text": "{{vars.message}}"},
    "answer": "intent.name",
}

PLACES: dict[str, tuple[str, dict[str, Any]]] = {
    "openai": ("m", {"base_url": URL}),
    "anthropic": ("m", {"base_url": URL}),
    "azure_openai": ("m", {"endpoint": URL}),
    "openai_compatible": ("s/m", {"servers": {"s": {"base_url": URL, "api_key_env": "TEAM_KEY"}}}),
    "http": ("e", {"endpoints": {"e": ENDPOINT}}),
}
"""A model's name and its settings, by provider."""


def shape(provider: str, name: str, options: Json, root: Path = Path(), environ: Json = ENVIRON) -> Json:
    return provider_spec(provider).shaped_by(name, context(root, options=options, environ=environ))


def at(options: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The settings with changes in their only inner table, or at the top where there is none."""
    for group in ("servers", "endpoints"):
        if group in options:
            [(name, table)] = options[group].items()
            return {group: {name: {**table, **changes}}}
    return {**options, **changes}


@pytest.mark.parametrize("provider", plugins.names())
@pytest.mark.parametrize("name", ODD_NAMES)
def test_every_provider_says_it_of_any_name(provider: str, name: str, tmp_path: Path) -> None:
    wrong = {"base_url": "http://[", "url": "http://[", "headers": 5, "structured": "yes"}
    for options in ({}, {**wrong, "servers": {"a": wrong}, "endpoints": {name: wrong}, "paths": {"x": "no.gguf"}}):
        canonical(shape(provider, name, options, tmp_path))


@pytest.mark.parametrize("provider", PLACES)
def test_no_secret_is_in_it_and_none_changes_it(provider: str) -> None:
    name, options = PLACES[provider]
    plain = shape(provider, name, options)
    assert SECRET not in canonical(plain)
    assert shape(provider, name, options, environ=dict.fromkeys(ENVIRON, "another-0123456789")) == plain
    with_user = URL.replace("https://", f"https://somebody:{SECRET}@")
    place = {"azure_openai": "endpoint", "http": "url"}.get(provider, "base_url")
    assert shape(provider, name, at(options, **{place: with_user})) == plain


@pytest.mark.parametrize("provider", PLACES)
@pytest.mark.parametrize("change", [{"timeout": 5}, {"concurrency": 2}, {"api_key_env": "OTHER"}])
def test_what_is_about_the_call_only_is_not_in_it(provider: str, change: dict[str, Any]) -> None:
    name, options = PLACES[provider]
    assert shape(provider, name, at(options, **change)) == shape(provider, name, options)


@pytest.mark.parametrize(
    ("provider", "change"),
    [
        ("openai", {"base_url": URL + "/other"}),
        ("openai", {"structured": True}),
        ("openai", {"api": "responses"}),
        ("anthropic", {"base_url": URL + "/other"}),
        ("anthropic", {"structured": True}),
        ("azure_openai", {"endpoint": "https://other.example.com"}),
        ("azure_openai", {"api_version": "2026-01-01"}),
        ("azure_openai", {"deployments": {"m": "gpt-5-mini"}}),
        ("azure_openai", {"structured": True}),
        ("openai_compatible", {"base_url": "http://127.0.0.1:1/v1"}),
        ("openai_compatible", {"structured": True}),
        ("http", {"url": URL + "/other"}),
        ("http", {"method": "PUT"}),
        ("http", {"body": {"text": "{{vars.subject}}"}}),
        ("http", {"query": {"lang": "de"}}),
        ("http", {"headers": {"X-Team": "sales"}}),
        ("http", {"answer": ""}),
        ("http", {"sees_prompt": True}),
    ],
)
def test_what_shapes_an_answer_is_in_it(provider: str, change: dict[str, Any]) -> None:
    name, options = PLACES[provider]
    assert shape(provider, name, at(options, **change)) != shape(provider, name, options)


def test_addresses_from_the_environment_are_in_it() -> None:
    for provider, variable in (
        ("openai", "OPENAI_BASE_URL"),
        ("anthropic", "ANTHROPIC_BASE_URL"),
        ("azure_openai", "AZURE_OPENAI_ENDPOINT"),
        ("azure_openai", "OPENAI_API_VERSION"),
    ):
        assert shape(provider, "m", {}, environ={variable: URL}) != shape(provider, "m", {}, environ={})


def test_weights_are_known_by_their_size_and_time(tmp_path: Path) -> None:
    weights = tmp_path / "mine.gguf"
    weights.write_bytes(b"GGUF")
    options = {"paths": {"mine": "mine.gguf"}}
    if shape("gguf", "mine", options, tmp_path) is None:
        pytest.skip("the runtime is not installed")
    shapes = [shape("gguf", "mine", {**options, **change}, tmp_path) for change in ({}, {"context": 8192})]
    shapes.append(shape("gguf", "mine", {**options, "structured": True}, tmp_path))
    weights.write_bytes(b"GGUF, retrained")
    shapes.append(shape("gguf", "mine", options, tmp_path))
    os.utime(weights, ns=(1, 1))
    shapes.append(shape("gguf", "mine", options, tmp_path))
    assert len({canonical(item) for item in shapes}) == 5
    assert shape("gguf", "mine", {**options, "slots": 1}, tmp_path) == shapes[-1]
    weights.unlink()
    assert shape("gguf", "mine", options, tmp_path) is None


def test_a_function_is_known_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("import re\nfrom typing import Any\n\ndef f(v): return 'a'\n\ndef g(v): return 'b'\n")
    first = shape("python", "own.py:f", {}, tmp_path)
    assert first is not None
    assert shape("python", "own.py:g", {}, tmp_path) != first
    file.write_text("import re\n\ndef f(v): return 'c'\n")
    assert shape("python", "own.py:f", {}, tmp_path) not in (first, None)


@pytest.mark.parametrize("line", ["import numpy as np", "from sklearn.svm import SVC", "from . import own", "def f(:"])
def test_a_function_whose_code_is_not_all_in_its_file_is_not_known(line: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(f"def f(v):\n    return ''\n{line}\n")
    assert shape("python", "own.py:f", {}, tmp_path) is None
    assert shape("python", "missing.py:f", {}, tmp_path) is None


def test_a_recording_is_never_known() -> None:
    assert shape("recorded", "openai/m", {}) is None
