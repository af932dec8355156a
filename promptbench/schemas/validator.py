"""Compile JSON Schemas of every draft that jsonschema supports. Validating takes bounded work and fetches nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from promptbench.core.types import Json
from promptbench.core.words import quoted
from promptbench.schemas.patterns import compiled

if TYPE_CHECKING:
    from promptbench.schemas._bounded import BoundedSchema


# With these a subschema depends on how it was reached, or is made for a value (draft 3).
_MOVING = {"$dynamicRef", "$recursiveRef", "disallow"}


def compile_schema(schema: Json, *, formats: bool = False) -> BoundedSchema:
    """Return a schema that is ready to validate. With `formats`, a text must be valid in the `format` of its schema.

    Raise ValueError if the schema is invalid, or needs a format or a document that is not known.
    """
    try:
        return _compile(json.dumps(schema, allow_nan=False), formats)
    except RecursionError:
        raise ValueError("this schema is nested too deeply") from None


@lru_cache(maxsize=256)
def _compile(text: str, formats: bool) -> BoundedSchema:
    # One for equal schemas: building one costs thirty times as much as using it. The text keeps the author's order.
    from jsonschema import FormatChecker, SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    from promptbench.schemas._bounded import BoundedSchema

    schema: Any = json.loads(text)
    if not isinstance(schema, (dict, bool)):
        raise ValueError(f"this is not a JSON Schema: it is {quoted(schema)}, not an object")
    named = schema.get("$schema") if isinstance(schema, dict) else None
    kind: Any = validator_for(schema, default=Draft202012Validator) if isinstance(named, str | None) else None
    if kind is None or (named is not None and kind.META_SCHEMA.get("$schema", "").rstrip("#") != named.rstrip("#")):
        raise ValueError(f"unknown '$schema' {quoted(named)}")
    try:
        # Patterns are checked below, by the engine that runs them.
        kind.check_schema(schema, format_checker=FormatChecker(()))
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "its top"
        if where.endswith("type") and isinstance(error.instance, str):
            raise ValueError(_unknown_type(error.instance)) from None
        raise ValueError(f"this is not a JSON Schema: at {where}: {quoted(error.message)[1:-1]}") from None
    # An empty registry: nothing is ever fetched.
    registry: Any = Registry()
    keywords = _check_keywords(schema, kind(schema, registry=registry)._resolver, kind, formats)
    checker = format_checker() if formats else None
    return BoundedSchema(kind, schema, static=not keywords & _MOVING, registry=registry, format_checker=checker)


def _check_keyword(keyword: str, value: Json, kind: Any, formats: bool) -> None:
    if keyword == "type":
        # Draft 3 allows any name of a type.
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str) and name not in kind.TYPE_CHECKER._type_checkers:
                raise ValueError(_unknown_type(name))
    for pattern in [value] if keyword == "pattern" else list(value) if keyword == "patternProperties" else []:
        if isinstance(pattern, str):
            compiled(pattern)
    if formats and keyword == "format" and isinstance(value, str) and value not in FORMATS:
        raise ValueError(f"the format {quoted(value)} cannot be checked: known are {', '.join(FORMATS)}")


def _unknown_type(name: str) -> str:
    return f"unknown type {quoted(name)}: known are array, boolean, integer, null, number, object, string"


def _check_keywords(schema: Json, resolver: Any, kind: Any, formats: bool) -> set[str]:
    """Return all keywords of a schema and of what it refers to. Raises ValueError for one that cannot be applied."""
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import specification_with

    create_resource = specification_with(kind.META_SCHEMA["$schema"]).create_resource
    stack, seen, keywords = [(schema, resolver)], set[int](), set[str]()
    while stack:
        schema, resolver = stack.pop()
        if not isinstance(schema, dict) or id(schema) in seen:
            continue
        seen.add(id(schema))
        keywords |= schema.keys()
        for keyword, value in schema.items():
            _check_keyword(keyword, value, kind, formats)
        if isinstance(schema.get("extends"), dict):
            schema = {**schema, "extends": [schema["extends"]]}  # draft 3, of which `subresources` knows only lists
        resource = create_resource(schema)
        inside = (inner for inner in resource.subresources() if isinstance(inner.contents, dict))
        stack.extend((inner.contents, resolver.in_subresource(inner)) for inner in inside)
        for reference in (schema.get("$ref"), schema.get("$dynamicRef")):
            if not isinstance(reference, str):
                continue
            try:
                found = resolver.lookup(reference)
            except (Unresolvable, ValueError, TypeError) as error:
                raise ValueError(
                    f"the reference '{reference}' leads out of the schema, and nothing is fetched: copy the target in"
                    if type(error) is Unresolvable
                    else f"the target of the reference '{reference}' is not found"
                ) from None
            stack.append((found.contents, found.resolver))
    return keywords


# Each is the grammar of the standard that JSON Schema names (RFC 3339 for dates and times, RFC 3986 for URIs, RFC 5321
# for addresses, RFC 1123 for hosts). All take linear time.
_TIME = re.compile(
    r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?:[0-5][0-9]|(?P<leap>60))(?:\.[0-9]+)?"
    r"(?:Z|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3]):(?P<minutes>[0-5][0-9]))\Z",
    re.I,
)
# A smaller unit needs the ones between, as in RFC 3339: P1Y2D has no months.
_DURATION = re.compile(
    r"P(?!\Z)(?:[0-9]+W|(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)?"
    r"(?:T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S))?)\Z"
)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_LOCAL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z"
    r'|"(?:[ !#-\[\]-~]|\\[ -~])*"\Z'
)
_URI = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*\Z")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.I)
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def _date(text: str) -> bool:
    return _DATE.match(text) is not None and date.fromisoformat(text) is not None


def _date_time(text: str) -> bool:
    return text[10:11] in ("T", "t") and _date(text[:10]) and _time(text[11:])


def _time(text: str) -> bool:
    found = _TIME.match(text)
    if not found or not found["leap"]:
        return found is not None
    # A leap second is the last one of a day in UTC.
    offset = int(found["hours"] or 0) * 60 + int(found["minutes"] or 0)
    local = int(found["hour"]) * 60 + int(found["minute"])
    return (local + (offset if found["sign"] == "-" else -offset)) % 1440 == 1439


def _hostname(text: str) -> bool:
    return len(text) <= 253 and all(map(_LABEL.match, text.split(".")))


def _email(text: str) -> bool:
    local, _, host = text.rpartition("@")
    if host[:1] == "[" and host[-1:] == "]":
        return (
            _email(f"{local}@a")
            and (IPv6Address(host[6:-1]) if host[1:6] == "IPv6:" else IPv4Address(host[1:-1])) is not None
        )
    return len(local) <= 64 and _LOCAL.match(local) is not None and _hostname(host)


# By name, returns True if a text is valid. ValueError means that it is not.
FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date": _date,
    "date-time": _date_time,
    "duration": lambda text: _DURATION.match(text) is not None,
    "email": _email,
    "hostname": _hostname,
    "ipv4": lambda text: IPv4Address(text) is not None,
    "ipv6": lambda text: "%" not in text and IPv6Address(text) is not None,
    "json-pointer": lambda text: _POINTER.match(text) is not None,
    # Compiling a pattern takes thousands of times as long as reading it; nobody writes a longer one.
    "regex": lambda text: len(text) <= 10_000 and compiled(text) is not None,
    "time": _time,
    "uri": lambda text: re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text) is not None and _URI.match(text) is not None,
    "uri-reference": lambda text: _URI.match(text) is not None,
    "uuid": lambda text: _UUID.match(text) is not None,
}


@cache
def format_checker() -> Any:
    """Return the formats for jsonschema. A value that is not a text is valid in every format."""
    from jsonschema import FormatChecker

    made = FormatChecker(formats=())
    for name, is_valid in FORMATS.items():
        made.checks(name, raises=(ValueError, OverflowError, MemoryError))(_of_texts(is_valid))
    return made


def _of_texts(is_valid: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or is_valid(value)
