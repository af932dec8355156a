"""Which conversation a logged call belongs to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.types import LoggedCall
from promptbench.engine.prepare.conversation import conversation_of
from tests.helpers.suites import HEAD, joined


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
    prepared, found = joined(tmp_path, text, {"log.jsonl": "".join(json.dumps(line) + "\n" for line in lines)})
    assert not found.errors, [item.message for item in found]
    assert prepared is not None
    assert prepared.cases.clusters == {"call-0": "a", "call-1": "a", "call-2": "b"}
