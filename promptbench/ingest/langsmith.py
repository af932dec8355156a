"""LangSmith runs: JSON Lines, an array, or `{"runs": […]}`, as the SDK and the API give them, or CSV. Bulk exports are
Parquet, which is not read here.

Only runs of type `llm` are calls; chains and tools are left out. Inputs and outputs may be serialised LangChain objects
(`lc`, `kwargs`), lists in lists, or the bodies of an API. Inputs that are no messages are the prompt's variables. A
feedback whose average is below one half is the source's verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall, Usage
from promptbench.ingest import _table
from promptbench.ingest._bodies import Asked, Replied, asked, input_of, output_of, replied, usage_of
from promptbench.ingest._chat import unserialised
from promptbench.ingest._fields import between_ms, filled, items, moment, number, record, rest, text, written
from promptbench.ingest._records import NoCall, read_records
from promptbench.ingest._tiers import failure, low_score

specificity = 50
NAME = "langsmith"
_PLACED = {
    "id", "run_type", "start_time", "end_time", "status", "error", "inputs", "outputs", "extra", "tags",
    "prompt_tokens", "completion_tokens", "total_tokens", "total_cost", "feedback_stats", "prompt_token_details",
    "completion_token_details",
}  # fmt: skip
_ANSWERS = ("output", "message", "messages", "content", "text", "answer", "completion")


def matches(file: Log) -> bool:
    """Whether the first record is a run."""
    return _table.first(file).keys() >= {"run_type", "inputs"}


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """The runs of type `llm`."""
    return read_records(_table.records(file), _call)


def _call(data: dict[str, Json], place: str) -> LoggedCall | None:
    kind = text(data.get("run_type"))
    if kind is None or "inputs" not in data:
        raise NoCall("no run: it needs a 'run_type' and 'inputs'")
    if kind != "llm":
        return None
    about = record(data.get("extra"))
    metadata = record(about.get("metadata"))
    invocation = record(about.get("invocation_params"))
    sent, variables = _inputs(record(data.get("inputs")))
    reply = _outputs(record(data.get("outputs")))
    error = filled(data.get("error")) or ("status error" if data.get("status") == "error" else None)
    scores = {name: record(stats).get("avg") for name, stats in record(data.get("feedback_stats")).items()}
    failed, tier = failure(
        error=error, finish_reason=reply.finish_reason, refusal=reply.refusal, verdict=low_score(scores.items())
    )
    model = filled(metadata.get("ls_model_name")) or text(invocation.get("model")) or ""
    kept = {
        "params": rest(invocation, {"model", "model_name", "tools"}),
        "tools": items(invocation.get("tools")),
        "metadata": metadata,
        "scores": scores,
        "provider": metadata.get("ls_provider"),
    }
    return LoggedCall(
        id=text(data.get("id")) or place,
        answer=reply.answer,
        model=reply.model or model or sent.model,
        time=moment(data.get("start_time")),
        variables=variables,
        messages=sent.messages,
        prompt=filled(metadata.get("lc_hub_repo")),
        prompt_version=filled(metadata.get("lc_hub_commit_hash")),
        error=error,
        finish_reason=reply.finish_reason,
        usage=_usage(data) or reply.usage,
        latency_ms=between_ms(data.get("start_time"), data.get("end_time")),
        failed=failed,
        tags=tuple(str(tag) for tag in items(data.get("tags"))),
        extra={**rest(data, _PLACED), **sent.extra, **rest(kept, ()), **reply.extra},
        tier=tier,
        format=NAME,
        cost=number(data.get("total_cost")),
        raw=data,
    )


def _inputs(inputs: dict[str, Json]) -> tuple[Asked, dict[str, Json] | None]:
    """The messages, or else the variables."""
    if inputs.get("messages"):
        return asked(inputs), None
    prompts = items(inputs.get("prompts"))
    if prompts:
        return input_of(prompts[0]), None
    if inputs.keys() == {"input"}:
        return input_of(inputs["input"]), None
    return Asked(), inputs or None


def _outputs(outputs: dict[str, Json]) -> Replied:
    generations = items(outputs.get("generations"))
    while generations and isinstance(generations[0], list):
        generations = generations[0]
    if generations:
        return _generation(record(generations[0]), record(outputs.get("llm_output")))
    if "choices" in outputs or "role" in outputs or "candidates" in outputs:
        return replied(outputs)
    only = next((outputs[key] for key in _ANSWERS if outputs.get(key) is not None), None)
    if only is not None:
        return output_of(only)
    return Replied(answer=written(outputs) if outputs else None)


def _generation(generation: dict[str, Json], overall: Mapping[str, Json]) -> Replied:
    """LangChain's own form: the message, the text beside it, and what the provider said of it."""
    info = record(generation.get("generation_info"))
    message = record(generation.get("message"))
    fields = unserialised(message) if message else {}
    about = record(fields.get("response_metadata"))
    reply = replied(message) if message else Replied()
    reason = next((filled(held.get(key)) for held in (info, about) for key in ("finish_reason", "stop_reason")
                   if held.get(key)), None)  # fmt: skip
    usage = usage_of(fields.get("usage_metadata")) or usage_of(overall.get("token_usage") or overall.get("usage"))
    return Replied(
        answer=text(generation.get("text")) if not reply.answer else reply.answer,
        model=filled(about.get("model_name")) or filled(overall.get("model_name")) or "",
        finish_reason=reason or reply.finish_reason,
        refusal=reply.refusal,
        usage=usage,
        extra=reply.extra,
    )


def _usage(data: Mapping[str, Json]) -> Usage | None:
    return usage_of({**data, "prompt_tokens_details": data.get("prompt_token_details"),
                     "completion_tokens_details": data.get("completion_token_details")})  # fmt: skip
