from __future__ import annotations

import random

from hypothesis import given, strategies as st

from promptbench.text.near_duplicates import NearDuplicates, SharedText

PARCEL = (
    "Where is my parcel with the number 1234? It should have been here on Monday, and I have been waiting for it "
    "since then without any word from you or from the people who bring it"
)
WORDS = [a + b + c for a in "abcdefgh" for b in "aeiou" for c in "lmnrst"]


def test_small_changes_do_not_count() -> None:
    groups = NearDuplicates()
    first = groups.add(PARCEL)
    assert groups.add(PARCEL.replace("1234", "99")) == first
    assert groups.add(PARCEL.upper() + "!!") == first
    assert groups.add(PARCEL.replace("Monday", "Tuesday")) == first
    assert groups.add("I was charged twice for March, please give me back the money that is mine") != first
    assert len(groups) == 2


def test_short_texts_are_alike_or_not() -> None:
    groups = NearDuplicates()
    assert [groups.add(text) for text in ("hi", "Hi!", "yes", "", "12", "hi")] == [0, 0, 1, 2, 2, 0]


def test_how_alike_is_alike() -> None:
    random.seed(5)

    def share(changed: int) -> float:
        same = 0
        for _ in range(60):
            words = random.choices(WORDS, k=60)
            other = list(words)
            for place in random.sample(range(60), changed):
                other[place] = "zzz"
            groups = NearDuplicates()
            same += groups.add(" ".join(words)) == groups.add(" ".join(other))
        return same / 60

    assert share(1) > 0.9
    assert share(10) < 0.1


def test_different_texts_stay_apart() -> None:
    random.seed(6)
    groups = NearDuplicates()
    for _ in range(500):
        groups.add(" ".join(random.choices(WORDS, k=40)))
    assert len(groups) == 500


@given(st.lists(st.text(max_size=60), max_size=8))
def test_the_same_text_is_always_in_the_same_group(texts: list[str]) -> None:
    groups = NearDuplicates()
    first = [groups.add(text) for text in texts]
    assert [groups.add(text) for text in texts] == first
    assert set(first) == set(range(len(groups)))


def test_the_template_of_a_prompt_is_not_the_input() -> None:
    start, end = "You sort messages into teams. " * 20, " Answer with JSON and nothing else." * 20
    inputs = ["Where is my parcel?", "I was charged twice", "Close my account", "Where is my parcel?"]
    for texts in ([start + text + end for text in inputs], [start + text for text in inputs], inputs):
        shared, groups = SharedText(), NearDuplicates()
        for text in texts:
            shared.learn(text)
        assert [groups.add(shared.remove(text)) for text in texts] == [0, 1, 2, 0]


def test_a_text_without_anything_of_its_own_stays_whole() -> None:
    shared = SharedText()
    for text in ("word " * 100, "word " * 100, "word " * 100 + "12"):
        shared.learn(text)
        assert shared.remove(text) == text
