from __future__ import annotations

import json
from typing import Any

import pytest

from promptbench.core.types import FailureTier, Message, Usage
from tests.helpers.log_formats import RECORDS
from tests.helpers.logs import beside, calls, json_lines, log, read, reasons

RESULT = RECORDS["anthropic_batch"]
REQUEST = {
    "custom_id": "r1",
    "params": {
        "model": "m",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "be brief"}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image", "source": {}}]}],
    },
}


def result(**message: Any) -> dict[str, Any]:
    return {"custom_id": "r1", "result": {"type": "succeeded", "message": {**RESULT["result"]["message"], **message}}}


@pytest.mark.parametrize("requests", [json.dumps({"requests": [REQUEST]}), json_lines(REQUEST, REQUEST)])
def test_results_are_joined_with_their_requests(requests: str) -> None:
    (call,) = calls(beside(log(json_lines(RESULT)), log(requests)))
    assert call.messages == (Message("system", "be brief"), Message("user", "hi\n[image]"))
    assert call.extra == {"params": {"max_tokens": 9}, "parts": {"image": 1}}


def test_the_input_is_all_that_went_in() -> None:
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 800,
        "cache_creation_input_tokens": 100,
        "output_tokens": 7,
    }
    (call,) = calls(log(json_lines(result(usage=usage))))
    assert call.usage == Usage(1000, 7, 800)


@pytest.mark.parametrize("reason", ["max_tokens", "refusal", "model_context_window_exceeded", "pause_turn"])
def test_answers_that_were_cut(reason: str) -> None:
    (call,) = calls(log(json_lines(result(stop_reason=reason))))
    assert (call.failed, call.tier) == (f"finish reason {reason}", FailureTier.TRUNCATED)


def test_a_call_of_a_tool_behind_a_text() -> None:
    content = [{"type": "text", "text": "Let me see."}, {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]
    (call,) = calls(log(json_lines(result(content=content, stop_reason="tool_use"))))
    assert call.answer == 'Let me see.\n[{"name": "f", "arguments": {"a": 1}}]'
    assert call.extra["tool_calls"] == [{"id": "t", "name": "f", "arguments": {"a": 1}}]


def test_requests_alone_are_no_log() -> None:
    said = "it has requests without answers: import the results of the batch together with it"
    assert reasons(read(log(json.dumps({"requests": [REQUEST]})))) == [("the file", said)]
