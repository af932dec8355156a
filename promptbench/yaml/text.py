"""Format plain data as the YAML that a person would write, so that `marked_yaml` reads the same data back.

Multi-line texts become literal blocks. Texts that some YAML parser reads as another type (`no`, `12:30`, `010`) are
quoted. Small mappings and lists are written on one line.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from promptbench.core.types import Json

_WIDTH = 100
_MOST_IN_KEY = 200
_STEP = 2
# Starts with a letter, so it cannot be a number, a date or YAML syntax.
_PLAIN = re.compile(r"[^\W\d_](?:[\w ,.;!?/@%&+=~'\"$*#:()<>|^`\[\]{}\-]*[\w.,;!?/@%&+=~'\"$*)<>|^\]}\-])?\Z")
_PLAIN_IN_BRACES = re.compile(r"[^\W\d_](?:[\w ./@%+()=;!'\-]*[\w./@%+()=;!'\-])?\Z")
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
_ODD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# One character in two escapes, which JSON has and YAML does not. `before` are escaped backslashes.
SURROGATES = re.compile(
    r"(?<!\\)(?P<before>(?:\\\\)*)\\u(?P<high>[dD][89abAB][\da-fA-F]{2})\\u(?P<low>[dD][c-fC-F][\da-fA-F]{2})"
)
# The quotation marks of word processors, each with the marks that may close it.
CURLY = {"“": "”", "„": "“”", "”": "”", "‘": "’", "‚": "‘’", "«": "»", "»": "«"}


def mapping_lines(data: Mapping[str, Json], column: int) -> list[str]:
    """Return the lines of a mapping with its keys at `column`. Raise ValueError for a text that YAML cannot hold."""
    return [" " * column + line if line else "" for line in _mapping(data, _WIDTH - column)]


def item_lines(data: Mapping[str, Json], column: int) -> list[str]:
    """Return the lines of a mapping as a list item, with its dash at `column`. Raise as `mapping_lines`."""
    first, *rest = mapping_lines(data, column + _STEP)
    return [f"{' ' * column}- {first[column + _STEP :]}", *rest]


def in_braces(value: Json) -> str:
    """Return any data on one line. Raise as `mapping_lines`."""
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{_scalar(key, _PLAIN_IN_BRACES)}: {in_braces(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(in_braces, value)) + "]"
    return _scalar(value, _PLAIN_IN_BRACES)


def _mapping(data: Mapping[str, Json], width: int) -> Iterator[str]:
    for key, value in data.items():
        name = _scalar(key, _PLAIN_IN_BRACES if len(key) <= _MOST_IN_KEY else None)
        first, *rest = _value(value, width, len(name) + 2)
        yield f"{name}: {first}" if first else f"{name}:"
        yield from rest


def _value(value: Json, width: int, taken: int) -> Iterator[str]:
    """Yield the rest of a key's line, then the lines below it. `taken` is the width that the key needs."""
    if isinstance(value, str):
        yield from _block(value) if _fits_block(value) else [_scalar(value, _PLAIN)]
    elif isinstance(value, Mapping):
        yield from _small(value, value.values(), width - taken) or ["", *_below(_mapping(value, width - _STEP))]
    elif isinstance(value, (list, tuple)):
        yield from _small(value, value, width - taken) or ["", *_below(_items(value, width - _STEP))]
    else:
        yield _scalar(value, _PLAIN)


def _small(value: Json, inside: Iterable[Json], width: int) -> list[str]:
    """Return a mapping or list on one line; nothing if it is too long, nested, or has multi-line texts."""
    if any(isinstance(item, (Mapping, list, tuple)) or (isinstance(item, str) and "\n" in item) for item in inside):
        return []
    line = in_braces(value)
    return [line] if len(line) <= width or line in ("{}", "[]") else []


def _items(values: Sequence[Json], width: int) -> Iterator[str]:
    for value in values:
        if isinstance(value, Mapping) and value:
            first, *rest = _mapping(value, width - _STEP)
            rest = list(_below(rest))
        elif isinstance(value, (Mapping, list, tuple)):
            first, rest = in_braces(value), []
        else:
            first, *rest = _value(value, width, 0)
        yield from [f"- {first}", *rest]


def _below(lines: Iterator[str] | Sequence[str]) -> Iterator[str]:
    return (" " * _STEP + line if line else "" for line in lines)


def _fits_block(text: str) -> bool:
    return (
        "\n" in text.rstrip("\n") and not text.endswith("\n\n") and not text.startswith("\t") and not _ODD.search(text)
    )


def _block(text: str) -> Iterator[str]:
    indent = str(_STEP) if text[0] in " \n" else ""
    yield f"|{indent}{'' if text.endswith(chr(10)) else '-'}"
    yield from _below(text.removesuffix("\n").split("\n"))


def _scalar(value: Json, plain: re.Pattern[str] | None) -> str:
    if not isinstance(value, str):
        # str, because a WrittenNumber keeps how it was written.
        return str(value) if isinstance(value, float) else json.dumps(value, allow_nan=False)
    if plain and plain.match(value) and value.lower() not in _WORDS and not re.search(r": |:\Z| #", value):
        return value
    if _SURROGATE.search(value):
        raise ValueError("it holds half a character, which YAML cannot represent")
    if "\n" in value or _ODD.search(value):
        quoted = json.dumps(value, ensure_ascii=False)
        return _ODD.sub(lambda odd: f"\\u{ord(odd[0]):04x}", quoted)
    return "'" + value.replace("'", "''") + "'"


def quote(text: str) -> str:
    """Return a one-line text in YAML quotes, preferring those that need no escapes."""
    if "'" in text and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def whole_character(pair: re.Match[str]) -> str:
    """Return the character that a match of `SURROGATES` stands for."""
    return (int(pair["high"], 16).to_bytes(2, "big") + int(pair["low"], 16).to_bytes(2, "big")).decode("utf-16-be")


def in_curly(text: str) -> str | None:
    """Return the text inside word-processor quotation marks; None if they do not enclose all of it."""
    inside = text[1:-1]
    if len(text) < 3 or text[0] not in CURLY or text[-1] not in CURLY[text[0]]:
        return None
    return None if any(mark in inside for mark in "“”„«»") else inside
