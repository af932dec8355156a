from __future__ import annotations

import pytest

from promptbench.suite.hints import key_mend, known_key, type_mend

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
def test_words_of_others_and_slips(written: str, meant: str | None) -> None:
    assert known_key(written, CASE, [written]) == meant


def test_what_is_there_already_was_not_meant() -> None:
    assert known_key("name", CASE, ["name", "case"]) is None


@pytest.mark.parametrize(
    ("written", "mend"),
    [
        ("Case", "case"),
        ("expect:{team", "expect: {team"),
        ("expect {team", "expect: {team"),
        ("expect [a", "expect: [a"),
        ("expct", None),
        ("expct:{team", None),
        ("vars:{message", None),
    ],
)
def test_only_what_can_be_nothing_else_is_mended(written: str, mend: str | None) -> None:
    assert key_mend(written, CASE, [written, "vars"]) == mend


@pytest.mark.parametrize(
    ("wrong", "value", "mend"),
    [
        ("bool_type", "no", "false"),
        ("bool_type", "maybe", None),
        ("int_type", "3", "3"),
        ("int_type", "03", None),
        ("int_type", "three", None),
        ("string_type", ["a"], None),
    ],
)
def test_values_with_one_meaning(wrong: str, value: object, mend: str | None) -> None:
    assert type_mend(wrong, value) == mend
