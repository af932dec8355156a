"""Find the closed lists of values in a prompt: in its output schema and in its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from promptbench.checks._scores import same
from promptbench.core.types import Json

ANY_ITEM = "*"  # A step of a path that stands for every item of a list.

Path = tuple[str, ...]

_DEEPEST = 64


class AllowedValues:
    """The values that a JSON Schema allows at a path, if they are a closed list."""

    def __init__(self, schema: Mapping[str, Json] | None) -> None:
        self._root = schema
        self._known: dict[tuple[int, Path], tuple[Json, ...] | None] = {}

    def at(self, path: Path) -> tuple[Json, ...] | None:
        """Return all values that are allowed there, or None if the schema does not list them."""
        return self._allowed(self._root, path, 0)

    def _allowed(self, schema: Json, path: Path, depth: int) -> tuple[Json, ...] | None:
        # Each part is visited once for a path: references may be circular, or multiply.
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return None
        key = (id(schema), path)
        if key not in self._known:
            self._known[key] = None
            self._known[key] = self._closed(schema, path, depth)
        return self._known[key]

    def _closed(self, schema: Mapping[str, Json], path: Path, depth: int) -> tuple[Json, ...] | None:
        lists = [
            self._here(schema) if not path else self._below(schema, path, depth),
            *(self._allowed(item, path, depth + 1) for item in _all_of(schema)),
            *(
                self._any(branches, path, depth)
                for branches in [schema[word] for word in ("anyOf", "oneOf") if isinstance(schema.get(word), list)]
            ),
        ]
        reference = schema.get("$ref")
        if isinstance(reference, str):
            lists.append(self._allowed(_resolve(self._root, reference), path, depth + 1))
        closed = [item for item in lists if item is not None]
        if not closed:
            return None
        return tuple(value for value in closed[0] if all(_has(other, value) for other in closed[1:]))

    def _here(self, schema: Mapping[str, Json]) -> tuple[Json, ...] | None:
        if isinstance(schema.get("enum"), list):
            return tuple(schema["enum"])
        if "const" in schema:
            return (schema["const"],)
        kinds = _types(schema)
        if kinds and kinds <= {"boolean", "null"}:
            return (*((True, False) if "boolean" in kinds else ()), *((None,) if "null" in kinds else ()))
        return None

    def _below(self, schema: Mapping[str, Json], path: Path, depth: int) -> tuple[Json, ...] | None:
        step, rest = path[0], path[1:]
        kinds = _types(schema)
        if kinds and not kinds & {"object", "array"}:
            return ()
        if step == ANY_ITEM:
            return None if "prefixItems" in schema else self._allowed(schema.get("items"), rest, depth + 1)
        properties = schema.get("properties")
        if isinstance(properties, Mapping) and step in properties:
            return self._allowed(properties[step], rest, depth + 1)
        return (
            None
            if "patternProperties" in schema
            else self._allowed(schema.get("additionalProperties"), rest, depth + 1)
        )

    def _any(self, branches: Sequence[Json], path: Path, depth: int) -> tuple[Json, ...] | None:
        lists = [self._allowed(branch, path, depth + 1) for branch in branches]
        if not lists or any(item is None for item in lists):
            return None
        return tuple(value for item in lists for value in item or ())


def _has(values: Iterable[Json], value: Json) -> bool:
    return any(same(value, other) for other in values)


def _types(schema: Mapping[str, Json]) -> set[str]:
    kind = schema.get("type")
    return (
        set(kind)
        if isinstance(kind, list) and all(isinstance(name, str) for name in kind)
        else ({kind} if isinstance(kind, str) else set())
    )


def _all_of(schema: Mapping[str, Json]) -> list[Json]:
    parts = schema.get("allOf")
    return parts if isinstance(parts, list) else []


def _resolve(root: Json, reference: str) -> Json:
    if reference == "#":
        return root
    for step in reference[2:].split("/") if reference.startswith("#/") else ("",):
        name = step.replace("~1", "/").replace("~0", "~")
        root = root.get(name) if isinstance(root, Mapping) else None
    return root


_SEPARATOR = r"""["'`*_)\]]*\s*(?:[,;|/]|\b(?:or|and)\b)\s*(?:\b(?:or|and)\b)?\s*["'`*_(\[]*"""
# Between two items of a list in a line. Up to three unknown items may be between them.
_GAP = re.compile(rf"{_SEPARATOR}(?:[\w-]+{_SEPARATOR}){{0,3}}")
_LONGEST_GAP = 80
_BULLET = re.compile(r"[ \t]*(?:[-*•+|]|\(?\w{1,2}[.)])?[ \t]*[\"'`*_(\[]*")
# How far apart the first words of two items below each other may be: an item may have a description.
_LONGEST_ITEM = 400
_OPEN_BEFORE = re.compile(
    r"\b(?:e\.?\s?g|z\.\s?b|examples?|for instance|such as|like|including)\b[^!?\n]{0,20}\n?\s*\W*\Z",
    re.IGNORECASE,
)
_OPEN_AFTER = re.compile(
    r"[^\w\n…]*(?:…|\.\.\.|\betc\b|\busw\b|(?:and|or) (?:so on|others|other \w+|more|similar|something)\b)",
    re.IGNORECASE,
)


def listed(text: str, values: Sequence[str]) -> list[str]:
    """Return the values that are in closed lists of a text, in its order, each once.

    A list is items in a line separated by commas, bars, slashes, 'or' or 'and', or items at the starts of lines. A
    list after 'such as' or 'e.g.', or before 'etc.', is open and does not count.
    """
    words = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(values, key=len, reverse=True)))})(?!\w)")
    marks = list(words.finditer(text))
    starts = [mark for mark in marks if _BULLET.fullmatch(text, text.rfind("\n", 0, mark.start()) + 1, mark.start())]
    groups = [
        *_groups(marks, lambda one, other: _in_a_line(text[one.end() : other.start()])),
        *_groups(starts, lambda one, other: other.start() - one.end() <= _LONGEST_ITEM),
    ]
    closed = [mark for group in groups if _is_closed(text, group) for mark in group]
    return list(dict.fromkeys(mark[0] for mark in sorted(closed, key=lambda mark: mark.start())))


def _in_a_line(gap: str) -> bool:
    return len(gap) <= _LONGEST_GAP and _GAP.fullmatch(gap) is not None


def _groups(
    marks: Sequence[re.Match[str]], near: Callable[[re.Match[str], re.Match[str]], bool]
) -> Iterator[list[re.Match[str]]]:
    group: list[re.Match[str]] = []
    for mark in marks:
        if group and not near(group[-1], mark):
            yield group
            group = []
        group.append(mark)
    if group:
        yield group


def _is_closed(text: str, group: Sequence[re.Match[str]]) -> bool:
    first, last = group[0].start(), group[-1].end()
    return (
        len({mark[0] for mark in group}) > 1
        and not _OPEN_BEFORE.search(text[max(0, first - 60) : first])
        and not _OPEN_AFTER.match(text, last)
    )
