from __future__ import annotations

import json
from typing import Any

import pytest

from promptbench.core.types import FailureTier, LoggedCall, Message, Usage
from tests.helpers.log_formats import COMPLETION, RECORDS
from tests.helpers.logs import beside, calls, json_lines, log, read, reasons


def one(**fields: Any) -> LoggedCall:
    (call,) = calls(log(json_lines({**RECORDS["langfuse"], "scores": {}, **fields})), "langfuse")
    return call


@pytest.mark.parametrize(
    ("latency", "read"), [(1.0, 1000), (0.9, 900), (1000, 1000), ("0.95", 950), (12, 12), (None, 1000)]
)
def test_the_unit_of_the_latency_is_that_nearer_to_the_time_it_took(latency: Any, read: float) -> None:
    assert one(latency=latency).latency_ms == pytest.approx(read)


def test_without_an_end_the_latency_is_in_seconds() -> None:
    assert one(latency=0.8, endTime=None).latency_ms == pytest.approx(800)


@pytest.mark.parametrize(
    ("details", "usage"),
    [
        (
            {"input": 100, "input_cached_tokens": 800, "output": 20, "output_reasoning_tokens": 5},
            Usage(900, 25, 800, 5),
        ),
        (
            {"input": 100, "cache_read_input_tokens": 800, "cache_creation_input_tokens": 100, "output": 20},
            Usage(1000, 20, 800),
        ),
        ({"input": 3, "output": 1, "total": 4}, Usage(3, 1)),
        ('{"input": 3, "output": 1}', Usage(3, 1)),
        ({"total": 4}, None),
        (None, None),
    ],
)
def test_what_was_cached_is_counted_apart(details: Any, usage: Usage | None) -> None:
    assert one(usageDetails=details).usage == usage


def test_the_older_fields_of_usage() -> None:
    assert one(usage={"promptTokens": 3, "completionTokens": 1}).usage == Usage(3, 1)


@pytest.mark.parametrize("kind", ["SPAN", "EVENT", "TOOL", "EMBEDDING"])
def test_only_generations_are_calls(kind: str) -> None:
    assert calls(log(json_lines({**RECORDS["langfuse"], "type": kind}))) == []


def test_an_error_beside_an_answer_is_about_the_answer() -> None:
    call = one(level="ERROR", statusMessage="no JSON")
    assert (call.failed, call.tier, call.answer) == ("no JSON", FailureTier.CONTENT, "{")
    call = one(level="ERROR", statusMessage=None, output=None)
    assert (call.failed, call.tier, call.answer) == ("level ERROR", FailureTier.TRANSPORT, None)


def test_outputs_and_inputs_of_other_forms() -> None:
    call = one(output=COMPLETION, input={"messages": [{"role": "user", "content": "hi"}], "temperature": 0})
    assert (call.answer, call.messages, call.tier) == ("{", (Message("user", "hi"),), FailureTier.TRUNCATED)
    assert one(output={"role": "assistant", "content": "yes"}).answer == "yes"
    assert one(output={"intent": "x"}).answer == '{"intent": "x"}'


def blob(**fields: Any) -> dict[str, Any]:
    record = {"id": "o", "trace_id": "t", "type": "GENERATION", "level": "DEFAULT", "input": "hi", "output": "yes"}
    return {**record, **fields}


def test_scores_of_a_blob_export_are_joined_by_the_observation() -> None:
    scores = json_lines(
        {"id": "s1", "trace_id": "t", "observation_id": "o", "name": "correct", "value": 1, "data_type": "NUMERIC"},
        {"id": "s2", "trace_id": "t", "observation_id": "o", "name": "format", "value": 0, "data_type": "BOOLEAN"},
        {"id": "s3", "trace_id": "t", "observation_id": None, "name": "whole", "value": 0, "data_type": "NUMERIC"},
    )
    observations = log(json_lines(blob(), blob(id="p")), "observations")
    first, second = calls(beside(observations, log(scores, "scores")))
    assert (first.failed, first.extra["scores"]) == ("score format 0", {"correct": 1, "format": 0})
    assert second.failed is None
    assert read(beside(log(scores), observations), "langfuse") == []
    assert reasons(read(log(scores))) == [
        ("the file", "it has scores without observations: import the file of the observations together with it")
    ]


def test_a_table() -> None:
    content = (
        "id,traceId,type,level,input,output,usageDetails,scores,traceTags\n"
        'o,t,GENERATION,DEFAULT,"[{""role"": ""user"", ""content"": ""hi""}]","{""a"": 1}",'
        '"{""input"": 3, ""output"": 1}","{""format"": [0]}","[""prod""]"\n'
    )
    (call,) = calls(log(content), "langfuse")
    assert (call.messages, call.answer, call.usage) == ((Message("user", "hi"),), '{"a": 1}', Usage(3, 1))
    assert (call.failed, call.tags) == ("score format 0", ("prod",))


def test_a_document_of_observations() -> None:
    assert len(calls(log(json.dumps({"data": [blob(), blob(id="p")]})), "langfuse")) == 2
