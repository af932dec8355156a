"""MLflow traces: `trace.to_json()`, `mlflow traces get`, the rows of `search_traces` (JSON or JSON Lines), or the
artifact `traces.json`, which has the spans only.

Spans of type LLM and CHAT_MODEL are calls; a span that only encloses another call is not. An assessment of the trace
that is false or below 0.5 is the source's verdict about its calls.
"""

from collections.abc import Iterator

from promptbench.core.types import Json
from promptbench.ingest._fields import as_list, as_object, as_text
from promptbench.ingest._records import RecordMap, plain_json

_MODELS = ("LLM", "CHAT_MODEL")
_MAP = RecordMap(
    name="mlflow",
    keys=frozenset({"attributes"}),
    fields={
        "id": "span_id | context.span_id",
        "time": "start_time_unix_nano | start_time",
        "end": "end_time_unix_nano | end_time",
        "model": "attributes.mlflow\\llm\\model | attributes.model | attributes.invocation_params.model",
        "request": "attributes.mlflow\\spanInputs",
        "response": "attributes.mlflow\\spanOutputs",
        "error": "error",
        "input_tokens": "attributes.mlflow\\chat\\tokenUsage.input_tokens",
        "output_tokens": "attributes.mlflow\\chat\\tokenUsage.output_tokens",
        "scores": "scores",
    },
    any_answer=True,
    absent="it has no request or no response",
)


def _split(trace: dict[str, Json]) -> Iterator[dict[str, Json]] | None:
    """Return the spans of a trace that are calls; None for a record that is not a trace."""
    listed = trace.get("spans") if "spans" in trace else as_object(trace.get("data")).get("spans")
    spans = [as_object(span) for span in as_list(listed)]
    is_trace = {"info", "data"} <= trace.keys()
    is_bare = any(key.startswith("mlflow.") for span in spans for key in as_object(span.get("attributes")))
    return _find_calls(trace, spans) if is_trace or is_bare else None


def _find_calls(trace: dict[str, Json], spans: list[dict[str, Json]]) -> Iterator[dict[str, Json]]:
    """Yield the spans that are calls, with dots in the names of attributes as backslashes."""
    calls = [span for span in spans if plain_json(as_object(span.get("attributes")).get("mlflow.spanType")) in _MODELS]
    outer = {as_text(span.get("parent_span_id") or span.get("parent_id")) for span in calls}
    info = as_object(trace.get("info"))
    scores = {}
    for item in map(as_object, as_list(info.get("assessments"))):
        value = as_object(item.get("feedback")).get("value")
        scores[as_text(item.get("assessment_name") or item.get("name")) or "assessment"] = value
    for span in calls:
        if as_text(span.get("span_id") or as_object(span.get("context")).get("span_id")) in outer:
            continue
        attributes = {
            key.replace(".", "\\"): plain_json(value) for key, value in as_object(span.get("attributes")).items()
        }
        status = as_object(span.get("status"))
        failed = (as_text(status.get("code")) or as_text(span.get("status_code")) or "").endswith("ERROR")
        message = as_text(status.get("message")) or as_text(span.get("status_message")) or "status error"
        more = {"error": message} if failed else {}
        yield {**span, **more, "attributes": attributes, "scores": scores, "trace": info.get("trace_id")}


SPEC = _MAP.spec_of_parts(_split, specificity=60)
