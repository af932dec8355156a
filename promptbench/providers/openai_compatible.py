"""Any server that offers OpenAI's Chat Completions: `openai_compatible/<server>/<model>`.

Ollama, vLLM, llama.cpp, a LiteLLM proxy and others. The settings name the servers:

    [tool.promptbench.providers.openai_compatible.servers.ollama]
    base_url = "http://127.0.0.1:11434/v1"

A remote server needs `api_key_env`, the environment variable that holds its key, or `api_key_env = ""` if it wants
none. Other settings, for one server or for all: `local` (it runs on this machine, at the machine's price), `timeout` in
seconds (120), `concurrency` (at most this many calls at once), `structured` (send the prompt's output schema),
`context_window` in tokens.
"""

from collections.abc import Mapping

from promptbench.core import addresses
from promptbench.core.errors import Code
from promptbench.core.types import Json
from promptbench.plugins import Problem, ProviderContext, ProviderOption, ServiceAddress
from promptbench.providers import _chat, _credentials, _hosted, _options

_EXAMPLE = 'base_url = "http://127.0.0.1:11434/v1"'


def _setup(name: str, context: ProviderContext) -> _hosted.Setup:
    options = _server_options(name, context) or {}
    server = _server(name, options)
    return _hosted.Setup(
        name.partition("/")[2],
        server,
        _chat.Chat(_chat.limited(_chat.COMPATIBLE, options)),
        options,
        client=lambda: _hosted.openai_client(server.url, server.key(context.environ)),
    )


def _problems(name: str, context: ProviderContext) -> list[Problem]:
    server, _, model = name.partition("/")
    if not (server and model):
        hint = "write it as openai_compatible/server/model, such as openai_compatible/ollama/llama3.2"
        message = f"openai_compatible/{name} does not name a server and a model"
        return [Problem(Code.UNKNOWN_MODEL.name, message, hint)]
    options = _server_options(name, context)
    if options is None:
        return [_options.unknown_name("openai_compatible", context, "servers", server, _EXAMPLE)]
    where = _server(name, options)
    found = _options.boolean_problems(options, "openai_compatible", ("local",))
    if not where.url:
        message = f"the settings have no address for the server '{server}' of openai_compatible"
        return [*found, Problem(Code.SETTINGS.name, message, f"write {_EXAMPLE}")]
    wrong_address = _credentials.address_problem(where.source, where.url) is not None
    if not (where.key_variable or where.keyless or wrong_address or addresses.is_loopback(where.url)):
        message = f"the settings do not name the environment variable with the key of the server '{server}'"
        hint = 'write api_key_env = "NAME", or api_key_env = "" for a server that wants no key'
        return [*found, Problem(Code.MISSING_CREDENTIAL.name, message, hint)]
    return [*found, *where.problems(context, options)]


def _server_options(name: str, context: ProviderContext) -> Mapping[str, Json] | None:
    return _options.named(context.options, "servers", name.partition("/")[0])


def _server(name: str, options: Mapping[str, Json]) -> _hosted.HostedServer:
    variable = _options.text(options, "api_key_env")
    return _hosted.HostedServer(
        f"openai_compatible/{name}",
        _options.text(options, "base_url"),
        f"the setting 'base_url' of the server '{name.partition('/')[0]}' of openai_compatible",
        variable,
        keyless="api_key_env" in options and not variable,
    )


def _addresses(context: ProviderContext) -> list[ServiceAddress]:
    return [
        _server(name, _server_options(name, context) or {}).as_address(f"openai_compatible/{name}")
        for name in _options.names(context.options, "servers")
    ]


SPEC = _hosted.hosted_spec(
    _setup,
    _problems,
    # Not by the address: a server on this machine may be a proxy.
    options={
        "servers": ProviderOption("table", "a table for each server, with `base_url` and the keys of this table"),
        "base_url": ProviderOption("text", "the address, in the table of a server"),
        "local": ProviderOption("true or false", "the server runs on this machine, at the machine's price", "false"),
    },
    addresses=_addresses,
    starter_config={"temperature": 0},
    embeds=True,
    runs_here=lambda name, context: (_server_options(name, context) or {}).get("local") is True,
)
