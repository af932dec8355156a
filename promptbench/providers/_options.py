"""Read a provider's table of the settings."""

from collections.abc import Mapping
from typing import TypeGuard

from promptbench.core import addresses
from promptbench.core.errors import Code, did_you_mean
from promptbench.core.protocols import Problem, Provider, ProviderContext
from promptbench.core.settings_file import place
from promptbench.core.types import Json
from promptbench.plugins import ProviderOption

WINDOW = "context_window"
# The keys of all providers that are called by HTTP.
HTTP_OPTIONS: Mapping[str, ProviderOption] = {
    "timeout": ProviderOption("number", "seconds to wait for an answer", "120"),
    "concurrency": ProviderOption("number", "the most calls at once, also for `--concurrency`"),
    WINDOW: ProviderOption("number", "the tokens that a model takes with its answer", "as `genai-prices` lists it"),
}
SDK_OPTIONS: Mapping[str, ProviderOption] = {
    **HTTP_OPTIONS,
    "api_key_env": ProviderOption("text", "the variable that holds the key"),
    "structured": ProviderOption("true or false", "the server enforces the prompt's output schema", "false"),
}


def declared_window(options: Mapping[str, Json]) -> int | None:
    value = options.get(WINDOW)
    return int(value) if is_positive(value) else None


def context_window(name: str, url: str, options: Mapping[str, Json]) -> int | None:
    """Return the size in the settings, else in the list of `genai-prices`; None if neither has it.

    The address decides whose model it is, because a name means another model on another server. The list is imported
    only if it can contain the address, since the import takes a fifth of a second.
    """
    size = declared_window(options)
    if size is not None or not url or addresses.is_loopback(url):
        return size
    import genai_prices

    nothing = genai_prices.Usage(input_tokens=0, output_tokens=0)
    try:
        return genai_prices.calc_price(nothing, name, provider_api_url=url).model.context_window
    except LookupError:
        return None


def is_positive(value: Json) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def positive_number(options: Mapping[str, Json], name: str, default: float) -> float:
    """Return the option as a number, or the default if it is missing or invalid: `number_problems` reports that."""
    value = options.get(name)
    return float(value) if is_positive(value) else default


def positive_integer(options: Mapping[str, Json], name: str, default: int) -> int:
    return max(1, int(positive_number(options, name, default)))


def concurrency(options: Mapping[str, Json]) -> tuple[int, int | None]:
    """Return the calls at once by default, and the most; only a provider's own setting is a bound."""
    if not is_positive(options.get("concurrency")):
        return Provider.concurrency, None
    own = positive_integer(options, "concurrency", Provider.concurrency)
    return own, own


def number_problems(options: Mapping[str, Json], provider: str, names: tuple[str, ...]) -> list[Problem]:
    return [
        Problem(
            Code.SETTINGS.name,
            f"the setting '{name}' of {provider} must be a number above 0, got {options[name]!r}",
            f"write it as {name} = 30",
        )
        for name in names
        if name in options and not is_positive(options[name])
    ]


def text(options: Mapping[str, Json], name: str) -> str:
    """Return the option as stripped text; empty if it is missing or not text."""
    value = options.get(name)
    return value.strip() if isinstance(value, str) else ""


def names(options: Mapping[str, Json], group: str) -> list[str]:
    """Return the names of the tables in a group, such as the servers."""
    tables = options.get(group)
    return list(tables) if isinstance(tables, dict) else []


def named(options: Mapping[str, Json], group: str, name: str) -> Mapping[str, Json] | None:
    """Return the table of one named thing, such as a server, merged over the provider's options; None if missing."""
    tables = options.get(group)
    table = tables.get(name) if isinstance(tables, dict) else None
    return {**options, **table} if isinstance(table, dict) else None


def unknown_name(provider: str, context: ProviderContext, group: str, name: str, example: str) -> Problem:
    """Return the problem of a name without a table, with the nearest name or the lines to write."""
    tables = context.options.get(group)
    meant = did_you_mean(name, tables) if isinstance(tables, dict) else None
    where = place(context.root, f"providers.{provider}.{group}.{name}")
    return Problem(
        Code.UNKNOWN_MODEL.name,
        f"the settings have no {provider} {group.removesuffix('s')} '{name}'",
        f"did you mean '{meant}'?" if meant else f"write {example} under {where}",
    )


def boolean_problems(options: Mapping[str, Json], provider: str, names: tuple[str, ...]) -> list[Problem]:
    return [
        Problem(
            Code.SETTINGS.name,
            f"the setting '{name}' of {provider} must be true or false, got {options[name]!r}",
            f"write it as {name} = true",
        )
        for name in names
        if name in options and not isinstance(options[name], bool)
    ]
