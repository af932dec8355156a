from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st

from promptbench.checks._normal import NAMES, normal
from promptbench.core.types import Json


@pytest.mark.parametrize(
    ("ignored", "one", "other"),
    [
        ("case", "Straße", "STRASSE"),
        ("white space", " a\t b\n", "a b"),
        ("punctuation", "Yes, it's «done» – 5%!", "Yes its done  5"),
        ("accents", "Café crème, Ångström", "Cafe creme, Angstrom"),
        ("accents", "ﬁn “x”", 'fin "x"'),
        ("unicode", "e\u0301", "\u00e9"),
        ("unicode", "ＡＢＣ １２３", "ABC 123"),
        ("unicode", "“it’s” — ok", '"it\'s" - ok'),
        ("unicode", "soft\u00adhyphen\u200b", "softhyphen"),
        (["Case", "white_space", "punctuation"], "  HELLO,   world! ", "hello world"),
    ],
)
def test_what_is_ignored_makes_no_difference(ignored: Json, one: str, other: str) -> None:
    assert normal(None).text(one) != normal(None).text(other)
    assert normal(ignored).text(one) == normal(ignored).text(other)


@pytest.mark.parametrize(
    ("ignored", "one", "other"), [("case", "e", "é"), ("unicode", "e", "é"), ("white space", "a b", "ab")]
)
def test_what_is_not_ignored_does(ignored: str, one: str, other: str) -> None:
    assert normal(ignored).text(one) != normal(ignored).text(other)


@pytest.mark.parametrize(
    ("ignored", "said"),
    [
        ("caes", "did you mean 'case'"),
        ("colour", "known are"),
        ([None], "cannot be ignored"),
        ({}, "cannot be ignored"),
    ],
)
def test_an_unknown_name_is_refused(ignored: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        normal(ignored)


@given(text=st.text())
@pytest.mark.parametrize("name", NAMES)
def test_normalising_twice_changes_nothing(name: str, text: str) -> None:
    once = normal(name).text(text)
    assert normal(name).text(once) == once


@given(text=st.text(alphabet=st.characters(codec="utf-8")))
def test_both_normal_forms_of_a_text_are_one(text: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert normal("accents").text(composed) == normal("accents").text(decomposed)


def test_data_is_normalised_inside() -> None:
    assert normal("case").value({"A": ["B", {"C": "D"}, 1, None]}) == {"A": ["b", {"C": "d"}, 1, None]}
