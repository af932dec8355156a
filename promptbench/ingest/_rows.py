"""One row, or flat object, as a logged call, by the columns that are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptbench.core.types import FailureTier, Json, LoggedCall, Message, Usage
from promptbench.formats.embedded_json import decode_embedded
from promptbench.ingest import _columns
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
    to_text,
)
from promptbench.ingest._records import NotACall
from promptbench.ingest._tiers import classify_failure, find_low_score, parse_truth

NAME = "generic"
_UNPLACED = {"reason", "status", "score", "failed", "passed"}
_BROKEN = {"error", "failed", "failure", "timeout", "timed out", "exception"}
_OF_A_CALL = ("id", "time", "model", "expected", "latency_ms", "latency_s")


@dataclass(frozen=True, slots=True)
class MappedRow:
    """A record, and which of its columns holds what."""

    data: Mapping[str, Json]
    known: Mapping[str, str]

    def __getitem__(self, field: str) -> Json:
        """The value of a field; None where there is none."""
        return _columns.get_value(self.data, self.known[field]) if field in self.known else None

    def rest(self) -> dict[str, Json]:
        """The columns that have no place in a logged call."""
        placed = {column for field, column in self.known.items() if field not in _UNPLACED}
        return {
            name: value for name, value in self.data.items() if name not in placed and value not in (None, "", [], {})
        }


def build_call(data: dict[str, Json], request: dict[str, Json], key: str, mapping: Mapping[str, str]) -> LoggedCall:
    """The call, `request` being what another file has under the same id. Raises NoCall."""
    whole = {**request, **data}
    row = MappedRow(whole, _columns.guess_columns(tuple(whole), mapping))
    messages, variables, said = _input(row)
    if not (messages or variables):
        raise NotACall("it has no input")
    reply = read_output(row["answer"]) if row["answer"] is not None else said
    status, error = _status(row), _error(row)
    verdict = _verdict(row, error)
    answer = _answer(row, reply, error or status, verdict)
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
        usage=_usage(row) or reply.usage,
        latency_ms=_latency(row),
        failed=failed,
        tags=_tags(row["tags"]),
        extra={**row.rest(), **_first_token(row), **reply.extra},
        tier=tier,
        format=NAME,
        expected=decode_embedded(row["expected"]),
        cost=as_number(row["cost"]),
        raw={**data, "joined": request} if request else data,
    )


def build_timing(data: dict[str, Json], key: str, mapping: Mapping[str, str]) -> LoggedCall:
    """What a call took, whatever was said in it: neither an input nor an answer is needed. Raises NoCall."""
    row = MappedRow(data, _columns.guess_columns(tuple(data), mapping))
    status, error, took = _status(row), _error(row), _latency(row)
    stopped = status or ((error or as_nonblank(row["reason"])) if row["answer"] is None else None)
    if took is None and stopped is None:
        raise NotACall("it has no latency in a column with a unit, such as latency_ms or latency_s")
    failed, tier = classify_failure(
        error=stopped, finish_reason=as_text(row["finish_reason"]), verdict=_verdict(row, error)
    )
    return LoggedCall(
        id=as_text(row["id"]) or key,
        answer=None if tier is FailureTier.TRANSPORT else "",
        model=as_text(row["model"]) or "",
        time=as_iso_time(row["time"]),
        error=error or stopped,
        usage=_usage(row),
        latency_ms=took,
        failed=failed,
        extra=_first_token(row),
        tier=tier,
        format=NAME,
        cost=as_number(row["cost"]),
    )


def _answer(row: MappedRow, reply: ResponseBody, stopped: str | None, verdict: str | None) -> str | None:
    """The answer, or None where something stopped it. Raises NoCall where there is neither."""
    if reply.answer is not None or stopped is not None:
        return reply.answer
    if verdict is None or not any(row[field] is not None for field in _OF_A_CALL):
        raise NotACall("it has no answer and no error")
    return ""  # an empty cell that was judged


def has_final_answer(data: Mapping[str, Json], mapping: Mapping[str, str]) -> bool:
    """Whether a record's messages go on to an answer."""
    row = MappedRow(data, _columns.guess_columns(tuple(data), mapping))
    return _split(row["messages"])[1].answer is not None


