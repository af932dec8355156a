"""Recognise punctuation mistakes in YAML: colons, quotation marks, brackets, commas, texts that need quotes.

Each `find_…` function looks at one line near `at`, the line on which the parser failed, from 0.
"""

from __future__ import annotations

import re

from promptbench.yaml.syntax_hint import (
    DELETE,
    LISTED,
    NAME,
    NAMED,
    Edit,
    Found,
    Line,
    Slip,
    error_position,
    in_curly,
    quote,
)


def find_merge_conflict(line: Line, at: int) -> Found:
    for number, text in enumerate(line.lines):
        if text.startswith("<<<<<<< "):
            start = line.starts[number]
            hint = "keep one of the two, and delete the lines that start with <<<<<<<, ======= and >>>>>>>"
            return Slip(start, len(text), "unresolved git merge conflict", hint)
    return None


def find_fence(line: Line, at: int) -> Found:
    if not line.text.lstrip().startswith("```") or not re.fullmatch(r"\s*```\s*\w*\s*", line.text):
        return None
    fences = [number for number, text in enumerate(line.lines) if re.fullmatch(r"\s*```\s*\w*\s*", text)]
    starts = [line.starts[number] for number in fences]
    edits = (Edit(start, start + len(line.lines[number]), "") for number, start in zip(fences, starts, strict=True))
    return line.at(0, len(line.text.rstrip()), "this mark of a code block is not part of a suite", DELETE, *edits)


def find_json_lines(line: Line, at: int) -> Found:
    if not (line.text.startswith("{") and line.number and line.lines[line.number - 1].rstrip().endswith("}")):
        return None
    hint = "save it as cases.jsonl beside a suite that says 'cases: cases.jsonl'"
    return line.at(0, 1, "this is a JSON Lines file, not a suite", hint)


def find_colon(line: Line, at: int) -> Found:
    if wide := re.match(rf" *(?:- +)*{NAME}(?P<colon>：\s*)", line.text):
        a, b = wide.span("colon")
        message = "this colon (：) is another character than the one that YAML wants"
        return line.at(a, 1, message, "write ': '", line.edit(a, b, ": "))
    if equals := re.match(rf" *(?:- +)*{NAME}(?P<sign> *= *)\S", line.text):
        a, b = equals.span("sign")
        message = "a name and its value are separated by a colon here, not by ="
        return line.at(line.text.index("=", a), 1, message, "write ': '", line.edit(a, b, ": "))
    if tight := re.match(r" *(?:- +)*(?P<name>[^\W\d_]+(?: [^\W\d_]+){0,2}):(?=[^\s/\\:])", line.text):
        column = tight.end() - 1
        message = f"there is no space after the colon of '{tight['name']}'"
        return line.at(column, 1, message, f"write '{tight['name']}: '", line.edit(column, column + 1, ": "))
    return None


def find_slashes(line: Line, at: int) -> Found:
    found = re.match(r" *(?P<mark>//)", line.text) or re.search(r"[,{\[\"]\s*(?P<mark>//)(?!.*\")", line.text)
    if not found:
        return None
    a, b = found.span("mark")
    message = "a comment starts with #, not with //"
    return line.at(a, 2, message, "write # in its place", line.edit(a, b, "#"))


def find_no_colon(line: Line, at: int) -> Found:
    if line.number >= at or not re.fullmatch(r"[^\W\d_][^:#{}\[\]'\"：]*", line.text):
        return None
    words = line.text.split()
    example = f"{words[0]}: {words[1]}" if len(words) == 2 else "name: value"
    hint = f"write it as '{example}', or start it with # to make it a comment"
    return line.at(0, len(line.text.rstrip()), "there is no colon on this line", hint, line.edit(0, 0, "# "))


def find_closing(line: Line, at: int) -> Found:
    if line.number != at:
        return None
    if comma := re.search(r"[\]}'\"](?P<comma>,)\s*\Z", line.text):
        column = comma.start("comma")
        return line.at(column, 1, "no comma belongs at the end of this line", DELETE, line.edit(column, column + 1, ""))
    if (surplus := re.search(r"[\]}](?P<more>[\]}])\s*\Z", line.text)) and _surplus(line.text):
        column = surplus.start("more")
        message = f"there is one {surplus['more']} too many"
        return line.at(column, 1, message, DELETE, line.edit(column, column + 1, ""))
    if wrong := re.search(r"(?P<open>[\[{])[^\[\]{}]*(?P<close>[\]}])\s*\Z", line.text):
        right = {"[": "]", "{": "}"}[wrong["open"]]
        if wrong["close"] != right:
            column = wrong.start("close")
            message = f"this {wrong['close']} does not close the {wrong['open']} before it"
            return line.at(column, 1, message, f"write {right}", line.edit(column, column + 1, right))
    return None


def _surplus(text: str) -> bool:
    """Return whether a line closes exactly one bracket more than it opens."""
    return sum(text.count(char) for char in "]}") - sum(text.count(char) for char in "[{") == 1


def find_comma_missing(line: Line, at: int) -> Found:
    """Find, in JSON, a line without a comma at its end before a line with a name."""
    above = line.lines[line.number - 1].rstrip() if line.number else ""
    if line.number != at or not re.match(r'\s*"[^"]*"\s*:', line.text) or not above or above[-1] in ",{[:":
        return None
    start = line.start - len(line.lines[line.number - 1]) - 1 + len(above)
    return Slip(start - 1, 1, "there is no comma at the end of this line", "write one", (Edit(start, start, ","),))


