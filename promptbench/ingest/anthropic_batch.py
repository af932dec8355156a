"""Anthropic's Message Batches: the results as JSON Lines, and the body of the request that created the batch.

A result has no prompt and results are in any order, so the requests (`{"requests": [{custom_id, params}]}`, or one per
line) are joined by `custom_id`: import both files together. Anthropic counts tokens read from and written to the cache
separately; here they are part of the input.
"""

from promptbench.core.protocols import Log
from promptbench.core.types import Json
from promptbench.ingest._fields import as_object, as_text, join_nonblank, omit_fields
from promptbench.ingest._records import FilePair, NotACall, RecordMap

_MESSAGE = {"id", "type", "role", "model", "content", "stop_reason", "usage"}


def _is_requests(file: Log) -> bool:
    first = file.first_record or {}
    return first.keys() >= {"custom_id", "params"} and "messages" in as_object(first.get("params"))


def _is_results(file: Log) -> bool:
    return (file.first_record or {}).keys() >= {"custom_id", "result"}


_PAIR = FilePair(
    _is_requests,
    _is_results,
    "custom_id",
    "it has requests without answers: import the results of the batch together with it",
)


def _prepare(data: dict[str, Json]) -> dict[str, Json]:
    result = as_object(data["result"])
    kind, outer = as_text(result.get("type")), as_object(result.get("error"))
    if kind is None:
        raise NotACall("its 'result' has no 'type'")
    own = as_object(outer.get("error")) or outer
    failed = kind != "succeeded"
    return {
        **data,
        "failed": join_nonblank(kind, own.get("type"), own.get("message")) if failed else None,
        "came": None if failed else result.get("message"),
        "more": omit_fields(as_object(result.get("message")), _MESSAGE),
    }


_MAP = RecordMap(
    name="anthropic_batch",
    keys=frozenset({"custom_id", "result"}),
    fields={
        "id": "custom_id",
        "model": "result.message.model | request.params.model",
        "request": "request.params",
        "response": "came",
        "error": "failed",
        "more": "more",
    },
    prepare=_prepare,
)
SPEC = _PAIR.spec(_MAP.build_pair, specificity=50)
