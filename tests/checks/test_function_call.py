from __future__ import annotations

import json
import re
from typing import Any

import pytest

from promptbench.core.types import Json, Rung
from tests.helpers.bfcl import MODELS, read_records
from tests.helpers.subjects import score

WEATHER: Json = {"name": "get_weather", "arguments": {"city": "Berlin", "days": 3}}
POSSIBLE: Json = {"f": {"a": [1, 2], "b": ["x", ""], "c": [{"k": ["v", "w"], "l": [1, ""]}, []]}}


def reason(argument: Json, text: str, accept: Rung = Rung.EXTRACTED) -> str:
    return score("function call", argument, text, accept=accept).reason


@pytest.mark.parametrize(
    "text",
    [
        "get_weather(city='Berlin', days=3)",
        "[get_weather(days=3.0, city='Berlin')]",
        "Here it is: [get_weather(city='Berlin', days=3)]",
        '{"name": "get_weather", "arguments": {"city": "Berlin", "days": 3}}',
        '[{"name": "get_weather", "input": {"city": "Berlin", "days": 3}, "type": "tool_use"}]',
        '{"get_weather": {"city": "Berlin", "days": 3}}',
        '```json\n{"function": "get_weather", "parameters": {"city": "Berlin", "days": 3}}\n```',
        json.dumps(
            {"tool_calls": [{"function": {"name": "get_weather", "arguments": '{"city": "Berlin", "days": 3}'}}]}
        ),
    ],
)
def test_every_form_of_a_call_is_read(text: str) -> None:
    assert reason(WEATHER, text) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("get_weather(city='Bern', days=3)", "get_weather: city: expected 'Berlin', got 'Bern'"),
        ("get_weather(city='Berlin', days='3')", "get_weather: days: expected 3, got '3'"),
        ("get_weather(city='Berlin', days=True)", "get_weather: days: expected 3, got true"),
        ("get_weather(city='Berlin')", "get_weather: the argument 'days' is missing"),
        ("get_weather(city='Berlin', days=3, unit='C')", "get_weather: unexpected argument 'unit'"),
        ("get_weather('Berlin', 3)", "get_weather: an argument has no name"),
        ("get_wether(city='Berlin', days=3)", "get_wether: expected a call of 'get_weather'"),
        ("[]", "calls: expected 1, got 0 (none)"),
        ("[get_weather(city='Berlin', days=3), f()]", "calls: expected 1, got 2 (get_weather, f)"),
        ('{"city": "Berlin", "days": 3}', "the answer is JSON, but not a function call"),
        ('{"name": "get_weather", "arguments": "{"}', "the answer is JSON, but not a function call"),
        ("It is sunny.", "no function call: The text is not a list of calls"),
    ],
)
def test_says_what_is_wrong(text: str, said: str) -> None:
    assert reason(WEATHER, text) == said


def test_the_accept_level_holds() -> None:
    said = "calls only after repair (missing_quote), and the suite accepts 'extracted'"
    assert reason({"name": "f", "arguments": {"a": "x"}}, "[f(a=x)]") == said
    assert reason({"name": "f", "arguments": {"a": "x"}}, "[f(a=x)]", Rung.REPAIRED_RISKY) == ""


@pytest.mark.parametrize("text", ["f(a=1, c=[])", "f(a=2, b='x', c={'k': 'w'})", "f(a=1, b='x', c={'k': 'v', 'l': 1})"])
def test_possible_answers_pass(text: str) -> None:
    assert reason(POSSIBLE, text) == ""


@pytest.mark.parametrize(
    "text", ["f(a=3, c=[])", "f(a=1)", "f(a=1, b='y', c=[])", "f(a=1, c={'l': 1})", "f(a=1, c={'k': 'z'})"]
)
def test_impossible_answers_fail(text: str) -> None:
    assert reason(POSSIBLE, text)


def test_calls_are_paired_in_any_order_unless_it_is_fixed() -> None:
    calls: Json = [{"f": {"a": [1, 2]}}, {"f": {"a": [1]}}]
    assert reason(calls, "[f(a=1), f(a=2)]") == ""
    assert reason({"is": calls, "order": "fixed"}, "[f(a=2), f(a=1)]") == ""
    assert reason({"is": calls, "order": "fixed"}, "[f(a=1), f(a=2)]") == "f: a: expected 1, got 2"
    assert score("function call", calls, "[f(a=1), f(a=3)]").value == 0.5


def test_options() -> None:
    assert reason({"is": WEATHER, "ignore": "case"}, "get_weather(city='BERLIN', days=3)") == ""
    assert reason({"is": WEATHER, "extra arguments": "allowed"}, "get_weather(city='Berlin', days=3, u=1)") == ""


def test_no_call_can_be_wanted() -> None:
    assert reason([], "None of these functions fits.") == ""
    assert reason([], "f(a=1)") == "expected no call, got 'f'"


@pytest.mark.parametrize(
    "argument", [None, "f(a=1)", {}, {"name": "f", "arguments": [1]}, {"f": {"a": 1}}, [WEATHER] * 101, {"is": [1]}]
)
def test_refuses(argument: Json) -> None:
    with pytest.raises(ValueError, match="call"):
        reason(argument, "x")


# Answers of real models with the verdicts of the Berkeley Function Calling Leaderboard's own checker.

# One of its possible answers has an argument in the place of a function.
MALFORMED = {"parallel_multiple_function_179"}


def possible(prompt: dict[str, Any]) -> list[Json]:
    """The gold calls; a function that is called twice has a number behind its name there."""
    functions = prompt["functions"] if isinstance(prompt["functions"], list) else [prompt["functions"]]
    names = {function["name"] for function in functions}
    return [
        {name if name in names else re.sub(r"[ _]\d+$", "", name): arguments}
        for name, arguments in (prompt["gold"] or {}).items()
    ]


# Spaces within a value; a value without quotes; the type of an argument against the function's declaration.
DIFFERENCES = {
    "claude-instant-1.2": {"multiple_function_29", "parallel_multiple_function_35", "simple_82"},
    "gpt-3.5-turbo-0125": {"multiple_function_29", "simple_82"},
}


@pytest.mark.parametrize("model", MODELS)
def test_agrees_with_the_leaderboard_on_what_both_can_read(model: str) -> None:
    """Not all: it checks types of arguments against the function's declaration, and knows variables as values."""
    prompts = {prompt["id"]: prompt for prompt in read_records("prompts")}
    differences = set()
    for record in read_records(model):
        unread = str(record["error_type"]).startswith("ast_decoder")
        if record["category"] == "relevance" or unread:
            continue
        argument = {"is": possible(prompts[record["id"]]), "ignore": ["case", "punctuation", "white space"]}
        if score("function call", argument, record["response"]).passed != record["valid"]:
            differences.add(record["id"])
    assert differences == DIFFERENCES[model]
