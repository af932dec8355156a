"""The ladder with repair rules: it raises nothing, and no rule changes what the built-in steps read better."""

from __future__ import annotations

from hypothesis import given, seed, settings, strategies as st

from promptbench.core.types import Rung
from promptbench.parsing.json_text import MOST_CHARACTERS
from promptbench.parsing.ladder import BUILT_IN, BUILT_IN_NAMES, LADDER, Ladder, Rule
from tests.parsing.test_json_text import ALPHABET, REPAIRED

TEXTS = st.text(ALPHABET, max_size=30) | st.sampled_from([text for _, text, _ in REPAIRED]) | st.text(st.characters())
RULES = st.lists(
    st.builds(
        lambda name, trust, result: Rule(name, trust, lambda text: result, name),
        st.sampled_from("abc"),
        st.sampled_from(["safe", "risky"]),
        st.none() | TEXTS,
    ),
    max_size=3,
)


@seed(20261128)
@settings(max_examples=300, deadline=None, database=None)
@given(TEXTS, RULES)
def test_rules_only_ever_improve_a_reading(text: str, rules: list[Rule]) -> None:
    before, after = BUILT_IN.read(text), Ladder(tuple(rules)).read(text)
    used = {repair.name for repair in after.repairs} - BUILT_IN_NAMES
    assert (after == before) == (not used)
    assert (after.rung is Rung.NONE) == (after.error is not None)
    if used:
        (name,) = used
        assert before.rung.depth > after.rung.depth >= min(rule.rung.depth for rule in rules if rule.name == name)
        assert all(repair.position >= 0 for repair in after.repairs)


def test_a_text_that_is_too_big_is_given_to_no_rule() -> None:
    seen: list[str] = []
    rule = Rule("seen", "safe", seen.append)
    assert Ladder((rule,)).read("x" * (MOST_CHARACTERS + 1)).rung is Rung.NONE
    assert not seen


def test_a_result_that_is_too_big_is_not_read() -> None:
    rule = Rule("long", "safe", lambda text: "[" + "1," * MOST_CHARACTERS + "1]")
    assert Ladder((rule,)).read("x").rung is Rung.NONE


def test_the_hash_without_rules_changes_only_with_the_edition() -> None:
    assert BUILT_IN.hash == LADDER == "sha256:10463c9111463ed3677a85057c732ef95fb3c6baafecfc83e341914c3558e063"
