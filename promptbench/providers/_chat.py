"""The Chat Completions dialect: a request's body from ours, our answer from its reply.

Spoken by OpenAI, Azure OpenAI, llama.cpp, vLLM and most others, with small differences that `Dialect` names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptbench.core.diagnostics import Code, did_you_mean
from promptbench.core.protocols import Problem
from promptbench.core.types import Answer, FailureKind, Json, ProviderFailure, Request, Usage
from promptbench.providers import _events

TIMEOUT_WORD = "timeout"
"""A word of a prompt's `config` that is about the call and not sent."""

_COMMON = {"temperature": "temperature", "topP": "top_p", "stopSequences": "stop", "seed": "seed"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server differs. `words` maps a prompt's `config` words to the server's parameters."""

    words: Mapping[str, str]

    def params(self, config: Mapping[str, Json], model: str) -> dict[str, Json]:
        """The parameters to send. Raises ProviderFailure for a word that this server would not honour."""
        for problem in self.problems(config, model):
            raise ProviderFailure(FailureKind.REJECTED, f"{problem.message}: {problem.hint}")
        return {self.words[word]: value for word, value in config.items() if word != TIMEOUT_WORD}

    def problems(self, config: Mapping[str, Json], model: str) -> list[Problem]:
        """One for each word of a prompt's `config` that this server would not honour."""
        return [
            Problem(
                Code.UNKNOWN_KEY.name,
                f"{model} does not take '{word}' from the prompt's config",
                self._advice(word),
            )
            for word in config
            if word != TIMEOUT_WORD and word not in self.words
        ]

    def _advice(self, word: str) -> str:
        meant = did_you_mean(word, self.words)
        if meant:
            return f"did you mean '{meant}'?"
        return f"it takes {', '.join(self.words)}" if self.words else "it takes none"


OPENAI = Dialect({**_COMMON, "maxOutputTokens": "max_completion_tokens"})
COMPATIBLE = Dialect({**_COMMON, "maxOutputTokens": "max_tokens"})
"""Servers that speak OpenAI's dialect: all know `max_tokens`, few `max_completion_tokens`."""


def schema_format(schema: Mapping[str, Json]) -> dict[str, Json]:
    """`response_format` for an output schema. Not strict: strict refuses schemas with optional fields."""
    return {"type": "json_schema", "json_schema": {"name": "output", "schema": dict(schema), "strict": False}}


def encode(body: Mapping[str, Json]) -> bytes:
    """The body as JSON. Raises ProviderFailure for what JSON cannot carry."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:
        why = "the prompt or a value in it holds half of a character (a lone surrogate)"
    except (TypeError, ValueError) as error:
        why = f"the request cannot be written as JSON: {error}"
    raise ProviderFailure(FailureKind.REJECTED, why)


@dataclass(frozen=True, slots=True)
class Chat:
    """Asking by Chat Completions."""

    dialect: Dialect
    path: str = "/chat/completions"

    @property
    def streamed(self) -> Mapping[str, Json]:
        return {"stream": True, "stream_options": {"include_usage": True}}

    def body(self, name: str, request: Request, schema: Mapping[str, Json] | None) -> dict[str, Json]:
        """What is posted. Raises ProviderFailure."""
        return {
            "model": name,
            "messages": [message.as_dict() for message in request.messages],
            **self.dialect.params(request.params, str(request.model)),
            **({"response_format": schema_format(schema)} if schema is not None else {}),
        }

    def read(self, data: Json, *, params: Mapping[str, Json], structured: bool) -> Answer:
        return read_completion(data, params=params, structured=structured)

    def joined(self, events: Sequence[_events.Event]) -> _events.Whole:
        """A Chat Completion from its chunks. Raises BrokenStream where the last one is missing."""
        texts: dict[str, list[str]] = {"content": [], "refusal": []}
        whole: dict[str, Json] = {}
        finish: Json = None
        first = None
        for event in events:
            whole.setdefault("model", event.data.get("model"))
            whole["usage"] = event.data.get("usage") or whole.get("usage")
            choices = event.data.get("choices")
            choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
            finish = choice.get("finish_reason") or finish
            delta = choice.get("delta")
            for kind, parts in texts.items():
                text = delta.get(kind) if isinstance(delta, dict) else None
                if isinstance(text, str) and text:
                    parts.append(text)
                    first = first or event.end
        if finish is None:
            raise _events.BrokenStream("a stream that did not end")
        message = {kind: "".join(parts) if parts else None for kind, parts in texts.items()}
        if message["content"] is None and message["refusal"] is None and finish == "stop":
            message["content"] = ""
        return _events.Whole({**whole, "choices": [{"message": message, "finish_reason": finish}]}, first)


class NotACompletion(Exception):
    """The reply is none; the text says what it is instead, to follow 'answered with'."""


def read_completion(data: Json, *, params: Mapping[str, Json], structured: bool) -> Answer:
    """The answer in a decoded Chat Completions reply. Raises NotACompletion."""
    if not isinstance(data, dict):
        raise NotACompletion("JSON that is no completion")
    choices = data.get("choices")
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        raise NotACompletion("a completion without choices")
    message, finish = choices[0].get("message"), choices[0].get("finish_reason")
    text, finish = _text(message if isinstance(message, dict) else {}, finish)
    return Answer(
        text=text,
        model=str(data.get("model") or ""),
        params=params,
        usage=read_usage(data.get("usage")),
        finish_reason=finish,
        structured=structured,
    )


def _text(message: Mapping[str, Json], finish: Json) -> tuple[str, str | None]:
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(content, str):
        return content, finish if isinstance(finish, str) else None
    if isinstance(refusal, str):
        return refusal, "refusal"
    if content is None and finish in ("length", "content_filter"):
        # No text is what the model had to say within its limits: that is a wrong answer, not a failed call.
        return "", finish
    raise NotACompletion("a message without text")


def read_usage(data: Json) -> Usage | None:
    """Token counts, or None where the server does not say."""
    if not isinstance(data, dict):
        return None
    given, made = data.get("prompt_tokens"), data.get("completion_tokens")
    if not (isinstance(given, int) and isinstance(made, int)):
        return None
    return Usage(
        given,
        made,
        cached_tokens=detail(data, "prompt_tokens_details", "cached_tokens"),
        reasoning_tokens=detail(data, "completion_tokens_details", "reasoning_tokens"),
    )


def detail(data: Mapping[str, Json], part: str, name: str) -> int | None:
    details = data.get(part)
    value = details.get(name) if isinstance(details, dict) else None
    return value if isinstance(value, int) else None


def require_messages(request: Request) -> None:
    """Raises ProviderFailure when there is nothing to say to a model that reads prompts."""
    if not request.messages:
        raise ProviderFailure(FailureKind.REJECTED, f"{request.model} needs a prompt, and this case has none")
