"""Phoenix (Arize): spans as its REST API, its client and `spans.to_json()` give them (JSON, JSON Lines or CSV).

Attributes are OpenInference's, nested or with dots, in an object `attributes` or in columns `attributes.…`. Spans of
kind LLM are calls. Spans in OTLP are read by the format `otlp`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from promptbench.core.protocols import Log
from promptbench.core.types import Json, LoggedCall
from promptbench.ingest import _table
from promptbench.ingest._fields import as_iso_time, as_object, as_text, decode_embedded, milliseconds_between
from promptbench.ingest._records import NotACall, record_reader
from promptbench.ingest.otlp import build_span_call
from promptbench.plugins import LogFormatSpec

_PREFIX = "attributes."
_DEPTH = 32
# Attributes that are data themselves, and are not flattened, by the end of their name.
_DATA = (
    "llm.invocation_parameters", "llm.prompt_template.variables", "input.value", "output.value", "metadata",
    ".content", ".arguments", ".json_schema",
)  # fmt: skip
_MESSAGES = ("llm.input_messages", "llm.output_messages")
# In a table, these are JSON in a cell.
_NESTED = ("", "llm", *_MESSAGES, "llm.tools", "llm.token_count", "llm.prompt_template")


def matches(file: Log) -> bool:
    """Return True if the first record is a span."""
    keys = _table.first(file).keys()
    return "span_kind" in keys and bool(keys & {"attributes", "context", "context.span_id"})


def _build_call(data: dict[str, Json], location: str) -> LoggedCall | None:
    if "span_kind" not in data:
        raise NotACall("it is not a span: it has no 'span_kind'")
    if (as_text(data["span_kind"]) or "").upper() != "LLM":
        return None
    own = {key.removeprefix(_PREFIX): value for key, value in data.items() if key.startswith(_PREFIX)}
    found = dict(_flatten(own or as_object(data.get("attributes")), "", _DEPTH))
    found["openinference.span.kind"] = "LLM"
    context = as_object(data.get("context"))
    status = {"message": data.get("status_message"), "code": f"STATUS_CODE_{data.get('status_code')}"}
    span = {
        "spanId": context.get("span_id") or data.get("context.span_id"),
        "traceId": context.get("trace_id") or data.get("context.trace_id"),
        "name": data.get("name"),
        "status": status,
    }
    call = build_span_call(found, {}, {}, span, location)
    if call is None or not call.messages:
        raise NotACall("its attributes have no input")
    start, end = data.get("start_time"), data.get("end_time")
    latency = milliseconds_between(start, end)
    return replace(call, time=as_iso_time(start), latency_ms=latency, format="phoenix", raw=data)


def _flatten(value: Json, path: str, depth: int) -> Iterator[tuple[str, Json]]:
    """Yield the attributes in nested data, such as `llm.input_messages.0.message.role`."""
    found = decode_embedded(value) if path in _NESTED else value
    if path in _MESSAGES and isinstance(found, str) and found:
        raise NotACall("its messages are not JSON, as in a table of pandas: export it as JSON Lines")
    if path.endswith(_DATA) or not depth or not isinstance(found, dict | list) or not found:
        yield path, value
        return
    items = found.items() if isinstance(found, Mapping) else enumerate(found)
    for key, item in items:
        yield from _flatten(item, f"{path}.{key}".lstrip("."), depth - 1)


SPEC = LogFormatSpec(matches=matches, read=record_reader(_build_call), specificity=60)
