from __future__ import annotations

import pytest

from promptbench.core.types import Json
from tests.helpers.subjects import score


@pytest.mark.parametrize(
    ("wanted", "text"),
    [({"a": 1, "b": [True]}, '{"b": [true], "a": 1.0}'), ("yes", " yes\n"), ([], "[]"), ({}, "{}"), (None, "null")],
)
def test_passes(wanted: Json, text: str) -> None:
    assert score("equals", wanted, text).passed


@pytest.mark.parametrize(
    ("wanted", "text", "reason"),
    [
        ({"a": 1}, '{"a": 1, "b": 2}', 'the answer is {"a":1,"b":2}, not {"a":1}'),
        ({"a": {"b": 1}}, '{"a": {"b": 1, "c": 2}}', 'the answer is {"a":{"b":1,"c":2}}, not {"a":{"b":1}}'),
        ([1], "[1, 1]", "the answer is [1,1], not [1]"),
        ("yes", "Yes", "the answer is 'Yes', not 'yes'"),
    ],
)
def test_nothing_is_free(wanted: Json, text: str, reason: str) -> None:
    assert score("equals", wanted, text).reason == reason
