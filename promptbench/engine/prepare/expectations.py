"""What a case expects of an answer, wherever it is written."""

from collections.abc import Iterator
from contextlib import suppress

from promptbench.checks.expect import parse_argument
from promptbench.core.types import Json
from promptbench.suite.file import field_name
from promptbench.suite.models import Case, Where, WrittenCheck

Steps = tuple[str | int, ...]


def expectations(case: Case, *, wish: bool = True) -> Iterator[tuple[Where, Steps, tuple[Json, ...], bool]]:
    """Yield each exact comparison: its location, the answers that are right, and if they have no other fields.

    `should be:` is one with `wish`. Comparisons that accept more than one spelling are left out.
    """
    written: list[tuple[Where, Steps, Json]] = [(case.where, ("expect",), case.expect)] if case.has_expect else []
    for spec in case.checks:
        name = field_name(spec.name)
        if name in ("expect", "equals") and not spec.at:
            written.append((spec.where, (), spec.argument))
        elif name == "one_of" and isinstance(spec.argument, list):
            written.append((spec.where, (), {"any of": spec.argument}))
        elif name == "intent":
            yield from _intent(spec)
    for root, steps, argument in written:
        with suppress(ValueError):
            check = parse_argument(argument)
            if not (check.path or check.paths or check.normal.steps):
                is_option = isinstance(argument, dict) and argument != check.right[0]
                inside = ("is",) if is_option and len(check.right) == 1 else ()
                yield root, (*steps, *inside), check.right, check.fields == "all"
    if case.has_wish and wish:
        yield case.where, ("should_be",), (case.should_be,), True


def _intent(spec: WrittenCheck) -> Iterator[tuple[Where, Steps, tuple[Json, ...], bool]]:
    given = spec.argument if isinstance(spec.argument, dict) else {"is": spec.argument}
    expected, at = given.get("is"), str(given.get("at", ""))
    if isinstance(expected, str) and expected.strip() and "[" not in at:
        for step in filter(None, reversed(at.split("."))):
            expected = {step: expected}
        yield spec.where, ("is",) if given is spec.argument else (), (expected,), False
