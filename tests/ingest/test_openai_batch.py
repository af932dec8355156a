from __future__ import annotations

from typing import Any

from promptbench.core.types import FailureTier, Message
from tests.helpers.log_formats import COMPLETION, MESSAGES
from tests.helpers.logs import beside, calls, json_lines, log, read, reasons

REQUEST = {
    "custom_id": "r1",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": "m", "messages": MESSAGES},
}


def answer(**body: Any) -> dict[str, Any]:
    return {"custom_id": "r1", "response": {"status_code": 200, "body": {**COMPLETION, **body}}, "error": None}


def test_answers_are_joined_with_their_requests_in_any_order() -> None:
    requests = log(json_lines({**REQUEST, "custom_id": "other"}, REQUEST), "input")
    (call,) = calls(beside(log(json_lines(answer()), "output"), requests))
    assert call.messages == (Message("system", "Answer as JSON."), Message("user", "hi"))
    assert call.raw == {**answer(), "request": REQUEST}


def test_an_answer_without_its_request_has_no_input() -> None:
    (call,) = calls(log(json_lines(answer())))
    assert (call.messages, call.answer, call.model) == ((), "{", "gpt-4o-mini")


def test_requests_alone_are_no_log() -> None:
    said = "it has requests without answers: import the output file of the batch together with it"
    assert reasons(read(log(json_lines(REQUEST)))) == [("the file", said)]
    assert read(beside(log(json_lines(REQUEST)), log(json_lines(answer())))) == []


def test_a_refusal_is_cut() -> None:
    message = {"role": "assistant", "content": None, "refusal": "I cannot help."}
    (call,) = calls(log(json_lines(answer(choices=[{"message": message, "finish_reason": "stop"}]))))
    assert (call.answer, call.failed, call.tier) == ("I cannot help.", "refusal", FailureTier.TRUNCATED)


def test_tools_and_what_they_are_called_with() -> None:
    tool = {"type": "function", "function": {"name": "weather"}}
    request = {**REQUEST, "body": {**REQUEST["body"], "tools": [tool], "temperature": 0}}  # type: ignore[dict-item]
    called = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [called]}
    output = log(json_lines(answer(choices=[{"message": message, "finish_reason": "tool_calls"}])))
    (call,) = calls(beside(output, log(json_lines(request))))
    assert call.answer == '[{"name": "weather", "arguments": {"city": "Oslo"}}]'
    assert call.failed is None
    assert call.extra == {
        "params": {"temperature": 0},
        "tools": [tool],
        "tool_calls": [{"id": "c", "name": "weather", "arguments": {"city": "Oslo"}}],
    }


def test_the_responses_api() -> None:
    body = {
        "object": "response",
        "created_at": 1738960610,
        "model": "gpt-5",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "yes"}]}],
    }
    request = {**REQUEST, "url": "/v1/responses", "body": {"model": "gpt-5", "instructions": "be brief", "input": "hi"}}
    output = {"custom_id": "r1", "response": {"status_code": 200, "body": body}}
    (call,) = calls(beside(log(json_lines(output)), log(json_lines(request))))
    assert (call.answer, call.time, call.failed) == ("yes", "2025-02-07T20:36:50Z", None)
    assert call.messages == (Message("system", "be brief"), Message("user", "hi"))
