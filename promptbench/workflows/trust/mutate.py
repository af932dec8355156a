"""Test the checks of suites with good answers that are broken in known ways. No model is called."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from promptbench.checks._options import share
from promptbench.checks.expect import parse_argument
from promptbench.core.canonical import digest
from promptbench.core.errors import Diagnostics, InputError, NothingSelected
from promptbench.core.protocols import Check
from promptbench.core.types import AttemptKey, CallFacts, Json, Outcome, Side
from promptbench.core.words import quoted
from promptbench.engine.prepare.cases import as_answer, own_specs
from promptbench.engine.prepare.evaluate import Evaluation, evaluate, needs_judge
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite, Variant, slot_of
from promptbench.engine.prepare.ruled_out import numbers_as_text
from promptbench.parsing.json_text import read
from promptbench.project import Project
from promptbench.prompts.chain import parse_version
from promptbench.prompts.prompt import MissingVariable
from promptbench.report.document import Report
from promptbench.store.runs import RunInfo, RunStore
from promptbench.suite.file import field_name
from promptbench.suite.models import Case, WrittenCheck
from promptbench.workflows.judge.rejudge import check_scorable
from promptbench.workflows.trust.mutants import (
    OPERATORS,
    Mutant,
    Operator,
    Original,
    Vocabulary,
    format_path,
    make_mutants,
)
from promptbench.workflows.trust.mutation_report import (
    OperatorRow,
    SuiteMutation,
    Survivors,
    VacuousCheck,
    mutation_report,
)
from promptbench.yaml.source import Source

# Different good answers to one case that are broken.
_MAX_ANSWERS = 3
# Checks of the call, which another text of the answer cannot fail.
_CALL_CHECKS = frozenset(("cost", "latency", "tokens"))


class AnswerSource(StrEnum):
    """Where a good answer is from."""

    WISH = "should be"
    RECORD = "run"
    EXPECT = "expect"


@dataclass(frozen=True, slots=True)
class GoodAnswer:
    """An answer that passes, and the facts of the call that gave it."""

    text: str
    source: AnswerSource
    call: CallFacts | None = None


class MutantStatus(StrEnum):
    """The result of the checks for a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    # It has the same content on a rung that the suite accepts, so it may pass.
    EQUIVALENT = "equivalent"
    # Only a judge can decide, and judges are not called.
    UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class MutantResult:
    """One mutant and its result; `failed` are the numbers of the checks that it fails."""

    original: Original
    mutant: Mutant
    status: MutantStatus
    failed: tuple[int, ...]


class MutationCase:
    """One case, its good answers, and its checks as the first candidate must pass them.

    `checks` and `specs` are the same checks, built and as they are written. `written` is None for a case from a log.
    """

    def __init__(self, prepared: PreparedSuite, case: PreparedCase, recorded: Iterable[GoodAnswer]) -> None:
        self.name = case.name
        self.written: Case | None = None if case.logged else prepared.suite.cases[case.name]
        self.checks: tuple[Check, ...] = case.checks[prepared.candidates[0].hash]
        self.specs: tuple[WrittenCheck, ...] = (
            *prepared.suite.checks,
            *(own_specs(self.written) if self.written else ()),
        )
        self._case = case
        self._accept = prepared.accept
        self._ladder = prepared.ladder
        self.answers = tuple(self._select(recorded))

    def original(self, answer: GoodAnswer, words: Vocabulary) -> Original:
        return Original(self.name, answer.text, self._accept, words)

    def results(self, words: Vocabulary) -> Iterator[MutantResult]:
        """Yield the result of every mutant of every good answer."""
        for answer in self.answers:
            original = self.original(answer, words)
            # If checks need the text around the data, every mutant fails, which shows nothing.
            if original.text != answer.text and not self.evaluate(answer, original.text).passed:
                continue
            for mutant in make_mutants(original):
                evaluation = self.evaluate(answer, mutant.text)
                status = MutantStatus.SURVIVED if evaluation.passed else MutantStatus.KILLED
                if evaluation.errored:
                    status = MutantStatus.UNJUDGED
                if mutant.equivalent:
                    status = MutantStatus.EQUIVALENT
                yield MutantResult(original, mutant, status, tuple(_failed(evaluation)))

    def failed_by_log(self) -> set[int]:
        """Return the numbers of the checks that a logged answer fails."""
        answers = (GoodAnswer(text, AnswerSource.RECORD) for text in self._case.was)
        return {number for answer in answers for number in _failed(self.evaluate(answer))}

    def can_fail(self, number: int) -> bool:
        """Return True if a mutant can fail a check without a judge, whatever its call took."""
        name = field_name(self.specs[number].name).lower()
        return not (needs_judge(self.checks[number]) or name in _CALL_CHECKS)

    def fails(self, text: str) -> bool:
        """Return True if an answer fails for sure: not only by a judge, which is not called."""
        evaluation = self.evaluate(GoodAnswer(text, AnswerSource.RECORD))
        return not (evaluation.passed or evaluation.errored)

    def evaluate(self, answer: GoodAnswer, text: str | None = None) -> Evaluation:
        """Return the scores of an answer, or of another `text` in its place."""
        case, text = self._case, answer.text if text is None else text
        return evaluate(
            text, self.checks, self._accept, case.variables, answer.call, case.threshold, ladder=self._ladder
        )

    def _select(self, recorded: Iterable[GoodAnswer]) -> Iterator[GoodAnswer]:
        """Yield different answers that pass now. `expect` is used only without others."""
        seen: set[str] = set()
        for answer in self._known(recorded):
            if len(seen) >= _MAX_ANSWERS or (answer.source is AnswerSource.EXPECT and seen):
                return
            evaluation = self.evaluate(answer)
            value = read(answer.text).value
            content = as_answer(value) if isinstance(value, (dict, list)) else answer.text.strip()
            if (evaluation.passed or evaluation.errored) and content not in seen:
                seen.add(content)
                yield answer

    def _known(self, recorded: Iterable[GoodAnswer]) -> Iterator[GoodAnswer]:
        if self.written and self.written.has_wish:
            yield GoodAnswer(as_answer(self.written.should_be), AnswerSource.WISH)
        yield from recorded
        if self.written and self.written.has_expect:
            for text in _expected(self.written.expect):
                yield GoodAnswer(text, AnswerSource.EXPECT)


def _failed(evaluation: Evaluation) -> Iterator[int]:
    return (i for i, score in enumerate(evaluation.scores) if not (score.passed or score.errored))


def _expected(expect: Json) -> Iterator[str]:
    """Yield the answers that `expect` accepts: as written, and with numbers as texts, which a schema may ask for."""
    check = parse_argument(expect)
    for wanted in () if check.path or check.paths else check.right:
        yield as_answer(wanted)
        if isinstance(wanted, (dict, list)):
            yield as_answer(numbers_as_text(wanted))


# Cases whose answers are the vocabulary of the mutants.
_SAMPLE = 200
_MAX_GROUPS = 1000
_OTHER_FIELDS = "other fields, too many to list"
_MAX_VACUOUS = 100


def mutate(
    project: Project, selection: Selection, *, run: str | None = None, at_least: str | float | None = None
) -> Report:
    """Break the known good answers to the cases of each suite, and report the mutants that pass its checks.

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
    return mutation_report(suites, needed)


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
