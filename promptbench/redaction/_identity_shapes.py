"""Detection of national identity numbers with check digits, birth dates, and addresses of computers (IP).

Python-stdnum validates the identity numbers. It is imported when the first candidate is seen.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from importlib import import_module

from promptbench.redaction._placeholders import Digests, SensitiveSpan

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
_LETTERED = {
    "it.codicefiscale": (6, r"(?<=(?<!\w)[A-Z]{6}\d)\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]"),
    "es.nie": (1, r"(?<=(?<!\w)[XYZ]\d)\d{6}-?[A-Z]"),
}
_MONTH = (
    r"(?:jan|feb|mar|mär|apr|avr|abr|may|mai|jun|juin|jul|juil|aug|aoû|ago|sep|oct|okt|nov|dec|dez|déc|dic|ene|fév)"
    r"[^\W\d_]{0,7}\.?"
)
_DATE = (
    r"\d{0,3}(?:[./-]\d{1,2}[./-]\d{1,4}|(?:st|nd|rd|th|er|\.|º)?"
    rf"(?:[ ](?i:(?:de[ ]|of[ ])?{_MONTH}(?:[ ]del?)?,?)[ ]\d{{4}}|,?[ ](?:19|20)\d\d))(?![^\WT_]|[./-]\d)"
)
_IP = r"(?:\d{0,2}(?:\.\d{1,3}){3}|[0-9a-fA-F]{3}:[0-9a-fA-F:]{2,34})(?!\w|\.\w)"
_END = r"(?!\w|[.-]\w)"
# The search skips to a digit, so the pattern begins with one, and looks back for what is before it.
_FORM = re.compile(
    r"\d(?:(?:(?<![\w.]\d)|(?<=\\[nrtbf]\d)|(?<=\\u[0-9a-fA-F]{4}\d))"
    rf"(?:(?<!-\d)(?:{'|'.join(f'(?P<n{index}>{form})' for index, form in enumerate(_NUMBERS.values()))}){_END}"
    rf"|(?P<ip>{_IP})|(?P<date>{_DATE}))"
    rf"|(?:{'|'.join(f'(?P<l{index}>{form})' for index, (_, form) in enumerate(_LETTERED.values()))}){_END})"
)
_MODULES = {
    **{f"n{index}": (0, name) for index, name in enumerate(_NUMBERS)},
    **{f"l{index}": (before, name) for index, (name, (before, _)) in enumerate(_LETTERED.items())},
}
_REACH = 40
_VERSION = re.compile(r"(?i)(?:version|release|firmware|build|section|chapter|kapitel|abschnitt|update|§)\W{0,3}\Z")
# How a birth date is introduced, and the January of that language.
_BORN = {
    r"birth(?:day|[ _-]?date)?|born|dob|d\.o\.b\.?": "January",
    r"geb(?:oren|urtsdatum|urtstag|\.)": "Januar",
    r"naissance|n[ée]e?(?:\(e\))?": "janvier",
    r"nacimiento|nacid[oa]": "enero",
}
_BORN_MARKS = ("birth", "born", "dob", "d.o.b", "geb", "nai", "né", "naci")
_BEFORE_DATE = re.compile(
    rf"(?i)(?<![^\W_])(?:\w{{1,20}}[a-z_])??(?:{'|'.join(f'({words})' for words in _BORN)})[\"'\\]{{0,3}}[ ]?[:=]?[ ]?[\"'\\]{{0,3}}"
    rf"(?:(?:is|was|on|am|ist|war|le|est|el|es|the)[ :]{{1,2}}){{0,2}}({_MONTH}[ ])?\Z"
)
_NAMES = re.compile(rf"(?i)(?:{'|'.join(_BORN)})\Z")
_DATE_PART = re.compile(rf"(\d+)(?:st|nd|rd|th)?|(?i:{_MONTH})")
# Benchmark networks (RFC 2544) and documentation (RFC 3849): they belong to nobody.
_IP4 = "198.18."
_IP6 = "2001:db8::"


def may_contain(text: str) -> bool:
    """Return True if `text` has an identity number, a birth date or a public address."""
    return next(_match_forms(text), None) is not None


def find(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the identity numbers, birth dates and public addresses."""
    for start, end, kind, january in _match_forms(text):
        written = text[start:end]
        if kind == "id":
            yield SensitiveSpan(start, end, digests.reshape("id", written), "id", unique=True)
        elif kind == "ip":
            yield SensitiveSpan(start, end, _replace_ip(written, digests), "ip")
        else:
            yield SensitiveSpan(start, end, _replace_date(written, january), "birth date")


def is_sensitive_name(name: str) -> bool:
    """Return True if a field of this name may contain a birth date."""
    return _NAMES.search(name) is not None


def _match_forms(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Yield start, end and kind of each valid value, and for a birth date January in its language."""
    for match in _FORM.finditer(text):
        start, end, form = match.start(), match.end(), match.lastgroup or ""
        if form == "ip":
            if _is_public(match[0]) and not _VERSION.search(text, max(0, start - _REACH), start):
                yield start, end, "ip", ""
        elif form == "date":
            before = text[max(0, start - _REACH) : start]
            lower = before.lower()
            label = any(map(lower.__contains__, _BORN_MARKS)) and _BEFORE_DATE.search(before)
            if label:
                january = next(month for month, words in zip(_BORN.values(), label.groups(), strict=False) if words)
                yield start - len(label[len(_BORN) + 1] or ""), end, "date", january
        else:
            before_digit, module = _MODULES[form]
            start -= before_digit
            if import_module(f"stdnum.{module}").is_valid(text[start:end]):
                yield start, end, "id", ""


def _is_public(written: str) -> bool:
    try:
        return ipaddress.ip_address(written).is_global
    except ValueError:
        return False


def _replace_ip(written: str, digests: Digests) -> str:
    if ":" in written:
        compact = ipaddress.IPv6Address(written).compressed
        digits = digests.digits("ip", compact, 8)
        return f"{_IP6}{digits[:4]}:{digits[4:]}"
    high, low = divmod(int(digests.digits("ip", written, 9)) % 65536, 256)
    return f"{_IP4}{high}.{low}"


def _replace_date(written: str, january: str) -> str:
    """Return the first day of the year. The year stays, so that an age is right (as in HIPAA's safe harbor)."""
    has_year = re.search(r"\d{4}", written) is not None
    last = [part.start() for part in _DATE_PART.finditer(written) if part[1]][-1]

    def replace(part: re.Match[str]) -> str:
        if not part[1]:
            return january.upper() if part[0].isupper() else january
        if len(part[1]) == 4 or (not has_year and part.start() == last):
            return part[0]
        return "1st" if part[0] != part[1] else "1".zfill(len(part[1]))

    return _DATE_PART.sub(replace, written)
