from __future__ import annotations

import pytest

from promptbench.suite.validation import key_hint, known_key, type_hint

CASE = ["case", "vars", "expect", "checks", "note", "should be"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("name", "case"),
        ("Input", "vars"),
        ("expected_output", "expect"),
        ("description", "note"),
        ("expct", "expect"),
        ("ex\u200bpect", "expect"),
        ("colour", None),
    ],
)
def test_keys_of_other_tools_and_typos(written: str, meant: str | None) -> None:
    assert known_key(written, CASE, [written]) == meant


def test_a_key_that_is_there_is_not_suggested() -> None:
    assert known_key("name", CASE, ["name", "case"]) is None


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("Case", "did you mean 'case'?"),
        ("expect:{team", "put a space after the colon: 'expect: …'"),
        ("expect {team", "put a colon and a space after the name: 'expect: {team…'"),
        ("50", "a comma starts a new entry here: write decimals with a point, such as 1.50"),
    ],
)
def test_the_hint_shows_how_to_write_the_key(written: str, hint: str) -> None:
    assert key_hint(written, None, CASE, known_key(written, CASE, [written, "vars"])) == hint


@pytest.mark.parametrize(
    ("wrong", "value", "hint"),
    [
        ("bool_type", "no", "'no' is text in this file: write false"),
        ("int_type", "3", "write 3, without quotation marks"),
        ("int_type", "03", "write 3"),
        ("int_type", "three", "write it in digits, such as 3"),
        ("string_type", ["a"], "a text that starts with { or [ needs quotes"),
    ],
)
def test_the_hint_shows_the_value_of_the_right_type(wrong: str, value: object, hint: str) -> None:
    assert type_hint("repeats", wrong, value) == hint
