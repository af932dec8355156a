"""Detection of national identity numbers with check digits.

Python-stdnum validates the identity numbers. It is imported when the first candidate is seen.
"""

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
_END = r"(?!\w|[.-]\w)"
MARKS = (
    "000-00-0000", "00000-000", "00000+000", "00000000000", "000000 00000", "00.00-000", "000.000-00", "0000.0000.00",
    "0 00 00 00", *(f"0000000{dash}{letter}" for dash in ("", "-") for letter in "abcdefghjklmnpqrstvwxyz"),
)  # fmt: skip
_GROUPS = tuple(f"n{index}" for index in range(len(_NUMBERS)))
# The search skips to a digit, so the pattern begins with one, and looks back for what is before it.
_FORM = re.compile(
    r"\d(?:(?:(?<![\w.]\d)|(?<=\\[nrtbf]\d)|(?<=\\u[0-9a-fA-F]{4}\d))"
    rf"(?:(?<!-\d)(?:{'|'.join(map('(?P<{}>{})'.format, _GROUPS, _NUMBERS.values()))}){_END})"
    rf"|(?:(?<=(?<!\w)[XYZ]\d)|(?<=\\[nrtbf][XYZ]\d))(?P<nie>\d{{6}}-?[A-Z]){_END})"
)
_MODULES = {**dict(zip(_GROUPS, _NUMBERS, strict=True)), "nie": "es.nie"}


def find(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the identity numbers."""
    for match in _FORM.finditer(text):
        form = match.lastgroup or ""
        start, end = match.start() - (form == "nie"), match.end()
        if import_module(f"stdnum.{_MODULES[form]}").is_valid(text[start:end]):
            yield SensitiveSpan(start, end, digests.reshape("id", text[start:end]), "id", unique=True)
