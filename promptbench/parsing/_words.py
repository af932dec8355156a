"""Read what has no quotes in almost-JSON: numbers, literals and words."""

import re
from typing import Final

from promptbench.core.types import Json
from promptbench.parsing._names import ReadError
from promptbench.parsing._strings import Token

# By name, the value and the repairs that it needs.
_LITERALS: Final[dict[str, tuple[Json, tuple[str, ...]]]] = {
    "true": (True, ()),
    "false": (False, ()),
    "null": (None, ()),
    "True": (True, ("python_literal",)),
    "False": (False, ("python_literal",)),
    "None": (None, ("python_literal",)),
    "NaN": (None, ("nan_literal",)),
}

_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*+))((?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)")
_NUMBER_TOKEN = re.compile(r"[+-]?(?:Infinity\b|[\w.]++(?:(?<=[eE])[+-][\w.]++)?)?")
_OTHER_NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:_[0-9]{3})+)?(?:(?P<dot>\.)(?P<part>[0-9]*))?"
    r"(?P<power>[eE][+-]?[0-9]+)?"
)
_WORD = re.compile(r"[^\W\d]\w*+")
_UNQUOTED = re.compile(r"""[^\W\d][^,{}\[\]"'“”:;()=+*<>|&\n\\`]*+""")
_END = re.compile(r"\s*+\Z")
_AFTER_LITERAL = re.compile(r"""\s*+(?:[,}\]]|//|/\*|\#|```|</|\Z)|\s++["'{\[]""")
_AFTER_QUOTE = re.compile(r"\s*+(?:[,}\]]|\Z)")
_CALL = re.compile(r"(?:\s*+\.\s*+\w++)*+\s*+(?:\(|=>)|\s++[\w.]++\s*+\(")
_NO_DATA = frozenset({"Infinity", "inf", "undefined"})


def read_number(text: str, start: int, end: int) -> Token:
    """Return the number that starts at `start`. Raises ReadError if its form is ambiguous."""
    token = _NUMBER_TOKEN.match(text, start, end)
    assert token
    stop = token.end()
    number = _NUMBER.fullmatch(text, start, stop)
    if number:
        return Token(_exact(number[1], number[2], start), stop, [])
    word = token[0].lstrip("+-")
    if word == "NaN":
        return Token(None, stop, [("nan_literal", start)])
    if word in ("Infinity", "inf"):
        raise ReadError("infinity", "Infinity is not a JSON value", start)
    other = _OTHER_NUMBER.fullmatch(text, start, stop)
    if not other or not (other["whole"] or other["part"]):
        if _END.match(text, stop, end):
            return Token(None, stop, [], cut=True)
        raise ReadError("number", "This number has no single reading", start)
    sign = "-" if other["sign"] == "-" else ""
    whole = (other["whole"] or "0").replace("_", "")
    rest = ("." + (other["part"] or "0") if other["dot"] else "") + (other["power"] or "")
    return Token(_exact(sign + whole, rest, start), stop, [("number_form", start)])


def _exact(whole: str, rest: str, position: int) -> int | float:
    try:
        number = float(whole + rest) if rest else int(whole)
    except ValueError:
        raise ReadError("huge_number", "The number has too many digits", position) from None
    if number - number != 0:
        raise ReadError("huge_number", "The number is too large for a float", position)
    return number


def read_word(text: str, start: int, end: int, *, quotes: bool) -> Token:
    """Return a literal, or an unquoted text if the document uses `quotes` elsewhere.

    Raises:
        ReadError: for code and prose.
    """
    word = _WORD.match(text, start, end)
    assert word
    if literal := _literal(text, word, end):
        return literal
    if _CALL.match(text, word.end(), end):
        raise ReadError("code", "There is code instead of a value", start)
    return _unquoted(text, start, end, quotes)


def _literal(text: str, word: re.Match[str], end: int) -> Token | None:
    name, start, stop = word[0], word.start(), word.end()
    if stop == end:
        return _cut_literal(name, start, stop)
    if not _AFTER_LITERAL.match(text, stop, end):
        return None
    if literal := _LITERALS.get(name):
        return Token(literal[0], stop, [(repair, start) for repair in literal[1]])
    if name in _NO_DATA:
        raise ReadError("no_value", f"{name} is not a JSON value", start)
    return None


def _cut_literal(name: str, start: int, stop: int) -> Token:
    for literal, (value, repairs) in _LITERALS.items():
        if literal.startswith(name):
            names = (*(["truncated_value"] if name != literal else []), *repairs)
            return Token(value, stop, [(repair, start) for repair in names])
    return Token(None, stop, [], cut=True)


def _unquoted(text: str, start: int, end: int, quotes: bool) -> Token:
    run = _UNQUOTED.match(text, start, end)
    assert run
    stop = run.end()
    if stop == end:
        return Token(None, stop, [], cut=True)
    if quotes and text[stop] == '"' and _AFTER_QUOTE.match(text, stop + 1, end):
        return Token(run[0], stop + 1, [("missing_quote", start)])
    if quotes and text[stop] in ",}]\n":
        return Token(run[0].rstrip(), stop, [("missing_quote", start)])
    raise ReadError("words", "There are words instead of a value", start)
