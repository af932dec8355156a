from __future__ import annotations

import json
import sys
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from promptbench.core.types import FailureTier, LoggedCall, Message, Usage
from tests.helpers.log_formats import attribute, otlp, span
from tests.helpers.logs import calls, json_lines, log, read, reasons

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
ASKED = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}])
ANSWERED = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "yes"}], "finish_reason": "stop"}])
LLM = {"openinference.span.kind": "LLM", "llm.model_name": "m"}


def one(*spans: dict[str, Any]) -> LoggedCall:
    (call,) = calls(log(json_lines(otlp(*spans))), "otlp")
    return call


def gen_ai(events: Any = (), status: Any = None, **attributes: Any) -> LoggedCall:
    return one(span(events, status, **{**CHAT, "gen_ai.input.messages": ASKED, **attributes}))


def test_the_prompt_with_its_version_and_variables() -> None:
    call = gen_ai(
        **{
            "gen_ai.output.messages": ANSWERED,
            "gen_ai.prompt.name": "triage",
            "gen_ai.prompt.version": "7",
            "gen_ai.prompt.variable.city": "Oslo",
            "gen_ai.prompt.variable.days": 3,
        }
    )
    assert (call.prompt, call.prompt_version) == ("triage", "7")
    assert call.variables == {"city": "Oslo", "days": 3}
    assert (call.answer, call.messages) == ("yes", (Message("user", "hi"),))


def test_messages_as_nested_attributes() -> None:
    call = one(
        span(
            **CHAT,
            **{
                "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
                "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "yes"}]}],
            },
        )
    )
    assert (call.answer, call.messages) == ("yes", (Message("user", "hi"),))


def test_messages_on_an_event() -> None:
    about = {"gen_ai.input.messages": ASKED, "gen_ai.output.messages": ANSWERED}
    call = one(span([("gen_ai.client.inference.operation.details", about)], **CHAT))
    assert (call.answer, call.messages) == ("yes", (Message("user", "hi"),))


