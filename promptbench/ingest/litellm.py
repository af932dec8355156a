"""LiteLLM: the standard logging payload that its callbacks get, and the rows of its proxy's `LiteLLM_SpendLogs` table
(JSON, JSON Lines or CSV).

Rows of the table have messages and responses only where the proxy was told to store prompts; elsewhere they are empty.
Times are seconds since 1970 in the payload, ISO 8601 in the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.formats.embedded_json import decoded
from promptbench.ingest import _table
from promptbench.ingest._bodies import Replied, asked, input_of, output_of, replied, usage_of
from promptbench.ingest._fields import between_ms, filled, items, moment, number, record, rest, text
from promptbench.ingest._records import NoCall, read_records
from promptbench.ingest._tiers import failure

specificity = 50
NAME = "litellm"
_PLACED = {
    "id", "request_id", "messages", "response", "status", "error_str", "error_information", "model", "prompt_tokens",
    "completion_tokens", "total_tokens", "response_cost", "spend", "startTime", "endTime", "response_time",
    "request_duration_ms", "api_key", "model_parameters", "request_tags", "proxy_server_request",
    "call_type", "custom_llm_provider",
}  # fmt: skip
_TEXT_CALLS = ("completion", "responses", "messages", "generate_content", "pass_through")


def matches(file: Log) -> bool:
    """Whether the first record is a standard payload or a row of the table."""
    keys = _table.first(file).keys()
    return keys >= {"call_type", "model_group"} and bool(keys & {"model_parameters", "request_id"})


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """The calls that ask for text; embeddings, images and the like are left out."""
    return read_records(_table.records(file), _call)


def _call(data: dict[str, Json], place: str) -> LoggedCall | None:
    kind = text(data.get("call_type"))
    if kind is None:
        raise NoCall("no call of LiteLLM: it has no 'call_type'")
    if not any(word in kind for word in _TEXT_CALLS):
        return None
    response = record(data.get("response"))
    reply = replied(response) if response else _plain(data.get("response"))
    error = _error(data)
    failed, tier = failure(error=error, finish_reason=reply.finish_reason, refusal=reply.refusal)
    body = record(data.get("proxy_server_request"))
    stored = decoded(data.get("messages"))
    sent = input_of(stored) if stored else asked(body.get("body") or body)
    kept = {"provider": data.get("custom_llm_provider"), "params": record(data.get("model_parameters"))}
    return LoggedCall(
        id=text(data.get("id")) or text(data.get("request_id")) or place,
        answer=None if error else reply.answer,
        model=reply.model or text(data.get("model")) or "",
        time=moment(data.get("startTime")),
        messages=sent.messages,
        error=error,
        finish_reason=reply.finish_reason,
        usage=reply.usage or usage_of(data),
        latency_ms=_latency(data),
        failed=failed,
        tags=tuple(str(tag) for tag in items(data.get("request_tags"))),
        extra={**rest(data, _PLACED), **sent.extra, **rest(kept, ()), **reply.extra},
        tier=tier,
        format=NAME,
        cost=number(data.get("response_cost", data.get("spend"))),
        raw=data,
    )


def _plain(value: Json) -> Replied:
    return output_of(value) if isinstance(value, str) and value and value != "{}" else Replied()


def _error(data: Mapping[str, Json]) -> str | None:
    about = record(data.get("error_information")) or record(record(data.get("metadata")).get("error_information"))
    status = text(data.get("status")) or text(record(data.get("metadata")).get("status"))
    if status != "failure":
        return None
    kind = " ".join(part for part in (filled(about.get("error_class")), filled(about.get("error_code"))) if part)
    said = filled(about.get("error_message")) or filled(data.get("error_str"))
    return ": ".join(part for part in (kind, said) if part) or "failure"


def _latency(data: Mapping[str, Json]) -> float | None:
    duration = number(data.get("request_duration_ms"))
    if duration is not None:
        return duration
    seconds = number(data.get("response_time"))
    return between_ms(data.get("startTime"), data.get("endTime")) if seconds is None else seconds * 1_000
