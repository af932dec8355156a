"""Differences that do not count when texts are compared.

    case          upper and lower case
    white space   how much of it, and which
    punctuation   every punctuation mark, and the symbols of ASCII
    accents       é and e; includes what `unicode` does
    unicode       é in one or two characters, full width, ligatures, curly quotes, long dashes, invisible characters

Each works character by character, so the time is linear whatever the text: normal forms of whole texts are not, since
marks have to be sorted.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from promptbench.checks._words import quoted
from promptbench.core.diagnostics import did_you_mean
from promptbench.core.types import Json

_STRAIGHT = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
}


class _Table(dict[int, str]):
    """For `str.translate`: what becomes of a character is found out when it is first met."""

    def __init__(self, replace: Callable[[str], str]) -> None:
        super().__init__()
        self._replace = replace

    def __missing__(self, code: int) -> str:
        self[code] = result = self._replace(chr(code))
        return result


def _unicode(char: str) -> str:
    straight = _STRAIGHT.get(char)
    if straight is not None:
        return straight
    return "" if unicodedata.category(char) == "Cf" else unicodedata.normalize("NFKD", char)


def _accents(char: str) -> str:
    return "".join(part for part in _unicode(char) if unicodedata.category(part) not in ("Mn", "Me"))


def _punctuation(char: str) -> str:
    return "" if char in string.punctuation or unicodedata.category(char).startswith("P") else char


_UNICODE, _ACCENTS, _PUNCTUATION = _Table(_unicode), _Table(_accents), _Table(_punctuation)

# In the order in which they are done: white space last, since punctuation leaves some.
_STEPS: dict[str, Callable[[str], str]] = {
    "accents": lambda text: text.translate(_ACCENTS),
    "unicode": lambda text: text.translate(_UNICODE),
    "case": str.casefold,
    "punctuation": lambda text: text.translate(_PUNCTUATION),
    "white space": lambda text: " ".join(text.split()),
}
NAMES = tuple(_STEPS)
_NAME: Json = {"type": "string", "enum": list(NAMES)}
SCHEMA: Json = {"anyOf": [_NAME, {"type": "array", "items": _NAME}]}


@dataclass(frozen=True, slots=True)
class Normal:
    """Texts are compared after these steps; without any, as they are."""

    steps: tuple[str, ...] = ()

    def text(self, text: str) -> str:
        for name in self.steps:
            text = _STEPS[name](text)
        return text

    def value(self, value: Json) -> Json:
        """Plain data with every text in it normalised; the names of fields are left alone."""
        if not self.steps:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return value


def normal(argument: Json) -> Normal:
    """From the option `ignore`: a name or a list of names; None is nothing. Raises ValueError."""
    names = [] if argument is None else argument if isinstance(argument, list) else [argument]
    wanted = set()
    for written in names:
        name = " ".join(str(written).lower().replace("_", " ").replace("-", " ").split())
        name = {"whitespace": "white space", "accent": "accents"}.get(name, name)
        if name not in _STEPS:
            guess = did_you_mean(name, NAMES)
            meant = f"did you mean '{guess}'?" if guess else f"known are {', '.join(NAMES)}"
            raise ValueError(f"{quoted(written)} cannot be ignored: {meant}")
        wanted.add(name)
    return Normal(tuple(name for name in NAMES if name in wanted))


STRAIGHT = Normal(("unicode", "case", "white space"))
"""For finding what is the same words, however typed."""
