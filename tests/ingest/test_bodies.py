from __future__ import annotations

from typing import Any

import pytest

from promptbench.core.types import Message, Usage
from promptbench.ingest._bodies import read_input, read_output, read_request, read_response, read_usage
from tests.helpers.log_formats import COMPLETION

SYSTEM, USER = Message("system", "be brief"), Message("user", "hi")


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]},
        {"instructions": "be brief", "input": "hi"},
        {"instructions": "be brief", "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]},
        {"system": "be brief", "messages": [{"role": "user", "content": "hi"}]},
        {"system": [{"type": "text", "text": "be brief"}], "messages": [{"role": "user", "content": "hi"}]},
        {
            "systemInstruction": {"parts": [{"text": "be brief"}]},
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        },
    ],
)
def test_requests_of_every_api(body: dict[str, Any]) -> None:
    sent = read_request({**body, "model": "m", "temperature": 0, "tools": [{"type": "function"}]})
    assert sent.messages == (SYSTEM, USER)
    assert sent.model == "m"
    assert sent.extra == {"params": {"temperature": 0}, "tools": [{"type": "function"}]}


def test_what_is_no_request() -> None:
    assert read_request(None).messages == ()
    assert read_request("{").messages == ()


def test_a_legacy_completion() -> None:
    assert read_request({"prompt": "hi"}).messages == (USER,)
    reply = read_response({"choices": [{"text": " yes", "finish_reason": "stop"}]})
    assert (reply.answer, reply.finish_reason) == (" yes", "stop")


def test_a_chat_completion() -> None:
    reply = read_response(COMPLETION)
    assert (reply.answer, reply.model, reply.finish_reason, reply.usage) == (
        "{",
        "gpt-4o-mini",
        "length",
        Usage(3, 1, 2),
    )


def test_the_responses_api() -> None:
    reply = read_response(
        {
            "object": "response",
            "model": "gpt-5",
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": [
                {"type": "reasoning", "summary": []},
                {
                    "type": "message",
                    "content": [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}],
                },
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            ],
            "usage": {
                "input_tokens": 9,
                "output_tokens": 5,
                "input_tokens_details": {"cached_tokens": 4},
                "output_tokens_details": {"reasoning_tokens": 3},
            },
        }
    )
    assert reply.answer == 'ab\n[{"name": "f", "arguments": {}}]'
    assert reply.finish_reason == "max_output_tokens"
    assert reply.usage == Usage(9, 5, 4, 3)
    assert reply.extra == {"tool_calls": [{"id": "c", "name": "f", "arguments": {}}], "parts": {"thoughts": 1}}


def test_anthropic_counts_a_cache_apart() -> None:
    reply = read_response(
        {
            "type": "message",
            "content": [{"type": "text", "text": "ye"}, {"type": "text", "text": "s"}],
            "stop_reason": "end_turn",
            "usage": {
                "input_tokens": 100,
                "cache_read_input_tokens": 800,
                "cache_creation_input_tokens": 100,
                "output_tokens": 100,
            },
        }
    )
    assert (reply.answer, reply.finish_reason) == ("yes", "end_turn")
    assert reply.usage == Usage(1000, 100, 800)


def test_gemini() -> None:
    reply = read_response(
        {
            "candidates": [{"content": {"parts": [{"text": "yes"}]}, "finishReason": "SAFETY"}],
            "usageMetadata": {
                "promptTokenCount": 7,
                "candidatesTokenCount": 2,
                "cachedContentTokenCount": 3,
                "thoughtsTokenCount": 1,
            },
            "modelVersion": "gemini-2.5-flash",
        }
    )
    assert (reply.answer, reply.finish_reason, reply.model) == ("yes", "SAFETY", "gemini-2.5-flash")
    assert reply.usage == Usage(7, 3, 3, 1)


def test_a_refusal() -> None:
    reply = read_response(
        {"choices": [{"message": {"content": None, "refusal": "I cannot."}, "finish_reason": "stop"}]}
    )
    assert (reply.answer, reply.refusal) == ("I cannot.", True)


def test_an_empty_answer_is_an_answer_and_none_is_none() -> None:
    assert read_response({"choices": [{"message": {"content": ""}}]}).answer == ""
    assert read_response({"choices": [{"message": {"content": None}}]}).answer is None
    assert read_response({"error": {"message": "no"}}).answer is None
    assert read_response(None).answer is None


def test_several_choices_are_counted() -> None:
    choice = {"message": {"content": "yes"}}
    assert read_response({"choices": [choice, choice]}).extra == {"choices": 2}


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("text", "text"),
        ("", ""),
        (None, None),
        ('{"intent": "x"}', '{"intent": "x"}'),
        ({"intent": "x"}, '{"intent": "x"}'),
        ({"text": "data of the model"}, '{"text": "data of the model"}'),
        ({"role": "assistant", "content": "yes"}, "yes"),
        ('{"role": "assistant", "content": "yes"}', "yes"),
        ([{"role": "assistant", "content": "yes"}], "yes"),
        (COMPLETION, "{"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_outputs_as_tracers_log_them(output: Any, answer: str | None) -> None:
    assert read_output(output).answer == answer


def test_inputs_as_tracers_log_them() -> None:
    messages = [{"role": "user", "content": "hi"}]
    for value in (
        "hi",
        messages,
        {"messages": messages, "temperature": 0},
        '{"messages": [{"role": "user", "content": "hi"}]}',
    ):
        assert read_input(value).messages == (USER,)
    assert read_input({"messages": "hi"}).messages == (Message("user", '{"messages": "hi"}'),)


@pytest.mark.parametrize(
    "value",
    [None, {}, [], "x", {"prompt_tokens": 3}, {"prompt_tokens": -1, "completion_tokens": 1}, {"input_tokens": "a"}],
)
def test_usage_without_both_totals_is_unknown(value: Any) -> None:
    assert read_usage(value) is None
