"""Build the cases of a suite and of its logs, with their checks, and prove that logged answers fail them."""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from promptbench.core.canonical import ListDigest, canonical, digest
from promptbench.core.errors import Code, Diagnostics, Location, Severity
from promptbench.core.protocols import Check, CheckContext, JudgedCheck
from promptbench.core.types import Json, LoggedCall
from promptbench.engine.prepare import checks
from promptbench.engine.prepare.case_terms import (
    check_variables,
    has_slips,
    report_quarantine,
    report_terms,
    report_unused_defaults,
)
from promptbench.engine.prepare.evaluate import (
    Answers,
    Evaluation,
    WeightedCheck,
    evaluate,
    needs_judge,
    no_answers,
)
from promptbench.engine.prepare.inputs import CallInput, conversation_of, expectations_in_log, input_of
from promptbench.engine.prepare.options import PrepareOptions
from promptbench.engine.prepare.prepared_suite import (
    BASELINE,
    CaseTerms,
    PreparedCase,
    PreparedCases,
    PreparedTurn,
    Variant,
)
from promptbench.engine.prepare.ruled_out import RuledOut
from promptbench.engine.prepare.step_checks import StepChecks
from promptbench.engine.prepare.tool_results import ToolResultsReader
from promptbench.engine.prepare.trained_on import TrainedModels
from promptbench.suite.cases import read_checks
from promptbench.suite.models import Case, Suite, Turn, Where, WrittenCheck


@dataclass(frozen=True, slots=True)
class _BuiltChecks:
    by_variant: Mapping[str, tuple[Check, ...]]
    valid: bool  # False if one that is written could not be built.


