"""Vertex AI: rows of the BigQuery table of request-response logging, exported as JSON Lines, JSON or CSV.

Requests and responses are those of Gemini, or of Anthropic's models on Vertex.
"""

from promptbench.ingest._records import RecordMap

SPEC = RecordMap(
    name="vertex",
    keys=frozenset({"logging_time", "full_request", "full_response"}),
    fields={
        "id": "request_id",
        "time": "logging_time",
        "model": "full_response.modelVersion | model | deployed_model_id",
        "request": "full_request",
        "response": "full_response",
        "error": "full_response.error | metadata.error",
        "latency_ms": "metadata.requestLatency | metadata.request_latency",
        "params": "full_request.generationConfig | full_request.generation_config",
    },
    absent="it has no request or no response",
).spec(specificity=60)
