from __future__ import annotations

import pytest

from promptbench.core.types import LoggedCall, Message
from promptbench.engine.prepare.inputs import CallInput, input_of, unusable
from promptbench.prompts.prompt import Prompt
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
    assert unusable(logged, prompts) == why
