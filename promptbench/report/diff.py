"""Word diffs of two texts."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile, zip_longest

from promptbench.report.words import clean

# An address, a date or an order number is one word.
_TOKEN = re.compile(r"\s*(?:\w(?:[\w.@+/'-]*\w)?|[^\w\s])")
# Characters of a text that are compared.
_LONGEST = 20_000
# Words between the common start and end that are compared: the time can grow with their cube.
_MOST = 100
# Words that are kept on each side of a change.
_AROUND = 4
# Fewer equal words than this are not left out.
_SPARED = 16
# From this ratio on (Ratcliff and Obershelp) a diff is easier to read than two texts.
_ALIKE = 0.4


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the joint text: `same` in both, or `removed` from the first, or `added` in the second."""

    kind: str
    text: str

    def __str__(self) -> str:
        return {"removed": f"[-{self.text}-]", "added": f"{{+{self.text}+}}"}.get(self.kind, self.text)


def word_diff(before: str, after: str) -> list[Piece] | None:
    """Return the pieces, cleaned for a terminal; None if the texts have too little in common, or are equal.

    White space alone does not differ. Long equal parts are left out.
    """
    one, other = (_tokens(text) for text in (before, after))
    words, new = ([token.strip() for token in tokens] for tokens in (one, other))
    if words == new:
        return None
    head = _same(words, new)
    tail = _same(words[head:][::-1], new[head:][::-1])
    middles = [tokens[head : len(tokens) - tail] for tokens in (one, other)]
    short = [[*tokens[:_MOST], " …"] if len(tokens) > _MOST else tokens for tokens in middles]
    old, now = ([token.strip() for token in tokens] for tokens in short)
    matcher = SequenceMatcher(None, old, now, autojunk=False)
    same = sum(block.size for block in matcher.get_matching_blocks()) + head + tail
    if 2 * same < _ALIKE * (sum(map(len, short)) + 2 * (head + tail)):
        return None
    found = [
        Piece("same", _shortened(other[:head], True, False)),
        *_pieces(matcher, *short),
        Piece("same", _shortened(other[len(other) - tail :], False, True)),
    ]
    return [piece for piece in found if piece.text]


def _tokens(text: str) -> list[str]:
    cut = " …" if len(text) > _LONGEST else ""
    return _TOKEN.findall(clean(text[:_LONGEST]) + cut)


def _same(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False)))


def _pieces(matcher: SequenceMatcher[str], one: Sequence[str], other: Sequence[str]) -> Iterator[Piece]:
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            yield Piece("same", _shortened(other[new_start:new_end], False, False))
            continue
        removed, added = "".join(one[start:end]), "".join(other[new_start:new_end])
        space = max((text[: len(text) - len(text.lstrip())] for text in (removed, added)), key=len)
        if space:
            yield Piece("same", space)
        yield from (
            Piece(name, text.strip()) for name, text in (("removed", removed), ("added", added)) if text.strip()
        )


def _shortened(tokens: Sequence[str], first: bool, last: bool) -> str:
    # What is the same, without its middle where that is long; of the first part without its beginning, of the last
    # without its end.
    head, tail = 0 if first else _AROUND, 0 if last else _AROUND
    if len(tokens) <= head + tail + _SPARED:
        return "".join(tokens)
    end = tokens[len(tokens) - tail :] if tail else []
    return "".join(tokens[:head]) + " …" * bool(tokens) + "".join(end)


def comparable(expected: str, got: str) -> tuple[str, str]:
    """Return both texts in one notation if both are JSON; of the second only the expected fields, others are free."""
    if len(got) > _LONGEST:
        return expected, got
    try:
        wanted, have = json.loads(expected), json.loads(got)
        if isinstance(wanted, dict) and isinstance(have, dict):
            have = {name: have[name] for name in wanted if name in have}
        return _as_text(wanted), _as_text(have)
    except (ValueError, RecursionError):
        return expected, got


def _as_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def line_diff(before: str, after: str) -> Iterator[list[Piece]]:
    """Yield the joint lines of two texts, each as pieces; a changed line has the word diff of both. Nothing is cut."""
    one, other = before.splitlines(), after.splitlines()
    for kind, start, end, new_start, new_end in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from ([Piece("same", line)] for line in one[start:end])
            continue
        for old, new in zip_longest(one[start:end], other[new_start:new_end]):
            words = word_diff(old, new) if old and new and len(old) + len(new) < _LONGEST else None
            both = (("removed", old), ("added", new))
            yield words or [Piece(name, line) for name, line in both if line is not None]
