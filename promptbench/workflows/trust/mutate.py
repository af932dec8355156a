"""Test the checks of suites with good answers that are broken in known ways. No model is called."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from promptbench.checks._options import share
from promptbench.checks._scores import quoted
from promptbench.core.canonical import digest
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.types import AttemptKey, CallFacts, Outcome, Side
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite, Variant, slot_of
from promptbench.project import Project
from promptbench.prompts.chain import parse_version
from promptbench.prompts.prompt import MissingVariable
from promptbench.store.runs import RunInfo, RunStore
from promptbench.workflows.judge.rejudge import check_scorable
from promptbench.workflows.trust.mutants import OPERATORS, Operator, Vocabulary, format_path
from promptbench.workflows.trust.mutation import AnswerSource, GoodAnswer, MutantResult, MutantStatus, MutationCase
from promptbench.workflows.trust.mutation_report import (
    MutationReport,
    OperatorRow,
    SuiteMutation,
    Survivors,
    VacuousCheck,
)
from promptbench.yaml.source import Source

# Cases whose answers are the vocabulary of the mutants.
_SAMPLE = 200
_MAX_GROUPS = 1000
_OTHER_FIELDS = "other fields, too many to list"
_MAX_VACUOUS = 100


def mutate(
    project: Project, selection: Selection, *, run: str | None = None, at_least: str | float | None = None
) -> MutationReport:
    """Break the known good answers to the cases of each suite, and count the mutants that pass its checks.

    Good answers are those of `should be` and `expect`, and recorded ones that pass.

    Args:
        run: The run whose answers are used for its suite; by default each suite's latest finished run.
        at_least: The score that each suite needs, such as 0.9 or `90%`.

    Raises:
        InputError: A suite has an error, or the run is not found.
        NothingSelected: No good answer is known.
    """
    try:
        needed = None if at_least is None else share(at_least, "at least")
    except ValueError as error:
        raise InputError(str(error)) from None
    with project.prompts() as store, project.recordings() as runs:
        prepared_suites, _ = project.assemble(selection, store=store, runs=runs)
        records = [recorded_answers(prepared, runs, run) for prepared in prepared_suites]
        if run is not None and not any(records):
            raise InputError(f"run {run} is not of a selected suite", hint="select its suite, or name another run")
        suites = [
            _SuiteTest(prepared, record).run(project.shown(prepared.suite.path))
            for prepared, record in zip(prepared_suites, records, strict=True)
        ]
    if not any(suite.answers for suite in suites):
        hint = "write one under 'should be:' of a case, or make some with `promptbench run`"
        raise NothingSelected("no good answer to these cases is known, so there is nothing to break", hint=hint)
    return MutationReport(suites, needed)


class RecordedAnswers:
    """The answers of a run, by case, if their request is still the same."""

    def __init__(self, prepared: PreparedSuite, runs: RunStore, info: RunInfo) -> None:
        self.run = info.id
        self._prepared = prepared
        self._runs = runs
        self._repeats = range(info.facts["policy"]["repeats"])
        # The prompts of the run: a prompt that was edited since has good answers all the same.
        files = [(item, f"{item.name.removesuffix('.prompt')}.prompt") for item in info.variants]
        parsed = [(item, parse_version(Source(file, item.source), Diagnostics())) for item, file in files]
        self._variants = [Variant(prompt, item.side, item.name) for item, prompt in parsed if prompt]
        self._variants.sort(key=lambda item: item.side is not Side.CANDIDATE)

    def of(self, case: PreparedCase, outcome: Outcome = Outcome.PASSED) -> Iterator[GoodAnswer]:
        for model in self._prepared.models:
            for variant in self._variants if model.uses_prompt else (model.own_prompt,):
                for repeat in self._repeats:
                    key = AttemptKey(slot_of(variant), model.name, case.name, repeat)
                    attempt = self._runs.attempt(self.run, key)
                    if attempt is None:
                        break
                    if attempt.answer is None or attempt.outcome is not outcome:
                        continue
                    try:
                        request = self._prepared.request(model, variant, case, repeat)
                    except MissingVariable:
                        break
                    if digest(request.as_dict()) == attempt.request_hash:
                        facts = CallFacts(attempt.answer.provider_ms, attempt.answer.usage, attempt.cost)
                        yield GoodAnswer(attempt.answer.text, AnswerSource.RECORD, facts)


def recorded_answers(prepared: PreparedSuite, runs: RunStore | None, run: str | None) -> RecordedAnswers | None:
    """Return the answers of a run if it is of this suite; by default, of the suite's latest run."""
    if runs is None:
        if run is not None:
            raise InputError(f"run '{run}' not found", hint="`promptbench run` makes one")
        return None
    try:
        info = runs.run(run or runs.latest_of_suite(prepared.suite.name, finished=True))
        check_scorable(info)
    except InputError:
        if run is not None:
            raise
        return None
    return RecordedAnswers(prepared, runs, info) if info.suite == prepared.suite.name else None


