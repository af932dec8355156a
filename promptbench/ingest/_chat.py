"""Conversations, in the forms of the APIs and of the tools that log them, as messages of plain text.

Text parts are joined. A tool call is rendered as JSON, `[{"name": …, "arguments": {…}}]`, which the check `function
call` reads; the result of a tool is a message with the role `tool`. Other parts are named, such as `[image]`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from promptbench.core.types import Json, Message, Role
from promptbench.ingest._fields import as_list, as_object, as_text, decode_embedded, omit_fields, to_text

_ROLES: Mapping[str, Role] = {
    "system": "system", "developer": "system", "assistant": "assistant", "ai": "assistant", "model": "assistant",
    "user": "user", "human": "user", "tool": "tool", "function": "tool", "generic": "user", "chat": "user",
}  # fmt: skip
_TOOL_ROLES = ("tool", "function")
_TEXTS = ("text", "input_text", "output_text", "refusal")
_CALLS = ("tool_use", "tool_call", "function_call", "function", "server_tool_use", "tool-call")
_RESULTS = ("tool_result", "tool_call_response", "function_call_output", "tool-result")
_THOUGHTS = ("thinking", "redacted_thinking", "reasoning", "reasoning_content")
# Values of `type` in a message without a role: LangChain's kinds, and the items of the Responses API.
_ITEMS = {*_ROLES, *_CALLS, *_RESULTS, *_THOUGHTS, "message"}
_OTHERS = {
    "image_url": "image", "input_image": "image", "image": "image", "input_audio": "audio", "audio": "audio",
    "file": "file", "input_file": "file", "document": "file", "video": "video", "uri": "file", "blob": "file",
    "attachment": "attachment",
}  # fmt: skip


@dataclass(slots=True)
class MessageContent:
    """The content of one message. `parts` counts the parts that are not text by kind; thoughts are only counted."""

    text: str = ""
    calls: list[Json] = field(default_factory=list)
    parts: Counter[str] = field(default_factory=Counter)
    results: int = 0

    def rendered(self) -> str:
        """Return the text, and below it the tool calls."""
        calls = to_text([{"name": call["name"], "arguments": call["arguments"]} for call in self.calls])
        return "\n".join(part for part in (self.text, calls if self.calls else "") if part)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages. `extra` has what they do not show: `parts` counted by kind, the number of `tool_results`, `tools`."""

    messages: tuple[Message, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict)


def read_conversation(value: Json, *, system: Json = None) -> Conversation:
    """Return the messages in a list, in one message, or in a text, which is the user's; `system` comes first."""
    messages: list[Message] = []
    parts: Counter[str] = Counter()
    results = 0
    tools: list[Json] = []
    for item in ([{"role": "system", "content": system}] if system else []) + _listed(value):
        if tool := _definition(item):
            tools.append(tool)
            continue
        message, content, is_result = _message(item)
        if message is None:
            continue
        messages.append(message)
        parts += content.parts
        results += max(is_result, content.results)
    return Conversation(
        tuple(messages), omit_fields({"parts": dict(parts), "tool_results": results or None, "tools": tools})
    )


def _definition(item: Json) -> Json:
    """Return the definition of a tool that a tracer put among the messages; None for a message."""
    item = as_object(item)
    found = as_object(item["content"]) if item.get("role") == "tool" and "content" in item else item
    about = as_object(found.get("function")) if found.get("type") == "function" else {}
    return found if "parameters" in about and "arguments" not in about else None


def read_content(message: Mapping[str, Json], *, between: str = "\n") -> MessageContent:
    """Return the content of a message in any form; texts are joined with `between`."""
    content = MessageContent()
    body = next((message[key] for key in ("content", "parts", "text") if message.get(key) is not None), None)
    texts = [part for part in _parts(body, content) if part]
    content.text = between.join(texts)
    for call in as_list(message.get("tool_calls")) or [message.get("function_call")]:
        _add_call(call, content)
    return content


def is_conversation(value: Json) -> bool:
    """Return True if a value is a list of messages, and not just data that a user sent."""
    return isinstance(value, list) and bool(value) and all(map(is_message, _flat(value)))


def _listed(value: Json) -> list[Json]:
    found = decode_embedded(value)
    if is_conversation(found):
        return _flat(found)
    if is_message(found):
        return [found]
    text = None if found in ([], {}) else to_text(value)
    return [text] if text else []


def _flat(listed: list[Json]) -> list[Json]:
    """Flatten the batches that LangChain logs: a list in a list."""
    return [item for entry in listed for item in (entry if isinstance(entry, list) else [entry])]


def is_message(item: Json) -> bool:
    """Return True if a value is one message, and not just data."""
    if not isinstance(item, dict):
        return False
    inner = item["message"] if isinstance(item.get("message"), dict) else item
    role, kind = inner.get("role"), inner.get("type")
    if isinstance(role, str):
        return role.lower() in _ROLES or "content" in inner
    return "lc" in inner or (isinstance(kind, str) and kind in _ITEMS)


