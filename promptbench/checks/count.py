"""count: the answer has the right number of words, sentences or something else.

What: counts, and compares with `exactly`, `at least`, `at most`, `less than` or `more than`.
When: a length, a number of bullet points, or how often a word is used is part of the task.
Options: `of` is one of `words`, `sentences`, `paragraphs` (an empty line between them), `bullets`, `placeholders`
    ([name]), `highlights` (*text*), `titles` (<<text>>), `capital words`, `characters`; or `word banana` (a whole
    word), `text banana` (also inside of other words), `letter e`, `sections Section` (Section 1, Section 2 …). Upper
    and lower case are the same, but not in the mark of a section. And one or two of the five comparisons.
Example:
    checks: [{count: {of: words, at least: 100, less than: 300}}, {count: {of: word banana, exactly: 3}}]
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from promptbench.checks import _options
from promptbench.checks._options import option_name, options
from promptbench.checks._scores import mismatch, quoted, verdict
from promptbench.core.errors import did_you_mean
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject

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


def count_sentences(text: str) -> int:
    """Return the number of sentences. A text without any mark is one sentence, an empty one is none.

    - `.`, `?` or `!` ends a sentence if white space, a quote, a bracket or an asterisk follows. A new line alone
      does not. `。`, `！`, `？`, `।` and `؟` end one whatever follows.
    - The full stop of an abbreviation or of an initial ends none, unless a word that often begins a sentence follows.
    - Nor do three dots, unless such a word follows; nor the stop of `etc.` or of a number before a small letter.
    - Closing quotes and brackets belong to the sentence before them.

    Made to agree with the Punkt tokenizer (Kiss and Strunk 2006) and its English model, which many evaluations use.
    """
    text = _ALWAYS_INSIDE.sub(r"\1 ", text)
    found, behind = 0, 0
    for mark in _last_marks(text):
        if mark[0] != "." or _is_full_stop(text, mark.start()):
            found += 1
            behind = mark.end()
    rest = text[behind:].strip()
    return found if found and _CLOSERS.match(rest) else found + bool(rest)


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
    if word.endswith(".") or (
        word in _SHORT or word.rpartition("-")[2] in _SHORT or (len(word) == 1 and word.isalpha())
    ):
        return behind[:1].isupper() and behind.lower().rstrip(",;:.!?") in _FIRST
    return not (behind[:1].islower() and _STOPS_BEFORE_CAPITALS.match(word))


# Count things in an answer.
#
# Those of IFEval's instructions (Zhou et al. 2023, arXiv:2311.07911) are counted as in its authors' program:
#
#     words          runs of letters, digits and underscores (`\w+`)
#     paragraphs     what is between empty lines; an empty paragraph does not count
#     bullets        lines that begin with `*`, but not `**`, or with `-`; a `*` alone takes the next line with it
#     placeholders   `[` to the next `]` on the same line
#     highlights     `*…*` and `**…**` on one line with something inside
#     titles         `<<…>>` on one line with something inside, one a line
#     sections       the mark, in this case, and a number behind it: `Section 1`, `SECTION2`
#     capital words  words of the Penn Treebank in capital letters; `IT'S` is two, `I'm` has one
#
# The patterns take time linear in the answer, and count what IFEval's plain ones do.

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


def _number(matches: Iterator[object]) -> int:
    return sum(1 for _ in matches)


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
    "words": lambda text: _number(_WORD.finditer(text)),
    "sentences": count_sentences,
    "paragraphs": lambda text: sum(bool(paragraph.strip()) for paragraph in text.split("\n\n")),
    "bullets": lambda text: _number(_STAR_BULLET.finditer(text)) + _number(_DASH_BULLET.finditer(text)),
    "placeholders": _placeholders,
    "highlights": _highlights,
    "titles": _titles,
    "capital words": _capital_words,
    "characters": len,
}


def sections(mark: str) -> Callable[[str], int]:
    pattern = re.compile(rf"{re.escape(mark)}\s?\d")
    return lambda text: _number(pattern.finditer(text))


def word(wanted: str) -> Callable[[str], int]:
    pattern = re.compile(rf"(?<!\w){re.escape(wanted.casefold())}(?!\w)")
    return lambda text: _number(pattern.finditer(text.casefold()))


# Kinds that need the text to look for: `word` counts whole words, `text` also inside words, whatever the case.
NAMED: Mapping[str, Callable[[str], Callable[[str], int]]] = {
    "word": word,
    "text": lambda wanted: lambda text: text.casefold().count(wanted.casefold()),
    "letter": lambda wanted: lambda text: text.lower().count(wanted.lower()),
    "sections": sections,
}


_EXAMPLES = {"word": "word banana", "text": "text banana", "letter": "letter e", "sections": "sections Section"}


@dataclass(frozen=True, slots=True)
class HasCount:
    what: str
    number: Callable[[str], int]
    wanted: _options.Bounds

    def score(self, subject: Subject) -> Score:
        found = self.number(subject.text)
        return verdict(
            "count", None if self.wanted.include(found) else mismatch(self.what, self.wanted.words, str(found))
        )


def build(argument: Json, context: CheckContext) -> Check:
    if not isinstance(argument, dict):
        raise ValueError("say what is counted and how many, as in 'count: {of: words, at most: 50}'")
    given = options(argument, ("of", *_options.COMPARISONS))
    if "of" not in given:
        raise ValueError("say what is counted, as in 'of: words'")
    what, number = _counter(given["of"])
    return HasCount(what, number, _options.bounds(given))


def _counter(of: Json) -> tuple[str, Callable[[str], int]]:
    # Return the name of what is counted, and the function that counts it. Raises ValueError.
    if not isinstance(of, str) or not of.strip():
        raise ValueError(f"'of': expected what is counted, such as words, got {quoted(of)}")
    name = option_name(of)
    if name in KINDS:
        return name, KINDS[name]
    first, _, rest = of.strip().partition(" ")
    first, wanted = first.lower(), rest.strip()
    if first == "section":
        first = "sections"
    if len(wanted) > 2 and wanted[0] == wanted[-1] and wanted[0] in "\"'":
        wanted = wanted[1:-1]  # The author's quotes, as in `word "banana"`.
    if first not in NAMED:
        known = [*KINDS, *_EXAMPLES.values()]
        guess = did_you_mean(name, known) or did_you_mean(first, NAMED)
        meant = f"did you mean '{_EXAMPLES.get(guess, guess)}'?" if guess else f"known are {', '.join(known)}"
        raise ValueError(f"{quoted(of)} cannot be counted: {meant}")
    if not wanted:
        raise ValueError(f"say which {first}, for example 'of: {_EXAMPLES[first]}'")
    if first == "letter" and len(wanted) != 1:
        raise ValueError(f"{quoted(wanted)} is not one letter: write 'of: text {wanted}'")
    return (f"{quoted(wanted)} sections" if first == "sections" else quoted(wanted)), NAMED[first](wanted)


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema={
        "type": "object",
        "properties": {"of": {"type": "string"}, **_options.BOUNDS},
        "required": ["of"],
    },
)