def find_comment_in_braces(line: Line, at: int) -> Found:
    found = re.search(r"[{\[][^}\]'\"]*[^\s,{\[] (?P<rest>#\S.*)\Z", line.text)
    if not found:
        return None
    column = found.start("rest")
    message = "everything after # is a comment, including the closing bracket"
    hint = "put the text that the # belongs to in quotes"
    return line.at(column, len(line.text.rstrip()) - column, message, hint)


def find_curly(line: Line, at: int) -> Found:
    """Find a value in word-processor quotation marks that needs quotes to be a text."""
    found = NAMED.match(line.text) or LISTED.match(line.text)
    if not found:
        return None
    a, b = found.span("value")
    inner = in_curly(found["value"])
    if inner is None:
        return None
    message = "YAML reads these word-processor quotation marks as letters"
    hint = f"write straight ones: {quote(inner)}"
    return line.at(a, b - a, message, hint, line.edit(a, b, quote(inner)))


def find_list_on_the_line(line: Line, at: int) -> Found:
    found = re.match(rf"(?P<before> *(?:- +)*)(?P<name>{NAME}):(?P<entry> +- \s*{NAME}: )", line.text)
    if not found:
        return None
    column = found.end("name") + 1 + len(found["entry"]) - len(found["entry"].lstrip())
    entry = line.text[column:].strip()
    hint = f"start a line of its own below '{found['name']}:', with two spaces more: '{_cut(entry)}'"
    return line.at(column, 1, "a list does not start on the line of its name", hint)


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def find_apostrophe(line: Line, at: int) -> Found:
    """Find a single-quoted text with apostrophes in it, each between two letters."""
    found = re.match(r"(?P<before>.*?(?:[:\[{,-] +|\[|\{))'(?P<text>[^'].*)'(?P<after> *[\]},]*)\Z", line.text)
    if not found or not re.search(r"\w'\w", found["text"]) or re.search(r"(?<!\w)'|'(?!\w)", found["text"]):
        return None
    a, b = found.span("text")
    column = a + found["text"].index("'")
    edit = line.edit(a, b, found["text"].replace("'", "''"))
    hint = "write it twice, '', where it belongs to the text"
    return line.at(column, 1, "this apostrophe ends the text", hint, edit)


def find_three_quotes(line: Line, at: int) -> Found:
    found = re.match(
        r"(?P<before>.*?(?:: +|- +))(?P<text>(?P<mark>\"\"\"|\'\'\')(?P<inner>[^'\"]+)(?P=mark)) *\Z", line.text
    )
    if not found:
        return None
    a, b = found.span("text")
    written = quote(found["inner"])
    return line.at(a, 3, "one quotation mark is enough", f"write {written}", line.edit(a, b, written))


def find_text_after_quote(line: Line, at: int) -> Found:
    """Find text after the quotation mark that ends a value."""
    found = NAMED.match(line.text) or LISTED.match(line.text)
    inner = re.match(r"(['\"])(?:(?!\1).)*\1(?=[^\1])", found["value"]) if found else None
    if not found or not inner:
        return None
    a, b = found.span("value")
    message = "this apostrophe ends the text" if inner[1] == "'" else "this quotation mark ends the text"
    whole = "single" if inner[1] == '"' else "double"
    hint = f"put the whole text in {whole} quotes"
    return line.at(a + inner.end() - 1, 1, message, hint, line.edit(a, b, "x"))


def find_unclosed_quote(line: Line, at: int) -> Found:
    """Find a quotation mark that is only closed by one that opens another text, some lines below."""
    found = re.match(rf" *(?:- +)*{NAME}: +(?P<mark>['\"])(?P<text>[^'\"]*)\Z", line.text)
    if not found or line.number >= at:
        return None
    end = len(line.text.rstrip())
    message = "a quotation mark is opened here and not closed on this line"
    hint = "close it at the end of the line"
    return line.at(found.start("mark"), 1, message, hint, line.edit(end, end, found["mark"]))


_NEEDS = "@`%&*!|>?-[{#}],"


def find_unquoted(line: Line, at: int) -> Found:
    """Find a value that needs quotes because YAML would read it as something else."""
    found = NAMED.match(line.text) or LISTED.match(line.text)
    if not found:
        return None
    value = found["value"]
    named = found.re is NAMED
    if re.search(r"(?:^| )#", value) or value[0] in "'\"" or error_position(f"x: {value}") is None:
        return None
    if value[0] in "[{" and value[:2] != "{{" and (value[-1] in "]}" or re.search(r"[\[{][^\]}]*\Z", value)):
        return None
    a, b = found.span("value")
    written = quote(value)
    shown = f"{found['name']}: {written}" if named else f"- {written}"
    if value[0] in _NEEDS:
        starts = re.match(r"\{\{|[^\w\s]", value)
        assert starts is not None
        message = f"a text that starts with {starts[0]} needs quotes"
        word = re.match(r"[\w@%`*&!{}\[\]|>?-]+", value)
        return line.at(a, len(word[0]) if word else 1, message, f"write it as {shown}", line.edit(a, b, written))
    colon = re.search(r":(?: |\Z)", value)
    if colon is None:
        return None
    message = "a colon followed by a space is here where none is expected"
    if colon.end() == len(value):
        message = "a colon is here at the end of a text"
    return line.at(a + colon.start(), 1, message, f"put the text in quotes: {shown}", line.edit(a, b, written))
