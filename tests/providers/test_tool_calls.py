"""Answers that call tools: the real SDKs over loopback, plain and streamed, on record and for the check."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import anthropic as anthropic_sdk
import openai as openai_sdk
import pytest
from pydantic import TypeAdapter

from promptbench.checks import plugins as checks
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Answer, CallFacts, Message, Request, Rung, ToolCall
from promptbench.providers import anthropic, azure_openai, openai
from promptbench.store import answers
from tests.helpers import fake_anthropic, fake_openai as fake
from tests.helpers.asking import ask_for, context
from tests.helpers.subjects import subject

PARIS, ROME = '{"city": "Paris", "days": 2}', '{"city":"Rome"}'
CALLS = (ToolCall("get_weather", PARIS, "c1"), ToolCall("get_time", ROME, "c2"))
TEXT = (
    'One moment.\n[{"name": "get_weather", "arguments": {"city": "Paris", "days": 2}}, '
    '{"name": "get_time", "arguments": {"city": "Rome"}}]'
)
CHAT = fake.completion(
    "One moment.",
    message={
        "reasoning_content": "two cities",
        "tool_calls": [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in CALLS
        ],
    },
    choice={"finish_reason": "tool_calls"},
)
RESPONSE = fake.response("One moment.")
RESPONSE["output"][0]["summary"] = [{"type": "summary_text", "text": "two cities"}]
RESPONSE["output"] += [
    {
        "type": "function_call",
        "id": "fc",
        "status": "completed",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }
    for call in CALLS
]
MESSAGE = fake_anthropic.message(
    None,
    stop_reason="tool_use",
    content=[
        {"type": "thinking", "thinking": "two cities", "signature": "s"},
        {"type": "text", "text": "One moment."},
        *(
            {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
            for call in CALLS
        ),
    ],
)


def chat_chunks() -> fake.Step:
    def chunk(delta: Any, finish: str | None = None) -> Any:
        return {"id": "c", "model": "fake-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    pieces: list[Any] = [chunk({"role": "assistant", "content": "One moment."})]
    for index, call in enumerate(CALLS):
        begun = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        pieces.append(chunk({"tool_calls": [begun]}))
        for part in (call.arguments[:5], call.arguments[5:]):
            pieces.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]}))
    return fake.events(*pieces, chunk({}, "tool_calls"))


def message_events() -> fake.Step:
    start: dict[str, Any] = {"type": "message", "role": "assistant", "model": "fake-1", "content": []}
    parts: list[Any] = [{"type": "message_start", "message": start | {"usage": {"input_tokens": 1}}}]
    parts.append({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "One moment."}})
    for index, call in enumerate(CALLS, 1):
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        parts.append({"type": "content_block_start", "index": index, "content_block": block})
        for piece in ("", call.arguments[:7], call.arguments[7:]):
            delta = {"type": "input_json_delta", "partial_json": piece}
            parts.append({"type": "content_block_delta", "index": index, "delta": delta})
    over = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}}
    return fake.events(*parts, over, done=False)


def ask(
    module: ModuleType, server: fake.FakeOpenAI, request: Request | None = None, stream: bool = False, **options: Any
) -> Answer:
    name = module.__name__.rpartition(".")[2]
    url = {"endpoint": server.base_url.removesuffix("/v1")} if module is azure_openai else {"base_url": server.base_url}

    async def main() -> Answer:
        provider = module.SPEC.connect("m", context(options={**url, **options}))
        try:
            answer: Answer = await provider.complete(replace(request or ask_for(f"{name}/m"), stream=stream))
            return answer
        finally:
            await provider.close()

    return asyncio.run(main())


class AzureServer(fake.FakeOpenAI):
    root = "/openai"


@pytest.mark.parametrize(
    ("module", "server", "step", "options", "stream"),
    [
        (openai, fake.FakeOpenAI, fake.as_json(CHAT), {}, False),
        (openai, fake.FakeOpenAI, chat_chunks(), {}, True),
        (openai, fake.FakeOpenAI, fake.as_json(RESPONSE), {"api": "responses"}, False),
        (
            openai,
            fake.FakeOpenAI,
            fake.events({"type": "response.completed", "response": RESPONSE}),
            {"api": "responses"},
            True,
        ),
        (anthropic, fake_anthropic.FakeAnthropic, fake.as_json(MESSAGE), {}, False),
        (anthropic, fake_anthropic.FakeAnthropic, message_events(), {}, True),
    ],
    ids=["chat", "chat-streamed", "responses", "responses-streamed", "messages", "messages-streamed"],
)
def test_calls_are_read_with_their_text(
    module: ModuleType, server: Any, step: fake.Step, options: dict[str, Any], stream: bool
) -> None:
    with server([step]) as running:
        answer = ask(module, running, stream=stream, **options)
    assert [(call.name, call.parsed(), call.id) for call in answer.calls] == [
        (call.name, json.loads(call.arguments), call.id) for call in CALLS
    ]
    assert answer.text == TEXT
    assert answer.reasoning == ("two cities" if not stream or "api" in options else None)
    assert answers.loads(answers.dumps(answer)).calls == answer.calls


TOOLS = (
    {
        "name": "get_weather",
        "description": "the weather now",
        "inputSchema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
    {
        "name": "get_time",
        "description": "",
        "inputSchema": {"type": "object", "properties": {"city": {"type": ["string", "null"]}}},
    },
)


@pytest.mark.parametrize(
    ("module", "server", "step", "options"),
    [
        (openai, fake.FakeOpenAI, fake.as_json(CHAT), {}),
        (openai, fake.FakeOpenAI, fake.as_json(RESPONSE), {"api": "responses"}),
        (anthropic, fake_anthropic.FakeAnthropic, fake.as_json(MESSAGE), {}),
    ],
    ids=["chat", "responses", "messages"],
)
def test_tools_and_results_are_sent_as_the_sdks_type_them(
    module: ModuleType, server: Any, step: fake.Step, options: dict[str, Any]
) -> None:
    name = module.__name__.rpartition(".")[2]
    choices = ("auto", "required", "none", "get_time", None)
    with server([step]) as running:
        for choice in choices:
            params = {} if choice is None else {"toolChoice": choice}
            given = replace(ask_for(f"{name}/m", params=params), tools=TOOLS)
            first = ask(module, running, given, **options)
        history = (
            *given.messages,
            Message("assistant", "One moment.", first.calls, turn=first.turn),
            Message("tool", "21 degrees", call_id="c1"),
            Message("tool", "noon", call_id="c2"),
        )
        ask(module, running, replace(given, messages=history), **options)
        # Without what only this provider understands.
        history = (*given.messages, Message("assistant", "", first.calls), *history[-2:])
        ask(module, running, replace(given, messages=history), **options)
        # A request that calls nothing has no trace of tools.
        ask(module, running, ask_for(f"{name}/m", params={"toolChoice": "auto"}), **options)
        bodies = [item.body for item in running.received]
    assert not bodies[-1].keys() & {"tools", "tool_choice", "include"}
    sent = [body.get("tool_choice") for body in bodies[:5]]
    if module is anthropic:
        assert sent == [{"type": "auto"}, {"type": "any"}, {"type": "none"}, {"type": "tool", "name": "get_time"}, None]
        valid = TypeAdapter(anthropic_sdk.types.message_create_params.MessageCreateParamsNonStreaming)
        assert [block["type"] for block in bodies[5]["messages"][1]["content"]] == [
            "thinking", "text", "tool_use", "tool_use"
        ]  # fmt: skip
        assert [block["tool_use_id"] for block in bodies[5]["messages"][2]["content"]] == ["c1", "c2"]
        assert [block["type"] for block in bodies[6]["messages"][1]["content"]] == ["tool_use", "tool_use"]
    elif options:
        assert sent == ["auto", "required", "none", {"type": "function", "name": "get_time"}, None]
        valid = TypeAdapter(openai_sdk.types.responses.response_create_params.ResponseCreateParamsNonStreaming)
        assert [tool["strict"] for tool in bodies[0]["tools"]] == [True, False]
        kinds = [item.get("type", item.get("role")) for item in bodies[5]["input"]]
        called = ["function_call", "function_call", "function_call_output", "function_call_output"]
        assert kinds[-5:] == ["assistant", *called]
        assert [item.get("type") for item in bodies[6]["input"][-4:]] == called
    else:
        named = {"type": "function", "function": {"name": "get_time"}}
        assert sent == ["auto", "required", "none", named, None]
        valid = TypeAdapter(openai_sdk.types.chat.completion_create_params.CompletionCreateParamsNonStreaming)
        assert [tool["function"]["strict"] for tool in bodies[0]["tools"]] == [True, False]
        assert [message["role"] for message in bodies[5]["messages"][-3:]] == ["assistant", "tool", "tool"]
        assert bodies[6]["messages"][-3]["content"] is None
    for body in bodies:
        valid.validate_python(body)


def test_reasoning_that_can_be_sent_back_is_sent_back() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    output = [{"type": "reasoning", "id": "rs_0", "summary": []}, reasoning, *RESPONSE["output"][2:]]
    with fake.FakeOpenAI([fake.as_json({**RESPONSE, "output": output})]) as server:
        given = replace(ask_for("openai/m"), tools=TOOLS)
        first = ask(openai, server, given, api="responses")
        assert first.turn == output[1:]
        results = (Message("assistant", "", first.calls, turn=first.turn), Message("tool", "noon", call_id="c1"))
        again = replace(given, messages=(*given.messages, *results))
        ask(openai, server, again, api="responses")
        assert server.received[1].body["input"][-4:-1] == output[1:]
        assert server.received[1].body["include"] == ["reasoning.encrypted_content"]
    # Neither ids nor what only the provider understands shape an answer.
    plain = replace(again, messages=(*given.messages, Message("assistant", "", first.calls), Message("tool", "noon")))
    assert plain.as_dict() == again.as_dict()


def test_the_replies_here_are_what_the_installed_sdks_read() -> None:
    chat = openai_sdk.types.chat.ChatCompletion.model_validate(CHAT).choices[0].message
    assert [call.id for call in chat.tool_calls or ()] == ["c1", "c2"]
    output = [
        openai_sdk.types.responses.ResponseFunctionToolCall.model_validate(item) for item in RESPONSE["output"][2:]
    ]
    assert [item.arguments for item in output] == [PARIS, ROME]
    assert anthropic_sdk.types.Message.model_validate(MESSAGE).content[3].type == "tool_use"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            {"tool_calls": [{"id": "x", "function": {"name": "now", "arguments": ""}}]},
            '[{"name": "now", "arguments": {}}]',
        ),
        ({"function_call": {"name": "f", "arguments": "{"}}, '[{"name": "f", "arguments": "{"}]'),
        ({"tool_calls": [{"custom": {"name": "sh", "input": "ls"}}]}, '[{"name": "sh", "arguments": "ls"}]'),
    ],
    ids=["no-arguments", "old-form-cut", "custom"],
)
def test_calls_alone_are_an_answer(message: dict[str, Any], text: str) -> None:
    with AzureServer([fake.answer(None, message=message, choice={"finish_reason": "tool_calls"})]) as server:
        # The server's address for Azure ends before /openai.
        assert ask(azure_openai, server, endpoint=server.base_url.removesuffix("/openai")).text == text


def test_the_check_sees_the_calls_and_not_the_text_around_them() -> None:
    wanted = [{"name": "get_time", "arguments": {"city": "Rome"}}]
    check = checks.load("function call").build(wanted, CheckContext(Path()))
    seen: list[Any] = []
    for calls, said in (
        (CALLS[1:], ""),
        (CALLS, "calls: expected 1, got 2 (get_weather, get_time)"),
        ((ToolCall("get_time", "{"),), "the arguments of a tool call are not a JSON object"),
    ):
        given = subject("I call [get_time] now.", accept=Rung.RAW, call=CallFacts(calls=calls))
        assert check.score(replace(given, report_reading=seen.append)).reason == said
    # A call with broken arguments is a call all the same.
    assert not checks.load("function call").build([], CheckContext(Path())).score(given).passed
    assert [reading.rung for reading in seen] == [Rung.RAW, Rung.RAW, Rung.NONE]
