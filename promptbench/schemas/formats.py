"""Check JSON Schema's `format`, with the same verdict on every machine, whatever else is installed.

Each is the grammar of the standard that JSON Schema names (RFC 3339 for dates and times, RFC 3986 for URIs, RFC 5321
for addresses, RFC 1123 for hosts). All take linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from promptbench.schemas.patterns import compiled

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
def checker() -> Any:
    """Return the formats for jsonschema. A value that is not a text is valid in every format."""
    from jsonschema import FormatChecker

    made = FormatChecker(formats=())
    for name, is_valid in FORMATS.items():
        made.checks(name, raises=(ValueError, OverflowError, MemoryError))(_of_texts(is_valid))
    return made


def _of_texts(is_valid: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or is_valid(value)
