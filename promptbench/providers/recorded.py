"""Recorded answers of real calls: `recorded/openai/gpt-5-mini` answers as `openai/gpt-5-mini` did.

Needs no key and no network. A request that was never recorded, because the prompt, a value or a parameter has changed
since, is an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from promptbench.core.canonical import digest
from promptbench.core.diagnostics import Code
from promptbench.core.protocols import Recordings
from promptbench.core.types import Answer, FailureKind, Json, ModelRef, ProviderFailure, Request
from promptbench.plugins import Problem, Provider, ProviderContext, ProviderSpec


def _problems(name: str, context: ProviderContext) -> list[Problem]:
    try:
        model = str(ModelRef.parse(name))
    except ValueError:
        return [
            Problem(
                Code.UNKNOWN_MODEL.name,
                f"recorded/{name} does not name the model whose answers to use",
                "write it as recorded/provider/name, such as recorded/openai/gpt-5-mini",
            )
        ]
    if context.recordings is None or context.recordings.deterministic(model) is None:
        return [
            Problem(
                Code.UNKNOWN_MODEL.name,
                f"no recorded answers of {model} found",
                f"run the suite once with {model} itself; its answers are recorded",
            )
        ]
    return []


class Recorded(Provider):
    """The recorded answers of one model."""

    concurrency = max_concurrency = 1

    def __init__(self, name: str, recordings: Recordings | None) -> None:
        self._name = name
        provider, _, model = name.partition("/")
        self._model = ModelRef(provider, model)
        self._recordings = recordings

    def deterministic(self, params: Mapping[str, Json]) -> bool:
        """Return what was recorded with the answers: the model's own parameters shaped them."""
        return self._recordings is not None and bool(self._recordings.deterministic(self._name))

    async def complete(self, request: Request) -> Answer:
        original = dataclasses.replace(request, model=self._model)
        found = self._recordings.find(digest(original.as_dict())) if self._recordings else None
        if found is None:
            raise ProviderFailure(
                FailureKind.REJECTED,
                f"no recording of {self._name} for this request; the prompt, its values or its config have changed "
                f"since, so run it once with {self._name} itself",
            )
        return dataclasses.replace(found[0], recorded=True)


SPEC = ProviderSpec(
    connect=lambda name, context: Recorded(name, context.recordings),
    problems=_problems,
    # A recording is replaced by the next real answer, and reading it is not a call that a cache could save.
    shaped_by=lambda name, context: None,
    replays=True,
)
