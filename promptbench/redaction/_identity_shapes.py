"""Detection of national identity numbers with check digits, and of public IP addresses.

Python-stdnum validates the identity numbers. It is imported when the first candidate is seen.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from importlib import import_module

from promptbench.redaction._placeholders import Digests, SensitiveSpan, has_number, shape_of

# The module of `stdnum`, and the form after the first digit. Only notations that hardly anything else has: a number of
# eleven bare digits with one check digit would be every tenth order number.
_NUMBERS = {
    "us.ssn": r"\d\d-\d\d-\d{4}",
    "es.dni": r"\d{7}-?[A-Z]",
    "fr.nir": r"[ ]?\d\d[ ]?(?:0[1-9]|1[0-2]|[2-9]\d)[ ]?(?:\d\d|2[AB])[ ]?\d{3}[ ]?\d{3}[ ]?\d\d",
    "be.nn": r"\d\.\d\d\.\d\d-\d{3}\.\d\d",
    "ch.ssn": r"56\.\d{4}\.\d{4}\.\d\d",
    "br.cpf": r"\d\d\.\d{3}\.\d{3}-\d\d",
    "fi.hetu": r"\d{5}[-+A]\d{3}[0-9A-FHJ-NPR-Y]",
    "se.personnummer": r"\d{5}(?:\d\d)?[-+]\d{4}",
    "no.fodselsnummer": r"\d{5}[ ]?\d{5}",
    "kr.rrn": r"\d{5}-\d{7}",
    "cn.ric": r"\d{16}[\dX]",
}
_IP = r"(?:\d{0,2}(?:\.\d{1,3}){3}|[0-9a-fA-F]{3}:[0-9a-fA-F:]{2,34})(?!\w|\.\w)"
_END = r"(?!\w|[.-]\w)"
MARKS = (
    "000-00-0000", "0000000", "00000-000", "00000+000", "000000 00000", "00.00-000", "000.000-00", "0000.0000.00",
    "0 00 00 00", "0.0", "::", "0:",
)  # fmt: skip
_GROUPS = tuple(f"n{index}" for index in range(len(_NUMBERS)))
# The search skips to a digit, so the pattern begins with one, and looks back for what is before it.
_FORM = re.compile(
    r"\d(?:(?:(?<![\w.]\d)|(?<=\\[nrtbf]\d)|(?<=\\u[0-9a-fA-F]{4}\d))"
    rf"(?:(?<!-\d)(?:{'|'.join(map('(?P<{}>{})'.format, _GROUPS, _NUMBERS.values()))}){_END}|(?P<ip>{_IP}))"
    rf"|(?<=(?<!\w)[XYZ]\d)(?P<nie>\d{{6}}-?[A-Z]){_END})"
)
_MODULES = {**dict(zip(_GROUPS, _NUMBERS, strict=True)), "nie": "es.nie"}
_REACH = 40
_VERSION = re.compile(r"(?i)(?:version|release|firmware|build|section|chapter|kapitel|abschnitt|update|§)\W{0,3}\Z")
# Benchmark networks (RFC 2544) and documentation (RFC 3849): they belong to nobody.
_IP4 = "198.18."
_IP6 = "2001:db8::"


def may_contain(text: str) -> bool:
    """Return True if `text` may have an identity number or a public address."""
    shape = shape_of(text)
    # Most texts have a time or a decimal number.
    is_possible = shape.count(b".0") > 2 or b"::" in shape or shape.count(b":") > 6 or has_number(text)
    return is_possible and next(_match_forms(text), None) is not None


def find(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the identity numbers and public addresses."""
    for start, end, kind in _match_forms(text):
        written = text[start:end]
        if kind == "id":
            yield SensitiveSpan(start, end, digests.reshape("id", written), "id", unique=True)
        else:
            yield SensitiveSpan(start, end, _replace_ip(written, digests), "ip")


def _match_forms(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and kind of each valid value."""
    for match in _FORM.finditer(text):
        start, end, form = match.start(), match.end(), match.lastgroup or ""
        if form == "ip":
            if _is_public(match[0]) and not _VERSION.search(text, max(0, start - _REACH), start):
                yield start, end, "ip"
            continue
        start -= form == "nie"
        if import_module(f"stdnum.{_MODULES[form]}").is_valid(text[start:end]):
            yield start, end, "id"


def _is_public(written: str) -> bool:
    try:
        return ipaddress.ip_address(written).is_global
    except ValueError:
        return False


def _replace_ip(written: str, digests: Digests) -> str:
    if ":" in written:
        digits = digests.digits("ip", ipaddress.IPv6Address(written).compressed, 8)
        return f"{_IP6}{digits[:4]}:{digits[4:]}"
    high, low = divmod(int(digests.digits("ip", written, 9)) % 65536, 256)
    return f"{_IP4}{high}.{low}"
