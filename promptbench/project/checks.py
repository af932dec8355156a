"""Checks as written become checks that score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from promptbench.checks import plugins
from promptbench.checks._reading import READINGS, Loose, Strict
from promptbench.core.diagnostics import Code, Diagnostics, did_you_mean
from promptbench.core.protocols import Check, CheckContext, CheckModule, MissingExtra, is_judged
from promptbench.core.types import Json
from promptbench.project.evaluate import WeightedCheck
from promptbench.suite.models import CheckSpec


def build(spec: CheckSpec, context: CheckContext, found: Diagnostics) -> Check | None:
    """The check of a spec; None, with a diagnostic, when there is no such check or its argument is not one for it."""
    if spec.name not in plugins:
        guess = _meant(spec.name)
        hint = f"did you mean '{guess}'?" if guess else "`promptbench explain` lists the checks"
        if guess is None and spec.name.count(" ") > 2:
            hint += "; what takes a person to tell is 'rubric', which asks a model"
        found.add(Code.UNKNOWN_CHECK, f"there is no check '{spec.name}'", spec.where.location(key=True), hint=hint)
        return None
    module: CheckModule = plugins.load(spec.name)  # type: ignore[assignment]
    try:
        check = module.build(spec.argument, context)
    except MissingExtra as error:
        found.add(Code.MISSING_EXTRA, f"'{spec.name}': {error}", spec.where.location(key=True))
        return None
    except ValueError as error:
        example = (module.__doc__ or "").partition("Example:")[2].strip()
        advice = f"for example {example}" if example else None
        found.add(Code.BAD_CHECK, f"'{spec.name}': {error}", spec.where.location(), hint=advice)
        return None
    if is_judged(check):
        if spec.reading:
            message = f"'{spec.name}' takes no 'reading': a judge sees the answer as it is"
            found.add(Code.BAD_CHECK, message, spec.where.location(key=True), hint="delete 'reading' beside it")
            return None
        return WeightedCheck(check, spec.weight)
    check = READINGS[spec.reading](check) if spec.reading else check
    return check if spec.weight == 1 else WeightedCheck(check, spec.weight)


_OTHERS = {"include": "contains", "includes": "contains", "have": "contains", "mention": "contains", "is": "equals"}
"""Words for checks that people try, each with what it is called here."""


def _meant(written: str) -> str | None:
    """The check that was most likely meant, or None."""
    known = [name.replace("_", " ") for name in plugins.names()]
    word = written.strip().lower().removeprefix("must ").removeprefix("should ")
    if word in _OTHERS:
        return _OTHERS[word]
    longer = [name for name in known if name.startswith(f"{word} ")]
    return longer[0] if len(longer) == 1 else did_you_mean(word, known)


def informed(check: Check, expected: Json) -> Check:
    """The check for a case that says `expect:` so, also inside of what changes how it is read or counts. Raises
    ValueError where that cannot be right.
    """
    inform = getattr(check, "informed", None)
    if inform is not None:
        known: Check = inform(expected)
        return known
    if not isinstance(check, (WeightedCheck, Strict, Loose)):
        return check
    inner = informed(check.check, expected)
    return check if inner is check.check else replace(check, check=inner)


def unwrapped(check: Check) -> Check:
    """The check itself, without what changes how it is read or counts."""
    return unwrapped(check.check) if isinstance(check, (WeightedCheck, Strict, Loose)) else check


def as_hashed(specs: Sequence[CheckSpec], context: CheckContext) -> list[Json]:
    """What decides how a list of checks scores: all that is written, and the files that it names."""
    return [[spec.name, spec.argument, spec.reading, spec.weight, _files(spec, context)] for spec in specs]


def _files(spec: CheckSpec, context: CheckContext) -> Json:
    module = plugins.load(spec.name) if spec.name in plugins else None
    fingerprint = getattr(module, "fingerprint", None)
    try:
        return fingerprint(spec.argument, context) if fingerprint else None
    except ValueError:
        # What is wrong with the argument is told where the check is built.
        return None
