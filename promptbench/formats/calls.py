"""Reads a model's answer as function calls in Python's syntax, on the same ladder as `json_text`.

The value is a list with an object for each call, `{"name": "math.hypot", "arguments": {"x": 4, "y": 5}}`; where
arguments stand without a name there is also `"positional": [...]`. An argument is plain data, or a call in the same
form. Nothing is evaluated.

On rung `raw` the whole text is a list of calls, or calls separated by commas without the brackets. On `extracted` one
such list stands in brackets after removing what is around it. Words without quotes are a guess (`missing_quote`).
"""

from __future__ import annotations

import ast
import re
import warnings

from promptbench.core.types import Json, Reading, Repair, Rung
from promptbench.formats._around import is_refusal
from promptbench.formats._names import Refused, rung_of
from promptbench.formats._wrap import Body, unwrap
from promptbench.formats.limits import DEFAULT_LIMITS, Limits

_BAD_ESCAPE = re.compile(r"\\(?:[\\'\"abfnrtv0-7\n]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U00[0-9a-fA-F]{6}|(?P<bad>.|\Z))")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(r"""'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"|[()\[\]{}]|['"]""")
_CLOSER = {"(": ")", "[": "]", "{": "}"}
_JSON_NAMES: dict[str, Json] = {"true": True, "false": False, "null": None}
_INDEXED = re.compile(r"[\w\])]\s*\Z|(?<![=<>!])=\s*\Z")


def read(text: str, *, limits: Limits = DEFAULT_LIMITS) -> Reading:
    """The answer as a list of calls, the rung it is on, and each repair that was needed."""
    try:
        return _climb(text, limits)
    except Refused as refused:
        return Reading(Rung.NONE, error=refused.sentence())


def fingerprint(text: str, *, limits: Limits = DEFAULT_LIMITS) -> str:
    """What is wrong with the format of an answer, independent of its content; empty when it is raw.

    As in `json_text`: the first repair on the worst rung, or why the text is refused.
    """
    try:
        reading = _climb(text, limits)
    except Refused as refused:
        return refused.kind
    return next((repair.name for repair in reading.repairs if rung_of([repair]) is reading.rung), "")


def _climb(text: str, limits: Limits) -> Reading:
    if len(text) > limits.characters:
        raise Refused("too_big", f"The text is too big: more than {limits.characters:,} characters")
    body = unwrap(text)
    if body.start == body.end:
        raise Refused("empty", "The answer is empty")
    tree = _parse(text, body.start, body.end)
    if tree is not None:
        return _reading(text, body, tree, body.start, limits)
    return _extract(text, body, limits)


def _extract(text: str, body: Body, limits: Limits) -> Reading:
    """The list between the first and the last bracket; whatever else is in brackets makes it unreadable."""
    start = text.find("[", body.start, body.end)
    stop = text.rfind("]", body.start, body.end) + 1
    if start < 0:
        if is_refusal(text, body):
            raise Refused("refusal", "The model declines to answer", body.start)
        raise Refused("no_data", "The text is no list of calls")
    if _INDEXED.search(text[max(body.start, start - 80) : start]):
        raise Refused("code", "The list stands in code", start)
    tree = _parse(text, start, stop) if stop > start else None
    if tree is not None:
        prose = Repair("prose_around", body.start if start > body.start else stop)
        return _reading(text, Body(start, stop, (*body.repairs, prose)), tree, start, limits)
    if start > body.start:
        raise Refused("broken", "The list of calls cannot be parsed", start)
    return _close(text, body, limits)


def _close(text: str, body: Body, limits: Limits) -> Reading:
    """Adds closing brackets that the end of the text left out, or drops those that are too many."""
    opened: list[str] = []
    end = body.start
    for token in _TOKEN.finditer(text, body.start, body.end):
        char = token[0]
        if char in ("'", '"'):
            raise Refused("unclosed:string", "A string is never closed", token.start())
        if char in _CLOSER:
            opened.append(_CLOSER[char])
        elif char in ")]}":
            if not opened or opened.pop() != char:
                raise Refused("mismatched_closer", "The brackets do not match", token.start())
            if not opened:
                end = token.end()
                break
    if opened:
        if text[body.end - 1] not in ")]}\"'":
            raise Refused("unclosed:call", "The text ends inside of a call", body.end)
        closed = text[body.start : body.end] + "".join(reversed(opened))
        repair = Repair("unclosed", body.end)
    else:
        rest = "".join(text[end : body.end].split())
        if rest.strip("]") or not rest:
            raise Refused("broken", "The text is no list of calls", body.start)
        closed, repair = text[body.start : end], Repair("extra_closer", end)
    tree = _parse(closed, 0, len(closed))
    if tree is None:
        raise Refused("broken", "The text is no list of calls", body.start)
    return _reading(text, Body(body.start, body.end, (*body.repairs, repair)), tree, body.start, limits)


