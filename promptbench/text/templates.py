"""The template engine: `{{a.b}}`, and with blocks `{{#if}}`, `{{#unless}}` and `{{#each}}`, over plain data.

A template is split once. A value is inserted as text and never parsed, so nothing in a value can become a placeholder,
a block or a role. `\\{{` writes two braces, and `\\\\{{a}}` a backslash before a value, as in Handlebars. Blocks, their
names and what counts as true are Handlebars' (https://handlebarsjs.com/guide/builtin-helpers.html), with one
difference: a name without a value is an error, except as the condition of `{{#if}}` and `{{#unless}}`. Other syntax of
Handlebars and its dialects is an error that names the construct. `{{media url=a}}` inserts a file, as in dotprompt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptbench.core.files import FileValue, files_in
from promptbench.core.types import Json

_TOKEN = re.compile(r"(?<!\\)(?P<backslashes>\\*)\{\{")
_BRACES = re.compile(r"\{{2,}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*\Z")
_BLOCK_TAG = re.compile(r"\{\{(?:#(?P<kind>if|unless|each)\s+(?P<name>\S+)|else|/(?P<end>if|unless|each))\s*\}\}\Z")
_MEDIA = re.compile(r"media\s+url\s*=\s*(?P<name>[^\s\"'=]+)\Z")
_MAX_DEPTH = 20
_ITEM_DATA = ("@index", "@first", "@last", "@key")
_DIALECTS = (
    ("{{{", "{{{…}}} (unescaped Handlebars)", "values are never escaped here: write {{…}}"),
    (
        "{{#",
        "{{#…}} (a Handlebars block)",
        "supported in .prompt files are {{#if name}}, {{#unless name}}, {{#each name}}",
    ),
    (
        "{{/",
        "{{/…}} (the end of a Handlebars block)",
        "supported in .prompt files are {{/if}}, {{/unless}} and {{/each}}",
    ),
    ("{{>", "{{>…}} (a partial)", "write {{>name}} in a .prompt file for the text of _name.prompt next to it"),
    ("{{else ", "{{else …}} (a chained condition)", "write {{else}} with another {{#if}} … {{/if}} inside"),
    ("{{!", "{{!…}} (a Handlebars comment)", "delete it, or put it between the --- lines as a # comment"),
    ("{{^", "{{^…}} (a Mustache inverted section)", "write {{#unless name}}"),
    ("{{&", "{{&…}} (unescaped Mustache)", "values are never escaped here: write {{…}}"),
    ("{{=", "{{=…}} (Mustache's change of delimiters)", "write values as {{…}}"),
    ("{{~", "{{~…}} (Handlebars' white space control)", "write {{…}}"),
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


@dataclass(frozen=True, slots=True)
class MediaTag(Tag):
    """`{{media url=a}}`; its body is the name."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of `kind` `if`, `unless` or `each`: the tag that names its value, and the parts of its two branches."""

    kind: str
    tag: Tag
    body: tuple[Part, ...]
    otherwise: tuple[Part, ...] = ()


Part = str | Tag | Block


@dataclass(frozen=True, slots=True)
class _BlockTag(Tag):
    """`{{#if x}}` with `kind`, `{{else}}`, or `{{/if}}` with `end`, before they are nested."""

    kind: str = ""
    end: str = ""


def split_blocks(text: str, *, layout: bool, errors: list[TemplateError] | None = None) -> list[Part]:
    """Return the literal texts, tags and blocks of `text`, in order. Raise TemplateError, or add all to `errors`.

    `layout` treats a line that has only the tag of a block as layout of the file: it leaves no empty line. The text of
    `join` has none of them.
    """
    tokens = split(text, blocks=True, errors=errors)
    if errors:
        return []
    try:
        return _nest(_without_own_lines(tokens) if layout else tokens)
    except TemplateError as error:
        if errors is None:
            raise
        errors.append(error)
        return []


