from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.types import LoggedCall, Message
from promptbench.engine.prepare.inputs import CallInput, conversation_of, input_of, unusable
from promptbench.prompts.prompt import Prompt
from tests.helpers.suites import HEAD, joined
from tests.prompts.kit import prompt

OLD = prompt("Which team? {{message}}", "triage.md")
NEW = prompt('{{role "system"}}Sort it.{{role "user"}}{{message}}{{place}}')
TALK = prompt('{{role "system"}}Be kind.{{history}}')
FREE = prompt("{{history}}")


def call(*texts: str, **more: object) -> LoggedCall:
    return LoggedCall("c", "x", messages=tuple(Message("user", text) for text in texts), **more)  # type: ignore[arg-type]


def test_variables_of_the_log_are_taken_as_they_are() -> None:
    assert input_of(call("Which team? no", variables={"message": "hi"}), [OLD], [OLD]) == CallInput({"message": "hi"})


def test_variables_that_are_not_those_of_the_prompt_give_way_to_its_own() -> None:
    assert input_of(call("Which team? hi", variables={"x": 1}), [OLD], [OLD]) == CallInput({"message": "hi"})
    assert input_of(call("What? hi", variables={"x": 1}), [OLD], [OLD]) == CallInput({"x": 1})


def test_the_first_template_that_fits_gives_the_variables() -> None:
    assert input_of(call("Which team? hi"), [NEW, OLD], [NEW]) == CallInput({"message": "hi"})


def test_the_conversation_comes_from_the_messages_though_the_variables_are_known() -> None:
    messages = (Message("system", "Be kind."), Message("user", "hi"), Message("assistant", "yes?"))
    logged = LoggedCall("c", "x", variables={"a": 1}, messages=messages)
    assert input_of(logged, [OLD, TALK], [TALK]) == CallInput({"a": 1}, messages[1:])


def test_without_a_template_the_messages_are_replayed_where_there_is_a_place_for_them() -> None:
    assert input_of(call("What?", "Hm"), [OLD], [FREE]) == CallInput({}, call("What?", "Hm").messages)
    assert input_of(call("What?"), [OLD], [NEW]) == (
        "its variables cannot be recovered: message 1 does not start with the prompt's text 'Which team?'"
    )


def test_a_template_that_fits_in_several_ways_is_the_one_that_is_told() -> None:
    found = input_of(call("x-y-z"), [OLD, prompt("{{a}}-{{b}}", "a.md")], [NEW])
    assert isinstance(found, str)
    assert "{{a}} and {{b}} begin and end can be read in several ways" in found


@pytest.mark.parametrize(
    ("logged", "prompts", "why"),
    [
        (LoggedCall("c", "x"), [NEW, OLD], "it has neither variables nor messages"),
        (call("Which team? hi"), [NEW, OLD], "it has no value for {{place}}"),
        (call("Which team? hi"), [OLD], None),
        (call("What?"), [OLD, FREE], "it has no value for {{message}}"),
        (call("What?"), [FREE], None),
    ],
)
def test_why_a_call_cannot_be_asked_again(logged: LoggedCall, prompts: list[Prompt], why: str | None) -> None:
    assert unusable(input_of(logged, prompts, prompts), prompts) == why


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        ({}, None),
        ({"conversation_id": "c-1"}, "c-1"),
        ({"thread": "t-1", "model_alias": "x"}, "t-1"),
        ({"sessionId": "s-1"}, "s-1"),
        ({"attributes": {"session.id": "s-1"}}, "s-1"),
        ({"metadata": {"thread_id": 17}}, "17"),
        ({"session_id": "s-1", "metadata": {"conversation_id": "c-1"}}, "c-1"),
        ({"session_id": " "}, None),
        ({"session_id": True}, None),
        ({"session_id": {"id": 1}}, None),
        ({"session_id": "x" * 201}, None),
    ],
)
def test_where_it_is_found(extra: dict[str, Any], found: str | None) -> None:
    assert conversation_of(LoggedCall("one", "answer", extra=extra)) == found


def test_a_session_of_langsmith_is_a_project() -> None:
    extra = {"session_id": "project", "metadata": {"thread_id": "t-1"}}
    assert conversation_of(LoggedCall("one", "answer", extra=extra, format="langsmith")) == "t-1"
    assert conversation_of(LoggedCall("one", "answer", extra={"session_id": "p"}, format="langsmith")) is None


def test_logged_calls_of_one_conversation_are_one_cluster(tmp_path: Path) -> None:
    lines = [
        {"promptbench": "call/1", "id": f"call-{n}", "vars": {"message": f"hi {n}"}, "answer": "no", "session_id": talk}
        for n, talk in enumerate(("a", "a", "b"))
    ]
    text = HEAD + "checks: [json]\nlog: log.jsonl\ncases: []\n"
    bench, found = joined(tmp_path, text, {"log.jsonl": "".join(json.dumps(line) + "\n" for line in lines)})
    assert not found.errors, [item.message for item in found]
    assert bench is not None
    assert bench.cases.clusters == {"call-0": "a", "call-1": "a", "call-2": "b"}
