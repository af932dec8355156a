from __future__ import annotations

import json
from typing import Any

import pytest

from promptbench.core.types import FailureTier, LoggedCall, Message, Usage
from promptbench.ingest._promptfoo_checks import convert_each
from tests.helpers.log_formats import RECORDS
from tests.helpers.logs import calls, json_lines, log, read, reasons
from tests.helpers.subjects import score

RESULT = RECORDS["promptfoo"]


def convert_assertions(assertions: Any) -> tuple[list[Any], list[Any]]:
    found = list(convert_each(assertions))
    others = [{"assert": item, "why": why} for item, _, why in found if why]
    return [check for _, check, _ in found if check], others


def one(**fields: Any) -> LoggedCall:
    (call,) = calls(log(json_lines({**RESULT, **fields})), "promptfoo")
    return call


def test_a_whole_evaluation() -> None:
    whole = {"evalId": "e", "results": {"version": 3, "prompts": [{"raw": "x"}], "results": [RESULT, RESULT]}}
    assert len(calls(log(json.dumps(whole)), "promptfoo")) == 2
    assert len(calls(log(json.dumps(whole, indent=2)), "promptfoo")) == 2


def test_an_evaluation_of_many_results_is_read_one_at_a_time() -> None:
    whole = {"evalId": "e", "results": {"version": 3, "results": [{**RESULT, "note": "x" * 3000}] * 2000}}
    assert sum(call.id == "r" for call in calls(log(json.dumps(whole)), "promptfoo")) == 2000


@pytest.mark.parametrize(
    ("fields", "failed", "tier"),
    [
        ({"success": True, "failureReason": 0, "namedScores": {"tone": 0}}, None, None),
        ({}, "no JSON", FailureTier.CONTENT),
        ({"gradingResult": None, "error": "bad"}, "bad", FailureTier.CONTENT),
        ({"gradingResult": None}, "success false", FailureTier.CONTENT),
        ({"failureReason": 2, "error": "API error: 429", "response": {}}, "API error: 429", FailureTier.TRANSPORT),
        ({"failureReason": 0, "response": {"error": "timeout"}}, "timeout", FailureTier.TRANSPORT),
        ({"response": {"output": "{", "finishReason": "length"}}, "finish reason length", FailureTier.TRUNCATED),
    ],
)
def test_what_failed(fields: dict[str, Any], failed: str | None, tier: FailureTier | None) -> None:
    call = one(**fields)
    assert (call.failed, call.tier) == (failed, tier)


def test_chat_prompts_and_answers_that_are_data() -> None:
    raw = json.dumps([{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}])
    call = one(prompt={"raw": raw, "label": "a\nb"}, response={"output": {"team": "billing"}})
    assert call.messages == (Message("system", "be brief"), Message("user", "hi"))
    assert (call.answer, call.prompt) == ('{"team": "billing"}', None)


def test_assertions_become_checks_or_are_listed() -> None:
    asserted = [{"type": "equals", "value": '{"a": 1}'}, {"type": "llm-rubric", "value": "polite"}]
    call = one(testCase={"vars": {"q": "hi"}, "assert": asserted, "description": "d", "metadata": {"tags": ["x"]}})
    assert call.extra["checks"] == [{"expect": {"is": {"a": 1}, "fields": "all"}}]
    assert call.extra["not_mapped"] == [{"assert": asserted[1], "why": "a model judges it: write a rubric"}]
    assert call.expected == {"a": 1}
    assert call.tags == ("x",)
    assert call.extra["test"] == {"description": "d", "metadata": {"tags": ["x"]}}


