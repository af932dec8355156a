"""Hints: what to write instead of an unknown key or an invalid value."""

import re
from collections.abc import Collection, Mapping, Sequence

from promptbench.core.errors import did_you_mean, suggest
from promptbench.core.types import Json

# Invisible characters, and those that look like a space.
ODD = re.compile("[\u00a0\u2007\u202f\u3000\u200b\u200c\u200d\u2060\ufeff]")

# Keys of other tools, each with the keys here that do the same.
_OTHERS: Mapping[str, Sequence[str]] = {
    "description": ("about", "note"),
    "comment": ("note", "about"),
    "name": ("case", "suite"),
    "title": ("case", "suite"),
    "id": ("case",),
    "test": ("case",),
    "prompts": ("prompt",),
    "providers": ("models",),
    "provider": ("models",),
    "targets": ("models",),
    "tests": ("cases",),
    "examples": ("cases",),
    "assert": ("checks",),
    "asserts": ("checks",),
    "assertions": ("checks",),
    "input": ("vars",),
    "inputs": ("vars",),
    "variables": ("vars",),
    "values": ("vars",),
    "expected": ("expect",),
    "expected output": ("expect",),
    "output": ("expect",),
    "answer": ("expect",),
    "labels": ("tags",),
    "conversation": ("messages",),
}
_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def known_key(written: str, known: Collection[str], taken: Collection[str]) -> str | None:
    """Return the known key that was most likely meant, or None. A key of another tool maps to one not in `taken`."""
    plain = ODD.sub("", written).strip().lower().replace("_", " ").replace("-", " ")
    for name in _OTHERS.get(plain, ()):
        if name in known and name not in taken:
            return name
    return did_you_mean(plain, known)


def key_hint(written: str, value: Json, known: Sequence[str], guess: str | None) -> str:
    """Return the hint for an unknown key."""
    if odd := ODD.search(written):
        return "write a plain space in its place" if odd[0].isspace() else "delete it"
    before_colon, colon, _ = written.partition(":")
    if colon and before_colon in known:
        return f"put a space after the colon: '{before_colon}: …'"
    before_bracket = re.split(r" *[{\[]", written)[0]
    if before_bracket != written and before_bracket in known:
        return f"put a colon and a space after the name: '{before_bracket}: {written[len(before_bracket) :].strip()}…'"
    if written.isdigit():
        return f"a comma starts a new entry here: write decimals with a point, such as 1.{written}"
    return f"did you mean '{guess}'?" if guess else f"known here: {', '.join(known)}"


def type_hint(key: str, wrong: str, value: Json) -> str | None:
    """Return the hint for a value of the wrong type, or None."""
    if wrong == "bool_type" and str(value).lower() in _BOOLEANS:
        return f"'{value}' is text in this file: write {_BOOLEANS[str(value).lower()]}"
    if wrong == "int_type" and isinstance(value, str) and value.strip().isdigit():
        return f"write {int(value)}" if value.startswith("0") else f"write {value.strip()}, without quotation marks"
    if wrong == "int_type":
        return "write it in digits, such as 3"
    if wrong == "string_type" and key == "was":
        return "the logged answer is kept as text: put it in single quotes, '…'"
    if wrong == "string_type" and isinstance(value, (dict, list)):
        return "a text that starts with { or [ needs quotes" if key != "tags" else "write only words: 'tags: [late]'"
    return (
        _structure_hint(key, value) if wrong in ("list_type", "dict_type", "model_type") else _amount_hint(key, value)
    )


def _structure_hint(key: str, value: Json) -> str | None:
    if key == "vars" and isinstance(value, list):
        return "leave out the '- ' before the names"
    if key == "cases":
        return "start each case with '- case: NAME'" if isinstance(value, dict) else case_hint(value)
    text = str(value) if isinstance(value, (str, int, float)) else ""
    return {
        "vars": "write the names that the prompt has between braces, each with its value: 'vars: {message: …}'",
        "messages": f"write '- {{role: user, content: {text or '…'}}}' below it",
        "turns": f"write '- {{user: {text or '…'}}}' below it, with 'expect' or 'checks' for the answer",
        "gate": "write the gate's settings, such as 'gate: {repeats: 3}'; most suites need none",
        "checks": "start each check with '- ', such as '- contains: refund'",
        "quarantine": "write 'quarantine: {owner: …, reason: …, review by: 2026-12-31}'",
    }.get(key)


def case_hint(value: Json) -> str:
    """Return the hint for something that is not a case."""
    if isinstance(value, str) and re.search(r"\.\w{2,5}\Z", value):
        return "a file with cases ends with .csv, .xlsx, .jsonl or .yaml"
    if isinstance(value, list):
        return "write one '- ' before 'case:', and none before what is below it"
    return f"write it as '- case: {value}'" if isinstance(value, str) else "write it as '- case: what it is about'"


def message_hint(value: Json) -> str:
    """Return the hint for something that is not a message."""
    return f"write it as '- {{role: user, content: {value if isinstance(value, str) else '…'}}}'"


def _amount_hint(key: str, value: Json) -> str | None:
    if key == "max age":
        return "write '7 days' or '12 hours'"
    number = re.search(r"\d+(?:[.,]\d+)?", value) if isinstance(value, str) else None
    if number is None:
        return None
    written = number[0].replace(",", ".")
    return f"write ${written}" if key == "max cost" else f"write {written}%"


def value_hint(key: str, kind: str, value: Json, choices: Sequence[str]) -> str | None:
    """Return the hint for a value of the right type that is invalid, or None."""
    if kind == "day" and isinstance(value, str):
        day = re.fullmatch(r"(\d\d?)\.(\d\d?)\.(\d{4})", value.strip())
        return f"write {day[3]}-{int(day[2]):02}-{int(day[1]):02}" if day else None
    if choices and isinstance(value, str):
        return suggest(value, choices, "") or None
    if key in _SHARES and isinstance(value, (int, float)) and 1 < value <= 100:
        return f"if you mean percent, write {value}%"
    return None


_SHARES = ("format floor", "answer floor", "floor", "margin", "threshold")
