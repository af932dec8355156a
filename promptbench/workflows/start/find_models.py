"""Find the models that can be used right now: the embedded one, servers on this machine, and those with an API key."""

import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from promptbench.project import Project
from promptbench.providers import plugins as providers, provider_spec

# The usual port of each server that offers OpenAI's API, by the name that it gets in the settings.
LOCAL_SERVERS = {"ollama": 11434, "lm-studio": 1234, "llama-cpp": 8080, "vllm": 8000}
_SECONDS = 0.5
_MOST_BYTES = 1_000_000
_NOT_CHAT = re.compile(r"embed|rerank|whisper|bge-|tts", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AvailableModel:
    """A model that can be called. `settings` is the TOML that a project needs for it, without the table's prefix."""

    name: str
    source: str
    server: str = ""
    settings: str = ""


def available_models(project: Project) -> Iterator[AvailableModel]:
    """Yield the available models, free ones first: embedded, on a local server, by an API key.

    Lazy: a server is tried only if the caller wants more than what was found before. No key is sent anywhere.
    """
    specs = {name: spec for name in providers.names() if (spec := provider_spec(name)).starter_model}
    keyed = []
    for provider, spec in specs.items():
        context = project.provider_context(provider)
        ready = not spec.problems(spec.starter_model, context)
        name = f"{provider}/{spec.starter_model}"
        if ready and spec.runs_here(spec.starter_model, context):
            yield AvailableModel(name, "on this machine")
        keys = [key for at in spec.addresses(context) for key in at.keys if project.environ.get(key, "").strip()]
        if ready and keys:
            keyed.append(AvailableModel(name, f"{keys[0]} is set"))
    configured = project.provider_context("openai_compatible").options.get("servers")
    for server, port in LOCAL_SERVERS.items():
        known = isinstance(configured, dict) and server in configured
        settings = f'base_url = "http://127.0.0.1:{port}/v1"\nlocal = true\n'
        for model in _served(port):
            source = f"{server} at 127.0.0.1:{port}"
            yield AvailableModel(f"openai_compatible/{server}/{model}", source, server, "" if known else settings)
    yield from keyed


def _served(port: int) -> list[str]:
    """Return the chat models that a server on this machine lists; empty if none answers in time, as OpenAI would."""
    # Neither a proxy nor a redirect can lead off this machine: `http.client` follows none.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", "/v1/models")
        data = json.loads(connection.getresponse().read(_MOST_BYTES))
        names = [item["id"] for item in data["data"]]
    except (OSError, http.client.HTTPException, ValueError, RecursionError, KeyError, TypeError):
        return []  # anything may listen on these ports
    finally:
        connection.close()
    return [name for name in names if isinstance(name, str) and name and not _NOT_CHAT.search(name)]
