"""Count sentences, by a few rules for English and the marks of other scripts.

    - `.`, `?` or `!` ends a sentence if white space, a quote, a bracket or an asterisk follows. A new line alone
      does not. `。`, `！`, `？`, `।` and `؟` end one whatever follows.
    - The full stop of an abbreviation or of an initial ends none, unless a word that often begins a sentence follows.
    - Nor do three dots, unless such a word follows; nor the stop of `etc.` or of a number before a small letter.
    - Closing quotes and brackets belong to the sentence before them.

Made to agree with the Punkt tokenizer (Kiss and Strunk 2006) and its English model, which many evaluations count with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_ALWAYS = "。！？｡।؟"
_ALWAYS_INSIDE = re.compile(rf"([{_ALWAYS}][」』”’\"')）]*+)(?=[^\s{_ALWAYS}])")
_MARK = re.compile(rf"[.?!{_ALWAYS}](?=\s+\S|[\")\];}}*:@'({{\[?!‘’“”«»」』）])")
_SPACE = re.compile(r"\s")
_CLOSERS = re.compile(r"[\"')\]}‘’“”«»」』）]*+\Z")
_WORD_BEFORE = re.compile(r"[^\s\"“”‘’`{\[(:;&#*@)}\],«»?!]*+\Z")
_WORD_BEHIND = re.compile(r"\s++[\"'“‘(\[*_]*+(\S{0,20})")
_STOPS_BEFORE_CAPITALS = re.compile(r"(?:-?[.,]?\d[\d,.-]*|etc)\Z")
_LONGEST = 40

_ABBREVIATIONS = """
    mr mrs ms messrs dr prof rev hon st jr sr gen col maj capt lt sgt adm gov sen rep pres inc ltd co corp bros
    cie vs al approx cf ca dept e.g i.e fig figs ed eds a.m p.m u.s u.k u.s.a u.n e.u d.c l.a ph.d b.a m.a b.sc
    m.sc m.d j.d jan feb aug sep sept oct nov dec tue tues wed thu thurs fri ave blvd rd ft mt yr ala ariz calif
    colo conn fla ga ill kan ky mich minn okla ore pa tenn va vt wash wis
"""
_STARTERS = """
    a according after all although among an and as at because before but by despite during each even for from he
    her his how however i if in indeed instead it its many meanwhile moreover most my nevertheless
    nonetheless on once our separately she similarly since so some still that the their then there these they
    this those though thus to under we what when where which while why with yet you your
"""
_SHORT, _FIRST = frozenset(_ABBREVIATIONS.split()), frozenset(_STARTERS.split())


def count(text: str) -> int:
    """Return the number of sentences. A text without any mark is one sentence, an empty one is none."""
    text = _ALWAYS_INSIDE.sub(r"\1 ", text)
    found, behind = 0, 0
    for mark in _last_marks(text):
        if mark[0] != "." or _is_full_stop(text, mark.start()):
            found += 1
            behind = mark.end()
    rest = text[behind:].strip()
    if found and _CLOSERS.match(rest):
        return found
    return found + bool(rest)


def _last_marks(text: str) -> Iterator[re.Match[str]]:
    # Before white space only the last mark counts: names and quotes may contain others.
    last = None
    for mark in _MARK.finditer(text):
        if last and _SPACE.search(text, last.end(), mark.start()):
            yield last
        last = mark
    if last:
        yield last


def _is_full_stop(text: str, stop: int) -> bool:
    before = _WORD_BEFORE.search(text, max(0, stop - _LONGEST), stop)
    word = before[0].lower() if before else ""
    following = _WORD_BEHIND.match(text, stop + 1)
    behind = following[1] if following else ""
    if word.endswith(".") or _is_short(word):
        return behind[:1].isupper() and behind.lower().rstrip(",;:.!?") in _FIRST
    return not (behind[:1].islower() and _STOPS_BEFORE_CAPITALS.match(word))


def _is_short(word: str) -> bool:
    return word in _SHORT or word.rpartition("-")[2] in _SHORT or (len(word) == 1 and word.isalpha())
