from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from promptbench.core.errors import Code, Severity
from promptbench.suite.models import Case, WrittenCheck
from tests.helpers.linted import case, linted, said, variant

LISTED = "Which team is it: billing, shipping or other? {{message}}"


def cases(*teams: Any) -> list[Case]:
    return [case(f"{n}: {team}", expect={"team": team}) for n, team in enumerate(teams)]


REPEATED = cases("billing", "billing", "shipping", "other")


def check(name: str, argument: Any) -> WrittenCheck:
    return WrittenCheck(name, argument, case("x").where)


@pytest.mark.parametrize(
    ("more", "alarms"),
    [
        ({"checks": (check("equals", {"team": "refund"}),)}, 1),
        ({"checks": (check("intent", {"is": "refund", "at": "team"}),)}, 1),
        ({"has_expect": True, "expect": {"is": {"team": "Refund"}, "ignore": "case"}}, 0),
        ({"has_wish": True, "should_be": '{"team": "refund"}'}, 1),
        ({"has_wish": True, "should_be": "{broken"}, 0),
        ({"has_expect": True, "expect": {"team": "refund"}, "has_wish": True, "should_be": {"team": "refund"}}, 1),
        ({"checks": (check("one of", ["refund", "return"]),)}, 0),
    ],
)
def test_whatever_says_what_a_case_expects_counts(more: dict[str, Any], alarms: int) -> None:
    found = said(linted([variant(LISTED)], [*REPEATED, case("a", **more)]))
    assert len(found) == alarms
    assert not any("more case" in message for message in found)


def test_of_many_values_the_first_are_reported_and_the_rest_counted() -> None:
    listed = [f"label_{n}" for n in range(60)]
    found = said(
        linted([variant(f"One of {', '.join(listed)}: {{{{message}}}}")], cases(*listed, *map(str, range(30))))
    )
    assert len(found) == 11
    assert found[-1].startswith("20 more values are expected for 'team'")


def test_a_list_in_the_text_that_lacks_what_a_case_expects() -> None:
    (item,) = linted([variant(LISTED)], [*REPEATED, *cases("refund", "refund")])
    assert (item.code, item.severity) == (Code.LABEL_NOT_OFFERED, Severity.WARNING)
    assert item.message == (
        "the case '0: refund' (and another case) expects 'refund' for 'team', "
        "and triage.prompt names only 'billing', 'shipping', 'other'"
    )


def test_a_plain_text_answer_has_no_name() -> None:
    texts = [case(str(n), expect=team) for n, team in enumerate(["billing", "billing", "shipping", "refund"])]
    (message,) = said(linted([variant(LISTED)], texts))
    assert message == "the case '3' expects 'refund', and triage.prompt names only 'billing', 'shipping'"


@pytest.mark.parametrize(
    ("prompt", "expected", "why"),
    [
        (LISTED + " Never answer refund.", "refund", "the prompt names it, wherever"),
        (LISTED.replace("other?", "other? Refund is a team too."), "refund", "a sentence starts with a capital"),
        (LISTED.replace("is it:", "is it, such as"), "refund", "the list is open"),
        (LISTED.replace("other?", "other, etc.?"), "refund", "the list is open"),
        (LISTED, None, "null is no label"),
        (LISTED, True, "true is no label"),
        (LISTED, 12, "a number is no label"),
        (LISTED, "the customer wants the money back at once", "a sentence is no label"),
        (LISTED, "x" * 61, "a long text is no label"),
        ("Which team? {{message}}", "refund", "there is no list"),
        ("Billing, shipping and other are busy, so be brief. {{message}}", "refund", "most labels are not listed"),
    ],
)
def test_no_false_alarm(prompt: str, expected: Any, why: str) -> None:
    assert said(linted([variant(prompt)], [*REPEATED, *cases(expected)])) == [], why


def test_what_the_case_brings_itself_need_not_be_offered() -> None:
    named = case("a", "The teams are billing, shipping, refund. I want my money", {"team": "refund"})
    assert linted([variant(LISTED)], [*REPEATED, named]) == []
    (item,) = linted([variant(LISTED)], [*REPEATED, named, *cases("refund")])
    assert "'0: refund' (and another case)" in item.message


def test_labels_that_never_repeat_may_be_names() -> None:
    assert linted([variant("Who of Ann, Bob, Cid? {{message}}")], cases("Ann", "Bob", "Cid", "Dora")) == []


def test_a_long_list_needs_no_repeats() -> None:
    labels = [f"label_{n}" for n in range(20)]
    prompt = variant("Which?\n- " + "\n- ".join(labels[:-1]) + "\n{{message}}")
    assert len(linted([prompt], cases(*labels))) == 1


def test_examples_are_no_list_but_do_offer() -> None:
    example = '{{role "user"}}\nhi\n{{role "model"}}\nbilling, shipping, other\n{{role "user"}}\n{{message}}'
    assert linted([variant(example)], [*REPEATED, *cases("refund")]) == []
    shown = '{{role "user"}}\nhi\n{{role "model"}}\nrefund\n{{role "user"}}\n' + LISTED
    assert linted([variant(shown)], [*REPEATED, *cases("refund")]) == []


def test_a_schema_that_has_the_label_speaks_for_the_prompt() -> None:
    schema = "---\noutput: {schema: {'team(enum)': [billing, shipping, other, refund]}}\n---\n"
    assert linted([variant(schema + LISTED)], [*REPEATED, *cases("refund")]) == []


@pytest.mark.parametrize(
    ("expected", "written"),
    [("Track Order", "track_order"), ("track-order", "track_order"), ("Track_order", "track_order")],
)
def test_another_spelling_in_the_text_is_told(expected: str, written: str) -> None:
    (item,) = linted([variant(LISTED.replace(" or other", f", {written} or other"))], [*REPEATED, *cases(expected)])
    assert item.hint == f"the prompt has '{written}', and answers are compared as exact text"


def test_free_text_is_not_held() -> None:
    found = linted([variant(LISTED)], [*cases(*(f"word{n}" for n in range(400))), *REPEATED, *cases("refund")])
    assert found == []


LABELS = st.lists(st.text("abcdefghij", min_size=3, max_size=8), max_size=30)


@given(LABELS, st.text("klmnopqrst ,|\n*", max_size=200))
def test_a_text_without_any_label_never_alarms(teams: list[str], static: str) -> None:
    assert linted([variant(static + "\nzz {{message}}")], cases(*teams)) == []


@given(st.lists(st.text("abcdefghij", min_size=3, max_size=8), min_size=1, max_size=30))
def test_a_prompt_with_all_labels_never_alarms(teams: list[str]) -> None:
    assert linted([variant(f"One of: {', '.join(teams)}. {{{{message}}}}")], cases(*teams, *teams)) == []
