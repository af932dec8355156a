"""One row, or flat object, as a logged call, by the columns that are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptbench.core.types import FailureTier, Json, LoggedCall, Message, Usage
from promptbench.formats.embedded_json import decoded
from promptbench.ingest import _columns
from promptbench.ingest._bodies import Replied, input_of, is_request, output_of, replied
from promptbench.ingest._chat import conversation, is_conversation
from promptbench.ingest._fields import count, filled, items, moment, number, record, text, written
from promptbench.ingest._records import NoCall
from promptbench.ingest._tiers import failure, low_score, truth

NAME = "generic"
_UNPLACED = {"reason", "status", "score", "failed", "passed"}
_BROKEN = {"error", "failed", "failure", "timeout", "timed out", "exception"}
_OF_A_CALL = ("id", "time", "model", "expected", "latency_ms", "latency_s")


@dataclass(frozen=True, slots=True)
class Row:
    """A record, and which of its columns holds what."""

    data: Mapping[str, Json]
    known: Mapping[str, str]

    def __getitem__(self, field: str) -> Json:
        """The value of a field; None where there is none."""
        return _columns.value_at(self.data, self.known[field]) if field in self.known else None

    def rest(self) -> dict[str, Json]:
        """The columns that have no place in a logged call."""
        placed = {column for field, column in self.known.items() if field not in _UNPLACED}
        return {
            name: value for name, value in self.data.items() if name not in placed and value not in (None, "", [], {})
        }


def call_of(data: dict[str, Json], request: dict[str, Json], key: str, mapping: Mapping[str, str]) -> LoggedCall:
    """The call, `request` being what another file has under the same id. Raises NoCall."""
    whole = {**request, **data}
    row = Row(whole, _columns.guessed(tuple(whole), mapping))
    messages, variables, said = _input(row)
    if not (messages or variables):
        raise NoCall("it has no input")
    reply = output_of(row["answer"]) if row["answer"] is not None else said
    status, error = _status(row), _error(row)
    verdict = _verdict(row, error)
    answer = _answer(row, reply, error or status, verdict)
    reason = text(row["finish_reason"]) or reply.finish_reason
    stopped = status or (error if answer is None else None)
    failed, tier = failure(error=stopped, finish_reason=reason, refusal=reply.refusal, verdict=verdict)
    return LoggedCall(
        id=key,
        answer=None if tier is FailureTier.TRANSPORT and not answer else answer,
        model=text(row["model"]) or reply.model,
        time=moment(row["time"]),
        variables=variables,
        messages=messages,
        prompt=filled(row["prompt"]),
        prompt_version=filled(row["prompt_version"]),
        error=error or status,
        finish_reason=reason,
        usage=_usage(row) or reply.usage,
        latency_ms=_latency(row),
        failed=failed,
        tags=_tags(row["tags"]),
        extra={**row.rest(), **_first_token(row), **reply.extra},
        tier=tier,
        format=NAME,
        expected=decoded(row["expected"]),
        cost=number(row["cost"]),
        raw={**data, "joined": request} if request else data,
    )


def times_of(data: dict[str, Json], key: str, mapping: Mapping[str, str]) -> LoggedCall:
    """What a call took, whatever was said in it: neither an input nor an answer is needed. Raises NoCall."""
    row = Row(data, _columns.guessed(tuple(data), mapping))
    status, error, took = _status(row), _error(row), _latency(row)
    stopped = status or ((error or filled(row["reason"])) if row["answer"] is None else None)
    if took is None and stopped is None:
        raise NoCall("it has no latency in a column with a unit, such as latency_ms or latency_s")
    failed, tier = failure(error=stopped, finish_reason=text(row["finish_reason"]), verdict=_verdict(row, error))
    return LoggedCall(
        id=text(row["id"]) or key,
        answer=None if tier is FailureTier.TRANSPORT else "",
        model=text(row["model"]) or "",
        time=moment(row["time"]),
        error=error or stopped,
        usage=_usage(row),
        latency_ms=took,
        failed=failed,
        extra=_first_token(row),
        tier=tier,
        format=NAME,
        cost=number(row["cost"]),
    )


def _answer(row: Row, reply: Replied, stopped: str | None, verdict: str | None) -> str | None:
    """The answer, or None where something stopped it. Raises NoCall where there is neither."""
    if reply.answer is not None or stopped is not None:
        return reply.answer
    if verdict is None or not any(row[field] is not None for field in _OF_A_CALL):
        raise NoCall("it has no answer and no error")
    return ""  # an empty cell that was judged


def ends_in_answer(data: Mapping[str, Json], mapping: Mapping[str, str]) -> bool:
    """Whether a record's messages go on to an answer."""
    row = Row(data, _columns.guessed(tuple(data), mapping))
    return _split(row["messages"])[1].answer is not None


