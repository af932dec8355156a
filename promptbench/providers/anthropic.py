"""Anthropic's Messages: `anthropic/claude-haiku-4-5`.

The key is in ANTHROPIC_API_KEY, or in the variable that the setting `api_key_env` names; a server on this machine needs
none. The address is the setting `base_url` or ANTHROPIC_BASE_URL, never a suite's. Other settings: `timeout` in seconds
(120), `concurrency` (at most this many calls at once), `structured` (enforce the prompt's output schema),
`context_window` in tokens (as the list of `genai-prices` has it).

Of a prompt's config it takes `maxOutputTokens` (4096 by default) and `stopSequences`: the API has no temperature, topP,
topK or seed, and a config key that it would ignore is an error.
"""

from __future__ import annotations

from typing import Any

from promptbench.core.types import Json, Request
from promptbench.plugins import Problem, ProviderContext
from promptbench.providers import _hosted, _messages


def _server(name: str, context: ProviderContext) -> _hosted.HostedServer:
    return _hosted.server_of("anthropic", name, context, home="https://api.anthropic.com")


def _setup(name: str, context: ProviderContext) -> _hosted.Setup:
    server = _server(name, context)
    return _hosted.Setup(
        name,
        server,
        _messages.Messages(),
        context.options,
        client=lambda: _client(server.url, server.key(context.environ)),
        sdk="anthropic",
    )


def _problems(name: str, context: ProviderContext) -> list[Problem]:
    return _server(name, context).problems(context.environ, context.options)


def _client(url: str, key: str) -> Any:
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(api_key=key, base_url=url, **_hosted.client_options(url))


def _body(request: Request) -> dict[str, Json]:
    return _messages.Messages().body(request.model.name, request, request.output_schema)


SPEC = _hosted.hosted_spec(_setup, _problems, request_body=_body)
