"""Price answers in US dollars, by the project's price file, else by the list that `genai-prices` ships.

Nothing is fetched. An unknown price is None, never 0. A model is looked up once.
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
        self._found: dict[tuple[str, str], CostOf | None] = {}

    def cost(self, model: ModelRef, answer: Answer) -> float | None:
        """Return US dollars for an answer. Writing to a provider's cache counts as plain input."""
        if str(model) in self.market.local:
            hourly = self.market.hourly
            return None if hourly is None else hourly * answer.provider_ms / 3_600_000
        if answer.usage is None or answer.recorded:
            return None
        price = self._price(model, answer.model)
        return None if price is None else price(answer.usage)

    def of_tokens(self, model: ModelRef, usage: Usage) -> float | None:
        """Return US dollars for a call with this usage: 0 for a model that is not billed."""
        if self.market.free(model):
            return 0.0
        price = self._price(model, "")
        return None if price is None else price(usage)

    def facts(self) -> dict[str, str]:
        """Return where the prices come from, for the record."""
        own = {"file": self._file.name, "file_hash": self._file.hash} if self._file else {}
        return {_LIST: metadata.version(_LIST), **own}

    def _price(self, model: ModelRef, returned: str) -> CostOf | None:
        """Look up the requested name in the file; in the list also the returned name and the model behind it."""
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
    """Return the list's price of a model of which only the name is known, as in logs; None if unlisted."""
    return _look_up(None, None, name)


def _is_this_machine(address: str) -> bool:
    """Return whether the list cannot have this address, which saves importing it."""
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

    return genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=min(usage.cached_tokens or 0, usage.input_tokens),
    )
