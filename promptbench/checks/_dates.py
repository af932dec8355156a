"""Find dates in a text. An ambiguous date has two readings, and nothing that is missing is made up.

It reads 2026-03-04 (a time may follow), 2026/03/04, 4.3.2026 (the day first), 3/4/2026 and 3-4-2026 in an order that
has to be known, 4 March 2026, 4th of March, 2026, March 4th 2026 and 4-Mar-2026. Months are in English, and years have
four digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sept sep", "october oct", "november nov", "december dec",
        ), 1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY = r"[0-9]{1,2}(?:st|nd|rd|th)?"
_DATE = re.compile(
    rf"""(?<![\w./-])(?:
      (?P<iso>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?=T[0-9]{{2}}:|[^\w/-]|-?\Z|-[^0-9])
    | (?P<slashed>[0-9]{{4}}/[0-9]{{1,2}}/[0-9]{{1,2}})(?![\w/])
    | (?P<dotted>[0-9]{{1,2}}\.\ ?[0-9]{{1,2}}\.\ ?[0-9]{{4}})(?!\w)
    | (?P<ordered>[0-9]{{1,2}}(?P<mark>[/-])[0-9]{{1,2}}(?P=mark)[0-9]{{4}})(?![\w/-])
    | (?P<day>{_DAY})\.?[\ -](?:of\ )?(?P<month>{_MONTH})\.?,?[\ -](?P<year>[0-9]{{4}})(?!\w)
    | (?P<month2>{_MONTH})\.?\ (?P<day2>{_DAY}),?\ (?P<year2>[0-9]{{4}})(?!\w)
    )""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date in a text. `dates` has two if the day or the month may come first, in this order."""

    text: str
    dates: tuple[date, ...]


def find(text: str) -> Iterator[FoundDate]:
    """Yield the dates of a text in their order, without impossible ones such as 31 April."""
    for match in _DATE.finditer(text):
        dates = [day for day in _readings(match) if day is not None]
        if dates:
            yield FoundDate(match[0], tuple(dict.fromkeys(dates)))


def _readings(match: re.Match[str]) -> list[date | None]:
    if match["month"]:
        return [_date(match["year"], str(_MONTHS[match["month"].lower()]), _number(match["day"]))]
    if match["month2"]:
        return [_date(match["year2"], str(_MONTHS[match["month2"].lower()]), _number(match["day2"]))]
    one, two, three = re.split(r"\.\ ?|[/-]", match[0])
    if match["iso"] or match["slashed"]:
        return [_date(one, two, three)]
    if match["dotted"]:
        return [_date(three, two, one)]
    return [_date(three, two, one), _date(three, one, two)]


def _number(day: str) -> str:
    return day.rstrip("stndrhSTNDRH")


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
