from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.errors import InputError
from promptbench.core.types import ModelRef, Usage
from promptbench.gateway import PriceFile


def read(folder: Path, text: str, name: str = "prices.toml") -> PriceFile:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return PriceFile.read(path)


def cost(file: PriceFile, model: str, usage: Usage) -> float | None:
    rates = file.rates(ModelRef.parse(model))
    return rates.cost(usage) if rates else None


def test_dollars_per_million_tokens_by_model(tmp_path: Path) -> None:
    file = read(tmp_path, '["openai/own"]\ninput = 2\noutput = 8.0\ncached = 0.5\n["plain"]\ninput = 1\noutput = 1\n')
    assert cost(file, "openai/own", Usage(1_000_000, 100_000)) == pytest.approx(2.8)
    assert cost(file, "openai/own", Usage(1_000_000, 0, cached_tokens=400_000)) == pytest.approx(1.2 + 0.2)
    assert cost(file, "azure/plain", Usage(10, 10, cached_tokens=10)) == pytest.approx(20e-6)
    assert cost(file, "azure/own", Usage(1, 1)) is None
    assert file.name == "prices.toml"


def test_more_cached_than_given_is_no_negative_price(tmp_path: Path) -> None:
    file = read(tmp_path, '["a/b"]\ninput = 2\noutput = 8\ncached = 0\n')
    assert cost(file, "a/b", Usage(10, 0, cached_tokens=50)) == 0.0


def test_litellms_list_as_it_is(tmp_path: Path) -> None:
    entries: dict[str, Any] = {
        "sample_spec": {"litellm_provider": "one of many", "input_cost_per_token": "text", "mode": "chat"},
        "gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6},
        "azure/gpt-x": {
            "litellm_provider": "azure",
            "input_cost_per_token": 3e-6,
            "output_cost_per_token": 9e-6,
            "cache_read_input_token_cost": 1e-6,
        },
        "dall-e": {"litellm_provider": "openai", "input_cost_per_pixel": 1e-8},
    }
    file = read(tmp_path, json.dumps(entries), "prices.json")
    usage = Usage(1000, 100, cached_tokens=500)
    assert cost(file, "openai/gpt-x", usage) == pytest.approx(0.0028)
    assert cost(file, "azure/gpt-x", usage) == pytest.approx(0.0015 + 0.0005 + 0.0009)
    assert cost(file, "own/gpt-x", usage) is None, "the name alone is OpenAI's"
    assert cost(file, "openai/dall-e", usage) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "cannot be read"),
        ("a = 1", "'a' must be a table"),
        ('["a/b"]\ninput = 1\n', "'a/b' needs both input and output"),
        ('["a/b"]\ninput = 1\noutput = -1\n', "output: expected US dollars per million tokens, got -1"),
        ('["a/b"]\ninput = nan\noutput = 1\n', "input: expected US dollars"),
        ('["a/b"]\ninput = true\noutput = 1\n', "input: expected US dollars"),
        ('["a/b"]\ninput = 1\nouput = 1\n', "'a/b' has an unknown key 'ouput'; did you mean 'output'?"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match="the price file") as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        PriceFile.read(tmp_path / "none.toml")
    (tmp_path / "x.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        PriceFile.read(tmp_path / "x.json")
    with pytest.raises(InputError, match="must hold a table"):
        read(tmp_path, "[1]", "list.json")
