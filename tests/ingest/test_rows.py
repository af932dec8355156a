from __future__ import annotations

import pytest

from promptbench.ingest._rows import (
    ALIASES,
    describe_unknown_field,
    find_missing,
    get_value,
    guess_columns,
    normalize_name,
)


def test_no_alias_is_there_twice() -> None:
    every = [alias for aliases in ALIASES.values() for alias in aliases]
    assert sorted(every) == sorted(set(every))
    assert [alias for alias in every if normalize_name(alias) != alias] == []


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
    assert guess_columns([name, "something"]) == {field: name}


def test_a_latency_without_a_unit_is_no_field() -> None:
    assert guess_columns(["latency"]) == {}


def test_the_first_alias_wins() -> None:
    assert guess_columns(["question", "prompt"]) == {"input": "prompt"}


def test_a_user_is_an_input_beside_a_system_only() -> None:
    assert guess_columns(["user", "prompt"]) == {"input": "prompt"}
    assert guess_columns(["system", "user", "prompt"]) == {"system": "system", "input": "user"}


def test_a_mapping_outweighs_the_names() -> None:
    assert guess_columns(["prompt", "reply_text", "response"], {"answer": "reply_text"}) == {
        "input": "prompt",
        "answer": "reply_text",
    }
    assert guess_columns(["prompt", "output"], {"vars.question": "prompt"}) == {
        "vars.question": "prompt",
        "answer": "output",
    }


def test_a_mapping_to_a_column_that_is_not_there_says_nothing() -> None:
    assert guess_columns(["prompt", "response"], {"answer": "reply_text"}) == {"input": "prompt", "answer": "response"}
    assert guess_columns(["prompt", "reply"], {"answer": "reply.text"}) == {"input": "prompt", "answer": "reply.text"}


def test_a_field_that_is_none() -> None:
    assert describe_unknown_field({"answer": "a", "vars.city": "b"}) is None
    assert describe_unknown_field({"anwser": "a"}) == "unknown field 'anwser': did you mean 'answer'?"
    assert (describe_unknown_field({"vars.": "a"}) or "").startswith("unknown field 'vars.'")
    assert "known fields: id, time" in (describe_unknown_field({"zzz": "a"}) or "")


def test_variables_by_their_columns() -> None:
    assert guess_columns(["vars.city", "answer"]) == {"vars.city": "vars.city", "answer": "answer"}


def test_missing() -> None:
    assert find_missing(["input", "answer"]) == ()
    assert find_missing(["vars.city", "error"]) == ()
    assert find_missing(["model"]) == ("input", "answer")
    assert find_missing(["messages"]) == ("answer",)


def test_a_value_inside_of_an_object() -> None:
    record = {"a.b": 1, "response": {"text": "yes", "n": {"x": 0}}}
    assert get_value(record, "a.b") == 1
    assert get_value(record, "response.text") == "yes"
    assert get_value(record, "response.n.x") == 0
    assert get_value(record, "response.none.x") is None
    assert get_value(record, "response.text.x") is None
