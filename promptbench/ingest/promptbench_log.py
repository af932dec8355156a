"""promptbench's own log of calls: JSON Lines, each with `"promptbench": "call/1"`.

`promptbench run … --output log=FILE` writes it, and any program can: a line needs `id`, `vars` and `answer`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptbench.core.types import LoggedCall, Message, Usage

FORMAT = "call/1"
_KNOWN = {
    "promptbench", "id", "time", "prompt", "prompt_version", "vars", "messages", "model", "params", "answer", "error",
    "finish_reason", "usage", "latency_ms", "failed", "tags",
}  # fmt: skip


def matches(head: bytes, name: str) -> bool:
    """Whether the first line carries the mark of this format."""
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    return first.lstrip().startswith(b"{") and b'"promptbench"' in first


def read(path: Path) -> Iterator[LoggedCall]:
    """The calls, one at a time. Raises ValueError with the line's number."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _call(line, number)


def _call(line: str, number: int) -> LoggedCall:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError(f"line {number} is not JSON") from None
    if not isinstance(data, dict) or data.get("promptbench") != FORMAT:
        raise ValueError(f'line {number} is no logged call: it lacks "promptbench": "{FORMAT}"')
    try:
        return _built(data)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"line {number} is no logged call: {_why(error)}") from None


def _built(data: dict[str, Any]) -> LoggedCall:
    if not isinstance(data.get("vars"), dict | None) or not isinstance(data.get("answer"), str | None):
        raise TypeError("'vars' must be an object and 'answer' a text")
    usage = data.get("usage")
    return LoggedCall(
        id=str(data["id"]),
        answer=data.get("answer"),
        model=data.get("model", ""),
        time=data.get("time"),
        variables=data.get("vars"),
        messages=tuple(Message(item["role"], item["content"]) for item in data.get("messages") or ()),
        prompt=data.get("prompt"),
        prompt_version=data.get("prompt_version"),
        error=data.get("error"),
        finish_reason=data.get("finish_reason"),
        usage=Usage(**usage) if usage else None,
        latency_ms=data.get("latency_ms"),
        failed=data.get("failed"),
        tags=tuple(data.get("tags") or ()),
        extra={key: value for key, value in data.items() if key not in _KNOWN},
    )


def _why(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
