"""OpenAI's fine-tuning data in chat form: JSON Lines of `messages` whose last one is the assistant's.

These answers are examples, not logged ones, so each is also the `expected` answer. The exception is an answer of
`weight` 0: it is context that the model must not learn, so it counts as a wrong one.
"""

from __future__ import annotations

from promptbench.core.protocols import Log
from promptbench.core.types import Json, LoggedCall
from promptbench.ingest._bodies import read_response
from promptbench.ingest._chat import read_conversation
from promptbench.ingest._fields import as_list, as_number, as_object, omit_fields
from promptbench.ingest._records import NotACall, record_reader
from promptbench.ingest._tiers import classify_failure
from promptbench.plugins import LogFormatSpec

NAME = "openai_fine_tuning"
_KNOWN = {"messages", "tools", "parallel_tool_calls", "functions"}


def matches(file: Log) -> bool:
    """Return True if the first record has messages, one of them the assistant's, and no field of another format."""
    first = file.first_record or {}
    roles = [as_object(message).get("role") for message in as_list(first.get("messages"))]
    return "assistant" in roles and first.keys() <= _KNOWN


def _build_call(data: dict[str, Json], location: str) -> LoggedCall:
    messages = as_list(data.get("messages"))
    last = as_object(messages[-1]) if messages else {}
    if last.get("role") != "assistant":
        raise NotACall("not an example: the last of its 'messages' is not the assistant's")
    talk = read_conversation(messages[:-1])
    reply = read_response(last)
    rejected = as_number(last.get("weight")) == 0
    failed, tier = classify_failure(verdict="weight 0" if rejected else None)
    extra = {
        **omit_fields(data, _KNOWN - {"parallel_tool_calls", "tools"}),
        **talk.extra,
        **reply.extra,
    }
    return LoggedCall(
        id=location,
        answer=reply.answer,
        messages=talk.messages,
        failed=failed,
        extra=extra,
        tier=tier,
        format=NAME,
        expected=None if rejected else reply.answer,
        raw=data,
    )


SPEC = LogFormatSpec(matches=matches, read=record_reader(_build_call), specificity=20)
