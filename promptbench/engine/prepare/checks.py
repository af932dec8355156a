"""Build checks from their written form."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from promptbench.checks import plugins
from promptbench.checks._nested import with_nested
from promptbench.checks._paths import At, optional
from promptbench.checks._reading import READINGS, Loose, Strict
from promptbench.core.canonical import canonical
from promptbench.core.errors import Code, Diagnostics, Severity, did_you_mean
from promptbench.core.plugins import module_name
from promptbench.core.protocols import Check, CheckContext, ExpectingCheck, JudgedCheck, MissingExtra
from promptbench.core.types import Json
from promptbench.engine.prepare.evaluate import WeightedCheck, judged_check
from promptbench.engine.prepare.prepared_suite import BASELINE, Variant
from promptbench.suite.models import Case, WrittenCheck
from promptbench.yaml import text as yaml_text


def build(spec: WrittenCheck, context: CheckContext, found: Diagnostics) -> Check | None:
    """Return the check, or None with a diagnostic if it is unknown or its argument is invalid."""
    if spec.name not in plugins:
        guess, colon = _meant(spec.name), re.match(r"([^:]+):(?=\S)(.*)", spec.name)
        hint = f"did you mean '{guess}'?" if guess else "`promptbench explain` lists the checks"
        if colon and colon[1] in plugins:
            hint = f"write a space after the colon: '{colon[1]}: {colon[2]}'"
        if guess is None and spec.name.count(" ") > 2:
            hint += "; 'rubric' lets a model judge what no rule can"
        found.add(Code.UNKNOWN_CHECK, f"unknown check '{spec.name}'", spec.where.location(key=True), hint=hint)
        return None
    plugin = plugins.load(spec.name)
    try:
        path = optional(_at(spec, context))
    except ValueError as error:
        found.add(Code.BAD_CHECK, f"'at': {error}", spec.where.location(key=True))
        return None
    try:
        check = plugin.build(spec.argument, context)
        if path and None in path.steps and isinstance(check, JudgedCheck):
            raise ValueError("a judge sees one value, and 'at' with [*] has several")
    except MissingExtra as error:
        found.add(Code.MISSING_EXTRA, f"'{spec.name}': {error}", spec.where.location(key=True))
        return None
    except ValueError as error:
        example = (plugin.doc or "").partition("Example:")[2].strip()
        found.add(
            Code.BAD_CHECK,
            f"'{spec.name}': {error}",
            spec.where.location(),
            hint=f"for example {example}" if example else None,
        )
        return None
    _warn_of_old_names(spec, found)
    if isinstance(check, JudgedCheck):
        if spec.reading:
            found.add(
                Code.BAD_CHECK,
                f"'{spec.name}' takes no 'reading': a judge sees the answer as it is",
                spec.where.location(key=True),
                hint="delete 'reading' beside it",
            )
            return None
        return WeightedCheck(check, spec.weight, path)
    check = READINGS[spec.reading](check) if spec.reading else check
    check = At(module_name(spec.name).replace("_", " "), path, check) if path else check
    return check if spec.weight == 1 else WeightedCheck(check, spec.weight)


def _warn_of_old_names(spec: WrittenCheck, found: Diagnostics) -> None:
    for name, argument in with_nested(spec.name, spec.argument):
        replacement = plugins.load(name).replacement if name in plugins else None
        if replacement is not None:
            text = _in_braces(replacement(argument))
            hint = f"write {text}" if len(text) <= _LONGEST_HINT else "write it as 'expect' with options"
            found.add(
                Code.DEPRECATED_CHECK,
                f"the check '{name}' is deprecated",
                spec.where.location(key=True),
                hint=hint,
                severity=Severity.WARNING,
            )


def _in_braces(value: Json) -> str:
    try:
        return yaml_text.in_braces(value)
    except ValueError:  # YAML has no such text
        return canonical(value)


# Words for checks that people try, each with the name of the check.
_OTHERS = {"include": "contains", "includes": "contains", "have": "contains", "mention": "contains", "is": "expect"}
_LONGEST_HINT = 200


def _meant(written: str) -> str | None:
    known = [name.replace("_", " ") for name in plugins.names()]
    word = written.strip().lower().removeprefix("must ").removeprefix("should ")
    if word in _OTHERS:
        return _OTHERS[word]
    longer = [name for name in known if name.startswith(f"{word} ")]
    return longer[0] if len(longer) == 1 else did_you_mean(word, known)


def with_expected(check: Check, expected: Json) -> Check:
    """Return the check for a case with this `expect:`, also inside a wrapper. Raises ValueError if it is invalid."""
    if isinstance(check, ExpectingCheck):
        return check.with_expected(expected)
    if not isinstance(check, (WeightedCheck, At, Strict, Loose)):
        return check
    inner = with_expected(check.check, expected)
    return check if inner is check.check else replace(check, check=inner)


def all_with_expected(
    expected: Sequence[Json], by_variant: Mapping[str, tuple[Check, ...]]
) -> Mapping[str, tuple[Check, ...]]:
    """Return the checks with the right answer, if there is one. Raise as `with_expected`."""
    for value in expected:
        by_variant = {key: tuple(with_expected(check, value) for check in built) for key, built in by_variant.items()}
    return by_variant


def unwrapped(check: Check) -> Check:
    """Return the check itself, without wrappers for its reading, weight or location."""
    return unwrapped(check.check) if isinstance(check, (WeightedCheck, At, Strict, Loose)) else check


def by_schema(variants: Sequence[Variant]) -> list[tuple[Mapping[str, Json] | None, list[str]]]:
    """Return the different output schemas, each with the hashes of its variants.

    A prompt in production without a schema is checked by the candidate's. Without any prompt the schema is unknown, but
    other errors in checks can still be found.
    """
    if not variants:
        return [({}, [BASELINE])]
    found: list[tuple[Mapping[str, Json] | None, list[str]]] = []
    for item in variants:
        schema = item.prompt.output_schema or variants[0].prompt.output_schema
        same = next((hashes for known, hashes in found if known == schema), None)
        if same is None:
            found.append((schema, [item.hash]))
        else:
            same.append(item.hash)
    return found


def require_was(case: Case, built: Sequence[Check], found: Diagnostics) -> None:
    """Report a check that compares with the logged answer of a case, which has none."""
    if any(check.compares_with_was for check in map(judged_check, built) if check):
        found.add(
            Code.BAD_CHECK,
            f"a check compares with the logged answer, and '{case.name}' has none",
            case.where.location("case"),
            hint="write the answer under 'was:', or write the known answer itself after 'over:'",
        )


def as_hashed(specs: Sequence[WrittenCheck], context: CheckContext) -> list[Json]:
    """Return what decides the scores of checks: all that is written, and the files that it names."""
    # 'at' came later: without it the hash is that of older versions.
    return [
        [spec.name, spec.argument, spec.reading, spec.weight, _files(spec, context), *([at] if at else ())]
        for spec in specs
        for at in [_at(spec, context)]
    ]


def _at(spec: WrittenCheck, context: CheckContext) -> str | None:
    """Return the path of the value that a check looks at: its own, or the suite's."""
    if spec.at is not None:
        return spec.at
    # The prompt's output schema describes the whole answer.
    of_output = module_name(spec.name) == "json_schema" and spec.argument in ("output", {"schema": "output"})
    return None if of_output else context.at


def _files(spec: WrittenCheck, context: CheckContext) -> Json:
    fingerprint = plugins.load(spec.name).fingerprint if spec.name in plugins else None
    try:
        return fingerprint(spec.argument, context) if fingerprint else None
    except ValueError:
        # An invalid argument is reported when the check is built.
        return None
