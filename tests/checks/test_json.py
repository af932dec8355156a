from __future__ import annotations

import pytest

from promptbench.core.types import Rung
from tests.helpers.subjects import score


def test_the_accept_level_decides() -> None:
    text = '```json\n{"a": 1}\n```'
    assert score("json", None, text).passed
    assert score("json", None, text, accept=Rung.RAW).reason == (
        "only readable after repair (fence), and the suite accepts 'raw'"
    )


def test_says_why_it_is_not_json() -> None:
    assert score("json", None, "I think it is billing.").reason.startswith("not JSON: ")


def test_takes_no_argument() -> None:
    with pytest.raises(ValueError, match="has no options"):
        score("json", "yes", "{}")
