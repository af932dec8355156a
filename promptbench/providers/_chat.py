"""OpenAI's Chat Completions: build the body of a request, read the answer in a reply.

OpenAI, Azure OpenAI, llama.cpp, vLLM and most others offer it, with the small differences in `Dialect`.
"""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import PurePosixPath

from promptbench.core.call_config import EXTRA, spaced
from promptbench.core.errors import Code, did_you_mean
from promptbench.core.files import FileValue
from promptbench.core.protocols import Problem
from promptbench.core.types import Answer, FailureKind, Json, Message, ProviderFailure, Request, ToolCall, Usage
from promptbench.providers import _enforced, _events
from promptbench.providers._capabilities import Capabilities

TIMEOUT_WORD = "timeout"  # a key of a prompt's `config` that is about the call and not sent
_CHOICE_WORD = "toolChoice"  # a key that each API writes in its own way
_NO_PARAMETERS = (TIMEOUT_WORD, _CHOICE_WORD)

_COMMON = {"temperature": "temperature", "topP": "top_p", "stopSequences": "stop", "seed": "seed"}
_STEERED = {**_COMMON, "reasoningEffort": "reasoning_effort", "verbosity": "verbosity"}
# What a call consists of besides its parameters, and what would change how its answer is read.
_OURS = frozenset({"model", "messages", "input", "system", "stream", "stream_options", "store", "n"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """The parameters of a server. `words` maps the words of a `config` to fields of the body, a point for each level.

    `known` is what the model is known to take of them.
    """

    words: Mapping[str, str]
    known: Capabilities = field(default_factory=Capabilities)

    def params(self, config: Mapping[str, Json], model: str) -> dict[str, Json]:
        """Return the parameters to send. Raises ProviderFailure for a word that this server or model does not take."""
        for problem in self.problems(config, model):
            raise ProviderFailure(FailureKind.REJECTED, f"{problem.message}: {problem.hint}")
        sent: dict[str, Json] = {}
        for word, value in config.items():
            if word in self.words:
                *above, name = self.words[word].split(".")
                sent = joined(sent, reduce(lambda inner, level: {level: inner}, reversed(above), {name: value}))
        return joined(sent, config.get(EXTRA, {}))

    def problems(self, config: Mapping[str, Json], model: str) -> list[Problem]:
        """Return a problem for each word of a `config` that this server or model is known not to take."""
        found = []
        # A server without words has no body of its own either.
        taken = {*self.words, *_NO_PARAMETERS, *([EXTRA] if self.words else [])}
        for word in config:
            if word not in taken:
                message = f"{model} does not take '{word}' from the config"
                found.append(Problem(Code.UNKNOWN_KEY.name, message, self._advice(word), word=word))
            elif (why := self.known.refusal(word, config)) is not None:
                found.append(Problem(Code.NOT_TAKEN.name, f"{model} {why}", self.known.advice(word), word=word))
        own = {path: word for word, path in self.words.items() if self.known.takes(word) is not False}
        for name in config.get(EXTRA, {}):
            if name in _OURS:
                message = f"'{name}' cannot be under '{EXTRA}': promptbench sets it"
                found.append(Problem(Code.BAD_VALUE.name, message, "delete the line", word=EXTRA))
            elif name in own:
                message = f"'{name}' under '{EXTRA}' has a word of its own, '{own[name]}'"
                hint = f"write '{spaced(own[name])}: …' next to '{EXTRA}'"
                found.append(Problem(Code.BAD_VALUE.name, message, hint, word=EXTRA))
        return found

    def blamed(self, config: Mapping[str, Json], named: str, message: str) -> str | None:
        """Return the word of the config that a server refused, by the field that it names or the text of its error."""
        paths = {word: self.words[word] for word in config if word in self.words}
        texts = [r"\A{}\Z", r"(?<![\w.]){}(?!\w)"]
        found = (
            word
            for pattern, text in zip(texts, (named, message), strict=True)
            for word, path in paths.items()
            if re.search(pattern.format(re.escape(path)), text)
        )
        return next(found, None)

    def _advice(self, word: str) -> str:
        meant = did_you_mean(word, self.words)
        if meant:
            return f"did you mean '{meant}'?"
        if not self.words:
            return "it takes none"
        return f"it takes {', '.join(self.words)}; fields of the server's own belong under '{EXTRA}'"


def joined(body: Mapping[str, Json], more: Mapping[str, Json]) -> dict[str, Json]:
    """Return a body with more fields; objects that both have are joined."""
    both = {name for name in body.keys() & more.keys() if isinstance(body[name], dict) and isinstance(more[name], dict)}
    return {**body, **more, **{name: joined(body[name], more[name]) for name in both}}


OPENAI = Dialect({**_STEERED, "maxOutputTokens": "max_completion_tokens"})
# Other servers all know `max_tokens`; few know `max_completion_tokens`.
COMPATIBLE = Dialect({**_STEERED, "maxOutputTokens": "max_tokens"})
LOCAL = Dialect({**_COMMON, "maxOutputTokens": "max_tokens", "topK": "top_k"})


TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")


def limited(dialect: Dialect, options: Mapping[str, Json]) -> Dialect:
    """Return the dialect with the field for the token limit that the setting `token_limit` names, if it is there."""
    field = options.get("token_limit")
    return replace(dialect, words={**dialect.words, "maxOutputTokens": field}) if field in TOKEN_LIMITS else dialect


def named_schema(schema: Mapping[str, Json]) -> dict[str, Json]:
    """Return an output schema as OpenAI's APIs take it; `strict` where it can be enforced, else it is refused."""
    return {"name": "output", "schema": dict(schema), "strict": _enforced.openai_gap(schema) is None}


def schema_format(schema: Mapping[str, Json]) -> dict[str, Json]:
    """Return `response_format` for an output schema."""
    return {"type": "json_schema", "json_schema": named_schema(schema)}


def not_enforced(schema: Mapping[str, Json]) -> str | None:
    """Return why OpenAI enforces nothing of a schema, None if it enforces it."""
    gap = _enforced.openai_gap(schema)
    return f"OpenAI does not enforce this output schema, because {gap}" if gap else None


def chat_messages(request: Request) -> list[dict[str, Json]]:
    """Return the messages as OpenAI's Chat Completions takes them."""
    return [_chat_message(message) for message in request.messages]


def _chat_message(message: Message) -> dict[str, Json]:
    if message.call_id:
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.content}
    if not message.calls:
        return {"role": message.role, "content": content_of(message, "text", _file_part)}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.calls
    ]
    return {"role": message.role, "content": message.content or None, "tool_calls": calls}


