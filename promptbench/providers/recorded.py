"""Recorded answers of real calls: `recorded/openai/gpt-5.4-mini` answers as `openai/gpt-5.4-mini` did.

Needs no key and no network. An answer is one of an earlier run to the same request, or one of an imported log to the
same messages. A request that was never recorded, because the prompt, a value or a parameter has changed since, is an
error.
"""

import dataclasses
from collections.abc import Mapping

from promptbench.core.canonical import digest
from promptbench.core.errors import Code
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
                "write it as recorded/provider/name, such as recorded/openai/gpt-5.4-mini",
            )
        ]
    known = context.recordings
    if known is None or (known.deterministic(model) is None and not known.has_logged(model)):
        return [
            Problem(
                Code.UNKNOWN_MODEL.name,
                f"no recorded answers of {model} found",
                f"run the suite once with {model} itself, or import a log with its answers",
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
        """Return what was recorded with the answers: the model's own parameters shaped them.

        A log has one answer to each input, so nothing is gained by a second call.
        """
        found = self._recordings.deterministic(self._name) if self._recordings is not None else False
        return found is None or found

    async def complete(self, request: Request) -> Answer:
        original = dataclasses.replace(request, model=self._model)
        if self._recordings and (found := self._recordings.find(digest(original.as_dict()))):
            return dataclasses.replace(found[0], recorded=True)
        if self._recordings and (logged := self._recordings.logged(self._name, request.messages, request.variables)):
            return logged
        raise ProviderFailure(
            FailureKind.REJECTED,
            f"no recording of {self._name} for this request; the prompt, its values or its config have changed "
            f"since, so run it once with {self._name} itself",
        )


SPEC = ProviderSpec(
    connect=lambda name, context: Recorded(name, context.recordings),
    problems=_problems,
    without_tools=lambda name, context: None,
    # A recording is replaced by the next real answer, and reading it is not a call that a cache could save.
    shaped_by=lambda name, context: None,
    replays=True,
)
