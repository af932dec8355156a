r"""Count things in an answer.

Those of IFEval's instructions (Zhou et al. 2023, arXiv:2311.07911) are counted as in its authors' program:

    words          runs of letters, digits and underscores (`\w+`)
    paragraphs     what is between empty lines; an empty paragraph does not count
    bullets        lines that begin with `*`, but not `**`, or with `-`; a `*` alone takes the next line with it
    placeholders   `[` to the next `]` on the same line
    highlights     `*…*` and `**…**` on one line with something inside
    titles         `<<…>>` on one line with something inside, one a line
    sections       the mark, in this case, and a number behind it: `Section 1`, `SECTION2`
    capital words  words of the Penn Treebank in capital letters; `IT'S` is two, `I'm` has one

The patterns take time linear in the answer, and count what IFEval's plain ones do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from promptbench.checks import _sentences

_WORD = re.compile(r"\w+")
_STAR_BULLET = re.compile(r"^[^\S\n]*+\*[^*].*", re.MULTILINE)
_DASH_BULLET = re.compile(r"^[^\S\n]*+-", re.MULTILINE)
_FROM_BRACKET = re.compile(r"\[.*")
_FROM_TITLE = re.compile(r"<<.*")
_HIGHLIGHTS = (re.compile(r"\*([^\n*]*+)\*"), re.compile(r"\*\*([^\n*]*+)\*\*"))

_SIGNS = str.maketrans(dict.fromkeys('?!;@#$%&*[](){}<>"`«»“”‘’„\u2012\u2013\u2014\u2015', " "))
_APART = re.compile(r"--|\.\.+|[:,](?!\d)|(?<!\w)'(?=\w)|''")
_PIECE = re.compile(r"\S+")
_CLITIC = re.compile(r"(?<=[^'])(?:'S|'M|'D|'LL|'RE|'VE|N'T|'s|'m|'d|'ll|'re|'ve|n't)\.?\Z")
_CONTRACTION = re.compile(r"\b(?:CAN(?=NOT\b)|GIM(?=ME\b)|LEM(?=ME\b)|GON(?=NA\b)|GOT(?=TA\b)|WAN(?=NA\.?\Z))")


def _words(text: str) -> int:
    return _number(_WORD.finditer(text))


def _number(matches: Iterator[object]) -> int:
    return sum(1 for _ in matches)


def _paragraphs(text: str) -> int:
    return sum(bool(paragraph.strip()) for paragraph in text.split("\n\n"))


def _bullets(text: str) -> int:
    return _number(_STAR_BULLET.finditer(text)) + _number(_DASH_BULLET.finditer(text))


def _placeholders(text: str) -> int:
    lines = (match[0] for match in _FROM_BRACKET.finditer(text))
    return sum("[" in piece for line in lines for piece in line.split("]")[:-1])


def _highlights(text: str) -> int:
    return sum(bool(match[1].strip()) for pattern in _HIGHLIGHTS for match in pattern.finditer(text))


def _titles(text: str) -> int:
    lines = (match[0] for match in _FROM_TITLE.finditer(text))
    titles = (line[: line.rfind(">>") + 2] for line in lines if line.rfind(">>") > 2)
    return sum(bool(title.lstrip("<").rstrip(">").strip()) for title in titles)


def _capital_words(text: str) -> int:
    return sum(_capitals(match[0]) for match in _PIECE.finditer(_APART.sub(" ", text.translate(_SIGNS))))


def _capitals(piece: str) -> int:
    # Most pieces are one word.
    clitic = _CLITIC.search(piece) if "'" in piece else None
    parts = (piece[: clitic.start()], clitic[0]) if clitic else (piece,)
    return sum(1 + len(_CONTRACTION.findall(part)) for part in parts if part.isupper())


KINDS: Mapping[str, Callable[[str], int]] = {
    "words": _words,
    "sentences": _sentences.count,
    "paragraphs": _paragraphs,
    "bullets": _bullets,
    "placeholders": _placeholders,
    "highlights": _highlights,
    "titles": _titles,
    "capital words": _capital_words,
    "characters": len,
}


def sections(mark: str) -> Callable[[str], int]:
    pattern = re.compile(rf"{re.escape(mark)}\s?\d")
    return lambda text: _number(pattern.finditer(text))


def letter(wanted: str) -> Callable[[str], int]:
    return lambda text: text.lower().count(wanted.lower())


def text_anywhere(wanted: str) -> Callable[[str], int]:
    return lambda text: text.casefold().count(wanted.casefold())


def word(wanted: str) -> Callable[[str], int]:
    pattern = re.compile(rf"(?<!\w){re.escape(wanted.casefold())}(?!\w)")
    return lambda text: _number(pattern.finditer(text.casefold()))


# Kinds that need the text to look for: `word` counts whole words, `text` also inside words, whatever the case.
NAMED: Mapping[str, Callable[[str], Callable[[str], int]]] = {
    "word": word,
    "text": text_anywhere,
    "letter": letter,
    "sections": sections,
}
