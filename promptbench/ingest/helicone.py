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
from promptbench.formats.embedded_json import decoded
from promptbench.formats.log_file import LogFile
from promptbench.ingest import _table
from promptbench.ingest._bodies import asked, replied, usage_of
from promptbench.ingest._fields import between_ms, filled, moment, number, record, rest, text
from promptbench.ingest._records import NoCall, read_records
from promptbench.ingest._tiers import failure, low_score, named_scores, truth

specificity = 50
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
    return LogFile.of(lambda mode: io.BufferedReader(_WithoutTrailingComma(file.open())), file.name).beside(())


def _call(data: dict[str, Json], place: str) -> LoggedCall:
    status = number(data.get("response_status"))
    if status is None or "request_body" not in data:
        raise NoCall("no request: it needs a 'response_status' and a 'request_body'")
    sent = asked(_body(data["request_body"]))
    body = _body(data.get("response_body"))
    reply = replied(body)
    error = _error(status, record(body.get("error")), body)
    scores = record(data.get("scores"))
    rated = truth(data.get("feedback_rating"))
    verdict = "feedback rating false" if rated is False else low_score(named_scores(scores))
    failed, tier = failure(error=error, finish_reason=reply.finish_reason, refusal=reply.refusal, verdict=verdict)
    kept = {
        "scores": scores,
        "properties": {**_body(data.get("request_properties")), **_body(data.get("properties"))},
        "provider": data.get("provider"),
        "feedback_rating": rated,
    }
    return LoggedCall(
        id=text(data.get("request_id")) or text(data.get("response_id")) or place,
        answer=None if error else reply.answer,
        model=reply.model or text(data.get("model")) or sent.model,
        time=moment(data.get("request_created_at")),
        messages=sent.messages,
        error=error,
        finish_reason=reply.finish_reason,
        usage=reply.usage or usage_of({**data, "prompt_tokens_details": {"cached_tokens": data.get(_CACHED)}}),
        latency_ms=_latency(data),
        failed=failed,
        extra={**rest(data, _PLACED), **sent.extra, **rest(kept, ()), **reply.extra},
        tier=tier,
        format=NAME,
        cost=number(data.get("cost")),
        raw=data,
    )


def _latency(data: Mapping[str, Json]) -> float | None:
    told = number(data.get("delay_ms"))
    return between_ms(data.get("request_created_at"), data.get("response_created_at")) if told is None else told


def _body(value: Json) -> dict[str, Json]:
    """An object, its JSON, or its JSON with every quote twice."""
    found = decoded(value)
    if isinstance(found, str) and '""' in found:
        found = decoded(found.replace('""', '"'))
    return found if isinstance(found, dict) else {}


def _error(status: float, own: Mapping[str, Json], body: Mapping[str, Json]) -> str | None:
    if 0 <= status < 400:
        return None
    said = filled(own.get("message")) or filled(body.get("error")) or filled(body.get("message"))
    return f"status {status:g}: {said}" if said else f"status {status:g}"
