"""OpenAI's models at Azure: `azure_openai/<deployment>`, the name that the deployment has at your resource.

The key is in AZURE_OPENAI_API_KEY, or in the variable that the setting `api_key_env` names. The resource is the setting
`endpoint` or AZURE_OPENAI_ENDPOINT, such as https://NAME.openai.azure.com, never a suite's. Other settings:
`api_version` (else OPENAI_API_VERSION, else 2024-10-21), `deployments` (which model is behind a deployment, for its
price), `timeout` in seconds (120), `concurrency` (50), `structured` (send the prompt's output schema),
`context_window` in tokens (as the list of `genai-prices` has it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptbench.core.diagnostics import Code
from promptbench.core.protocols import Problem, ProviderContext
from promptbench.core.types import Json
from promptbench.providers import _chat, _hosted, _options, _windows

_API_VERSION = "2024-10-21"
_DEPLOYMENT = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?", re.ASCII)

sees_prompt = True
local = False


def connect(name: str, context: ProviderContext) -> _hosted.Hosted:
    place = _place(name, context)
    found = problems(name, context)
    model = _model_behind(name, context)
    return _hosted.Hosted(
        name,
        place.target(context.environ),
        _chat.Chat(_chat.OPENAI),
        context.options,
        sdk="openai",
        client=lambda: _client(name, place.url, place.key(context.environ), _api_version(context)),
        blocked=found[0].message if found else None,
        facts={"deployment": name, "api_version": _api_version(context), **({"model": model} if model else {})},
    )


def problems(name: str, context: ProviderContext) -> list[Problem]:
    place = _place(name, context)
    found = _name_problems(name, context)
    if not place.url:
        hint = 'write endpoint = "https://NAME.openai.azure.com" under [tool.promptbench.providers.azure_openai]'
        message = (
            f"azure_openai/{name} has no endpoint: neither the setting 'endpoint' nor AZURE_OPENAI_ENDPOINT is set"
        )
        return [*found, Problem(Code.SETTINGS.name, message, hint, absent="AZURE_OPENAI_ENDPOINT")]
    return [*found, *place.problems(context.environ, context.options)]


def shaped_by(name: str, context: ProviderContext) -> Json:
    """What shapes an answer besides the request."""
    place = _place(name, context)
    behind = {"api_version": _api_version(context), "model": _model_behind(name, context)}
    return {**place.shape(context.options), **behind}


def unsupported(name: str, context: ProviderContext, params: Mapping[str, Json]) -> list[Problem]:
    """What of a prompt's config this model would not honour."""
    return _chat.OPENAI.problems(params, f"azure_openai/{name}")


def context_window(name: str, context: ProviderContext) -> int | None:
    """How many tokens this model takes with its answer, where that is known."""
    model = _model_behind(name, context) or name
    return _windows.find(model, _place(name, context).url, context.options)


def _name_problems(name: str, context: ProviderContext) -> list[Problem]:
    found = []
    if not _DEPLOYMENT.fullmatch(name):
        hint = "write azure_openai/ and the deployment's name as the Azure portal shows it"
        found.append(Problem(Code.UNKNOWN_MODEL.name, f"{name[:64]!r} cannot be a deployment at Azure", hint))
    deployments = context.options.get("deployments", {})
    if not (isinstance(deployments, dict) and all(isinstance(model, str) for model in deployments.values())):
        message = "the setting 'deployments' of azure_openai must be a table of model names"
        found.append(Problem(Code.SETTINGS.name, message, 'write it as deployments = { triage-prod = "gpt-5-mini" }'))
    return found


def _model_behind(name: str, context: ProviderContext) -> str:
    deployments = context.options.get("deployments")
    return _options.text(deployments, name) if isinstance(deployments, dict) else ""


def _api_version(context: ProviderContext) -> str:
    written = _options.text(context.options, "api_version")
    return written or context.environ.get("OPENAI_API_VERSION", "").strip() or _API_VERSION


def _place(name: str, context: ProviderContext) -> _hosted.Place:
    written = _options.text(context.options, "endpoint")
    return _hosted.Place(
        f"azure_openai/{name}",
        written or context.environ.get("AZURE_OPENAI_ENDPOINT", "").strip(),
        "the setting 'endpoint' of azure_openai" if written else "AZURE_OPENAI_ENDPOINT",
        _options.text(context.options, "api_key_env") or "AZURE_OPENAI_API_KEY",
    )


def _client(deployment: str, endpoint: str, key: str, api_version: str) -> Any:
    from openai import AsyncAzureOpenAI

    return AsyncAzureOpenAI(
        api_key=key,
        azure_endpoint=endpoint,
        azure_deployment=deployment,
        api_version=api_version,
        **_hosted.client_options(endpoint),
    )
