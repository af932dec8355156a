"""OpenAI's Chat Completions or Responses, at api.openai.com or at any server that speaks the same.

The key is in OPENAI_API_KEY, or in the variable that the setting `api_key_env` names; a server on this machine needs
none. The address is the setting `base_url` or OPENAI_BASE_URL, never a suite's. Other settings: `api` (`chat`, or
`responses`), `timeout` in seconds (120), `concurrency` (50), `structured` (send the prompt's output schema),
`context_window` in tokens (as the list of `genai-prices` has it).
"""

from __future__ import annotations

from collections.abc import Mapping

from promptbench.core.diagnostics import Code
from promptbench.core.protocols import Problem, ProviderContext
from promptbench.core.types import Json, Request
from promptbench.providers import _chat, _credentials, _hosted, _options, _responses, _windows

_HOME = "https://api.openai.com/v1"
_APIS = ("chat", "responses")

sees_prompt = True
local = False


def connect(name: str, context: ProviderContext) -> _hosted.Hosted:
    place = _place(name, context)
    found = problems(name, context)
    return _hosted.Hosted(
        name,
        place.target(context.environ),
        _api(place, context),
        context.options,
        sdk="openai",
        client=lambda: _hosted.openai_client(place.url, place.key(context.environ)),
        blocked=found[0].message if found else None,
    )


def problems(name: str, context: ProviderContext) -> list[Problem]:
    found = _place(name, context).problems(context.environ, context.options)
    api = context.options.get("api", "chat")
    if api not in _APIS:
        hint = 'write it as api = "responses", or leave it out'
        message = f"the setting 'api' of openai must be chat or responses, and is {api!r}"
        found.append(Problem(Code.SETTINGS.name, message, hint))
    return found


def shaped_by(name: str, context: ProviderContext) -> Json:
    """What shapes an answer besides the request."""
    return {**_place(name, context).shape(context.options), "api": context.options.get("api", "chat")}


def unsupported(name: str, context: ProviderContext, params: Mapping[str, Json]) -> list[Problem]:
    """What of a prompt's config this model would not honour."""
    return _api(_place(name, context), context).dialect.problems(params, f"openai/{name}")


def context_window(name: str, context: ProviderContext) -> int | None:
    """How many tokens this model takes with its answer, where that is known."""
    return _windows.find(name, _place(name, context).url, context.options)


def body(request: Request) -> dict[str, Json]:
    """A request as it is posted to OpenAI's Chat Completions, with its output schema. Raises ProviderFailure."""
    return _chat.Chat(_chat.OPENAI).body(request.model.name, request, request.output_schema)


def _place(name: str, context: ProviderContext) -> _hosted.Place:
    written = _options.text(context.options, "base_url")
    return _hosted.Place(
        f"openai/{name}",
        written or context.environ.get("OPENAI_BASE_URL", "").strip() or _HOME,
        "the setting 'base_url' of openai" if written else "OPENAI_BASE_URL",
        _options.text(context.options, "api_key_env") or "OPENAI_API_KEY",
    )


def _api(place: _hosted.Place, context: ProviderContext) -> _hosted.Api:
    if context.options.get("api") == "responses":
        return _responses.Responses()
    own = _credentials.host(place.url).partition(":")[0].endswith("api.openai.com")
    return _chat.Chat(_chat.OPENAI if own else _chat.COMPATIBLE)
