"""Read an answer that is streamed as server-sent events."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from promptbench.core.types import Json

KIND = "text/event-stream"


class BrokenStream(Exception):
    """The events are not an answer. The text says what they are, to follow 'answered with'."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """The data of one event, and the offset in bytes at which it ends."""

    data: Mapping[str, Json]
    end: int


@dataclass(frozen=True, slots=True)
class Whole:
    """The reply as if it had not been streamed, and the offset at which the event with its first text ends, if any."""

    data: Json
    first: int | None


def read(body: bytes) -> list[StreamEvent]:
    """Return the events of a body that contain an object. Raises BrokenStream for broken JSON and for an error event.

    Supports the part of the HTML standard that these servers use: lines of data, followed by a blank line.
    """
    events: list[StreamEvent] = []
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


def _take(data: bytes, end: int, events: list[StreamEvent]) -> None:
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
        message = error.get("message") if isinstance(error, dict) else error
        raise BrokenStream(f"an error in its stream: {str(message)[:200]}")
    events.append(StreamEvent(found, end))
