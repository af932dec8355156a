"""OpenAI's Batch API: the file of requests, the output file and the error file, as they are uploaded and downloaded.

An answer has no prompt and answers are in any order, so the request file is joined by `custom_id`: import it together
with the output and the error file. Chat completions, the Responses API and legacy completions are read. A batch has no
latency. Its discount of one half is not applied here.
"""

from __future__ import annotations

from promptbench.core.protocols import Log
from promptbench.core.types import Json, LoggedCall
from promptbench.ingest._bodies import read_request, read_response
from promptbench.ingest._fields import (
    as_count,
    as_iso_time,
    as_object,
    as_text,
    join_nonblank,
    omit_fields,
)
from promptbench.ingest._records import FilePair, JoinedRecords, NotACall
from promptbench.ingest._tiers import classify_failure

NAME = "openai_batch"
_BODY = {"model", "choices", "output", "usage", "created", "created_at", "object", "status", "incomplete_details"}


def _is_requests(file: Log) -> bool:
    return (file.first_record or {}).keys() >= {"custom_id", "method", "url", "body"}


def _is_answers(file: Log) -> bool:
    return (file.first_record or {}).keys() >= {"custom_id", "response"}


_PAIR = FilePair(
    _is_requests,
    _is_answers,
    "custom_id",
    "it has requests without answers: import the output file of the batch together with it",
)


def _build_call(data: dict[str, Json], requests: JoinedRecords) -> LoggedCall:
    key = as_text(data.get("custom_id"))
    response = as_object(data.get("response"))
    if key is None or not (response or data.get("error")):
        raise NotACall("not a batch answer: it needs a 'custom_id' and a 'response' or an 'error'")
    request = requests.find(key)
    request_body = read_request(request.get("body"))
    body = as_object(response.get("body"))
    reply = read_response(body)
    error = _error(data, response, body)
    failed, tier = classify_failure(error=error, finish_reason=reply.finish_reason, refusal=reply.refusal)
    extra = {
        **omit_fields(data, {"custom_id", "response", "error"}),
        **omit_fields(response, {"status_code", "body"}),
        **omit_fields(body, _BODY | {"id", "error"}),
        **request_body.extra,
        **reply.extra,
    }
    return LoggedCall(
        id=key,
        answer=None if error else reply.answer,
        model=reply.model or request_body.model,
        time=as_iso_time(body.get("created") or body.get("created_at")),
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


def _error(data: dict[str, Json], response: dict[str, Json], body: dict[str, Json]) -> str | None:
    status = as_count(response.get("status_code"))
    own = as_object(data.get("error")) or as_object(body.get("error"))
    failed = f"status {status}" if status is not None and status >= 400 else None
    return join_nonblank(failed, own.get("code"), own.get("message")) or ("error" if own else None)


SPEC = _PAIR.spec(_build_call, specificity=50)
