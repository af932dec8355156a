"""What can be read as YAML and is hardly meant so: texts that lose a part, and quotation marks that are letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.formats._slip import CURLY, in_curly, quoted

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_AMPERSAND = re.compile(r"[:\-,\[{] *&\w")
_HASH = re.compile(r"(?<=[^\s:] )#[^\s#]")
_CURLY = re.compile(f"(?:^|[-:,{{[]) *[{''.join(CURLY)}]", re.MULTILINE)

_TIGHT = re.compile(r"[{,] *[^\W\d_][\w ]*:(?!//)[^\s,}\]:]")
_TIGHT_NAME = re.compile(r"(?P<name>[^\W\d_][\w ]*):(?!//)(?P<value>[^\s:].*)", re.DOTALL)

_Span = Callable[[int, int], Location]
"""The place of what stands from one offset of the text to another."""


def tell_doubts(text: str, root: yaml.Node, location: _Span, found: Diagnostics) -> None:
    """Adds to `found` what is doubtful in a text that YAML reads as `root`."""
    if "&" in text and _AMPERSAND.search(text):
        _tell_anchors(text, location, found)
    # A look at all scalars takes half as long as reading them, so it is taken only where there may be something.
    hashes = [match for match in _HASH.finditer(text) if _may_be_plain(text, match.start())] if "#" in text else []
    curly = not text.isascii() and _CURLY.search(text)
    if _TIGHT.search(text):
        _tell_tight(root, location, found)
    if not hashes and not curly:
        return
    scalars = list(_scalars(root))
    if hashes:
        _tell_comments(text, hashes, [node for _, node in scalars], location, found)
    for is_key, node in scalars if curly else ():
        _tell_curly(is_key, node, location, found)


def _may_be_plain(text: str, end: int) -> bool:
    """Whether what stands before a place on its line may be a text without quotation marks."""
    line = text[text.rfind("\n", 0, end) + 1 : end]
    return "'" not in line and '"' not in line


def _scalars(root: yaml.Node) -> Iterator[tuple[bool, yaml.ScalarNode]]:
    """All scalars, each with whether it is a name. What an anchor stands for comes once."""
    todo, seen = [(False, root)], set()
    while todo:
        is_key, node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            yield is_key, node
        elif isinstance(node, yaml.SequenceNode):
            todo += [(False, item) for item in node.value]
        elif isinstance(node, yaml.MappingNode):
            todo += [pair for key, value in node.value for pair in ((True, key), (False, value))]


def _tell_tight(root: yaml.Node, location: _Span, found: Diagnostics) -> None:
    """In braces, a name and its value without a space between them are one name without a value."""
    for mapping in _mappings(root):
        for key, value in mapping.value if mapping.flow_style else ():
            blank = value.start_mark.index == value.end_mark.index
            tight = _TIGHT_NAME.fullmatch(key.value) if isinstance(key, yaml.ScalarNode) and not key.style else None
            if blank and tight:
                name = tight["name"]
                message = f"there is no space after the colon of '{name}'"
                mend = f"{name}: {tight['value']}"
                at = location(key.start_mark.index, key.end_mark.index)
                found.add(Code.YAML_SYNTAX, message, at, hint=f"write '{name}: '", mend=mend)


def _mappings(root: yaml.Node) -> Iterator[Any]:
    todo, seen = [root], set()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            yield node
            todo += [part for pair in node.value for part in pair]


def _tell_anchors(text: str, location: _Span, found: Diagnostics) -> None:
    """An anchor that nothing refers to is most likely the start of a text."""
    named: dict[str, tuple[int, int]] = {}
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    for event in events:
        anchor = getattr(event, "anchor", None) or ""
        if isinstance(event, yaml.AliasEvent):
            named.pop(anchor, None)
        elif anchor and type(event) is yaml.ScalarEvent:
            named[anchor] = _span(event)
    for start, end in named.values():
        mend = quoted(text[start:end].rstrip())
        message = "a text that starts with & needs quotes"
        found.add(Code.YAML_FEATURE, message, location(start, end), hint=f"write it as {mend}", mend=mend)


def _span(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index


def _tell_comments(
    text: str, hashes: list[re.Match[str]], scalars: list[yaml.ScalarNode], location: _Span, found: Diagnostics
) -> None:
    """A plain text that goes on, after one space, with # and a word: for YAML the rest is a comment."""
    plain = {node.end_mark.index: node for node in scalars if not node.style}
    for match in hashes:
        node = plain.get(match.start() - 1)
        if node is None or node.start_mark.index == node.end_mark.index:
            continue
        end = text.find("\n", match.start())
        whole = text[node.start_mark.index : end if end >= 0 else len(text)].rstrip()
        start = match.start()
        found.add(
            Code.COMMENT_IN_TEXT,
            "from # on this is a comment, and not part of the text",
            location(start, node.start_mark.index + len(whole)),
            hint=f"put the whole text in quotes: {quoted(whole)}; a comment has a space behind its #",
            severity=Severity.WARNING,
        )


def _tell_curly(is_key: bool, node: yaml.ScalarNode, location: _Span, found: Diagnostics) -> None:
    inner = None if node.style else in_curly(node.value)
    if inner is None:
        return
    message = "these quotation marks of a word processor are part of the text"
    hint = f"write straight ones, {quoted(inner)}, or leave them out"
    if is_key:
        message = "these quotation marks of a word processor are part of the name"
        hint = f"leave them out: {inner}"
    severity = Severity.ERROR if is_key else Severity.WARNING
    at = location(node.start_mark.index, node.end_mark.index)
    mend = (inner if re.fullmatch(r"[^\W\d_][\w -]*", inner) else quoted(inner)) if is_key else None
    found.add(Code.CURLY_QUOTES, message, at, hint=hint, severity=severity, mend=mend)