def _input(row: Row) -> tuple[tuple[Message, ...], dict[str, Json] | None, Replied]:
    """Messages, variables, and the answer that stands at the end of the messages."""
    named = [field for field in row.known if field.startswith(_columns.VARIABLE)]
    variables = {**record(row["vars"]), **{field.removeprefix(_columns.VARIABLE): row[field] for field in named}}
    said, reply = _split(row["messages"])
    asked = decoded(row["input"])
    if isinstance(asked, dict) and not is_request(asked):
        variables = {**asked, **variables}
    elif not said and asked is not None:
        said = input_of(row["input"]).messages
    system = filled(row["system"])
    if said and system and said[0].role != "system":
        said = (Message("system", system), *said)
    return said, variables or None, reply


def _split(value: Json) -> tuple[tuple[Message, ...], Replied]:
    found = decoded(value)
    if not is_conversation(found):
        return conversation(value).messages, Replied()
    last = record(found[-1])
    if last.get("role") != "assistant":
        return conversation(found).messages, Replied()
    return conversation(found[:-1]).messages, replied(last)


def _error(row: Row) -> str | None:
    """What the column of errors says: a text, the texts of a list, or an object with a message."""
    value = decoded(row["error"])
    if isinstance(value, list):
        return "; ".join(filter(None, (text(item) or written(item) for item in value))).strip() or None
    if isinstance(value, dict):
        return filled(value.get("message")) or written(value)
    if isinstance(value, bool) or truth(value) is not None:
        return None  # whether there was one, not what it was
    return filled(value)


def _status(row: Row) -> str | None:
    """An HTTP status from 400 on, or a word for a call that broke; both with what the error says."""
    value = row["status"]
    code = number(value)
    broke = code >= 400 if code is not None else _is_broken(value) and row["answer"] is None
    if not broke:
        return None
    said = _error(row)
    return f"status {text(value)}: {said}" if said else f"status {text(value)}"


def _is_broken(status: Json) -> bool:
    return isinstance(status, str) and status.strip().lower() in _BROKEN


def _verdict(row: Row, error: str | None) -> str | None:
    """The source's own about the answer, with its reasons where it gives some."""
    why = ": ".join(part for part in (filled(row["reason"]), error) if part) or None
    failed, passed = truth(row["failed"]), truth(row["passed"])
    if failed is None and filled(row["failed"]) and number(row["failed"]) is None:
        return filled(row["failed"])  # the reason itself
    if failed is not None:
        return (why or f"{row.known['failed']} {row['failed']}") if failed else None
    if passed is not None:
        return None if passed else why or f"{row.known['passed']} {row['passed']}"
    if _is_broken(row["status"]):
        return why or f"status {row['status']}"
    return low_score([(row.known.get("score", ""), row["score"])]) or error


def _usage(row: Row) -> Usage | None:
    sent, came = count(row["input_tokens"]), count(row["output_tokens"])
    return None if sent is None or came is None else Usage(sent, came, count(row["cached_tokens"]))


def _latency(row: Row) -> float | None:
    milliseconds, seconds = number(row["latency_ms"]), number(row["latency_s"])
    return seconds * 1_000 if milliseconds is None and seconds is not None else milliseconds


def _first_token(row: Row) -> dict[str, Json]:
    milliseconds, seconds = number(row["first_token_ms"]), number(row["first_token_s"])
    if milliseconds is None and seconds is not None:
        milliseconds = seconds * 1_000
    return {} if milliseconds is None else {"first_token_ms": milliseconds}


def _tags(value: Json) -> tuple[str, ...]:
    listed = items(value) or (value.split(",") if isinstance(value, str) else [])
    return tuple(tag for item in listed if (tag := (text(item) or "").strip()))
