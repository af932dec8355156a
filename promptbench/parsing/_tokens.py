"""Read the tokens of almost-JSON: quoted strings, and what has no quotes: numbers, literals and words.

A string may have any quotes, raw control characters, and quotes that should have been escaped. A quote ends it only if
the text after it may follow a string at this grammar position. All look-ahead stops at the next quote, so the time is
linear.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from promptbench.core.types import Json
from promptbench.parsing._names import ReadError

_PLAIN = re.compile(r'"([^"\\\x00-\x1f]*+)"')
_RUN = {
    '"': re.compile(r'[^"\\\x00-\x1f]*+'),
    "'": re.compile(r"[^'\\\x00-\x1f]*+"),
    "“": re.compile(r'[^"“”„\\\x00-\x1f]*+'),
    "‘": re.compile(r"[^'‘’\\\x00-\x1f]*+"),
}
_FAMILY = {'"': '"', "'": "'", "“": "“", "”": "“", "„": "“", "‘": "‘", "’": "‘"}
_CLOSERS = {'"': '"', "'": "'", "“": "”“", "‘": "’"}
# Models forget to escape line ends and tabs. Other control characters, or any in a key, are accidents.
_CONTROL = re.compile(r"[\x00-\x1f]+")
_SIMPLE_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_SURROGATE = re.compile("[\ud800-\udfff]")

QUOTES: Final = frozenset(_FAMILY)

_S = r"[\s\u200b-\u200d\u2060\ufeff]"
_LITERAL = r"(?:true|false|null|True|False|None|NaN)\b"
_STOP = rf"""//|/\*|\#|```|\Z|\+{_S}*+["'\w]|%{_S}*+[(\w]|\.\w++\(|;"""
_NEXT_KEY = rf"""["'“”„‘/#….}}\]]|[\w$][\w$-]*+["']?{_S}*+:|\Z"""
_NEXT_ITEM = rf"""["'“”„‘/#….}}\]\[{{\d+-]|{_LITERAL}|\Z"""

# What may follow the closing quote of a key, of a member's value, of an array's item.
KEY: Final = re.compile(rf"""{_S}*+(?:[:=]|{_STOP})|{_S}++(?:["'“\[{{\d-]|{_LITERAL})""")
MEMBER: Final = re.compile(rf"""{_S}++"[^"\n]*+"{_S}*+:|{_S}*+(?:[}}\]]|{_STOP}|,{_S}*+(?:{_NEXT_KEY}))""")
ITEM: Final = re.compile(rf"""{_S}++["{{\[]|{_S}*+(?:[}}\]]|{_STOP}|,{_S}*+(?:{_NEXT_ITEM}))""")

_KEY_WITHOUT_CLOSING_QUOTE = re.compile(r"\s*+([\w$-]++)\s*+(?=:)")
_MEMBER_FOLLOWS = re.compile(r"""[\w$ -]*+["”]\s*+:""")
_ENDS_WITH_COMMA = re.compile(r",\s*\Z")
_CLOSING_FENCE = re.compile(r"\n[ \t]*+(?:`{3,}|~{3,}|</[A-Za-z])")
_CLOSERS_AT_END = re.compile(r"(?:\s*+[}\]])++\s*\Z")


class Token(NamedTuple):
    """A value, the offset after it, and name and offset of each repair. `cut` is True if the text ended inside it."""

    value: Json
    end: int
    repairs: list[tuple[str, int]]
    cut: bool = False


def read_string(text: str, start: int, end: int, followers: re.Pattern[str], around: Sequence[Json]) -> Token:
    """Return the string whose opening quote is at `start`.

    Args:
        followers: what may follow the closing quote; KEY, MEMBER or ITEM.
        around: the containers that are open around the string.
    """
    plain = _PLAIN.match(text, start, end)
    if plain and followers.match(text, plain.end(), end):
        value = plain[1]
        if value.isascii() or not _SURROGATE.search(value):
            return Token(value, plain.end(), [])
    return _Reader(text, start, end, followers).read(around)


