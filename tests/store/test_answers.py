from __future__ import annotations

from hypothesis import given, strategies as st

from promptbench.core.types import Answer, Usage
from promptbench.store.answers import dumps, loads

# Halves of one kind: two that fit are one character in JSON.
_texts = st.text() | st.text(st.characters(min_codepoint=0xD800, max_codepoint=0xDBFF) | st.sampled_from('\r\n"\\{}'))


@given(
    _texts, st.none() | st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6), st.none() | st.integers(0, 9))
)
def test_an_answer_comes_back_as_it_was(text: str, usage: Usage | None) -> None:
    answer = Answer(text, "m-1", {"stop": [text]}, usage, "length", 12.5, structured=True)
    kept = dumps(answer)
    assert loads(kept) == answer
    kept.encode()


def test_what_told_about_one_call_is_not_kept() -> None:
    assert loads(dumps(Answer("a", "m", limits={"retry-after": "1"}))).limits is None
