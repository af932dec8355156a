from __future__ import annotations

from promptbench.ingest import detect_format
from tests.helpers.log_formats import MESSAGES
from tests.helpers.logs import calls, json_lines, log, read, reasons

ANSWER = {"role": "assistant", "content": "yes"}


def test_an_answer_as_it_should_be_is_expected() -> None:
    (call,) = calls(log(json_lines({"messages": [*MESSAGES, ANSWER], "tools": [{"type": "function"}]})))
    assert (call.answer, call.expected, call.failed) == ("yes", "yes", None)
    assert call.extra == {"tools": [{"type": "function"}]}


def test_only_the_last_answer_counts() -> None:
    said = [MESSAGES[1], {**ANSWER, "weight": 0}, {"role": "user", "content": "sure?"}, ANSWER]
    (call,) = calls(log(json_lines({"messages": said})))
    assert [message.content for message in call.messages] == ["hi", "yes", "sure?"]
    assert call.failed is None


def test_an_example_without_an_answer_at_its_end_is_named() -> None:
    found = read(log(json_lines({"messages": [MESSAGES[1], ANSWER]}, {"messages": [ANSWER, MESSAGES[1]]})))
    assert reasons(found) == [("line 2", "not an example: the last of its 'messages' is not the assistant's")]


def test_with_other_fields_it_is_another_format() -> None:
    assert detect_format(log(json_lines({"messages": [*MESSAGES, ANSWER], "user_id": 7}))) == "generic"
    assert detect_format(log(json_lines({"messages": MESSAGES}))) == "generic"
