"""The checks of a chain's steps, whose arguments may name values of the case and answers of earlier steps."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from promptbench.core.errors import Code, Diagnostics, suggest
from promptbench.core.plugins import module_name
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score
from promptbench.engine.prepare import checks
from promptbench.engine.prepare.evaluate import needs_judge
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.engine.prepare.prompts import report_reference
from promptbench.prompts.chain import STEPS, Chain, ChainStep, is_output
from promptbench.suite.models import Case, Suite, SuiteStep, WrittenCheck
from promptbench.text.templates import fill_data, lookup

_TAG = re.compile(r"\{\{\s*(?P<name>[\w.-]+)\s*\}\}")
# What stands for values that are not known before a run, to see whether a check can be built: of one kind or the other.
_STAND_INS: tuple[Json, ...] = (["…"], "…", 1)


@dataclass(frozen=True, slots=True)
class CheckOfStep:
    """A check whose argument has values of the case or answers of earlier steps, so that it is built for an answer.

    `values` has what the case expects under `expect`; `expected` is what it expects of this step, if that is known.
    """

    spec: WrittenCheck
    context: CheckContext
    values: Mapping[str, Json]
    expected: Sequence[Json] = ()

    def score(self, subject: Subject) -> Score:
        found, check = Diagnostics(), None
        try:
            argument = fill_data(self.spec.argument, {**subject.variables, **self.values})
            check = checks.build(replace(self.spec, argument=argument), self.context, found)
        except KeyError as error:
            found.add(Code.BAD_CHECK, f"the answers have no '{error.args[0]}'", self.spec.where.location())
        if check is None:
            reason = next(iter(found)).message
            return Score(module_name(self.spec.name).replace("_", " "), passed=False, value=0.0, reason=reason)
        for value in self.expected:
            with suppress(ValueError):  # The right answer is none of those that an earlier step offers.
                check = checks.with_expected(check, value)
        return check.score(subject)


class StepChecks:
    """The checks of the steps; what is wrong with them and with cases goes to `found`."""

    def __init__(self, suite: Suite, variants: Sequence[Variant], context: CheckContext, found: Diagnostics) -> None:
        self._found = found
        self._context = context
        self._steps = {step.name: step for step in suite.steps}
        self._chains = {item.hash: item.prompt for item in variants if isinstance(item.prompt, Chain)}
        self.hashed = [[step.name, step.at, checks.as_hashed(step.checks, context)] for step in suite.steps]
        candidate = next(iter(self._chains.values()), None)
        # Without a prompt the schema is unknown.
        self._schemas = (
            {step.name: step.prompt.output_schema for step in candidate.steps if step.prompt}
            if candidate
            else {name: {} for name in self._steps}
        )
        before = len(found.errors)
        for step in suite.steps:
            for spec in step.checks:
                self._validate(spec, step)
        self.valid = len(found.errors) == before

    def of(self, case: Case) -> Mapping[str, Sequence[tuple[str, tuple[Check, ...]]]]:
        """Return the steps of each chain with the checks of their answers, by the chain's hash.

        Raise ValueError if a check finds what the case expects invalid.
        """
        for name in case.expect_at.keys() - self._steps.keys():
            location = case.where.location(f"expect_at_{name}", key=True)
            hint = suggest(name, self._steps, f"steps: {', '.join(self._steps) or 'the suite has none'}")
            self._found.add(Code.UNKNOWN_KEY, f"unknown step '{name}' in 'expect at {name}'", location, hint=hint)
        if self._steps and STEPS in case.variables:
            message, hint = f"'{STEPS}' are the answers of the steps", "give the value another name"
            self._found.add(Code.BAD_VALUE, message, case.where.location("vars", STEPS, key=True), hint=hint)
        values = {"expect": case.expect} if case.has_expect else {}
        for name in {name for step in self._steps.values() for spec in step.checks for name in _names(spec.argument)}:
            try:
                lookup(name, {name: None} if is_output(name) else values)
            except KeyError:
                message = f"a check of a step uses {{{{{name}}}}}, which '{case.name}' does not have"
                hint = "write the right answer under 'expect:'"
                self._found.add(Code.MISSING_VARIABLE, message, case.where.location("case"), hint=hint)
        return {
            key: [(step.name, tuple(self._checks(case, key, step, values))) for step in chain.steps]
            for key, chain in self._chains.items()
        }

    def _checks(self, case: Case, key: str, step: ChainStep, values: Mapping[str, Json]) -> Iterator[Check]:
        expected = list(values.values()) if step is self._chains[key].steps[-1] else []
        if step.name in case.expect_at:
            expected = [case.expect_at[step.name]]
            spec = WrittenCheck("expect", expected[0], case.where.below(f"expect_at_{step.name}"))
            if (check := checks.build(spec, self._context_of(step), self._found)) is not None:
                yield check
        # A step that only production has has none.
        for spec in self._steps[step.name].checks if step.name in self._steps else ():
            if _names(spec.argument):
                yield CheckOfStep(spec, self._context_of(step), values, expected)
            # What is wrong with it has been reported.
            elif (check := checks.build(spec, self._context_of(step), Diagnostics())) is not None:
                yield from checks.all_with_expected(expected, {"": (check,)})[""]

    def _context_of(self, step: ChainStep) -> CheckContext:
        written, own = self._steps.get(step.name), step.prompt.output_schema if step.prompt else None
        # A prompt in production without a schema is checked by the candidate's.
        schema = own or self._schemas.get(step.name)
        return replace(self._context, output_schema=schema, at=written.at if written else None)

    def _validate(self, spec: WrittenCheck, step: SuiteStep) -> None:
        names, steps, before = _names(spec.argument), list(self._steps), len(self._found)
        for name in names:
            if is_output(name):
                report_reference(name, steps, steps.index(step.name), spec.where.location(), self._found)
            elif name.partition(".")[0] != "expect":
                hint = suggest(name, ("expect",), "known here: {{expect.field}} and {{steps.NAME.field}}")
                message = f"unknown variable {{{{{name}}}}} in a check of the step '{step.name}'"
                self._found.add(Code.MISSING_VARIABLE, message, spec.where.location(), hint=hint)
        if len(self._found) > before:
            return
        context, check = self._context_of(ChainStep(step.name)), None
        first, *others = (Diagnostics() for _ in _STAND_INS)
        for found, stand_in in zip((first, *others), _STAND_INS, strict=True):
            try:
                argument = fill_data(spec.argument, dict.fromkeys(names, stand_in)) if names else spec.argument
                check = check or checks.build(replace(spec, argument=argument), context, found)
            except (KeyError, ValueError) as error:
                found.add(Code.BAD_CHECK, f"invalid placeholder: {error}", spec.where.location())
        if check is None:
            self._found.extend(first)
        elif needs_judge(check):
            message = f"'{spec.name}' needs a judge, and the answers of steps are not judged"
            hint = "write it under 'checks:' of the suite or of a case: it judges the last answer"
            self._found.add(Code.BAD_CHECK, message, spec.where.location(key=True), hint=hint)


def _names(argument: Json) -> list[str]:
    return _TAG.findall(repr(argument))
