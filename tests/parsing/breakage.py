"""Ways in which models break JSON, applied to random documents whose truth is known.

A breakage is a function of (random, document) that returns the broken text, or None where it does not apply. What it
returns has, for a reader without the truth, either one reading (the truth) or several; a text that is another valid
JSON document is thrown away by `broken`, since no reader could know.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

Breakage = Callable[[random.Random, Any], str | None]
BREAKAGES: dict[str, Breakage] = {}
# Kinds in which the document is not the answer, or only a part of it: no reader may return it for certain.
NO_ANSWER: set[str] = set()

_TEXTS = [
    "", "a", "billing", "it's", 'say "hi"', "a, b", "x: y", "{braces}", "[list]", "line\nbreak", "tab\there",
    "C:\\new\\dir", "http://example.com/a//b", "# no comment", "/* neither */", "```json", "Café ☕", "“smart”",
    "True", "null", "12", "a\\b", "ends with \\", "1,000", '{"a": 1}', "</json>", "</think>", "…", "...", "don’t",
    "50%", "💥", "two  spaces", "\u2028", " pad ", "He said, 'no'", 'a", "b', 'yes, "x": 1', "semi; colon",
    'key": "value', "','", "= 3 + 4", "<b>bold</b>", "-", "}", "]",
]  # fmt: skip
_KEYS = [
    "team", "priority", "a", "b", "note", "is_open", "items", "x-y", "first name", "it's", "id", "", "a:b", "ключ",
    "$ref",
]  # fmt: skip
_BEFORE = [
    "Here is the JSON:\n", "Sure! ", "The answer is: ", "Of course, here's the result you asked for:\n\n",
    "Answer:\n", "I read the message [the second one] and decided.\n\n", "Based on {context}, this is my reply:\n",
    "**Result**\n\n", 'The user said "charged twice", so:\n', "As noted in [1], we get\n",
    "Let me think step by step. First, it's billing.\n",
]  # fmt: skip
_BEHIND = [
    "\n\nI hope this helps!", "\nLet me know if you need more.", " Done.",
    "\n\nNote: the [team] field follows your rules.", '\n\nExplanation: the customer\'s words were "twice".',
    "\n\n- it's short\n- it's valid", "\n<|im_end|>",
]  # fmt: skip


def document(source: random.Random, depth: int = 3) -> Any:
    """An object or array with at least one item."""
    if source.random() < 0.25:
        return [value(source, depth - 1) for _ in range(source.randint(1, 4))]
    return {source.choice(_KEYS): value(source, depth - 1) for _ in range(source.randint(1, 5))}


def value(source: random.Random, depth: int) -> Any:
    kind = source.random()
    if depth > 0 and kind < 0.3:
        return document(source, depth)
    if kind < 0.35:
        return source.choice([[], {}])
    if kind < 0.7:
        return source.choice(_TEXTS)
    if kind < 0.85:
        return source.choice([0, 1, -7, 42, 1.5, 0.25, -0.5, 1e21, 123456789012345678901234567890, 3.0, 1e-7])
    return source.choice([True, False, None])


def breakage(function: Breakage) -> Breakage:
    BREAKAGES[function.__name__] = function
    return function


def no_answer(function: Breakage) -> Breakage:
    NO_ANSWER.add(function.__name__)
    return breakage(function)


def truth(name: str, doc: Any) -> Any:
    """What a reader should return for a text of this kind. Nothing is the same as what it is for `no_answer`."""
    return object() if name in NO_ANSWER else doc


def broken(name: str, source: random.Random, doc: Any) -> str | None:
    """The text of `doc` broken in the way `name`; None if that is not possible, or leads to another valid document."""
    text = BREAKAGES[name](source, doc)
    if text is None:
        return None
    try:
        other = json.loads(text)
    except (ValueError, RecursionError):
        return text
    while isinstance(other, str) and name.startswith("double_encoded"):
        other = json.loads(other)
    return text if same(other, doc) else None


def same(one: Any, two: Any) -> bool:
    """Equality that tells 1, 1.0 and True apart."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(item, two[key]) for key, item in one.items())
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two) and (not isinstance(one, float) or math.copysign(1, one) == math.copysign(1, two))


