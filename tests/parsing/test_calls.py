from __future__ import annotations

import json

import pytest
from hypothesis import given, seed, settings, strategies as st

from promptbench.core.types import Reading, Rung
from promptbench.parsing.calls import fingerprint, read
from tests.helpers.bfcl import MODELS, read_records


def call(name, positional=(), **arguments):
    made = {"name": name, "arguments": arguments}
    return {**made, "positional": list(positional)} if positional else made


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[f(a=1), g()]", [call("f", a=1), call("g")]),
        ("math.hypot(x=4, y=-5.5)", [call("math.hypot", x=4, y=-5.5)]),
        ("f(a=1), g(b='x')", [call("f", a=1), call("g", b="x")]),
        ("\n  [f(a=[1, (2, 3)],\n     b={'c': None}),\n  ]\n", [call("f", a=[1, [2, 3]], b={"c": None})]),
        ("[f(1, 'x', a=True)]", [call("f", [1, "x"], a=True)]),
        ("[f(a=g(b=1))]", [call("f", a=call("g", b=1))]),
        ("[]", []),
    ],
)
def test_raw(text, value):
    assert read(text) == Reading(Rung.RAW, value)


@pytest.mark.parametrize(
    ("rung", "names", "text"),
    [
        (Rung.EXTRACTED, ["prose_around"], "tools call:\n[f(a=1)]"),
        (Rung.EXTRACTED, ["prose_around"], "[f(a=1)]\nThis calls f."),
        (Rung.EXTRACTED, ["fence"], "```python\n[f(a=1)]\n```"),
        (Rung.EXTRACTED, ["fence"], "```\nf(a=1)\n```"),
        (Rung.EXTRACTED, ["think_block"], "<think>[g()]</think>[f(a=1)]"),
        (Rung.REPAIRED_SAFE, ["extra_closer"], "[f(a=1)]]"),
        (Rung.REPAIRED_RISKY, ["unclosed"], "[f(a=[1]"),
        (Rung.REPAIRED_RISKY, ["many_values"], "[f(a=1)], []"),
        (Rung.REPAIRED_RISKY, ["duplicate_key"], "[f(a=2, a=1)]"),
    ],
)
def test_repaired(rung, names, text):
    reading = read(text)
    assert reading.rung is rung
    assert [repair.name for repair in reading.repairs] == names
    if names != ["unclosed"]:
        assert reading.value == [call("f", a=1)]


def test_words_and_bad_escapes_are_guesses():
    assert read("[f(a=x, b=true)]").value == [call("f", a="x", b=True)]
    assert [repair.name for repair in read("[f(a=x, b=true)]").repairs] == ["missing_quote", "python_literal"]
    assert read(r"[f(a='\d')]").value == [call("f", a=r"\d")]
    assert read(r"[f(a='\d')]").rung is Rung.REPAIRED_RISKY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "There is no function for this.",
        "I'm sorry, I can't do that.",
        "Use f(a=1) here",
        "[{'f': {'a': 1}}]",
        "['f(a=1)']",
        "[f(a=2 * 3)]",
        "[f(a=b['c'])]",
        "[f(a=lambda: 1)]",
        "[f(**x)]",
        "[x[0](a=1)]",
        "result = [f(a=1)]",
        "rows[f(a=1)]",
        "[f(a=1e999)]",
        f"[f(a={'1' * 5000})]",
        "[f(a=12",
        "[f(a='x)]",
        "[f(a=" + "[" * 300 + "]" * 300 + ")]",
        "[f(a=" + "-" * 100_000 + "1)]",
        "[f(a=" + "1+" * 100_000 + "1)]",
        "a" + ".a" * 100_000 + "(b=1)",
        "f(" * 100_000,
        "f(a=1)" + " " * 1_000_000,
        "[f(a=1j)]",
        "[f(a='\x00')]",
    ],
)
def test_refused_with_a_reason(text):
    reading = read(text)
    assert reading.rung is Rung.NONE
    assert reading.error


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[f(a=1)]", ""),
        ("Here: [f(a=1)]", "prose_around"),
        ("[f(a=x)]", "missing_quote"),
        ("[f(a=1 + 2)]", "arithmetic"),
        ("[f(a='x", "unclosed:string"),
        ("None of these fits.", "no_data"),
        ("[{}]", "no_call"),
    ],
)
def test_a_fingerprint_tells_what_is_wrong_whatever_is_called(text, kind):
    assert fingerprint(text) == kind
    assert fingerprint(text.replace("f(", "other_name(")) == kind


def test_depth_is_limited():
    assert "too deep" in (read(f"[f({'g(' * 150}1{')' * 150})]").error or "")


@seed(20261124)
@settings(max_examples=200, deadline=None, database=None)
@given(st.text(st.sampled_from(list("fg()[]{}=,.:'\"\\ \n01exTN-+*#\x00\ud800")), max_size=30) | st.text(max_size=30))
def test_nothing_is_raised(text):
    reading = read(text)
    assert (reading.rung is Rung.NONE) == (reading.error is not None)
    json.dumps(reading.value, allow_nan=False, ensure_ascii=False).encode()


def decoded(reading: Reading) -> bool:
    """The verdict of the benchmark: no brackets or prose repaired, words allowed, and each call names its arguments."""
    words_only = all(repair.name in ("missing_quote", "python_literal") for repair in reading.repairs)
    return reading.rung is not Rung.NONE and words_only and bool(reading.value) and all(map(_named, reading.value))


def _named(made: dict) -> bool:
    return bool(made["arguments"])


def logged_as_decoded(row: dict) -> bool:
    error = row["error_type"] or ""
    if row["category"] == "relevance":
        return error == "relevance_error:decoder_success"
    return not error.startswith("ast_decoder")


# The leaderboard rejects a line break after the list, and accepts an expression in place of a value.
DIFFERENCES = {
    "claude-instant-1.2": ["multiple_function_39", "parallel_multiple_function_31"],
    "gpt-3.5-turbo-0125": [],
}


@pytest.mark.parametrize("model", MODELS)
def test_verdicts_agree_with_real_logs(model):
    rows = read_records(model)
    differences = [row["id"] for row in rows if decoded(read(row["response"])) != logged_as_decoded(row)]
    assert differences == DIFFERENCES[model]


@pytest.mark.parametrize(
    ("model", "failures", "rescued"), [("claude-instant-1.2", 15, 15), ("gpt-3.5-turbo-0125", 14, 0)]
)
def test_what_is_read_of_the_failures_in_real_logs(model, failures, rescued):
    failed = [row for row in read_records(model) if (row["error_type"] or "").startswith("ast_decoder")]
    assert len(failed) == failures
    assert sum(read(row["response"]).rung.within(Rung.EXTRACTED) for row in failed) == rescued
