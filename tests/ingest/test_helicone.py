from __future__ import annotations

import json
from typing import Any

import pytest

from promptbench.core.types import BadRecord, FailureTier, LoggedCall, Message, Usage
from promptbench.ingest import helicone
from tests.helpers.log_formats import COMPLETION, RECORDS
from tests.helpers.logs import calls, json_lines, log

RECORD = RECORDS["helicone"]


def one(**fields: Any) -> LoggedCall:
    (call,) = calls(log(json_lines({**RECORD, **fields})), "helicone")
    return call


@pytest.mark.parametrize("end", [",]", ",\n]\n", ", \r\n ] \n", "]"])
@pytest.mark.parametrize("count", [1, 3, 200])
def test_a_comma_before_the_closing_bracket(end: str, count: int) -> None:
    records = [{**RECORD, "request_id": f"h{number}"} for number in range(count)]
    content = "[\n" + ",\n".join(map(json.dumps, records)) + end
    assert [call.id for call in calls(log(content), "helicone")] == [f"h{number}" for number in range(count)]


def test_a_comma_and_a_bracket_in_a_text_stay() -> None:
    body = {"messages": [{"role": "user", "content": "a,]"}]}
    (call,) = calls(log("[" + json.dumps({**RECORD, "request_body": body}) + ",]"), "helicone")
    assert call.messages == (Message("user", "a,]"),)


def test_a_fault_before_the_end_is_still_one() -> None:
    _, bad = helicone.SPEC.read(log("[" + json.dumps(RECORD) + ",, " + json.dumps(RECORD) + ",]"))
    assert isinstance(bad, BadRecord)


@pytest.mark.parametrize(
    ("fields", "failed", "tier"),
    [
        ({"response_status": 500, "response_body": {"error": "down"}}, "status 500: down", FailureTier.TRANSPORT),
        ({"response_status": -3, "response_body": None}, "status -3", FailureTier.TRANSPORT),
        ({}, "finish reason length", FailureTier.TRUNCATED),
        ({"response_body": None, "feedback_rating": False}, "feedback rating false", FailureTier.CONTENT),
        ({"response_body": None, "feedback_rating": "false"}, "feedback rating false", FailureTier.CONTENT),
        ({"response_body": None, "feedback_rating": True}, None, None),
        ({"response_body": None, "scores": {"right": 0}}, "score right 0", FailureTier.CONTENT),
    ],
)
def test_what_failed(fields: dict[str, Any], failed: str | None, tier: FailureTier | None) -> None:
    call = one(**fields)
    assert (call.failed, call.tier) == (failed, tier)


def test_usage_of_the_row_where_the_body_is_not_there() -> None:
    call = one(response_body=None, prompt_tokens=9, completion_tokens=2, prompt_cache_read_tokens=4)
    assert call.usage == Usage(9, 2, 4)


def test_an_answer_of_anthropic() -> None:
    body = {
        "type": "message",
        "content": [{"type": "text", "text": "yes"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "cache_read_input_tokens": 8, "output_tokens": 1},
    }
    call = one(request_body={"system": "be brief", "messages": [{"role": "user", "content": "hi"}]}, response_body=body)
    assert (call.answer, call.usage) == ("yes", Usage(9, 1, 8))
    assert call.messages == (Message("system", "be brief"), Message("user", "hi"))


def test_a_table_whose_quotes_are_doubled_once() -> None:
    cell = json.dumps({"messages": [{"role": "user", "content": ""}, {"role": "user", "content": "hi"}]})
    bodies = [cell.replace('"', '""'), cell.replace('"', '""').replace('""', '""""')]
    for body in bodies:
        answer = json.dumps(COMPLETION).replace('"', '""')
        (call,) = calls(log(f'request_id,response_status,request_body,response_body\nh,200,"{body}","{answer}"\n'))
        assert (call.messages[-1].content, call.answer) == ("hi", "{")
