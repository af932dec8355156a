from __future__ import annotations

import pytest

from promptbench.core.errors import InputError
from promptbench.store.names import select, suggest

VERSIONS = {
    "sha256:" + "123456" + "a" * 58: 1,
    "sha256:" + "abcdef0" + "b" * 57: 2,
    "sha256:" + "abcdef1" + "c" * 57: 3,
}
FIRST, SECOND, THIRD = VERSIONS


def test_a_label_comes_before_digits() -> None:
    assert select("triage", "facade", {"facade": THIRD}, VERSIONS) == THIRD


def test_digits_alone_may_be_a_hash() -> None:
    assert select("triage", "123456", {}, VERSIONS) == FIRST
    assert select("triage", "2", {}, VERSIONS) == SECOND
    numbers = {**VERSIONS, "sha256:" + "d" * 64: 123456}
    assert select("triage", "123456", {}, numbers) == "sha256:" + "d" * 64


def test_the_start_of_several_hashes_names_them() -> None:
    with pytest.raises(InputError, match=r"is ambiguous: triage@2 .* or triage@3"):
        select("triage", "abcdef", {}, VERSIONS)
    assert select("triage", "sha256:abcdef1", {}, VERSIONS) == THIRD


def test_fewer_than_six_digits_are_a_label() -> None:
    with pytest.raises(InputError, match="no label 'abcde'"):
        select("triage", "abcde", {}, VERSIONS)


def test_suggestions() -> None:
    assert suggest("prodcution", ["production", "staging"]) == "did you mean 'production'?"
    assert suggest("x", []) is None
    assert str(suggest("zzz", [f"p{n}" for n in range(40)])).endswith(", …")
