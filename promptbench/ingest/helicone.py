"""Helicone: the export of requests as JSON Lines, JSON or CSV, with their bodies (`--include-body`).

Its exporter may write a comma before the closing bracket, and escape the quotes in CSV cells twice. Statuses from 400
on, or below zero, are failures; a `feedback_rating` of false is a person's verdict.
"""

from promptbench.core.types import Json
from promptbench.ingest._fields import as_number, as_object, decode_embedded, join_nonblank, parse_truth
from promptbench.ingest._records import RecordMap


def _prepare(data: dict[str, Json]) -> dict[str, Json]:
    sent, came, status = (_decode_body(data["request_body"]), _decode_body(data.get("response_body")),
                          as_number(data["response_status"]) or 0)  # fmt: skip
    failed = not 0 <= status < 400
    said = as_object(came.get("error")).get("message") or came.get("error") or came.get("message")
    rated = parse_truth(data.get("feedback_rating"))
    return {
        **data,
        "sent": sent,
        "came": None if failed else came,
        "error": join_nonblank(f"status {status:g}", said) if failed else None,
        "rated": rated,
        "verdict": "feedback rating false" if rated is False else None,
        "own": {**_decode_body(data.get("request_properties")), **_decode_body(data.get("properties"))},
    }


def _decode_body(value: Json) -> dict[str, Json]:
    """Return an object, or the one in JSON text, whose quotes may all be doubled."""
    found = decode_embedded(value)
    if isinstance(found, str) and '""' in found:
        found = decode_embedded(found.replace('""', '"'))
    return found if isinstance(found, dict) else {}


SPEC = RecordMap(
    name="helicone",
    keys=frozenset({"response_status", "request_body"}),
    fields={
        "id": "request_id | response_id",
        "time": "request_created_at",
        "end": "response_created_at",
        "model": "came.model | came.modelVersion | model",
        "request": "sent",
        "response": "came",
        "error": "error",
        "verdict": "verdict",
        "latency_ms": "delay_ms",
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "cached_tokens": "prompt_cache_read_tokens",
        "cost": "cost",
        "scores": "scores",
        "properties": "own",
        "provider": "provider",
        "feedback_rating": "rated",
    },
    prepare=_prepare,
    placed=frozenset(
        {"response_status", "request_body", "response_body", "latency", "total_tokens", "request_properties"}
    ),
).spec(specificity=50, by_line=True)