class _SuiteTest:
    """The test of one suite. Memory does not grow with its cases: it keeps counts, and one example per group."""

    def __init__(self, prepared: PreparedSuite, record: RecordedAnswers | None) -> None:
        self._prepared = prepared
        self._record = record
        self._words = Vocabulary(prepared.candidates[0].prompt.output_schema)
        self._counts: Counter[tuple[str, MutantStatus]] = Counter()
        self._groups: dict[tuple[Operator, str], Survivors] = {}
        self._answers: Counter[AnswerSource] = Counter()
        self._without_answer = 0
        self._strict = 0
        self._failed: set[int] = set()
        self._vacuous: list[VacuousCheck] = []
        self._vacuous_more = 0

    def run(self, path: str) -> SuiteMutation:
        """Return the result; `path` is how the suite file is named to the user."""
        # The vocabulary is a sample of the cases, spread over the suite.
        step = max(1, len(self._prepared.cases) // _SAMPLE)
        for name in islice(self._prepared.cases.names, 0, None, step):
            case = self._case(self._prepared.cases[name])
            for answer in case.answers:
                self._words.learn(case.original(answer, self._words))
        tested: MutationCase | None = None
        for item in self._prepared.cases:
            case = self._case(item)
            tested = case if self._test(case) else tested
        if tested:
            shared = range(len(self._prepared.suite.checks))
            self._add_vacuous(tested, (number for number in shared if number not in self._failed), None)
        rows = [
            OperatorRow(
                operator.name,
                operator.must,
                operator.stands_for,
                made=sum(self._counts[operator.name, status] for status in MutantStatus),
                **{status.value: self._counts[operator.name, status] for status in MutantStatus},
            )
            for operator in OPERATORS
        ]
        return SuiteMutation(
            suite=self._prepared.suite.name,
            path=path,
            run=self._record.run if self._record else None,
            cases=len(self._prepared.cases),
            answers={source.value: count for source in AnswerSource if (count := self._answers[source])},
            without_answer=self._without_answer,
            operators=[row for row in rows if row.made],
            survivors=sorted(self._groups.values(), key=lambda group: (not group.must, -group.mutants)),
            vacuous=self._vacuous,
            vacuous_more=self._vacuous_more,
            strict=self._strict,
        )

    def _case(self, case: PreparedCase) -> MutationCase:
        return MutationCase(self._prepared, case, self._record.of(case) if self._record else ())

    def _test(self, case: MutationCase) -> bool:
        """Count the mutants of one case, and return whether it has any."""
        failed = case.failed_by_log()
        self._answers.update(answer.source for answer in case.answers)
        self._without_answer += not case.answers
        survivors: defaultdict[tuple[Operator, str], list[MutantResult]] = defaultdict(list)
        has_mutants = False
        for result in case.results(self._words):
            has_mutants = True
            failed.update(result.failed)
            self._counts[result.mutant.operator.name, result.status] += 1
            if result.status is MutantStatus.SURVIVED:
                key = result.mutant.operator, format_path(result.mutant.path)
                known = key in self._groups or len(self._groups) < _MAX_GROUPS
                survivors[key if known else (key[0], _OTHER_FIELDS)].append(result)
            elif result.status is MutantStatus.EQUIVALENT:
                self._strict += bool(result.failed)
        for (operator, field), results in survivors.items():
            one = results[0]
            first = Survivors(
                operator.name, operator.must, field, 0, 0, one.original.case, one.original.text, one.mutant.text
            )
            group = self._groups.get((operator, field), first)
            more = replace(group, mutants=group.mutants + len(results), cases=group.cases + 1)
            self._groups[operator, field] = more
        self._failed |= failed
        if has_mutants:
            own = range(len(self._prepared.suite.checks), len(case.checks))
            self._add_vacuous(case, (number for number in own if number not in failed), case.name)
        return has_mutants

    def _add_vacuous(self, case: MutationCase, numbers: Iterable[int], name: str | None) -> None:
        for number in filter(case.can_fail, numbers):
            if len(self._vacuous) >= _MAX_VACUOUS:
                self._vacuous_more += 1
                continue
            spec = case.specs[number]
            written = spec.name if spec.argument is None else f"{spec.name}: {quoted(spec.argument)}"
            self._vacuous.append(VacuousCheck(written, str(spec.where.location(key=True)), name))
