"""OpenAI's Chat Completions or Responses, at api.openai.com or at any server that offers the same API.

The key is in OPENAI_API_KEY, or in the variable that the setting `api_key_env` names; a server on this machine needs
none. The address is the setting `base_url` or OPENAI_BASE_URL, never a suite's. Other settings: `api` (`chat`, or
`responses`), `timeout` in seconds (120), `concurrency` (at most this many calls at once), `structured` (send the
prompt's output schema), `context_window` in tokens (as the list of `genai-prices` has it).
"""

from __future__ import annotations

from promptbench.core.diagnostics import Code
from promptbench.core.types import Json, Request
from promptbench.plugins import Problem, ProviderContext
from promptbench.providers import _chat, _credentials, _hosted, _responses

_HOME = "https://api.openai.com/v1"
_APIS = ("chat", "responses")


def _setup(name: str, context: ProviderContext) -> _hosted.Setup:
    server = _hosted.server_of("openai", name, context, home=_HOME)
    own = _credentials.host(server.url).partition(":")[0].endswith("api.openai.com")
    chat = _chat.Chat(_chat.OPENAI if own else _chat.COMPATIBLE)
    api = context.options.get("api", "chat")
    return _hosted.Setup(
        name,
        server,
        _responses.Responses() if api == "responses" else chat,
        context.options,
        client=lambda: _hosted.openai_client(server.url, server.key(context.environ)),
        shape={"api": api},
    )


def _problems(name: str, context: ProviderContext) -> list[Problem]:
    found = _hosted.server_of("openai", name, context, home=_HOME).problems(context.environ, context.options)
    api = context.options.get("api", "chat")
    if api not in _APIS:
        found.append(
            Problem(
                Code.SETTINGS.name,
                f"the setting 'api' of openai must be chat or responses, got {api!r}",
                'write it as api = "responses", or leave it out',
            )
        )
    return found


def _body(request: Request) -> dict[str, Json]:
    return _chat.Chat(_chat.OPENAI).body(request.model.name, request, request.output_schema)


SPEC = _hosted.hosted_spec(_setup, _problems, request_body=_body)
