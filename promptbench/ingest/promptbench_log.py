"""promptbench's own log of calls: JSON Lines, each with `"promptbench": "call/1"`.

`promptbench run … --output log=FILE` writes it, and so can any program: a line needs `id`, `vars` and `answer`.
"""

from collections.abc import Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import FailureTier, Json, LoggedCall, Message, Usage
from promptbench.ingest._fields import TRUNCATING
from promptbench.ingest._records import NotACall, record_reader
from promptbench.plugins import LogFormatSpec

FORMAT = "call/1"
_KNOWN = {
    "promptbench", "id", "time", "prompt", "prompt_version", "vars", "messages", "model", "params", "answer", "error",
    "finish_reason", "usage", "latency_ms", "failed", "tags", "expected",
}  # fmt: skip
_TEXTS = ("answer", "model", "time", "prompt", "prompt_version", "error", "finish_reason", "failed")
_NONE = type(None)
_KINDS: tuple[tuple[str, tuple[type, ...], str], ...] = (
    *((name, (str, _NONE), "a string") for name in _TEXTS),
    *((name, (dict, _NONE), "an object") for name in ("vars", "usage")),
    *((name, (list, _NONE), "a list") for name in ("messages", "tags")),
    ("latency_ms", (int, float, _NONE), "a number"),
)
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
    for name, kinds, expected in _KINDS:
        if type(data.get(name)) not in kinds:
            raise NotACall(f"'{name}' must be {expected}")
    return LoggedCall(
        id=str(data["id"]),
        answer=data.get("answer"),
        model=data.get("model") or "",
        time=data.get("time"),
        variables=data.get("vars"),
        messages=tuple(map(_message, data.get("messages") or ())),
        prompt=data.get("prompt"),
        prompt_version=data.get("prompt_version"),
        error=data.get("error"),
        finish_reason=data.get("finish_reason"),
        usage=_read_tokens(data.get("usage") or {}),
        latency_ms=data.get("latency_ms"),
        failed=data.get("failed"),
        tags=tuple(map(str, data.get("tags") or ())),
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


def _message(item: Json) -> Message:
    role, content = (item.get("role"), item.get("content")) if isinstance(item, dict) else (None, None)
    if role not in ("system", "user", "assistant", "tool") or not isinstance(content, str):
        raise NotACall("each of 'messages' needs a 'role' (system, user, assistant or tool) and a string as 'content'")
    return Message(role, content)


def _read_tokens(data: Mapping[str, Json]) -> Usage | None:
    """Return the tokens; None without the two totals, because a program may log its provider's own form."""
    sent, came, *details = (count if type(count := data.get(name)) is int else None for name in _TOKENS)
    return None if sent is None or came is None else Usage(sent, came, *details)


SPEC = LogFormatSpec(matches=matches, read=record_reader(build_call), specificity=100, by_line=True)