def tokens(doc: Any, *, pretty: bool = False) -> list[tuple[str, str]]:
    """The JSON text as pairs of kind and text. Kinds: the structural characters, key, text, number, literal, space."""

    def walk(node: Any, level: int) -> Iterator[tuple[str, str]]:
        line = ("space", "\n" + "  " * (level + 1)) if pretty else ("space", "")
        if isinstance(node, (dict, list)):
            opener, closer = ("{", "}") if isinstance(node, dict) else ("[", "]")
            yield opener, opener
            for number, item in enumerate(node):
                if number:
                    yield ",", ","
                yield line if pretty else ("space", " " if number else "")
                if isinstance(node, dict):
                    yield "key", json.dumps(item, ensure_ascii=False)
                    yield ":", ":"
                    yield "space", " "
                yield from walk(node[item] if isinstance(node, dict) else item, level + 1)
            if pretty and node:
                yield "space", "\n" + "  " * level
            yield closer, closer
        elif isinstance(node, str):
            yield "text", json.dumps(node, ensure_ascii=False)
        elif isinstance(node, bool) or node is None:
            yield "literal", json.dumps(node)
        else:
            yield "number", json.dumps(node)

    return list(walk(doc, 0))


def join(parts: list[tuple[str, str]]) -> str:
    return "".join(text for _, text in parts)


def dump(source: random.Random, doc: Any) -> str:
    return join(tokens(doc, pretty=source.random() < 0.4))


def change(
    source: random.Random, doc: Any, kinds: str, new: Callable[[str], str | None], *, share: float = 0.0
) -> str | None:
    """Replaces one token of these kinds (or more, by `share`) by what `new` makes of it."""
    parts = tokens(doc, pretty=source.random() < 0.4)
    places = [
        (number, changed)
        for number, (kind, text) in enumerate(parts)
        if kind in kinds.split() and (changed := new(text)) is not None and changed != text
    ]
    if not places:
        return None
    chosen = source.choice(places)
    for place in places:
        if place is chosen or source.random() < share:
            parts[place[0]] = (parts[place[0]][0], place[1])
    return join(parts)


# --- what stands around the data -------------------------------------------------------------------------------------


@breakage
def bom(source: random.Random, doc: Any) -> str | None:
    return "\ufeff" + dump(source, doc)


@breakage
def fence_json(source: random.Random, doc: Any) -> str | None:
    return f"```json\n{dump(source, doc)}\n```"


@breakage
def fence_plain(source: random.Random, doc: Any) -> str | None:
    return f"```\n{dump(source, doc)}\n```\n"


@breakage
def fence_in_prose(source: random.Random, doc: Any) -> str | None:
    return f"{source.choice(_BEFORE)}```json\n{dump(source, doc)}\n```{source.choice(_BEHIND)}"


@breakage
def fence_unclosed(source: random.Random, doc: Any) -> str | None:
    return f"```json\n{dump(source, doc)}"


@breakage
def fence_tildes(source: random.Random, doc: Any) -> str | None:
    return f"~~~json\n{dump(source, doc)}\n~~~"


@breakage
def fence_one_line(source: random.Random, doc: Any) -> str | None:
    return f"```json {join(tokens(doc))} ```"


@breakage
def backticks(source: random.Random, doc: Any) -> str | None:
    return f"`{join(tokens(doc))}`"


@breakage
def xml_wrap(source: random.Random, doc: Any) -> str | None:
    tag = source.choice(["answer", "json", "tool_call", "output"])
    return f"<{tag}>{dump(source, doc)}</{tag}>"


@breakage
def xml_in_prose(source: random.Random, doc: Any) -> str | None:
    return f"{source.choice(_BEFORE)}<result>\n{dump(source, doc)}\n</result>{source.choice(_BEHIND)}"


@breakage
def xml_unclosed(source: random.Random, doc: Any) -> str | None:
    return f"<answer>\n{dump(source, doc)}"


@breakage
def think(source: random.Random, doc: Any) -> str | None:
    return f'<think>\nIt could be {{a}} or [b], it\'s "hard".\n</think>\n\n{dump(source, doc)}'


@breakage
def think_with_draft(source: random.Random, doc: Any) -> str | None:
    return f"<think>Maybe {dump(source, document(source))}? No.</think>{dump(source, doc)}"


