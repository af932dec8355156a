"""Report problems with the terms and the variables of a case."""

from collections.abc import Mapping, Sequence

from promptbench.core.clock import today
from promptbench.core.errors import Code, Diagnostics, Location, Severity, did_you_mean, suggest
from promptbench.core.files import FileValue, files_in, kind_of
from promptbench.core.types import Json
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.suite.file import CaseFile, expected_step, field_name
from promptbench.suite.models import Case, Suite
from promptbench.text.templates import is_name, lookup

_CASES_PER_QUARANTINE = 20  # 5 %, so that a suite cannot be emptied case by case.


def max_quarantined(cases: int) -> int:
    """Return the number of cases that may be in quarantine in a suite with this many: 5 %, but at least one."""
    return max(1, cases // _CASES_PER_QUARANTINE)


def report_quarantine(quarantined: Sequence[Case], cases: int, found: Diagnostics) -> None:
    """Report what is wrong with the cases in quarantine of a suite with `cases` cases.

    An expired quarantine is a warning, because a run must report on the prompt, not on the calendar. The gate passes
    nothing until it is renewed or removed.
    """
    for case in quarantined:
        assert case.quarantine is not None
        if case.critical:
            found.add(
                Code.QUARANTINE,
                f"'{case.name}' is critical, so it cannot be in quarantine",
                case.where.location("quarantine", key=True),
                hint="remove the tag 'critical', or the quarantine",
            )
        if case.quarantine.review_by < today():
            found.add(
                Code.QUARANTINE,
                f"the quarantine of '{case.name}' expired on {case.quarantine.review_by}, so nothing passes",
                case.where.location("quarantine", "review_by"),
                hint=f"ask {case.quarantine.owner}: delete 'quarantine:', fix the case, or set a later day",
                severity=Severity.WARNING,
            )
    limit = max_quarantined(cases)
    if len(quarantined) > limit:
        found.add(
            Code.QUARANTINE,
            f"{len(quarantined)} of {cases} cases are in quarantine, expected at most {limit}",
            quarantined[limit].where.location("quarantine", key=True),
            hint="at most 5 % of a suite, or one case: fix the others, or delete them",
        )


def report_terms(suite: Suite, case: Case, found: Diagnostics) -> None:
    """Report what is wrong with `repeats`, `only models` and `skip` of a case."""
    names, usual = [entry.name for entry in suite.models], suite.gate.repeats
    for index, name in enumerate(case.only_models):
        if names and name not in names:
            found.add(
                Code.UNKNOWN_MODEL,
                f"'{name}' is not one of the suite's models",
                case.where.location("only_models", index),
                hint=suggest(name, names, f"models here: {', '.join(names)}"),
            )
    if case.repeats is not None and case.repeats < usual:
        found.add(
            Code.BAD_VALUE,
            f"'repeats: {case.repeats}' changes nothing: the gate calls every case {usual} times",
            case.where.location("repeats"),
            severity=Severity.WARNING,
        )
    if case.skip:
        found.add(
            Code.SKIPPED,
            f"'{case.name}' is {'critical, so it cannot be ' if case.critical else ''}skipped: {case.skip}",
            case.where.location("skip"),
            hint="remove the tag 'critical', or 'skip:'" if case.critical else None,
            severity=Severity.ERROR if case.critical else Severity.WARNING,
        )


def check_variables(case: Case, variants: Sequence[Variant], found: Diagnostics, *, has_baseline: bool) -> bool:
    """Return whether the case has a value for every variable of every prompt, and the prompts use its messages."""
    valid = True
    slips: set[str] = set()
    for item in variants:
        unused = item.prompt.unused(case.variables)
        for name in item.prompt.missing(case.variables):
            valid = False
            if problem := _misplaced(name, case.variables):
                found.add(Code.MISSING_VARIABLE, problem[0], _location(case, name), hint=problem[1])
                continue
            tight = {item for item in unused if item.startswith(f"{name}:")}
            slips |= tight
            guess = did_you_mean(name, unused)
            if tight:
                continue  # The missing space after the colon is already reported.
            if guess is None and has_slips(case):
                continue  # The value is most likely under the unknown key.
            slips |= {guess} if guess else set()
            found.add(
                Code.MISSING_VARIABLE,
                f"the case '{case.name}' has no value for {{{{{name}}}}} of {item.label}",
                _location(case, guess) if guess else case.where.location("vars", key=True),
                hint=_variable_hint(name, guess, bool(case.variables)),
            )
        if case.said and not item.prompt.takes_history:
            valid = False
            key = "messages" if case.messages else "turns"
            found.add(
                Code.UNUSED_VARIABLE,
                f"{item.label} has no {{{{history}}}} for the {key} of '{case.name}'",
                case.where.location(key, key=True),
                hint="put {{history}} where the conversation belongs",
            )
    if variants and not has_baseline:
        unused_by_all = set.intersection(*(set(item.prompt.unused(case.variables)) for item in variants))
        own = case.where.value.get("vars") or {}
        for name in sorted((unused_by_all - slips) & own.keys()):
            _report_unused(case, name, found)
    return valid


def _location(case: Case, name: str) -> Location:
    part = "files" if name in (case.where.value.get("files") or {}) else "vars"
    return case.where.location(part, name, key=True)


def _report_unused(case: Case, name: str, found: Diagnostics) -> None:
    location = _location(case, name)
    if not is_name(name):
        # The author of `{message: Hello, where is it?}` means one text, but YAML reads two entries.
        found.add(
            Code.UNUSED_VARIABLE,
            f"'{name}' is not a valid name of a variable",
            location,
            hint="if it is part of the text before it, quote the whole text: {name: 'text, and more text'}",
        )
        return
    hint = f"write {{{{{name}}}}} in the prompt, or delete the line"
    if field_name(name) in CaseFile.model_fields:
        hint = f"if '{name}:' is a key of the case, indent it as much as 'vars:'"
    found.add(Code.UNUSED_VARIABLE, f"no prompt uses '{name}'", location, hint=hint, severity=Severity.WARNING)


def _misplaced(name: str, variables: Mapping[str, Json]) -> tuple[str, str] | None:
    """Return what is wrong with the value of a placeholder that has one, and a hint; None if it has none."""
    try:
        value = lookup(name, variables)
    except KeyError:
        return None
    if isinstance(value, FileValue):
        hint = f"write {{{{media url={name}}}}} in the prompt"
        return f"expected text for {{{{{name}}}}}, got the {kind_of(value['type'])} '{value['file']}'", hint
    if files_in(value):
        hint = f"write {{{{#each {name}}}}}{{{{media url=this}}}}{{{{/each}}}} in the prompt"
        return f"expected text for {{{{{name}}}}}, got a list of files", hint
    hint = f"name it under 'files:' of the case, or write {{{{{name}}}}} for a text"
    return f"expected an image or a PDF for {{{{media url={name}}}}}, got a value that is neither", hint


def report_unused_defaults(suite: Suite, variants: Sequence[Variant], found: Diagnostics) -> None:
    """Warn about default values that no prompt uses."""
    for name in set.intersection(*(set(item.prompt.unused(suite.common.variables)) for item in variants)):
        location = suite.location(("defaults", "vars", name), key=True)
        found.add(Code.UNUSED_VARIABLE, f"no prompt uses '{name}'", location, severity=Severity.WARNING)


def _variable_hint(name: str, guess: str | None, has_others: bool) -> str:
    if guess:
        return f"did you mean '{name}' where it says '{guess}'?"
    return f"add '{name}: …' under 'vars:'" if has_others else f"add a line 'vars: {{{name}: …}}'"


def has_slips(case: Case) -> bool:
    """Return whether the case has unknown keys, which are reported when it is read."""
    keys = (key for key in case.where.value if not expected_step(key))
    return any(field_name(key) not in CaseFile.model_fields for key in keys)
