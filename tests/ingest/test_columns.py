from __future__ import annotations

import pytest

from promptbench.ingest._columns import ALIASES, guessed, missing, normal, unknown, value_at


def test_no_alias_is_there_twice() -> None:
    every = [alias for aliases in ALIASES.values() for alias in aliases]
    assert sorted(every) == sorted(set(every))
    assert [alias for alias in every if normal(alias) != alias] == []


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Prompt", "input"),
        ("User Query", "input"),
        ("question", "input"),
        ("Response", "answer"),
        ("model-output", "answer"),
        ("prediction", "answer"),
        ("Gold Label", "expected"),
        ("target", "expected"),
        ("Latency (ms)", "latency_ms"),
        ("latency_s", "latency_s"),
        ("VALID", "passed"),
        ("match", "passed"),
        ("failed", "failed"),
    ],
)
def test_usual_names(name: str, field: str) -> None:
    assert guessed([name, "something"]) == {field: name}


def test_a_latency_without_a_unit_is_no_field() -> None:
    assert guessed(["latency"]) == {}


def test_the_first_alias_wins() -> None:
    assert guessed(["question", "prompt"]) == {"input": "prompt"}


def test_a_user_is_an_input_beside_a_system_only() -> None:
    assert guessed(["user", "prompt"]) == {"input": "prompt"}
    assert guessed(["system", "user", "prompt"]) == {"system": "system", "input": "user"}


def test_a_mapping_outweighs_the_names() -> None:
    assert guessed(["prompt", "reply_text", "response"], {"answer": "reply_text"}) == {
        "input": "prompt",
        "answer": "reply_text",
    }
    assert guessed(["prompt", "output"], {"vars.question": "prompt"}) == {"vars.question": "prompt", "answer": "output"}


def test_a_mapping_to_a_column_that_is_not_there_says_nothing() -> None:
    assert guessed(["prompt", "response"], {"answer": "reply_text"}) == {"input": "prompt", "answer": "response"}
    assert guessed(["prompt", "reply"], {"answer": "reply.text"}) == {"input": "prompt", "answer": "reply.text"}


def test_a_field_that_is_none() -> None:
    assert unknown({"answer": "a", "vars.city": "b"}) is None
    assert unknown({"anwser": "a"}) == "there is no field 'anwser': did you mean 'answer'?"
    assert (unknown({"vars.": "a"}) or "").startswith("there is no field 'vars.'")
    assert "known are id, time" in (unknown({"zzz": "a"}) or "")


def test_variables_by_their_columns() -> None:
    assert guessed(["vars.city", "answer"]) == {"vars.city": "vars.city", "answer": "answer"}


def test_missing() -> None:
    assert missing(["input", "answer"]) == ()
    assert missing(["vars.city", "error"]) == ()
    assert missing(["model"]) == ("input", "answer")
    assert missing(["messages"]) == ("answer",)


def test_a_value_inside_of_an_object() -> None:
    record = {"a.b": 1, "response": {"text": "yes", "n": {"x": 0}}}
    assert value_at(record, "a.b") == 1
    assert value_at(record, "response.text") == "yes"
    assert value_at(record, "response.n.x") == 0
    assert value_at(record, "response.none.x") is None
    assert value_at(record, "response.text.x") is None
