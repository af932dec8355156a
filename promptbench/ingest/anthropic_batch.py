"""Anthropic's Message Batches: the results as JSON Lines, and the body of the request that created the batch.

A result has no prompt and the order is not kept, so the requests (`{"requests": [{custom_id, params}]}`, or one a line)
are joined by `custom_id`: import both files together. Usage counts what was read from and written to the cache apart
from the input; here the input is all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest._bodies import read_request, read_response
from promptbench.ingest._fields import as_nonblank, as_object, as_text, omit_fields
from promptbench.ingest._joined import FilePair, JoinedRecords, read_pair
from promptbench.ingest._records import NotACall
from promptbench.ingest._tiers import classify_failure
from promptbench.plugins import LogFormatSpec

NAME = "anthropic_batch"
_MESSAGE = {"id", "type", "role", "model", "content", "stop_reason", "usage"}


def matches(file: Log) -> bool:
    """Whether the first record is a result of a batch, or a request for one."""
    return _is_requests(file) or _is_results(file)


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """The results, each with its request where the import has it. A file of requests gives none of its own."""
    return read_pair(file, _PAIR, _call)


def _is_requests(file: Log) -> bool:
    first = file.sample() or {}
    return first.keys() >= {"custom_id", "params"} and "messages" in as_object(first.get("params"))


def _is_results(file: Log) -> bool:
    return (file.sample() or {}).keys() >= {"custom_id", "result"}


_PAIR = FilePair(
    _is_requests, _is_results, "custom_id", "it has requests without answers: name the batch's results beside it"
)


def _call(data: dict[str, Json], requests: JoinedRecords) -> LoggedCall:
    key = as_text(data.get("custom_id"))
    result = as_object(data.get("result"))
    kind = as_text(result.get("type"))
    if key is None or kind is None:
        raise NotACall("no result of a batch: it needs a 'custom_id' and a 'result' with a 'type'")
    request = requests.find(key)
    sent = read_request(request.get("params"))
    message = as_object(result.get("message"))
    reply = read_response(message)
    error = None if kind == "succeeded" else _error(kind, result)
    failed, tier = classify_failure(error=error, finish_reason=reply.finish_reason)
    extra = {
        **omit_fields(data, {"custom_id", "result"}),
        **omit_fields(message, _MESSAGE),
        **sent.extra,
        **reply.extra,
    }
    return LoggedCall(
        id=key,
        answer=None if error else reply.answer,
        model=reply.model or sent.model,
        messages=sent.messages,
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
    said = ": ".join(part for part in (as_nonblank(own.get("type")), as_nonblank(own.get("message"))) if part)
    return f"{kind}: {said}" if said else kind


SPEC = LogFormatSpec(matches, read, specificity=50)