class _Reader:
    def __init__(self, text: str, start: int, end: int, followers: re.Pattern[str]) -> None:
        self.text, self.start, self.end, self.followers = text, start, end, followers
        self.family = _FAMILY[text[start]]
        self.position = start + 1
        self.parts: list[str] = []
        self.repairs: list[tuple[str, int]] = []
        self.unescaped = 0
        if self.family == "'":
            self.note("single_quotes", start)
        elif self.family != '"':
            self.note("smart_quotes", start)

    def note(self, name: str, position: int) -> None:
        self.repairs.append((name, position))

    def read(self, around: Sequence[Json]) -> Token:
        text, run = self.text, _RUN[self.family]
        while True:
            found = run.match(text, self.position, self.end)
            if found and found.end() > self.position:
                self.parts.append(found[0])
                self.position = found.end()
            if self.position >= self.end:
                return self._unterminated(around)
            char = text[self.position]
            if char == "\\":
                self._escape()
            elif char < " ":
                self._control()
            elif done := self._quote(char):
                return done

    def _finish(self, end: int, *, cut: bool = False) -> Token:
        value = "".join(self.parts)
        if not value.isascii() and (lone := _SURROGATE.search(value)):
            self.note("bad_escape", self.start + lone.start())
            value = _SURROGATE.sub("\ufffd", value)
        return Token(value, end, self.repairs, cut)

    def _control(self) -> None:
        found = _CONTROL.match(self.text, self.position, self.end)
        assert found
        ordinary = self.followers is not KEY and not found[0].strip("\t\n\r")
        self.note("raw_control_char" if ordinary else "bad_escape", self.position)
        self.parts.append(found[0])
        self.position = found.end()

    def _quote(self, char: str) -> Token | None:
        after = self.position + 1
        if self.followers.match(self.text, after, self.end):
            if char not in _CLOSERS[self.family]:
                self.note("missing_quote", self.position)
            self._drop_doubled_quote(char)
            return self._finish(after)
        if missing := self._without_closing_quote(after):
            return missing
        self.unescaped += 1
        self.note("unescaped_quote", self.position)
        self.parts.append(char)
        self.position = after
        return None

    def _drop_doubled_quote(self, char: str) -> None:
        # One extra quote next to an end of the string is that end written twice.
        if self.unescaped == 1 and len(self.parts) > 1:
            if self.parts[0] == char:
                del self.parts[0]
            elif self.parts[-1] == char:
                del self.parts[-1]

    def _without_closing_quote(self, after: int) -> Token | None:
        """Return the string if the quote before `after` more likely opens the next one, else None."""
        if self.unescaped:
            return None
        if self.followers is KEY:
            key = _KEY_WITHOUT_CLOSING_QUOTE.match(self.text, self.start + 1, self.position)
            if key:
                self.parts = [key[1]]
                self.note("missing_quote", key.end())
                return self._finish(key.end())
        elif self.followers is MEMBER and _MEMBER_FOLLOWS.match(self.text, after, self.end):
            content = "".join(self.parts)
            if comma := _ENDS_WITH_COMMA.search(content[-200:]):
                spaces = len(comma[0])
                self.parts = [content[:-spaces]]
                self.note("missing_quote", self.position - spaces)
                return self._finish(self.position - spaces)
        return None

    def _escape(self) -> None:
        text, at = self.text, self.position
        char = text[at + 1] if at + 1 < self.end else ""
        self.position = at + 2
        if char in _SIMPLE_ESCAPES and char:
            self.parts.append(_SIMPLE_ESCAPES[char])
        elif char == "'":
            if self.family != "'":
                self.note("escaped_apostrophe", at)
            self.parts.append(char)
        elif char == "u" and (found := _UNICODE_ESCAPE.match(text, at, self.end)):
            self._unicode(int(found[1], 16), found.end())
        elif not char:
            self.position = self.end
        else:
            self.note("bad_escape", at)
            self.parts.append(char if char in QUOTES else "\\" + char)

    def _unicode(self, code: int, after: int) -> None:
        at = self.position - 2
        self.position = after
        if 0xD800 <= code < 0xDC00:
            low = _UNICODE_ESCAPE.match(self.text, after, self.end)
            if low and 0xDC00 <= (second := int(low[1], 16)) < 0xE000:
                self.parts.append(chr(0x10000 + ((code - 0xD800) << 10) + second - 0xDC00))
                self.position = low.end()
                return
        if 0xD800 <= code < 0xE000:
            self.note("bad_escape", at)
            code = 0xFFFD
        self.parts.append(chr(code))

    def _unterminated(self, around: Sequence[Json]) -> Token:
        # The text ends inside the string: a quote is missing before the last brackets, or the answer was cut off.
        if self.unescaped:
            raise ReadError("quotes", "Quotes do not match from here on", self.start)
        closers = "".join("}" if isinstance(node, dict) else "]" for node in reversed(around))
        fence = _CLOSING_FENCE.search(self.text, self.start, self.end)
        stop = fence.start() if fence else self.end
        tail = _CLOSERS_AT_END.search(self.text, max(self.start + 1, stop - 4 * len(closers) - 8), stop)
        if closers and tail and "".join(tail[0].split()) == closers:
            self.note("missing_quote", tail.start())
            return self._up_to(tail.start(), tail.start(), cut=False)
        self.note("truncated_value", self.start)
        return self._up_to(stop, self.end, cut=True)

    def _up_to(self, stop: int, end: int, *, cut: bool) -> Token:
        if stop < self.end:
            ending = self.repairs.pop()
            shorter = _Reader(self.text, self.start, stop, self.followers)
            shorter.read(())
            self.parts, self.repairs = shorter.parts, [*shorter.repairs[:-1], ending]
        return self._finish(end, cut=cut)


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