def split(text: str, *, blocks: bool = False, errors: list[TemplateError] | None = None) -> list[Part]:
    """Return the literal texts and tags of `text`, in order, those of `blocks` too, which are not nested yet.

    Raise TemplateError, or add all to `errors`.
    """
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
        if literal:
            parts.append(literal)
        literal = ""
        try:
            tag = _read_tag(text, start, blocks=blocks)
        except TemplateError as error:
            if errors is None:
                raise
            errors.append(error)
            position = start + error.length
        else:
            parts.append(tag)
            position = start + tag.length
    literal += text[position:]
    if literal:
        parts.append(literal)
    return parts


def _read_tag(text: str, start: int, *, blocks: bool) -> Tag:
    end = text.find("}}", start + 2)
    if end < 0 or "\n" in text[start:end]:
        hint = "write {{name}}, or \\{{ where two braces are meant"
        raise TemplateError("'{{' is opened and not closed on this line", start, 2, hint=hint)
    tag = text[start : end + 2 + text.startswith("{{{", start) * text.startswith("}}}", end)]
    if blocks and (found := _BLOCK_TAG.match(tag)):
        return _BlockTag(found["name"] or "", start, len(tag), found["kind"] or "", found["end"] or "")
    for opener, name, hint in _DIALECTS:
        if tag.startswith(opener):
            raise TemplateError(f"{name} is not supported", start, len(tag), hint=hint, dialect=True)
    body = tag[2:-2].strip()
    if blocks and re.match(r"media\s", body):
        return _media_tag(body, start, len(tag))
    return Tag(body, start, len(tag))


def _media_tag(body: str, start: int, length: int) -> MediaTag:
    if found := _MEDIA.match(body):
        return MediaTag(found["name"], start, length)
    hint = "write {{media url=NAME}}, and name the file under 'files:' of the case"
    if "contentType" in body:
        hint = "leave out contentType: the type is that of the file's content"
    raise TemplateError(f"{{{{{body}}}}} is not supported", start, length, hint=hint, dialect=True)


def _without_own_lines(tokens: Sequence[Part]) -> list[Part]:
    """Return the tokens without the lines that have only the tag of a block, as Handlebars leaves them out."""
    kept = list(tokens)
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else "\n"
        after = tokens[index + 1] if index + 1 < len(tokens) else "\n"
        if not (isinstance(token, _BlockTag) and isinstance(before, str) and isinstance(after, str)):
            continue
        above, _, indent = before.rpartition("\n")
        rest, newline, _ = after.partition("\n")
        first, last = index < 2 and not above, index + 2 >= len(tokens)
        if indent.strip(" \t") or rest.strip(" \t") or not ("\n" in before or first) or not (newline or last):
            continue
        if index:
            kept[index - 1] = str(kept[index - 1])[: len(str(kept[index - 1])) - len(indent)]
        if index + 1 < len(tokens):
            kept[index + 1] = after[len(rest) + len(newline) :]
    return [token for token in kept if token != ""]


@dataclass(slots=True)
class _Open:
    """A block that is being read."""

    tag: _BlockTag
    branches: list[list[Part]] = field(default_factory=lambda: [[]])


def _nest(tokens: Sequence[Part]) -> list[Part]:
    whole: list[Part] = []
    stack: list[_Open] = []
    for token in tokens:
        current = stack[-1].branches[-1] if stack else whole
        if not isinstance(token, _BlockTag):
            current.append(token)
        elif token.kind:
            if len(stack) == _MAX_DEPTH:
                message = f"blocks are nested more than {_MAX_DEPTH} deep"
                raise TemplateError(message, token.offset, token.length, hint="use fewer blocks")
            stack.append(_Open(token))
        elif not token.end:
            if not stack or len(stack[-1].branches) == 2:
                message = "{{else}} outside of a block" if not stack else "a second {{else}} in one block"
                raise TemplateError(message, token.offset, token.length, hint="write {{#if name}} … {{else}} … {{/if}}")
            stack[-1].branches.append([])
        else:
            opened = stack.pop() if stack else None
            if opened is None or opened.tag.kind != token.end:
                message = f"{{{{/{token.end}}}}} without {{{{#{token.end}}}}}"
                hint = f"the open block ends with {{{{/{opened.tag.kind}}}}}" if opened else "delete it"
                raise TemplateError(message, token.offset, token.length, hint=hint)
            tag = Tag(opened.tag.body, opened.tag.offset, opened.tag.length)
            body, *otherwise = map(tuple, opened.branches)
            outer = stack[-1].branches[-1] if stack else whole
            outer.append(Block(opened.tag.kind, tag, body, *otherwise))
    if stack:
        tag = stack[-1].tag
        hint = f"write {{{{/{tag.kind}}}}} where it ends"
        raise TemplateError(f"{{{{#{tag.kind}}}}} is not closed", tag.offset, tag.length, hint=hint)
    return whole