def chat_tools(request: Request) -> dict[str, Json]:
    """Return `tools` and `tool_choice` as OpenAI's Chat Completions takes them."""
    tools = [{"type": "function", "function": function_of(tool)} for tool in request.tools]
    return tool_fields(request, tools, lambda name: {"type": "function", "function": {"name": name}})


def function_of(tool: Mapping[str, Json]) -> dict[str, Json]:
    """Return a tool as OpenAI's APIs take it; `strict` where its schema can be enforced, else it is refused."""
    schema = tool["inputSchema"]
    strict = _enforced.openai_gap(schema) is None
    return {"name": tool["name"], "description": tool["description"], "parameters": schema, "strict": strict}


def tool_fields(request: Request, tools: Json, named: Callable[[str], Json], **words: Json) -> dict[str, Json]:
    """Return the fields `tools` and `tool_choice` of a body, none without tools.

    `words` are an API's own values for choices that are not the name of a tool, which `named` returns.
    """
    choice = request.params.get(_CHOICE_WORD)
    if not request.tools:
        return {}
    if choice is None:
        return {"tools": tools}
    own = named(choice) if any(tool["name"] == choice for tool in request.tools) else words.get(choice, choice)
    return {"tools": tools, "tool_choice": own}


def encode(body: Mapping[str, Json]) -> bytes:
    """Return the body as JSON. Raises ProviderFailure if it cannot be encoded."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:
        why = "the prompt or a value in it contains half of a character (a lone surrogate)"
    except (TypeError, ValueError) as error:
        why = f"the request cannot be encoded as JSON: {error}"
    raise ProviderFailure(FailureKind.REJECTED, why)


def content_of(message: Message, text: str, part: Callable[[FileValue, str], dict[str, Json]]) -> Json:
    """Return a content as an API takes it: `text` is the type of its texts, `part` makes one of a file and its base64.

    Raises ProviderFailure if a file cannot be read, or is not the one that was hashed.
    """
    return [
        {"type": text, "text": item} if isinstance(item, str) else part(item, base64(item)) for item in message.parts
    ] or message.content


def base64(file: FileValue) -> str:
    """Return the bytes in base64. Raises ProviderFailure if they are not those that were hashed."""
    content, why = b"", "has changed since this command started"
    try:
        content = file.path.read_bytes() if file.path else b""
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    if hashlib.sha256(content).hexdigest() != file["sha256"]:
        raise ProviderFailure(FailureKind.REJECTED, f"{file['file']} {why}")
    return b64encode(content).decode()


def data_url(file: FileValue, data: str) -> str:
    return f"data:{file['type']};base64,{data}"


def named_file(file: FileValue, data: str) -> dict[str, Json]:
    return {"filename": PurePosixPath(file["file"]).name, "file_data": data_url(file, data)}


def _file_part(file: FileValue, data: str) -> dict[str, Json]:
    if file.is_image:
        return {"type": "image_url", "image_url": {"url": data_url(file, data)}}
    return {"type": "file", "file": named_file(file, data)}


@dataclass(frozen=True, slots=True)
class Chat:
    """The API Chat Completions."""

    dialect: Dialect
    path: str = "/chat/completions"
    own: bool = False  # The server is OpenAI's or Azure's, so it is known what it enforces.

    def unenforced(self, schema: Mapping[str, Json]) -> str | None:
        return not_enforced(schema) if self.own else None

    @property
    def streamed(self) -> Mapping[str, Json]:
        return {"stream": True, "stream_options": {"include_usage": True}}

    def body(self, name: str, request: Request, schema: Mapping[str, Json] | None) -> dict[str, Json]:
        body = {
            "model": name,
            "messages": chat_messages(request),
            **({"response_format": schema_format(schema)} if schema is not None else {}),
            **chat_tools(request),
        }
        return joined(body, self.dialect.params(request.params, str(request.model)))

    def read(self, data: Json, *, params: Mapping[str, Json], structured: bool) -> Answer:
        if not isinstance(data, dict):
            raise NotACompletion("JSON that is not a completion")
        choices = data.get("choices")
        if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
            raise NotACompletion("a completion without choices")
        message = choices[0].get("message")
        message = message if isinstance(message, dict) else {}
        calls = calls_of(message)
        text, finish = _text(message, choices[0].get("finish_reason"), called=bool(calls))
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        return Answer(
            text=with_calls(text, calls),
            calls=calls,
            reasoning=reasoning if isinstance(reasoning, str) else None,
            model=str(data.get("model") or ""),
            params=params,
            usage=read_usage(data.get("usage")),
            finish_reason=finish,
            structured=structured,
        )

    def joined(self, events: Sequence[_events.StreamEvent]) -> _events.Whole:
        """Return a completion from its chunks. Raises BrokenStream if the last one is missing."""
        texts: dict[str, list[str]] = {"content": [], "refusal": []}
        calls: dict[Json, dict[str, str]] = {}
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
            if isinstance(delta, dict) and add_calls(calls, delta):
                first = first or event.end
        if finish is None:
            raise _events.BrokenStream("a stream that did not end")
        message: dict[str, Json] = {kind: "".join(parts) if parts else None for kind, parts in texts.items()}
        message["tool_calls"] = joined_calls(calls)
        if message["content"] is None and message["refusal"] is None and finish == "stop":
            message["content"] = ""
        return _events.Whole({**whole, "choices": [{"message": message, "finish_reason": finish}]}, first)


class NotACompletion(Exception):
    """The reply is not a completion. The text says what it is, to follow 'answered with'."""


def tool_call(name: str, arguments: Json, call_id: Json) -> ToolCall:
    """Return a call; its arguments are text or data, and a missing object is an empty one."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return ToolCall(name, text or "{}", call_id if isinstance(call_id, str) else "")


