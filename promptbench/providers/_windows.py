"""Context windows of hosted models: tokens of input and answer together."""

from __future__ import annotations

from collections.abc import Mapping

from promptbench.core.types import Json
from promptbench.providers import _credentials, _options

SETTING = "context_window"


def declared(options: Mapping[str, Json]) -> int | None:
    value = options.get(SETTING)
    return int(value) if _options.is_positive(value) else None


def find(name: str, url: str, options: Mapping[str, Json]) -> int | None:
    """Return the size in the settings, else in the list of `genai-prices`; None if neither has it.

    The address decides whose model it is, because a name means another model on another server. The list is imported
    only if it can contain the address, since the import takes a fifth of a second.
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
