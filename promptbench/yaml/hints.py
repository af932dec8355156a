"""Find the mistake behind a YAML parser error.

A parser reports where it failed, which is rarely where the mistake is. So each common mistake near that line is
corrected on trial: the first one whose correction lets the parser get further is the cause. Nothing is written.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import yaml

from promptbench.core.errors import Code
from promptbench.yaml.text import in_curly, quote

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINES_ABOVE = 5
# Each trial parses the whole text, so in a longer one only the parser's own position is reported.
_MAX_TEXT = 400_000

_ODD_SPACES = "\u00a0\u2007\u202f\u3000"
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_NAME = r"[^\W\d_][\w .-]*?"
_QUOTED = r"'[^'\n]*'|\"[^\"\n]*\""
_START = r" *(?:- +)*"
_NAMED = re.compile(rf"(?P<name>{_START}(?:{_NAME}|{_QUOTED}): +)(?P<value>\S.*?) *$", re.MULTILINE)
_LISTED = re.compile(r"(?P<name> *- +)(?P<value>\S.*?) *$", re.MULTILINE)
_BEFORE_VALUE = rf"(?:{_START}(?:{_NAME}|{_QUOTED}): +| *- +)"
_ENDS_EARLY = "write it twice, '', where it belongs to the text"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters from `start` to `end` with `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class SyntaxHint:
    """A possible mistake: where it is, what to report, and the edits that correct it, which are only tried."""

    start: int
    length: int
    message: str
    hint: str
    edits: tuple[Edit, ...] = ()
    code: Code = Code.YAML_SYNTAX


@dataclass(frozen=True, slots=True)
class _Rule:
    """A mistake that one pattern recognises, matched from the start of a line.

    The group `at` is reported. `fix` replaces the group `cut`, or `at` if there is none. Without `fix` the pattern is
    proof enough. The other groups fill `message` and `hint`.
    """

    pattern: str
    message: str
    hint: str
    fix: Callable[[str], str] | None = None


def _no_odd(text: str) -> str:
    return re.sub(f"[{_INVISIBLE}]", "", re.sub(f"[{_ODD_SPACES}]", " ", text))


# The most specific mistakes first.
_RULES = (
    _Rule(
        r"(?P<at>[ \t]*```[ \t]*\w*)[ \t]*$",
        "this mark of a code block is not part of a suite",
        "delete it",
        lambda _: "",
    ),
    _Rule(
        r"(?<=\}\n)(?P<at>\{)",
        "this is a JSON Lines file, not a suite",
        "save it as cases.jsonl next to a suite with the line 'cases: cases.jsonl'",
    ),
    _Rule(
        rf"(?P<cut>(?:[ -]*|.*?\w: *)(?P<at>[{_ODD_SPACES}]+).*)",
        "this is a non-breaking space, as word processors and web pages have it",
        "write plain spaces",
        _no_odd,
    ),
    _Rule(
        rf"(?P<cut>{_START}[\w .-]*(?P<at>[{_INVISIBLE}]).*)",
        "there is an invisible character ({code}) here",
        "delete it",
        _no_odd,
    ),
    _Rule(
        rf"{_START}{_NAME}(?P<at>：)[ \t]*",
        "this colon (：) is another character than the one that YAML needs",
        "write ': '",
        lambda _: ": ",
    ),
    _Rule(
        rf"{_START}{_NAME}(?P<cut> *(?P<at>=) *)\S",
        "a name and its value are separated by a colon here, not by =",
        "write ': '",
        lambda _: ": ",
    ),
    _Rule(
        r" *(?:- +)*(?P<name>[^\W\d_]+(?: [^\W\d_]+){0,2})(?P<at>:)(?=[^\s/\\:])",
        "there is no space after the colon of '{name}'",
        "write '{name}: '",
        lambda _: ": ",
    ),
    _Rule(
        rf"{_START}(?P<name>{_NAME}): +(?P<at>-) +{_NAME}: ",
        "a list does not start on the line of its name",
        "start a line of its own below '{name}:', with two spaces more",
    ),
    _Rule(
        rf"(?P<in> *){_NAME}:[ \t]*\n(?P<cut>(?P=in))(?P<at>{_NAME}): +\S.*\n(?P=in)  \w",
        "this line does not fit the lines around it",
        "give it two spaces more at its start, as the line below it has",
        lambda indent: f"{indent}  ",
    ),
    _Rule(
        rf"{_START}{_NAME}: +(?P<cut>(?P<at>{_NAME}): [^{{\n]*)\}}[ \t]*$",
        "these names are closed with }} and not opened",
        "write {{ before '{at}'",
        lambda names: f"{{{names}",
    ),
    _Rule(r".*[\]}'\"](?P<at>,)[ \t]*$", "no comma belongs at the end of this line", "delete it", lambda _: ""),
    _Rule(r".*[\]}](?P<at>[\]}])[ \t]*$", "there is one {at} too many", "delete it", lambda _: ""),
    _Rule(r".*\[[^\[\]{}\n]*(?P<at>\})[ \t]*$", "this }} does not close the [ before it", "write ]", lambda _: "]"),
    _Rule(r".*\{[^\[\]{}\n]*(?P<at>\])[ \t]*$", "this ] does not close the {{ before it", "write }}", lambda _: "}"),
    _Rule(
        r"(?: *|.*[,{\[\"][ \t]*)(?P<at>//)(?!.*\")",
        "a comment starts with #, not with //",
        "write # in its place",
        lambda _: "#",
    ),
    _Rule(
        r".*(?P<at>[^\s,{\[:])(?P<cut>)[ \t]*\n[ \t]*\"[^\"\n]*\"[ \t]*:",
        "there is no comma at the end of this line",
        "write one",
        lambda _: ",",
    ),
    # A text in single quotes with an apostrophe between two letters.
    _Rule(
        r".*?(?:[:\[{,-] +|\[|\{)'(?=[^'\n]*(?P<at>'))(?P<cut>(?:[^'\n]|(?<=\w)'(?=\w))+)'(?= *[\]},]*$)",
        "this apostrophe ends the text",
        _ENDS_EARLY,
        lambda text: text.replace("'", "''"),
    ),
    _Rule(
        rf"{_BEFORE_VALUE}(?P<cut>(?P<at>(?P<mark>\"\"\"|\'\'\'))(?P<inner>[^'\"\n]+)(?P=mark)) *$",
        "one quotation mark is enough",
        "write '{inner}'",
        lambda _: "x",
    ),
    _Rule(
        rf"{_BEFORE_VALUE}(?P<cut>'[^'\n]*(?P<at>')[^'\n].*)",
        "this apostrophe ends the text",
        "put the whole text in double quotes",
        lambda _: "x",
    ),
    _Rule(
        rf"{_BEFORE_VALUE}(?P<cut>\"[^\"\n]*(?P<at>\")[^\"\n].*)",
        "this quotation mark ends the text",
        "put the whole text in single quotes",
        lambda _: "x",
    ),
)
_LATE_RULES = (
    _Rule(
        r".*?[{\[][^}\]'\"\n]*[^\s,{\[] (?P<at>#\S.*)$",
        "everything after # is a comment, including the closing bracket",
        "put the text that the # belongs to in quotes",
    ),
    # Two lines below a name, of which the first has a colon and the second is text.
    _Rule(
        rf"{_START}(?P<at>{_NAME}):(?P<cut>) *$\n+ *[^\s\-{{\[].*:(?: .*)?$\n+(?! *{_NAME}: *\S*$)",
        "the text below '{at}:' is taken for more names, because there is a colon in it",
        "write '{at}: |' and leave the text below it as it is",
        lambda _: " |-",
    ),
)


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return the text with the edits applied; they must not overlap."""
    parts, position = [], 0
    for edit in sorted(edits, key=lambda item: item.start):
        parts += [text[position : edit.start], edit.text]
        position = edit.end
    return "".join([*parts, text[position:]])


