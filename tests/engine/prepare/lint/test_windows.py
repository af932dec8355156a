from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from promptbench.core.errors import Code, Severity
from promptbench.core.types import Message, Side
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.prompts.prompt import MissingVariable
from promptbench.text.tokens import estimate
from tests.helpers.linted import case, linted, said, variant

PROMPT = "---\nconfig: {maxOutputTokens: 100}\n---\nSort: {{message}}"
LETTERS = "x" * 3594  # with 'Sort: ' 900 tokens


def test_nothing_is_said_where_all_fits() -> None:
    assert linted([variant(PROMPT)], [case("a", LETTERS)], {"m": lambda: 1112}) == []


def test_nothing_is_said_where_nobody_knows_the_window() -> None:
    assert linted([variant(PROMPT)], [case("a", LETTERS * 1000)], {"m": lambda: None}) == []


@pytest.mark.parametrize("window", [1111, 1000, 900, 100])
def test_a_request_near_the_window_by_the_estimate_is_a_warning(window: int) -> None:
    (item,) = linted([variant(PROMPT)], [case("a", LETTERS)], {"gguf/m": lambda: window})
    assert (item.code, item.severity) == (Code.CONTEXT_WINDOW, Severity.WARNING)
    assert item.message == (
        "triage.prompt with the case 'a' takes about 900 tokens and allows 100 for the answer, "
        f"and gguf/m takes {window:,} tokens"
    )
    assert item.hint == "shorten it, or lower 'maxOutputTokens'; if the model takes more, set 'context'"


def test_an_answer_that_nothing_bounds_has_what_is_left() -> None:
    prompt = variant("Sort: {{message}}")
    assert linted([prompt], [case("a", LETTERS)], {"m": lambda: 1001}) == []
    (item,) = linted([prompt], [case("a", LETTERS)], {"m": lambda: 1000})
    assert item.message == "triage.prompt with the case 'a' takes about 900 tokens, and m takes 1,000 tokens"


def test_more_words_than_tokens_is_an_error_of_a_candidate() -> None:
    cases = [case("long", "words " * 1000), case("longer but may fit", "x" * 9000)]
    (item,) = linted([variant(PROMPT)], cases, {"openai/m": lambda: 1000})
    assert item.severity is Severity.ERROR
    assert item.message == (
        "triage.prompt with the case 'long' has 1,001 words, and openai/m takes 1,000 tokens; 2 cases come near that"
    )
    assert "'context_window'" in (item.hint or "")


def test_as_many_words_as_tokens_may_fit() -> None:
    (item,) = linted([variant(PROMPT)], [case("a", "words " * 999)], {"m": lambda: 1000})
    assert item.severity is Severity.WARNING


def test_what_is_in_production_cannot_be_mended_here() -> None:
    champion = variant(PROMPT, Side.CHAMPION, "triage@1.prompt")
    (item,) = linted([champion], [case("a", "words " * 5000)], {"m": lambda: 1000})
    assert item.severity is Severity.WARNING


def test_each_prompt_on_each_model_is_told_once_with_its_largest_case() -> None:
    prompts = [variant(PROMPT), variant("Much shorter: {{message}}", label="triage.b.prompt")]
    cases = [case(str(size), "x" * size) for size in (4000, 8000, 6000, 10)]
    found = linted(prompts, cases, {"a": lambda: 2000, "b": lambda: 100_000, "c": lambda: 1000})
    subject = "triage{}.prompt with the case '8000' takes about 2,00{} tokens{}, and {} takes {},000 tokens"
    answer = " and allows 100 for the answer"
    assert said(found) == [
        subject.format("", 2, answer, "a", 2),
        subject.format("", 2, answer, "c", 1) + "; 3 cases come near that",
        subject.format(".b", 4, "", "a", 2),
        subject.format(".b", 4, "", "c", 1) + "; 3 cases come near that",
    ]


def test_a_conversation_counts() -> None:
    prompt = variant('{{role "system"}}\nBe kind.\n{{history}}')
    long = case("a", messages=(Message("user", "x" * 4000),), variables={})
    assert len(linted([prompt], [long], {"m": lambda: 1000})) == 1


def test_nobody_is_asked_for_a_window_that_no_request_comes_near() -> None:
    def window() -> int:
        raise AssertionError

    assert linted([variant(PROMPT)], [case("a", "hi")] * 3, {"m": window}) == []


def test_a_window_is_asked_for_once() -> None:
    asked = []

    def window() -> int:
        asked.append(1)
        return 100

    linted([variant(PROMPT)], [case("a", LETTERS)] * 3, {"m": window})
    assert asked == [1]


def test_a_case_without_its_value_is_for_others_to_tell() -> None:
    assert linted([variant(PROMPT)], [case("a", variables={})], {"m": lambda: 1}) == []


@given(
    st.lists(st.sampled_from(["{{a}}", "{{b}}", "{{b.c}}", "words "]), min_size=1, max_size=6),
    st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=3000) | st.just(7) | st.just({"c": "x" * 2500})),
    st.integers(400, 4000),
)
def test_what_comes_near_the_window_is_never_overlooked(parts: list[str], values: dict[str, Any], window: int) -> None:
    prompt = variant("Sort: " + " ".join(parts)).prompt
    try:
        messages = prompt.render(values)
    except MissingVariable:
        return
    near = estimate(messages, {}).input_tokens >= 0.9 * window
    found = linted(
        [Variant(prompt, Side.CANDIDATE, "triage.prompt")], [case("a", variables=values)], {"m": lambda: window}
    )
    assert bool(found) == (near and estimate(messages, {}).input_tokens >= 0.9 * 512)
