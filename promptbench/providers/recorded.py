"""Answers that were kept from real calls: `recorded/openai/gpt-5-mini` answers as `openai/gpt-5-mini` did.

Needs no key and no network. A request that was never recorded, because the prompt, a value or a parameter has changed
since, is refused and not guessed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from promptbench.core.canonical import digest
from promptbench.core.diagnostics import Code
from promptbench.core.protocols import Problem, ProviderContext, Recordings
from promptbench.core.types import Answer, FailureKind, Json, ModelRef, ProviderFailure, Request

sees_prompt = True
local = False


def connect(name: str, context: ProviderContext) -> Recorded:
    return Recorded(name, context.recordings)


def problems(name: str, context: ProviderContext) -> list[Problem]:
    try:
        model = str(ModelRef.parse(name))
    except ValueError:
        return [
            Problem(
                Code.UNKNOWN_MODEL.name,
                f"recorded/{name} does not say whose answers to use",
                "write it as recorded/provider/name, such as recorded/openai/gpt-5-mini",
            )
        ]
    if context.recordings is None or context.recordings.deterministic(model) is None:
        return [
            Problem(
                Code.UNKNOWN_MODEL.name,
                f"there are no recorded answers of {model}",
                f"run the suite once with {model} itself; its answers are kept",
            )
        ]
    return []


def shaped_by(name: str, context: ProviderContext) -> Json:
    """Not known: a recording is replaced by the next real answer. It is no call that could be saved, either."""
    return None


class Recorded:
    """The kept answers of one model."""

    concurrency = 1

    def __init__(self, name: str, recordings: Recordings | None) -> None:
        self._name = name
        provider, _, model = name.partition("/")
        self._model = ModelRef(provider, model)
        self._recordings = recordings

    def deterministic(self, params: Mapping[str, Json]) -> bool:
        """Whether the model that was recorded is; its own parameters were recorded with it."""
        return self._recordings is not None and bool(self._recordings.deterministic(self._name))

    async def ask(self, request: Request) -> Answer:
        original = dataclasses.replace(request, model=self._model)
        found = self._recordings.find(digest(original.as_dict())) if self._recordings else None
        if found is None:
            raise ProviderFailure(
                FailureKind.REJECTED,
                f"no recording of {self._name} for this request; the prompt, its values or its config have changed "
                f"since, so run it once with {self._name} itself",
            )
        return dataclasses.replace(found[0], recorded=True)

    async def close(self) -> None:
        """Holds nothing: the recordings belong to who opened them."""
