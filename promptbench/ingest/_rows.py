"""One row, or flat object, as a logged call: its columns have usual names, or the user maps them.

A mapping leads from a field to a column, such as `answer: reply_text`, or to a value inside an object, such as
`answer: response.text`. A field is one of `ALIASES`, or `vars.NAME` for one variable of the prompt.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from promptbench.core.errors import suggest
from promptbench.core.types import FailureTier, Json, LoggedCall, Message, Usage
from promptbench.ingest._bodies import ResponseBody, is_request, read_input, read_output, read_response
from promptbench.ingest._chat import is_conversation, read_conversation
from promptbench.ingest._fields import (
    as_count,
    as_iso_time,
    as_list,
    as_nonblank,
    as_number,
    as_object,
    as_text,
    classify_failure,
    decode_embedded,
    find_low_score,
    join_nonblank,
    omit_fields,
    parse_truth,
    to_text,
)
from promptbench.ingest._records import NotACall

NAME = "generic"
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
# The first cell of a row of totals at the end of a table.
_TOTALS = re.compile(r"(grand[ _])?(totals?|sum|average|avg|mean|median|overall|summary)([ _:.]\w*)?:?", re.IGNORECASE)
_UNPLACED = {"reason", "status", "score", "failed", "passed"}
_BROKEN = {"error", "failed", "failure", "timeout", "timed out", "exception"}
_CALL_FIELDS = ("id", "time", "model", "expected", "latency_ms", "latency_s")


@dataclass(frozen=True, slots=True)
class MappedRow:
    """A record, and field to column."""

    data: Mapping[str, Json]
    known: Mapping[str, str]

    def __getitem__(self, field: str) -> Json:
        """Return the value of a field; None if there is none."""
        return get_value(self.data, self.known[field]) if field in self.known else None

    def rest(self) -> dict[str, Json]:
        """Return the columns that no field of a logged call takes."""
        placed = {column for field, column in self.known.items() if field not in _UNPLACED}
        return omit_fields(self.data, placed)


def build_call(
    data: dict[str, Json], request: dict[str, Json], key: str, mapping: Mapping[str, str], *, has_answers: bool
) -> LoggedCall:
    """Return the call; `request` is the record of another file with the same id. Raise NotACall.

    If the log `has_answers`, a record without one that was judged has an empty answer.
    """
    whole = {**request, **data}
    if _TOTALS.fullmatch((as_text(next(iter(data.values()), None)) or "").strip()):
        raise NotACall("it is a row of totals")
    row = MappedRow(whole, guess_columns(tuple(whole), mapping))
    messages, variables, final = _read_row_input(row)
    if not (messages or variables):
        raise NotACall("it has no input")
    reply = read_output(row["answer"]) if row["answer"] is not None else final
    status, error = _read_status(row), _read_error(row)
    verdict = _read_verdict(row, error)
    if not (has_answers or reply.answer or error or status):
        raise NotACall("it has no error, and the log no column for the answer: map one, such as answer=COLUMN")
    answer = _read_answer(row, reply, error or status, verdict)
    reason = as_text(row["finish_reason"]) or reply.finish_reason
    stopped = status or (error if answer is None else None)
    failed, tier = classify_failure(error=stopped, finish_reason=reason, refusal=reply.refusal, verdict=verdict)
    return LoggedCall(
        id=key,
        answer=None if tier is FailureTier.TRANSPORT and not answer else answer,
        model=as_text(row["model"]) or reply.model,
        time=as_iso_time(row["time"]),
        variables=variables,
        messages=messages,
        prompt=as_nonblank(row["prompt"]),
        prompt_version=as_nonblank(row["prompt_version"]),
        error=error or status,
        finish_reason=reason,
        usage=_read_row_usage(row) or reply.usage,
        latency_ms=_read_duration(row, "latency"),
        failed=failed,
        tags=_read_tags(row["tags"]),
        extra={**row.rest(), **_read_first_token(row), **reply.extra},
        tier=tier,
        format=NAME,
        expected=decode_embedded(row["expected"]),
        cost=as_number(row["cost"]),
        raw={**data, "joined": request} if request else data,
    )


def build_timing(data: dict[str, Json], key: str, mapping: Mapping[str, str]) -> LoggedCall:
    """Return a call with its latency only: it needs neither an input nor an answer. Raise NotACall."""
    row = MappedRow(data, guess_columns(tuple(data), mapping))
    status, error, latency = _read_status(row), _read_error(row), _read_duration(row, "latency")
    stopped = status or ((error or as_nonblank(row["reason"])) if row["answer"] is None else None)
    if latency is None and stopped is None:
        raise NotACall("it has no latency column with a unit, such as latency_ms or latency_s")
    failed, tier = classify_failure(
        error=stopped, finish_reason=as_text(row["finish_reason"]), verdict=_read_verdict(row, error)
    )
    return LoggedCall(
        id=as_text(row["id"]) or key,
        answer=None if tier is FailureTier.TRANSPORT else "",
        model=as_text(row["model"]) or "",
        time=as_iso_time(row["time"]),
        error=error or stopped,
        usage=_read_row_usage(row),
        latency_ms=latency,
        failed=failed,
        extra=_read_first_token(row),
        tier=tier,
        format=NAME,
        cost=as_number(row["cost"]),
    )


def _read_answer(row: MappedRow, reply: ResponseBody, stopped: str | None, verdict: str | None) -> str | None:
    if reply.answer is not None or stopped is not None:
        return reply.answer
    if verdict is None or not any(row[field] is not None for field in _CALL_FIELDS):
        raise NotACall("it has no answer and no error")
    return ""  # an empty cell that was judged


def has_final_answer(data: Mapping[str, Json], mapping: Mapping[str, str]) -> bool:
    """Return True if a record's messages end with an answer."""
    row = MappedRow(data, guess_columns(tuple(data), mapping))
    return _split(row["messages"])[1].answer is not None


