"""LangSmith runs: JSON Lines, an array, or `{"runs": […]}`, as the SDK and the API give them, or CSV. Bulk exports are
Parquet, which is not supported.

Only runs of type `llm` are calls; chains and tools are skipped. Inputs and outputs may be serialised LangChain objects
(`lc`, `kwargs`), lists in lists, or the bodies of an API. Inputs without messages are the prompt's variables. Feedback
with an average below 0.5 means that the answer is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import Json, LoggedCall
from promptbench.ingest import _table
from promptbench.ingest._bodies import (
    RequestBody,
    ResponseBody,
    read_input,
    read_output,
    read_request,
    read_response,
    read_usage,
)
from promptbench.ingest._chat import unwrap_langchain
from promptbench.ingest._fields import (
    as_iso_time,
    as_list,
    as_nonblank,
    as_number,
    as_object,
    as_tags,
    as_text,
    milliseconds_between,
    omit_fields,
    to_text,
)
from promptbench.ingest._records import NotACall, record_reader
from promptbench.ingest._tiers import classify_failure, find_low_score
from promptbench.plugins import LogFormatSpec

NAME = "langsmith"
_PLACED = {
    "id", "run_type", "start_time", "end_time", "status", "error", "inputs", "outputs", "extra", "tags",
    "prompt_tokens", "completion_tokens", "total_tokens", "total_cost", "feedback_stats", "prompt_token_details",
    "completion_token_details",
}  # fmt: skip
_ANSWERS = ("output", "message", "messages", "content", "text", "answer", "completion")


def matches(file: Log) -> bool:
    """Return True if the first record is a run."""
    return _table.first(file).keys() >= {"run_type", "inputs"}


def _build_call(data: dict[str, Json], location: str) -> LoggedCall | None:
    kind = as_text(data.get("run_type"))
    if kind is None or "inputs" not in data:
        raise NotACall("not a run: it needs a 'run_type' and 'inputs'")
    if kind != "llm":
        return None
    about = as_object(data.get("extra"))
    metadata = as_object(about.get("metadata"))
    invocation = as_object(about.get("invocation_params"))
    sent, variables = _read_inputs(as_object(data.get("inputs")))
    reply = _read_outputs(as_object(data.get("outputs")))
    error = as_nonblank(data.get("error")) or ("status error" if data.get("status") == "error" else None)
    scores = {name: as_object(stats).get("avg") for name, stats in as_object(data.get("feedback_stats")).items()}
    failed, tier = classify_failure(
        error=error, finish_reason=reply.finish_reason, refusal=reply.refusal, verdict=find_low_score(scores.items())
    )
    model = as_nonblank(metadata.get("ls_model_name")) or as_text(invocation.get("model")) or ""
    kept = {
        "params": omit_fields(invocation, {"model", "model_name", "tools"}),
        "tools": as_list(invocation.get("tools")),
        "metadata": metadata,
        "scores": scores,
        "provider": metadata.get("ls_provider"),
    }
    return LoggedCall(
        id=as_text(data.get("id")) or location,
        answer=reply.answer,
        model=reply.model or model or sent.model,
        time=as_iso_time(data.get("start_time")),
        variables=variables,
        messages=sent.messages,
        prompt=as_nonblank(metadata.get("lc_hub_repo")),
        prompt_version=as_nonblank(metadata.get("lc_hub_commit_hash")),
        error=error,
        finish_reason=reply.finish_reason,
        usage=read_usage(
            {
                **data,
                "prompt_tokens_details": data.get("prompt_token_details"),
                "completion_tokens_details": data.get("completion_token_details"),
            }
        )
        or reply.usage,
        latency_ms=milliseconds_between(data.get("start_time"), data.get("end_time")),
        failed=failed,
        tags=as_tags(data.get("tags")),
        extra={**omit_fields(data, _PLACED), **sent.extra, **omit_fields(kept, ()), **reply.extra},
        tier=tier,
        format=NAME,
        cost=as_number(data.get("total_cost")),
        raw=data,
    )


def _read_inputs(inputs: dict[str, Json]) -> tuple[RequestBody, dict[str, Json] | None]:
    if inputs.get("messages"):
        return read_request(inputs), None
    prompts = as_list(inputs.get("prompts"))
    if prompts:
        return read_input(prompts[0]), None
    if inputs.keys() == {"input"}:
        return read_input(inputs["input"]), None
    return RequestBody(), inputs or None


def _read_outputs(outputs: dict[str, Json]) -> ResponseBody:
    generations = as_list(outputs.get("generations"))
    while generations and isinstance(generations[0], list):
        generations = generations[0]
    if generations:
        return _read_generation(as_object(generations[0]), as_object(outputs.get("llm_output")))
    if "choices" in outputs or "role" in outputs or "candidates" in outputs:
        return read_response(outputs)
    only = next((outputs[key] for key in _ANSWERS if outputs.get(key) is not None), None)
    if only is not None:
        return read_output(only)
    return ResponseBody(answer=to_text(outputs) if outputs else None)


def _read_generation(generation: dict[str, Json], overall: Mapping[str, Json]) -> ResponseBody:
    """Return the answer in LangChain's form: the message, its text, and the provider's metadata."""
    info = as_object(generation.get("generation_info"))
    message = as_object(generation.get("message"))
    fields = unwrap_langchain(message) if message else {}
    about = as_object(fields.get("response_metadata"))
    reply = read_response(message) if message else ResponseBody()
    reason = next((as_nonblank(held.get(key)) for held in (info, about) for key in ("finish_reason", "stop_reason")
                   if held.get(key)), None)  # fmt: skip
    usage = read_usage(fields.get("usage_metadata")) or read_usage(overall.get("token_usage") or overall.get("usage"))
    return ResponseBody(
        answer=as_text(generation.get("text")) if not reply.answer else reply.answer,
        model=as_nonblank(about.get("model_name")) or as_nonblank(overall.get("model_name")) or "",
        finish_reason=reason or reply.finish_reason,
        refusal=reply.refusal,
        usage=usage,
        extra=reply.extra,
    )


SPEC = LogFormatSpec(matches=matches, read=record_reader(_build_call), specificity=50, by_line=True)
