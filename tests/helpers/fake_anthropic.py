"""A small Anthropic-shaped HTTP server on loopback: `fake_openai`'s server with other routes and other words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.helpers.fake_openai import Body, FakeOpenAI, Step, as_json


def message(text: str | None, **changes: Any) -> Body:
    """The JSON of a message. `changes` replace or add fields of the whole."""
    content = [] if text is None else [{"type": "text", "text": text}]
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": "fake-1", "content": content}
    ending = {"stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 7}}
    return whole | ending | changes


def answer(text: str | None, *, delay: float = 0.0, **changes: Any) -> Step:
    return as_json(message(text, **changes), delay=delay)


def error(
    status: int,
    text: str = "no",
    *,
    kind: str = "api_error",
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Step:
    details = {"details": {"error_code": code}} if code else {}
    body = {"type": "error", "error": {"type": kind, "message": text, **details}, "request_id": "req_1"}
    return as_json(body, status=status, headers=headers)


class FakeAnthropic(FakeOpenAI):
    """The server. Its `base_url` has no `/v1`, which the SDK adds itself."""

    root = ""

    def say(self, path: str, text: str) -> Step | None:
        return answer(text) if path == "/v1/messages" else None
