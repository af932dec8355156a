from __future__ import annotations

from typing import Any

import pytest

from promptbench.ingest._fields import decode_embedded


@pytest.mark.parametrize(
    "value", [None, 3, True, {"a": 1}, [1], "text", "", "7", '"quoted"', "{", "[1,]", '{"a": NaN}']
)
def test_what_is_no_object_in_a_text_stays(value: Any) -> None:
    assert decode_embedded(value) is value


def test_an_object_or_list_in_a_text() -> None:
    assert decode_embedded(' {"a": [1, "x"]}\n') == {"a": [1, "x"]}
    assert decode_embedded("[]") == []


def test_what_is_nested_too_deeply_stays_a_text() -> None:
    deep = "[" * 5000 + "]" * 5000
    assert decode_embedded(deep) is deep
