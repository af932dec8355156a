"""Langfuse observations: the export of its interface (JSON, JSON Lines or CSV, camelCase), and the files that it writes
to blob storage (`observations_v2/`, JSON Lines or CSV, snake_case, also compressed).

Only generations are calls. Input and output may be JSON in a text. The latency is in seconds in some exports and in
milliseconds in others: the one nearer to the time from start to end is used. Blob exports have the scores in separate
files (`scores/`): import them together, and they are joined by the id of the observation. A score below 0.5 means that
the answer is wrong. An observation of level ERROR has no answer, or a wrong one.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest import _table
from promptbench.ingest._bodies import is_request
from promptbench.ingest._fields import (
    as_count,
    as_nonblank,
    as_number,
    as_object,
    as_text,
    decode_embedded,
    milliseconds_between,
    to_text,
)
from promptbench.ingest._records import JoinedRecords, RecordMap, open_join, read_records
from promptbench.plugins import LogFormatSpec

# The names in blob exports, and those of the interface.
_SNAKE = {
    "trace_id": "traceId", "project_id": "projectId", "start_time": "startTime", "end_time": "endTime",
    "status_message": "statusMessage", "provided_model_name": "model", "model_parameters": "modelParameters",
    "usage_details": "usageDetails", "cost_details": "costDetails", "total_cost": "totalCost",
    "prompt_name": "promptName", "prompt_version": "promptVersion", "trace_name": "traceName", "tags": "traceTags",
    "trace_tags": "traceTags", "completion_start_time": "completionStartTime", "user_id": "userId",
    "session_id": "sessionId", "time_to_first_token": "timeToFirstToken",
    "parent_observation_id": "parentObservationId",
}  # fmt: skip
# The outer spans of Vercel's AI SDK, which hold a generation `….doGenerate` or `….doStream` for each call.
_WRAPPER = re.compile(r"ai\.(generate|stream)(Text|Object)")
_SCORE = {"observation_id", "value", "name"}


def matches(file: Log) -> bool:
    """Return True if the first record is an observation, or the score of one."""
    keys = _table.first(file).keys()
    return ("level" in keys and "type" in keys and bool(keys & {"traceId", "trace_id"})) or _is_scores(file)


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """Yield the generations, each with its scores. A file of scores yields none."""
    if _is_scores(file):
        if not any(matches(other) and not _is_scores(other) for other in file.others):
            yield BadRecord(
                "the file", "it has scores without observations: import the file of the observations together with it"
            )
        return
    with open_join() as scores:
        for other in file.others:
            if _is_scores(other):
                _collect(other, scores)
        yield from read_records(_table.records(file), lambda data, location: _build_call(data, location, scores))


def _build_call(data: dict[str, Json], location: str, scores: JoinedRecords) -> LoggedCall | None:
    found = {_SNAKE.get(key, key): value for key, value in data.items()}
    call = _MAP.build(found, location, {"joined": scores.find(as_text(found.get("id")) or "")})
    return call and replace(call, raw=data)


def _is_scores(file: Log) -> bool:
    keys = _table.first(file).keys()
    return keys >= _SCORE and bool(keys & {"trace_id", "data_type"}) and "level" not in keys


def _collect(file: Log, scores: JoinedRecords) -> None:
    for found in _table.records(file):
        if isinstance(found, tuple) and isinstance(found[1], dict) and (key := as_text(found[1].get("observation_id"))):
            name = as_text(found[1].get("name")) or "score"
            value = found[1].get("value")
            scores.add(key, {**scores.find(key), name: value if value is not None else found[1].get("string_value")})


def _prepare(found: dict[str, Json]) -> dict[str, Json] | None:
    kind = as_text(found["type"]) or ""
    if kind.upper() not in ("GENERATION", "") or _WRAPPER.fullmatch(as_text(found.get("name")) or ""):
        return None
    given = decode_embedded(found.get("input"))
    failed = found["level"] == "ERROR"
    return {
        **found,
        # Other data is what the user said.
        "sent": to_text(given) if isinstance(given, dict) and not is_request(given) else given,
        "failed": (as_nonblank(found.get("statusMessage")) or "level ERROR") if failed else None,
        "marks": {**as_object(found.get("scores")), **as_object(found.get("joined"))},
        "milliseconds": _latency(found),
        "counted": _count_tokens(found),
    }


_MAP = RecordMap(
    name="langfuse",
    keys=frozenset({"type", "level"}),
    fields={
        "id": "id",
        "time": "startTime",
        "model": "model",
        "request": "sent",
        "response": "output",
        "error": "failed",
        "prompt": "promptName",
        "prompt_version": "promptVersion",
        "latency_ms": "milliseconds",
        "usage": "counted | usage",
        "cost": "costDetails.total | totalCost",
        "tags": "traceTags",
        "scores": "marks",
        "params": "modelParameters",
    },
    prepare=_prepare,
    placed=frozenset({"input", "endTime", "level", "statusMessage", "usageDetails", "latency", "scores", "type"}),
    any_answer=True,
)


def _count_tokens(found: Mapping[str, Json]) -> dict[str, Json] | None:
    """Return the tokens. Langfuse counts cached ones separately, so all counts named after the input are summed."""
    details = {
        key: amount
        for key, value in as_object(found.get("usageDetails")).items()
        if (amount := as_count(value)) is not None
    }
    sent = [amount for key, amount in details.items() if "input" in key]
    came = [amount for key, amount in details.items() if "output" in key]
    if not (sent and came):
        return None
    cached = [amount for key, amount in details.items() if "input" in key and "cache" in key and "creat" not in key]
    thought = [amount for key, amount in details.items() if "output" in key and "reasoning" in key]
    return {
        "input": sum(sent),
        "output": sum(came),
        "cachedContentTokenCount": sum(cached) if cached else None,
        "thoughtsTokenCount": sum(thought) if thought else None,
    }


def _latency(found: Mapping[str, Json]) -> float | None:
    logged = as_number(found.get("latency"))
    elapsed = milliseconds_between(found.get("startTime"), found.get("endTime"))
    if logged is None:
        return elapsed
    if elapsed is None:
        return logged * 1_000
    return min(logged, logged * 1_000, key=lambda candidate: abs(candidate - elapsed))


SPEC = LogFormatSpec(matches=matches, read=read, specificity=50)