def error_position(text: str) -> tuple[int, int] | None:
    """Return the line and column, from 0, at which the YAML parser fails; None if it reads the whole text."""
    try:
        yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        return (mark.line, mark.column) if mark else (0, 0)
    return None


def find_cause(text: str, line: int, column: int, opener: int | None = None) -> SyntaxHint | None:
    """Return the mistake that makes the parser fail at a line and column, both from 0; None if none explains it.

    `opener` is the line of what was still open there, such as a bracket.
    """
    if len(text) > _MAX_TEXT:
        return None
    if conflict := re.search(r"^<<<<<<< .*", text, re.MULTILINE):
        return SyntaxHint(
            conflict.start(),
            len(conflict[0]),
            "unresolved git merge conflict",
            "keep one of the two, and delete the lines that start with <<<<<<<, ======= and >>>>>>>",
        )
    for cause in _Text(text, line).candidates(opener):
        if not cause.edits:
            return cause
        reached = error_position(apply_edits(text, cause.edits))
        if reached is None or reached > (line, column + _added_length(cause, line, text)):
            return cause
    return None


def _added_length(cause: SyntaxHint, line: int, text: str) -> int:
    here = [edit for edit in cause.edits if text.count("\n", 0, edit.start) == line]
    return max(0, sum(len(edit.text) - (edit.end - edit.start) for edit in here))


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


