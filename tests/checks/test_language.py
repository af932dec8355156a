from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest

from promptbench.core.errors import Code
from promptbench.core.protocols import MissingExtra
from promptbench.core.types import Json
from tests.helpers.subjects import score
from tests.helpers.suites import HEAD, joined

TEXTS = {
    "English": "We have received your message and will answer by Monday.",
    "German": "Wir haben Ihre Nachricht erhalten und antworten bis Montag.",
    "French": "Nous avons bien reçu votre message et répondrons avant lundi.",
    "Spanish": "Hemos recibido su mensaje y responderemos antes del lunes.",
    "Japanese": "メッセージを受け取りました。月曜日までにお返事します。",
    "Chinese": "我们已经收到您的消息，将在星期一之前答复您。",
    "Hindi": "हमें आपका संदेश मिल गया है और हम सोमवार तक उत्तर देंगे।",
    "Russian": "Мы получили ваше сообщение и ответим до понедельника.",
    "Arabic": "لقد تلقينا رسالتك وسنرد عليك قبل يوم الاثنين.",
}


@pytest.mark.parametrize("language", TEXTS)
def test_knows_languages_in_small_letters_and_in_capitals(language: str) -> None:
    for text in (TEXTS[language], TEXTS[language].upper()):
        assert score("language", language, text).passed
        for other in TEXTS:
            assert score("language", other, text).passed == (other == language)


@pytest.mark.parametrize(("argument", "text"), [("de", TEXTS["German"]), (" ENGLISH ", TEXTS["English"])])
def test_names_and_codes(argument: str, text: str) -> None:
    assert score("language", argument, text).passed


def test_says_which_language_it_is() -> None:
    assert score("language", "German", TEXTS["French"]).reason == "expected German, got French"


@pytest.mark.parametrize("text", ["", "42", "?!", "\ud800", "https://example.com/a"])
def test_passes_where_there_are_no_words(text: str) -> None:
    assert score("language", "German", text).passed


def test_says_the_same_each_time_whatever_else_draws_numbers() -> None:
    text = "ok chat menu taxi radio"
    first = score("language", "English", text)
    for seed in range(20):
        random.seed(seed)
        assert score("language", "English", text) == first


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (None, "unknown language null"),
        (["de"], "unknown language"),
        ("Germain", "did you mean 'German'"),
        ("xx", "known are Afrikaans"),
        ("", "known are"),
    ],
)
def test_refuses(argument: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score("language", argument, "x")


@pytest.fixture
def without_langdetect(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "langdetect" else found(name))


@pytest.mark.usefixtures("without_langdetect")
def test_a_missing_package_is_told_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'promptbench-gate\[language\]'"):
        score("language", "German", "x")
    text = HEAD + "checks: [{language: German}]\ncases:\n  - case: one\n    vars: {message: hi}\n"
    bench, found = joined(tmp_path, text)
    assert bench is None
    assert [item.code for item in found] == [Code.MISSING_EXTRA]
