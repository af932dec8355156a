"""OpenAI's models at Azure: `azure_openai/<deployment>`, the name of the deployment at your resource.

The key is in AZURE_OPENAI_API_KEY, or in the variable that the setting `api_key_env` names. The resource is the setting
`endpoint` or AZURE_OPENAI_ENDPOINT, such as https://NAME.openai.azure.com, never a suite's. Other settings:
`api_version` (else OPENAI_API_VERSION, else 2024-10-21), `deployments` (which model is behind a deployment, for its
price and its parameters), `timeout` in seconds (120), `concurrency` (at most this many calls at once), `structured`
(send the prompt's output schema), `context_window` in tokens (as the list of `genai-prices` has it).
"""

import re
from dataclasses import replace
from functools import partial
from typing import Any

from promptbench.core.errors import Code
from promptbench.core.settings_file import place
from promptbench.plugins import Problem, ProviderContext, ProviderOption
from promptbench.providers import _batch, _chat, _hosted, _options
from promptbench.providers._capabilities import Capabilities, capabilities, text_only

_DEPLOYMENT = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?", re.ASCII)


def _server(name: str, context: ProviderContext) -> _hosted.HostedServer:
    return _hosted.server_of("azure_openai", name, context, setting="endpoint")


def _setup(name: str, context: ProviderContext) -> _hosted.Setup:
    server = _server(name, context)
    written = _options.text(context.options, "api_version")
    version = written or context.environ.get("OPENAI_API_VERSION", "").strip() or "2024-10-21"
    deployments = context.options.get("deployments")
    model = _options.text(deployments, name) if isinstance(deployments, dict) else ""

    # A deployment's name says nothing; the setting `deployments` says which model is behind it.
    known = capabilities("openai", model) if model else Capabilities()

    def client() -> Any:
        from openai import AsyncAzureOpenAI

        return AsyncAzureOpenAI(
            api_key=server.key(context.environ),
            azure_endpoint=server.url,
            azure_deployment=name,
            api_version=version,
            **_hosted.client_options(server.url),
        )

    return _hosted.Setup(
        name,
        server,
        _chat.Chat(replace(_chat.limited(_chat.OPENAI, context.options), known=known), own=True),
        context.options,
        client=client,
        facts={"deployment": name, "api_version": version, **({"model": model} if model else {})},
        models_path="",
        listed_as=model,
        shape={"api_version": version, "model": model},
        batch=partial(_batch.OpenAIBatch, prefix=""),
    )


def _problems(name: str, context: ProviderContext) -> list[Problem]:
    server = _server(name, context)
    found = []
    if not _DEPLOYMENT.fullmatch(name):
        hint = "write azure_openai/ and the deployment's name as the Azure portal shows it"
        found.append(Problem(Code.UNKNOWN_MODEL.name, f"{name[:64]!r} cannot be a deployment at Azure", hint))
    deployments = context.options.get("deployments", {})
    if not (isinstance(deployments, dict) and all(isinstance(model, str) for model in deployments.values())):
        message = "the setting 'deployments' of azure_openai must be a table of model names"
        found.append(Problem(Code.SETTINGS.name, message, 'write it as deployments = { triage-prod = "gpt-5.4-mini" }'))
    if server.url:
        return [*found, *server.problems(context, context.options)]
    hint = f'write endpoint = "https://NAME.openai.azure.com" under {place(context.root, "providers.azure_openai")}'
    message = f"azure_openai/{name} has no endpoint: neither the setting 'endpoint' nor AZURE_OPENAI_ENDPOINT is set"
    return [*found, Problem(Code.SETTINGS.name, message, hint, absent="AZURE_OPENAI_ENDPOINT")]


SPEC = _hosted.hosted_spec(
    _setup,
    _problems,
    options={
        "endpoint": ProviderOption("text", "the address of the resource", "", "AZURE_OPENAI_ENDPOINT"),
        "api_version": ProviderOption("text", "the version of the API", "2024-10-21", "OPENAI_API_VERSION"),
        "deployments": ProviderOption("table", "the model behind each deployment, for its price and parameters"),
    },
    addresses=lambda context: [_server("", context).as_address("azure_openai")],
    embeds=True,
    unsupported_file=lambda name, context, media: text_only(_setup(name, context).listed_as),
)
