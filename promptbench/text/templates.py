"""The template engine: logic-less `{{a.b}}` over plain data.

A template is split once. A value is inserted as text and never parsed, so nothing in a value can become a placeholder.
`\\{{` writes two braces, and `\\\\{{a}}` a backslash before a value, as in Handlebars. Other syntax of Handlebars and
its dialects is an error that names the construct.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptbench.core.types import Json

_TOKEN = re.compile(r"(?<!\\)(?P<backslashes>\\*)\{\{")
_BRACES = re.compile(r"\{{2,}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*\Z")
_DIALECTS = (
    ("{{{", "{{{…}}} (unescaped Handlebars)", "values are never escaped here: write {{…}}"),
    ("{{#", "{{#…}} (a Handlebars block)", "write a prompt for each branch, or put the finished text into a variable"),
    ("{{/", "{{/…}} (the end of a Handlebars block)", "blocks are not supported"),
    ("{{>", "{{>…}} (a partial)", "write the text out in the prompt"),
    ("{{!", "{{!…}} (a Handlebars comment)", "delete it, or put it between the --- lines as a # comment"),
    ("{{^", "{{^…}} (a Mustache inverted section)", "sections are not supported"),
    ("{{&", "{{&…}} (unescaped Mustache)", "values are never escaped here: write {{…}}"),
    ("{{=", "{{=…}} (Mustache's change of delimiters)", "write values as {{…}}"),
    ("{{~", "{{~…}} (Handlebars' white space control)", "write {{…}}"),
    ("{{@", "{{@…}} (a Handlebars data variable)", "put the value into a variable of the case"),
)


class TemplateError(ValueError):
    """An invalid template. `offset` and `length` are in characters; `dialect` is True for syntax of another engine."""

    def __init__(self, message: str, offset: int, length: int, *, hint: str, dialect: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.length = length
        self.hint = hint
        self.dialect = dialect


@dataclass(frozen=True, slots=True)
class Tag:
    """The stripped text between `{{` and `}}`, and where the tag starts."""

    body: str
    offset: int
    length: int


Part = str | Tag


def split(text: str) -> list[Part]:
    """Return the literal texts and tags of `text`, in order. Raise TemplateError."""
    parts: list[Part] = []
    literal = ""
    position = 0
    for match in _TOKEN.finditer(text):
        if match.start() < position:
            continue
        literal += text[position : match.start()]
        backslashes = len(match["backslashes"])
        if backslashes == 1:
            literal += "{{"
            position = match.end()
            continue
        literal += "\\" * (backslashes - 1)
        start = match.end() - 2
        end = text.find("}}", match.end())
        if end < 0 or "\n" in text[match.end() : end]:
            hint = "write {{name}}, or \\{{ where two braces are meant"
            raise TemplateError("'{{' is opened and not closed on this line", start, 2, hint=hint)
        tag = text[start : end + 2 + text.startswith("{{{", start) * text.startswith("}}}", end)]
        for opener, name, hint in _DIALECTS:
            if tag.startswith(opener):
                raise TemplateError(f"{name} is not supported", start, len(tag), hint=hint, dialect=True)
        if literal:
            parts.append(literal)
        literal = ""
        parts.append(Tag(tag[2:-2].strip(), start, len(tag)))
        position = end + 2
    literal += text[position:]
    if literal:
        parts.append(literal)
    return parts


def join(parts: Sequence[Part]) -> str:
    """Return the canonical text that `split` splits into `parts`, whose tags are names."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += _BRACES.sub(_escape, part)
        else:
            text += "\\" * text.endswith("\\") + f"{{{{{part.body}}}}}"
    return text


def _escape(run: re.Match[str]) -> str:
    count = len(run[0])
    if run.string[: run.start()].endswith("\\"):
        # A backslash before an escaped pair would escape the escape, so a single brace separates them.
        return "{" + "\\{{" * ((count - 1) // 2) + "{" * ((count - 1) % 2)
    # In an odd run the single brace goes first: as the last one it would join the braces of a tag.
    return "{" * (count % 2) + "\\{{" * (count // 2)


def is_name(body: str) -> bool:
    """Return True if the body of a tag is a variable, `a` or `a.b`."""
    return bool(_NAME.match(body))


def lookup(name: str, variables: Mapping[str, Json]) -> Json:
    """Return the value of `a.b`. A key with the dot in its name takes precedence. Raise KeyError."""
    if name in variables:
        return variables[name]
    value: Json = variables
    for step in name.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise KeyError(name)
    return value


def render_value(value: Json) -> str:
    """Return a value as a prompt contains it: text unchanged, null as nothing, numbers as written, else JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
