"""A tolerant parser for one object or array. It is iterative and linear, and records each repair."""

import re
import string
from typing import Any, Literal

from promptbench.core.types import Json, Repair
from promptbench.parsing._candidates import ParsedValue
from promptbench.parsing._names import ReadError
from promptbench.parsing._outside import UNFINISHED
from promptbench.parsing._strict import MOST_DEPTH
from promptbench.parsing._tokens import ITEM, KEY, MEMBER, QUOTES, Token, read_number, read_string, read_word

_NEVER_SKIPPED = frozenset("{}[],:\"'-0123456789" + string.ascii_letters)
_SPACE = re.compile(r"[ \t\r\n]*+")
_ODD_SPACE = re.compile(r"[^\S \t\r\n]+|[\u200b-\u200d\u2060\ufeff]+")
_LINE = re.compile(r"[^\n]*+")
_BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_END_OF_WRAP = re.compile(r"`{3}|~{3}|</[A-Za-z]")
_KEY_WORD = re.compile(r"(?:[^\W\d]|\$)[\w$-]*+")
_KEY_NUMBER = re.compile(r"(?:0|[1-9][0-9]*+)(?![\w.$-])")
_KEY_WORDS = re.compile(r"[^\W\d][\w$ -]*+")
_SMALL_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?=[ \t\r\n]*+[,}\]])")
_ELLIPSIS = re.compile(r"\.{3}|…")
_LEFT_OUT = re.compile(
    rf"{UNFINISHED.pattern}|\b(?:more|rest|others?|same|similar|likewise|continues?d?|repeat(?:ed|s)?|additional|further"
    r"|fill|add|skipped|elided|todo)\b",
    re.IGNORECASE,
)
_COLON = re.compile(r"\s*+:")
_STARTS_VALUE = frozenset("\"'“”‘’„{[-0123456789")
_CALL = re.compile(r"[\w.]++\s*+\(")

# What the scanner expects next: `after` is after a value, `done` after the last closing bracket.
_State = Literal["value", "key", "colon", "after", "done"]