def _input(row: MappedRow) -> tuple[tuple[Message, ...], dict[str, Json] | None, ResponseBody]:
    """Messages, variables, and the answer that stands at the end of the messages."""
    named = [field for field in row.known if field.startswith(_columns.VARIABLE)]
    variables = {**as_object(row["vars"]), **{field.removeprefix(_columns.VARIABLE): row[field] for field in named}}
    said, reply = _split(row["messages"])
    asked = decode_embedded(row["input"])
    if isinstance(asked, dict) and not is_request(asked):
        variables = {**asked, **variables}
    elif not said and asked is not None:
        said = read_input(row["input"]).messages
    system = as_nonblank(row["system"])
    if said and system and said[0].role != "system":
        said = (Message("system", system), *said)
    return said, variables or None, reply


def _split(value: Json) -> tuple[tuple[Message, ...], ResponseBody]:
    found = decode_embedded(value)
    if not is_conversation(found):
        return read_conversation(value).messages, ResponseBody()
    last = as_object(found[-1])
    if last.get("role") != "assistant":
        return read_conversation(found).messages, ResponseBody()
    return read_conversation(found[:-1]).messages, read_response(last)


def _error(row: MappedRow) -> str | None:
    """What the column of errors says: a text, the texts of a list, or an object with a message."""
    value = decode_embedded(row["error"])
    if isinstance(value, list):
        return "; ".join(filter(None, (as_text(item) or to_text(item) for item in value))).strip() or None
    if isinstance(value, dict):
        return as_nonblank(value.get("message")) or to_text(value)
    if isinstance(value, bool) or parse_truth(value) is not None:
        return None  # whether there was one, not what it was
    return as_nonblank(value)


def _status(row: MappedRow) -> str | None:
    """An HTTP status from 400 on, or a word for a call that broke; both with what the error says."""
    value = row["status"]
    code = as_number(value)
    broke = code >= 400 if code is not None else _is_broken(value) and row["answer"] is None
    if not broke:
        return None
    said = _error(row)
    return f"status {as_text(value)}: {said}" if said else f"status {as_text(value)}"


def _is_broken(status: Json) -> bool:
    return isinstance(status, str) and status.strip().lower() in _BROKEN


def _verdict(row: MappedRow, error: str | None) -> str | None:
    """The source's own about the answer, with its reasons where it gives some."""
    why = ": ".join(part for part in (as_nonblank(row["reason"]), error) if part) or None
    failed, passed = parse_truth(row["failed"]), parse_truth(row["passed"])
    if failed is None and as_nonblank(row["failed"]) and as_number(row["failed"]) is None:
        return as_nonblank(row["failed"])  # the reason itself
    if failed is not None:
        return (why or f"{row.known['failed']} {row['failed']}") if failed else None
    if passed is not None:
        return None if passed else why or f"{row.known['passed']} {row['passed']}"
    if _is_broken(row["status"]):
        return why or f"status {row['status']}"
    return find_low_score([(row.known.get("score", ""), row["score"])]) or error


def _usage(row: MappedRow) -> Usage | None:
    sent, came = as_count(row["input_tokens"]), as_count(row["output_tokens"])
    return None if sent is None or came is None else Usage(sent, came, as_count(row["cached_tokens"]))


def _latency(row: MappedRow) -> float | None:
    milliseconds, seconds = as_number(row["latency_ms"]), as_number(row["latency_s"])
    return seconds * 1_000 if milliseconds is None and seconds is not None else milliseconds


def _first_token(row: MappedRow) -> dict[str, Json]:
    milliseconds, seconds = as_number(row["first_token_ms"]), as_number(row["first_token_s"])
    if milliseconds is None and seconds is not None:
        milliseconds = seconds * 1_000
    return {} if milliseconds is None else {"first_token_ms": milliseconds}


def _tags(value: Json) -> tuple[str, ...]:
    listed = as_list(value) or (value.split(",") if isinstance(value, str) else [])
    return tuple(tag for item in listed if (tag := (as_text(item) or "").strip()))
