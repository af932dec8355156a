"""What a plug-in author needs, in one file.

A plug-in is one module that defines `SPEC`. It lies in the folder of its kind, such as `promptbench/providers/`, or
belongs to another distribution, which names the module or the spec object as an entry point. Its name is the module's
or the entry point's.

A provider of one model, whole:

    from promptbench.plugins import Answer, Provider, ProviderContext, ProviderSpec, Request

    class Shout(Provider):
        async def complete(self, request: Request) -> Answer:
            return Answer(text=request.messages[-1].content.upper(), model="shout")

    def connect(name: str, context: ProviderContext) -> Provider:
        return Shout()

    SPEC = ProviderSpec(connect=connect)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from promptbench.core.protocols import Problem, Provider, ProviderContext
from promptbench.core.secrets import without_secrets
from promptbench.core.types import Answer, FailureKind, Json, ProviderFailure, Request

__all__ = [
    "Answer",
    "Billing",
    "FailureKind",
    "Problem",
    "Provider",
    "ProviderContext",
    "ProviderFailure",
    "ProviderSpec",
    "Request",
]


@dataclass(frozen=True, slots=True)
class Billing:
    """Whose price list applies to a model.

    `address` is the server's base URL where it is not the provider's own: a proxy sets its own prices. `model` is the
    model behind a name that the user chose, such as a deployment's.
    """

    address: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """A provider. Only `connect` is required.

    The hooks take the model's name without the provider (`gpt-5-mini` of `openai/gpt-5-mini`) and the context. They
    run before any call, so they must be fast, and must not raise, import an SDK, load weights or open a connection.
    """

    connect: Callable[[str, ProviderContext], Provider]
    """Return the model. Cheap: whatever takes time belongs in the first `Provider.complete`."""

    problems: Callable[[str, ProviderContext], list[Problem]] = lambda name, context: []
    """Return everything known to be wrong before a call: an unknown model, a missing key, a bad setting."""

    unsupported: Callable[[str, ProviderContext, Mapping[str, Json]], list[Problem]] = lambda name, context, config: []
    """Return a problem for each key of a prompt's `config` that the model does not take."""

    reads_prompt: Callable[[str, ProviderContext], bool] = lambda name, context: True
    """Return whether the model gets messages. A model that is a function gets only the variables of a case."""

    runs_here: Callable[[str, ProviderContext], bool] = lambda name, context: False
    """Return whether the model runs on this machine: it costs machine time and has no rate limit."""

    shaped_by: Callable[[str, ProviderContext], Json] = lambda name, context: without_secrets(context.options)
    """Return what shapes an answer besides the request (address, options, state of files), for the cache key.

    It must not contain a secret. None means that not everything is known, so answers are never cached.
    """

    context_window: Callable[[str, ProviderContext], int | None] = lambda name, context: None
    """Return how many tokens fit into the model, input and answer together. Only called for long prompts."""

    billing: Callable[[str, ProviderContext], Billing] = lambda name, context: Billing()
    """Return whose prices apply to the model."""

    request_body: Callable[[Request], dict[str, Json]] | None = None
    """Return the body that is posted for a request, for `promptbench get --format NAME`. Raises ProviderFailure."""

    replays: bool = False
    """True if answers come from a record: they cost nothing, have no rate limit, and their latency means nothing."""

    context_setting: str = "context_window"
    """The setting that overrides `context_window`, for hints."""

    starter_settings: str = ""
    """TOML that `promptbench init` adds to a new project whose answers are JSON."""

    requires: tuple[str, str] | None = None
    """The optional distribution that the provider needs and the command that installs it, for `promptbench doctor`."""
