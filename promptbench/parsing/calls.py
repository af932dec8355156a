"""Read a model's answer as function calls in Python's syntax, on the same ladder as `json_text`.

The value is a list with an object for each call, `{"name": "math.hypot", "arguments": {"x": 4, "y": 5}}`, and with
`"positional": [...]` if there are arguments without a name. An argument is plain data, or a call in the same form.
Nothing is evaluated.

On rung `raw` the whole text is a list of calls, or calls separated by commas without brackets. On `extracted` the text
is such a list in brackets, once what surrounds it is removed. Words without quotes are a guess (`missing_quote`).
"""

import ast
import re
import warnings

from promptbench.core.types import Json, Reading, Repair, Rung
from promptbench.parsing._around import is_refusal
from promptbench.parsing._names import ReadError, rung_of
from promptbench.parsing._outside import guesses
from promptbench.parsing._strict import MOST_DEPTH
from promptbench.parsing._wrap import Body, unwrap
from promptbench.parsing.json_text import MOST_CHARACTERS

_BAD_ESCAPE = re.compile(r"\\(?:[\\'\"abfnrtv0-7\n]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U00[0-9a-fA-F]{6}|(?P<bad>.|\Z))")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(r"""'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"|[()\[\]{}]|['"]""")
_CLOSER = {"(": ")", "[": "]", "{": "}"}
_JSON_NAMES: dict[str, Json] = {"true": True, "false": False, "null": None}
_INDEXED = re.compile(r"[\w\])]\s*\Z|(?<![=<>!])=\s*\Z")


def read(text: str) -> Reading:
    """Return the answer as a list of calls, with its rung and repairs. Raises nothing for any text."""
    try:
        return _climb(text)
    except ReadError as error:
        return Reading(Rung.NONE, error=error.sentence())


def fingerprint(text: str) -> str:
    """Return what is wrong with an answer's format, whatever it says; see `json_text.fingerprint`."""
    try:
        reading = _climb(text)
    except ReadError as error:
        return error.kind
    return next((repair.name for repair in reading.repairs if rung_of([repair]) is reading.rung), "")


def _climb(text: str) -> Reading:
    if len(text) > MOST_CHARACTERS:
        raise ReadError("too_big", f"The text is too big: more than {MOST_CHARACTERS:,} characters")
    body = unwrap(text)
    if body.start == body.end:
        raise ReadError("empty", "The answer is empty")
    tree = _parse(text, body.start, body.end)
    if tree is not None:
        return _reading(text, body, tree, body.start)
    return _extract(text, body)


def _extract(text: str, body: Body) -> Reading:
    """Read the list between the first and the last bracket. Other brackets make the text unreadable."""
    start = text.find("[", body.start, body.end)
    stop = text.rfind("]", body.start, body.end) + 1
    if start < 0:
        if is_refusal(text, body):
            raise ReadError("refusal", "The model declines to answer", body.start)
        raise ReadError("no_data", "The text is not a list of calls")
    if _INDEXED.search(text[max(body.start, start - 80) : start]):
        raise ReadError("code", "The list is part of program code", start)
    tree = _parse(text, start, stop) if stop > start else None
    if tree is not None:
        around = [Repair("prose_around", body.start if start > body.start else stop)]
        around += guesses(text, body.start, start, stop, stop, body.end)
        return _reading(text, Body(start, stop, (*body.repairs, *around)), tree, start)
    if start > body.start:
        raise ReadError("broken", "The list of calls cannot be parsed", start)
    return _close(text, body)


def _close(text: str, body: Body) -> Reading:
    """Add closing brackets that the end of the text lacks, or remove those that are too many."""
    opened: list[str] = []
    end = body.start
    for token in _TOKEN.finditer(text, body.start, body.end):
        char = token[0]
        if char in ("'", '"'):
            raise ReadError("unclosed:string", "A string is never closed", token.start())
        if char in _CLOSER:
            opened.append(_CLOSER[char])
        elif char in ")]}":
            if not opened or opened.pop() != char:
                raise ReadError("mismatched_closer", "The brackets do not match", token.start())
            if not opened:
                end = token.end()
                break
    if opened:
        if text[body.end - 1] not in ")]}\"'":
            raise ReadError("unclosed:call", "The text ends inside a call", body.end)
        closed = text[body.start : body.end] + "".join(reversed(opened))
        repair = Repair("unclosed", body.end)
    else:
        rest = "".join(text[end : body.end].split())
        if rest.strip("]") or not rest:
            raise ReadError("broken", "The text is not a list of calls", body.start)
        closed, repair = text[body.start : end], Repair("extra_closer", end)
    tree = _parse(closed, 0, len(closed))
    if tree is None:
        raise ReadError("broken", "The text is not a list of calls", body.start)
    return _reading(text, Body(body.start, body.end, (*body.repairs, repair)), tree, body.start)


def _parse(text: str, start: int, end: int) -> ast.expr | None:
    source = _BAD_ESCAPE.sub(lambda found: "\\" + found[0] if found["bad"] is not None else found[0], text[start:end])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(f"(\n{source}\n)" if "\n" in source else source, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _reading(text: str, body: Body, tree: ast.expr, start: int) -> Reading:
    maker = _Maker(start)
    value = maker.calls(tree)
    if any(found["bad"] is not None for found in _BAD_ESCAPE.finditer(text, body.start, body.end)):
        maker.note("bad_escape")
    repairs = body.repairs + tuple(maker.repairs)
    return Reading(rung_of(repairs), value, repairs)


class _Maker:
    """Turn a syntax tree into plain data. Repairs are at the list's start, because the tree is of an edited text."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.repairs: list[Repair] = []

    def note(self, name: str) -> None:
        self.repairs.append(Repair(name, self.start))

    def calls(self, tree: ast.expr) -> list[Json]:
        if isinstance(tree, ast.Call):
            return [self.call(tree, 1)]
        if not isinstance(tree, (ast.List, ast.Tuple)):
            raise ReadError("no_data", "The text is not a list of calls")
        if tree.elts and all(isinstance(item, ast.List) for item in tree.elts):
            self.note("many_values")
            return [call for item in tree.elts for call in self.calls(item)]
        if not tree.elts:
            return []
        return [self.call(item, 1) for item in tree.elts]

    def call(self, node: ast.expr, level: int) -> Json:
        if not isinstance(node, ast.Call):
            what = {ast.Dict: "an object", ast.Constant: "a value", ast.Name: "a word"}.get(type(node), "an expression")
            raise ReadError("no_call", f"There is {what} where a call is expected", self.start)
        arguments: dict[str, Json] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise ReadError("code", "Arguments are unpacked with **", self.start)
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
            raise ReadError("code", "The name of a function is an expression", self.start)
        return ".".join([node.id, *reversed(parts)])

    def value(self, node: ast.expr, level: int) -> Json:
        if level > MOST_DEPTH:
            raise ReadError("too_deep", f"The data is too deep: more than {MOST_DEPTH} levels", self.start)
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
        raise ReadError(kind, f"There is {kind} instead of a value", self.start)

    def constant(self, value: object) -> Json:
        if isinstance(value, float) and value - value != 0:
            raise ReadError("huge_number", "The number is too large for a float", self.start)
        if isinstance(value, str) and _SURROGATE.search(value):
            self.note("bad_escape")
            return _SURROGATE.sub("\ufffd", value)
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise ReadError("code", "There is a value that JSON cannot express", self.start)

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
                raise ReadError("key", "A key is not text", self.start)
            if key_node.value in members:
                self.note("duplicate_key")
            members[key_node.value] = self.value(value, level + 1)
        return members
