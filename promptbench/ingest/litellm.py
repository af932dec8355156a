"""LiteLLM: the standard logging payload of its callbacks, and the rows of its proxy's `LiteLLM_SpendLogs` table
(JSON, JSON Lines or CSV).

Rows of the table have messages and responses only if the proxy stores prompts; otherwise they are empty.
Times are seconds since 1970 in the payload, ISO 8601 in the table.
"""

from __future__ import annotations

from collections.abc import Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import Json, LoggedCall
from promptbench.ingest import _table
from promptbench.ingest._bodies import ResponseBody, read_input, read_output, read_request, read_response, read_usage
from promptbench.ingest._fields import (
    as_iso_time,
    as_nonblank,
    as_number,
    as_object,
    as_tags,
    as_text,
    decode_embedded,
    join_nonblank,
    milliseconds_between,
    omit_fields,
)
from promptbench.ingest._records import NotACall, record_reader
from promptbench.ingest._tiers import classify_failure
from promptbench.plugins import LogFormatSpec

NAME = "litellm"
_PLACED = {
    "id", "request_id", "messages", "response", "status", "error_str", "error_information", "model", "prompt_tokens",
    "completion_tokens", "total_tokens", "response_cost", "spend", "startTime", "endTime", "response_time",
    "request_duration_ms", "api_key", "model_parameters", "request_tags", "proxy_server_request",
    "call_type", "custom_llm_provider",
}  # fmt: skip
_TEXT_CALLS = ("completion", "responses", "messages", "generate_content", "pass_through")


def matches(file: Log) -> bool:
    """Return True if the first record is a standard payload or a row of the table."""
    keys = _table.first(file).keys()
    return keys >= {"call_type", "model_group"} and bool(keys & {"model_parameters", "request_id"})


def _build_call(data: dict[str, Json], location: str) -> LoggedCall | None:
    kind = as_text(data.get("call_type"))
    if kind is None:
        raise NotACall("not a call of LiteLLM: it has no 'call_type'")
    if not any(word in kind for word in _TEXT_CALLS):
        return None
    response = as_object(data.get("response"))
    reply = read_response(response) if response else _read_plain(data.get("response"))
    error = _error(data)
    failed, tier = classify_failure(error=error, finish_reason=reply.finish_reason, refusal=reply.refusal)
    body = as_object(data.get("proxy_server_request"))
    stored = decode_embedded(data.get("messages"))
    sent = read_input(stored) if stored else read_request(body.get("body") or body)
    kept = {"provider": data.get("custom_llm_provider"), "params": as_object(data.get("model_parameters"))}
    return LoggedCall(
        id=as_text(data.get("id")) or as_text(data.get("request_id")) or location,
        answer=None if error else reply.answer,
        model=reply.model or as_text(data.get("model")) or "",
        time=as_iso_time(data.get("startTime")),
        messages=sent.messages,
        error=error,
        finish_reason=reply.finish_reason,
        usage=reply.usage or read_usage(data),
        latency_ms=_latency(data),
        failed=failed,
        tags=as_tags(data.get("request_tags")),
        extra={**omit_fields(data, _PLACED), **sent.extra, **omit_fields(kept, ()), **reply.extra},
        tier=tier,
        format=NAME,
        cost=as_number(data.get("response_cost", data.get("spend"))),
        raw=data,
    )


def _read_plain(value: Json) -> ResponseBody:
    return read_output(value) if isinstance(value, str) and value and value != "{}" else ResponseBody()


def _error(data: Mapping[str, Json]) -> str | None:
    about = as_object(data.get("error_information")) or as_object(
        as_object(data.get("metadata")).get("error_information")
    )
    status = as_text(data.get("status")) or as_text(as_object(data.get("metadata")).get("status"))
    if status != "failure":
        return None
    kind = " ".join(
        part for part in (as_nonblank(about.get("error_class")), as_nonblank(about.get("error_code"))) if part
    )
    return join_nonblank(kind, about.get("error_message") or data.get("error_str")) or "failure"


def _latency(data: Mapping[str, Json]) -> float | None:
    duration = as_number(data.get("request_duration_ms"))
    if duration is not None:
        return duration
    seconds = as_number(data.get("response_time"))
    return milliseconds_between(data.get("startTime"), data.get("endTime")) if seconds is None else seconds * 1_000


SPEC = LogFormatSpec(matches=matches, read=record_reader(_build_call), specificity=50, by_line=True)
