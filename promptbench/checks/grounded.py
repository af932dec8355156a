"""grounded: what the answer states was in what the model was given.

What: every number, every name and every quotation of the answer must occur in the values of the case. Numbers are the
    same however written (1,200 and 1200), names and quotations whatever the case, quotes and white space. A name is a
    row of words with capital letters; each of its words must occur. At the start of a sentence every word has one, so a
    single word there counts only if it has a capital elsewhere too, or is the whole answer. List numbers, and citations
    as [1], are left out. The score is the share that occurs.
When: summaries and answers from documents, where invented figures and people are the worst mistakes.
Options: nothing, or the name of a value or a list of names, or: `in` the same; `look at` some of numbers, names,
    quotations; `at least` the share that is enough, such as 90%.
Example:
    checks: [{grounded: {in: document, look at: [numbers, quotations]}}]
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import islice

from promptbench.checks import _context, _options
from promptbench.checks._normal import STRAIGHT
from promptbench.checks._numbers import find, shown
from promptbench.checks._paths import text_at
from promptbench.checks._scores import first_of, graded, quoted, verdict
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject

_KINDS = ("numbers", "names", "quotations")

_MARKS = re.compile(r"^[ \t]*[0-9]{1,3}[.)](?=\s)|\[[^\]\n]{0,40}\]", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_](?:\w|['’.\-](?=\w))*")
_ENDS = ".!?:;…\n\r"
_NO_END = " \t\u00a0\"'“”„‘’«»()[]*_#>-•–"
_QUOTATION = re.compile(r"“([^“”]{2,2000})”|„([^„“”]{2,2000})[“”]|«([^«»]{2,2000})»|(?<!\w)\"([^\"\n]{2,2000})\"(?!\w)")
_ELLIPSIS = re.compile(r"\[?(?:…|\.\.\.)\]?")
_PRONOUN = re.compile(r"I(?:['’]\w+)?\Z")
_POSSESSIVE = re.compile(r"['’]s?\Z")
_BEFORE = 40
_MOST_QUOTATIONS = 200


@dataclass(frozen=True, slots=True)
class Grounded:
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    at_least: float

    def score(self, subject: Subject) -> Score:
        answer, problem = text_at(subject, None)
        values, missing = _context.given(subject.variables, self.names)
        if problem or missing:
            return verdict("grounded", problem or missing)
        source = "\n".join(text for value in values for text in _context.strings(value))
        found = dict[str, bool]()
        for kind in self.kinds:
            found |= {"numbers": _numbers, "names": _names, "quotations": _quotations}[kind](answer, source)
        absent = [name for name, occurs in found.items() if not occurs]
        value = (len(found) - len(absent)) / len(found) if found else 1.0
        return graded("grounded", value, self.at_least, f"not in the input: {first_of(absent)}")


# The same document is searched for every answer to its case.
@lru_cache(maxsize=16)
def _known_numbers(source: str) -> frozenset[Decimal | None]:
    return frozenset(reading for number in find(source) for reading in (number.value, number.other)) - {None}


@lru_cache(maxsize=16)
def _known_words(source: str) -> frozenset[str]:
    return frozenset(part for word in _WORD.findall(source) for part in _parts(word))


def _numbers(answer: str, source: str) -> dict[str, bool]:
    known = _known_numbers(source)
    stated = {number.value: number.other for number in find(_MARKS.sub(" ", answer))}
    # In a range or a date the dash before a number is not a sign.
    return {shown(value): bool({value, other, abs(value)} & known) for value, other in stated.items()}


def _names(answer: str, source: str) -> dict[str, bool]:
    names = list(_rows(_MARKS.sub(" ", answer)))
    inside = {word for words, starts in names for word in (words[1:] if starts else words)}
    known = _known_words(source)
    found: dict[str, bool] = {}
    for row, starts in names:
        is_all = len(names) == 1 and _WORD.findall(answer) == list(row)
        words = row[1:] if starts and row[0] not in inside and not is_all else row
        if words:
            found[quoted(" ".join(words))] = all(part in known for word in words for part in _parts(word))
    return found


def _rows(text: str) -> Iterator[tuple[tuple[str, ...], bool]]:
    # Yield rows of capitalised words with only space between them, and whether the first one starts a sentence.
    row: list[str] = []
    starts = False
    end = -1
    for word in _WORD.finditer(text):
        if not word[0][0].isupper() or _PRONOUN.match(word[0]):
            continue
        if row and not (text[end : word.start()].isspace() and "\n" not in text[end : word.start()]):
            yield tuple(row), starts
            row = []
        if not row:
            before = text[max(0, word.start() - _BEFORE) : word.start()].rstrip(_NO_END)
            starts = not before or before[-1] in _ENDS
        row.append(_POSSESSIVE.sub("", word[0]))
        end = word.end()
    if row:
        yield tuple(row), starts


def _parts(word: str) -> Iterable[str]:
    return [part for part in STRAIGHT.text(_POSSESSIVE.sub("", word)).split("-") if part]


def _quotations(answer: str, source: str) -> dict[str, bool]:
    known = STRAIGHT.text(source)
    quotations = dict.fromkeys(next(filter(None, match.groups())) for match in _QUOTATION.finditer(answer))
    # Each is searched in the whole source: without a limit the time would be quadratic.
    return {
        quoted(text): all(piece in known for piece in _pieces(text)) for text in islice(quotations, _MOST_QUOTATIONS)
    }


def _pieces(text: str) -> list[str]:
    return [STRAIGHT.text(piece).strip(" .,;:!?\"'") for piece in _ELLIPSIS.split(text)]


def build(argument: Json, context: CheckContext) -> Check:
    given = _options.value_or_options(argument, "in", ("in", "look at", "at least"))
    kinds = given.get("look at", list(_KINDS))
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not kinds:
        raise ValueError("'look at' must name some of numbers, names, quotations")
    wanted = {_options.choice(kind, "look at", _KINDS) for kind in kinds}
    kinds = tuple(kind for kind in _KINDS if kind in wanted)
    return Grounded(_context.named(given.get("in")), kinds, _options.at_least(given))


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(
        {"type": "null"},
        *_options.NAMES["anyOf"],
        **{
            "in": _options.NAMES,
            "look_at": {"anyOf": [{"enum": list(_KINDS)}, {"type": "array", "items": {"enum": list(_KINDS)}}]},
            "at_least": _options.AMOUNT,
        },
    ),
)