MAPPED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    (
        {"type": "contains", "value": "Paris"},
        {"contains": {"all of": "Paris", "ignore": "nothing"}},
        "in Paris",
        "in paris",
    ),
    ({"type": "icontains", "value": "Paris"}, {"contains": "Paris"}, "in PARIS", "in Rome"),
    (
        {"type": "contains-any", "value": ["a", "b"]},
        {"contains": {"any of": ["a", "b"], "ignore": "nothing"}},
        "xb",
        "xB",
    ),
    ({"type": "icontains-any", "value": "a, b"}, {"contains": {"any of": ["a", "b"]}}, "xB", "xc"),
    (
        {"type": "contains-all", "value": ["a", "b"]},
        {"contains": {"all of": ["a", "b"], "ignore": "nothing"}},
        "ba",
        "b",
    ),
    ({"type": "icontains-all", "value": ["a", "b"]}, {"contains": ["a", "b"]}, "BA", "B"),
    (
        {"type": "not-contains", "value": "sorry"},
        {"not contains": {"all of": "sorry", "ignore": "nothing"}},
        "Sorry",
        "so sorry",
    ),
    ({"type": "not-icontains", "value": "sorry"}, {"not contains": "sorry"}, "fine", "Sorry"),
    (
        {"type": "not-contains-any", "value": ["a", "b"]},
        {"not contains": {"any of": ["a", "b"], "ignore": "nothing"}},
        "c",
        "xb",
    ),
    (
        {"type": "not-contains-all", "value": ["a", "b"]},
        {"not contains": {"all of": ["a", "b"], "ignore": "nothing"}},
        "b",
        "ab",
    ),
    ({"type": "equals", "value": "yes"}, {"expect": "yes"}, "yes", "yes, sir"),
    (
        {"type": "equals", "value": {"a": 1}},
        {"expect": {"is": {"a": 1}, "fields": "all"}},
        '{"a": 1}',
        '{"a": 1, "b": 2}',
    ),
    ({"type": "not-equals", "value": "yes"}, {"not": {"expect": "yes"}}, "no", "yes"),
    ({"type": "is-json"}, {"json": None}, "{}", "{"),
    (
        {"type": "is-json", "value": {"required": ["a"]}},
        {"json schema": {"required": ["a"]}},
        '{"a": 1}',
        '{"b": 1}',
    ),
    ({"type": "contains-json"}, {"json": None}, "Here: {}", "none"),
    ({"type": "not-is-json"}, {"not": {"json": None}}, "none", "{}"),
    ({"type": "regex", "value": "^[0-9]+$"}, {"regex": "^[0-9]+$"}, "123", "12a"),
    ({"type": "not-regex", "value": "[0-9]"}, {"not": {"regex": "[0-9]"}}, "a", "1"),
    ({"type": "starts-with", "value": "Dear"}, {"starts with": "Dear"}, "Dear you", "Hi"),
    ({"type": "word-count", "value": 2}, {"count": {"of": "words", "exactly": 2}}, "a b", "a"),
    (
        {"type": "word-count", "value": {"min": 2, "max": 3}},
        {"count": {"of": "words", "at least": 2, "at most": 3}},
        "a b",
        "a",
    ),
    ({"type": "is-refusal"}, {"refusal": "yes"}, "I'm sorry, but I can't help with that.", "Sure."),
    ({"type": "not-is-refusal"}, {"refusal": "no"}, "Sure.", "I'm sorry, but I can't help with that."),
]


@pytest.mark.parametrize(("assertion", "check", "good", "bad"), MAPPED, ids=lambda value: str(value)[:40])
def test_each_mapped_check_says_what_the_assertion_says(
    assertion: dict[str, Any], check: dict[str, Any], good: str, bad: str
) -> None:
    assert convert_assertions([assertion]) == ([check], [])
    [(name, argument)] = check.items()
    assert score(name, argument, good).passed
    assert not score(name, argument, bad).passed


def test_limits() -> None:
    checks, others = convert_assertions([{"type": "latency", "threshold": 2000}, {"type": "cost", "threshold": 0.002}])
    assert checks == [{"latency": "2000 ms"}, {"cost": 0.002}]
    assert others == []
    for check in checks:
        [(name, argument)] = check.items()
        assert score(name, argument, "an answer of which nothing is known").passed


@pytest.mark.parametrize(
    ("assertion", "why"),
    [
        ({"type": "javascript", "value": "output.trim().length < 3"}, "it runs code: write a Python check"),
        ({"type": "python", "value": "x"}, "it runs code: write a Python check"),
        ({"type": "llm-rubric", "value": "polite"}, "a model judges it: write a rubric"),
        ({"type": "not-llm-rubric", "value": "polite"}, "a model judges it: write a rubric"),
        (
            {"type": "similar", "value": "x"},
            "it compares meaning: write similar with by, a model, and its own threshold",
        ),
        ({"type": "levenshtein", "value": "x"}, "no matching check"),
        ({"type": "contains", "value": "{{name}}"}, "its value is a template"),
        ({"type": "contains-any", "value": ["a", "{{b}}"]}, "its value is a template"),
        ({"type": "equals", "value": "file://x.txt"}, "its value is in a file"),
        ({"type": "equals"}, "it has no value"),
        ({"type": "contains", "value": ""}, "it has no value"),
        ({"type": "is-json", "value": "type: object"}, "its schema is not JSON"),
        ({"type": "is-json", "value": []}, "its schema is not JSON"),
        ({"type": "regex", "value": "("}, "its pattern is not a valid Python regular expression"),
        ({"type": "latency"}, "it has no threshold"),
        ({"type": "equals", "value": "x", "transform": "output.trim()"}, "it changes the answer first"),
        ({"type": "assert-set", "threshold": 0.5}, "it has no assertions, or they have weights of their own"),
        ({"value": "x"}, "it has no type"),
        ("text", "it has no type"),
    ],
)
def test_what_has_no_check_is_listed_with_the_reason(assertion: Any, why: str) -> None:
    assert convert_assertions([assertion]) == ([], [{"assert": assertion, "why": why}])


