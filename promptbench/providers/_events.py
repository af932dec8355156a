"""An answer that comes in pieces, as server-sent events: put together to what it would be as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from promptbench.core.types import Json

KIND = "text/event-stream"


class BrokenStream(Exception):
    """The events are no answer; the text says what they are instead, to follow 'answered with'."""


@dataclass(frozen=True, slots=True)
class Event:
    """The data of one event, and the offset in bytes at which it ends."""

    data: Mapping[str, Json]
    end: int


@dataclass(frozen=True, slots=True)
class Whole:
    """The reply as if it had come as a whole, and where the event with its first text ends; None where none has any."""

    data: Json
    first: int | None


def read(body: bytes) -> list[Event]:
    """The events of a body, without those that hold no object. Raises BrokenStream for broken JSON, and for an error.

    As the HTML standard has them, in the part of it that these servers use: lines of data, and a blank line behind.
    """
    events: list[Event] = []
    lines: list[bytes] = []
    at = 0
    for line in body.splitlines(keepends=True):
        at += len(line)
        text = line.rstrip(b"\r\n")
        if text.startswith(b"data:"):
            lines.append(text[5:].strip())
        elif not text and lines:
            _take(b"\n".join(lines), at, events)
            lines = []
    if lines:
        _take(b"\n".join(lines), at, events)
    return events


def _take(data: bytes, end: int, events: list[Event]) -> None:
    if data == b"[DONE]":
        return
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise BrokenStream("a stream with broken JSON") from None
    if not isinstance(found, dict):
        return
    if found.get("error"):
        error = found["error"]
        said = error.get("message") if isinstance(error, dict) else error
        raise BrokenStream(f"an error in its stream: {str(said)[:200]}")
    events.append(Event(found, end))
