"""The columns of a table without a format of its own: usual names, and the user's mapping.

A mapping leads from a field to a column, such as `answer: reply_text`, or to a value inside an object, such as
`answer: response.text`. A field is one of `ALIASES`, or `vars.NAME` for one variable of the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from promptbench.core.diagnostics import did_you_mean
from promptbench.core.types import Json

# The known names of each field. The first one that a record has takes precedence.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "request_id", "call_id", "custom_id", "case_id", "sample_id", "uuid", "trace_id"),
    "time": ("time", "timestamp", "created_at", "created", "datetime", "date", "ts", "start_time"),
    "model": ("model", "model_name", "model_id", "engine", "deployment"),
    "messages": ("messages", "conversation", "chat"),
    "system": ("system", "system_prompt", "system_message"),
    "input": (
        "user_message", "user_prompt", "prompt", "full_prompt", "input", "question", "user_query", "query",
        "user_input", "message", "utterance", "text", "request",
    ),
    "vars": ("vars", "variables", "inputs"),
    "answer": (
        "response", "answer", "output", "completion", "prediction", "predicted", "model_output", "model_response",
        "llm_response", "llm_output", "generated", "generation", "raw_response", "actual", "actual_output",
    ),
    "expected": (
        "expected", "expected_output", "expected_answer", "gold", "gold_label", "gold_answer", "target", "reference",
        "reference_answer", "ground_truth", "ideal", "correct_answer", "label",
    ),
    "error": ("error", "error_message", "error_msg", "exception"),
    "reason": ("error_type", "error_code", "failure_type", "failure_reason", "reason", "comment"),
    "status": ("status_code", "http_status", "status"),
    "failed": ("failed", "failure", "is_failure", "is_failed", "is_wrong", "wrong", "bad"),
    "passed": ("match", "valid", "is_valid", "passed", "pass", "success", "correct", "is_correct", "exact_match", "ok"),
    "score": ("score", "rating", "human_score", "feedback"),
    "finish_reason": ("finish_reason", "stop_reason"),
    "input_tokens": ("input_tokens", "prompt_tokens", "number_input_tokens", "tokens_in"),
    "output_tokens": ("output_tokens", "completion_tokens", "number_output_tokens", "tokens_out"),
    "cached_tokens": ("cached_tokens", "cached_input_tokens", "cache_read_tokens"),
    "latency_ms": ("latency_ms", "duration_ms", "response_time_ms", "elapsed_ms", "delay_ms"),
    "latency_s": ("latency_s", "latency_seconds", "duration_s", "duration_seconds", "end_to_end_latency_s"),
    "first_token_ms": ("first_token_ms", "ttft_ms", "time_to_first_token_ms"),
    "first_token_s": ("first_token_s", "ttft_s", "time_to_first_token_s"),
    "cost": ("cost", "cost_usd", "total_cost", "price_usd"),
    "tags": ("tags", "tag"),
    "prompt": ("prompt_name", "prompt_id", "template_name"),
    "prompt_version": ("prompt_version", "template_version"),
}  # fmt: skip
INPUTS = ("messages", "input", "vars")
ANSWERS = ("answer", "error", "status")
# What a call needs; each is given by one of several fields.
NEEDED = ("input", "answer")
VARIABLE = "vars."

_OTHER = re.compile(r"[^a-z0-9]+")


def guess_columns(names: Iterable[str], mapping: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return field to column. `mapping` takes precedence over the usual names.

    A mapping to a missing column is ignored, because it may be meant for another file of the import.
    """
    present = tuple(names)
    given = {
        field: column
        for field, column in (mapping or {}).items()
        if column in present or column.partition(".")[0] in present
    }
    taken = set(given.values())
    return {**{field: column for field, column in _guess_usual(present).items() if column not in taken}, **given}


def describe_unknown_field(mapping: Mapping[str, str]) -> str | None:
    """Return an error message for the first unknown field of a mapping; None if all are known."""
    for field in mapping:
        if field not in ALIASES and not (field.startswith(VARIABLE) and field != VARIABLE):
            guess = did_you_mean(field, ALIASES)
            return f"unknown field '{field}': " + (
                f"did you mean '{guess}'?" if guess else f"known fields: {', '.join(ALIASES)}, {VARIABLE}NAME"
            )
    return None


def find_missing(fields: Iterable[str]) -> tuple[str, ...]:
    """Return which of `input` and `answer` no field gives. An error may take the place of an answer."""
    known = set(fields)
    has_input = any(field in INPUTS or field.startswith(VARIABLE) for field in known)
    has_answer = any(field in ANSWERS for field in known)
    return tuple(name for name, present in zip(NEEDED, (has_input, has_answer), strict=True) if not present)


def normalize_name(name: str) -> str:
    """Return a column's name in lower case with underscores: `Latency (ms)` is `latency_ms`."""
    return _OTHER.sub("_", name.strip().lower()).strip("_")


def get_value(record: Mapping[str, Json], column: str) -> Json:
    """Return the value of a column, or of a path into an object such as `response.text`; None if there is none."""
    if column in record:
        return record[column]
    found: Json = record
    for step in column.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(step)
    return found


@lru_cache(maxsize=256)
def _guess_usual(names: tuple[str, ...]) -> dict[str, str]:
    known: dict[str, str] = {}
    for name in names:
        known.setdefault(normalize_name(name), name)
    found = {
        field: next((known[alias] for alias in aliases if alias in known), None) for field, aliases in ALIASES.items()
    }
    # Beside a system column, `user` is a message; alone it is the name of a person.
    if found["system"] and "user" in known:
        found["input"] = known["user"]
    variables = {name: name for name in names if name.lower().startswith(VARIABLE) and len(name) > len(VARIABLE)}
    return {**{field: column for field, column in found.items() if column is not None}, **variables}