def test_sets_and_weights() -> None:
    inner = [{"type": "icontains", "value": "a", "weight": 2}, {"type": "python", "value": "x"}]
    checks, others = convert_assertions([{"type": "assert-set", "assert": inner}, {"type": "is-json", "weight": 1}])
    assert checks == [{"contains": "a", "weight": 2.0}, {"json": None}]
    assert [item["assert"] for item in others] == [inner[1]]


@pytest.mark.parametrize("value", [None, "x", {}, [None], [[]], 7])
def test_what_is_no_list_of_assertions(value: Any) -> None:
    assert convert_assertions(value)[0] == []


# In the order of versions: the head has no provider, one cell has everything, and each output has columns of its own.
TABLES = [
    """\
Weather in {{city}}?,short,city
"[PASS] (1.00) sunny","[FAIL] (0.25) Expected ""sun""
---
rain
---
later",Oslo
[PASS] (1.00) dry,[ERROR] timeout,Rome
""",
    '''\
city,[openai:gpt-4o] Weather in {{city}}?,[mock:m] short
Oslo,"[PASS] (1.00)

sunny

Pass Reason: All assertions passed","[FAIL] (0.25, tone: 0.25)

Expected ""sun""
---
rain
---
later

    Fail Reason: Expected ""sun"""
Rome,[PASS] dry,[ERROR] timeout
''',
    '''\
Description,city,[openai:gpt-4o] Weather in {{city}}?,Grader Reason,Comment,[mock:m] short,Grader Reason,Comment
,Oslo,[PASS] sunny,,,"[FAIL] rain
---
later","Expected ""sun""",
first,Rome,[PASS] dry,,fine,[ERROR] timeout,,
''',
    '''\
Description,city,[openai:gpt-4o] Weather in {{city}}?,Status,Score,Named Scores,Metric: tone,Grader Reason,Comment,[mock:m] short,Status,Score,Named Scores,Metric: tone,Grader Reason,Comment,pluginId
,Oslo,sunny,PASS,1.00,"{""tone"":1}",1.00,All assertions passed,,"rain
---
later",FAIL,0.25,"{""tone"":0.25}",0.25,"Expected ""sun""",,x
first,Rome,dry,PASS,1.00,,,No assertions,fine,timeout,ERROR,0.00,,,,,
''',  # noqa: E501
]


@pytest.mark.parametrize("table", TABLES)
def test_promptfoo_tables(table: str) -> None:
    found = calls(log(table, "output.csv"), "promptfoo")
    first, second = ("openai:gpt-4o", "mock:m") if "[mock" in table else ("", "")
    assert [(call.model, call.answer, call.failed) for call in found] == [
        (first, "sunny", None),
        (second, "rain\n---\nlater", 'Expected "sun"'),
        (first, "dry", None),
        (second, None, "timeout"),
    ]
    assert [call.variables for call in found] == [{"city": "Oslo"}] * 2 + [{"city": "Rome"}] * 2
    assert [call.prompt for call in found] == ["Weather in {{city}}?", "short"] * 2
    assert len({call.id for call in found}) == 4
    if "Status" in table:
        assert found[1].extra == {"scores": {"score": 0.25, "tone": 0.25}}
        assert found[2].extra["comment"] == "fine"


def test_promptfoo_tables_with_long_prompts_and_missing_outputs() -> None:
    table = "[a:b] " + "Be kind. " * 40 + ",Status,[c:d] x,Status\n,ERROR,,\nsunny,PASS,rain,\n"
    found = read(log(table, "output.csv"), "promptfoo")
    assert [item.failed for item in found if isinstance(item, LoggedCall)] == ["error", None]
    assert reasons(found) == [("line 3", "an output without [PASS], [FAIL] or [ERROR]")]


def test_promptfoo_version_two() -> None:
    result = {
        "provider": {"id": "openai:gpt-4o"},
        "prompt": {"raw": "Weather in Oslo?", "label": "weather"},
        "vars": {"city": "Oslo"},
        "response": {"output": "rain", "tokenUsage": {"total": 9, "prompt": 5, "completion": 4}},
        "success": False,
        "gradingResult": {"pass": False, "reason": "no sun"},
        "latencyMs": 12,
    }
    summary = {"version": 2, "results": [result], "stats": {}, "table": {"head": {}, "body": []}}
    unnamed = {"results": summary, "config": {"note": "x" * 100_000}}
    for document in (summary, {"evalId": "e", "results": summary}, unnamed):
        (call,) = calls(log(json.dumps(document)), "promptfoo")
        assert (call.answer, call.failed, call.usage) == ("rain", "no sun", Usage(5, 4))
        assert (call.variables, call.messages[0].content) == ({"city": "Oslo"}, "Weather in Oslo?")
