"""Span attributes of OpenInference (Phoenix, Arize): one flattened key for each field of each message."""

from __future__ import annotations

import re
from collections.abc import Mapping

from promptbench.core.types import Json
from promptbench.ingest._fields import as_count, as_list, as_object, as_text, decode_embedded

KIND = "openinference.span.kind"
_INDEXED = re.compile(r"llm\.(input|output)_messages\.(\d{1,6})\.message\.(.+)", re.DOTALL)
_CALL = re.compile(r"tool_calls\.(\d{1,6})\.tool_call\.(id|function\.name|function\.arguments)")
_PART = re.compile(r"contents\.(\d{1,6})\.message_content\.(.+)", re.DOTALL)


def read_messages(attributes: Mapping[str, Json], side: str) -> list[Json]:
    """Return the messages of one side (`input` or `output`), in OpenAI's form."""
    found: dict[int, dict[str, Json]] = {}
    for key, value in attributes.items():
        matched = _INDEXED.fullmatch(key)
        if matched and matched[1] == side:
            role = "user" if side == "input" else "assistant"
            _assign(found.setdefault(int(matched[2]), {"role": role}), matched[3], value)
    return [_message(found[index]) for index in sorted(found)]


def _assign(message: dict[str, Json], field: str, value: Json) -> None:
    if call := _CALL.fullmatch(field):
        message.setdefault("calls", {}).setdefault(int(call[1]), {})[call[2].removeprefix("function.")] = value
    elif part := _PART.fullmatch(field):
        message.setdefault("parts", {}).setdefault(int(part[1]), {})[part[2]] = value
    elif field in ("role", "content", "name", "finish_reason"):
        message[field] = value


def _message(fields: dict[str, Json]) -> dict[str, Json]:
    calls, parts = fields.pop("calls", {}), fields.pop("parts", {})
    if calls:
        fields["tool_calls"] = [
            {"id": call.get("id"), "function": {key: call[key] for key in ("name", "arguments") if key in call}}
            for _, call in sorted(calls.items())
        ]
    if parts:
        fields["content"] = [_part(part) for _, part in sorted(parts.items())]
    return fields


def _part(part: Mapping[str, Json]) -> dict[str, Json]:
    kind = as_text(part.get("type")) or "text"
    return {"type": kind, "text": part.get("text", "")} if kind == "text" else {"type": kind}


def read_token_counts(attributes: Mapping[str, Json]) -> dict[str, Json]:
    """Return the token counts in OpenAI's form."""
    return {
        "prompt_tokens": attributes.get("llm.token_count.prompt"),
        "completion_tokens": attributes.get("llm.token_count.completion"),
        "prompt_tokens_details": {"cached_tokens": attributes.get("llm.token_count.prompt_details.cache_read")},
        "completion_tokens_details": {
            "reasoning_tokens": attributes.get("llm.token_count.completion_details.reasoning")
        },
    }


def read_variables(attributes: Mapping[str, Json]) -> dict[str, Json] | None:
    """Return the variables of the prompt template, which are logged as JSON."""
    found = decode_embedded(attributes.get("llm.prompt_template.variables"))
    return found if isinstance(found, dict) and found else None


def read_tools(attributes: Mapping[str, Json]) -> list[Json]:
    """Return the available tools, in order."""
    found = {key: value for key, value in attributes.items() if key.startswith("llm.tools.")}
    return [decode_embedded(found[key]) for key in sorted(found, key=lambda key: as_count(key.split(".")[2]) or 0)]


def read_input_value(attributes: Mapping[str, Json]) -> Json:
    """Return the messages in `input.value`, for spans without flattened ones: a request's messages, or a text."""
    body = as_object(attributes.get("input.value"))
    return as_list(body.get("messages")) or attributes.get("input.value")
