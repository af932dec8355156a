"""How many tokens a hosted model takes, question and answer together."""

from __future__ import annotations

from collections.abc import Mapping

from promptbench.core.types import Json
from promptbench.providers import _credentials, _options

SETTING = "context_window"


def declared(options: Mapping[str, Json]) -> int | None:
    """What the settings say."""
    value = options.get(SETTING)
    return int(value) if _options.is_positive(value) else None


def find(name: str, url: str, options: Mapping[str, Json]) -> int | None:
    """What the settings say, else what the list of `genai-prices` says; None when neither does.

    The address decides whose model it is: a name means another model on another server. The list is imported only where
    it can hold the address, since that takes a fifth of a second.
    """
    size = declared(options)
    if size is not None or not url or _credentials.is_loopback(url):
        return size
    import genai_prices

    nothing = genai_prices.Usage(input_tokens=0, output_tokens=0)
    try:
        return genai_prices.calc_price(nothing, name, provider_api_url=url).model.context_window
    except LookupError:
        return None