class CaseBuilder:
    """Builds the cases of one suite, and adds what is wrong with them to `found`.

    The first of `variants` is a candidate: its checks are also those of models without a prompt. `answers` returns
    recorded answers of judges.
    """

    def __init__(
        self,
        suite: Suite,
        variants: Sequence[Variant],
        found: Diagnostics,
        options: PrepareOptions,
        *,
        has_baseline: bool = True,
        answers: Answers = no_answers,
        trained: TrainedModels | None = None,
    ) -> None:
        self._suite = suite
        self._variants = variants
        self._found = found
        self._has_baseline = has_baseline
        self._answers = answers
        self._trained = trained or TrainedModels(suite, (), found)
        self._ladder = options.ladder
        self._subset = options.selection.subset
        self._bare = CheckContext(suite.folder, None, options.root, options.allowed_code, suite.at)
        self._contexts = [
            (replace(self._bare, output_schema=schema), hashes) for schema, hashes in checks.by_schema(variants)
        ]
        self._inputs, self._own_checks = ListDigest(), ListDigest()
        self._gate_rules: ListDigest | None = None  # How the gate treats single cases; None if it treats all alike.
        # The checks that call judges, by their identity, each with its first location.
        self.judged: dict[str, tuple[JudgedCheck, Location]] = {}
        self._shared = self._build_checks(suite.checks)
        self._no_checks = self._build_checks(())
        self._steps = StepChecks(suite, variants, replace(self._bare, at=None), found)
        shared = [suite.accept, checks.as_hashed(suite.checks, self._bare), suite.threshold]
        self._shared_hashed = canonical([*shared, self._steps.hashed] if suite.steps else shared)
        self._tools = ToolResultsReader(suite, variants, options, found)
        self.ruled_out = RuledOut(variants, self._bare, suite)
        self._was: dict[str, tuple[str, ...]] = {}
        self.first_turn: Location | None = None  # The first turn of all cases; None if no case has some.
        # The logged calls that fail the checks of a case, by the case's name.
        self.calls: dict[str, tuple[LoggedCall, ...]] = {}

    def validate(self) -> None:
        """Report what is wrong with the suite's cases, and keep none."""
        self.scan((), lambda _: False)

    def scan(
        self,
        calls: Sequence[LoggedCall],
        selects: Callable[[PreparedCase], bool],
        look: Callable[[Case], object] = lambda _: None,
    ) -> PreparedCases:
        """Build all cases and return those that `selects` accepts, cases from logs last.

        A logged call with the input of a case is added to that case. `look` is called with every case of the suite.
        """
        cases = PreparedCases(self._rebuilt, self._suite.gate.tags)
        built = self._built(calls, look)

        def selected() -> Iterator[tuple[PreparedCase, str, bool]]:
            for item in built:
                case = item[0]
                if selects(case) and case.skip:
                    cases.skipped[case.name] = case.skip
                elif selects(case):
                    yield item

        for case, own, held in self._subset.of(selected(), lambda item: item[0].name):
            self._add(cases, case, own, held=held)
        for _ in built:
            pass  # Cases behind the first ones are checked too.
        if self._variants and not self._has_baseline:
            report_unused_defaults(self._suite, self._variants, self._found)
        cases.share(self._suite.cases.numbers)
        return cases

    def _built(
        self, calls: Sequence[LoggedCall], look: Callable[[Case], object]
    ) -> Iterator[tuple[PreparedCase, str, bool]]:
        """Yield each valid case with the hash of its own checks, and True if it stays in memory."""
        logged = self._by_input(calls)
        names = set()
        quarantined: list[Case] = []
        count = 0
        for case in self._suite.cases.scan(self._found):
            look(case)
            report_terms(self._suite, case, self._found)
            count += not case.skip
            quarantined += [case] if case.quarantine and not case.skip else []
            specs = checks.as_hashed(case.checks, self._bare)
            expected = (case.has_expect, case.expect)
            turns = [[checks.as_hashed(own_specs(turn), self._bare) for turn in case.turns]] if case.turns else []
            at_steps = [dict(case.expect_at)] if case.expect_at else []
            own = self._own_checks.add([case.name, specs, *expected, case.threshold, *turns, *at_steps])
            if logged:
                names.add(case.name)
            matches = bool(logged) and not case.turns
            _, same = logged.pop(CallInput(case.variables, case.messages).hash, (None, [])) if matches else (None, [])
            built = self._case(case, same)
            if built is not None:
                yield built, own, case.where.document is self._suite.document
        report_quarantine(quarantined, count, self._found)
        self.ruled_out.report(self._found)
        for given, group in logged.values():
            built, own = self._from_log(given, group, names)
            if built is not None:
                yield built, own, True

    def build(self, case: Case) -> PreparedCase | None:
        """Return one case without the logs, or None, with diagnostics, if it is invalid."""
        built = self._case(case, ())
        self.ruled_out.report(self._found)
        return built

    def _by_input(self, calls: Sequence[LoggedCall]) -> dict[str, tuple[CallInput, list[LoggedCall]]]:
        # By the hash of their input. A call without one is reported and left out.
        prompts = [item.prompt for item in self._variants]
        logged: dict[str, tuple[CallInput, list[LoggedCall]]] = {}
        for call in calls if prompts else ():
            # What is in production comes last, and most likely rendered the logged messages.
            given = input_of(call, prompts[::-1], prompts, self._suite.common.variables)
            if isinstance(given, str):
                self._found.add(
                    Code.BAD_LOG,
                    f"the logged call '{call.id}' cannot be used with another prompt: {given}",
                    self._suite.location(("log",)),
                    hint="log the variables as 'vars', or remove the call from the log",
                )
                continue
            logged.setdefault(given.hash, (given, []))[1].append(call)
        return logged

    def _add(self, cases: PreparedCases, case: PreparedCase, own: str, *, held: bool) -> None:
        tools = [case.tools.hash] if case.tools else []
        history = [message.as_dict() for message in case.history] + [turn.user for turn in case.turns[1:]]
        asked = self._inputs.add([case.name, dict(case.variables), history, *tools])
        tags = sorted(self._suite.gate.tags.keys() & case.tags)
        # Suites without terms have the hashes of versions that knew none.
        terms = [case.terms.repeats, *case.terms.models] if any(case.terms) else []
        if case.critical or tags or case.cluster or case.quarantine or terms:
            self._gate_rules = self._gate_rules or ListDigest()
            review_by = case.quarantine.review_by if case.quarantine else None
            self._gate_rules.add([case.name, case.critical, tags, case.cluster, review_by, *terms])
        cases.add(
            case,
            int.from_bytes(sha256(f"{self._shared_hashed}{asked}{own}".encode()).digest()[:8], "big", signed=True),
            held=held,
        )

    def _rebuilt(self, name: str) -> PreparedCase:
        case = self._suite.cases[name]
        return self._prepare(case, self._build_checks(own_specs(case)), self._was.get(name, ()))

    @property
    def suite_hash(self) -> str:
        """The hash of all selected inputs, of how the gate treats single cases, and of the default config."""
        # The config is the suite's and in no version of a prompt.
        rules, config = self._gate_rules.value if self._gate_rules else None, dict(self._suite.common.config)
        more = [rules, config] if config else [rules] if rules else []
        return digest([self._inputs.value, *more]) if more else self._inputs.value

    @property
    def checks_hash(self) -> str:
        """The hash of all checks as written, with the accept level and threshold: of what a score means.

        Output schemas are not in it. They belong to the prompts' versions.
        """
        suite = self._suite
        steps = [self._steps.hashed] if suite.steps else []
        shared = checks.as_hashed(suite.checks, self._bare)
        return digest([suite.accept, shared, suite.threshold, self._own_checks.value, *steps])

    def _case(self, case: Case, calls: Sequence[LoggedCall]) -> PreparedCase | None:
        valid = (
            check_variables(case, self._variants, self._found, has_baseline=self._has_baseline)
            and self._shared.valid
            and self._steps.valid
        )
        specs = own_specs(case)
        in_turns = any(own_specs(turn) for turn in case.turns)
        checked = self._suite.checks or case.expect_at or any(step.checks for step in self._suite.steps)
        if not (specs or in_turns or checked or has_slips(case)):
            hint = "write the right answer under 'expect:', or add 'checks:'"
            if case.has_wish:
                hint = "'should be:' is only an example that must pass: write what to compare under 'expect:'"
            self._found.add(
                Code.NO_CHECKS,
                "the case has no checks, so no answer can fail it",
                case.where.location("case"),
                hint=hint,
            )
            valid = False
        own = self._build_checks(specs) if specs else self._no_checks
        if not (valid and own.valid and self._variants):
            return None
        try:
            built = self._prepare(case, own, ())
        except ValueError as error:
            self._found.add(
                Code.BAD_VALUE, f"the 'expect' of '{case.name}' is invalid: {error}", case.where.location("expect")
            )
            return None
        self.ruled_out.look(case)
        if not (built.was or calls):
            checks.require_was(case, self._checks_of(built), self._found)
        self._check_red(case, built)
        was = (*((case.was,) if case.was is not None else ()), *self._red_answers(calls, built))
        if calls:
            self._was[case.name] = was
        return replace(built, was=was) if was else built

    def _prepare(self, case: Case, own: _BuiltChecks, was: tuple[str, ...]) -> PreparedCase:
        # Raise ValueError if a check of the whole suite finds the case's `expect` invalid.
        terms = CaseTerms(case.repeats or 0, case.only_models)
        return PreparedCase(
            name=case.name,
            variables=case.variables,
            history=case.said[: len(case.messages) + 1],
            turns=tuple(self._turn(case, turn) for turn in case.turns),
            checks=checks.all_with_expected((case.expect,) if case.has_expect else (), self._checks(own)),
            threshold=self._suite.threshold if case.threshold is None else case.threshold,
            critical=case.critical,
            tags=case.tags,
            was=was or ((case.was,) if case.was is not None else ()),
            logged=False,
            cluster=case.cluster,
            quarantine=case.quarantine,
            terms=self._trained.terms(case, terms),
            skip=case.skip,
            tools=self._tools.of(case),
            origin=case.origin,
            steps=self._steps.of(case) if self._suite.steps or case.expect_at else {},
        )

    def _turn(self, case: Case, turn: Turn) -> PreparedTurn:
        self.first_turn = self.first_turn or turn.where.location("user")
        built = self._checks(self._build_checks((*own_specs(case), *own_specs(turn))))
        try:
            built = checks.all_with_expected((turn.expect,) if turn.has_expect else (), built)
        except ValueError as error:
            message = f"the 'expect' of this turn of '{case.name}' is invalid: {error}"
            self._found.add(Code.BAD_VALUE, message, turn.where.location("expect"))
        return PreparedTurn(turn.user, built)

    def _from_log(
        self, given: CallInput, calls: Sequence[LoggedCall], taken: set[str]
    ) -> tuple[PreparedCase | None, str]:
        """Return the case of logged calls with one input, and a hash of its own checks, which is empty without any."""
        name = _free_name(calls[0].id, taken)
        built, specs = self._logged_case(given, calls[0], name)
        if built is None:
            return None, ""
        taken.add(name)
        red = self._red_answers(calls, built)
        own = self._own_checks.add([name, checks.as_hashed(specs, self._bare)]) if red and specs else ""
        return (replace(built, was=red) if red else None), own

    def case_finder(self) -> Callable[[LoggedCall, CallInput], PreparedCase | None]:
        """Return a function that returns the case with the input of a logged call: one of the suite, or a new one.

        It keeps none of the calls.
        """
        names = {
            CallInput(case.variables, case.messages).hash: case.name
            for case in self._suite.cases.scan(self._found)
            if not case.turns
        }

        def find(call: LoggedCall, given: CallInput) -> PreparedCase | None:
            name = names.get(given.hash) if names else None
            return self._logged_case(given, call, call.id)[0] if name is None else self._rebuilt(name)

        return find

    def _logged_case(
        self, given: CallInput, call: LoggedCall, name: str
    ) -> tuple[PreparedCase | None, Sequence[WrittenCheck]]:
        """Return the case of a logged call, and its own checks; None, with a diagnostic, if there can be none."""
        missing = sorted({name for item in self._variants for name in item.prompt.missing(given.variables)})
        if missing:
            self._found.add(
                Code.MISSING_VARIABLE,
                f"the logged call '{call.id}' has no value for {', '.join(f'{{{{{name}}}}}' for name in missing)}",
                self._suite.location(("log",)),
            )
            return None, ()
        without = [item.label for item in self._variants if given.history and not item.prompt.takes_history]
        if without:
            self._found.add(
                Code.UNUSED_VARIABLE,
                f"{without[0]} has no {{{{history}}}} for the messages of the logged call '{call.id}'",
                self._suite.location(("log",)),
                hint="put {{history}} where the conversation belongs",
            )
            return None, ()
        expected, written = expectations_in_log(call)
        where = Where(self._suite.document, ("log",))
        specs = read_checks(written, where, self._found) if written else ()
        specs = (*specs, *(WrittenCheck("expect", value, where) for value in expected))
        try:
            by_variant = checks.all_with_expected(expected, self._checks(self._build_checks(specs)))
        except ValueError as error:
            self._found.add(
                Code.BAD_LOG,
                f"the 'expected' of the logged call '{call.id}' is invalid: {error}",
                self._suite.location(("log",)),
            )
            return None, ()
        built = PreparedCase(
            name=name,
            variables=given.variables,
            history=given.history,
            checks=by_variant,
            threshold=self._suite.threshold,
            critical="critical" in call.tags,
            tags=call.tags,
            was=(),
            logged=True,
            cluster=conversation_of(call),
            tools=self._tools.shared,
        )
        if (terms := self._trained.terms(built, built.terms)) is not built.terms:
            built = replace(built, terms=terms)
        return (built, specs) if self._variants and self._shared.valid else (None, ())

    def _red_answers(self, calls: Sequence[LoggedCall], case: PreparedCase) -> tuple[str, ...]:
        # Return the logged answers that fail the case's checks. Warn about those that pass.
        red: list[LoggedCall] = []
        for call in calls:
            # If only a judge can decide, the call counts as a failure, because the log marked it as one.
            if call.answer is None or self._passes(call.answer, case) is not True:
                red.append(call)
                continue
            self._found.add(
                Code.NOT_RED,
                f"the logged call '{call.id}' passes all checks of '{case.name}', so it shows no failure",
                self._suite.location(("log",)),
                hint="add a check that fails on it, or remove it from the log",
                severity=Severity.WARNING,
            )
        if red:
            self.calls[case.name] = tuple(red)
        return tuple(call.answer or "" for call in red)

    def _check_red(self, case: Case, built: PreparedCase) -> None:
        passes = False if case.was is None else self._passes(case.was, built)
        if passes:
            self._found.add(
                Code.NOT_RED,
                f"the logged answer of '{case.name}' passes all its checks, so the case proves nothing",
                case.where.location("was"),
                hint="write the right answer under 'expect:', or add a check that fails on it",
            )
        if passes is None:
            self._found.add(
                Code.UNPROVEN,
                f"the logged answer of '{case.name}' is not proven to fail: only a judge decides, "
                "which was not called or is advisory",
                case.where.location("was"),
                hint="label it and others, and measure the judge's agreement with `promptbench suite agreement`",
                severity=Severity.WARNING,
            )
        if case.has_wish:
            scores = self.evaluation(as_answer(case.should_be), built)
            if not (scores.passed or scores.errored):
                failed = (score for score in scores.scores if not (score.passed or score.errored))
                why = next(f"{score.check}: {score.reason}" for score in failed)
                self._found.add(
                    Code.WISH_FAILS,
                    f"the 'should be' of '{case.name}' fails its own checks: {why}",
                    case.where.location("should_be"),
                    hint="fix the example or the check",
                )

    def _passes(self, answer: str, case: PreparedCase) -> bool | None:
        return self.is_passing(self.evaluation(answer, case), case)

    def is_passing(self, found: Evaluation, case: PreparedCase) -> bool | None:
        """Return True if an answer passes, False if it fails, and None if only a judge can decide."""
        judged = [score for check, score in zip(self._checks_of(case), found.scores, strict=True) if needs_judge(check)]
        unknown = found.errored or (found.passed and not all(score.passed for score in judged))
        return None if unknown else found.passed

    def evaluation(self, answer: str, case: PreparedCase) -> Evaluation:
        """Score an answer with the checks of a case, and with recorded answers of judges."""
        checks = self._checks_of(case)
        accept, threshold = self._suite.accept, case.threshold
        return evaluate(
            answer,
            checks,
            accept,
            case.variables,
            threshold=threshold,
            answers=self._answers,
            ladder=self._ladder,
            was=case.was,
        )

    def _checks_of(self, case: PreparedCase) -> tuple[Check, ...]:
        return case.checks[self._variants[0].prompt.hash]

    def _checks(self, own: _BuiltChecks) -> Mapping[str, tuple[Check, ...]]:
        checks = {key: (*shared, *own.by_variant[key]) for key, shared in self._shared.by_variant.items()}
        if self._variants:
            checks[BASELINE] = checks[self._variants[0].hash]
        return checks

    def _build_checks(self, specs: Sequence[WrittenCheck]) -> _BuiltChecks:
        found, valid = {}, True
        for context, hashes in self._contexts:
            own = [checks.build(spec, context, self._found) for spec in specs]
            valid = valid and None not in own
            for spec, check in zip(specs, own, strict=True):
                if isinstance(check, WeightedCheck) and isinstance(check.check, JudgedCheck):
                    self.judged.setdefault(check.check.identity, (check.check, spec.where.location(key=True)))
            found.update(dict.fromkeys(hashes, tuple(filter(None, own))))
        return _BuiltChecks(found, valid)


def own_specs(case: Case | Turn) -> Sequence[WrittenCheck]:
    """Return the own checks of a case or of a turn, including `expect:`, in the order in which they are built."""
    if not case.has_expect:
        return case.checks
    return (*case.checks, WrittenCheck("expect", case.expect, case.where.below("expect")))


def _free_name(wanted: str, taken: Collection[str]) -> str:
    names = (f"log {wanted}" if count == 1 else f"log {wanted} ({count})" for count in itertools.count(1))
    return wanted if wanted not in taken else next(name for name in names if name not in taken)


def as_answer(wish: Json) -> str:
    """Return an expected value as the text of an answer: texts as they are, everything else as JSON."""
    if isinstance(wish, str):
        return wish
    # A number as Python writes it, because canonical JSON writes 1.0 as 1.
    number = isinstance(wish, (int, float)) and not isinstance(wish, bool)
    return str(wish) if number else canonical(wish)
