"""What was sent to an API and what it answered, in the forms of OpenAI (chat, responses, completions), Anthropic and
Gemini. Proxies and tracers log these bodies as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptbench.core.types import Json, Message, Usage
from promptbench.formats.embedded_json import decoded
from promptbench.ingest._chat import Content, content_of, conversation, is_conversation, is_message, unserialised
from promptbench.ingest._fields import count, items, record, rest, text, written

_ASKED = {"model", "messages", "input", "instructions", "prompt", "system", "tools", "contents", "systemInstruction",
          "system_instruction", "metadata"}  # fmt: skip

_ANSWERS = {"choices", "candidates"}


@dataclass(frozen=True, slots=True)
class Asked:
    """`extra` has `params`, `tools` and what `conversation` found beside the messages."""

    messages: tuple[Message, ...] = ()
    model: str = ""
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replied:
    """`answer` is None where the body holds none; `extra` has `tool_calls` with their ids, `parts`, `reasoning`."""

    answer: str | None = None
    model: str = ""
    finish_reason: str | None = None
    refusal: bool = False
    usage: Usage | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


def asked(body: Json) -> Asked:
    """From the body of a request; empty for what is none."""
    body = record(body)
    sent = next((body[key] for key in ("messages", "input", "contents", "prompt") if body.get(key) is not None), None)
    system = next(
        (body[key] for key in ("instructions", "system", "systemInstruction", "system_instruction") if body.get(key)),
        None,
    )
    if isinstance(system, dict):
        system = content_of(system).text
    talk = conversation(sent, system=system)
    extra = {**talk.extra, "params": rest(body, _ASKED), "tools": items(body.get("tools"))}
    return Asked(talk.messages, text(body.get("model")) or "", {key: value for key, value in extra.items() if value})


def is_request(value: Json) -> bool:
    """Whether a value is a message, or the body of a request with messages, and not just data."""
    return is_message(value) or (isinstance(value, dict) and is_conversation(decoded(value.get("messages"))))


def input_of(value: Json) -> Asked:
    """From what a tracer logged as the input: a text, messages, or the body of a request."""
    body = decoded(value)
    if is_request(body) and not is_message(body):
        return asked(body)
    talk = conversation(value)
    return Asked(talk.messages, extra=talk.extra)


def replied(body: Json) -> Replied:
    """From the body of an answer, or from the message in it; empty for what is none."""
    body = record(body)
    usage = usage_of(body.get("usage") or body.get("usageMetadata"))
    model = text(body.get("model")) or text(body.get("modelVersion")) or ""
    choices = items(body.get("choices"))
    candidates = items(body.get("candidates"))
    output = items(body.get("output"))
    if choices:
        first = record(choices[0])
        message = unserialised(record(first.get("message"))) if first.get("message") else {"text": first.get("text")}
        return _replied(message, model, text(first.get("finish_reason")), usage, len(choices))
    if candidates:
        first = record(candidates[0])
        return _replied(record(first.get("content")), model, text(first.get("finishReason")), usage, len(candidates))
    if output and text(body.get("object")) == "response":
        incomplete = record(body.get("incomplete_details"))
        message = {"content": [part for item in output for part in _output_parts(record(item))]}
        return _replied(message, model, text(incomplete.get("reason")) or text(body.get("status")), usage, 1)
    if any(body.get(key) is not None for key in ("content", "tool_calls", "parts", "text", "function_call", "lc")):
        return _replied(unserialised(body), model, text(body.get("stop_reason")), usage, 1)
    return Replied(model=model, usage=usage)


def output_of(value: Json) -> Replied:
    """From what a tracer logged as the output: a text, a message or a list of one, a whole body, or other data, which
    is then the answer as JSON.
    """
    found = decoded(value)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if is_message(found) or (isinstance(found, dict) and _ANSWERS & found.keys()):
        reply = replied(found)
        if reply.answer is not None:
            return reply
    return Replied(answer=written(value))


def _output_parts(item: dict[str, Json]) -> list[Json]:
    """The parts of one item of a Responses API answer: of a message those in it, of a call the item itself."""
    return items(item.get("content")) if item.get("type") == "message" else [item]


def _replied(
    message: Mapping[str, Json], model: str, finish_reason: str | None, usage: Usage | None, choices: int
) -> Replied:
    content = content_of(message, between="")
    finish_reason = finish_reason or text(message.get("finish_reason")) or text(message.get("stop_reason"))
    declined = text(message.get("refusal")) or ""
    refused = bool(declined) or any(record(part).get("type") == "refusal" for part in items(message.get("content")))
    return Replied(
        answer=content.rendered() or declined or ("" if _said(message) else None),
        model=model,
        finish_reason=finish_reason,
        refusal=refused,
        usage=usage,
        extra=_beside(message, content, choices),
    )


def _said(message: Mapping[str, Json]) -> bool:
    return any(message.get(key) is not None for key in ("content", "text", "parts"))


def _beside(message: Mapping[str, Json], content: Content, choices: int) -> dict[str, Json]:
    thoughts = next((message[key] for key in ("reasoning_content", "reasoning") if message.get(key)), None)
    found = {
        "tool_calls": content.calls,
        "parts": dict(content.parts),
        "reasoning": written(thoughts),
        "choices": choices if choices > 1 else None,
    }
    return {key: value for key, value in found.items() if value}


def usage_of(value: Json) -> Usage | None:
    """The tokens, in any provider's words. Anthropic counts what it read from and wrote to a cache apart from the
    input; here the input is all of it.
    """
    data = record(value)
    sent = _first(data, "prompt_tokens", "input_tokens", "promptTokenCount", "promptTokens", "input")
    came = _first(data, "completion_tokens", "output_tokens", "candidatesTokenCount", "completionTokens", "output")
    if sent is None or came is None:
        return None
    apart = [_first(data, "cache_read_input_tokens"), _first(data, "cache_creation_input_tokens")]
    if any(amount is not None for amount in apart) and "prompt_tokens" not in data:
        return Usage(sent + sum(amount or 0 for amount in apart), came, apart[0] or 0)
    inputs = record(
        data.get("prompt_tokens_details") or data.get("input_tokens_details") or data.get("input_token_details")
    )
    outputs = record(
        data.get("completion_tokens_details") or data.get("output_tokens_details") or data.get("output_token_details")
    )
    cached = _first(inputs, "cached_tokens", "cache_read")
    if cached is None:
        cached = _first(data, "cachedContentTokenCount")
    thought = _first(outputs, "reasoning_tokens", "reasoning")
    if thought is None:
        thought = _first(data, "thoughtsTokenCount")
    return Usage(sent, came, cached, thought)


def _first(data: Mapping[str, Json], *names: str) -> int | None:
    return next((found for name in names if (found := count(data.get(name))) is not None), None)
