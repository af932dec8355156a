"""Phoenix (Arize): spans as its REST API, its client and `spans.to_json()` give them (JSON, JSON Lines or CSV).

Attributes are OpenInference's, nested or with dots, in an object `attributes` or in columns `attributes.…`. Spans of
kind LLM are calls. Spans in OTLP are read by the format `otlp`.
"""

from dataclasses import replace

from promptbench.core.protocols import Log
from promptbench.core.types import Json, LoggedCall
from promptbench.ingest import _table
from promptbench.ingest._fields import as_object, as_text, decode_embedded
from promptbench.ingest._records import NotACall, record_reader
from promptbench.ingest.otlp import build_span_call
from promptbench.plugins import LogFormatSpec

_PREFIX = "attributes."
# Groups of attributes that are objects where attributes are nested.
_READ = ("llm", "input", "output", "tag")


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
    found = dict(own or as_object(data.get("attributes")))
    for name in _READ:
        # In a table, these are JSON in a cell.
        inner = decode_embedded(found.pop(name, None))
        found |= {f"{name}.{key}": value for key, value in as_object(inner).items()}
    for name in ("llm.input_messages", "llm.output_messages"):
        if isinstance(found.get(name), str) and isinstance(decode_embedded(found[name]), str):
            raise NotACall("its messages are not JSON, as in a table of pandas: export it as JSON Lines")
    found["openinference.span.kind"] = "LLM"
    context = as_object(data.get("context"))
    span = {
        "spanId": context.get("span_id") or data.get("context.span_id"),
        "traceId": context.get("trace_id") or data.get("context.trace_id"),
        "name": data.get("name"),
        "status": {"message": data.get("status_message"), "code": f"STATUS_CODE_{data.get('status_code')}"},
        "startTimeUnixNano": data.get("start_time"),
        "endTimeUnixNano": data.get("end_time"),
    }
    call = build_span_call(found, {"span": span}, location)
    if call is None or not call.messages:
        raise NotACall("its attributes have no input")
    return replace(call, format="phoenix", raw=data)


SPEC = LogFormatSpec(matches=matches, read=record_reader(_build_call), specificity=60)