@breakage
def think_without_opener(source: random.Random, doc: Any) -> str | None:
    return f'Okay, maybe {{"draft": true}} or so.\n</think>\n\n{dump(source, doc)}'


@breakage
def think_then_fence(source: random.Random, doc: Any) -> str | None:
    return f"<thinking>Hm.</thinking>\n```json\n{dump(source, doc)}\n```"


@breakage
def prose_before(source: random.Random, doc: Any) -> str | None:
    return source.choice(_BEFORE) + dump(source, doc)


@breakage
def prose_behind(source: random.Random, doc: Any) -> str | None:
    return dump(source, doc) + source.choice(_BEHIND)


@breakage
def prose_around(source: random.Random, doc: Any) -> str | None:
    return source.choice(_BEFORE) + dump(source, doc) + source.choice(_BEHIND)


@breakage
def prose_with_example(source: random.Random, doc: Any) -> str | None:
    return f"For example {dump(source, document(source))} would be wrong. Instead:\n{dump(source, doc)}"


# --- one reading ------------------------------------------------------------------------------------------------------


@breakage
def trailing_comma(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "} ]", lambda text: "," + text)


@breakage
def python_literals(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "literal", lambda text: str(json.loads(text)), share=0.8)


@breakage
def python_repr(source: random.Random, doc: Any) -> str | None:
    return repr(doc)


def _single(text: str) -> str | None:
    return None if "\\" in text else "'" + text[1:-1].replace("'", "\\'") + "'"


@breakage
def single_quotes(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "key text", _single, share=0.9)


@breakage
def smart_quotes(source: random.Random, doc: Any) -> str | None:
    return change(
        source, doc, "key text", lambda text: None if re.search("\\\\|[“”]", text) else f"“{text[1:-1]}”", share=1
    )


@breakage
def unquoted_key(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "key", lambda text: text[1:-1] if re.fullmatch(r'"[a-z_]+"', text) else None, share=0.7)


@breakage
def line_comment(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, ",", lambda text: ', // it\'s "new", see {x}\n', share=0.3)


@breakage
def block_comment(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, ", :", lambda text: text + ' /* it\'s, "x": 1 */ ', share=0.3)


@breakage
def hash_comment(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, ",", lambda text: ', # don\'t "worry": []\n', share=0.3)


@breakage
def raw_line_break(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "text", lambda text: re.sub(r"(?<!\\)\\n", "\n", text), share=1)


@breakage
def raw_tab(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "text", lambda text: re.sub(r"(?<!\\)\\t", "\t", text), share=1)


@breakage
def escaped_apostrophe(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "key text", lambda text: text.replace("'", "\\'"), share=0.5)


@breakage
def no_break_space(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, ": ,", lambda text: text + "\xa0", share=0.5)


@breakage
def zero_width_space(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, ": , [", lambda text: text + "\u200b", share=0.5)


@breakage
def plus_sign(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "number", lambda text: None if text[0] == "-" else "+" + text, share=0.5)


@breakage
def no_leading_zero(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "number", lambda text: re.sub(r"^(-?)0\.", r"\1.", text), share=0.5)


@breakage
def no_decimals(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "number", lambda text: text[:-1] if text.endswith(".0") else None, share=0.5)


@breakage
def grouped_digits(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "number", lambda text: f"{int(text):_}" if text.isdigit() and len(text) > 3 else None)


@breakage
def nan_for_null(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "literal", lambda text: "NaN" if text == "null" else None, share=0.5)


@breakage
def double_encoded(source: random.Random, doc: Any) -> str | None:
    return json.dumps(dump(source, doc))


@breakage
def double_encoded_without_quotes(source: random.Random, doc: Any) -> str | None:
    return json.dumps(dump(source, doc))[1:-1]


@breakage
def double_encoded_in_fence(source: random.Random, doc: Any) -> str | None:
    return f"```json\n{json.dumps(dump(source, doc))}\n```"


@breakage
def extra_closer(source: random.Random, doc: Any) -> str | None:
    return dump(source, doc) + source.choice(["}", "]", "\n}", "}}", "]]"])


@breakage
def mixed_safe(source: random.Random, doc: Any) -> str | None:
    return f"```json\n// the answer\n{repr(doc)[:-1]},{repr(doc)[-1]}\n```"