class Scanner:
    """Read the object or array at `start`, up to `end`."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text, self.position, self.end = text, start, end
        self.start = start
        self.stack: list[Any] = []
        self.root: Json = None
        self.key = ""
        self.key_position = start
        self.state: _State = "value"
        self.after_comma = False
        self.repairs: list[Repair] = []
        self.kinds: dict[str, str] = {}
        self.quotes = text.find('"', start, end) >= 0 or text.find("'", start, end) >= 0

    def scan(self) -> ParsedValue:
        """Return the value. Raises ReadError."""
        steps = {"value": self._value, "key": self._key, "colon": self._colon, "after": self._after}
        try:
            while self.state != "done":
                self._skip()
                steps[self.state]()
        except ReadError as error:
            raise ReadError(f"{error.kind}:{self._where()}", error.reason, error.position) from None
        return ParsedValue(self.root, self.start, self.position, tuple(self.repairs), self.kinds)

    def members_of(self, root: dict[str, Json], *, after_comma: bool) -> ParsedValue:
        """Add the members that follow outside the braces of `root`, up to a closing brace or the end."""
        self.root, self.stack = root, [root]
        self.state, self.after_comma = "key", after_comma
        self.note("orphan_members", self.position)
        return self.scan()

    def note(self, name: str, position: int) -> None:
        self.repairs.append(Repair(name, position))
        if name not in self.kinds:
            self.kinds[name] = f"{name}:{self._where()}"

    def _where(self) -> str:
        container = ("object" if type(self.stack[-1]) is dict else "array") if self.stack else "root"
        return f"{container}@{self.state}"

    def _refuse(self, kind: str, reason: str) -> ReadError:
        return ReadError(kind, reason, self.position)

    def _take(self, token: Token) -> None:
        """Add the repairs of a token, and move past it."""
        for name, position in token.repairs:
            self.note(name, position)
        self.position = token.end

    def _skip(self) -> None:
        """Skip white space and comments. A closing fence or tag ends the text."""
        if self.position < self.end and self.text[self.position] in _NEVER_SKIPPED:
            return
        while True:
            if found := _SPACE.match(self.text, self.position, self.end):
                self.position = found.end()
            if self.position >= self.end:
                return
            char = self.text[self.position]
            if char in "/#" and self._comment(char):
                continue
            if char in "`~<" and _END_OF_WRAP.match(self.text, self.position, self.end):
                self.end = self.position
            odd = _ODD_SPACE.match(self.text, self.position, self.end)
            if odd is None:
                return
            self.note("odd_space", self.position)
            self.position = odd.end()

    def _comment(self, char: str) -> bool:
        start = self.position
        if char == "#" or self.text.startswith("//", start, self.end):
            found = _LINE.match(self.text, start, self.end)
            name = "hash_comment" if char == "#" else "line_comment"
        else:
            found = _BLOCK_COMMENT.match(self.text, start, self.end)
            name = "block_comment"
        if not found:
            return False
        self.note(name, start)
        if _LEFT_OUT.search(found[0]):
            self.note("ellipsis", start)
        # A comment with half a pair of quotes may be a text that lost the other half.
        if name != "block_comment" and (found[0].count('"') % 2 or found[0].rstrip(",]} \t\r").endswith("'")):
            self.note("missing_quote", start)
        self.position = found.end()
        return True

    def _peek(self) -> str:
        return self.text[self.position] if self.position < self.end else ""

    def _cut(self) -> None:
        # The text ended inside the data.
        if not self.root:
            raise self._refuse("unclosed", "The text ends before the first value is complete")
        self.note("unclosed", self.position)
        self.state = "done"

    def _put(self, value: Json) -> None:
        if not self.stack:
            self.root = value
        elif type(top := self.stack[-1]) is list:
            top.append(value)
        else:
            if self.key in top:
                self.note("duplicate_key", self.key_position)
            top[self.key] = value

    def _value(self) -> None:
        char = self._peek()
        if char == '"' or char in QUOTES:
            self._string_value()
        elif char and char in "{[":
            self._open(char)
        elif char and (char in "+-." or "0" <= char <= "9"):
            self._number_or_ellipsis()
        elif char and char in "}]":
            if type(self.stack[-1]) is dict:
                raise self._refuse("missing_value", "A key has no value")
            self._close_after_comma(char)
        elif not char:
            self._cut()
        elif char.isalpha() or char == "_":
            token = read_word(self.text, self.position, self.end, quotes=self.quotes)
            start = self.position
            self._take(token)
            if token.cut:
                self.note("truncated_value", start)
                self._cut()
            else:
                self._put(token.value)
                self.state = "after"
        elif char == "…":
            self._ellipsis(self.position + 1)
        else:
            raise self._refuse("missing_value", "There is no value where one is expected")

    def _string_value(self) -> None:
        followers = MEMBER if type(self.stack[-1]) is dict else ITEM
        token = read_string(self.text, self.position, self.end, followers, self.stack)
        self._take(token)
        self._put(token.value)
        self.state = "after"

    def _open(self, char: str) -> None:
        if len(self.stack) >= MOST_DEPTH:
            raise self._refuse("too_deep", f"The data is too deep: more than {MOST_DEPTH} levels")
        node: Any = {} if char == "{" else []
        self._put(node)
        self.stack.append(node)
        self.position += 1
        self.state, self.after_comma = ("key" if char == "{" else "value"), False

    def _number_or_ellipsis(self) -> None:
        if small := _SMALL_INTEGER.match(self.text, self.position, self.end):
            self._put(int(small[0]))
            self.position, self.state = small.end(), "after"
        elif dots := _ELLIPSIS.match(self.text, self.position, self.end):
            self._ellipsis(dots.end())
        else:
            token = read_number(self.text, self.position, self.end)
            start = self.position
            self._take(token)
            self._skip()
            if token.cut or self.position >= self.end:
                self.note("truncated_value", start)
                self._cut()
            else:
                self._put(token.value)
                self.state = "after"

    def _ellipsis(self, end: int) -> None:
        # `...` stands for items, members or a value that the model left out.
        self.note("ellipsis", self.position)
        self.position, self.state = end, "after"

    def _close_after_comma(self, char: str) -> None:
        if self.after_comma:
            self.note("trailing_comma", self.text.rfind(",", 0, self.position))
        self._close(char)

    def _close(self, char: str) -> None:
        wanted: type = dict if char == "}" else list
        if type(self.stack[-1]) is not wanted:
            self.note("mismatched_closer", self.position)
            if any(type(node) is wanted for node in self.stack):
                while type(self.stack[-1]) is not wanted:
                    self.stack.pop()
        self.stack.pop()
        self.position += 1
        self.state = "after" if self.stack else "done"

    def _key(self) -> None:
        char = self._peek()
        self.key_position = self.position
        if char == '"' or char in QUOTES:
            self._string_key()
        elif char and char in "}]":
            self._close_after_comma(char)
        elif not char:
            self._cut()
        elif dots := _ELLIPSIS.match(self.text, self.position, self.end):
            self._ellipsis(dots.end())
        else:
            self._unquoted_key()

    def _string_key(self) -> None:
        token = read_string(self.text, self.position, self.end, KEY, ())
        self._take(token)
        if token.cut:
            self._cut()
        else:
            self.key, self.state = token.value, "colon"

    def _unquoted_key(self) -> None:
        text, start, end = self.text, self.position, self.end
        found = _KEY_NUMBER.match(text, start, end) or _KEY_WORD.match(text, start, end)
        if not found:
            raise self._refuse("key", "There is no key where one is expected")
        stop = found.end()
        if stop == end:
            return self._cut()
        name = "missing_quote" if found[0] in ("True", "False", "None") else "unquoted_key"
        if not _COLON.match(text, stop, end):
            found = _KEY_WORDS.match(text, start, end)
            stop = found.end() if found else stop
            stop += text.startswith('"', stop, end)
            name = "missing_quote"
            if not found or not self.quotes or not _COLON.match(text, stop, end):
                raise self._refuse("words", "There are words instead of a key")
        self.note(name, start)
        self.key, self.state = found[0].rstrip(), "colon"
        self.position = stop
        return None

    def _colon(self) -> None:
        char = self._peek()
        if not char:
            self._cut()
            return
        if char == ":":
            self.position += 1
        elif char in _STARTS_VALUE or char.isalpha():
            self.note("missing_colon", self.position)
        else:
            raise self._refuse("colon", "There is no colon after a key")
        self.state = "value"

    def _after(self) -> None:
        char = self._peek()
        in_object = type(self.stack[-1]) is dict
        if char == ",":
            self.position += 1
            self.state, self.after_comma = ("key" if in_object else "value"), True
        elif char and char in "}]":
            self._close(char)
        elif not char:
            self._cut()
        elif _CALL.match(self.text, self.position, self.end):
            raise self._refuse("code", "There is code between the values")
        elif (char in _STARTS_VALUE and char != "-") or char.isalpha() or char == "_":
            if in_object and char in "{[":
                raise self._refuse("key", "There is a value where a key is expected")
            self.note("missing_comma", self.position)
            self.state, self.after_comma = ("key" if in_object else "value"), True
        elif char in "+-*/%^":
            raise self._refuse("arithmetic", "There is arithmetic instead of a value")
        elif dots := _ELLIPSIS.match(self.text, self.position, self.end):
            self._ellipsis(dots.end())
        else:
            raise self._refuse("code", "There is code, or something else that is not data, after a value")
