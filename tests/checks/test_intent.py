from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.checks import intent
from promptbench.checks.intent import Intent
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json
from tests.helpers.subjects import score, subject

LABELS = ["book_flight", "cancel_flight", "oos"]


def built(argument: Json, folder: Path = Path()) -> Intent:
    check = intent.build(argument, CheckContext(folder))
    assert isinstance(check, Intent)
    return check


@pytest.mark.parametrize(
    ("argument", "text", "reason"),
    [
        ("book_flight", "book_flight\n", ""),
        ({"is": "book_flight", "at": "intent"}, '{"intent": "book_flight"}', ""),
        ({"is": "book_flight", "at": "intent.name"}, '{"intent": {"name": "book_flight"}}', ""),
        ({"is": 5}, "5", ""),
        ({"labels": LABELS}, "oos", ""),
        ({"labels": LABELS[:2], "out of scope": "oos"}, "oos", ""),
        ({"at": "intent"}, '{"intent": "anything"}', ""),
        ("book_flight", "cancel_flight", "expected 'book_flight', got 'cancel_flight'"),
        (
            {"is": "book_flight", "at": "intent", "labels": LABELS},
            '{"intent": "Book_Flight"}',
            "intent: expected 'book_flight', got 'Book_Flight', which is not one of the 3 labels",
        ),
        ({"labels": LABELS}, "fly", "expected one of the 3 labels, got 'fly'"),
        ({"is": "oos", "at": "intent"}, "{}", "intent is missing"),
        ({"is": "oos", "at": "intent"}, '{"intent": ["oos"]}', 'intent: expected a text, got ["oos"]'),
    ],
)
def test_compares_the_label(argument: Json, text: str, reason: str) -> None:
    assert score("intent", argument, text).reason == reason


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ({"is": "book_flite", "labels": LABELS}, "did you mean 'book_flight'"),
        ({"labels": ["a", "a"]}, "the label 'a' is listed twice"),
        ({"labels": []}, "a list of texts"),
        ({"labels": "none.txt"}, "file 'none.txt' not found next to the suite"),
        ({"labels": "../labels.txt"}, "outside the suite's folder"),
        ({"labels": "a\0b"}, "cannot be read"),
        ({"label": "x"}, "did you mean 'labels'"),
        ({"at": ".", "is": "x"}, "is not a path"),
        (["a"], "give a value, or options|text"),
    ],
)
def test_refuses_in_one_sentence(argument: Json, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        built(argument, tmp_path)


def test_labels_come_from_a_file_beside_the_suite_which_is_part_of_what_a_score_means(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("\ufeffbook_flight\n\n  oos \r\n", encoding="utf-8")
    argument = {"labels": "labels.txt", "at": "intent"}
    assert built(argument, tmp_path).labels == {"book_flight", "oos"}
    before = intent.fingerprint(argument, CheckContext(tmp_path))
    file.write_text("book_flight\noos\nother\n", encoding="utf-8")
    assert intent.fingerprint(argument, CheckContext(tmp_path)) != before
    file.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ValueError, match="cannot be read"):
        built(argument, tmp_path)


def test_the_case_tells_the_right_label_at_the_same_place() -> None:
    check = built({"at": "intent", "labels": LABELS})
    assert check.with_expected({"intent": "oos", "slots": {}}).wanted == "oos"
    assert check.with_expected({"slots": {}}).wanted is None
    assert check.with_expected("a text").wanted is None
    assert built(None).with_expected("oos").wanted == "oos"
    assert built({"is": "oos", "at": "intent"}).with_expected({"intent": "book_flight"}).wanted == "oos"
    with pytest.raises(ValueError, match="not one of the 3 labels"):
        check.with_expected({"intent": "book_hotel"})


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ('{"p": 0.25}', 0.25),
        ('{"p": 1}', 1.0),
        ('{"p": 1.5}', None),
        ('{"p": true}', None),
        ('{"p": "0.5"}', None),
        ("{}", None),
        ("no JSON", None),
    ],
)
def test_a_confidence_is_a_number_from_0_to_1(text: str, sure: float | None) -> None:
    assert built({"confidence": "p"}).confidence_of(subject(text)) == sure
    assert built({}).confidence_of(subject(text)) is None