def join(parts: Sequence[Part]) -> str:
    """Return the canonical text that `split_blocks` without layout splits into `parts`, whose tags are names."""
    return "".join(_texts_of(parts))


def _texts_of(parts: Sequence[Part]) -> Iterator[str]:
    before = ""
    for part in parts:
        if isinstance(part, str):
            before = _BRACES.sub(_escape, part)
            yield before
            continue
        # A backslash before a tag is doubled, because a single one would escape the tag.
        yield "\\" * before.endswith("\\")
        before = ""
        if isinstance(part, Tag):
            yield f"{{{{{'media url=' * isinstance(part, MediaTag)}{part.body}}}}}"
            continue
        yield f"{{{{#{part.kind} {part.tag.body}}}}}"
        yield from _texts_of(part.body)
        if part.otherwise:
            yield "\\" * _ends_with_backslash(part.body) + "{{else}}"
            yield from _texts_of(part.otherwise)
        yield "\\" * _ends_with_backslash(part.otherwise or part.body) + f"{{{{/{part.kind}}}}}"


def _ends_with_backslash(parts: Sequence[Part]) -> bool:
    return bool(parts) and isinstance(last := parts[-1], str) and last.endswith("\\")


def _escape(run: re.Match[str]) -> str:
    count = len(run[0])
    if run.string[: run.start()].endswith("\\"):
        # A backslash before an escaped pair would escape the escape, so a single brace separates them.
        return "{" + "\\{{" * ((count - 1) // 2) + "{" * ((count - 1) % 2)
    # In an odd run the single brace goes first: as the last one it would join the braces of a tag.
    return "{" * (count % 2) + "\\{{" * (count // 2)


def is_name(body: str, depth: int = 0) -> bool:
    """Return True if the body of a tag is a variable, `a` or `a.b`.

    Inside of `depth` blocks `{{#each}}` it may also be `this`, `@index`, `@first`, `@last`, `@key`, or a name with up
    to `depth` times `../` before it; anywhere `@root.a`.
    """
    if depth and body in _ITEM_DATA:
        return True
    if body.startswith("@root."):
        return bool(_NAME.match(body.removeprefix("@root.")))
    for _ in range(depth):
        body = body.removeprefix("../")
    return bool(_NAME.match(body))


def outer_names(parts: Sequence[Part], depth: int = 0) -> Iterator[str]:
    """Yield the names that refer to the variables of a template, not to the items of its `{{#each}}` blocks."""
    for part in parts:
        if isinstance(part, Tag):
            yield from _outer_name(part.body, depth)
        elif isinstance(part, Block):
            yield from _outer_name(part.tag.body, depth)
            yield from outer_names(part.body, depth + (part.kind == "each"))
            yield from outer_names(part.otherwise, depth)


def _outer_name(name: str, depth: int) -> Iterator[str]:
    if name.startswith("@root."):
        yield name.removeprefix("@root.")
        return
    while depth and name.startswith("../"):
        name, depth = name[3:], depth - 1
    if not depth:
        yield name


def all_tags(parts: Sequence[Part], depth: int = 0) -> Iterator[tuple[Tag, int]]:
    """Yield every tag with the number of `{{#each}}` blocks around it; for a block the tag that names its value."""
    for part in parts:
        if isinstance(part, Tag):
            yield part, depth
        elif isinstance(part, Block):
            yield part.tag, depth
            yield from all_tags(part.body, depth + (part.kind == "each"))
            yield from all_tags(part.otherwise, depth)


def literals(parts: Sequence[Part]) -> Iterator[str]:
    """Yield the literal texts, those of all branches included."""
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, Block):
            yield from literals(part.body)
            yield from literals(part.otherwise)


@dataclass(frozen=True, slots=True)
class Scope:
    """The values that names refer to at one location: `values` are tried in order, `data` has `@index` and others."""

    values: tuple[Json, ...]
    data: Mapping[str, Json] = field(default_factory=dict)
    path: str = ""
    parent: Scope | None = None

    def find(self, name: str) -> Json:
        """Return the value of a name. Raise KeyError with the name's full path if there is none."""
        scope = self
        while scope.parent is not None and (name.startswith("../") or name.startswith("@root.")):
            name, scope = name.removeprefix("../"), scope.parent
        name = name.removeprefix("@root.")
        if name in scope.data:
            return scope.data[name]
        if scope.parent is not None and name == "this":
            return scope.values[0]
        own = name.removeprefix("this.") if scope.parent is not None else name
        for value in scope.values:
            if isinstance(value, (Mapping, list)):
                try:
                    return lookup(own, value)
                except KeyError:
                    continue
        raise KeyError(scope.path + own)

    def items(self, name: str) -> Iterator[Scope]:
        """Yield the scope of each item of a list or object. Raise KeyError if it is neither."""
        value = self.find(name)
        if value is None:
            return
        if not isinstance(value, (Mapping, list)):
            raise KeyError(f"{self.path}{name}.0")
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for number, (key, item) in enumerate(pairs):
            data = {"@index": number, "@first": not number, "@last": number + 1 == len(value), "@key": key}
            yield Scope((item,), data, f"{self.path}{name}.{key}.", self)


def fill(parts: Sequence[Part], scope: Scope, missing: list[str] | None = None) -> list[str | FileValue]:
    """Return the texts and files of a template, in order.

    A name without a value raises KeyError, or is added to `missing` if given. So does a name of a file in `{{a}}`, and
    of anything else in `{{media url=a}}`.
    """
    filled: list[str | FileValue] = []
    for part in parts:
        if isinstance(part, str):
            filled.append(part)
            continue
        try:
            if isinstance(part, Tag):
                filled.append(_inserted(part, scope))
            elif part.kind == "each":
                items = list(scope.items(part.tag.body))
                for item in items:
                    filled += fill(part.body, item, missing)
                filled += [] if items else fill(part.otherwise, scope, missing)
            else:
                chosen = part.body if _is_true(scope, part.tag.body) == (part.kind == "if") else part.otherwise
                filled += fill(chosen, scope, missing)
        except KeyError as error:
            if missing is None:
                raise
            missing.append(str(error.args[0]))
    return filled


def _inserted(tag: Tag, scope: Scope) -> str | FileValue:
    value = scope.find(tag.body)
    if isinstance(tag, MediaTag) and isinstance(value, FileValue):
        return value
    if isinstance(tag, MediaTag) or files_in(value):
        raise KeyError((scope.path + tag.body).removesuffix(".this"))
    return render_value(value)


def _is_true(scope: Scope, name: str) -> bool:
    """Return what Handlebars' `#if` decides: false, null, 0, empty text and empty lists are not true."""
    try:
        value = scope.find(name)
    except KeyError:
        return False
    return bool(value) or isinstance(value, Mapping)


def lookup(name: str, variables: Mapping[str, Json] | list[Json]) -> Json:
    """Return the value of `a.b`. A key with the dot in its name takes precedence. Raise KeyError."""
    if isinstance(variables, Mapping) and name in variables:
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


def fill_data(template: Json, data: Mapping[str, Json]) -> Json:
    """Return plain data like `template` with its placeholders filled. Raises KeyError for missing data.

    A text that is only one placeholder becomes the value itself, whatever its type; within a longer text the value is
    rendered as in a prompt.
    """
    if isinstance(template, dict):
        return {key: fill_data(value, data) for key, value in template.items()}
    if isinstance(template, list):
        return [fill_data(value, data) for value in template]
    if not isinstance(template, str):
        return template
    values = [lookup(part.body, data) if isinstance(part, Tag) else part for part in split(template)]
    return values[0] if len(values) == 1 else "".join(render_value(value) for value in values)
