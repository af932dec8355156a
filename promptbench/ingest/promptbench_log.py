"""promptbench's own log of calls: JSON Lines, each with `"promptbench": "call/1"`.

`promptbench run … --output log=FILE` writes it, and any program can: a line needs `id`, `vars` and `answer`.
"""

from __future__ import annotations

from collections.abc import Iterator

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, FailureTier, Json, LoggedCall, Message, Usage
from promptbench.ingest._tiers import TRUNCATING
from promptbench.plugins import LogFormatSpec

FORMAT = "call/1"
_KNOWN = {
    "promptbench", "id", "time", "prompt", "prompt_version", "vars", "messages", "model", "params", "answer", "error",
    "finish_reason", "usage", "latency_ms", "failed", "tags",
}  # fmt: skip
_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


def matches(file: Log) -> bool:
    """Whether the first record carries the mark of this format."""
    return "promptbench" in (file.sample() or {})


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """The calls, one at a time."""
    for record in file.records():
        if isinstance(record, BadRecord):
            yield record
            continue
        place, data = record
        try:
            yield _built(data)
        except ValueError as error:
            yield BadRecord(place, f"no logged call: {error}")


def _built(data: Json) -> LoggedCall:
    if not isinstance(data, dict) or data.get("promptbench") != FORMAT:
        raise ValueError(f'it lacks "promptbench": "{FORMAT}"')
    if not isinstance(data.get("id"), str | int) or isinstance(data.get("id"), bool):
        raise ValueError("it needs an 'id', a text or a number")
    return LoggedCall(
        id=str(data["id"]),
        answer=_field(data, "answer", str, "a text"),
        model=_field(data, "model", str, "a text") or "",
        time=_field(data, "time", str, "a text"),
        variables=_field(data, "vars", dict, "an object"),
        messages=tuple(_message(item) for item in _field(data, "messages", list, "a list") or ()),
        prompt=_field(data, "prompt", str, "a text"),
        prompt_version=_field(data, "prompt_version", str, "a text"),
        error=_field(data, "error", str, "a text"),
        finish_reason=_field(data, "finish_reason", str, "a text"),
        usage=_usage(_field(data, "usage", dict, "an object")),
        latency_ms=_field(data, "latency_ms", (int, float), "a number"),
        failed=_field(data, "failed", str, "a text"),
        tags=tuple(str(tag) for tag in _field(data, "tags", list, "a list") or ()),
        extra={key: value for key, value in data.items() if key not in _KNOWN},
        tier=_tier(data),
        format="promptbench_log",
        raw=data,
    )


def _tier(data: dict[str, Json]) -> FailureTier | None:
    if data.get("error") is not None and data.get("answer") is None:
        return FailureTier.TRANSPORT
    if str(data.get("finish_reason")).lower() in TRUNCATING:
        return FailureTier.TRUNCATED
    return FailureTier.CONTENT if data.get("failed") is not None else None


def _field(data: dict[str, Json], name: str, kind: type | tuple[type, ...], wanted: str) -> Json:
    value = data.get(name)
    if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
        return value
    raise ValueError(f"'{name}' must be {wanted}")


def _message(item: Json) -> Message:
    role, content = (item.get("role"), item.get("content")) if isinstance(item, dict) else (None, None)
    if role not in ("system", "user", "assistant") or not isinstance(content, str):
        raise ValueError("each of 'messages' needs a 'role' (system, user or assistant) and a text as 'content'")
    return Message(role, content)


def _usage(data: dict[str, Json] | None) -> Usage | None:
    """None where the two totals are not there: a program may log its provider's own words."""
    counts = {name: (data or {}).get(name) for name in _TOKENS}
    known = {name: count for name, count in counts.items() if isinstance(count, int) and not isinstance(count, bool)}
    return Usage(**known) if {"input_tokens", "output_tokens"} <= known.keys() else None


SPEC = LogFormatSpec(matches, read, specificity=100)
