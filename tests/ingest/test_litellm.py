from __future__ import annotations

from typing import Any

import pytest

from promptbench.core.types import FailureTier, LoggedCall, Usage
from tests.helpers.log_formats import COMPLETION, MESSAGES, RECORDS
from tests.helpers.logs import calls, json_lines, log

SPEND = {
    "request_id": "r",
    "call_type": "acompletion",
    "model_group": "g",
    "spend": 0.5,
    "messages": {},
    "response": {},
}


def one(**fields: Any) -> LoggedCall:
    (call,) = calls(log(json_lines({**RECORDS["litellm"], **fields})), "litellm")
    return call


def test_failures() -> None:
    call = one(status="failure", response=None, error_str="litellm.Timeout: x", error_information=None)
    assert (call.failed, call.tier, call.answer) == ("litellm.Timeout: x", FailureTier.TRANSPORT, None)
    assert one(status="failure", response=None).failed == "failure"
    assert one().tier is FailureTier.TRUNCATED


def test_rows_without_stored_prompts_have_no_input_and_no_answer() -> None:
    (call,) = calls(log(json_lines(SPEND)), "litellm")
    assert (call.id, call.messages, call.answer, call.cost, call.failed) == ("r", (), None, 0.5, None)


def test_the_prompt_that_the_proxy_kept() -> None:
    (call,) = calls(log(json_lines({**SPEND, "proxy_server_request": {"messages": MESSAGES, "temperature": 0}})))
    assert [message.content for message in call.messages] == ["Answer as JSON.", "hi"]
    assert call.extra["params"] == {"temperature": 0}


def test_a_table_of_spend_logs() -> None:
    content = (
        "request_id,call_type,model_group,spend,startTime,endTime,messages,response,request_tags\n"
        'r,acompletion,g,0.5,2026-11-01 09:59:59,2026-11-01 10:00:00,"[{""role"": ""user"", ""content"": ""hi""}]",'
        '"{""choices"": [{""message"": {""content"": ""yes""}}]}","[""a""]"\n'
    )
    (call,) = calls(log(content), "litellm")
    assert (call.messages[0].content, call.answer, call.tags) == ("hi", "yes", ("a",))
    assert (call.latency_ms, call.cost) == (1000.0, 0.5)


@pytest.mark.parametrize("kind", ["aembedding", "image_generation", "rerank", "transcription"])
def test_what_asks_for_no_text_is_left_out(kind: str) -> None:
    assert calls(log(json_lines({**RECORDS["litellm"], "call_type": kind}))) == []


@pytest.mark.parametrize("kind", ["completion", "acompletion", "atext_completion", "aresponses", "anthropic_messages"])
def test_what_asks_for_text(kind: str) -> None:
    assert one(call_type=kind).answer == "{"


def test_usage_of_the_response_knows_the_cache() -> None:
    assert one(prompt_tokens=3, completion_tokens=1).usage == Usage(3, 1, 2)
    assert one(response={**COMPLETION, "usage": None}, prompt_tokens=3, completion_tokens=1).usage == Usage(3, 1)


def test_a_response_that_is_a_text() -> None:
    assert one(response="yes").answer == "yes"
