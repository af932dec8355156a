from __future__ import annotations

from typing import Any

import pytest

from promptbench.core.types import BadRecord, FailureTier, LoggedCall, Message, Usage
from promptbench.ingest import detect_format
from promptbench.ingest.generic import read_columns
from tests.helpers.logs import beside, calls, json_lines, log, read, reasons

TRANSPORT, CUT, CONTENT = FailureTier.TRANSPORT, FailureTier.TRUNCATED, FailureTier.CONTENT


def one(**record: Any) -> LoggedCall:
    (call,) = calls(log(json_lines({"prompt": "hi", **record})), "generic")
    return call


def test_a_full_record() -> None:
    record = {
        "request_id": 7,
        "timestamp": "2026-11-01 10:00:00",
        "model_name": "gpt-4o-mini",
        "system": "be brief",
        "prompt": "hi",
        "completion": "yes",
        "gold": '{"team": "billing"}',
        "prompt_tokens": "31",
        "completion_tokens": 12,
        "cached_tokens": 8,
        "latency_s": "0.5",
        "cost_usd": 0.001,
        "finish_reason": "stop",
        "tags": "a, b",
        "prompt_name": "triage",
        "prompt_version": 3,
        "team": {"kept": True},
        "nothing": None,
    }
    assert calls(log(json_lines(record))) == [
        LoggedCall(
            id="7",
            answer="yes",
            model="gpt-4o-mini",
            time="2026-11-01T10:00:00Z",
            messages=(Message("system", "be brief"), Message("user", "hi")),
            prompt="triage",
            prompt_version="3",
            finish_reason="stop",
            usage=Usage(31, 12, 8),
            latency_ms=500.0,
            tags=("a", "b"),
            extra={"team": {"kept": True}},
            format="generic",
            expected={"team": "billing"},
            cost=0.001,
            raw=record,
        )
    ]


@pytest.mark.parametrize(
    ("record", "failed", "tier"),
    [
        ({"response": "x"}, None, None),
        ({"response": "x", "failed": "TRUE"}, "failed TRUE", CONTENT),
        ({"response": "x", "failed": "no"}, None, None),
        ({"response": "x", "failed": "wrong team"}, "wrong team", CONTENT),
        ({"response": "x", "failed": 12}, None, None),
        ({"response": "x", "valid": False}, "valid False", CONTENT),
        ({"response": "x", "match": 0, "comment": "billing it is"}, "billing it is", CONTENT),
        ({"response": "x", "valid": True, "error": "ignored"}, None, None),
        ({"response": "x", "valid": False, "error_type": "parse", "error": ["a", "b"]}, "parse: a; b", CONTENT),
        ({"response": "x", "score": 0.2}, "score 0.2", CONTENT),
        ({"response": "x", "score": 4}, None, None),
        ({"response": "x", "error": "JSONDecodeError"}, "JSONDecodeError", CONTENT),
        ({"response": "x", "finish_reason": "length", "failed": True}, "finish reason length", CUT),
        ({"error": "timeout"}, "timeout", TRANSPORT),
        ({"error": {"message": "Rate limit", "code": 429}}, "Rate limit", TRANSPORT),
        ({"response": None, "status_code": 429, "error": "Rate limit"}, "status 429: Rate limit", TRANSPORT),
        ({"status_code": "503"}, "status 503", TRANSPORT),
        ({"response": "x", "status_code": 200}, None, None),
        ({"status": "timeout"}, "status timeout", TRANSPORT),
        ({"response": "x", "status": "failed"}, "status failed", CONTENT),
        ({"response": "x", "status": "done"}, None, None),
        ({"response": "", "failed": True}, "failed True", CONTENT),
    ],
)
def test_what_failed(record: dict[str, Any], failed: str | None, tier: FailureTier | None) -> None:
    call = one(**record)
    assert (call.failed, call.tier) == (failed, tier)
    assert (call.answer is None) == (tier is TRANSPORT)


def test_an_empty_cell_that_was_judged_is_an_empty_answer() -> None:
    (call,) = calls(log("id,prompt,response,failed\n1,hi,,TRUE\n"))
    assert (call.answer, call.failed) == ("", "failed TRUE")


@pytest.mark.parametrize(
    ("record", "messages", "variables"),
    [
        ({"prompt": "hi"}, (Message("user", "hi"),), None),
        ({"input": {"city": "Oslo"}}, (), {"city": "Oslo"}),
        ({"input": '{"city": "Oslo"}'}, (), {"city": "Oslo"}),
        ({"vars": {"city": "Oslo"}, "prompt": "In Oslo?"}, (Message("user", "In Oslo?"),), {"city": "Oslo"}),
        ({"vars.city": "Oslo", "vars.days": 3}, (), {"city": "Oslo", "days": 3}),
        ({"input": [{"role": "user", "content": "hi"}]}, (Message("user", "hi"),), None),
        ({"input": '[{"role": "user", "content": "hi"}]'}, (Message("user", "hi"),), None),
        ({"input": {"messages": [{"role": "user", "content": "hi"}]}}, (Message("user", "hi"),), None),
        ({"input": "[1, 2]"}, (Message("user", "[1, 2]"),), None),
        ({"system_prompt": "be brief", "user": "hi"}, (Message("system", "be brief"), Message("user", "hi")), None),
    ],
)
def test_inputs(record: dict[str, Any], messages: tuple[Message, ...], variables: Any) -> None:
    (call,) = calls(log(json_lines({**record, "output": "x"})))
    assert (call.messages, call.variables) == (messages, variables)


