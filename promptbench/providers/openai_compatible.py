"""Any server that speaks OpenAI's Chat Completions: `openai_compatible/<server>/<model>`.

Ollama, vLLM, llama.cpp, a LiteLLM proxy and others. The settings name the servers:

    [tool.promptbench.providers.openai_compatible.servers.ollama]
    base_url = "http://127.0.0.1:11434/v1"

A server elsewhere needs `api_key_env`, the environment variable that holds its key, or `api_key_env = ""` when it wants
none. Other settings, for one server or for all: `local` (it runs on this machine, at the machine's price), `timeout` in
seconds (120), `concurrency` (50), `structured` (send the prompt's output schema), `context_window` in tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

from promptbench.core.diagnostics import Code
from promptbench.core.protocols import Problem, ProviderContext
from promptbench.core.types import Json
from promptbench.providers import _chat, _credentials, _hosted, _options, _windows

_EXAMPLE = 'base_url = "http://127.0.0.1:11434/v1"'

sees_prompt = True
local = False


def connect(name: str, context: ProviderContext) -> _hosted.Hosted:
    options = _server(name, context) or {}
    place = _place(name, options)
    found = problems(name, context)
    return _hosted.Hosted(
        name.partition("/")[2],
        place.target(context.environ),
        _chat.Chat(_chat.COMPATIBLE),
        options,
        sdk="openai",
        client=lambda: _hosted.openai_client(place.url, place.key(context.environ)),
        blocked=found[0].message if found else None,
    )


def problems(name: str, context: ProviderContext) -> list[Problem]:
    server, _, model = name.partition("/")
    if not (server and model):
        hint = "write it as openai_compatible/server/model, such as openai_compatible/ollama/llama3.2"
        message = f"openai_compatible/{name} does not name a server and a model"
        return [Problem(Code.UNKNOWN_MODEL.name, message, hint)]
    options = _server(name, context)
    if options is None:
        return [_options.unknown_name("openai_compatible", context.options, "servers", server, _EXAMPLE)]
    place = _place(name, options)
    found = _options.boolean_problems(options, "openai_compatible", ("local",))
    if not place.url:
        message = f"the settings do not say where the server '{server}' of openai_compatible is"
        return [*found, Problem(Code.SETTINGS.name, message, f"write {_EXAMPLE}")]
    if not (place.key_variable or place.keyless or _address_is_wrong(place) or _credentials.is_loopback(place.url)):
        message = f"the settings do not say which environment variable holds the key of the server '{server}'"
        hint = 'write api_key_env = "NAME", or api_key_env = "" for a server that wants no key'
        return [*found, Problem(Code.MISSING_CREDENTIAL.name, message, hint)]
    return [*found, *place.problems(context.environ, options)]


def shaped_by(name: str, context: ProviderContext) -> Json:
    """What shapes an answer besides the request."""
    options = _server(name, context) or {}
    return _place(name, options).shape(options)


def unsupported(name: str, context: ProviderContext, params: Mapping[str, Json]) -> list[Problem]:
    """What of a prompt's config this model would not honour."""
    return _chat.COMPATIBLE.problems(params, f"openai_compatible/{name}")


def runs_here(name: str, context: ProviderContext) -> bool:
    """Whether this model runs on this machine: a server here may be a proxy to one that does not."""
    return (_server(name, context) or {}).get("local") is True


def context_window(name: str, context: ProviderContext) -> int | None:
    """How many tokens this model takes with its answer, where that is known."""
    options = _server(name, context) or {}
    return _windows.find(name.partition("/")[2], _place(name, options).url, options)


def _server(name: str, context: ProviderContext) -> Mapping[str, Json] | None:
    return _options.named(context.options, "servers", name.partition("/")[0])


def _place(name: str, options: Mapping[str, Json]) -> _hosted.Place:
    variable = _options.text(options, "api_key_env")
    return _hosted.Place(
        f"openai_compatible/{name}",
        _options.text(options, "base_url"),
        f"the setting 'base_url' of the server '{name.partition('/')[0]}' of openai_compatible",
        variable,
        keyless="api_key_env" in options and not variable,
    )


def _address_is_wrong(place: _hosted.Place) -> bool:
    return _credentials.address_problem(place.source, place.url) is not None
