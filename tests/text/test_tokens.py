from __future__ import annotations

from promptbench.core.types import Message, Usage
from promptbench.text.tokens import ASSUMED_OUTPUT, estimate


def test_four_characters_are_a_token_and_a_rest_is_one_more() -> None:
    messages = [Message("system", "x" * 4), Message("user", "y" * 5)]
    assert estimate(messages, {"maxOutputTokens": 7}) == Usage(3, 7)
    assert estimate([], {}) == Usage(0, ASSUMED_OUTPUT)
