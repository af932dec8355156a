"""Helicone: the export of requests as JSON Lines, JSON or CSV, with their bodies (`--include-body`).

Two faults of its exporter are read as they are meant: JSON with a comma before the closing bracket, and CSV whose cells
have their quotes doubled twice. Statuses from 400 on, or below zero, are failures; a `feedback_rating` of false is a
person's verdict.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.formats.embedded_json import decode_embedded
from promptbench.formats.log_file import LogFile
from promptbench.ingest import _table
from promptbench.ingest._bodies import read_request, read_response, read_usage
from promptbench.ingest._fields import (
    as_iso_time,
    as_nonblank,
    as_number,
    as_object,
    as_text,
    milliseconds_between,
    omit_fields,
)
from promptbench.ingest._records import NotACall, read_records
from promptbench.ingest._tiers import classify_failure, find_low_score, iterate_scores, parse_truth
from promptbench.plugins import LogFormatSpec

NAME = "helicone"
_PLACED = {
    "request_id", "response_status", "request_created_at", "request_body", "response_body", "model", "delay_ms",
    "latency", "prompt_tokens", "completion_tokens", "total_tokens", "prompt_cache_read_tokens", "cost", "scores",
    "feedback_rating", "provider", "request_properties", "properties",
}  # fmt: skip
_TRAILING_COMMA = re.compile(rb",(\s*\]\s*)\Z")
_CACHED = "prompt_cache_read_tokens"
_TAIL = 4_096


def matches(file: Log) -> bool:
    """Whether the first record is a request with its body."""
    keys = _table.first(file).keys() or (_mended(file).sample() or {}).keys()
    return keys >= {"response_status", "request_body"}


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """The requests."""
    records = _table.rows(file) if _table.columns(file) else _mended(file).records()
    return read_records(records, _call)


class _WithoutTrailingComma(io.RawIOBase):
    """A file without the comma before the bracket at its very end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._held = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._ended and len(self._held) <= _TAIL:
            more = self._file.read(1 << 16)
            self._held += more
            if not more:
                self._ended = True
                self._held = _TRAILING_COMMA.sub(rb"\1", self._held)
        size = min(len(buffer), len(self._held) if self._ended else len(self._held) - _TAIL)
        buffer[:size] = self._held[:size]
        self._held = self._held[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


def _mended(file: Log) -> Log:
    if not file.head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        return file
    return LogFile.from_opener(
        lambda mode: io.BufferedReader(_WithoutTrailingComma(file.open())), file.name
    ).with_others(())


def _call(data: dict[str, Json], place: str) -> LoggedCall:
    status = as_number(data.get("response_status"))
    if status is None or "request_body" not in data:
        raise NotACall("no request: it needs a 'response_status' and a 'request_body'")
    sent = read_request(_body(data["request_body"]))
    body = _body(data.get("response_body"))
    reply = read_response(body)
    error = _error(status, as_object(body.get("error")), body)
    scores = as_object(data.get("scores"))
    rated = parse_truth(data.get("feedback_rating"))
    verdict = "feedback rating false" if rated is False else find_low_score(iterate_scores(scores))
    failed, tier = classify_failure(
        error=error, finish_reason=reply.finish_reason, refusal=reply.refusal, verdict=verdict
    )
    kept = {
        "scores": scores,
        "properties": {**_body(data.get("request_properties")), **_body(data.get("properties"))},
        "provider": data.get("provider"),
        "feedback_rating": rated,
    }
    return LoggedCall(
        id=as_text(data.get("request_id")) or as_text(data.get("response_id")) or place,
        answer=None if error else reply.answer,
        model=reply.model or as_text(data.get("model")) or sent.model,
        time=as_iso_time(data.get("request_created_at")),
        messages=sent.messages,
        error=error,
        finish_reason=reply.finish_reason,
        usage=reply.usage or read_usage({**data, "prompt_tokens_details": {"cached_tokens": data.get(_CACHED)}}),
        latency_ms=_latency(data),
        failed=failed,
        extra={**omit_fields(data, _PLACED), **sent.extra, **omit_fields(kept, ()), **reply.extra},
        tier=tier,
        format=NAME,
        cost=as_number(data.get("cost")),
        raw=data,
    )


def _latency(data: Mapping[str, Json]) -> float | None:
    told = as_number(data.get("delay_ms"))
    return (
        milliseconds_between(data.get("request_created_at"), data.get("response_created_at")) if told is None else told
    )


def _body(value: Json) -> dict[str, Json]:
    """An object, its JSON, or its JSON with every quote twice."""
    found = decode_embedded(value)
    if isinstance(found, str) and '""' in found:
        found = decode_embedded(found.replace('""', '"'))
    return found if isinstance(found, dict) else {}


def _error(status: float, own: Mapping[str, Json], body: Mapping[str, Json]) -> str | None:
    if 0 <= status < 400:
        return None
    said = as_nonblank(own.get("message")) or as_nonblank(body.get("error")) or as_nonblank(body.get("message"))
    return f"status {status:g}: {said}" if said else f"status {status:g}"


SPEC = LogFormatSpec(matches, read, specificity=50)
