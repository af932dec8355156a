"""Report values of cases that a prompt's schemas rule out: expected answers that can never pass, wrong variables."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from promptbench.checks.expect import parse_argument
from promptbench.core.canonical import canonical, map_values
from promptbench.core.errors import Code, Diagnostics, Severity, did_you_mean, suggest
from promptbench.core.files import files_in
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json, Side
from promptbench.core.words import quoted
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.schemas.reasons import reason
from promptbench.schemas.validator import compile_schema
from promptbench.suite.file import field_name
from promptbench.suite.models import Case, Suite, Where, WrittenCheck
from promptbench.suite.validation import key_hint, type_hint
from promptbench.yaml.marked import WrittenNumber

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


# Keywords that an object may fulfil by fields that a case does not name, and those whose schemas depend on them.
_INCOMPLETE = {"required", "minProperties", "dependentRequired", "not", "unevaluatedProperties"}
_CONDITIONAL = {"then", "else", "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems"}
_MOST_KNOWN = 10_000
_MOST_ALIKE = 20  # Misfits of one kind that are reported each.
# A text with one of these may have JSON in it, or be repaired to JSON.
_MAY_BE_JSON = re.compile(r'[{\["`:=<]')
_ANNOTATIONS = {"title", "description", "default", "examples"}
_OF_OBJECTS = {"type", "properties", "required", "additionalProperties"}
# The types that a value may have. A number also equals the same number written as text.
_KINDS: Mapping[type, Sequence[str]] = {
    str: ("string",),
    bool: ("boolean",),
    int: ("integer", "number", "string"),
    float: ("number", "string"),
    WrittenNumber: ("number", "string"),
}
_TYPES = {"integer": "int_type", "number": "int_type", "boolean": "bool_type", "string": "string_type"}


@dataclass(frozen=True, slots=True)
class Misfit:
    """A part of a value that a schema rules out, at `path`; with `is_key` it is the last name there that is unknown."""

    path: Steps
    problem: str
    hint: str | None
    keyword: str
    value: Json
    is_key: bool = False
    is_listed: bool = False  # The schema lists all values that are allowed.

    @property
    def kind(self) -> tuple[tuple[str, ...], str]:
        """The path, with any item of a list for each, and the keyword: misfits of one kind are reported together."""
        return tuple(step if isinstance(step, str) else "*" for step in self.path), self.keyword


class SchemaFit:
    """Finds what of a value a JSON Schema rules out."""

    def __init__(self, schema: Mapping[str, Json], context: CheckContext) -> None:
        from jsonschema.validators import Draft202012Validator, validator_for
        from referencing import Registry

        self._schema = schema
        self._validator: Any = None
        with suppress(ValueError):  # An invalid schema is reported where it is used.
            compile_schema(dict(schema))
            kind: Any = validator_for(dict(schema), default=Draft202012Validator)
            self._validator = kind(schema, registry=Registry())
        self._known: dict[str, Sequence[Misfit]] = {}

    @property
    def is_data(self) -> bool:
        """True if the schema is one of an object or a list."""
        return self._schema.get("type") in ("object", "array")

    def expected(self, value: Json, *, whole: bool) -> Sequence[Misfit]:
        """Return why no answer that fits can equal `value`; unless `whole`, it may have more fields than an object."""
        if isinstance(value, str):
            try:
                value, whole = json.loads(value), True
            except (ValueError, RecursionError):
                if not self.is_data:
                    return tuple(misfit for misfit in self._misfits(value.strip(), whole) if misfit.is_listed)
                if _MAY_BE_JSON.search(value):
                    return ()
                name = next(iter(self._schema.get("properties", {})), "name")
                hint = f"write the fields that should come back, such as 'expect: {{{name}: …}}'"
                return (Misfit((), f"expected JSON, got {quoted(value)}", hint, "type", value),)
        if not whole and _obviously_fits(self._schema, value):
            return ()
        try:
            key = f"{whole}{canonical(value)}"
        except (ValueError, RecursionError):  # a text such as NaN, which Python takes for JSON
            return ()
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = tuple(self._misfits(value, whole))
        return self._known[key]

    def variable(self, name: str, value: Json) -> Misfit | None:
        """Return why a variable does not fit, None if it does as text in a prompt."""
        properties = self._schema.get("properties")
        if self._validator is None or not isinstance(properties, dict) or name not in properties:
            return None
        if _obviously_fits(properties[name], value):
            return None
        forms = [value]
        if isinstance(value, (int, float)):
            forms.append(canonical(value))
        elif isinstance(value, str):
            with suppress(ValueError, RecursionError):
                forms.append(json.loads(value))
        else:
            forms.append(numbers_as_text(value))
        validator = self._validator.evolve(schema=properties[name])
        with suppress(*_failures()):
            if not any(map(validator.is_valid, forms)):
                [*_, error] = validator.iter_errors(value)
                return self._misfit(error, ())
        return None

    def _misfits(self, value: Json, whole: bool) -> Iterator[Misfit]:
        if self._validator is None:
            return
        seen: set[Steps] = set()
        with suppress(*_failures()):
            for error in self._validator.iter_errors(value):
                path: Steps = tuple(error.absolute_path)
                if path in seen or not _is_certain(error, whole) or self._fits_as_text(error):
                    continue
                seen.add(path)
                if error.validator == "additionalProperties" and error.validator_value is False:
                    yield from _unknown_fields(error, path)
                else:
                    yield self._misfit(error, path)

    def _misfit(self, error: Any, path: Steps) -> Misfit:
        value, hint = error.instance, None
        if error.validator == "type":
            types = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
            kind = next((name for name in types if name != "null"), "")
            if isinstance(value, str) or kind == "string":
                hint = type_hint("", _TYPES.get(kind, ""), value)
            if isinstance(value, str) and kind in ("number", "integer") and _is_number(value):
                hint = f"write {value.strip()}, without quotation marks"
        elif error.validator == "enum" and isinstance(value, str):
            hint = suggest(value, [item for item in error.validator_value if isinstance(item, str)], "") or None
        problem = reason(self._validator.evolve(schema=error.schema), value)
        listed = error.validator in ("enum", "const") or error.validator_value in ("boolean", "null")
        return Misfit(path, problem, hint, error.validator, value, is_listed=listed)

    def _fits_as_text(self, error: Any) -> bool:
        # An expected number also equals the same number written as text.
        text = numbers_as_text(error.instance)
        return text != error.instance and bool(self._validator.evolve(schema=error.schema).is_valid(text))


def _obviously_fits(schema: Json, value: Json) -> bool:
    """Return True if a value fits a schema of the usual form; few values then need jsonschema, which is slow."""
    if not isinstance(schema, dict):
        return False
    keywords, types = schema.keys() - _ANNOTATIONS, schema.get("type")
    if isinstance(value, dict):
        fields = schema.get("properties")
        if not (keywords <= _OF_OBJECTS and types == "object" and isinstance(fields, dict)):
            return False
        return all(name in fields and _obviously_fits(fields[name], item) for name, item in value.items())
    if keywords == {"enum"}:
        return isinstance(value, str) and value in schema["enum"]
    kinds = _KINDS.get(type(value), ())
    return keywords == {"type"} and any(kind in kinds for kind in (types if isinstance(types, list) else (types,)))


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        return isinstance(json.loads(text), int | float)
    return False


def _unknown_fields(error: Any, path: Steps) -> Iterator[Misfit]:
    known = list(error.schema.get("properties", {}))
    patterns = error.schema.get("patternProperties", {})
    for name in error.instance:
        if name not in known and not any(re.search(pattern, name) for pattern in patterns):
            free = [other for other in known if other not in error.instance]
            hint = key_hint(name, None, known, did_you_mean(name, free))
            yield Misfit((*path, name), f"unknown field '{name}'", hint, error.validator, name, is_key=True)


def _is_certain(error: Any, whole: bool) -> bool:
    """Return True if no fields that the value does not name can make it fit."""
    # Inside a list, objects are compared as a whole.
    partial = not whole and not any(isinstance(step, int) for step in error.absolute_path)
    if partial and _CONDITIONAL & {*error.absolute_schema_path}:
        return False
    # Without a keyword it is the schema `false`, which may be that of a branch.
    partial = partial and isinstance(error.instance, dict)
    if error.validator in ("anyOf", "oneOf") and error.context:
        certain = {one.relative_schema_path[0] for one in error.context if _is_certain(one, whole)}
        return len(certain) == len(error.validator_value)
    return not partial or error.validator not in {*_INCOMPLETE, "oneOf", None}


def numbers_as_text(value: Json) -> Json:
    """Return data with each number as the text that it is written as."""
    return map_values(value, _number_as_text)


def _number_as_text(value: Json) -> Json:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


@cache
def _failures() -> tuple[type[Exception], ...]:
    # What keeps a schema from being applied; the check that uses it reports that.
    from referencing.exceptions import Unresolvable

    return (re.error, RecursionError, Unresolvable)


@dataclass(slots=True)
class _Finding:
    """A misfit in a case, `steps` below `root`. `subject` and `verb` enclose the case's name.

    `more` counts further cases with a misfit of the same kind.
    """

    misfit: Misfit
    schema: str
    subject: str
    verb: str
    severity: Severity
    root: Where
    steps: Steps
    case: str
    more: int = 0


class RuledOut:
    """Collects what the schemas of the candidates rule out in each case.

    An expected value is an error if `json schema: output` checks the answer too, because then no answer passes; else it
    is a warning. Of the prompt in production only labels are reported that its schema does not list: that it cannot
    pass a case is a reason for a candidate.
    """

    def __init__(self, variants: Sequence[Variant], context: CheckContext, suite: Suite) -> None:
        prompts = [item for item in variants if item.side is Side.CANDIDATE]
        inputs = [(item.label, item.prompt.input_schema) for item in prompts]
        self._inputs = [(label, SchemaFit(schema, context)) for label, schema in inputs if schema]
        once = {item.hash: item for item in reversed(variants)}.values()
        self._outputs = [
            (f"output schema of {item.label}", SchemaFit(item.prompt.output_schema, context), item.side)
            for item in reversed(once)
            if item.prompt.output_schema
        ]
        self._all = all(item.prompt.output_schema for item in prompts)
        self._suite = suite
        self._found: dict[tuple[str, str, tuple[tuple[str, ...], str]], list[_Finding]] = {}

    def look(self, case: Case) -> None:
        """Keep what the schemas rule out in a case."""
        for label, fit in self._inputs:
            for name, value in case.variables.items():
                if not files_in(value) and (misfit := fit.variable(name, value)):
                    subject, schema = f"{{{{{name}}}}} of the case", f"input schema of {label}"
                    severity = Severity.ERROR if misfit.keyword == "type" else Severity.WARNING
                    self._add(misfit, schema, subject, "does not fit", severity, case.where, ("vars", name), case.name)
        # The schema describes the whole answer, and with 'at' an expected value is a part of it.
        if not self._outputs or self._suite.at:
            return
        threshold = self._suite.threshold if case.threshold is None else case.threshold
        strict = threshold is None and any(map(_enforces_output, (*self._suite.checks, *case.checks)))
        for root, steps, expected, whole in expectations(case, wish=not strict):  # A strict check scores the wish.
            found = [(schema, side, _misfits(fit, expected, whole)) for schema, fit, side in self._outputs]
            never = strict and self._all and all(misfits for _, side, misfits in found if side is Side.CANDIDATE)
            subject, verb, severity = "what the case", "expects does not fit", Severity.WARNING
            if never:
                subject, verb, severity = "the case", "can never pass", Severity.ERROR
            # Without a check of the schema, a text may well be what comes back.
            is_data = strict or isinstance(expected[0], dict)
            for schema, side, misfits in found:
                is_own = side is Side.CANDIDATE
                for misfit in (one for one in misfits if (is_own and is_data) or (one.is_listed and not never)):
                    below = misfit.path if len(expected) == 1 and not isinstance(expected[0], str) else ()
                    self._add(misfit, schema, subject, verb, severity, root, (*steps, *below), case.name)

    def _add(self, misfit: Misfit, schema: str, subject: str, verb: str, *rest: Any) -> None:
        finding = _Finding(misfit, schema, subject, verb, *rest)
        alike = self._found.setdefault((schema, subject, misfit.kind), [])
        # A warning is about a value, which several cases may have.
        same = (one for one in alike if one.severity is Severity.WARNING and one.misfit.value == misfit.value)
        if known := next(same, alike[-1] if len(alike) == _MOST_ALIKE else None):
            known.more += 1
        else:
            alike.append(finding)

    def report(self, found: Diagnostics) -> None:
        """Add what was found to `found`, and forget it. Where something else is wrong already, nothing is added."""
        taken = {item.location for item in found}
        for item in itertools.chain.from_iterable(self._found.values()):
            location = item.root.location(*item.steps, key=item.misfit.is_key)
            if location in taken:
                continue
            more = f" (and {item.more:,} more)" if item.more else ""
            path = ".".join(map(str, item.misfit.path[:-1] if item.misfit.is_key else item.misfit.path))
            problem = f"{path}: {item.misfit.problem}" if path else item.misfit.problem
            is_warning = item.severity is Severity.WARNING
            found.add(
                Code.LABEL_NOT_OFFERED if item.misfit.is_listed and is_warning else Code.RULED_OUT,
                f"{item.subject} '{item.case}'{more} {item.verb}: {problem}, by the {item.schema}",
                location,
                hint=item.misfit.hint or "fix the case, or the schema",
                severity=item.severity,
            )
        self._found.clear()


def _enforces_output(spec: WrittenCheck) -> bool:
    given = spec.argument.get("schema") if isinstance(spec.argument, dict) else spec.argument
    return field_name(spec.name) == "json_schema" and given == "output" and spec.weight > 0


def _misfits(fit: SchemaFit, expected: Sequence[Json], whole: bool) -> Sequence[Misfit]:
    """Return what rules all of the right answers out; nothing if one of them fits."""
    found = [fit.expected(item, whole=whole) for item in expected]
    return found[0] if all(found) else ()