def with_calls(text: str, calls: Sequence[ToolCall]) -> str:
    """Return the text of an answer with its calls below it as JSON, as imported logs have them."""
    parsed = [(call.name, call.parsed(), call.arguments) for call in calls]
    listed = [{"name": name, "arguments": raw if data is None else data} for name, data, raw in parsed]
    return "\n".join(part for part in (text, json.dumps(listed, ensure_ascii=False) if listed else "") if part)


def add_calls(calls: dict[Json, dict[str, str]], delta: Mapping[str, Json]) -> bool:
    """Add the pieces of calls in a chunk to the `calls` so far, by their index. Return whether there are any."""
    parts = _objects(delta.get("tool_calls"))
    for part in parts:
        call = calls.setdefault(part.get("index"), {"id": str(part.get("id") or ""), "name": "", "arguments": ""})
        inner = part.get("function") or part.get("custom")
        for name, piece in inner.items() if isinstance(inner, dict) else ():
            call[name] = call.get(name, "") + str(piece or "")
    return bool(parts)


def joined_calls(calls: Mapping[Json, Mapping[str, str]]) -> list[dict[str, Json]]:
    """Return the calls of `add_calls` as a message has them."""
    return [{"id": call["id"], "function": dict(call)} for call in calls.values()]


def calls_of(message: Mapping[str, Json]) -> tuple[ToolCall, ...]:
    """Return the calls in a message of Chat Completions."""
    found = []
    for call in _objects(message.get("tool_calls")) or [{"function": message.get("function_call")}]:
        inner = call.get("function") or call.get("custom")
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            found.append(tool_call(inner["name"], inner.get("arguments") or inner.get("input"), call.get("id")))
    return tuple(found)


