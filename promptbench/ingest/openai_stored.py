"""OpenAI's stored chat completions: the pages of `GET /v1/chat/completions`, as JSON, or one completion a line.

The prompts are a list of their own, `GET /v1/chat/completions/{id}/messages`, whose items are named `{id}-0`, `{id}-1`
and so on: import these files together with the completions. `metadata` is the application's own, and is kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest._bodies import read_response
from promptbench.ingest._chat import read_conversation
from promptbench.ingest._fields import as_iso_time, as_list, as_text, omit_fields
from promptbench.ingest._joined import FilePair, JoinedRecords, read_pair
from promptbench.ingest._records import NotACall
from promptbench.ingest._tiers import classify_failure
from promptbench.plugins import LogFormatSpec

NAME = "openai_stored"
_KNOWN = {"id", "object", "created", "model", "choices", "usage", "tools", "metadata"}
_PARAMS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "response_format", "tool_choice",
           "reasoning_effort", "service_tier", "max_completion_tokens")  # fmt: skip
_MOST_MESSAGES = 1_000


def matches(file: Log) -> bool:
    """Whether the first record is a chat completion, or the file is a list of the messages of one."""
    return _is_completions(file) or _is_messages(file)


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """The completions, each with its messages where the import has them. A list of messages gives none of its own."""
    return read_pair(file, _PAIR, _call)


def _is_completions(file: Log) -> bool:
    first = file.sample() or {}
    return first.get("object") == "chat.completion" and "choices" in first


def _is_messages(file: Log) -> bool:
    """A page of messages: what tells it from other lists is that each id ends in a dash and a number."""
    first = file.sample() or {}
    name, dash, position = (as_text(first.get("id")) or "").rpartition("-")
    return file.keys() >= {"has_more"} and "role" in first and bool(name and dash) and position.isdecimal()


_PAIR = FilePair(
    _is_messages, _is_completions, "id", "it has messages without answers: name the file of the completions beside it"
)


def _call(data: dict[str, Json], messages: JoinedRecords) -> LoggedCall:
    if data.get("object") != "chat.completion" or not as_list(data.get("choices")):
        raise NotACall("no chat completion: it has no 'choices'")
    key = as_text(data.get("id")) or ""
    said = _messages(key, messages)
    talk = read_conversation([{**one, "content": one.get("content_parts") or one.get("content")} for one in said])
    reply = read_response(data)
    failed, tier = classify_failure(finish_reason=reply.finish_reason, refusal=reply.refusal)
    params = {name: data[name] for name in _PARAMS if data.get(name) is not None}
    extra = {
        **omit_fields(data, _KNOWN | set(_PARAMS)),
        **({"params": params} if params else {}),
        **({"tools": data["tools"]} if data.get("tools") else {}),
        **({"metadata": data["metadata"]} if data.get("metadata") else {}),
        **talk.extra,
        **reply.extra,
    }
    return LoggedCall(
        id=key,
        answer=reply.answer,
        model=reply.model,
        time=as_iso_time(data.get("created")),
        messages=talk.messages,
        finish_reason=reply.finish_reason,
        usage=reply.usage,
        failed=failed,
        extra=extra,
        tier=tier,
        format=NAME,
        raw={**data, "messages": said} if said else data,
    )


def _messages(key: str, messages: JoinedRecords) -> list[dict[str, Json]]:
    found = []
    for position in range(_MOST_MESSAGES):
        message = messages.find(f"{key}-{position}")
        if not message:
            break
        found.append(message)
    return found


SPEC = LogFormatSpec(matches, read, specificity=45)