def test_messages_in_the_older_form_of_events() -> None:
    call = one(
        span(
            [
                ("gen_ai.system.message", {"content": "be brief"}),
                ("gen_ai.user.message", {"content": "hi"}),
                ("gen_ai.choice", {"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}),
            ],
            **CHAT,
        )
    )
    assert call.messages == (Message("system", "be brief"), Message("user", "hi"))
    assert call.answer == "yes"


def test_whole_numbers_are_texts_and_the_input_includes_the_cache() -> None:
    call = gen_ai(
        **{
            "gen_ai.usage.input_tokens": 900,
            "gen_ai.usage.output_tokens": 30,
            "gen_ai.usage.cache_read.input_tokens": 800,
            "gen_ai.request.temperature": 0,
            "gen_ai.request.seed": 7,
            "tenant": "acme",
        }
    )
    assert call.usage == Usage(900, 30, 800)
    assert call.extra["params"] == {"temperature": 0, "seed": 7}
    assert call.extra["attributes"] == {"tenant": "acme"}


@pytest.mark.parametrize(
    ("events", "status", "attributes", "failed", "tier"),
    [
        ((), {"code": 2, "message": "boom"}, {}, "boom", FailureTier.TRANSPORT),
        ((), {"code": "STATUS_CODE_ERROR"}, {}, "status error", FailureTier.TRANSPORT),
        ((), None, {"error.type": "timeout"}, "timeout", FailureTier.TRANSPORT),
        (
            [("exception", {"exception.type": "APIError", "exception.message": "no"})],
            {"code": 2},
            {},
            "APIError: no",
            FailureTier.TRANSPORT,
        ),
        (
            (),
            None,
            {"gen_ai.output.messages": ANSWERED, "gen_ai.response.finish_reasons": ["length"]},
            "finish reason length",
            FailureTier.TRUNCATED,
        ),
        (
            [
                (
                    "gen_ai.evaluation.result",
                    {"gen_ai.evaluation.name": "correctness", "gen_ai.evaluation.score.value": 0},
                )
            ],
            None,
            {"gen_ai.output.messages": ANSWERED},
            "score correctness 0",
            FailureTier.CONTENT,
        ),
        ((), {"code": 2, "message": "no JSON"}, {"gen_ai.output.messages": ANSWERED}, "no JSON", FailureTier.CONTENT),
        ((), {"code": 1}, {"gen_ai.output.messages": ANSWERED}, None, None),
        ([("exception", {"exception.type": "Retry"})], {"code": 1}, {"gen_ai.output.messages": ANSWERED}, None, None),
    ],
)
def test_what_failed(events: Any, status: Any, attributes: Any, failed: str | None, tier: FailureTier | None) -> None:
    call = gen_ai(events, status, **attributes)
    assert (call.failed, call.tier) == (failed, tier)


def test_spans_of_other_work_are_left_out() -> None:
    others = [
        span(**{"http.method": "GET"}),
        span(**{"gen_ai.operation.name": "execute_tool", "gen_ai.request.model": "m"}),
        span(**{"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m"}),
        span(**{"openinference.span.kind": "CHAIN"}),
    ]
    assert calls(log(json_lines(otlp(*others)))) == []


def test_openinference_with_tools_parts_and_variables() -> None:
    call = one(
        span(
            **LLM,
            **{
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.contents.0.message_content.type": "text",
                "llm.input_messages.0.message.contents.0.message_content.text": "what is this?",
                "llm.input_messages.0.message.contents.1.message_content.type": "image",
                "llm.input_messages.10.message.content": "last",
                "llm.input_messages.2.message.role": "assistant",
                "llm.input_messages.2.message.content": "second",
                "llm.output_messages.0.message.role": "assistant",
                "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c",
                "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
                "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"a": 1}',
                "llm.prompt_template.variables": '{"q": "what"}',
                "llm.token_count.prompt": 9,
                "llm.token_count.completion": 2,
                "llm.token_count.prompt_details.cache_read": 4,
                "llm.tools.0.tool.json_schema": '{"name": "f"}',
                "metadata": "x",
            },
        )
    )
    assert [message.content for message in call.messages] == ["what is this?\n[image]", "second", "last"]
    assert call.answer == '[{"name": "f", "arguments": {"a": 1}}]'
    assert call.variables == {"q": "what"}
    assert call.usage == Usage(9, 2, 4)
    assert call.extra["tools"] == [{"name": "f"}]
    assert call.extra["attributes"] == {"metadata": "x"}


def test_openinference_with_plain_values() -> None:
    call = one(span(**LLM, **{"input.value": "hi", "output.value": "yes"}))
    assert (call.messages, call.answer) == ((Message("user", "hi"),), "yes")


def test_a_document_over_many_lines_and_a_list_of_exports() -> None:
    spans = [span(**CHAT, **{"gen_ai.input.messages": ASKED, "gen_ai.output.messages": ANSWERED})] * 2
    assert len(calls(log(json.dumps(otlp(*spans), indent=1)), "otlp")) == 2
    assert len(calls(log(json.dumps([otlp(*spans), otlp(*spans)])), "otlp")) == 4


def test_calls_that_were_exported_as_log_records() -> None:
    about = {**CHAT, "gen_ai.input.messages": ASKED, "gen_ai.output.messages": ANSWERED}
    entries = [
        {
            "timeUnixNano": "1730000000000000000",
            "eventName": "gen_ai.client.inference.operation.details",
            "spanId": "s",
            "attributes": [attribute(*pair) for pair in about.items()],
        },
        {"timeUnixNano": "1730000000000000000", "body": {"stringValue": "started"}},
    ]
    exported = {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": entries}]}]}
    for content in (json_lines(exported, exported), json.dumps(exported, indent=1)):
        call = calls(log(content), "otlp")[0]
        assert (call.id, call.answer, call.messages) == ("s", "yes", (Message("user", "hi"),))
        assert (call.time, call.latency_ms) == ("2024-10-27T03:33:20Z", None)


def test_a_line_without_spans_is_named() -> None:
    found = read(log(json_lines(otlp(), {"resourceMetrics": []})))
    assert reasons(found) == [("line 2", "it has no 'resourceSpans'")]


def protobuf(*spans: dict[str, Any]) -> bytes:
    """An export as an SDK writes it."""
    export = json.loads(json.dumps(otlp(*spans)))
    for item in export["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        item["traceId"], item["spanId"] = (
            b64encode(bytes.fromhex(item[key])).decode() for key in ("traceId", "spanId")
        )
    return bytes(ParseDict(export, TracesData()).SerializeToString())


def test_protobuf_is_read_like_json() -> None:
    spans = [span((), None, **{**CHAT, "gen_ai.input.messages": ASKED, "gen_ai.output.messages": ANSWERED, "n": 7})]
    spans += [span((), {"code": 2, "message": "slow"}, **{**CHAT, "gen_ai.input.messages": ASKED})]
    spans = [{**item, "traceId": "5b8efff7", "spanId": "eee19b7e"} for item in spans]
    expected = [replace(call, raw=None) for call in calls(log(json_lines(otlp(*spans))), "otlp")]
    export = protobuf(*spans)
    framed = len(export).to_bytes(4, "big") + export
    for content, times in ((export, 1), (framed * 2, 2)):
        assert [replace(call, raw=None) for call in calls(log(content), "otlp")] == expected * times
    assert reasons(read(log(framed + framed[:-9]), "otlp")) == [("export 2", "not traces in OTLP protobuf")]
    bad = b"\n\x04\x12\xffgen_ai.\xff"
    assert reasons(read(log(bad), "otlp")) == [("export 1", "not traces in OTLP protobuf")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "google.protobuf.json_format", None)
        with pytest.raises(ValueError, match=r"promptbench-gate\[otlp\]"):
            read(log(export))


def test_text_is_not_protobuf() -> None:
    assert one(span((), None, **{**CHAT, "gen_ai.input.messages": ASKED})).messages
    assert calls(log("\n" + json_lines(otlp(span((), None, **{**CHAT, "gen_ai.input.messages": ASKED})))), "otlp")
