from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from promptbench.core.errors import Code, Severity
from promptbench.core.types import Message, Side
from tests.helpers.linted import case, linted, said, variant

INPUT = "Where is my parcel from Monday?"
PROMPT = f"""\
{{{{role "system"}}}}
You sort messages. Artificial intelligence is what you are, from the United States of America.
{{{{role "user"}}}}
{INPUT}
{{{{role "model"}}}}
{{"team": "delivery"}}
{{{{role "user"}}}}
{{{{message}}}}
"""


def test_an_example_that_is_a_case_gives_its_answer_away() -> None:
    (item,) = linted([variant(PROMPT)], [case("parcel", INPUT), case("other", "How much is the lamp?")])
    assert (item.code, item.severity) == (Code.CASE_IN_PROMPT, Severity.WARNING)
    assert item.message == ("an example in triage.prompt is the input of the case 'parcel' and gives its answer away")
    assert (str(item.location), item.location.length) == ("triage.prompt:4:1", len(INPUT))


@pytest.mark.parametrize(
    "written",
    [INPUT.upper(), INPUT.replace(" ", "\n  "), f"  {INPUT}\n", INPUT.rstrip("?")],
)
def test_case_and_white_space_make_no_other_text(written: str) -> None:
    assert len(linted([variant(PROMPT)], [case("a", written), case("b", "Something else that is long")])) == 1


@pytest.mark.parametrize(
    "written",
    [
        "",
        "hi",
        "Where is",
        "artificial intelligence",  # long enough, but what anybody may say
        "here is my parcel from Monday?",  # starts inside a word
        "Where is my parcel from Mon",  # ends inside one
        "Where is my parcel from Monday? I wait.",
        '{"team": "delivery"} Where is my',
        5,
        None,
        ["Where is my parcel from Monday?"],
    ],
)
def test_what_is_no_example_is_not_told(written: object) -> None:
    assert linted([variant(PROMPT)], [case("a", written), case("b", "Something else that is long")]) == []


def test_a_passage_with_another_question_is_another_input() -> None:
    prompt = variant(f"{INPUT}\nWho waits for it?\n{{{{message}}}} {{{{question}}}}")
    other, same = ({"message": INPUT, "question": f"Who {verb} for it?"} for verb in ("looks", "waits"))
    assert linted([prompt], [case("a", variables=other)]) == []
    assert len(linted([prompt], [case("a", variables=same)])) == 1


def test_a_short_text_is_no_input() -> None:
    country = {"country": "Norway", "message": INPUT}
    prompt = variant(PROMPT.replace("{{message}}", "{{message}} from {{country}}"))
    assert len(linted([prompt], [case("a", variables=country)])) == 1


def test_what_else_a_case_brings_may_be_in_the_prompt() -> None:
    country = {"country": "The United States of America", "message": "I would like to know where you ship to."}
    prompt = variant(PROMPT.replace("{{message}}", "{{message}} from {{country}}"))
    assert linted([prompt], [case("a", variables=country)]) == []


def test_what_half_of_the_cases_share_is_a_setting() -> None:
    prompt = variant("Answer for The Great Lamp Company: {{message}}")
    shared = [case(str(n), "the great lamp company") for n in range(4)]
    others = [case(f"other {n}", f"question number {n} of many") for n in range(4)]
    assert linted([prompt], shared + others) == []
    assert len(linted([prompt], [*shared, *others, case("one more", "another question of many")])) == 1


def test_a_suite_of_one_case_can_leak() -> None:
    assert len(linted([variant(PROMPT)], [case("a", INPUT)])) == 1


def test_some_are_named_and_all_are_counted() -> None:
    inputs = [f"Where is parcel number {n} now?" for n in range(5)]
    prompt = variant("\n".join(inputs) + "\n{{message}}")
    cases = [case(f"c{n}", text) for n, text in enumerate(inputs)]
    assert said(linted([prompt], cases)) == [
        "examples in triage.prompt are the inputs of 'c0', 'c1', 'c2' and 2 more cases and give their answers away"
    ]
    assert said(linted([prompt], cases[:2])) == [
        "examples in triage.prompt are the inputs of the cases 'c0', 'c1' and give their answers away"
    ]


def test_a_conversation_and_what_the_model_said_are_looked_at() -> None:
    prompt = variant(PROMPT.replace('{{role "user"}}\n{{message}}', "{{history}}"))
    assert len(linted([prompt], [case("a", variables={}, messages=(Message("user", INPUT),))])) == 1
    answer = variant(
        f'{{{{role "user"}}}}\nWrite.\n{{{{role "model"}}}}\n{INPUT}\n{{{{role "user"}}}}\n{{{{message}}}}'
    )
    assert len(linted([answer], [case("a", INPUT)])) == 1


def test_nothing_goes_on_across_a_value_or_a_message() -> None:
    prompt = variant("Where is my {{message}} parcel from Monday?")
    assert linted([prompt], [case("a", INPUT)]) == []


def test_scripts_without_blanks_have_words_too() -> None:
    prompt = variant("例：我上周买的台灯还没有送到请帮我查一下。\n{{message}}")
    assert len(linted([prompt], [case("a", "我上周买的台灯还没有送到请帮我查一下")])) == 1
    assert linted([prompt], [case("a", "台灯")]) == []


def test_each_prompt_is_told_once() -> None:
    champion = variant(PROMPT, Side.CHAMPION, "triage@1.prompt")
    other = variant(PROMPT.replace("You sort", "Please sort"), Side.CHAMPION, "triage@2.prompt")
    assert len(linted([variant(PROMPT), champion], [case("a", INPUT)])) == 1
    assert len(linted([variant(PROMPT), other], [case("a", INPUT)])) == 2


WORDS = st.lists(st.text("abcdefghij", min_size=1, max_size=8), max_size=40).map(" ".join)
OTHER_WORDS = st.lists(st.text("klmnopqrst", min_size=1, max_size=8), max_size=40).map(" ".join)


@given(WORDS, st.lists(OTHER_WORDS, max_size=5))
def test_a_prompt_without_the_words_of_the_cases_never_alarms(static: str, inputs: list[str]) -> None:
    prompt = variant(static + "\n{{message}}")
    assert linted([prompt], [case(str(n), text) for n, text in enumerate(inputs)]) == []


@given(WORDS, st.lists(st.text("klmnopqrst", min_size=1), min_size=4, max_size=40).map(" ".join), WORDS)
def test_an_input_in_the_prompt_is_always_found(before: str, text: str, after: str) -> None:
    prompt = variant(f"{before}\n{text}\n{after}\n{{{{message}}}}")
    assert len(linted([prompt], [case("a", text)])) == (len(text) >= 12)
