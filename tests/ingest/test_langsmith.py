from __future__ import annotations

import json
from typing import Any

import pytest

from promptbench.core.types import FailureTier, LoggedCall, Message, Usage
from tests.helpers.log_formats import RECORDS
from tests.helpers.logs import calls, json_lines, log


def one(**fields: Any) -> LoggedCall:
    (call,) = calls(log(json_lines({**RECORDS["langsmith"], **fields})), "langsmith")
    return call


def serialised(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", kind], "kwargs": kwargs}


def test_serialised_langchain_objects() -> None:
    message = serialised(
        "AIMessage",
        content="",
        tool_calls=[{"name": "f", "args": {"a": 1}, "id": "c"}],
        response_metadata={"finish_reason": "tool_calls", "model_name": "gpt-4o-mini-2024-07-18"},
        usage_metadata={"input_tokens": 9, "output_tokens": 2, "input_token_details": {"cache_read": 4}},
    )
    call = one(
        inputs={
            "messages": [[serialised("SystemMessage", content="be brief"), serialised("HumanMessage", content="hi")]]
        },
        outputs={"generations": [[{"text": "", "message": message, "generation_info": {}}]], "llm_output": None},
    )
    assert call.messages == (Message("system", "be brief"), Message("user", "hi"))
    assert call.answer == '[{"name": "f", "arguments": {"a": 1}}]'
    assert (call.finish_reason, call.model) == ("tool_calls", "gpt-4o-mini-2024-07-18")
    assert call.usage == Usage(9, 2, 4)


def test_a_plain_completion() -> None:
    call = one(
        inputs={"prompts": ["hi"]},
        outputs={
            "generations": [[{"text": "yes", "generation_info": {"finish_reason": "length"}}]],
            "llm_output": {"model_name": "m", "token_usage": {"prompt_tokens": 3, "completion_tokens": 1}},
        },
    )
    assert (call.messages, call.answer, call.model) == ((Message("user", "hi"),), "yes", "m")
    assert (call.usage, call.tier) == (Usage(3, 1), FailureTier.TRUNCATED)


@pytest.mark.parametrize(
    ("outputs", "answer"),
    [
        ({"output": "yes"}, "yes"),
        ({"role": "assistant", "content": "yes"}, "yes"),
        ({"message": {"role": "assistant", "content": "yes"}}, "yes"),
        ({"messages": [{"role": "assistant", "content": "yes"}]}, "yes"),
        ({"team": "billing"}, '{"team": "billing"}'),
        ({}, None),
        (None, None),
    ],
)
def test_outputs(outputs: Any, answer: str | None) -> None:
    assert one(outputs=outputs).answer == answer


def test_inputs_that_are_no_messages_are_variables() -> None:
    call = one(inputs={"city": "Oslo", "days": 3})
    assert (call.messages, call.variables) == ((), {"city": "Oslo", "days": 3})
    assert one(inputs={"input": "hi"}).messages == (Message("user", "hi"),)


def test_the_prompt_of_the_hub() -> None:
    call = one(extra={"metadata": {"lc_hub_repo": "triage", "lc_hub_commit_hash": "ab12"}})
    assert (call.prompt, call.prompt_version) == ("triage", "ab12")


@pytest.mark.parametrize("kind", ["chain", "tool", "retriever"])
def test_only_models_are_calls(kind: str) -> None:
    assert calls(log(json_lines({**RECORDS["langsmith"], "run_type": kind}))) == []


def test_feedback() -> None:
    assert one(feedback_stats={"correctness": {"n": 3, "avg": 0.33}}).tier is FailureTier.TRUNCATED
    outputs = {"output": "yes"}
    call = one(outputs=outputs, feedback_stats={"correctness": {"n": 3, "avg": 0.33}})
    assert (call.failed, call.tier) == ("score correctness 0.33", FailureTier.CONTENT)
    assert one(outputs=outputs, feedback_stats={"correctness": {"n": 3, "avg": 0.66}}).failed is None
    assert one(outputs=outputs, feedback_stats=None).failed is None


@pytest.mark.parametrize("envelope", ["runs", "data"])
def test_runs_in_an_object(envelope: str) -> None:
    assert len(calls(log(json.dumps({envelope: [RECORDS["langsmith"]] * 2})), "langsmith")) == 2
