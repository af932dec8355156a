"""A version out of the store with all that a caller needs: where it stands, what it is proven on, its messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptbench.api.workspace import PRODUCTION, Project, stored_prompt
from promptbench.core.errors import InputError
from promptbench.core.types import Json, Message, ModelRef, ProviderFailure, Request
from promptbench.prompts.prompt import Prompt, WrongVariables
from promptbench.store.chain import Version
from promptbench.store.proof import ProvenModel

BODIES = ("openai", "anthropic")
"""The APIs whose request a prompt can be printed as: each is a provider with a function `body`."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`label` is the label that was asked for, None where a number or a hash was."""

    version: Version
    label: str | None
    models: tuple[ProvenModel, ...]
    prompt: Prompt

    def messages(self, variables: Mapping[str, Json]) -> tuple[Message, ...]:
        """The messages with all values in place. Raises InputError for a value too few or too many."""
        try:
            self.prompt.check_variables(variables)
        except WrongVariables as error:
            named = f"{self.version.prompt}@{self.version.number}"
            raise InputError(f"{named}: {error}", hint="write each as --var NAME=TEXT or --var NAME=@FILE") from None
        return self.prompt.render(variables)

    def body(self, api: str, variables: Mapping[str, Json], *, model: str | None = None) -> dict[str, Json]:
        """What is posted to one of `BODIES`, with the output schema; `model` is its name there, left out when None.

        Raises InputError for what that API would not take.
        """
        from promptbench.providers import plugins

        asked = self.messages(variables)
        named = ModelRef(api, model or "…")
        request = Request(named, asked, self.prompt.config, self.prompt.output_schema, variables={}, repeat=0)
        try:
            body: dict[str, Json] = plugins.load(api).body(request)
        except ProviderFailure as error:
            raise InputError(error.message if model else error.message.replace(str(named), api)) from None
        return body if model else {word: value for word, value in body.items() if word != "model"}

    def as_dict(self) -> dict[str, Json]:
        """All of it as plain data."""
        fields = ("prompt", "number", "hash", "created", "source", "content")
        return {
            **{name: getattr(self.version, name) for name in fields},
            "label": self.label,
            "models": [{"model": item.model, "returned": list(item.returned)} for item in self.models],
        }


def fetch(project: Project, reference: str) -> Fetched:
    """The version that a reference names. Raises InputError when there is none."""
    _, at, selector = reference.partition("@")
    with project.prompts() as store:
        version = store.get(reference)
        named = selector if at else PRODUCTION
        label = named if named in store.labels(version.prompt) else None
        models = store.proven(version, label)
    # From the source: the content has its keys sorted, and models answer in the order of a schema's.
    return Fetched(version, label, models, stored_prompt(version.source))