def _parse(text: str, start: int, end: int) -> ast.expr | None:
    source = _BAD_ESCAPE.sub(lambda found: "\\" + found[0] if found["bad"] is not None else found[0], text[start:end])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(f"(\n{source}\n)" if "\n" in source else source, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _reading(text: str, body: Body, tree: ast.expr, start: int, limits: Limits) -> Reading:
    maker = _Maker(start, limits.depth)
    value = maker.calls(tree)
    if any(found["bad"] is not None for found in _BAD_ESCAPE.finditer(text, body.start, body.end)):
        maker.note("bad_escape")
    repairs = body.repairs + tuple(maker.repairs)
    return Reading(rung_of(repairs), value, repairs)


class _Maker:
    """Turns a syntax tree into plain data. Positions are those of the list: the tree is of a text that may differ."""

    def __init__(self, start: int, depth: int) -> None:
        self.start, self.depth = start, depth
        self.repairs: list[Repair] = []

    def note(self, name: str) -> None:
        self.repairs.append(Repair(name, self.start))

    def calls(self, tree: ast.expr) -> list[Json]:
        if isinstance(tree, ast.Call):
            return [self.call(tree, 1)]
        if not isinstance(tree, (ast.List, ast.Tuple)):
            raise Refused("no_data", "The text is no list of calls")
        if tree.elts and all(isinstance(item, ast.List) for item in tree.elts):
            self.note("many_values")
            return [call for item in tree.elts for call in self.calls(item)]
        if not tree.elts:
            return []
        return [self.call(item, 1) for item in tree.elts]

    def call(self, node: ast.expr, level: int) -> Json:
        if not isinstance(node, ast.Call):
            what = {ast.Dict: "an object", ast.Constant: "a value", ast.Name: "a word"}.get(type(node), "an expression")
            raise Refused("no_call", f"There is {what} where a call is expected", self.start)
        arguments: dict[str, Json] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Refused("code", "Arguments are unpacked with **", self.start)
            if keyword.arg in arguments:
                self.note("duplicate_key")
            arguments[keyword.arg] = self.value(keyword.value, level + 1)
        call: dict[str, Json] = {"name": self.name(node.func), "arguments": arguments}
        if node.args:
            call["positional"] = [self.value(argument, level + 1) for argument in node.args]
        return call

    def name(self, node: ast.expr) -> str:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            raise Refused("code", "The name of a function is an expression", self.start)
        return ".".join([node.id, *reversed(parts)])

    def value(self, node: ast.expr, level: int) -> Json:
        if level > self.depth:
            raise Refused("too_deep", f"The data is too deep: more than {self.depth} levels", self.start)
        match node:
            case ast.Constant():
                return self.constant(node.value)
            case ast.List() | ast.Tuple():
                return [self.value(item, level + 1) for item in node.elts]
            case ast.Dict():
                return self.mapping(node, level)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant(value=int() | float() as number)):
                if not isinstance(number, bool):
                    return self.constant(-number if isinstance(node.op, ast.USub) else number)
            case ast.Name():
                return self.word(node.id)
            case ast.Call():
                return self.call(node, level + 1)
        kind = "arithmetic" if isinstance(node, (ast.BinOp, ast.UnaryOp)) else "code"
        raise Refused(kind, f"There is {kind} in place of a value", self.start)

    def constant(self, value: object) -> Json:
        if isinstance(value, float) and value - value != 0:
            raise Refused("huge_number", "The number is too large for a float", self.start)
        if isinstance(value, str) and _SURROGATE.search(value):
            self.note("bad_escape")
            return _SURROGATE.sub("\ufffd", value)
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise Refused("code", "There is a value that JSON has no form for", self.start)

    def word(self, name: str) -> Json:
        if name in _JSON_NAMES:
            self.note("python_literal")
            return _JSON_NAMES[name]
        self.note("missing_quote")
        return name

    def mapping(self, node: ast.Dict, level: int) -> Json:
        members: dict[str, Json] = {}
        for key_node, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key_node, ast.Constant) or not isinstance(key_node.value, str):
                raise Refused("key", "A key is not a text", self.start)
            if key_node.value in members:
                self.note("duplicate_key")
            members[key_node.value] = self.value(value, level + 1)
        return members
