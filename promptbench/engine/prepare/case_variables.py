"""Check that the values of a case and the variables of the prompts fit."""

from __future__ import annotations

from collections.abc import Sequence

from promptbench.core.diagnostics import Code, Diagnostics, Severity, did_you_mean
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.suite.file import CaseFile, field_name
from promptbench.suite.models import Case
from promptbench.text.templates import is_name


def check_variables(case: Case, variants: Sequence[Variant], found: Diagnostics, *, has_baseline: bool) -> bool:
    """Return whether the case has a value for every variable of every prompt, and the prompts use its messages."""
    valid = True
    slips: set[str] = set()
    for item in variants:
        unused = item.prompt.unused(case.variables)
        for name in item.prompt.missing(case.variables):
            valid = False
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
                case.where.location(*(("vars", guess) if guess else ("vars",)), key=True),
                hint=_variable_hint(name, guess, bool(case.variables)),
            )
        if case.messages and not item.prompt.takes_history:
            valid = False
            found.add(
                Code.UNUSED_VARIABLE,
                f"{item.label} has no {{{{history}}}} for the messages of '{case.name}'",
                case.where.location("messages", key=True),
                hint="put {{history}} where the conversation belongs",
            )
    if variants and not has_baseline:
        unused_by_all = set.intersection(*(set(item.prompt.unused(case.variables)) for item in variants))
        for name in sorted(unused_by_all - slips):
            _report_unused(case, name, found)
    return valid


def _report_unused(case: Case, name: str, found: Diagnostics) -> None:
    location = case.where.location("vars", name, key=True)
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


def _variable_hint(name: str, guess: str | None, has_others: bool) -> str:
    if guess:
        return f"did you mean '{name}' where it says '{guess}'?"
    return f"add '{name}: …' under 'vars:'" if has_others else f"add a line 'vars: {{{name}: …}}'"


def has_slips(case: Case) -> bool:
    """Return whether the case has unknown keys, which are reported when it is read."""
    return any(field_name(key) not in CaseFile.model_fields for key in case.where.value)
