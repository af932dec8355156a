"""Records in the forms of real tracers that look like something else."""

from __future__ import annotations

from typing import Any

import pytest

from promptbench.core.types import Message
from promptbench.ingest import detect_format
from promptbench.ingest.files.unknown_log import describe_unknown
from tests.helpers.logs import calls, json_lines, log

ASKED = [{"role": "user", "content": "weather?"}]
CALL = '[{"name": "weather", "arguments": {"city": "Oslo"}}]'
TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": {"type": "object"}}}
CALLS = [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}]
OUTPUT = [
    {"type": "reasoning", "summary": []},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "sunny"}]},
]


def langfuse(**more: Any) -> str:
    return json_lines({"id": "o", "traceId": "t", "type": "GENERATION", "level": "DEFAULT", **more})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"instructions": "be kind", "input": "weather?"}, ["be kind", "weather?"]),
        ({"instructions": "be kind", "input": ASKED}, ["be kind", "weather?"]),
        ({"input": [*ASKED, {"type": "function_call_output", "call_id": "c", "output": "12"}]}, ["weather?", "12"]),
    ],
)
def test_a_request_of_the_responses_api(given: Any, said: list[str]) -> None:
    (call,) = calls(log(langfuse(input=given, output={"object": "response", "output": OUTPUT})))
    assert ([message.content for message in call.messages], call.answer) == (said, "sunny")


@pytest.mark.parametrize("output", [OUTPUT, {"id": "resp_1", "output": OUTPUT}])
def test_an_answer_of_the_responses_api(output: Any) -> None:
    assert calls(log(langfuse(input=ASKED, output=output)))[0].answer == "sunny"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "", "additional_kwargs": {"tool_calls": CALLS}},
        {"type": "ai", "content": "", "tool_calls": [], "additional_kwargs": {"tool_calls": CALLS}},
        {"lc": 1, "id": ["AIMessage"], "kwargs": {"content": "", "additional_kwargs": {"tool_calls": CALLS}}},
    ],
)
def test_tool_calls_that_langchain_keeps_aside(message: Any) -> None:
    (call,) = calls(log(langfuse(input=[*ASKED, message], output=message)))
    assert (call.answer, call.messages[1]) == (CALL, Message("assistant", CALL))


@pytest.mark.parametrize("tool", [TOOL, {"role": "tool", "content": TOOL}])
def test_the_definition_of_a_tool_is_no_message(tool: Any) -> None:
    for given in ([*ASKED, tool], {"messages": [*ASKED, tool]}):
        (call,) = calls(log(langfuse(input=given, output="sunny")))
        assert (call.messages, call.extra["tools"]) == ((Message("user", "weather?"),), [tool.get("content", tool)])


def test_a_span_around_a_call_is_no_second_one() -> None:
    def span(name: str, **attributes: str) -> dict[str, Any]:
        pairs = {"ai.operationId": name, "gen_ai.request.model": "gpt-4o", **attributes}
        return {"spanId": name, "attributes": [{"key": key, "value": {"stringValue": pairs[key]}} for key in pairs]}

    inner = span(
        "ai.generateText.doGenerate",
        **{
            "ai.prompt.messages": '[{"role": "user", "content": [{"type": "text", "text": "weather?"}]}]',
            "ai.response.toolCalls": '[{"toolCallId": "c", "toolName": "weather", "args": "{\\"city\\": \\"Oslo\\"}"}]',
        },
    )
    spans = [span("ai.generateText", **{"ai.prompt": "{}"}), inner]
    (call,) = calls(log(json_lines({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})))
    assert (call.answer, call.messages, call.model) == (CALL, (Message("user", "weather?"),), "gpt-4o")
    both = langfuse(name="ai.streamText") + langfuse(name="ai.streamText.doStream", input="a", output="b")
    assert [call.answer for call in calls(log(both))] == ["b"]


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"id": "1", "op_name": "weave:///x", "started_at": "t", "inputs": {"q": 1}, "output": "x"}, "Weave"),
        ({"id": "1", "request": {}, "response": {}, "ai_org": "openai", "ai_model": "gpt-4o"}, "Portkey"),
        ({"span_id": "1", "root_span_id": "1", "span_attributes": {}, "input": "a", "output": "b"}, "Braintrust"),
    ],
)
def test_what_cannot_be_read_is_named(record: Any, name: str) -> None:
    file = log(json_lines(record))
    assert detect_format(file) is None
    assert describe_unknown(file).startswith(f"is an export of {name}, which is not supported")
