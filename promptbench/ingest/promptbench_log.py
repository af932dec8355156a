"""promptbench's own log of calls: JSON Lines, each with `"promptbench": "call/1"`.

`promptbench run … --output log=FILE` writes it, and so can any program: a line needs `id`, `vars` and `answer`.
"""

from __future__ import annotations

from promptbench.core.protocols import Log
from promptbench.core.types import FailureTier, Json, LoggedCall, Message, Usage
from promptbench.ingest._records import NotACall, record_reader
from promptbench.ingest._tiers import TRUNCATING
from promptbench.plugins import LogFormatSpec

FORMAT = "call/1"
_KNOWN = {
    "promptbench", "id", "time", "prompt", "prompt_version", "vars", "messages", "model", "params", "answer", "error",
    "finish_reason", "usage", "latency_ms", "failed", "tags", "expected",
}  # fmt: skip
_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


def matches(file: Log) -> bool:
    """Return True if the first record has the marker of this format."""
    return "promptbench" in (file.first_record or {})


def build_call(data: dict[str, Json], location: str) -> LoggedCall:
    """Return the call in a line of the log. Raise NotACall."""
    if data.get("promptbench") != FORMAT:
        raise NotACall(f'it lacks "promptbench": "{FORMAT}"')
    if not isinstance(data.get("id"), str | int) or isinstance(data.get("id"), bool):
        raise NotACall("it needs an 'id': expected a string or a number")
    return LoggedCall(
        id=str(data["id"]),
        answer=_read_field(data, "answer", str, "a string"),
        model=_read_field(data, "model", str, "a string") or "",
        time=_read_field(data, "time", str, "a string"),
        variables=_read_field(data, "vars", dict, "an object"),
        messages=tuple(_message(item) for item in _read_field(data, "messages", list, "a list") or ()),
        prompt=_read_field(data, "prompt", str, "a string"),
        prompt_version=_read_field(data, "prompt_version", str, "a string"),
        error=_read_field(data, "error", str, "a string"),
        finish_reason=_read_field(data, "finish_reason", str, "a string"),
        usage=_read_tokens(_read_field(data, "usage", dict, "an object")),
        latency_ms=_read_field(data, "latency_ms", (int, float), "a number"),
        failed=_read_field(data, "failed", str, "a string"),
        tags=tuple(str(tag) for tag in _read_field(data, "tags", list, "a list") or ()),
        extra={key: value for key, value in data.items() if key not in _KNOWN},
        tier=_read_tier(data),
        format="promptbench_log",
        expected=data.get("expected"),
        raw=data,
    )


def _read_tier(data: dict[str, Json]) -> FailureTier | None:
    if data.get("error") is not None and data.get("answer") is None:
        return FailureTier.TRANSPORT
    if str(data.get("finish_reason")).lower() in TRUNCATING:
        return FailureTier.TRUNCATED
    return FailureTier.CONTENT if data.get("failed") is not None else None


def _read_field(data: dict[str, Json], name: str, kind: type | tuple[type, ...], expected: str) -> Json:
    value = data.get(name)
    if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
        return value
    raise NotACall(f"'{name}' must be {expected}")


def _message(item: Json) -> Message:
    role, content = (item.get("role"), item.get("content")) if isinstance(item, dict) else (None, None)
    if role not in ("system", "user", "assistant", "tool") or not isinstance(content, str):
        raise NotACall("each of 'messages' needs a 'role' (system, user, assistant or tool) and a string as 'content'")
    return Message(role, content)


def _read_tokens(data: dict[str, Json] | None) -> Usage | None:
    """Return the tokens; None without the two totals, because a program may log its provider's own form."""
    counts = {name: (data or {}).get(name) for name in _TOKENS}
    known = {name: count for name, count in counts.items() if isinstance(count, int) and not isinstance(count, bool)}
    return Usage(**known) if {"input_tokens", "output_tokens"} <= known.keys() else None


SPEC = LogFormatSpec(matches=matches, read=record_reader(build_call), specificity=100, by_line=True)
