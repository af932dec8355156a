"""OpenAI's fine-tuning data in chat form: JSON Lines of `messages` whose last one is the assistant's.

These answers are examples, not logged ones, so each is also the `expected` answer. The exception is an answer of
`weight` 0: it is context that the model must not learn, so it counts as a wrong one.
"""

from promptbench.core.protocols import Log
from promptbench.core.types import Json
from promptbench.ingest._bodies import read_response
from promptbench.ingest._fields import as_list, as_number, as_object
from promptbench.ingest._records import NotACall, RecordMap, record_reader
from promptbench.plugins import LogFormatSpec

_KNOWN = {"messages", "tools", "parallel_tool_calls", "functions"}


def matches(file: Log) -> bool:
    """Return True if the first record has messages, one of them the assistant's, and no field of another format."""
    first = file.first_record or {}
    roles = [as_object(message).get("role") for message in as_list(first.get("messages"))]
    return "assistant" in roles and first.keys() <= _KNOWN


def _prepare(data: dict[str, Json]) -> dict[str, Json]:
    messages = as_list(data["messages"])
    last = as_object(messages[-1]) if messages else {}
    if last.get("role") != "assistant":
        raise NotACall("not an example: the last of its 'messages' is not the assistant's")
    rejected = as_number(last.get("weight")) == 0
    answer = read_response(last).answer
    return {
        **data,
        "sent": messages[:-1],
        "came": last,
        "verdict": "weight 0" if rejected else None,
        "good": None if rejected else answer,
    }


_MAP = RecordMap(
    name="openai_fine_tuning",
    keys=frozenset({"messages"}),
    fields={"request": "sent", "response": "came", "verdict": "verdict", "expected": "good"},
    prepare=_prepare,
    placed=frozenset({"messages", "functions"}),
)
SPEC = LogFormatSpec(matches=matches, read=record_reader(_MAP.build), specificity=20)
