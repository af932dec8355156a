"""Get a stored version with its label, the models that it was proven on, and its messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptbench.core.errors import InputError
from promptbench.core.types import Json, Message, ModelRef, ProviderFailure, Request
from promptbench.project import Project, stored_prompt
from promptbench.prompts.prompt import Prompt, WrongVariables
from promptbench.store.chain import Version
from promptbench.store.proof import ProvenModel

# The APIs for which a request body can be built: each is a provider with a function `body`.
# The providers whose request body a prompt can be printed as: those with a `request_body`.
BODIES = ("openai", "anthropic")


@dataclass(frozen=True, slots=True)
class FetchedPrompt:
    """A stored version. `label` is the label in the reference, None for a number or a hash."""

    version: Version
    label: str | None
    models: tuple[ProvenModel, ...]
    prompt: Prompt

    def messages(self, variables: Mapping[str, Json]) -> tuple[Message, ...]:
        """Return the messages with all values inserted. Raise InputError for missing or unknown variables."""
        try:
            self.prompt.check_variables(variables)
        except WrongVariables as error:
            named = f"{self.version.prompt}@{self.version.number}"
            raise InputError(f"{named}: {error}", hint="write each as --var NAME=TEXT or --var NAME=@FILE") from None
        return self.prompt.render(variables)

    def body(self, api: str, variables: Mapping[str, Json], *, model: str | None = None) -> dict[str, Json]:
        """Return the request body for one of `BODIES`, with the output schema; `model` is its name there, or left out.

        Raises:
            InputError: the API does not accept the prompt's parameters.
        """
        from promptbench.providers import provider_spec

        named = ModelRef(api, model or "…")
        messages = self.messages(variables)
        request = Request(named, messages, self.prompt.config, self.prompt.output_schema, variables={}, repeat=0)
        try:
            build = provider_spec(api).request_body
            assert build is not None
            body = build(request)
        except ProviderFailure as error:
            raise InputError(error.message if model else error.message.replace(str(named), api)) from None
        return body if model else {word: value for word, value in body.items() if word != "model"}

    def as_dict(self) -> dict[str, Json]:
        """Return everything as plain data."""
        fields = ("prompt", "number", "hash", "created", "source", "content")
        return {
            **{name: getattr(self.version, name) for name in fields},
            "label": self.label,
            "models": [{"model": item.model, "returned": list(item.returned)} for item in self.models],
        }


def fetch(project: Project, reference: str) -> FetchedPrompt:
    """Return the version for a reference. Raise InputError if it is not found."""
    with project.prompts() as store:
        version, label, models = store.fetch(reference)
    # From the source: the content has its keys sorted, and models answer in the order of a schema's.
    return FetchedPrompt(version, label, models, stored_prompt(version.source))
