from __future__ import annotations

import json

from promptbench.core.types import FailureTier, Message
from promptbench.ingest import detect_format
from tests.helpers.log_formats import COMPLETION
from tests.helpers.logs import beside, calls, json_lines, log, read, reasons

PAGE = {"object": "list", "data": [COMPLETION], "has_more": False}


def messages(*contents: str, completion: str = "chatcmpl-1") -> str:
    data = [
        {"id": f"{completion}-{number}", "role": "user", "content": content, "content_parts": None}
        for number, content in enumerate(contents)
    ]
    return json.dumps({"object": "list", "data": data, "has_more": False})


def test_a_page_with_the_messages_of_its_completions() -> None:
    page = log(json.dumps(PAGE), "page")
    (call,) = calls(beside(page, log(messages("x", completion="other")), log(messages("hi", "there"))))
    assert call.messages == (Message("user", "hi"), Message("user", "there"))
    assert call.tier is FailureTier.TRUNCATED


def test_parts_of_a_message() -> None:
    data = json.loads(messages("hi"))
    data["data"][0] |= {"content": None, "content_parts": [{"type": "text", "text": "a"}, {"type": "image_url"}]}
    (call,) = calls(beside(log(json.dumps(PAGE)), log(json.dumps(data))))
    assert call.messages == (Message("user", "a\n[image]"),)
    assert call.extra["parts"] == {"image": 1}


def test_one_completion_a_line() -> None:
    assert [call.id for call in calls(log(json_lines(COMPLETION, {**COMPLETION, "id": "b"})))] == ["chatcmpl-1", "b"]


def test_messages_alone_are_no_log() -> None:
    said = "it has messages without answers: import the completions together with it"
    assert reasons(read(log(messages("hi")), "openai_stored")) == [("the file", said)]


def test_another_list_of_messages_is_none_of_stored_completions() -> None:
    other = {"object": "list", "data": [{"id": "msg_1", "role": "user", "content": "hi"}], "has_more": False}
    assert detect_format(log(json.dumps(other))) != "openai_stored"