def test_messages_that_go_on_to_the_answer() -> None:
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    (call,) = calls(log(json_lines({"id": 1, "messages": said, "failed": True})))
    assert (call.messages, call.answer) == ((Message("user", "hi"),), "yes")


def test_an_answer_that_is_data_or_a_message() -> None:
    assert one(response={"team": "billing"}).answer == '{"team": "billing"}'
    assert one(response={"role": "assistant", "content": "yes"}).answer == "yes"


def test_a_mapping() -> None:
    file = log(json_lines({"q": "hi", "reply": {"text": "yes"}}), **{"vars.question": "q", "answer": "reply.text"})
    (call,) = calls(file)
    assert (call.variables, call.answer) == ({"question": "hi"}, "yes")


def test_a_mapping_of_a_field_that_is_none_is_told() -> None:
    said = "unknown field 'anwser': did you mean 'answer'?"
    assert reasons(read(log("prompt,response\nhi,yes\n", anwser="response"))) == [("the mapping", said)]


def test_columns_that_nobody_knows_are_told_once() -> None:
    assert reasons(read(log("alpha,answer\n1,2\n3,4\n"))) == [
        ("the columns", "no column for the input among alpha, answer: map one, such as input=alpha")
    ]


def test_a_sum_at_the_end_is_named_and_left_out() -> None:
    found = read(log("id,prompt,response,failed\n1,hi,yes,TRUE\nTOTAL_TRUE,,,1\n,TOTAL,,\n"))
    assert isinstance(found[0], LoggedCall)
    assert reasons(found) == [("line 3", "it is a row of totals"), ("line 4", "it is a row of totals")]


@pytest.mark.parametrize("row", ["Total,2 calls,81 %,", "Average:,-,0.9,12", "grand total,a,b,"])
def test_a_filled_row_of_totals_is_no_call(row: str) -> None:
    found = read(log(f"id,prompt,response,latency_ms\n1,Total,4 euros,3\n{row}\n"))
    assert [type(item) for item in found] == [LoggedCall, BadRecord]


def test_records_of_another_shape_are_read_by_their_own_columns() -> None:
    first, second = calls(log(json_lines({"prompt": "a", "response": "b"}, {"question": "c", "output": "d"})))
    assert [first.answer, second.answer, second.messages[0].content] == ["b", "d", "c"]


def test_inputs_of_another_file_are_joined_by_the_id() -> None:
    asked = log("case_id,question,gold\n1,hi,yes\n2,ho,no\n", "asked.csv")
    answered = log(
        json_lines({"id": "2", "output": "x"}, {"id": 1, "output": "y"}, {"id": 3, "output": "z"}), "answers"
    )
    found = read(beside(answered, asked))
    assert reasons(found) == [("line 3", "it has no input")]
    first, second = (call for call in found if isinstance(call, LoggedCall))
    assert (first.id, first.messages, first.expected) == ("2", (Message("user", "ho"),), "no")
    assert (second.id, second.messages, second.expected) == ("1", (Message("user", "hi"),), "yes")
    assert first.raw == {"id": "2", "output": "x", "joined": {"case_id": "2", "question": "ho", "gold": "no"}}
    assert read(beside(asked, answered)) == []


def test_a_table_of_answers_is_joined_as_well() -> None:
    asked = log(json_lines({"id": 1, "vars": {"city": "Oslo"}}), "asked")
    (call,) = calls(beside(log("id,output\n1,x\n", "answers.csv"), asked))
    assert (call.variables, call.answer) == ({"city": "Oslo"}, "x")


def test_inputs_alone_are_no_log() -> None:
    assert reasons(read(log("id,question\n1,hi\n"))) == [
        ("the columns", "no column for the answer among id, question: map one, such as answer=id")
    ]


@pytest.mark.parametrize(
    ("content", "name", "known"),
    [
        ("Dear reader, this is prose.\nIt has commas, and ends.\n", "notes.txt", False),
        ('{"name": "x", "version": "1"}', "package.json", False),
        ("alpha,beta\n1,2\n", "notes.txt", False),
        ("alpha,beta\n1,2\n", "log.CSV", True),
        ('{"alpha": 1}\n{"alpha": 2}\n', "log.jsonl.gz", True),
        ("question,beta\n1,2\n", "notes.txt", True),
    ],
)
def test_a_table_has_a_column_that_is_known_or_the_name_of_one(content: str, name: str, known: bool) -> None:
    assert (detect_format(log(content, name)) == "generic") is known


def test_long_and_many_columns_are_not_all_told() -> None:
    names = ["x" * 90, *(f"c{number}" for number in range(30))]
    ((_, said),) = reasons(read(log(",".join(names) + "\n" + "1," * 30 + "1\n", "log.csv")))
    assert "x" * 40 + ", c0" in said
    assert "c10 and 19 more: map one" in said


@pytest.mark.parametrize("content", ["7\n", "word\n", "", b"%PDF-1.7", "interactions:\n- request:\n    body: x\n"])
def test_what_is_no_log_is_not_recognised(content: str | bytes) -> None:
    assert detect_format(log(content)) is None


def test_columns_of_each_kind() -> None:
    assert read_columns(log("a,b\n1,2\n")) == ("a", "b")
    assert read_columns(log('{"a": 1, "b": 2}\n')) == ("a", "b")
    assert read_columns(log("")) == ()