class _Text:
    """A text with an error on line `at`, from 0."""

    def __init__(self, text: str, at: int) -> None:
        self.text, self.lines = text, text.split("\n")
        self.starts = [0, *accumulate(len(line) + 1 for line in self.lines)]
        self.at = min(at, len(self.lines) - 1)

    def candidates(self, opener: int | None) -> Iterator[SyntaxHint]:
        """Yield the mistakes that may be the cause, the most specific kind first."""
        near = [*range(self.at, max(-1, self.at - _LINES_ABOVE), -1)]
        if opener is not None and opener < len(self.lines) and opener not in near:
            near.append(opener)
        yield from self._each(near, self._tabs, self._dashes, self._curly, self._colon_forgotten, self._open_quote)
        yield from self._by_rules(near, _RULES)
        yield from self._each(near, self._unquoted)
        yield from self._by_rules(near, _LATE_RULES)
        yield from self._each(near, self._block, self._no_colon)
        yield from self._each([self.at], self._dash, self._indented)

    def _each(self, near: list[int], *finders: Callable[[int], Iterator[SyntaxHint]]) -> Iterator[SyntaxHint]:
        for find in finders:
            for number in near:
                yield from find(number)

    def _by_rules(self, near: list[int], rules: Iterable[_Rule]) -> Iterator[SyntaxHint]:
        for rule in rules:
            pattern = re.compile(rule.pattern, re.MULTILINE)
            for found in filter(None, (pattern.match(self.text, self.starts[number]) for number in near)):
                groups = found.groupdict()
                start, end = found.span("cut" if "cut" in groups else "at")
                edits = (Edit(start, end, rule.fix(self.text[start:end])),) if rule.fix else ()
                length = max(1, len(found["at"].rstrip(" \t")))
                yield SyntaxHint(
                    found.start("at"),
                    length,
                    rule.message.format(**groups, code=f"U+{ord(found['at'][0]):04X}"),
                    rule.hint.format(**groups),
                    edits,
                )

    def _tabs(self, number: int) -> Iterator[SyntaxHint]:
        # A tab may stand for any of these widths; the trial keeps the one with which the text parses.
        if not re.match(r"(?: |- +|-(?=\t))*\t[\t ]*", self.lines[number]):
            return
        at = self.starts[number] + self.lines[number].index("\t")
        for width in (2, 4, 8, 1, 3):
            leads = re.finditer(r"^(?: |-(?=[ \t]))*\t[\t ]*(?:-(?=[ \t])[\t ]*)?", self.text, re.MULTILINE)
            edits = [Edit(*lead.span(), lead[0].replace("-\t", "- ").replace("\t", " " * width)) for lead in leads]
            yield SyntaxHint(
                at,
                1,
                "this line starts with a tab; YAML needs spaces",
                "use two spaces for each level",
                tuple(edits),
                Code.TAB_INDENT,
            )

    def _dashes(self, number: int) -> Iterator[SyntaxHint]:
        """Yield the dash of this entry, then the dashes of all entries around it in the same column."""
        found = _DASH.match(self.lines[number])
        if not found or (found["dash"] != "-" and not found["space"]):
            return
        column, plain = found.start("dash"), found["dash"] == "-"
        message = f"a new entry starts with '- ', not with '{found['dash']}'"
        message = "there is no space after this dash" if plain else message
        hint = "write '- ', then the name" if plain else "write '- ' in its place"
        for numbers in ([number], self._entries(number, column)):
            word = re.match(r"-[\w@%`*&-]*", self.lines[numbers[0]][column:])
            edits = [edit for entry in numbers for edit in self._with_space(entry, column)]
            start = self.starts[numbers[0]] + column
            yield SyntaxHint(start, len(word[0]) if word else 1, message, hint, tuple(edits))

    def _entries(self, number: int, column: int) -> list[int]:
        """Return the lines of the list around line `number` that have such a dash in `column`."""
        outside = [at for at, line in enumerate(self.lines) if line.strip() and _indent(line) < column]
        first = max((at for at in outside if at < number), default=-1)
        last = min((at for at in outside if at > number), default=len(self.lines))
        matches = ((at, _DASH.match(self.lines[at])) for at in range(first + 1, last))
        return [at for at, found in matches if found and found.start("dash") == column]

    def _with_space(self, number: int, column: int) -> Iterator[Edit]:
        """Yield the edits that add the space after a dash and keep the lines below aligned with the name."""
        found = _DASH.match(self.lines[number])
        assert found is not None
        yield Edit(self.starts[number] + column, self.starts[number] + found.end("space"), "- ")
        if found.end("space") == column + 1:
            for below in range(number + 1, len(self.lines)):
                inside = _indent(self.lines[below]) - column
                if self.lines[below].strip() and inside <= 0:
                    return
                if self.lines[below].strip() and inside == 1:
                    yield Edit(self.starts[below], self.starts[below], " ")

    def _value(self, number: int) -> re.Match[str] | None:
        start = self.starts[number]
        return _NAMED.match(self.text, start) or _LISTED.match(self.text, start)

    def _curly(self, number: int) -> Iterator[SyntaxHint]:
        found = self._value(number)
        inner = in_curly(found["value"]) if found else None
        if found and inner is not None:
            start, end = found.span("value")
            message = "YAML reads these word-processor quotation marks as letters"
            edit = Edit(start, end, quote(inner))
            yield SyntaxHint(start, end - start, message, f"write straight ones: {quote(inner)}", (edit,))

    def _unquoted(self, number: int) -> Iterator[SyntaxHint]:
        """Find a value that needs quotes because YAML would read it as something else."""
        found = self._value(number)
        value = found["value"] if found else "'"
        if not found or re.search(r"(?:^| )#", value) or value[0] in "'\"" or error_position(f"x: {value}") is None:
            return
        if value[0] in "[{" and value[:2] != "{{" and (value[-1] in "]}" or re.search(r"[\[{][^\]}]*\Z", value)):
            return
        start, end = found.span("value")
        edit = Edit(start, end, quote(value))
        shown = found["name"].strip(" -") + f" {quote(value)}" if found.re is _NAMED else f"- {quote(value)}"
        if value[0] in "@`%&*!|>?-[{#}],":
            mark = "{{" if value.startswith("{{") else value[0]
            word = re.match(r"[\w@%`*&!{}\[\]|>?-]+", value)
            message = f"a text that starts with {mark} needs quotes"
            yield SyntaxHint(start, len(word[0]) if word else 1, message, f"write it as {shown}", (edit,))
        elif colon := re.search(r":(?: |\Z)", value):
            message = "a colon followed by a space is here where none is expected"
            if colon.end() == len(value):
                message = "a colon is here at the end of a text"
            yield SyntaxHint(start + colon.start(), 1, message, f"put the text in quotes: {shown}", (edit,))

    def _block(self, number: int) -> Iterator[SyntaxHint]:
        """Find a block text (`name: |`) with a line that is not indented far enough."""
        found = re.match(rf"(?P<before>{_START})(?P<name>{_NAME}): *[|>][+-]?\d? *\Z", self.lines[number])
        if not found or number >= self.at or not self.lines[number + 1].strip():
            return
        column, inside, here = len(found["before"]), _indent(self.lines[number + 1]), _indent(self.lines[self.at])
        if inside <= column:
            message = f"the text of '{found['name']}' does not start further in than its name"
            hint = f"give each of its lines {column + 2} spaces at the start"
            below = self.lines[number + 1].strip()
            yield SyntaxHint(self.starts[number + 1] + inside, len(below), message, hint)
        elif (
            number + 1 < self.at and here < inside and not re.match(rf" *(?:- |{_NAME}:(?: |\Z))", self.lines[self.at])
        ):
            start = self.starts[self.at]
            edit = Edit(start, start + here, " " * inside)
            message = f"this line of the text of '{found['name']}' starts further left than its first one"
            hint = f"give it at least {inside} spaces at the start"
            yield SyntaxHint(start + here, len(self.lines[self.at].strip()), message, hint, (edit,))

    def _colon_forgotten(self, number: int) -> Iterator[SyntaxHint]:
        """Find an indented name without a colon, to which the lines below it belong, or which they follow."""
        line = self.lines[number]
        below = next((item for item in self.lines[number + 1 :] if item.strip()), "")
        found = re.match(rf"(?P<before>{_START})(?P<first>[^\W\d_][\w.-]*)(?P<rest>[^:#{{}}\[\]'\"：]*?) *\Z", line)
        if not found or not re.match(rf" *(?:- +)*{_NAME}:(?: |\Z)", below):
            return
        start, column, inside = self.starts[number], len(found["before"]), _indent(below)
        first, rest = found["first"], found["rest"]
        if inside > column:
            edit, hint = Edit(start + found.end("rest"), start + found.end("rest"), ":"), f"write '{first}{rest}:'"
        elif inside == column and column and rest:
            edit, hint = Edit(start + found.end("first"), start + found.end("first"), ":"), f"write '{first}:{rest}'"
        elif inside == column and "-" in found["before"]:
            edit, hint = Edit(start + column, start + column, "case: "), f"write '- case: {first}'"
        else:
            return
        length = len(first + rest)
        yield SyntaxHint(start + column, length, "there is no colon on this line", hint, (edit,))

    def _open_quote(self, number: int) -> Iterator[SyntaxHint]:
        """Find a quotation mark that only one on a line below closes."""
        line, start = self.lines[number], self.starts[number]
        for mark in "'\"":
            found = re.match(rf".*[{{\[,:-] *(?P<at>{mark})(?P<inner>[^{mark}\n]*)\Z", line)
            if not found or line.count(mark) % 2 == 0:
                continue
            before = line[: found.start("at")]
            in_braces = before.count("{") + before.count("[") > before.count("}") + before.count("]")
            inner = re.match(r"[^,}\]]*", found["inner"]) if in_braces else None
            text = (inner[0] if inner else found["inner"]).rstrip()
            end = start + found.start("inner") + len(text)
            where = "after the text" if in_braces else "at the end of the line"
            message, hint = "a quotation mark is opened here and not closed on this line", f"close it {where}"
            yield SyntaxHint(start + found.start("at"), 1, message, hint, (Edit(end, end, mark),))

    def _no_colon(self, number: int) -> Iterator[SyntaxHint]:
        """Find a line at the left that has no colon."""
        line, start = self.lines[number], self.starts[number]
        if number < self.at and re.fullmatch(r"[^\W\d_][^:#{}\[\]'\"：]*", line):
            words = line.split()
            example = f"{words[0]}: {words[1]}" if len(words) == 2 else "name: value"
            hint = f"write it as '{example}', or start it with # to make it a comment"
            edit = Edit(start, start, "# ")
            yield SyntaxHint(start, len(line.rstrip()), "there is no colon on this line", hint, (edit,))

    def _dash(self, number: int) -> Iterator[SyntaxHint]:
        """Find a dash that is missing in a list, or one too many before a name, by the entry above."""
        found = re.match(rf"(?P<before> *)(?P<name>{_NAME}): ", self.lines[number])
        if not found:
            return
        column = len(found["before"])
        entry = re.compile(rf"(?P<dash> {{{column}}}- +)(?P<name>{_NAME}):(?: |\Z)")
        like = next(filter(None, (entry.match(self.text, start) for start in self.starts[:number][::-1])), None)
        above = (line for line in self.lines[:number][::-1] if line.strip() and _indent(line) < column)
        parent = next(above, "").strip()
        start, name = self.starts[number] + column, found["name"]
        if like and parent in ("vars:", "expect:", "gate:"):
            message = f"no '- ' belongs before the names below '{parent}'"
            edit = Edit(like.start() + column, like.end("dash"), "")
            yield SyntaxHint(like.start() + column, 1, message, f"write '{like['name']}: …' without it", (edit,))
        elif like and (like["name"] == name or like["name"] != "case"):
            edit = Edit(start, start, "- ")
            yield SyntaxHint(start, len(name), "a new entry starts with '- '", f"write '- {name}: …'", (edit,))

    def _indented(self, number: int) -> Iterator[SyntaxHint]:
        """Find a line at the wrong column, and try the columns at which something above it starts."""
        line = self.lines[number]
        # Nothing can be aligned with lines whose column is unknown until another mistake is corrected.
        unclear = re.search(rf"^ *[\t{_ODD_SPACES}{_INVISIBLE}]", self.text, re.MULTILINE)
        if not line.strip() or unclear:
            return
        here = _indent(line)
        columns: dict[int, int] = {}
        for above in range(number - 1, -1, -1):
            text = self.lines[above]
            if not text.strip() or text.lstrip().startswith("#"):
                continue
            for found in re.finditer(r"(?:\A|(?<=- )) *(?=\S)", text[: len(text) - len(text.lstrip(" -"))] + "x"):
                columns.setdefault(found.end(), above)
            if len(columns) > 1 and _indent(text) == 0:
                break
        columns.pop(here, None)
        word = re.match(r"[\w@%`*&-]+", line[here:])
        for column, like in sorted(columns.items(), key=lambda item: abs(item[0] - here)):
            name = re.match(r"[\w .'\"-]*", self.lines[like][column:])
            shown = f"'{name[0].strip()}'" if name and name[0].strip(" -") else "what is"
            spaces = {0: "no space", 1: "one space"}.get(column, f"{column} spaces")
            hint = f"give it {spaces} at its start, as {shown} has on line {like + 1}"
            message, length = "this line does not fit the lines above it", len(word[0]) if word else 1
            edits = tuple(self._shifted(number, column - here))
            yield SyntaxHint(self.starts[number] + here, length, message, hint, edits)

    def _shifted(self, number: int, by: int) -> Iterator[Edit]:
        here = _indent(self.lines[number])
        for below in range(number, len(self.lines)):
            text, start = self.lines[below], self.starts[below]
            if below > number and text.strip() and _indent(text) <= here:
                return
            if text.strip():
                yield Edit(start, start - min(by, 0), " " * max(by, 0))


_DASH = re.compile(r"(?P<before> *(?:- +)*)(?P<dash>[–—•·*]|-(?=[^\s-]))(?P<space> *)(?=\S)")
