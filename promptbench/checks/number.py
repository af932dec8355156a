"""number: the number in the answer is right.

What: finds the number in the answer, in text or at a place in JSON, and compares it exactly: 0.1 is 0.1. Read are
    1234.5, 1,234.5, 1.234,5 and 1 234,5; 1,234 and 1.234 can be read in two ways, and `decimal` says which. Numbers in
    words ("five") and digits that belong to a name (GPT-4) are not read. Several numbers are a failure unless `which`
    or `unit` picks one.
When: a total, a count, a price or a measurement must be right, however it is written.
Options: the number, or: `is` the number; `within` how far off it may be, as a number or as 5%; `at least` and `at
    most`; `unit` what must be before or behind it, one text or a list of which one is enough; `at` its path in a
    JSON answer; `which` only, first, last or any, where there are several; `decimal` point (the default) or comma.
Example:
    checks: [{number: {is: 1234.50, within: 1%, unit: [EUR, €]}}]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from promptbench.checks import _options
from promptbench.checks._numbers import EXACT, Number, find, shown
from promptbench.checks._paths import Path, optional, text_at
from promptbench.checks._scores import first_of, mismatch, quoted, verdict
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject

_WHICH = ("only", "first", "last", "any")


@dataclass(frozen=True, slots=True)
class Range:
    """Limits, both included, in words."""

    low: Decimal | None
    high: Decimal | None
    words: str

    def has(self, number: Decimal) -> bool:
        return (self.low is None or self.low <= number) and (self.high is None or number <= self.high)


@dataclass(frozen=True, slots=True)
class IsNumber:
    wanted: Range
    units: tuple[str, ...]
    path: Path | None
    which: str
    comma: bool

    def score(self, subject: Subject) -> Score:
        text, problem = text_at(subject, self.path)
        return verdict("number", problem or self._reason(text))

    def _reason(self, text: str) -> str | None:
        numbers = list(find(text, comma=self.comma))
        if not numbers:
            return f"no number found in {quoted(text[:200])}"
        if self.units:
            with_unit = [number for number in numbers if any(_has_unit(text, number, unit) for unit in self.units)]
            if not with_unit:
                return f"unit {' or '.join(map(quoted, self.units))} not found at {_listed(numbers)}"
            numbers = with_unit
        if self.which == "any":
            right = any(self.wanted.has(number.value) for number in numbers)
            return None if right else mismatch("", self.wanted.words, _listed(numbers))
        if self.which == "only" and len({number.value for number in numbers}) > 1:
            return f"several numbers, {_listed(numbers)}: add 'which: first', 'last' or 'any'"
        return self._compare(numbers[-1] if self.which == "last" else numbers[0])

    def _compare(self, number: Number) -> str | None:
        if self.wanted.has(number.value):
            return None
        reason = mismatch("", self.wanted.words, shown(number.value))
        if number.other is not None and self.wanted.has(number.other):
            mark = "point" if self.comma else "comma"
            reason += f"; {quoted(number.text)} is right with 'decimal: {mark}'"
        return reason


def _has_unit(text: str, number: Number, unit: str) -> bool:
    # Return True if the unit is right before or behind a number, with at most one space or hyphen between them.
    for gap in ("", " ", "\u00a0", "\u202f", "-"):
        after = number.end + len(gap)
        if text.startswith(gap + unit, number.end) and not _is_one_word(unit[-1:], text[after + len(unit) :][:1]):
            return True
        before = number.start - len(gap) - len(unit)
        if (
            before >= 0
            and text.startswith(unit + gap, before)
            and not _is_one_word(text[max(before - 1, 0) : before], unit)
        ):
            return True
    # The sign may stand before the unit: -$5.
    return number.text.lstrip("-−–+").startswith(unit) and not unit[0].isdigit()


def _is_one_word(one: str, other: str) -> bool:
    return bool(one and other) and one[-1].isalnum() and other[0].isalnum()


def _listed(numbers: Sequence[Number]) -> str:
    return first_of([shown(number.value) for number in numbers])


def build(argument: Json, context: CheckContext) -> Check:
    given = _options.value_or_options(
        argument, "is", ("is", "within", "at least", "at most", "unit", "at", "which", "decimal")
    )
    units = tuple(item.strip() for item in _options.texts(given["unit"])) if "unit" in given else ()
    if not all(units):
        raise ValueError("'unit' must be a text, or a list of texts")
    return IsNumber(
        wanted=_range(given),
        units=units,
        path=optional(given.get("at")),
        which=_options.choice(given.get("which", "only"), "which", _WHICH),
        comma=_options.choice(given.get("decimal", "point"), "decimal", ("point", "comma")) == "comma",
    )


def _range(given: dict[str, Json]) -> Range:
    low = _options.decimal(given["at least"], "at least") if "at least" in given else None
    high = _options.decimal(given["at most"], "at most") if "at most" in given else None
    if "is" not in given:
        if low is None and high is None:
            raise ValueError("say which number: 'number: 42', or 'at least' or 'at most'")
        if "within" in given:
            raise ValueError("'within' needs 'is'")
        if low is not None and high is not None and low > high:
            raise ValueError(f"no number is at least {shown(low)} and at most {shown(high)}")
        named = (("at least", low), ("at most", high))
        return Range(low, high, " and ".join(f"{name} {shown(end)}" for name, end in named if end is not None))
    if low is not None or high is not None:
        raise ValueError("give 'is' without 'at least' and 'at most': 'within' is the tolerance")
    wanted = _options.decimal(given["is"], "is")
    if "within" not in given:
        return Range(wanted, wanted, shown(wanted))
    off = _distance(given["within"], wanted)
    words = f"within {quoted(str(given['within']))[1:-1]} of {shown(wanted)}"
    return Range(EXACT.subtract(wanted, off), EXACT.add(wanted, off), words)


def _distance(within: Json, wanted: Decimal) -> Decimal:
    if isinstance(within, str) and within.strip().endswith("%"):
        off = EXACT.multiply(abs(wanted), EXACT.scaleb(_options.decimal(within.strip()[:-1], "within"), -2))
    else:
        off = _options.decimal(within, "within")
    if off < 0:
        raise ValueError("'within' cannot be negative")
    return off


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(
        _options.AMOUNT,
        **{
            "is": _options.AMOUNT,
            "within": _options.AMOUNT,
            "at_least": _options.AMOUNT,
            "at_most": _options.AMOUNT,
            "unit": _options.NAMES,
            "at": _options.PATH,
            "which": {"enum": list(_WHICH)},
            "decimal": {"enum": ["point", "comma"]},
        },
    ),
)
