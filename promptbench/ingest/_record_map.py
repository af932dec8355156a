"""Formats whose records only differ in where they keep the fields of a call: a table of paths instead of code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest import _table
from promptbench.ingest._bodies import (
    is_request,
    join_stream,
    read_input,
    read_output,
    read_request,
    read_response,
    read_usage,
)
from promptbench.ingest._fields import (
    as_iso_time,
    as_list,
    as_nonblank,
    as_number,
    as_object,
    as_tags,
    as_text,
    decode_embedded,
    join_nonblank,
    milliseconds_between,
    omit_fields,
    to_text,
)
from promptbench.ingest._records import NotACall, read_records
from promptbench.ingest._tiers import classify_failure, find_low_score, iterate_scores
from promptbench.plugins import LogFormatSpec

# What RecordMap calls the tokens, in the words of APIs.
_TOKENS = {
    "input_tokens": "input_tokens", "output_tokens": "output_tokens", "cached_tokens": "cachedContentTokenCount",
    "cache_read_tokens": "cache_read_input_tokens", "cache_write_tokens": "cache_creation_input_tokens",
}  # fmt: skip
_REQUEST_KEYS = {"messages", "contents", "prompt", "input", "instructions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMap:
    """Where a format keeps the fields of a logged call.

    Args:
        name: The format.
        keys: The keys by which a record is recognised.
        fields: Field to path. A path is the keys and positions that lead to a value, such as `output.choices.0`, also
            through objects in JSON text. Of several, separated by ` | `, the first with a value counts. Fields are
            `request` and `response` (bodies, messages or texts), `end`, `latency_s`, `input_tokens`, `output_tokens`,
            `cached_tokens` (part of the input) or `cache_read_tokens` and `cache_write_tokens` (counted apart from it),
            `scores`, `params`, and those of LoggedCall. A request that is other data is the variables.
        any_answer: True if a response that is not the body of an API is the answer as data.
        absent: Why a call has no body, for records that only refer to it.
    """

    name: str
    keys: frozenset[str]
    fields: Mapping[str, str]
    any_answer: bool = False
    absent: str = "it has no request or no response"

    def build(self, data: dict[str, Json], location: str) -> LoggedCall:
        """Return the call in a record. Raise NotACall."""
        if not data.keys() >= self.keys:
            raise NotACall(f"it lacks {', '.join(sorted(self.keys - data.keys()))}")
        found = {field: find_value(data, paths) for field, paths in self.fields.items()}
        error = _read_error(found.get("error"))
        request, response = found.get("request"), found.get("response")
        if request is None or (response is None and error is None):
            raise NotACall(self.absent)
        is_body = isinstance(request, dict) and (is_request(request) or bool(_REQUEST_KEYS & request.keys()))
        given = request if isinstance(request, dict) and not is_body else None
        sent = read_request(request) if is_body else read_input(None if given else request)
        came = join_stream(response) if isinstance(response, list) else response
        is_api = isinstance(came, dict) and not self.any_answer
        reply = read_response(came) if is_api else read_output(came)
        if is_api and reply.answer is None and error is None:
            raise NotACall("its response has an unknown form")
        reason = as_nonblank(found.get("finish_reason")) or reply.finish_reason
        scores = as_object(found.get("scores"))
        failed, tier = classify_failure(
            error=error,
            finish_reason=reason,
            refusal=reply.refusal,
            verdict=find_low_score(iterate_scores(scores)),
        )
        used = {path.partition(".")[0] for paths in self.fields.values() for path in paths.split(" | ")}
        kept = {"params": as_object(found.get("params")), "scores": scores}
        return LoggedCall(
            id=as_nonblank(found.get("id")) or location,
            answer=None if response is None else reply.answer,
            model=as_nonblank(found.get("model")) or reply.model or sent.model,
            time=as_iso_time(found.get("time")),
            variables=given,
            messages=sent.messages,
            prompt=as_nonblank(found.get("prompt")),
            prompt_version=as_nonblank(found.get("prompt_version")),
            error=error,
            finish_reason=reason,
            usage=read_usage({_TOKENS[field]: value for field, value in found.items() if field in _TOKENS})
            or reply.usage,
            latency_ms=_read_latency(found),
            failed=failed,
            tags=as_tags(found.get("tags")),
            extra={**omit_fields(data, used), **sent.extra, **omit_fields(kept), **reply.extra},
            tier=tier,
            format=self.name,
            expected=decode_embedded(found.get("expected")),
            cost=as_number(found.get("cost")),
            raw=data,
        )

    def spec(self, *, specificity: int) -> LogFormatSpec:
        """Return a format of one record a call."""
        return LogFormatSpec(
            matches=lambda file: _table.first(file).keys() >= self.keys,
            read=lambda file: read_records(_table.records(file), self.build),
            specificity=specificity,
        )

    def spec_of_parts(
        self,
        split: Callable[[dict[str, Json]], Iterable[dict[str, Json]] | None],
        *,
        specificity: int,
    ) -> LogFormatSpec:
        """Return a format whose records hold any number of calls. `split` returns these; None for another record."""

        def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
            for found in file.records():
                if isinstance(found, BadRecord):
                    yield found
                    continue
                location, data = found
                parts = split(data) if isinstance(data, dict) else None
                if parts is None:
                    yield BadRecord(location, f"not a record of {self.name}")
                else:
                    yield from read_records(((location, part) for part in parts), self.build)

        return LogFormatSpec(
            matches=lambda file: split(file.first_record or {}) is not None, read=read, specificity=specificity
        )


def find_value(data: Json, paths: str) -> Json:
    """Return the value at the first path that leads to one, with embedded JSON decoded; None if none does."""
    for path in paths.split(" | "):
        found = data
        for step in path.split("."):
            found = decode_embedded(found)
            if isinstance(found, list):
                found = found[int(step)] if step.isdecimal() and int(step) < len(found) else None
            else:
                found = found.get(step) if isinstance(found, dict) else None
        if found not in (None, "", {}, []):
            return decode_embedded(found)
    return None


def _read_error(value: Json) -> str | None:
    if isinstance(value, dict):
        return join_nonblank(value.get("type") or value.get("code"), value.get("message")) or to_text(value)
    return as_nonblank(value)


def _read_latency(found: Mapping[str, Json]) -> float | None:
    milliseconds, seconds = as_number(found.get("latency_ms")), as_number(found.get("latency_s"))
    if milliseconds is not None:
        return milliseconds
    return milliseconds_between(found.get("time"), found.get("end")) if seconds is None else seconds * 1_000


def plain_json(text: Json) -> Json:
    """Return the value in a JSON text of any kind, such as `"\\"LLM\\""`; other values unchanged."""
    if isinstance(text, str) and text[:1] == '"':
        return as_text(next(iter(as_list(f"[{text}]")), text))
    return decode_embedded(text)
