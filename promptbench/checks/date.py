"""date: the date in the answer is right, however it is written.

What: finds the date in the answer and compares it. Read are 2026-03-04, 2026/3/4, 4.3.2026, 4 March 2026, March 4th,
    2026 and 4-Mar-2026, with months in English and years of four digits. 03/04/2026 is the fourth of March or the third
    of April: unless `order` says which, it fails. Several dates are a failure unless `which` picks one.
When: due dates, birthdays, anything with a day.
Options: the date, best as 2026-03-04, or: `is` the same; `at` its path in a JSON answer; `order` day first or month
    first; `which` only, first, last or any, where there are several.
Example:
    checks: [{date: {is: 2026-03-04, order: month first}}]
"""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from promptbench.checks import _options
from promptbench.checks._paths import Path, optional, text_at
from promptbench.checks._scores import first_of, mismatch, quoted, verdict
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject

# Find dates in a text. An ambiguous date has two readings, and nothing that is missing is made up.
#
# It reads 2026-03-04 (a time may follow), 2026/03/04, 4.3.2026 (the day first), 3/4/2026 and 3-4-2026 in an order
# that has to be known, 4 March 2026, 4th of March, 2026, March 4th 2026 and 4-Mar-2026. Months are in English, and
# years have four digits.

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


def find_dates(text: str) -> Iterator[FoundDate]:
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


_ORDERS = ("day first", "month first")
_WHICH = ("only", "first", "last", "any")


@dataclass(frozen=True, slots=True)
class IsDate:
    wanted: datetime.date
    path: Path | None
    order: str | None
    which: str

    def score(self, subject: Subject) -> Score:
        text, problem = text_at(subject, self.path)
        return verdict("date", problem) if problem else verdict("date", *self._reasons(text))

    def _reasons(self, text: str) -> list[str]:
        found = list(find_dates(text))
        if not found:
            return [f"no date found in {quoted(text[:200])}"]
        if self.which == "any":
            right = any(self._date(item) == self.wanted for item in found)
            return [] if right else [mismatch("", str(self.wanted), first_of([quoted(item.text) for item in found]))]
        if self.which == "only" and len({item.dates for item in found}) > 1:
            names = first_of([quoted(item.text) for item in found])
            return [f"several dates, {names}: add 'which: first', 'last' or 'any'"]
        item = found[-1] if self.which == "last" else found[0]
        day = self._date(item)
        if day is None:
            readings = " or ".join(map(str, item.dates))
            return [f"{quoted(item.text)} can be {readings}: add 'order: day first' or 'month first'"]
        return [] if day == self.wanted else [mismatch("", str(self.wanted), str(day))]

    def _date(self, item: FoundDate) -> datetime.date | None:
        if len(item.dates) == 1:
            return item.dates[0]
        return None if self.order is None else item.dates[_ORDERS.index(self.order)]


def build(argument: Json, context: CheckContext) -> Check:
    given = _options.value_or_options(argument, "is", ("is", "at", "order", "which"))
    order = _options.choice(given["order"], "order", _ORDERS) if "order" in given else None
    which = _options.choice(given.get("which", "only"), "which", _WHICH)
    written = given.get("is")
    found = list(find_dates(written.strip())) if isinstance(written, str) else []
    if len(found) != 1 or found[0].text != str(written).strip():
        raise ValueError(f"{quoted(written)} is not a date: write it as 2026-03-04")
    if len(found[0].dates) > 1:
        raise ValueError(f"{quoted(written)} can be {' or '.join(map(str, found[0].dates))}: write it as 2026-03-04")
    return IsDate(found[0].dates[0], optional(given.get("at")), order, which)


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(
        {"type": "string"},
        required=["is"],
        **{
            "is": {"type": "string"},
            "at": _options.PATH,
            "order": {"enum": list(_ORDERS)},
            "which": {"enum": list(_WHICH)},
        },
    ),
)
