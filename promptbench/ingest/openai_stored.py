"""OpenAI's stored chat completions: the pages of `GET /v1/chat/completions`, as JSON, or one completion a line.

The prompts are a separate list, `GET /v1/chat/completions/{id}/messages`, with the ids `{id}-0`, `{id}-1` and so on:
import these files together with the completions. `metadata` is the application's own.
"""

from __future__ import annotations

from promptbench.core.protocols import Log
from promptbench.core.types import Json, LoggedCall
from promptbench.ingest._bodies import read_response
from promptbench.ingest._chat import read_conversation
from promptbench.ingest._fields import as_iso_time, as_list, as_text, omit_fields
from promptbench.ingest._records import FilePair, JoinedRecords, NotACall
from promptbench.ingest._tiers import classify_failure

NAME = "openai_stored"
_KNOWN = {"id", "object", "created", "model", "choices", "usage"}
_PARAMS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "response_format", "tool_choice",
           "reasoning_effort", "service_tier", "max_completion_tokens")  # fmt: skip
_MOST_MESSAGES = 1_000


def _is_completions(file: Log) -> bool:
    first = file.first_record or {}
    return first.get("object") == "chat.completion" and "choices" in first


def _is_messages(file: Log) -> bool:
    """Return True for a page of messages: unlike in other lists, each id ends in a dash and a number."""
    first = file.first_record or {}
    name, dash, position = (as_text(first.get("id")) or "").rpartition("-")
    return file.document_keys >= {"has_more"} and "role" in first and bool(name and dash) and position.isdecimal()


_PAIR = FilePair(
    _is_messages, _is_completions, "id", "it has messages without answers: import the completions together with it"
)


def _build_call(data: dict[str, Json], messages: JoinedRecords) -> LoggedCall:
    if data.get("object") != "chat.completion" or not as_list(data.get("choices")):
        raise NotACall("not a chat completion: it has no 'choices'")
    key = as_text(data.get("id")) or ""
    sent = _find_messages(key, messages)
    talk = read_conversation([{**one, "content": one.get("content_parts") or one.get("content")} for one in sent])
    reply = read_response(data)
    failed, tier = classify_failure(finish_reason=reply.finish_reason, refusal=reply.refusal)
    params = {name: data[name] for name in _PARAMS if data.get(name) is not None}
    extra = {
        **omit_fields(data, _KNOWN | set(_PARAMS)),
        **({"params": params} if params else {}),
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
        raw={**data, "messages": sent} if sent else data,
    )


def _find_messages(key: str, messages: JoinedRecords) -> list[dict[str, Json]]:
    found = []
    for position in range(_MOST_MESSAGES):
        message = messages.find(f"{key}-{position}")
        if not message:
            break
        found.append(message)
    return found


SPEC = _PAIR.spec(_build_call, specificity=45)
