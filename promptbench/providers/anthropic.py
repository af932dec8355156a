"""Anthropic's Messages: `anthropic/claude-haiku-4-5`.

The key is in ANTHROPIC_API_KEY, or in the variable that the setting `api_key_env` names; a server on this machine needs
none. The address is the setting `base_url` or ANTHROPIC_BASE_URL, never a suite's. Other settings: `timeout` in seconds
(120), `concurrency` (50), `structured` (have the prompt's output schema enforced), `context_window` in tokens
(as the list of `genai-prices` has it).

Of a prompt's config it takes `maxOutputTokens` (4096 where there is none) and `stopSequences`: the API has no
temperature, topP, topK or seed, and a config word that would be dropped is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptbench.core.protocols import Problem, ProviderContext
from promptbench.core.types import Json, Request
from promptbench.providers import _hosted, _messages, _options, _windows

_HOME = "https://api.anthropic.com"

sees_prompt = True
local = False


def connect(name: str, context: ProviderContext) -> _hosted.Hosted:
    place = _place(name, context)
    found = problems(name, context)
    return _hosted.Hosted(
        name,
        place.target(context.environ),
        _messages.Messages(),
        context.options,
        sdk="anthropic",
        client=lambda: _client(place.url, place.key(context.environ)),
        blocked=found[0].message if found else None,
    )


def problems(name: str, context: ProviderContext) -> list[Problem]:
    return _place(name, context).problems(context.environ, context.options)


def shaped_by(name: str, context: ProviderContext) -> Json:
    """What shapes an answer besides the request."""
    return _place(name, context).shape(context.options)


def unsupported(name: str, context: ProviderContext, params: Mapping[str, Json]) -> list[Problem]:
    """What of a prompt's config this model would not honour."""
    return _messages.Messages().dialect.problems(params, f"anthropic/{name}")


def context_window(name: str, context: ProviderContext) -> int | None:
    """How many tokens this model takes with its answer, where that is known."""
    return _windows.find(name, _place(name, context).url, context.options)


def body(request: Request) -> dict[str, Json]:
    """A request as it is posted to Messages, with its output schema. Raises ProviderFailure."""
    return _messages.Messages().body(request.model.name, request, request.output_schema)


def _place(name: str, context: ProviderContext) -> _hosted.Place:
    written = _options.text(context.options, "base_url")
    return _hosted.Place(
        f"anthropic/{name}",
        written or context.environ.get("ANTHROPIC_BASE_URL", "").strip() or _HOME,
        "the setting 'base_url' of anthropic" if written else "ANTHROPIC_BASE_URL",
        _options.text(context.options, "api_key_env") or "ANTHROPIC_API_KEY",
    )


def _client(url: str, key: str) -> Any:
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(api_key=key, base_url=url, **_hosted.client_options(url))
