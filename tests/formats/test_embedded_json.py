from __future__ import annotations

from typing import Any

import pytest

from promptbench.formats.embedded_json import decoded


@pytest.mark.parametrize(
    "value", [None, 3, True, {"a": 1}, [1], "text", "", "7", '"quoted"', "{", "[1,]", '{"a": NaN}']
)
def test_what_is_no_object_in_a_text_stays(value: Any) -> None:
    assert decoded(value) is value


def test_an_object_or_list_in_a_text() -> None:
    assert decoded(' {"a": [1, "x"]}\n') == {"a": [1, "x"]}
    assert decoded("[]") == []


def test_what_is_nested_too_deeply_stays_a_text() -> None:
    deep = "[" * 5000 + "]" * 5000
    assert decoded(deep) is deep