def _message(item: Json) -> tuple[Message | None, MessageContent, bool]:
    if isinstance(item, str):
        return (Message("user", item) if item else None), MessageContent(), False
    if not isinstance(item, dict):
        return None, MessageContent(), False
    item = unwrap_langchain(item)
    named = as_text(item.get("role")) or ""
    content = read_content(item)
    kind = item.get("type")
    if not named and kind in (
        *_CALLS,
        *_RESULTS,
        *_THOUGHTS,
    ):
        texts = [part for part in _parts([item], content) if part]
        content.text = "\n".join(texts)
        named = "tool" if kind in _RESULTS else "assistant"
        content.results = 0
    rendered = content.rendered()
    if not named and not rendered:
        return None, content, False
    role = _ROLES.get(named.lower(), "user")
    return Message(role, rendered), content, named.lower() in _TOOL_ROLES


def unwrap_langchain(item: dict[str, Json]) -> dict[str, Json]:
    """Return a LangChain message, serialised (`lc`) or dumped, as an object with `role` and `content`."""
    if isinstance(item.get("message"), dict) and "role" not in item:
        item = item["message"]
    item = {**item, **_additional(item)}
    fields = item
    name = ""
    if "lc" in item:
        names = as_list(item.get("id"))
        name = str(names[-1]) if names else ""
        fields = as_object(item.get("kwargs"))
    elif isinstance(item.get("data"), dict) and isinstance(item.get("type"), str):
        name, fields = item["type"], item["data"]
    elif isinstance(item.get("type"), str) and "role" not in item and "content" in item:
        name = item["type"]
    if not name:
        return item
    own = as_text(fields.get("type")) or name
    role = own.lower().removesuffix("chunk").removesuffix("message")
    return {
        **fields,
        **_additional(fields),
        "role": as_text(fields.get("role")) or (role if role in _ROLES else "user"),
    }


def _additional(fields: Mapping[str, Json]) -> dict[str, Json]:
    """Return the tool calls that LangChain keeps in the provider's form only."""
    more = as_object(fields.get("additional_kwargs"))
    return {key: more[key] for key in ("tool_calls", "function_call") if more.get(key) and not fields.get(key)}


def _parts(body: Json, content: MessageContent) -> Iterable[str]:
    if body is None:
        return
    if isinstance(body, str):
        yield body
        return
    for part in body if isinstance(body, list) else [body]:
        if isinstance(part, dict):
            yield from _part(part, content)
        else:
            yield as_text(part) or ""


def _part(part: dict[str, Json], content: MessageContent) -> Iterable[str]:
    kind = as_text(part.get("type")) or ("text" if isinstance(part.get("text"), str) else "")
    # The parts of Gemini and of Bedrock's Converse have no type: their one key says what they are.
    result = part.get("functionResponse") or part.get("toolResult")
    if kind in _CALLS or part.keys() & {"functionCall", "toolUse"}:
        _add_call(part.get("functionCall") or part.get("toolUse") or part, content)
    elif result and not kind:
        yield from _part({**as_object(result), "type": "tool_result"}, content)
    elif part.keys() & {"reasoningContent", "cachePoint"}:
        content.parts["thoughts"] += "reasoningContent" in part
    elif kind in _RESULTS:
        content.results += 1
        found = next(
            (part[key] for key in ("content", "output", "response", "result") if part.get(key) is not None), None
        )
        if isinstance(found, list):
            yield from _parts(found, content)
        else:
            yield to_text(found) or ""
    elif kind in _THOUGHTS:
        content.parts["thoughts"] += 1
    elif kind in _TEXTS or (not kind and isinstance(part.get("content"), str)):
        yield next((part[key] for key in ("text", "content", "refusal") if isinstance(part.get(key), str)), "")
    elif kind or "inlineData" in part or "inline_data" in part:
        name = _OTHERS.get(as_text(part.get("modality")) or kind, kind or "file")
        content.parts[name] += 1
        yield f"[{name}]"
    else:
        yield to_text(part) or ""


def _add_call(call: Json, content: MessageContent) -> None:
    if not isinstance(call, dict):
        return
    inner = call["function"] if isinstance(call.get("function"), dict) else call
    name = as_text(inner.get("name")) or as_text(inner.get("toolName")) or as_text(inner.get("function"))
    if not name:
        return
    arguments: Json = next((inner[key] for key in ("arguments", "input", "args") if inner.get(key) is not None), {})
    found = {
        "id": next(
            (found for key in ("call_id", "tool_call_id", "id", "toolCallId") if (found := as_text(call.get(key)))),
            None,
        ),
        "name": name,
        "arguments": decode_embedded(arguments),
    }
    content.calls.append({key: value for key, value in found.items() if value is not None})
