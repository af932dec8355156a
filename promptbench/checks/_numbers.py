"""Find numbers in a text, as exact decimals, with the separators of several languages.

It reads `1234.5`, `1,234.5`, `1.234,5`, `1 234,5`, `1'234.5`, `12,34,567`, `.5` and `1e3`, but not digits
that belong to a word (`GPT-4`, `H2O`, `1.2.3`), nor numbers in words. `1,234` and `1.234` have two readings: the
decimal mark decides.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal

from promptbench.checks._scores import quoted

# Enough digits for a sum, difference or product of any two numbers that are read here.
EXACT = Context(prec=2_000)
_MOST_DIGITS = 400

_GAP = "[ \u00a0\u202f\u2009'’]"
_TOKEN = re.compile(
    rf"(?<![\w.,])(?:[0-9]{{1,3}}(?:(?P<gap>{_GAP})[0-9]{{3}}(?![0-9]))(?:(?P=gap)[0-9]{{3}}(?![0-9]))*(?:[.,][0-9]++)?"
    r"|[0-9]++(?:[.,][0-9]++)*|\.[0-9]++)(?:[eE][+-]?[0-9]{1,3}(?![\w]))?"
)
_GROUPS = re.compile(r"[1-9][0-9]{0,2}(?:[.,][0-9]{3})+\Z|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}\Z")
_SIGNS = {"-": "-", "−": "-", "–": "-", "+": ""}


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text. `other` is its value with the other decimal mark, if that differs from `value`.

    `start` and `end` are offsets in characters, sign included.
    """

    text: str
    value: Decimal
    other: Decimal | None
    start: int
    end: int


def find(text: str, *, comma: bool = False) -> Iterator[Number]:
    """Yield the numbers of a text in their order. With `comma` the decimal mark is a comma."""
    for token in _TOKEN.finditer(text):
        # `4` in `GPT-4` is not a number; in `5-4` and `-4` it is.
        before = text[max(0, token.start() - 2) : token.start()]
        if before[1:] and before[1] in "-–" and before[0].isalpha():
            continue
        start, sign = _sign(text, token.start())
        readings = _readings(token[0], comma)
        if readings is None and "." not in token[0]:
            yield from _apart(text, token)
        elif readings is not None:
            values = [Decimal(f"{sign}{reading}") for reading in readings]
            other = values[1] if len(values) > 1 and values[1] != values[0] else None
            yield Number(text[start : token.end()], values[0], other, start, token.end())


def shown(number: Decimal) -> str:
    """Return a number for a message, without an exponent if it is short."""
    return quoted(format(number, "f") if -12 <= number.adjusted() <= 20 else str(number))[1:-1]


def _apart(text: str, token: re.Match[str]) -> Iterator[Number]:
    # `1,2,3` is three numbers.
    position = token.start()
    for part in token[0].split(","):
        if part.isdigit() and len(part) <= _MOST_DIGITS:
            yield Number(part, Decimal(part), None, position, position + len(part))
        position += len(part) + 1


def _sign(text: str, start: int) -> tuple[int, str]:
    # Return where the number starts with its sign, and the sign; `-$5` and `$-5` are both negative.
    for at in (start - 1, start - 2 if text[start - 1 : start] and text[start - 1] in "$€£¥₹" else -1):
        if at >= 0 and text[at] in _SIGNS and (at == 0 or not (text[at - 1].isalnum() or text[at - 1] == ")")):
            return at, _SIGNS[text[at]]
    return start, ""


def _readings(token: str, comma: bool) -> list[str] | None:
    if len(token) > _MOST_DIGITS:
        return None
    body, mark, exponent = token.lower().partition("e")
    spaced = re.sub(_GAP, "", body)
    points, commas = spaced.count("."), spaced.count(",")
    if points and commas:
        last = max(".,", key=spaced.rfind)
        whole, _, part = spaced.rpartition(last)
        if last in whole or not _GROUPS.match(whole):
            return None
        found = [f"{re.sub('[.,]', '', whole)}.{part}"]
    elif points + commas > 1:
        found = [re.sub("[.,]", "", spaced)] if _GROUPS.match(spaced) else []
    elif points + commas == 1:
        decimal = spaced.replace(",", ".")
        found = [decimal]
        if spaced is body and _GROUPS.match(spaced):
            whole = re.sub("[.,]", "", spaced)
            found = [decimal, whole] if ("," in spaced) == comma else [whole, decimal]
    else:
        found = [spaced]
    return [reading + mark + exponent for reading in found] or None
