"""Parse prompt files: a documented subset of dotprompt. Everything else is refused by name.

A `.prompt` file is YAML between two `---` lines, then the body. `{{role "system"}}` starts a message, `{{history}}`
inserts the conversation of a case, `{{a.b}}` a value, `{{>name}}` a partial; `{{#if a}}`, `{{#unless a}}` and `{{#each
a}}` are blocks within a message, and `{{media url=a}}` inserts an image or PDF. A `.md` or `.txt` file is one user
message; syntax that has a meaning in a `.prompt` file is refused there, because the store keeps only the text, not the
file's name.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from promptbench.core.call_config import read_config
from promptbench.core.errors import Code, Diagnostics, Location, Severity, suggest
from promptbench.core.types import Json, Role
from promptbench.prompts.langfuse import with_langfuse
from promptbench.prompts.partials import ExpandedSource, expand
from promptbench.prompts.picoschema import PicoschemaError, to_json_schema
from promptbench.prompts.prompt import HISTORY, HistoryPlace, Prompt, Template
from promptbench.text.templates import (
    MediaTag,
    Part,
    Tag,
    TemplateError,
    all_tags,
    is_name,
    join,
    split_blocks,
)
from promptbench.yaml.marked import Path as DocumentPath, YamlDocument, parse
from promptbench.yaml.source import Source, SourceError, below, read_source

_KEYS = {
    "config": (),
    "input": ("schema", "default"),
    "output": ("schema", "format"),
    "tools": (),
    "description": (),
}
_ELSEWHERE = {
    "model": "name the models in the suite, so that one prompt can run on several",
    "name": "the name is the file name up to its first dot",
    "variant": "the variant is in the file's name: name.variant.prompt",
    "metadata": "write what is not part of the prompt as a # comment",
    "version": "the prompt store numbers versions",
}
_ROLES: dict[str, Role] = {"system": "system", "user": "user", "model": "assistant", "assistant": "assistant"}
_ROLE = re.compile(r"""role\s+(["'])(?P<role>[^"']*)\1\Z""")
_OPENING = re.compile(r"\A\s*---[ \t]*$", re.MULTILINE)
FRONT = re.compile(r"\A\s*---[ \t]*\n(?P<yaml>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_LATE_FRONT = re.compile(
    r"\A\s*^#[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\n)*(?P<dashes>---)[ \t]*\n(?:config|description|input|model|output):",
    re.MULTILINE,
)
_JINJA = re.compile(r"\{%[-+]?\s*[a-z]\w*[^\n]*?%\}")
_MAX_REPORTED = 20  # problems of one kind per file
SUFFIXES = (".prompt", ".md", ".txt")


def prompt_name(file: str) -> str:
    """Return the store's name of a prompt file: its file name up to the first dot."""
    return PurePath(file).name.split(".")[0]


def load(path: Path, shown: str, found: Diagnostics) -> Prompt | None:
    """Load the prompt in a file. Add problems to `found` and return None if there are errors."""
    try:
        source = read_source(path, shown)
    except SourceError as error:
        found.extend([error.diagnostic])
        return None
    before = len(found.errors)
    if path.suffix.lower() == ".json":
        source = with_langfuse(source, found)
    front = FRONT.match(source.text)
    if front and path.suffix.lower() == ".prompt":
        source = with_tools_file(source, front.end("yaml"), path.parent, found)
    source = expand(source, path.parent, found)
    return parse_prompt(source, found) if len(found.errors) == before else None


def parse_prompt(source: Source, found: Diagnostics) -> Prompt | None:
    """Parse the prompt in a text. Add problems to `found` and return None if there are errors."""
    before = len(found.errors)
    suffix = PurePath(source.path).suffix.lower()
    front = FRONT.match(source.text) if suffix == ".prompt" else None
    if not _is_prompt_file(source, front is not None, found):
        return None
    head = _read_head(source, front, found)
    messages = _messages(source, front.end() if front else 0, found, roles=suffix == ".prompt")
    if len(found.errors) > before or head is None:
        return None
    return Prompt(
        name=prompt_name(source.path),
        file=source.path,
        source=source.text,
        messages=messages,
        **head,
    )


def _is_prompt_file(source: Source, front: bool, found: Diagnostics) -> bool:
    name = PurePath(source.path)
    plain = name.suffix.lower() != ".prompt"
    late, opening = _LATE_FRONT.match(source.text), _OPENING.match(source.text)
    start, length = max(0, source.text.find("---")), 3
    if name.suffix.lower() not in SUFFIXES or not prompt_name(source.path):
        start, length, hint = 0, 1, "name it NAME.prompt, or NAME.md for plain text"
        message = f"'{name.name}' is not a valid name of a prompt file"
    elif late:
        start, hint = late.start("dashes"), "make '---' the first line"
        message = "comments belong between the '---' lines, not above them"
    elif plain and opening:
        message = f"a '{name.suffix}' file is plain text, without '---' lines at its start"
        hint = f"name it {name.stem}.prompt"
    elif not front and opening:
        message, hint = "the part between '---' lines is not closed", "put a line with three dashes under it"
    else:
        return True
    found.add(Code.PROMPT_SYNTAX, message, source.location_at(start, length), hint=hint)
    return False


def _read_head(source: Source, front: re.Match[str] | None, found: Diagnostics) -> dict[str, Any] | None:
    """Return the fields of a prompt that the YAML between the `---` lines has."""
    text = front["yaml"] if front else ""
    first_line = source.text.count("\n", 0, front.start("yaml")) + 1 if front else 1
    document = parse(source, found, text=text, first_line=first_line)
    if document is None:
        return None
    value = {} if document.value is None else document.value
    if not isinstance(value, dict):
        found.add(Code.PROMPT_SYNTAX, "expected 'name: value' lines between the '---' lines", document.location())
        return None
    _unknown_keys(document, value, found)
    parts = {key: _mapping(document, value, key, found) for key in ("config", "input", "output")}
    if parts["output"].get("format", "json") not in ("json", "text"):
        found.add(Code.PROMPT_SYNTAX, "'format' must be json or text", document.location(("output", "format")))
    config, locations = read_config(
        parts["config"], lambda key, name: document.location(("config", key), key=name), found
    )
    tools = read_tools(document, ("tools",), found)
    check_tool_choice(config, locations, tools, found)
    return {
        "config": config,
        "locations": locations,
        "input_schema": _schema(document, parts, "input", found),
        "output_schema": _schema(document, parts, "output", found),
        "defaults": _mapping(document, parts["input"], "default", found, ("input",)),
        "tools": tools,
    }


def _unknown_keys(document: YamlDocument, value: dict[str, Json], found: Diagnostics) -> None:
    for key in value:
        location = document.location((key,), key=True)
        if key in _ELSEWHERE:
            # dotprompt files from elsewhere keep working, with a warning that the key has no effect.
            message, warning = f"'{key}' has no effect here", Severity.WARNING
            found.add(Code.PROMPT_DIALECT, message, location, hint=_ELSEWHERE[key], severity=warning)
        elif key not in _KEYS:
            hint = suggest(key, _KEYS, f"known here: {', '.join(_KEYS)}")
            found.add(Code.UNKNOWN_KEY, f"unknown key '{key}'", location, hint=hint)
    for key, known in _KEYS.items():
        inner = value.get(key)
        for name in inner if isinstance(inner, dict) and known else ():
            if name not in known:
                hint = suggest(name, known, f"known here: {', '.join(known)}")
                location = document.location((key, name), key=True)
                found.add(Code.UNKNOWN_KEY, f"unknown key '{name}' under '{key}'", location, hint=hint)


def _mapping(
    document: YamlDocument, value: dict[str, Json], key: str, found: Diagnostics, above: tuple[str, ...] = ()
) -> dict[str, Json]:
    inner = value.get(key)
    if inner is None:
        return {}
    if not isinstance(inner, dict):
        found.add(Code.WRONG_TYPE, f"'{key}' must be 'name: value' lines", document.location((*above, key)))
        return {}
    return inner


def _schema(
    document: YamlDocument, parts: dict[str, dict[str, Json]], part: str, found: Diagnostics
) -> dict[str, Json] | None:
    written = parts[part].get("schema")
    if written is None:
        return None
    try:
        return to_json_schema(written)
    except PicoschemaError as error:
        found.add(Code.BAD_SCHEMA, str(error), document.location((part, "schema", *error.path)))
        return None


def _parts(source: Source, start: int, found: Diagnostics) -> list[Part]:
    errors: list[TemplateError] = []
    parts = split_blocks(source.text[start:], layout=True, errors=errors)
    for error in errors[:_MAX_REPORTED]:
        code = Code.PROMPT_DIALECT if error.dialect else Code.PROMPT_SYNTAX
        found.add(code, error.message, source.location_at(start + error.offset, error.length), hint=error.hint)
    return [] if errors else parts


def _warn_of_jinja(source: Source, start: int, found: Diagnostics) -> None:
    """Warn about Jinja statements. Not an error, because a prompt may be about templates."""
    for jinja in islice(_JINJA.finditer(source.text, start), _MAX_REPORTED):
        found.add(
            Code.PROMPT_DIALECT,
            f"{jinja.group()} is a Jinja statement, and is sent to the model as text",
            source.location_at(jinja.start(), len(jinja.group())),
            hint="write a prompt for each branch, or put the finished text into a variable",
            severity=Severity.WARNING,
        )


def _messages(source: Source, start: int, found: Diagnostics, *, roles: bool) -> tuple[Template | HistoryPlace, ...]:
    """Return the body as messages. Text before the first role, or all without `roles`, is the user's."""
    _warn_of_jinja(source, start, found)
    parts = _parts(source, start, found)
    if not parts and source.text[start:].strip():
        return ()
    messages: list[Template | HistoryPlace] = []
    role: Role = "user"
    role_tag: Tag | None = None
    current: list[Part] = []

    def close() -> None:
        for tag, _ in all_tags(current) if role != "user" else ():
            if isinstance(tag, MediaTag):
                message = f"{{{{media …}}}} in a message of the {role}"
                location = source.location_at(start + tag.offset, tag.length)
                hint = 'models take files from the user: {{role "user"}}'
                found.add(Code.PROMPT_SYNTAX, message, location, hint=hint)
        template = _template(role, current)
        if template.parts:
            messages.append(template)
        elif role_tag is not None:
            found.add(
                Code.EMPTY_MESSAGE,
                f"the {role} message is empty",
                source.location_at(start + role_tag.offset, role_tag.length),
                hint="write its text, or delete the role",
            )
        current.clear()

    for part in parts:
        if not isinstance(part, Tag):
            _check_names([part], source, start, found)
            current.append(part)
            continue
        named, location = _ROLE.match(part.body), source.location_at(start + part.offset, part.length)
        if (named or part.body == HISTORY) and not roles:
            hint = f"name it {PurePath(source.path).stem}.prompt"
            found.add(Code.PROMPT_SYNTAX, "a plain text file is one user message", location, hint=hint)
        elif part.body == HISTORY:
            close()
            messages.append(HistoryPlace())
            role, role_tag = "user", None
        elif named:
            if named["role"] not in _ROLES:
                hint = suggest(named["role"], _ROLES, f"known roles: {', '.join(_ROLES)}")
                found.add(Code.PROMPT_SYNTAX, f"'{named['role']}' is not a role", location, hint=hint)
            close()
            role, role_tag = _ROLES.get(named["role"], "user"), part
        else:
            _check_names([part], source, start, found)
            current.append(part)
    close()
    if not messages:
        found.add(Code.EMPTY_MESSAGE, "the prompt has no text", source.location_at(max(0, start - 1)))
    return tuple(messages)


def _check_names(parts: list[Part], source: Source, start: int, found: Diagnostics) -> None:
    """Report what is in `{{…}}` and is not the name of a value."""
    for tag, depth in all_tags(parts):
        if is_name(tag.body, depth) and tag.body != HISTORY:
            continue
        location = source.location_at(start + tag.offset, tag.length)
        if _ROLE.match(tag.body) or tag.body == HISTORY:
            message, code = f"{{{{{tag.body}}}}} inside of a block", Code.PROMPT_SYNTAX
            hint = "roles and {{history}} are outside of {{#if}} and {{#each}}: write a prompt for each form"
        else:
            message, code = f"{{{{{tag.body}}}}} is not supported", Code.PROMPT_DIALECT
            hint = 'supported are {{name}}, {{a.b}}, {{#if name}}, {{#each name}}, {{history}} and {{role "system"}}'
            if tag.body.startswith(("@", "../", "this")):
                hint = f"{{{{{tag.body}}}}} needs {'an' if depth == 0 else 'another'} {{{{#each}}}} around it"
        found.add(code, message, location, hint=hint)


def _template(role: Role, parts: list[Part]) -> Template:
    """Return a message without surrounding white space, which is layout of the file."""
    kept = list(parts)
    for index, strip in ((0, str.lstrip), (-1, str.rstrip)):
        if kept and isinstance(part := kept[index], str):
            kept[index] = strip(part)
    kept = [part for part in kept if part != ""]
    return Template(role, join(kept), tuple(kept))


# A tool is `name`, `description` and `inputSchema`, dotprompt's words, with Picoschema or JSON Schema. The forms of
# OpenAI (`parameters`, with or without `function` around it) and Anthropic (`input_schema`) are read too.
TOOL_CHOICE = "toolChoice"
CHOICES = ("auto", "required", "none")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_SCHEMAS = ("inputSchema", "input_schema", "parameters")
_TOOL_KEYS = ("name", "description", *_SCHEMAS)
# What APIs add to a tool; it is decided anew for each provider.
_OF_APIS = ("type", "strict")
_EXAMPLE = "write '- name: get_weather', with 'description:' and 'inputSchema: {city: string}' below it"


def read_tools(document: YamlDocument, at: DocumentPath, found: Diagnostics) -> tuple[Json, ...]:
    """Return the valid tools in the list at `at`, each as `name`, `description` and `inputSchema` in JSON Schema."""
    listed = document.value
    for step in at:
        listed = (listed or {}).get(step)
    if listed is None:
        return ()
    if not isinstance(listed, list):
        message = "'tools' must be a list of tools, or the name of a .json or .yaml file next to the prompt"
        found.add(Code.WRONG_TYPE, message, document.location(at), hint=_EXAMPLE)
        return ()
    tools: dict[str, Json] = {}
    for index, item in enumerate(listed):
        path: DocumentPath = (*at, index)
        wrapped = isinstance(item, dict) and isinstance(item.get("function"), dict)
        path = (*path, "function") if wrapped else path
        tool = _tool(document, item["function"] if wrapped else item, path, found)
        if tool is None:
            continue
        if tool["name"] in tools:
            location = document.location((*path, "name"))
            found.add(Code.DUPLICATE_NAME, f"two tools are named '{tool['name']}'", location)
        tools[tool["name"]] = tool
    return tuple(tools.values())


def _tool(document: YamlDocument, item: Json, path: DocumentPath, found: Diagnostics) -> dict[str, Json] | None:
    if not isinstance(item, dict):
        what = f"'{item}' is only a name" if isinstance(item, str) else "this is not a tool"
        found.add(Code.PROMPT_SYNTAX, f"{what}, and the model needs its inputs", document.location(path), hint=_EXAMPLE)
        return None
    for key in item:
        if key not in (*_TOOL_KEYS, *_OF_APIS):
            hint = suggest(key, _TOOL_KEYS, "a tool has name, description and inputSchema")
            location = document.location((*path, key), key=True)
            found.add(Code.UNKNOWN_KEY, f"unknown key '{key}' in a tool", location, hint=hint)
    name, description = item.get("name"), item.get("description", "")
    if not isinstance(name, str) or not _NAME.match(name):
        message = "a tool needs a 'name' of up to 64 letters, digits, dashes and underscores"
        found.add(Code.BAD_VALUE, message, document.location((*path, "name")))
        return None
    if not isinstance(description, str):
        found.add(Code.WRONG_TYPE, "'description' must be text", document.location((*path, "description")))
        return None
    key = next((key for key in _SCHEMAS if key in item), "inputSchema")
    try:
        schema = to_json_schema(item.get(key) or {"type": "object", "properties": {}})
    except PicoschemaError as error:
        found.add(Code.BAD_SCHEMA, str(error), document.location((*path, key, *error.path)))
        return None
    if schema.get("type") != "object":
        message = f"the inputs of '{name}' must be an object"
        found.add(Code.BAD_SCHEMA, message, document.location((*path, key)), hint="write 'name: type' lines")
        return None
    return {"name": name, "description": description, "inputSchema": schema}


def check_tool_choice(
    config: Mapping[str, Json], locations: Mapping[str, Location], tools: tuple[Json, ...], found: Diagnostics
) -> None:
    """Report a `toolChoice` that is neither one of `CHOICES` nor the name of a tool."""
    choice = config.get(TOOL_CHOICE)
    names = [tool["name"] for tool in tools]
    if choice is None or choice in (*CHOICES, *names):
        return
    known = (*CHOICES, *names)
    hint = suggest(str(choice), known, f"known here: {', '.join(known)}")
    message = f"'{TOOL_CHOICE}' must be {', '.join(CHOICES)} or the name of a tool, got '{choice}'"
    found.add(Code.BAD_VALUE, message, locations[TOOL_CHOICE], hint=hint)


_FILE = re.compile(
    r"""^tools:[ \t]*(?P<quote>["']?)(?P<name>[^\s\[{#"'|>&*!][^\n"'#]*?)(?P=quote)[ \t]*(?:\#.*)?$""", re.MULTILINE
)


def with_tools_file(source: Source, end: int, folder: Path, found: Diagnostics) -> Source:
    """Return the source with the tools of a file that it names written out, so that the prompt store needs no file.

    `end` is where the front matter ends.
    """
    match = _FILE.search(source.text, 0, end)
    if match is None:
        return source
    start, stop = match.span("name")[0] - len(match["quote"]), match.span("name")[1] + len(match["quote"])
    location = source.location_at(start, stop - start)
    tools = list(_from_file(match["name"], PurePosixPath(source.path), location, folder, found))
    written = json.dumps(tools)
    text = source.text[:start] + written + source.text[stop:]
    pieces = ((0, source, 0), (start, source, start), (start + len(written), source, stop))
    return ExpandedSource(source.path, text, pieces)


def _from_file(
    name: str, prompt: PurePosixPath, location: Location, folder: Path, found: Diagnostics
) -> Iterator[Json]:
    path = below(folder, name, location, found)
    if path is None:
        return
    if not path.is_file():
        near = [item.name for item in folder.glob("*.*") if item.suffix in (".json", ".yaml", ".yml")]
        hint = suggest(name, near, "write the list of tools into it, or under 'tools:' itself")
        found.add(Code.FILE_NOT_FOUND, f"file '{name}' not found next to the prompt", location, hint=hint)
        return
    try:
        read = read_source(path, str(prompt.with_name(name)))
    except SourceError as error:
        found.extend([error.diagnostic])
        return
    document = parse(read, found)
    if document is not None:
        at = ("tools",) if isinstance(document.value, dict) and "tools" in document.value else ()
        yield from read_tools(document, at, found)
