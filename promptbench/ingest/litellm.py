"""LiteLLM: the standard logging payload of its callbacks, and the rows of its proxy's `LiteLLM_SpendLogs` table
(JSON, JSON Lines or CSV).

Rows of the table have messages and responses only if the proxy stores prompts; otherwise they are empty.
Times are seconds since 1970 in the payload, ISO 8601 in the table.
"""

from promptbench.core.types import Json
from promptbench.ingest._fields import as_nonblank, as_object, as_text, decode_embedded, join_nonblank
from promptbench.ingest._records import RecordMap

_PLACED = {"messages", "response", "status", "error_str", "error_information", "total_tokens", "api_key", "call_type",
           "proxy_server_request"}  # fmt: skip
_TEXT_CALLS = ("completion", "responses", "messages", "generate_content", "pass_through")


def _prepare(data: dict[str, Json]) -> dict[str, Json] | None:
    kind = as_text(data["call_type"])
    if kind is not None and not any(word in kind for word in _TEXT_CALLS):
        return None
    metadata, body = as_object(data.get("metadata")), as_object(data.get("proxy_server_request"))
    about = as_object(data.get("error_information")) or as_object(metadata.get("error_information"))
    failed = "failure" in (data.get("status"), metadata.get("status"))
    name = " ".join(filter(None, (as_nonblank(about.get("error_class")), as_nonblank(about.get("error_code")))))
    error = join_nonblank(name, about.get("error_message") or data.get("error_str")) or "failure"
    stored, response = decode_embedded(data.get("messages")), decode_embedded(data.get("response"))
    return {
        **data,
        "sent": stored or body.get("body") or body,
        "came": None if failed else response,
        "answered_by": as_object(response).get("model"),
        "error": error if failed else None,
    }


SPEC = RecordMap(
    name="litellm",
    keys=frozenset({"call_type"}),
    fields={
        "id": "id | request_id",
        "time": "startTime",
        "end": "endTime",
        "model": "answered_by | model",
        "request": "sent",
        "response": "came",
        "error": "error",
        "latency_ms": "request_duration_ms",
        "latency_s": "response_time",
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "cost": "response_cost | spend",
        "tags": "request_tags",
        "provider": "custom_llm_provider",
        "params": "model_parameters",
    },
    prepare=_prepare,
    placed=frozenset(_PLACED),
).spec(specificity=50, by_line=True, marks=frozenset({"model_group"}))
