"""What an answer costs in US dollars: by the project's price file, else by the list that `genai-prices` ships.

Nothing is fetched. A price that nobody knows is None, never 0. The list's price of a model is looked up once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import metadata

from promptbench.core.types import Answer, ModelRef, Usage
from promptbench.gateway.price_file import PriceFile, Rates

_LIST = "genai-prices"

CostOf = Callable[[Usage], float]


@dataclass(frozen=True, slots=True)
class Market:
    """Who is paid. `addresses` are the providers' addresses where they are not the provider's own: a proxy or another
    server that speaks the same dialect sets its own prices. `local` models cost the machine's time, at `hourly` US
    dollars; those of the provider `recorded` are not asked at all. `behind` says which model answers where a name is
    one's own, as that of a deployment.
    """

    addresses: Mapping[str, str]
    local: frozenset[str] = frozenset()
    hourly: float | None = None
    behind: Mapping[str, str] = field(default_factory=dict)

    def free(self, model: ModelRef) -> bool:
        """Whether nobody sends a bill for a call."""
        return str(model) in self.local or model.provider == "recorded"


class Prices:
    """The prices of the models in play."""

    def __init__(self, market: Market, file: PriceFile | None = None) -> None:
        self.market = market
        self._file = file
        self._found: dict[tuple[str, str], CostOf | None] = {}

    def cost(self, model: ModelRef, answer: Answer) -> float | None:
        """US dollars for an answer. Writing to a provider's cache is counted as plain input."""
        if str(model) in self.market.local:
            hourly = self.market.hourly
            return None if hourly is None else hourly * answer.provider_ms / 3_600_000
        if answer.usage is None or answer.recorded:
            return None
        price = self._price(model, answer.model)
        return None if price is None else price(answer.usage)

    def of_tokens(self, model: ModelRef, usage: Usage) -> float | None:
        """US dollars that a call with so many tokens is billed with: 0 for a model that nobody sends a bill for."""
        if self.market.free(model):
            return 0.0
        price = self._price(model, "")
        return None if price is None else price(usage)

    def facts(self) -> dict[str, str]:
        """Where the prices come from, for the record."""
        own = {"file": self._file.name, "file_hash": self._file.hash} if self._file else {}
        return {_LIST: metadata.version(_LIST), **own}

    def _price(self, model: ModelRef, returned: str) -> CostOf | None:
        """By the name that was asked for in the file; in the list also by the name that the provider returned, and by
        that of the model behind a deployment, since a deployment may be named as one likes."""
        key = (str(model), returned)
        if key not in self._found:
            rates = self._file.rates(model) if self._file else None
            self._found[key] = rates.cost if rates else self._listed(model, returned)
        return self._found[key]

    def _listed(self, model: ModelRef, returned: str) -> CostOf | None:
        address = self.market.addresses.get(model.provider)
        if address is not None and _is_this_machine(address):
            return None
        for name in dict.fromkeys((returned, self.market.behind.get(str(model)), model.name)):
            price = _look_up(model.provider, address, name) if name else None
            if price is not None:
                return price
        return None


def listed(name: str) -> CostOf | None:
    """What the list says of a model that is known by its name alone, as logs have it; None where it is not there."""
    return _look_up(None, None, name)


def _is_this_machine(address: str) -> bool:
    """Spares the import of the list where it can hold nothing."""
    return "//127." in address or "//localhost" in address or "//[::1]" in address


def _look_up(provider: str | None, address: str | None, name: str) -> CostOf | None:
    import genai_prices
    from genai_prices.types import TieredPrices

    nothing = genai_prices.Usage(input_tokens=0, output_tokens=0)
    try:
        if address:
            price = genai_prices.calc_price(nothing, name, provider_api_url=address).model_price
        else:
            price = genai_prices.calc_price(nothing, name, provider_id=provider).model_price
    except LookupError:
        return None
    rates = (price.input_mtok, price.output_mtok, price.cache_read_mtok)
    if any(isinstance(rate, TieredPrices) for rate in rates):
        return lambda usage: float(price.calc_price(_their_usage(usage))["total_price"])
    given, made, cached = (float(rate) if isinstance(rate, Decimal | int | float) else None for rate in rates)
    return None if given is None or made is None else Rates(given, made, cached).cost


def _their_usage(usage: Usage) -> object:
    import genai_prices

    cached = min(usage.cached_tokens or 0, usage.input_tokens)
    return genai_prices.Usage(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cache_read_tokens=cached
    )
