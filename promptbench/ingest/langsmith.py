"""LangSmith runs: JSON Lines, an array, or `{"runs": […]}`, as the SDK and the API give them, or CSV. Bulk exports are
Parquet, which is not supported.

Only runs of type `llm` are calls; chains and tools are skipped. Inputs and outputs may be serialised LangChain objects
(`lc`, `kwargs`), lists in lists, or the bodies of an API. Inputs without messages are the prompt's variables. Feedback
with an average below 0.5 means that the answer is wrong.
"""

from promptbench.core.types import Json
from promptbench.ingest._chat import unwrap_langchain
from promptbench.ingest._fields import as_list, as_nonblank, as_object, omit_fields
from promptbench.ingest._records import RecordMap

_ANSWERS = ("output", "message", "messages", "content", "text", "answer", "completion")


def _prepare(data: dict[str, Json]) -> dict[str, Json] | None:
    if data["run_type"] not in ("llm", None):
        return None
    inputs, outputs, about = as_object(data["inputs"]), as_object(data.get("outputs")), as_object(data.get("extra"))
    invocation = as_object(about.get("invocation_params"))
    prompts = as_list(inputs.get("prompts"))
    only = inputs["input"] if inputs.keys() == {"input"} else prompts[0] if prompts else None
    messages = inputs.get("messages")
    return {
        **data,
        "sent": inputs if messages else only,
        "given": None if messages or only is not None else inputs,
        "came": _read_outputs(outputs),
        "failed": as_nonblank(data.get("error")) or ("status error" if data.get("status") == "error" else None),
        "marks": {name: as_object(stats).get("avg") for name, stats in as_object(data.get("feedback_stats")).items()},
        "about": {**as_object(about.get("metadata")), "model": invocation.get("model")},
        "params": omit_fields(invocation, {"model", "model_name", "tools"}),
    }


def _read_outputs(outputs: dict[str, Json]) -> Json:
    """Return the answer as a body that `read_response` reads, or as a text or data."""
    generations = as_list(outputs.get("generations"))
    while generations and isinstance(generations[0], list):
        generations = generations[0]
    if generations:
        return _read_generation(as_object(generations[0]), as_object(outputs.get("llm_output")))
    if outputs.keys() & {"choices", "role", "candidates"}:
        return outputs
    only = next((outputs[key] for key in _ANSWERS if outputs.get(key) is not None), None)
    return outputs if only is None else only


def _read_generation(generation: dict[str, Json], overall: dict[str, Json]) -> Json:
    """Return the body in LangChain's form: the message, its text, and the provider's metadata."""
    message = as_object(generation.get("message"))
    if not message and generation.get("text") is None:
        return None
    fields = unwrap_langchain(message) if message else {}
    info, about = as_object(generation.get("generation_info")), as_object(fields.get("response_metadata"))
    reasons = (held.get(key) for held in (info, about) for key in ("finish_reason", "stop_reason"))
    return {
        "choices": [
            {"message": message, "text": generation.get("text"), "finish_reason": next(filter(None, reasons), None)}
        ],
        "model": about.get("model_name") or overall.get("model_name"),
        "usage": fields.get("usage_metadata") or overall.get("token_usage") or overall.get("usage"),
    }


SPEC = RecordMap(
    name="langsmith",
    keys=frozenset({"run_type", "inputs"}),
    fields={
        "id": "id",
        "time": "start_time",
        "end": "end_time",
        "model": "came.model | about.ls_model_name | about.model",
        "request": "sent",
        "variables": "given",
        "response": "came",
        "error": "failed",
        "prompt": "about.lc_hub_repo",
        "prompt_version": "about.lc_hub_commit_hash",
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "cached_tokens": "prompt_token_details.cache_read | prompt_token_details.cached_tokens",
        "reasoning_tokens": "completion_token_details.reasoning | completion_token_details.reasoning_tokens",
        "cost": "total_cost",
        "tags": "tags",
        "scores": "marks",
        "params": "params",
        "tools": "extra.invocation_params.tools",
        "metadata": "extra.metadata",
        "provider": "about.ls_provider",
    },
    prepare=_prepare,
    any_answer=True,
    placed=frozenset({"status", "error", "outputs", "inputs", "run_type", "total_tokens", "feedback_stats"}),
).spec(specificity=50, by_line=True)
