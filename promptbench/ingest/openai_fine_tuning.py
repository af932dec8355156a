"""OpenAI's fine-tuning data in chat form: JSON Lines of `messages` whose last one is the assistant's.

These are answers as they should be, not as they were logged, so each is also what is `expected`. The exception is an
answer of `weight` 0: it is there as a context and is not to be learned, which marks it as a bad one.
"""

from __future__ import annotations

from collections.abc import Iterator

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest._bodies import read_response
from promptbench.ingest._chat import read_conversation
from promptbench.ingest._fields import as_list, as_number, as_object, omit_fields
from promptbench.ingest._records import NotACall, read_records
from promptbench.ingest._tiers import classify_failure
from promptbench.plugins import LogFormatSpec

NAME = "openai_fine_tuning"
_KNOWN = {"messages", "tools", "parallel_tool_calls", "functions"}


def matches(file: Log) -> bool:
    """Whether the first record has messages, one of them the assistant's, and nothing but what belongs to them."""
    first = file.sample() or {}
    roles = [as_object(message).get("role") for message in as_list(first.get("messages"))]
    return "assistant" in roles and first.keys() <= _KNOWN


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """The conversations, each up to its last answer."""
    return read_records(file.records(), _call)


def _call(data: dict[str, Json], place: str) -> LoggedCall:
    said = as_list(data.get("messages"))
    last = as_object(said[-1]) if said else {}
    if last.get("role") != "assistant":
        raise NotACall("no example: the last of its 'messages' is not the assistant's")
    talk = read_conversation(said[:-1])
    reply = read_response(last)
    rejected = as_number(last.get("weight")) == 0
    failed, tier = classify_failure(verdict="weight 0" if rejected else None)
    extra = {
        **omit_fields(data, _KNOWN - {"parallel_tool_calls"}),
        **({"tools": data["tools"]} if data.get("tools") else {}),
        **talk.extra,
        **reply.extra,
    }
    return LoggedCall(
        id=place,
        answer=reply.answer,
        messages=talk.messages,
        failed=failed,
        extra=extra,
        tier=tier,
        format=NAME,
        expected=None if rejected else reply.answer,
        raw=data,
    )


SPEC = LogFormatSpec(matches, read, specificity=20)
