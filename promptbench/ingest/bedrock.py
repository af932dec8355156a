"""Amazon Bedrock: the model invocation log, as it is written to S3 (JSON Lines, gzipped).

Bodies are those of Converse, or of the model's own API (Anthropic, Amazon Titan and Nova, Llama, Mistral, Cohere); the
pieces of a stream are joined. A body that is larger than 100 KB is only referred to, and cannot be read.
"""

from promptbench.ingest._records import RecordMap

_IN, _OUT = "input.inputBodyJson", "output.outputBodyJson"
_TEXTS = ("output.message", "results.0.outputText", "generation", "outputs.0.text", "generations.0.text", "completion")

SPEC = RecordMap(
    name="bedrock",
    keys=frozenset({"schemaType", "modelId", "operation", "input"}),
    fields={
        "id": "requestId",
        "time": "timestamp",
        "model": "modelId",
        "request": f"{_IN}.inputText | {_IN}.message | {_IN} | input.inputText",
        "response": " | ".join((*(f"{_OUT}.{path}" for path in _TEXTS), _OUT, "output.outputText")),
        "finish_reason": f"{_OUT}.stopReason | {_OUT}.stop_reason | {_OUT}.results.0.completionReason",
        "error": "errorCode",
        "latency_ms": f"{_OUT}.metrics.latencyMs",
        "input_tokens": "input.inputTokenCount",
        "output_tokens": "output.outputTokenCount",
        "cache_read_tokens": "input.cacheReadInputTokenCount",
        "cache_write_tokens": "input.cacheWriteInputTokenCount",
        "params": f"{_IN}.inferenceConfig | {_IN}.textGenerationConfig",
    },
    absent="its body is not in the log: Bedrock stores large ones apart",
).spec(specificity=60)
