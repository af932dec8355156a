"""Helicone: the export of requests as JSON Lines, JSON or CSV, with their bodies (`--include-body`).

Its exporter may write a comma before the closing bracket, and escape the quotes in CSV cells twice. Statuses from 400
on, or below zero, are failures; a `feedback_rating` of false is a person's verdict.
"""

from __future__ import annotations

from collections.abc import Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import Json, LoggedCall
from promptbench.ingest import _table
from promptbench.ingest._bodies import read_request, read_response, read_usage
from promptbench.ingest._fields import (
    as_iso_time,
    as_nonblank,
    as_number,
    as_object,
    as_text,
    decode_embedded,
    join_nonblank,
    milliseconds_between,
    omit_fields,
)
from promptbench.ingest._records import NotACall, record_reader
from promptbench.ingest._tiers import classify_failure, find_low_score, iterate_scores, parse_truth
from promptbench.plugins import LogFormatSpec

NAME = "helicone"
_PLACED = {
    "request_id", "response_status", "request_created_at", "request_body", "response_body", "model", "delay_ms",
    "latency", "prompt_tokens", "completion_tokens", "total_tokens", "prompt_cache_read_tokens", "cost", "scores",
    "feedback_rating", "provider", "request_properties", "properties",
}  # fmt: skip
_CACHED = "prompt_cache_read_tokens"


def matches(file: Log) -> bool:
    """Return True if the first record is a request with its body."""
    return _table.first(file).keys() >= {"response_status", "request_body"}


def _build_call(data: dict[str, Json], location: str) -> LoggedCall:
    status = as_number(data.get("response_status"))
    if status is None or "request_body" not in data:
        raise NotACall("not a request: it needs a 'response_status' and a 'request_body'")
    request = read_request(_decode_body(data["request_body"]))
    body = _decode_body(data.get("response_body"))
    reply = read_response(body)
    error = _error(status, as_object(body.get("error")), body)
    scores = as_object(data.get("scores"))
    rated = parse_truth(data.get("feedback_rating"))
    verdict = "feedback rating false" if rated is False else find_low_score(iterate_scores(scores))
    failed, tier = classify_failure(
        error=error, finish_reason=reply.finish_reason, refusal=reply.refusal, verdict=verdict
    )
    kept = {
        "scores": scores,
        "properties": {**_decode_body(data.get("request_properties")), **_decode_body(data.get("properties"))},
        "provider": data.get("provider"),
        "feedback_rating": rated,
    }
    return LoggedCall(
        id=as_text(data.get("request_id")) or as_text(data.get("response_id")) or location,
        answer=None if error else reply.answer,
        model=reply.model or as_text(data.get("model")) or request.model,
        time=as_iso_time(data.get("request_created_at")),
        messages=request.messages,
        error=error,
        finish_reason=reply.finish_reason,
        usage=reply.usage or read_usage({**data, "prompt_tokens_details": {"cached_tokens": data.get(_CACHED)}}),
        latency_ms=_latency(data),
        failed=failed,
        extra={**omit_fields(data, _PLACED), **request.extra, **omit_fields(kept, ()), **reply.extra},
        tier=tier,
        format=NAME,
        cost=as_number(data.get("cost")),
        raw=data,
    )


def _latency(data: Mapping[str, Json]) -> float | None:
    logged = as_number(data.get("delay_ms"))
    if logged is not None:
        return logged
    return milliseconds_between(data.get("request_created_at"), data.get("response_created_at"))


def _decode_body(value: Json) -> dict[str, Json]:
    """Return an object, or the one in JSON text, whose quotes may all be doubled."""
    found = decode_embedded(value)
    if isinstance(found, str) and '""' in found:
        found = decode_embedded(found.replace('""', '"'))
    return found if isinstance(found, dict) else {}


def _error(status: float, own: Mapping[str, Json], body: Mapping[str, Json]) -> str | None:
    if 0 <= status < 400:
        return None
    return join_nonblank(
        f"status {status:g}",
        as_nonblank(own.get("message")) or as_nonblank(body.get("error")) or as_nonblank(body.get("message")),
    )


SPEC = LogFormatSpec(matches=matches, read=record_reader(_build_call), specificity=50, by_line=True)
