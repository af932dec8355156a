"""Bodies of requests and responses, in the forms of OpenAI (chat, responses, completions), Anthropic and Gemini.

Proxies and tracers log these bodies unchanged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptbench.core.types import Json, Message, Usage
from promptbench.ingest._chat import (
    MessageContent,
    is_conversation,
    is_message,
    read_content,
    read_conversation,
    unwrap_langchain,
)
from promptbench.ingest._fields import as_count, as_list, as_object, as_text, decode_embedded, omit_fields, to_text

_REQUEST_KEYS = {
    "model", "messages", "input", "instructions", "prompt", "system", "tools", "contents", "systemInstruction",
    "system_instruction", "metadata",
}  # fmt: skip

_ANSWER_KEYS = {"choices", "candidates"}
# Tokens of a cache, as Anthropic and Bedrock count them: apart from those of the input.
_EVENTS = ("contentBlockDelta", "messageStop", "metadata")
_CACHE_READ = ("cache_read_input_tokens", "cacheReadInputTokens", "cacheReadInputTokenCount")
_CACHE_WRITTEN = ("cache_creation_input_tokens", "cacheWriteInputTokens", "cacheWriteInputTokenCount")


@dataclass(frozen=True, slots=True)
class RequestBody:
    """What was sent. `extra` has `params`, `tools` and the extra of the conversation."""

    messages: tuple[Message, ...] = ()
    model: str = ""
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResponseBody:
    """What came back. `answer` is None if there is none; `extra` has `tool_calls` with ids, `parts`, `reasoning`."""

    answer: str | None = None
    model: str = ""
    finish_reason: str | None = None
    refusal: bool = False
    usage: Usage | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


def read_request(body: Json) -> RequestBody:
    """Return the messages, model and parameters in the body of a request; an empty RequestBody for anything else."""
    body = as_object(body)
    sent = next((body[key] for key in ("messages", "input", "contents", "prompt") if body.get(key) is not None), None)
    system = next(
        (body[key] for key in ("instructions", "system", "systemInstruction", "system_instruction") if body.get(key)),
        None,
    )
    if isinstance(system, dict):
        system = read_content(system).text
    talk = read_conversation(sent, system=system)
    extra = {
        **talk.extra,
        "params": omit_fields(body, _REQUEST_KEYS),
        "tools": as_list(body.get("tools")) or talk.extra.get("tools"),
    }
    return RequestBody(talk.messages, as_text(body.get("model")) or "", omit_fields(extra))


def is_request(value: Json) -> bool:
    """Return True if a value is a message, or the body of a request with messages, and not just data."""
    if is_message(value) or not isinstance(value, dict):
        return is_message(value)
    if "instructions" in value and isinstance(value.get("input"), str):
        return True
    return any(is_conversation(decode_embedded(value.get(key))) for key in ("messages", "input", "contents"))


def read_input(value: Json) -> RequestBody:
    """Return what a tracer logged as the input: a text, messages, or the body of a request."""
    body = decode_embedded(value)
    if is_request(body) and not is_message(body):
        return read_request(body)
    talk = read_conversation(value)
    return RequestBody(talk.messages, extra=talk.extra)


def read_response(body: Json) -> ResponseBody:
    """Return the answer in the body of a response, or in a message; an empty ResponseBody for anything else."""
    body = as_object(body)
    usage = read_usage(body.get("usage") or body.get("usageMetadata"))
    model = as_text(body.get("model")) or as_text(body.get("modelVersion")) or ""
    choices = as_list(body.get("choices"))
    candidates = as_list(body.get("candidates"))
    output = as_list(body.get("output"))
    if choices:
        first = as_object(choices[0])
        message = (
            unwrap_langchain(as_object(first.get("message"))) if first.get("message") else {"text": first.get("text")}
        )
        return _build_response(message, model, as_text(first.get("finish_reason")), usage, len(choices))
    if candidates:
        first = as_object(candidates[0])
        return _build_response(
            as_object(first.get("content")), model, as_text(first.get("finishReason")), usage, len(candidates)
        )
    if output and (as_text(body.get("object")) == "response" or is_conversation(output)):
        incomplete = as_object(body.get("incomplete_details"))
        message = {"content": [part for item in output for part in _output_parts(as_object(item))]}
        return _build_response(
            message, model, as_text(incomplete.get("reason")) or as_text(body.get("status")), usage, 1
        )
    if any(body.get(key) is not None for key in ("content", "tool_calls", "parts", "text", "function_call", "lc")):
        return _build_response(unwrap_langchain(body), model, as_text(body.get("stop_reason")), usage, 1)
    return ResponseBody(model=model, usage=usage)


def read_output(value: Json) -> ResponseBody:
    """Return what a tracer logged as the output: a text, a message or a list of one, or a whole body.

    Other data is the answer as JSON.
    """
    found = decode_embedded(value)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    elif is_conversation(found):
        found = {"output": found}
    is_body = isinstance(found, dict) and (_ANSWER_KEYS & found.keys() or is_conversation(found.get("output")))
    if is_message(found) or is_body:
        reply = read_response(found)
        if reply.answer is not None:
            return reply
    return ResponseBody(answer=to_text(value))


def _output_parts(item: dict[str, Json]) -> list[Json]:
    return as_list(item.get("content")) if item.get("type") == "message" else [item]


def _build_response(
    message: Mapping[str, Json], model: str, finish_reason: str | None, usage: Usage | None, choices: int
) -> ResponseBody:
    content = read_content(message, between="")
    finish_reason = finish_reason or as_text(message.get("finish_reason")) or as_text(message.get("stop_reason"))
    declined = as_text(message.get("refusal")) or ""
    refused = bool(declined) or any(
        as_object(part).get("type") == "refusal" for part in as_list(message.get("content"))
    )
    return ResponseBody(
        answer=content.rendered()
        or declined
        or ("" if any(message.get(key) is not None for key in ("content", "text", "parts")) else None),
        model=model,
        finish_reason=finish_reason,
        refusal=refused,
        usage=usage,
        extra=_collect_extra(message, content, choices),
    )


def _collect_extra(message: Mapping[str, Json], content: MessageContent, choices: int) -> dict[str, Json]:
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    found = {
        "tool_calls": content.calls,
        "parts": content.parts,
        "reasoning": to_text(reasoning),
        "choices": choices if choices > 1 else None,
    }
    return omit_fields(found)


def join_stream(pieces: Json) -> Json:
    """Return the body in the pieces of a streamed response of Anthropic, OpenAI, Gemini, Titan or Bedrock's Converse.

    Other lists, and streamed tool calls, which cannot be joined, are returned unchanged.
    """
    body: dict[str, Json] = {}
    texts: list[str] = []
    for event in map(as_object, as_list(pieces)):
        # Bedrock's Converse names each event by a key of its own.
        piece = {**event, **{key: value for name in _EVENTS for key, value in as_object(event.get(name)).items()}}
        choice = as_object(next(iter(as_list(piece.get("choices"))), None))
        candidate = as_object(next(iter(as_list(piece.get("candidates"))), None))
        delta = as_object(piece.get("delta")) or as_object(choice.get("delta"))
        if delta.get("partial_json") or delta.get("tool_calls"):
            return pieces
        body |= as_object(piece.get("message"))
        usage = {**as_object(body.get("usage")), **as_object(piece.get("usage") or piece.get("usageMetadata"))}
        body["usage"] = usage
        reason = delta.get("stop_reason") or choice.get("finish_reason") or candidate.get("finishReason")
        stops = (piece.get(key) for key in ("completionReason", "stopReason", "stop_reason"))
        body["stop_reason"] = reason or next(filter(None, stops), body.get("stop_reason"))
        own = next((piece[key] for key in ("outputText", "generation", "completion") if piece.get(key)), None)
        text = delta.get("text") or delta.get("content") or own
        texts.append(as_text(text) or read_content(as_object(candidate.get("content"))).text)
    return {**body, "role": "assistant", "content": "".join(texts)} if any(texts) else pieces


def read_usage(value: Json) -> Usage | None:
    """Return the tokens, whatever the provider calls them.

    Anthropic counts tokens read from and written to a cache separately; here they are part of the input.
    """
    data = as_object(value)
    sent = _first(data, "prompt_tokens", "input_tokens", "promptTokenCount", "promptTokens", "inputTokens", "input")
    came = _first(
        data, "completion_tokens", "output_tokens", "candidatesTokenCount", "completionTokens", "outputTokens", "output"
    )
    if sent is None or came is None:
        return None
    apart = [_first(data, *names) for names in (_CACHE_READ, _CACHE_WRITTEN)]
    if any(amount is not None for amount in apart) and "prompt_tokens" not in data:
        return Usage(sent + sum(amount or 0 for amount in apart), came, apart[0] or 0)
    inputs = as_object(
        data.get("prompt_tokens_details") or data.get("input_tokens_details") or data.get("input_token_details")
    )
    outputs = as_object(
        data.get("completion_tokens_details") or data.get("output_tokens_details") or data.get("output_token_details")
    )
    # Gemini has no details.
    inputs = {"cached": data.get("cachedContentTokenCount"), **inputs}
    outputs = {"thought": data.get("thoughtsTokenCount"), **outputs}
    cached = _first(inputs, "cached_tokens", "cache_read", "cached")
    thought = _first(outputs, "reasoning_tokens", "reasoning", "thought")
    # Only Gemini does not count thoughts as part of the output.
    return Usage(sent, came + (thought or 0) * ("candidatesTokenCount" in data), cached, thought)


def _first(data: Mapping[str, Json], *names: str) -> int | None:
    return next((found for name in names if (found := as_count(data.get(name))) is not None), None)