def _objects(listed: Json) -> list[dict[str, Json]]:
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _text(message: Mapping[str, Json], finish: Json, *, called: bool) -> tuple[str, str | None]:
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(content, str):
        return content, finish if isinstance(finish, str) else None
    if isinstance(refusal, str):
        return refusal, "refusal"
    if content is None and (called or finish in ("length", "content_filter")):
        # The model used up its limit or was filtered: a wrong answer, not a failed call.
        return "", finish if isinstance(finish, str) else None
    raise NotACompletion("a message without text")


def read_usage(data: Json, sent: str = "prompt", made: str = "completion") -> Usage | None:
    """Return the token counts, None if the server does not report them; `sent` and `made` begin their names."""
    if not isinstance(data, dict):
        return None
    inputs, outputs = data.get(f"{sent}_tokens"), data.get(f"{made}_tokens")
    if not (isinstance(inputs, int) and isinstance(outputs, int)):
        return None
    return Usage(
        inputs,
        outputs,
        cached_tokens=detail(data, f"{sent}_tokens_details", "cached_tokens"),
        reasoning_tokens=detail(data, f"{made}_tokens_details", "reasoning_tokens"),
    )


def detail(data: Mapping[str, Json], part: str, name: str) -> int | None:
    details = data.get(part)
    value = details.get(name) if isinstance(details, dict) else None
    return value if isinstance(value, int) else None


def require_messages(request: Request) -> None:
    """Raise ProviderFailure if a request to a model that reads prompts has no messages."""
    if not request.messages:
        raise ProviderFailure(FailureKind.REJECTED, f"{request.model} needs a prompt, and this case has none")
