"""Read the project's own prices: a TOML or JSON file by model, or LiteLLM's price list unchanged.

    ["openai/gpt-5-mini"]
    input = 0.25     # US dollars per million tokens
    output = 2.0
    cached = 0.025   # for input read from the provider's cache; `input` by default

LiteLLM's `model_prices_and_context_window.json` has US dollars per token, and models without a price per token.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from promptbench.core.canonical import digest_text
from promptbench.core.diagnostics import did_you_mean
from promptbench.core.errors import InputError
from promptbench.core.types import Json, ModelRef, Usage

_KEYS = ("input", "output", "cached")
_LITELLM = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens. Reasoning is output; `cached` is None if cached input has no price of its own."""

    input: float
    output: float
    cached: float | None = None

    def cost(self, usage: Usage) -> float:
        """Return US dollars for this usage."""
        cached = min(usage.cached_tokens or 0, usage.input_tokens)
        cached_rate = self.input if self.cached is None else self.cached
        fresh = usage.input_tokens - cached
        return (fresh * self.input + cached * cached_rate + usage.output_tokens * self.output) / 1_000_000


@dataclass(frozen=True, slots=True)
class PriceFile:
    """The content of a price file: rates by model."""

    name: str
    hash: str
    entries: Mapping[str, Rates]

    @classmethod
    def read(cls, path: Path) -> PriceFile:
        """Read a price file. Raises InputError if it is unreadable or invalid."""
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise InputError(f"the price file {path} cannot be read: {reason}") from None
        try:
            data: Json = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"the price file {path} cannot be read: {error}") from None
        if not isinstance(data, dict):
            raise InputError(f"the price file {path} must hold a table of models")
        found = {_full_name(name, entry): _rates(path, name, entry) for name, entry in data.items()}
        return cls(path.name, digest_text(text), {name: rates for name, rates in found.items() if rates})

    def rates(self, model: ModelRef) -> Rates | None:
        """Return the rates of `provider/name`, else those of the name alone."""
        return self.entries.get(str(model)) or self.entries.get(model.name)


def _full_name(name: str, entry: Json) -> str:
    """Return `provider/name`: LiteLLM leaves out the provider where the name alone is clear."""
    provider = entry.get("litellm_provider") if isinstance(entry, dict) else None
    return f"{provider}/{name}" if provider and not name.startswith(f"{provider}/") else name


def _rates(path: Path, name: str, entry: Json) -> Rates | None:
    if not isinstance(entry, dict):
        raise _error(path, name, "must be a table with input and output")
    if "litellm_provider" in entry or _LITELLM[0] in entry:
        given, made, cached = (entry.get(key) for key in _LITELLM)
        if not (_is_price(given) and _is_price(made)):
            return None
        return Rates(given * 1e6, made * 1e6, cached * 1e6 if _is_price(cached) else None)
    for key, value in entry.items():
        if key not in _KEYS:
            meant = did_you_mean(key, _KEYS)
            raise _error(path, name, f"has an unknown key '{key}'" + (f"; did you mean '{meant}'?" if meant else ""))
        if not _is_price(value):
            raise _error(path, name, f"{key}: expected US dollars per million tokens, got {value!r:.40}")
    if not {"input", "output"} <= entry.keys():
        raise _error(path, name, "needs both input and output")
    return Rates(**{key: float(value) for key, value in entry.items()})


def _is_price(value: Json) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _error(path: Path, name: str, what: str) -> InputError:
    return InputError(
        f"the price file {path}: '{name}' {what}",
        hint='write ["provider/model"] and below it input = 0.25 and output = 2.0, in US dollars per million tokens',
    )
