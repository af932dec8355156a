"""Price answers in US dollars, by the project's price file, else by the list that `genai-prices` ships.

Nothing is fetched. An unknown price is None, never 0. A model is looked up once.

A price file is TOML or JSON by model, or LiteLLM's price list unchanged:

    ["openai/gpt-5.4-mini"]
    input = 0.25     # US dollars per million tokens
    output = 2.0
    cached = 0.025   # for input read from the provider's cache; `input` by default

An answer that came by batch has the list's price for batches, else a share of the usual price: `batch_prices.toml`.

LiteLLM's `model_prices_and_context_window.json` has US dollars per token, and models without a price per token.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TypeGuard

from promptbench.core.canonical import digest_text
from promptbench.core.errors import InputError, did_you_mean
from promptbench.core.types import Answer, Json, ModelRef, Usage

_KEYS = ("input", "output", "cached")
_BATCH_PRICES = tomllib.loads(Path(__file__).with_name("batch_prices.toml").read_text(encoding="utf-8"))
_LITELLM = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens. Reasoning is output; `cached` is None if cached input has no price of its own."""

    input: float
    output: float
    cached: float | None = None

    def cost(self, usage: Usage, share: float = 1.0) -> float:
        """Return US dollars for this usage, at this share of the rates."""
        cached = min(usage.cached_tokens or 0, usage.input_tokens)
        cached_rate = self.input if self.cached is None else self.cached
        fresh = usage.input_tokens - cached
        return share * (fresh * self.input + cached * cached_rate + usage.output_tokens * self.output) / 1_000_000


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
            data: Json = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(
                f"the price file {path} cannot be read: {getattr(error, 'strerror', None) or error}"
            ) from None
        if not isinstance(data, dict):
            raise InputError(f"the price file {path} must hold a table of models")
        found = {_full_name(name, entry): _rates(path, name, entry) for name, entry in data.items()}
        return cls(path.name, digest_text(text), {name: rates for name, rates in found.items() if rates})

    def rates(self, model: ModelRef) -> Rates | None:
        """Return the rates of `provider/name`, else those of the name alone."""
        return self.entries.get(str(model)) or self.entries.get(model.name)


def _full_name(name: str, entry: Json) -> str:
    # Return `provider/name`: LiteLLM leaves out the provider where the name alone is clear.
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


_LIST = "genai-prices"
_THIS_MACHINE = ("//127.", "//localhost", "//[::1]")  # Not in the list, so it need not be imported.

CostOf = Callable[[Usage], float]


@dataclass(frozen=True, slots=True)
class Market:
    """What decides whose prices apply.

    `addresses` are the providers' addresses where they are not the provider's own: a proxy sets its own prices.
    `local` models cost machine time, at `hourly` US dollars; `replayed` ones cost nothing. `behind` maps a name that
    the user chose, such as a deployment's, to the model that answers.
    """

    addresses: Mapping[str, str]
    local: frozenset[str] = frozenset()
    hourly: float | None = None
    behind: Mapping[str, str] = field(default_factory=dict)
    replayed: frozenset[str] = frozenset()

    def free(self, model: ModelRef) -> bool:
        """Return whether a call to this model is not billed."""
        return str(model) in self.local or str(model) in self.replayed


class Prices:
    """The prices of the models in play."""

    def __init__(self, market: Market, file: PriceFile | None = None) -> None:
        self.market = market
        self._file = file
        self._found: dict[tuple[str, str, bool], CostOf | None] = {}

    def cost(self, model: ModelRef, answer: Answer) -> float | None:
        """Return US dollars for an answer. Writing to a provider's cache counts as plain input."""
        if str(model) in self.market.local:
            hourly = self.market.hourly
            return None if hourly is None else hourly * answer.provider_ms / 3_600_000
        if answer.usage is None or answer.recorded:
            return None
        price = self._price(model, answer.model, by_batch=answer.by_batch)
        return None if price is None else price(answer.usage)

    def of_tokens(self, model: ModelRef, usage: Usage, *, by_batch: bool = False) -> float | None:
        """Return US dollars for a call with this usage: 0 for a model that is not billed."""
        if self.market.free(model):
            return 0.0
        price = self._price(model, "", by_batch=by_batch)
        return None if price is None else price(usage)

    def facts(self) -> dict[str, str]:
        """Return where the prices come from, for the record."""
        own = {"file": self._file.name, "file_hash": self._file.hash} if self._file else {}
        return {_LIST: metadata.version(_LIST), **own}

    def _price(self, model: ModelRef, returned: str, *, by_batch: bool) -> CostOf | None:
        # Look up the requested name in the file; in the list also the returned name and the model behind it.
        key = (str(model), returned, by_batch)
        if key not in self._found:
            rates = self._file.rates(model) if self._file else None
            share = _BATCH_PRICES.get(model.provider, {}).get("share", 1.0) if by_batch else 1.0
            self._found[key] = partial(rates.cost, share=share) if rates else self._listed(model, returned, share)
        return self._found[key]

    def _listed(self, model: ModelRef, returned: str, share: float) -> CostOf | None:
        address = self.market.addresses.get(model.provider)
        if address is not None and any(host in address for host in _THIS_MACHINE):
            return None
        for name in dict.fromkeys((returned, self.market.behind.get(str(model)), model.name)):
            price = listed(name, model.provider, address, share) if name else None
            if price is not None:
                return price
        return None


def listed(name: str, provider: str | None = None, address: str | None = None, share: float = 1.0) -> CostOf | None:
    """Return the list's price of a model, None if it is unlisted. In logs only the name is known.

    A `share` below 1 is for a batch: that of the usual price, if the list has no price of batches.
    """
    import genai_prices
    from genai_prices.types import TieredPrices

    nothing = genai_prices.Usage(input_tokens=0, output_tokens=0)
    where = {"provider_api_url": address} if address else {"provider_id": provider}
    context = None if share == 1.0 else {"processing": "batch"}
    try:
        usual, price = (
            genai_prices.calc_price(nothing, name, price_context=it, **where).model_price for it in (None, context)
        )
    except LookupError:
        return None
    share = share if price == usual else 1.0
    rates = (price.input_mtok, price.output_mtok, price.cache_read_mtok)
    if any(isinstance(rate, TieredPrices) for rate in rates):
        return lambda usage: (
            share
            * float(
                price.calc_price(
                    genai_prices.Usage(
                        input_tokens=usage.input_tokens,
                        output_tokens=usage.output_tokens,
                        cache_read_tokens=min(usage.cached_tokens or 0, usage.input_tokens),
                    )
                )["total_price"]
            )
        )
    given, made, cached = (float(rate) if isinstance(rate, Decimal | int | float) else None for rate in rates)
    # Models that answer with an embedding or a score have no price for output, which they do not have either.
    return None if given is None else partial(Rates(given, made or 0.0, cached).cost, share=share)
