"""Bedrock, Vertex, MLflow, Phoenix and inspect_ai, in the forms that these tools write."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from promptbench.core.types import BadRecord, FailureTier, LoggedCall, Message, Usage
from tests.helpers.logs import calls, json_lines, log, read, reasons

ASKED = [{"role": "user", "content": "weather?"}]
PARTS = [{"role": "user", "content": [{"text": "weather?"}]}]
CALL = '[{"name": "weather", "arguments": {"city": "Oslo"}}]'


def bedrock(given: Any, body: Any, **more: Any) -> str:
    record = {"schemaType": "ModelInvocationLog", "operation": "Converse", "modelId": "amazon.nova-lite-v1:0"}
    return json_lines(
        record
        | {"requestId": "r", "timestamp": "2025-03-11T00:38:02Z"}
        | {"input": {"inputBodyJson": given, "inputTokenCount": 4}}
        | {"output": {"outputBodyJson": body, "outputTokenCount": 9}}
        | more
    )


def converse(*content: Any) -> Any:
    message = {"role": "assistant", "content": list(content)}
    return {"output": {"message": message}, "stopReason": "end_turn", "metrics": {"latencyMs": 302}}


CLAUDE = {"anthropic_version": "bedrock-2023-05-31", "messages": ASKED, "system": "be kind", "max_tokens": 9}
STREAM = [
    {"type": "message_start", "message": {"role": "assistant", "model": "claude", "usage": {"input_tokens": 4}}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "sun"}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "ny"}},
    {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 9}},
]


@pytest.mark.parametrize(
    ("given", "body", "said", "answer", "reason"),
    [
        ({"messages": PARTS}, converse({"text": "sunny"}), ["weather?"], "sunny", "end_turn"),
        (
            {"messages": PARTS, "system": [{"text": "be kind"}]},
            converse({"toolUse": {"toolUseId": "t", "name": "weather", "input": {"city": "Oslo"}}}),
            ["be kind", "weather?"],
            CALL,
            "end_turn",
        ),
        (CLAUDE, {"content": [{"type": "text", "text": "sunny"}], "stop_reason": "stop"}, None, "sunny", "stop"),
        (CLAUDE, STREAM, ["be kind", "weather?"], "sunny", "max_tokens"),
        (json.dumps(CLAUDE), json.dumps({"completion": "sunny"}), ["be kind", "weather?"], "sunny", None),
        ({"prompt": "weather?"}, {"generation": "sunny", "stop_reason": "stop"}, ["weather?"], "sunny", "stop"),
        (
            {"prompt": "weather?"},
            [{"completion": " sun", "stop_reason": None}, {"completion": "ny", "stop_reason": "stop_sequence"}],
            ["weather?"],
            " sunny",
            "stop_sequence",
        ),
        (
            {"inputText": "weather?", "textGenerationConfig": {"temperature": 0}},
            {"results": [{"outputText": "sunny", "completionReason": "FINISH"}]},
            ["weather?"],
            "sunny",
            "FINISH",
        ),
        ({"inputText": "weather?"}, [{"outputText": "sunny", "completionReason": "FINISH"}], None, "sunny", "FINISH"),
        ({"message": "weather?"}, {"text": "sunny", "finish_reason": "COMPLETE"}, ["weather?"], "sunny", "COMPLETE"),
    ],
)
def test_bedrock(given: Any, body: Any, said: list[str] | None, answer: str, reason: str | None) -> None:
    (call,) = calls(log(bedrock(given, body)), "bedrock")
    assert [message.content for message in call.messages][-len(said or [""]) :] == (said or ["weather?"])
    assert (call.answer, call.finish_reason, call.usage) == (answer, reason, Usage(4, 9))
    assert (call.id, call.model, call.time) == ("r", "amazon.nova-lite-v1:0", "2025-03-11T00:38:02Z")
    assert call.tier is (FailureTier.TRUNCATED if reason == "max_tokens" else None)


def test_bedrock_counts_tokens_of_a_cache_apart() -> None:
    stream = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "sun"}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"text": "ny"}, "contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": {"inputTokens": 4, "outputTokens": 9, "cacheReadInputTokens": 100}}},
    ]
    counted = {"inputTokenCount": 4, "cacheReadInputTokenCount": 100, "cacheWriteInputTokenCount": 20}
    given = {"messages": PARTS}
    (whole,) = calls(log(bedrock(given, converse({"text": "sunny"}), input={"inputBodyJson": given, **counted})))
    (streamed,) = calls(log(bedrock(given, stream, input={"inputBodyJson": given}, output={"outputBodyJson": stream})))
    assert (whole.usage, streamed.usage) == (Usage(124, 9, 100), Usage(104, 9, 100))
    assert (streamed.answer, streamed.finish_reason) == ("sunny", "end_turn")


def test_what_bedrock_does_not_log_is_named() -> None:
    apart = bedrock({}, {}) + bedrock(CLAUDE, {"embedding": [1]})
    apart += bedrock(CLAUDE, None, errorCode="ThrottlingException")
    found = read(log(apart))
    assert reasons(found) == [
        ("line 1", "its body is not in the log: Bedrock stores large ones apart"),
        ("line 2", "its response has an unknown form"),
    ]
    assert isinstance(found[2], LoggedCall)
    assert (found[2].tier, found[2].error) == (FailureTier.TRANSPORT, "ThrottlingException")


def test_vertex() -> None:
    contents = [{"role": "user", "parts": [{"text": "weather?"}]}]
    used = {"promptTokenCount": 5, "candidatesTokenCount": 2}
    response = {"candidates": [{"content": {"role": "model", "parts": [{"text": "sunny"}]}, "finishReason": "STOP"}]}
    row = {
        "logging_time": "2025-05-01 10:00:00.5 UTC",
        "request_id": 98765432101234567,
        "model": "gemini-2.5-pro",
        "full_request": {"contents": contents, "systemInstruction": {"parts": [{"text": "be kind"}]}},
        "full_response": {**response, "usageMetadata": used},
        "metadata": {"user": "u"},
    }
    claude = {**row, "full_request": json.dumps(CLAUDE), "full_response": json.dumps({"content": "sunny"})}
    pieces = {**row, "full_response": [response, {**response, "usageMetadata": used}]}
    whole, other, streamed = calls(log(json_lines(row, claude, pieces)), "vertex")
    for call in (whole, other):
        assert call.messages == (Message("system", "be kind"), Message("user", "weather?"))
    assert (whole.answer, whole.finish_reason, whole.usage) == ("sunny", "STOP", Usage(5, 2))
    assert (whole.time, whole.model, whole.id) == ("2025-05-01T10:00:00.500Z", "gemini-2.5-pro", "98765432101234567")
    assert (other.answer, streamed.answer) == ("sunny", "sunnysunny")


def test_mlflow() -> None:
    def span(key: str, parent: str | None, kind: str, given: Any, came: Any, **more: Any) -> Any:
        attributes = {"spanType": kind, "spanInputs": given, "spanOutputs": came, **more}
        return {
            "span_id": key,
            "parent_span_id": parent,
            "start_time_unix_nano": 1764694340819104621,
            "end_time_unix_nano": 1764694340919104621,
            "status": {"code": "STATUS_CODE_OK"},
            "attributes": {f"mlflow.{name}": json.dumps(value) for name, value in attributes.items()},
        }

    body = {"choices": [{"message": {"role": "assistant", "content": "sunny"}, "finish_reason": "stop"}], "model": "m"}
    tokens = {"chat.tokenUsage": {"input_tokens": 27, "output_tokens": 6}}
    spans = [
        span("a", None, "AGENT", {}, {}),
        span("b", "a", "CHAT_MODEL", {"messages": ASKED}, {}),
        span("c", "b", "CHAT_MODEL", {"messages": ASKED, "temperature": 0.5}, body, **tokens),
        {**span("d", "a", "LLM", {"city": "Oslo"}, "rain"), "status": {"code": "STATUS_CODE_ERROR", "message": "m"}},
    ]
    marks = [{"assessment_name": "right", "feedback": {"value": False}}]
    trace = {"info": {"trace_id": "tr-1", "assessments": marks}, "data": {"spans": spans}}
    first, second = calls(log(json_lines(trace)), "mlflow")
    assert (first.id, first.answer, first.model, first.usage) == ("c", "sunny", "m", Usage(27, 6))
    assert (first.messages, first.latency_ms) == ((Message("user", "weather?"),), pytest.approx(100, abs=0.01))
    assert (first.failed, first.extra["params"]) == ("score right False", {"temperature": 0.5})
    assert (second.variables, second.answer, second.error) == ({"city": "Oslo"}, "rain", "m")
    bare = calls(log(json.dumps({"spans": spans}, indent=1)), "mlflow")  # the artifact of a trace
    assert [(call.id, call.answer, call.failed) for call in bare] == [("c", "sunny", None), ("d", "rain", "m")]


@pytest.mark.parametrize("form", ["columns", "object", "nested"])
def test_phoenix(form: str) -> None:
    attributes: Any = {
        "llm.model_name": "gpt-4o-mini",
        "llm.token_count.prompt": 120,
        "llm.token_count.completion": 30,
        "llm.invocation_parameters": json.dumps({"temperature": 0.7}),
        "llm.input_messages": [{"message.role": "user", "message.content": "weather?"}],
        "llm.output_messages": [{"message.role": "assistant", "message.content": "sunny"}],
    }
    span: Any = {
        "span_kind": "LLM",
        "name": "ChatCompletion",
        "start_time": "2026-09-01 10:00:00.250000+00:00",
        "end_time": "2026-09-01 10:00:00.900000+00:00",
        "status_code": "OK",
    }
    if form == "columns":
        span |= {"context.span_id": "s", **{f"attributes.{key}": value for key, value in attributes.items()}}
    elif form == "object":
        span |= {"context": {"span_id": "s"}, "attributes": attributes}
    else:
        messages = [{"message": {"role": role, "content": text}} for role, text in (("user", "weather?"),)]
        nested: Any = {"model_name": "gpt-4o-mini", "input_messages": messages}
        nested["token_count"] = {"prompt": 120, "completion": 30}
        nested["invocation_parameters"] = {"temperature": 0.7}
        nested["output_messages"] = [{"message": {"role": "assistant", "content": "sunny"}}]
        span |= {"context": {"span_id": "s"}, "attributes": {"llm": nested}}
    (call,) = calls(log(json_lines(span, {**span, "span_kind": "CHAIN"})), "phoenix")
    assert (call.id, call.answer, call.model, call.usage) == ("s", "sunny", "gpt-4o-mini", Usage(120, 30))
    assert (call.messages, call.latency_ms) == ((Message("user", "weather?"),), 650.0)
    assert call.extra["params"] == {"temperature": 0.7}
    bad = {**span, "status_code": "ERROR", "status_message": "rate limited"}
    assert calls(log(json_lines(bad)))[0].error == "rate limited"


def test_phoenix_keeps_json_inside_messages() -> None:
    said = "llm.output_messages.0.message"
    call = f"{said}.tool_calls.0.tool_call.function"
    span = {"span_kind": "LLM", "context": {"span_id": "s"}}
    asked = {
        "llm.input_messages.0.message.content": '{"city": "Oslo"}',
        "llm.tools.0.tool.json_schema": '{"name": "w"}',
    }
    data = {**span, "attributes": {**asked, f"{said}.content": '{"weather": "sunny"}'}}
    tool = {**span, "attributes": {**asked, f"{call}.name": "weather", f"{call}.arguments": '{"city": "Oslo"}'}}
    first, second = calls(log(json_lines(data, tool)), "phoenix")
    assert (first.answer, second.answer) == ('{"weather": "sunny"}', CALL)
    assert (first.messages, first.extra["tools"]) == ((Message("user", '{"city": "Oslo"}'),), [{"name": "w"}])
    table = "span_kind,context.span_id,attributes.llm.input_messages\nLLM,s,[{'message.content': 'weather?'}]\n"
    assert reasons(read(log(table), "phoenix")) == [
        ("line 2", "its messages are not JSON, as in a table of pandas: export it as JSON Lines")
    ]


SAMPLE = {
    "id": 1,
    "epoch": 1,
    "input": "weather?",
    "target": "sunny",
    "messages": [
        *ASKED,
        {"role": "assistant", "content": "", "tool_calls": [{"function": "weather", "arguments": {"city": "Oslo"}}]},
        {"role": "tool", "content": "12", "function": "weather"},
        {"role": "assistant", "content": "rain"},
    ],
    "output": {
        "model": "mock/m",
        "choices": [{"message": {"role": "assistant", "content": "rain"}, "stop_reason": "stop"}],
        "usage": {"input_tokens": 7, "output_tokens": 12, "total_tokens": 24, "input_tokens_cache_read": 5},
        "time": 0.4,
    },
    "scores": {"match": {"value": "I"}},
    "started_at": "2026-11-24T12:46:26.670781+00:00",
    "events": [{"event": "model"}],
}


def test_inspect_ai() -> None:
    whole = json.dumps({"version": 2, "status": "success", "eval": {"model": "mock/m"}, "samples": [SAMPLE]})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", "{}")
        archive.writestr("samples/1_epoch_1.json", json.dumps(SAMPLE))
        archive.writestr("samples/2_epoch_1.json", "{")
    (call,) = calls(log(whole), "inspect_ai")
    assert (call.id, call.answer, call.expected, call.model) == ("1#1", "rain", "sunny", "mock/m")
    said = (Message("user", "weather?"), Message("assistant", CALL), Message("tool", "12"))
    assert (call.messages, call.usage, call.latency_ms) == (said, Usage(12, 12, 5), 400.0)
    assert call.time == "2026-11-24T12:46:26.670Z"
    (several,) = calls(log(whole.replace('"sunny"', '["sunny", "dry"]')))
    assert (several.expected, several.extra["target"]) == (None, ["sunny", "dry"])
    assert (call.failed, call.tier) == ("score match I", FailureTier.CONTENT)
    assert isinstance(call.raw, dict)
    assert "events" not in call.raw
    assert read(log(packed.getvalue())) == [call, BadRecord("samples/2_epoch_1.json", "not JSON")]
    with pytest.raises(ValueError, match="the archive is damaged"):
        read(log(packed.getvalue()[:300]))
