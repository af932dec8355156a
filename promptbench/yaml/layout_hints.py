"""Recognise layout mistakes in YAML: tabs, odd spaces, invisible characters, dashes, lines at the wrong column.

Each `find_…` function looks at one line near `at`, the line on which the parser failed, from 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from promptbench.core.diagnostics import Code
from promptbench.yaml.syntax_hint import DELETE, NAME, NAMES, Edit, Found, Line, Slip, indent, shift_lines

ODD_SPACES = "\u00a0\u2007\u202f\u3000"
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"


def find_tabs(line: Line, at: int) -> Iterator[Slip]:
    # A tab may stand for any of these widths; the trial keeps the one with which the text parses.
    found = re.match(r"(?: |- +|-(?=\t))*\t[\t ]*", line.text)
    if not found:
        return
    column = line.text.index("\t")
    for width in (2, 4, 8, 1, 3):
        edits = []
        for number, text in enumerate(line.lines):
            lead = re.match(r"(?: |-(?=[ \t]))*\t[\t ]*(?:-(?=[ \t])[\t ]*)?", text)
            if lead:
                start = line.starts[number]
                edits.append(Edit(start, start + lead.end(), _without_tabs(lead[0], width)))
        hint = "use two spaces for each level"
        slip = line.at(column, 1, "this line starts with a tab; YAML wants spaces", hint, *edits)
        yield replace(slip, code=Code.TAB_INDENT)


def _without_tabs(lead: str, width: int) -> str:
    return lead.replace("-\t", "- ").replace("\t", " " * width)


def find_odd_spaces(line: Line, at: int) -> Found:
    lead = re.match(rf"(?:[ {ODD_SPACES}]|-(?=[ {ODD_SPACES}]))*", line.text)
    colon = re.search(rf"\w:(?P<space>[{ODD_SPACES}]+)", line.text)
    spots = [(0, lead.end())] if lead and re.search(f"[{ODD_SPACES}]", lead[0]) else []
    spots += [colon.span("space")] if colon else []
    if not spots:
        return None
    edits = [line.edit(a, b, re.sub(f"[{ODD_SPACES}]", " ", line.text[a:b])) for a, b in spots]
    first = re.search(f"[{ODD_SPACES}]+", line.text)
    assert first is not None
    message = "this is a non-breaking space, as word processors and web pages have it"
    return line.at(first.start(), len(first[0]), message, "write plain spaces", *edits)


def find_invisible(line: Line, at: int) -> Found:
    found = re.match(rf" *(?:- +)*(?P<name>[\w .{INVISIBLE}-]*[{INVISIBLE}][\w .{INVISIBLE}-]*)(?=:| |\Z)", line.text)
    if not found:
        return None
    first = re.search(f"[{INVISIBLE}]", line.text)
    assert first is not None
    a, b = found.span("name")
    edit = line.edit(a, b, re.sub(f"[{INVISIBLE}]", "", found["name"]))
    message = f"there is an invisible character (U+{ord(first[0]):04X}) here"
    return line.at(first.start(), 1, message, DELETE, edit)


_DASH = re.compile(r"(?P<before> *(?:- +)*)(?P<dash>[–—•·*]|-(?=[^\s-]))(?P<space> *)(?=\S)")


def find_dash(line: Line, at: int) -> Iterator[Slip]:
    """Yield the dash of this entry, then the dashes of all entries around it in the same column."""
    found = _DASH.match(line.text)
    if not found or (found["dash"] != "-" and not found["space"]):
        return
    column, plain = found.start("dash"), found["dash"] == "-"
    message = (
        "there is no space after this dash" if plain else f"a new entry starts with '- ', not with '{found['dash']}'"
    )
    hint = "write '- ', then the name" if plain else "write '- ' in its place"
    around = list(_entries(line, column))
    for numbers in ([line.number], around):
        first = replace(line, number=numbers[0])
        word = re.match(r"-[\w@%`*&-]*", first.text[column:])
        edits = [edit for number in numbers for edit in _with_space(line, number, column)]
        yield first.at(column, len(word[0]) if word else 1, message, hint, *edits)


def _entries(line: Line, column: int) -> Iterator[int]:
    """Yield the lines of the list around `line` that have such a dash in `column`."""
    first = last = line.number
    while first and (not line.lines[first - 1].strip() or indent(line.lines[first - 1]) >= column):
        first -= 1
    while last + 1 < len(line.lines) and (not line.lines[last + 1].strip() or indent(line.lines[last + 1]) >= column):
        last += 1
    for number in range(first, last + 1):
        found = _DASH.match(line.lines[number])
        if found and found.start("dash") == column:
            yield number


def _with_space(line: Line, number: int, column: int) -> Iterator[Edit]:
    """Yield the edits that add the space after a dash and keep the lines below aligned with the name."""
    start, text = line.starts[number], line.lines[number]
    found = _DASH.match(text)
    assert found is not None
    yield Edit(start + column, start + found.end("space"), "- ")
    start += len(text) + 1
    for below in line.lines[number + 1 :] if found.end("space") == column + 1 else ():
        if below.strip() and indent(below) <= column:
            return
        if below.strip() and indent(below) == column + 1:
            yield Edit(start, start, " ")
        start += len(below) + 1


def find_text_below(line: Line, at: int) -> Found:
    """Find a text of several lines, below its name, that contains a colon."""
    found = re.match(rf"(?P<before> *(?:- +)*)(?P<name>{NAME}): *\Z", line.text)
    if not found or line.number >= at:
        return None
    below = [text for text in line.lines[line.number + 1 : at] if text.strip()]
    deeper = len(found["before"])
    if len(below) < 2 or any(indent(text) <= deeper or text.lstrip()[0] in "-{[" for text in below):
        return None
    if not (re.search(r":(?: |\Z)", below[0]) and not re.match(rf" *{NAME}: *\S*\Z", below[1])):
        return None
    end = found.end("name") + 1
    message = f"the text below '{found['name']}:' is taken for more names, because there is a colon in it"
    hint = f"write '{found['name']}: |' and leave the text below it as it is"
    return line.at(found.start("name"), len(found["name"]), message, hint, line.edit(end, end, " |-"))


def find_block(line: Line, at: int) -> Found:
    """Find a block text (`name: |`) that is not indented further than its name."""
    found = re.match(rf"(?P<before> *(?:- +)*)(?P<name>{NAME}): *[|>][+-]?\d? *\Z", line.text)
    if not found or line.number >= at or not line.below.strip():
        return None
    column = len(found["before"])
    spaces = column + 2
    if indent(line.below) <= column:
        start = line.start + len(line.text) + 1
        message = f"the text of '{found['name']}' does not start further in than its name"
        hint = f"give each of its lines {spaces} spaces at the start"
        return Slip(start + indent(line.below), max(1, len(line.below.strip())), message, hint)
    inside = indent(line.below)
    if line.number + 1 < at and indent(line.lines[at]) < inside and not NAMES.match(line.lines[at]):
        start = line.starts[at]
        lead = indent(line.lines[at])
        edit = Edit(start, start + lead, " " * inside)
        message = f"this line of the text of '{found['name']}' starts further left than its first one"
        hint = f"give it at least {inside} spaces at the start"
        return Slip(start + lead, len(line.lines[at].strip()), message, hint, (edit,))
    return None


def find_dash_forgotten(line: Line, at: int) -> Found:
    """Find a line in the column of the dashes above it that starts with the same name as those entries."""
    found = re.match(rf"(?P<before> *)(?P<name>{NAME}): ", line.text)
    if line.number != at or not found:
        return None
    entry = re.compile(rf"{found['before']}- +{re.escape(found['name'])}: ")
    if not any(entry.match(text) for text in line.lines[:at]):
        return None
    column = len(found["before"])
    message = "a new entry starts with '- '"
    hint = f"write '- {found['name']}: …'"
    return line.at(column, len(found["name"]), message, hint, line.edit(column, column, "- "))


# Lines whose column is unknown until another mistake is corrected: nothing can be aligned with them.
_UNCLEAR = re.compile(rf"^ *[\t{ODD_SPACES}{INVISIBLE}]", re.MULTILINE)


def find_indented(line: Line, at: int) -> Iterator[Slip]:
    """Find a line at the wrong column, and try the columns at which something above it starts."""
    if line.number != at or not line.text.strip() or _UNCLEAR.search(line.whole):
        return
    here = indent(line.text)
    columns: dict[int, int] = {}
    for number in range(line.number - 1, -1, -1):
        text = line.lines[number]
        if text.strip() and not text.lstrip().startswith("#"):
            for found in re.finditer(r"(?:\A|(?<=- )) *(?=\S)", text[: len(text) - len(text.lstrip(" -"))] + "x"):
                columns.setdefault(found.end(), number)
        if len(columns) > 1 and indent(text) == 0 and text.strip():
            break
    for column, like in sorted(columns.items(), key=lambda item: abs(item[0] - here)):
        if column == here:
            continue
        name = re.match(r"[\w .'\"-]*", line.lines[like][column:])
        shown = f"'{name[0].strip()}'" if name and name[0].strip(" -") else "what is"
        spaces = "no space" if column == 0 else "one space" if column == 1 else f"{column} spaces"
        hint = f"give it {spaces} at its start, as {shown} has on line {like + 1}"
        word = re.match(r"[\w@%`*&-]+", line.text[here:])
        message = "this line does not fit the lines above it"
        edits = shift_lines(line.lines, line.number, line.start, column - here)
        yield line.at(here, len(word[0]) if word else 1, message, hint, *edits)
