"""OpenAI's Batch API: the file of requests, the output file and the error file, as they are uploaded and downloaded.

An answer has no prompt and answers are in any order, so the request file is joined by `custom_id`: import it together
with the output and the error file. Chat completions, the Responses API and legacy completions are read. A batch has no
latency. Its discount of one half is not applied here.
"""

from promptbench.core.protocols import Log
from promptbench.core.types import Json
from promptbench.ingest._fields import as_count, as_object, join_nonblank, omit_fields
from promptbench.ingest._records import FilePair, NotACall, RecordMap

_BODY = {"model", "choices", "output", "usage", "created", "created_at", "object", "status", "incomplete_details", "id",
         "error"}  # fmt: skip


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


def _prepare(data: dict[str, Json]) -> dict[str, Json]:
    response = as_object(data.get("response"))
    if not (response or data.get("error")):
        raise NotACall("it has neither a 'response' nor an 'error'")
    body, status = as_object(response.get("body")), as_count(response.get("status_code"))
    own = as_object(data.get("error")) or as_object(body.get("error"))
    failed = f"status {status}" if status is not None and status >= 400 else None
    return {
        **data,
        "failed": join_nonblank(failed, own.get("code"), own.get("message")) or ("error" if own else None),
        "came": None if failed or own else body,
        "more": {**omit_fields(response, {"status_code", "body"}), **omit_fields(body, _BODY)},
    }


_MAP = RecordMap(
    name="openai_batch",
    keys=frozenset({"custom_id"}),
    fields={
        "id": "custom_id",
        "time": "response.body.created | response.body.created_at",
        "model": "response.body.model | request.body.model",
        "request": "request.body",
        "response": "came",
        "error": "failed",
        "usage": "response.body.usage",
        "more": "more",
    },
    prepare=_prepare,
    placed=frozenset({"error"}),
)
SPEC = _PAIR.spec(_MAP.build_pair, specificity=50)
