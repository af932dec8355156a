"""language: the answer is in this language.

What: detects the language of the answer by its letters and words (the first 10,000 characters of it), in the same way
    each time. An answer without words, such as a number, passes.
When: a customer must be answered in the language of the message.
Options: a language by its English name or its two-letter code. Needs the package langdetect: `pip install
    'promptbench-gate[language]'`.
Example:
    checks: [{language: German}]
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from promptbench.checks._options import suggestion
from promptbench.checks._scores import mismatch, quoted, verdict
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, MissingExtra, Score, Subject

if TYPE_CHECKING:
    from langdetect.detector_factory import DetectorFactory

_NAMES = {
    "af": "Afrikaans", "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French", "gu": "Gujarati", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese",
    "kn": "Kannada", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian", "ml": "Malayalam",
    "mr": "Marathi", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "so": "Somali",
    "sq": "Albanian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai",
    "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class InLanguage:
    code: str

    def score(self, subject: Subject) -> Score:
        code = _language(subject.text)
        if code in (None, self.code):
            return verdict("language")
        return verdict("language", mismatch("", _NAMES[self.code], _NAMES[code] if code else "an unknown language"))


def _language(text: str) -> str | None:
    """Return the two-letter code, an empty text for an unknown language, or None for a text without words."""
    factory, no_words = _langdetect()
    detector = factory.create()
    # Its profiles are of running text: in capitals it takes every fifth short English text for German.
    detector.append(text[:_CHARACTERS].lower())
    try:
        code = str(detector.detect()).partition("-")[0]
    except no_words:
        return None
    return code if code in _NAMES else ""


@cache
def _langdetect() -> tuple[DetectorFactory, type[Exception]]:
    """Return a factory of detectors, and what a detector raises for a text without words."""
    # Not langdetect's own factory, because its seed is a global that others may rely on.
    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
    from langdetect.lang_detect_exception import LangDetectException

    factory = DetectorFactory()
    factory.load_profile(PROFILES_DIRECTORY)
    factory.set_seed(1)
    return factory, LangDetectException


def build(argument: Json, context: CheckContext) -> Check:
    code = _code(argument)
    if importlib.util.find_spec("langdetect") is None:
        raise MissingExtra(
            "this needs the package langdetect, which is not installed: pip install 'promptbench-gate[language]'"
        )
    return InLanguage(code)


def _code(argument: Json) -> str:
    written = argument.strip() if isinstance(argument, str) else ""
    code = {name.lower(): code for code, name in _NAMES.items()}.get(written.lower(), written.lower())
    if code in _NAMES:
        return code
    raise ValueError(f"unknown language {quoted(argument)}: {suggestion(written, sorted(_NAMES.values()))}")


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema={"type": "string", "examples": ["English", "de"]})
