"""Read a prompt's `tools:`: a list in its front matter, or a file next to it that has the list.

A tool is `name`, `description` and `inputSchema`, dotprompt's words, with Picoschema or JSON Schema. The forms of
OpenAI (`parameters`, with or without `function` around it) and Anthropic (`input_schema`) are read too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from promptbench.core.diagnostics import Code, Diagnostics, Location, suggest
from promptbench.core.types import Json
from promptbench.prompts.partials import ExpandedSource
from promptbench.prompts.picoschema import PicoschemaError, to_json_schema
from promptbench.yaml.marked import Path as DocumentPath
from promptbench.yaml.marked import YamlDocument, parse
from promptbench.yaml.paths import below
from promptbench.yaml.source import Source, SourceError, read_source

TOOL_CHOICE = "toolChoice"
CHOICES = ("auto", "required", "none")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_SCHEMAS = ("inputSchema", "input_schema", "parameters")
_KEYS = ("name", "description", *_SCHEMAS)
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
        if key not in (*_KEYS, *_OF_APIS):
            hint = suggest(key, _KEYS, "a tool has name, description and inputSchema")
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
