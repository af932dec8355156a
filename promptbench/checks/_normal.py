"""Normalise texts before they are compared, so that some differences do not count.

    citations     marks such as [1] and [doc-2]
    case          upper and lower case
    white space   how much of it, and which
    punctuation   every punctuation mark, and the symbols of ASCII
    accents       é and e; includes what `unicode` does
    unicode       é in one or two characters, full width, ligatures, curly quotes, long dashes, invisible characters
    squad         what SQuAD's script ignores: case, ASCII punctuation, the articles a, an and the, white space

Each works character by character, so the time is linear whatever the text: normal forms of whole texts are not, since
marks have to be sorted.
"""

import re
import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from promptbench.checks._options import option_name, suggestion
from promptbench.checks._scores import quoted
from promptbench.core.canonical import map_values
from promptbench.metrics.squad import normalise
from promptbench.plugins import Json

_STRAIGHT = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
}


class _Table(dict[int, str]):
    """A table for `str.translate` that is filled when a character is first met."""

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

_CITATION = re.compile(r"\s*\[[^\[\]\n]{1,200}\](?!\()")

# In the order in which they are applied: white space behind punctuation, which leaves some.
_STEPS: dict[str, Callable[[str], str]] = {
    "citations": lambda text: _CITATION.sub("", text).strip(),
    "accents": lambda text: text.translate(_ACCENTS),
    "unicode": lambda text: text.translate(_UNICODE),
    "case": str.casefold,
    "punctuation": lambda text: text.translate(_PUNCTUATION),
    "white space": lambda text: " ".join(text.split()),
    "squad": normalise,
}
NAMES = tuple(_STEPS)
_NAME: Json = {"type": "string", "enum": list(NAMES)}
SCHEMA: Json = {"anyOf": [_NAME, {"type": "array", "items": _NAME}]}


@dataclass(frozen=True, slots=True)
class Normal:
    """The steps that are applied to texts before they are compared."""

    steps: tuple[str, ...] = ()

    def text(self, text: str) -> str:
        for name in self.steps:
            text = _STEPS[name](text)
        return text

    def value(self, value: Json) -> Json:
        """Return plain data with every text in it normalised, except the names of fields."""
        return map_values(value, self._leaf) if self.steps else value

    def _leaf(self, value: Json) -> Json:
        return self.text(value) if isinstance(value, str) else value


def normal(argument: Json) -> Normal:
    """Return the steps for the option `ignore`: a name or a list of names, or None. Raises ValueError."""
    wanted = set()
    for written in [] if argument is None else argument if isinstance(argument, list) else [argument]:
        name = option_name(str(written))
        name = {"whitespace": "white space", "accent": "accents"}.get(name, name)
        if name not in _STEPS:
            raise ValueError(f"{quoted(written)} cannot be ignored: {suggestion(name, NAMES)}")
        wanted.add(name)
    return Normal(tuple(name for name in NAMES if name in wanted))


# For finding the same words, however typed.
STRAIGHT = Normal(("unicode", "case", "white space"))