def _read_row_input(row: MappedRow) -> tuple[tuple[Message, ...], dict[str, Json] | None, ResponseBody]:
    named = [field for field in row.known if field.startswith(VARIABLE)]
    variables = {**as_object(row["vars"]), **{field.removeprefix(VARIABLE): row[field] for field in named}}
    messages, reply = _split(row["messages"])
    given = decode_embedded(row["input"])
    if isinstance(given, dict) and not is_request(given):
        variables = {**given, **variables}
    elif not messages and given is not None:
        messages = read_input(row["input"]).messages
    system = as_nonblank(row["system"])
    if messages and system and messages[0].role != "system":
        messages = (Message("system", system), *messages)
    return messages, variables or None, reply


def _split(value: Json) -> tuple[tuple[Message, ...], ResponseBody]:
    found = decode_embedded(value)
    if not is_conversation(found):
        return read_conversation(value).messages, ResponseBody()
    last = as_object(found[-1])
    if last.get("role") != "assistant":
        return read_conversation(found).messages, ResponseBody()
    return read_conversation(found[:-1]).messages, read_response(last)


def _read_error(row: MappedRow) -> str | None:
    value = decode_embedded(row["error"])
    if isinstance(value, list):
        return "; ".join(filter(None, (as_text(item) or to_text(item) for item in value))).strip() or None
    if isinstance(value, dict):
        return as_nonblank(value.get("message")) or to_text(value)
    if isinstance(value, bool) or parse_truth(value) is not None:
        return None  # only whether there was an error
    return as_nonblank(value)


def _read_status(row: MappedRow) -> str | None:
    value = row["status"]
    code = as_number(value)
    failed = code >= 400 if code is not None else _is_broken(value) and row["answer"] is None
    if not failed:
        return None
    return join_nonblank(f"status {as_text(value)}", _read_error(row))


def _is_broken(status: Json) -> bool:
    return isinstance(status, str) and status.strip().lower() in _BROKEN


def _read_verdict(row: MappedRow, error: str | None) -> str | None:
    why = join_nonblank(row["reason"], error) or None
    failed, passed = parse_truth(row["failed"]), parse_truth(row["passed"])
    if failed is None and as_nonblank(row["failed"]) and as_number(row["failed"]) is None:
        return as_nonblank(row["failed"])  # the column contains the reason
    if failed is not None:
        return (why or f"{row.known['failed']} {row['failed']}") if failed else None
    if passed is not None:
        return None if passed else why or f"{row.known['passed']} {row['passed']}"
    if _is_broken(row["status"]):
        return why or f"status {row['status']}"
    return find_low_score([(row.known.get("score", ""), row["score"])]) or error


def _read_row_usage(row: MappedRow) -> Usage | None:
    sent, came = as_count(row["input_tokens"]), as_count(row["output_tokens"])
    return None if sent is None or came is None else Usage(sent, came, as_count(row["cached_tokens"]))


def _read_duration(row: MappedRow, field: str) -> float | None:
    milliseconds, seconds = as_number(row[f"{field}_ms"]), as_number(row[f"{field}_s"])
    return seconds * 1_000 if milliseconds is None and seconds is not None else milliseconds


def _read_first_token(row: MappedRow) -> dict[str, Json]:
    milliseconds = _read_duration(row, "first_token")
    return {} if milliseconds is None else {"first_token_ms": milliseconds}


def _read_tags(value: Json) -> tuple[str, ...]:
    listed = as_list(value) or (value.split(",") if isinstance(value, str) else [])
    return tuple(tag for item in listed if (tag := (as_text(item) or "").strip()))


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
            known = f"known fields: {', '.join(ALIASES)}, {VARIABLE}NAME"
            return f"unknown field '{field}': {suggest(field, ALIASES, known)}"
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
