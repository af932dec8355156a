from __future__ import annotations

from typing import Any

import pytest

from promptbench.checks.function_call import calls_of
from promptbench.core.types import Message, Role
from promptbench.ingest._chat import is_conversation, read_conversation
from tests.helpers.subjects import subject

CALL = '[{"name": "weather", "arguments": {"city": "Oslo"}}]'


def said(value: Any, **options: Any) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in read_conversation(value, **options).messages]


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        (None, []),
        ("", []),
        ([], []),
        ({}, []),
        ("hi", [("user", "hi")]),
        ("[1, 2]", [("user", "[1, 2]")]),
        ('{"a": 1}', [("user", '{"a": 1}')]),
        ([1, 2], [("user", "[1, 2]")]),
        ({"role": "user", "content": "hi"}, [("user", "hi")]),
        ([{"role": "developer", "content": "be brief"}], [("system", "be brief")]),
        ([{"role": "model", "parts": [{"text": "yes"}]}], [("assistant", "yes")]),
        ('[{"role": "user", "content": "hi"}]', [("user", "hi")]),
        ([[{"role": "user", "content": "hi"}]], [("user", "hi")]),
        ([{"role": "stranger", "content": "hi"}], [("user", "hi")]),
        ([{"role": "user", "content": None}], [("user", "")]),
        (
            [{"type": "human", "content": "hi"}, {"type": "ai", "content": "yes"}],
            [("user", "hi"), ("assistant", "yes")],
        ),
        ([{"type": "system", "data": {"content": "be brief", "type": "system"}}], [("system", "be brief")]),
        ([{"message": {"role": "user", "content": "hi"}}], [("user", "hi")]),
    ],
)
def test_messages(value: Any, messages: list[tuple[str, str]]) -> None:
    assert said(value) == messages


def test_a_system_text_comes_first() -> None:
    assert said("hi", system="be brief") == [("system", "be brief"), ("user", "hi")]
    parts = [{"type": "text", "text": "be"}, {"type": "text", "content": "brief"}]
    assert said([{"role": "user", "content": "hi"}], system=parts)[0] == ("system", "be\nbrief")


def test_serialised_langchain_messages() -> None:
    value = [
        {
            "lc": 1,
            "type": "constructor",
            "id": ["langchain", "schema", "SystemMessage"],
            "kwargs": {"content": "be brief"},
        },
        {
            "lc": 1,
            "type": "constructor",
            "id": ["langchain_core", "messages", "HumanMessage"],
            "kwargs": {"content": "hi"},
        },
        {
            "lc": 1,
            "type": "constructor",
            "id": ["langchain_core", "messages", "AIMessageChunk"],
            "kwargs": {"content": "", "tool_calls": [{"name": "weather", "args": {"city": "Oslo"}, "id": "c"}]},
        },
    ]
    assert said(value) == [("system", "be brief"), ("user", "hi"), ("assistant", CALL)]


@pytest.mark.parametrize(
    "message",
    [
        {
            "tool_calls": [{"id": "c", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}],
            "content": None,
        },
        {"function_call": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
        {"content": [{"type": "tool_use", "id": "c", "name": "weather", "input": {"city": "Oslo"}}]},
        {"parts": [{"type": "tool_call", "id": "c", "name": "weather", "arguments": {"city": "Oslo"}}]},
        {"parts": [{"functionCall": {"name": "weather", "args": {"city": "Oslo"}}}]},
    ],
)
def test_calls_of_tools_are_json_that_the_check_reads(message: dict[str, Any]) -> None:
    assert said([{"role": "assistant", **message}]) == [("assistant", CALL)]
    (call,), problem = calls_of(subject(CALL))
    assert problem is None
    assert (call.name, call.arguments) == ("weather", {"city": "Oslo"})


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "sunny"}]},
        {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "sunny"}]}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "sunny"}]},
        {"type": "function_call_output", "call_id": "c", "output": "sunny"},
    ],
)
def test_what_a_tool_answered_keeps_its_role(message: dict[str, Any]) -> None:
    talk = read_conversation([{"role": "user", "content": "weather?"}, message])
    # Some providers put the result into a message of the user.
    role: Role = "user" if message.get("role") == "user" else "tool"
    assert talk.messages == (Message("user", "weather?"), Message(role, "sunny"))
    assert talk.extra == {"tool_results": 1}


def test_other_parts_are_named_and_counted() -> None:
    talk = read_conversation(
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what is"},
                    {"type": "image_url", "image_url": {"url": "data:…"}},
                    {"type": "image", "source": {}},
                    {"type": "input_audio"},
                    {"inlineData": {}},
                    {"type": "thinking", "thinking": "hm"},
                    "this?",
                ],
            }
        ]
    )
    assert talk.messages == (Message("user", "what is\n[image]\n[image]\n[audio]\n[file]\nthis?"),)
    assert talk.extra == {"parts": {"image": 2, "audio": 1, "file": 1, "thoughts": 1}}


def test_data_of_a_user_is_no_conversation() -> None:
    assert is_conversation([{"role": "user"}])
    assert not is_conversation([{"city": "Oslo"}])
    assert not is_conversation([])
    assert not is_conversation({"role": "user"})
