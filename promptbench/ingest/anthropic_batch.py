"""Anthropic's Message Batches: the results as JSON Lines, and the body of the request that created the batch.

A result has no prompt and results are in any order, so the requests (`{"requests": [{custom_id, params}]}`, or one per
line) are joined by `custom_id`: import both files together. Anthropic counts tokens read from and written to the cache
separately; here they are part of the input.
"""

from __future__ import annotations

from promptbench.core.protocols import Log
from promptbench.core.types import Json, LoggedCall
from promptbench.ingest._bodies import read_request, read_response
from promptbench.ingest._fields import as_object, as_text, join_nonblank, omit_fields
from promptbench.ingest._records import FilePair, JoinedRecords, NotACall
from promptbench.ingest._tiers import classify_failure

NAME = "anthropic_batch"
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


def _build_call(data: dict[str, Json], requests: JoinedRecords) -> LoggedCall:
    key = as_text(data.get("custom_id"))
    result = as_object(data.get("result"))
    kind = as_text(result.get("type"))
    if key is None or kind is None:
        raise NotACall("not a batch result: it needs a 'custom_id' and a 'result' with a 'type'")
    request = requests.find(key)
    request_body = read_request(request.get("params"))
    message = as_object(result.get("message"))
    reply = read_response(message)
    error = None if kind == "succeeded" else _error(kind, result)
    failed, tier = classify_failure(error=error, finish_reason=reply.finish_reason)
    extra = {
        **omit_fields(data, {"custom_id", "result"}),
        **omit_fields(message, _MESSAGE),
        **request_body.extra,
        **reply.extra,
    }
    return LoggedCall(
        id=key,
        answer=None if error else reply.answer,
        model=reply.model or request_body.model,
        messages=request_body.messages,
        error=error,
        finish_reason=reply.finish_reason,
        usage=reply.usage,
        failed=failed,
        extra=extra,
        tier=tier,
        format=NAME,
        raw={**data, "request": request} if request else data,
    )


def _error(kind: str, result: dict[str, Json]) -> str:
    outer = as_object(result.get("error"))
    own = as_object(outer.get("error")) or outer
    return join_nonblank(kind, own.get("type"), own.get("message"))


SPEC = _PAIR.spec(_build_call, specificity=50)
