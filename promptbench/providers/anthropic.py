"""Anthropic's Messages: `anthropic/claude-haiku-5-5`.

The key is in ANTHROPIC_API_KEY, or in the variable that the setting `api_key_env` names; a server on this machine needs
none. The address is the setting `base_url` or ANTHROPIC_BASE_URL, never a suite's. Other settings: `timeout` in seconds
(120), `concurrency` (at most this many calls at once), `structured` (enforce the prompt's output schema),
`context_window` in tokens (as the list of `genai-prices` has it).

Of a config it takes `maxOutputTokens` (4096 by default), `stopSequences`, `reasoningEffort` and `thinkingBudget`: the
API has no temperature, topP, topK, seed or verbosity, and a word that it would ignore is an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptbench.core.files import FileValue
from promptbench.core.types import Answer, FailureKind, Json, Message, ProviderFailure, Request, Usage
from promptbench.plugins import ProviderContext, ProviderOption
from promptbench.providers import _batch, _chat, _enforced, _events, _hosted
from promptbench.providers._capabilities import capabilities

# Anthropic requires a limit; this is the default. Thinking counts towards it.
ANSWER_TOKENS = 4096

# Complete: since API version 2026-10-21 there is no temperature, top_p or top_k, and there never was a seed.
_DIALECT = _chat.Dialect(
    {
        "maxOutputTokens": "max_tokens",
        "stopSequences": "stop_sequences",
        "reasoningEffort": "output_config.effort",
        "thinkingBudget": "thinking.budget_tokens",
    }
)


@dataclass(frozen=True, slots=True)
class Messages:
    """The API Messages."""

    dialect: _chat.Dialect = _DIALECT
    path: str = "/v1/messages"

    def unenforced(self, schema: Mapping[str, Json]) -> str | None:
        gap = _enforced.anthropic_gap(schema)
        return f"Anthropic does not enforce the keyword '{gap}' of this output schema" if gap else None

    @property
    def streamed(self) -> Mapping[str, Json]:
        return {"stream": True}

    def body(self, name: str, request: Request, schema: Mapping[str, Json] | None) -> dict[str, Json]:
        system, turns = _split(request)
        params = self.dialect.params(request.params, str(request.model))
        budget = request.params.get("thinkingBudget")
        if budget is not None:
            # Thinking counts towards the limit of the answer.
            params = {"max_tokens": ANSWER_TOKENS + budget, **params}
            params["thinking"] = {"type": "enabled", **params["thinking"]} if budget else {"type": "disabled"}
        body = {
            "model": name,
            **({"system": system} if system else {}),
            "messages": turns,
            "max_tokens": ANSWER_TOKENS,
            **({"output_config": {"format": _format(schema)}} if schema is not None else {}),
            **_tools(request),
        }
        return _chat.joined(body, params)

    def read(self, data: Json, *, params: Mapping[str, Json], structured: bool) -> Answer:
        content = data.get("content") if isinstance(data, dict) else None
        if not isinstance(content, list):
            raise _chat.NotACompletion("JSON that is not a message")
        reason = data.get("stop_reason")
        if not isinstance(reason, str):
            raise _chat.NotACompletion("a message that did not end")
        blocks = [block for block in content if isinstance(block, dict)]
        calls = tuple(
            _chat.tool_call(block["name"], block.get("input"), block.get("id"))
            for block in blocks
            if block.get("type") == "tool_use" and isinstance(block.get("name"), str)
        )
        return Answer(
            text=_chat.with_calls(_texts(blocks, "text"), calls),
            calls=calls,
            reasoning=_texts(blocks, "thinking") or None,
            # A model that thinks wants its thoughts back with the results of its tools, signed as they are.
            turn=blocks if calls and any(block.get("type") in _THOUGHTS for block in blocks) else None,
            model=str(data.get("model") or ""),
            params=params,
            usage=_usage(data.get("usage")),
            finish_reason=reason,
            structured=structured,
        )

    def joined(self, events: Sequence[_events.StreamEvent]) -> _events.Whole:
        """Return a message from its events; without a stop reason if the last one is missing."""
        message: dict[str, Json] = {}
        usage: dict[str, Json] = {}
        parts: list[str] = []
        tools: list[dict[str, Json]] = []
        first = None
        for event in events:
            data = event.data
            start, delta = data.get("message"), data.get("delta")
            if isinstance(start, dict):
                message = start
                usage |= start.get("usage") or {}
            block = data.get("content_block")
            if isinstance(block, dict) and block.get("type") == "tool_use":
                tools.append({**block, "input": ""})
                first = first or event.end
            if isinstance(delta, dict):
                if delta.get("type") == "input_json_delta" and tools:
                    tools[-1]["input"] += str(delta.get("partial_json") or "")
                message["stop_reason"] = delta.get("stop_reason") or message.get("stop_reason")
                if delta.get("type") == "text_delta" and delta.get("text"):
                    parts.append(str(delta["text"]))
                    first = first or event.end
            if isinstance(data.get("usage"), dict):
                usage |= {name: count for name, count in data["usage"].items() if count is not None}
        content = [{"type": "text", "text": "".join(parts)}, *tools]
        return _events.Whole({**message, "usage": usage, "content": content}, first)


_THOUGHTS = ("thinking", "redacted_thinking")


def _tools(request: Request) -> dict[str, Json]:
    tools = [
        {"name": tool["name"], "description": tool["description"], "input_schema": tool["inputSchema"]}
        for tool in request.tools
    ]
    choices = {word: {"type": word} for word in ("auto", "none")}
    choices["required"] = {"type": "any"}
    return _chat.tool_fields(request, tools, lambda name: {"type": "tool", "name": name}, **choices)


def _turns(messages: Sequence[Message]) -> list[dict[str, Json]]:
    """Return the messages as turns: the results of the tools of one turn are one message of the user."""
    turns: list[dict[str, Json]] = []
    after_result = False
    for message in messages:
        if message.call_id:
            result = {"type": "tool_result", "tool_use_id": message.call_id, "content": message.content}
            turns = turns if after_result else [*turns, {"role": "user", "content": []}]
            turns[-1]["content"].append(result)
        else:
            turns.append({"role": message.role, "content": _content(message)})
        after_result = bool(message.call_id)
    return turns


def _content(message: Message) -> Json:
    if message.turn is not None or not message.calls:
        return _chat.content_of(message, "text", _file_part) if message.turn is None else message.turn
    said = [{"type": "text", "text": message.content}] if message.content else []
    calls = [
        # Arguments that are not an object cannot be sent back.
        {"type": "tool_use", "id": call.id, "name": call.name, "input": data if isinstance(data, dict) else {}}
        for call in message.calls
        for data in [call.parsed()]
    ]
    return [*said, *calls]


def _texts(blocks: Sequence[Mapping[str, Json]], kind: str) -> str:
    found = (block.get(kind) for block in blocks if block.get("type") == kind)
    return "".join(text for text in found if isinstance(text, str))


def _file_part(file: FileValue, data: str) -> dict[str, Json]:
    source = {"type": "base64", "media_type": file["type"], "data": data}
    return {"type": "image" if file.is_image else "document", "source": source}


def _split(request: Request) -> tuple[str, list[dict[str, Json]]]:
    # Return the system text and the turns. Raises ProviderFailure for what Messages cannot express.
    messages = request.messages
    start = next((index for index, message in enumerate(messages) if message.role != "system"), len(messages))
    turns = _turns(messages[start:])
    if not turns:
        raise ProviderFailure(
            FailureKind.REJECTED, f"{request.model} needs a message from the user besides the system's"
        )
    if any(turn["role"] == "system" for turn in turns):
        raise ProviderFailure(FailureKind.REJECTED, f"{request.model} takes system messages only before all others")
    return "\n\n".join(message.content for message in messages[:start]), turns


def _format(schema: Mapping[str, Json]) -> dict[str, Json]:
    # Return the schema in the subset that Anthropic enforces, by the SDK's own rules.
    #
    # Objects are closed, and limits on numbers and lengths become part of the description.
    from anthropic import transform_schema

    try:
        return {"type": "json_schema", "schema": transform_schema(_single_types(schema))}
    except (ValueError, TypeError, AttributeError, AssertionError) as error:
        why = " ".join(str(error).split()) or "it uses keywords outside of the supported part of JSON Schema"
        raise ProviderFailure(FailureKind.REJECTED, f"Anthropic cannot enforce this output schema: {why}") from None


def _single_types(schema: Any) -> Any:
    # Return the schema with `type: [a, b]` as `anyOf`, because the SDK's rules do not know such lists.
    if isinstance(schema, list):
        return [_single_types(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    inner = {key: _single_types(value) for key, value in schema.items() if key not in _PLAIN_DATA}
    inner |= {key: value for key, value in schema.items() if key in _PLAIN_DATA}
    kinds = schema.get("type")
    if not isinstance(kinds, list):
        return inner
    about = {key: inner.pop(key) for key in ("title", "description") if key in inner}
    return {"anyOf": [{"type": kind} if kind == "null" else {**inner, "type": kind} for kind in kinds], **about}


_PLAIN_DATA = frozenset({"enum", "const", "default", "examples", "required"})


def _usage(data: Json) -> Usage | None:
    if not isinstance(data, dict):
        return None
    fresh, made = data.get("input_tokens"), data.get("output_tokens")
    if not (isinstance(fresh, int) and isinstance(made, int)):
        return None
    written, read = (data.get(f"cache_{what}_input_tokens") for what in ("creation", "read"))
    return Usage(
        fresh + sum(count for count in (written, read) if isinstance(count, int)),
        made,
        cached_tokens=read if isinstance(read, int) else None,
        reasoning_tokens=_chat.detail(data, "output_tokens_details", "thinking_tokens"),
    )


def _server(name: str, context: ProviderContext) -> _hosted.HostedServer:
    return _hosted.server_of("anthropic", name, context, home="https://api.anthropic.com")


def _messages(name: str) -> Messages:
    return Messages(replace(_DIALECT, known=capabilities("anthropic", name)))


def _setup(name: str, context: ProviderContext) -> _hosted.Setup:
    server = _server(name, context)

    def client() -> Any:
        from anthropic import AsyncAnthropic

        key = server.key(context.environ)
        return AsyncAnthropic(api_key=key, base_url=server.url, **_hosted.client_options(server.url))

    return _hosted.Setup(
        name,
        server,
        _messages(name),
        context.options,
        client=client,
        sdk="anthropic",
        models_path="/v1/models?limit=1000",
        batch=_batch.AnthropicBatch,
    )


SPEC = _hosted.hosted_spec(
    _setup,
    lambda name, context: _server(name, context).problems(context, context.options),
    addresses=lambda context: [_server("", context).as_address("anthropic")],
    options={
        "base_url": ProviderOption("text", "the address", "https://api.anthropic.com", "ANTHROPIC_BASE_URL"),
    },
    starter_model="claude-haiku-5-5",
    request_body=lambda request: _messages(request.model.name).body(request.model.name, request, request.output_schema),
)
