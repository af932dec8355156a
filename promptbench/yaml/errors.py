"""Explain errors of the YAML parser in the words of a suite's author."""

import re
from dataclasses import replace

import yaml

from promptbench.core.errors import Code, Diagnostics, Location
from promptbench.yaml.hints import find_cause
from promptbench.yaml.source import Source
from promptbench.yaml.text import SURROGATES, whole_character

_PROBLEMS = (
    # (libyaml's message, our message, our hint)
    (
        "did not find expected '-' indicator",
        "this line does not fit the list above it",
        "start it with '- ' if it is a new entry, or give it as many spaces as the lines that it belongs to",
    ),
    ("did not find expected ',' or ']'", "the list opened with [ is not closed", "close it with ]"),
    ("did not find expected ',' or '}'", "the braces opened with { are not closed", "close them with }"),
    (
        "unexpected end of stream",
        "a quotation mark is opened and never closed",
        "close it, or double it inside the text",
    ),
    (
        "did not find expected key",
        "this line does not fit the lines above it",
        "give it as many spaces at its start as the lines that it belongs to",
    ),
    ("did not find expected node content", "something is missing here", "write a text, or close what is open above"),
    ("could not find expected ':'", "there is no colon after this name", "write it as 'name: value'"),
    ("escape c", "a backslash inside double quotes means something special", "put the text in single quotes"),
    ("hexdecimal", "a backslash inside double quotes means something special", "put the text in single quotes"),
    ("another document", "a second '---' starts another document", "keep one suite in a file"),
    ("exceeded maximum nesting depth", "this is nested too deeply", None),
)
_EXACT = ("end of stream", "escape c", "hexdecimal", "another document", "nesting depth")
_FIRST_NAME = re.compile(r"\s*(?:- +)*(?P<name>[^:#'\"{\[]+)\Z")


def explain_error(error: yaml.YAMLError, source: Source, text: str, first_line: int, found: Diagnostics) -> None:
    problem = " ".join(filter(None, (getattr(error, "problem", None), getattr(error, "context", None)))) or str(error)
    failed, opened = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    mark = failed or opened
    # For these the parser's own position is the right one.
    exact = any(words in problem for words in _EXACT)
    if mark and not exact and (cause := find_cause(text, mark.line, mark.column, opened.line if opened else None)):
        location = source.location_at(source.starts[first_line - 1] + cause.start, cause.length)
        found.add(cause.code, cause.message, location, hint=cause.hint)
        return
    here, opener = (_location_of(item, source, first_line) for item in (failed, opened))
    here = here or opener or source.location(first_line, 1)
    code, message, hint, location = _reason(problem, source, here, opener or here)
    # The carets cover the whole word.
    word = re.match(r"[\w@%`*&-]+", location.text[location.column - 1 :])
    length = len(word.group()) if word else 1
    found.add(code, message, source.location(location.line, location.column, length), hint=hint)


_FAR = 1 << 60


def _location_of(mark: yaml.Mark | None, source: Source, first_line: int) -> Location | None:
    """Return where the parser points; the end of the last line if it points past the end of the text."""
    if mark is None:
        return None
    line, column = mark.line + first_line, mark.column + 1
    while line > 1 and (line > len(source.lines) or not source.lines[line - 1].strip()):
        line, column = line - 1, _FAR
    return source.location(line, min(column, len(source.lines[line - 1]) + 1))


_Reason = tuple[Code, str, "str | None", Location]


def _reason(problem: str, source: Source, location: Location, opener: Location) -> _Reason:
    rest, before = location.text[location.column - 1 :], location.text[: location.column - 1]
    if rest.startswith("\t") or (not before.strip() and "\t" in before):
        message, hint = "this line starts with a tab; YAML needs spaces", "use two spaces for each level"
        return Code.TAB_INDENT, message, hint, location
    if quote := _ended_too_early(source, location):
        return quote
    if "cannot start any token" in problem:
        return Code.YAML_SYNTAX, f"a text that starts with {rest[:1]} needs quotes", _in_quotes(location), location
    if "alphabetic or numeric character" in problem or "undefined alias" in problem:
        starts = opener.text[opener.column - 1 : opener.column]
        return Code.YAML_SYNTAX, f"a text that starts with {starts} needs quotes", _in_quotes(opener), opener
    if "Unicode character escape" in problem:
        pair = SURROGATES.match(location.text, location.column - 3)
        hint = f"write the character itself: {whole_character(pair)}" if pair else "write the character itself"
        return Code.YAML_SYNTAX, "this escape is half a character", hint, location
    same_line = opener.line == location.line and opener.column < location.column
    if "mapping values are not allowed" in problem or (rest.startswith(":") and same_line):
        return _colon(location)
    for words, explained, fix in _PROBLEMS:
        if words in problem:
            return Code.YAML_SYNTAX, explained, fix, opener if (fix or "").startswith("close") else location
    return Code.YAML_SYNTAX, f"this is not valid YAML: {problem}", None, location


def _ended_too_early(source: Source, location: Location) -> _Reason | None:
    """Recognise a quotation mark inside a text with the same quotation marks, such as 'I don't'."""
    before = location.text[: location.column - 1].rstrip()
    after = location.text[len(before) : len(before) + 2].strip()
    if len(before) < 2 or before[-1] not in "'\"" or not after[:1].isalnum() or before[:-1].rstrip()[-1:] in "{[,:-":
        return None
    message, hint = "this quotation mark ends the text", "put the whole text in single quotes"
    if before[-1] == "'":
        message, hint = "this apostrophe ends the text", "write it twice, '', where it belongs to the text"
    return Code.YAML_SYNTAX, message, hint, source.location(location.line, len(before))


def _in_quotes(location: Location) -> str:
    text = location.text[location.column - 1 :].rstrip()
    in_braces = any(char in location.text[: location.column - 1] for char in "{[")
    return f"write it as '{text}'" if not in_braces and "'" not in text else "put the text in single quotes"


def _colon(location: Location) -> _Reason:
    first = _FIRST_NAME.match(location.text[: location.column - 1])
    if first:
        hint = "give it as many spaces at its start as the lines that it belongs to"
        where = replace(location, column=first.start("name") + 1)
        return Code.YAML_SYNTAX, "this line does not fit the lines above it", hint, where
    hint = "put the text that this colon belongs to in quotes, or write the comma that is missing before its name"
    return Code.YAML_SYNTAX, "a colon followed by a space is here where none is expected", hint, location


def explain_control(odd: re.Match[str], source: Source, first_line: int, found: Diagnostics) -> None:
    found.add(
        Code.YAML_SYNTAX,
        f"there is an invisible character (U+{ord(odd.group()):04X}) here",
        source.location_at(source.starts[first_line - 1] + odd.start()),
        hint="delete it",
    )
