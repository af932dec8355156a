"""The checks of suites, tested with good answers that were broken in known ways. No model is asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from promptbench.api.mutation_report import (
    CaseToAdd,
    MutationReport,
    OperatorRow,
    SuiteMutation,
    Survivors,
    VacuousCheck,
)
from promptbench.api.workspace import Selection, Workspace
from promptbench.checks._options import share
from promptbench.checks._words import quoted
from promptbench.core.canonical import digest
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.types import AttemptKey, CallFacts, Outcome, Side
from promptbench.formats.source import Source
from promptbench.project.bench import BASELINE, Bench, BenchCase, Variant
from promptbench.project.mutants import OPERATORS, Operator, Original, Vocabulary, shown
from promptbench.project.mutation import AnswerSource, CaseOnTrial, Fate, GoodAnswer, Trial
from promptbench.project.remedies import Remedies, Remedy
from promptbench.prompts.parser import parse_prompt
from promptbench.prompts.prompt import MissingVariable
from promptbench.store.runs import RunInfo, RunStore

_SAMPLE = 200
"""Cases whose answers are looked at before, for what else could have been said."""
_MOST_GROUPS = 1000
_OTHER_FIELDS = "other fields, too many to tell apart"
_MOST_VACUOUS = 100
_SLOW = frozenset(("wrong language",))
_MOST_TRIED = 20
_MOST_TRIES = 3
"""Cases for which a line is looked for that kills the mutants of one group."""


def mutate(
    workspace: Workspace, selection: Selection, *, run: str | None = None, at_least: str | float | None = None
) -> MutationReport:
    """Breaks the known good answers to the cases of each suite, and counts what its checks let live.

    Good answers are what `should be` and `expect` say, and those on record that pass: of `run`, for the suite that it
    is of, else of each suite's latest finished run. `at_least` is the score that each suite needs: 0.9 or `90%`.

    Raises InputError when a suite has an error or there is no such run, NothingSelected when no good answer is known.
    """
    try:
        needed = None if at_least is None else share(at_least, "at least")
    except ValueError as error:
        raise InputError(str(error)) from None
    with workspace.prompts() as store, workspace.recordings() as runs:
        benches, _ = workspace.assemble(selection, store=store, runs=runs)
        records = [_record(bench, runs, run) for bench in benches]
        if run is not None and not any(records):
            raise InputError(f"run {run} is not of a suite that is looked at", hint="name its suite, or another run")
        parts = zip(benches, records, strict=True)
        suites = [_Suite(bench, record, workspace.shown(bench.suite.path)).test() for bench, record in parts]
    if not any(suite.answers for suite in suites):
        hint = "write one under 'should be:' of a case, or make some with `promptbench run`"
        raise NothingSelected("no good answer to any of these cases is known, so there is nothing to break", hint=hint)
    return MutationReport(suites, needed)


class _Record:
    """The answers of a run that passed then, by the case that asked the same."""

    def __init__(self, bench: Bench, runs: RunStore, info: RunInfo) -> None:
        self.run = info.id
        self._bench = bench
        self._runs = runs
        self._repeats = range(info.facts["policy"]["repeats"])
        # The prompts as they were asked: one that was edited since has good answers all the same.
        parsed = [(item, parse_prompt(Source(item.name, item.source), Diagnostics())) for item in info.variants]
        self._variants = [Variant(prompt, item.side, item.name) for item, prompt in parsed if prompt]
        self._variants.sort(key=lambda item: item.side is not Side.CANDIDATE)

    def answers(self, case: BenchCase) -> Iterator[GoodAnswer]:
        for model in self._bench.models:
            for variant in self._variants if model.uses_prompt else (None,):
                for repeat in self._repeats:
                    key = AttemptKey(variant.hash if variant else BASELINE, model.name, case.name, repeat)
                    attempt = self._runs.attempt(self.run, key)
                    if attempt is None:
                        break
                    if attempt.answer is None or attempt.outcome is not Outcome.PASSED:
                        continue
                    try:
                        request = self._bench.request(model, variant, case, repeat)
                    except MissingVariable:
                        break
                    if digest(request.as_dict()) == attempt.request_hash:
                        facts = CallFacts(attempt.answer.provider_ms, attempt.answer.usage, attempt.cost)
                        yield GoodAnswer(attempt.answer.text, AnswerSource.RECORD, facts)


def _record(bench: Bench, runs: RunStore | None, run: str | None) -> _Record | None:
    """The run whose answers are good for a suite, if there is one."""
    if runs is None:
        if run is not None:
            raise InputError(f"there is no run '{run}'", hint="`promptbench run` makes one")
        return None
    name = run
    if name is None:
        try:
            name = runs.latest_of_suite(bench.suite.name, finished=True)
        except InputError:
            return None
    info = runs.run(name)
    return _Record(bench, runs, info) if info.suite == bench.suite.name else None


@dataclass(slots=True)
class _Group:
    """Mutants that live, of one operator in one field: counts, an example, and what kills them."""

    mutants: int = 0
    cases: int = 0
    example: Trial | None = None
    killed_by: Counter[int] = field(default_factory=Counter)
    """By the number of a remedy for all cases, as `tried`, the mutants that it was tried on."""
    tried: Counter[int] = field(default_factory=Counter)
    add: CaseToAdd | None = None
    """For one case, that of the example."""
    tries: int = 0


class _Suite:
    """What adds up over the cases of one suite. However many there are, it holds counts and an example a group."""

    def __init__(self, bench: Bench, record: _Record | None, path: str) -> None:
        self._bench = bench
        self._record = record
        self._path = path
        self._remedies = Remedies(bench)
        self._words = Vocabulary(bench.candidates[0].prompt.output_schema)
        self._fates: Counter[tuple[str, Fate]] = Counter()
        self._groups: dict[tuple[Operator, str], _Group] = {}
        self._answers: Counter[str] = Counter()
        self._without = 0
        self._strict = 0
        self._failed: set[int] = set()
        self._vacuous: list[VacuousCheck] = []
        self._vacuous_more = 0
        self._for_all: list[tuple[Remedy, frozenset[str] | None]] = []
        self._broken: set[int] = set()
        """Remedies for all cases that a good answer fails."""

    def test(self) -> SuiteMutation:
        self._look_ahead()
        tested: CaseOnTrial | None = None
        for case in self._bench.cases:
            on_trial = self._on_trial(case)
            tested = on_trial if self._add(on_trial) else tested
        shared = len(self._bench.suite.checks)
        if tested:
            self._tell_vacuous(tested, (i for i in range(shared) if i not in self._failed), None)
        return self._result()

    def _on_trial(self, case: BenchCase) -> CaseOnTrial:
        return CaseOnTrial(self._bench, case, self._record.answers(case) if self._record else ())

    def _look_ahead(self) -> None:
        """Learns what else could have been said, from some of the cases."""
        names = self._bench.cases.names
        step = max(1, len(self._bench.cases) // _SAMPLE)
        originals: list[Original] = []
        for name in islice(names, 0, None, step):
            case = self._on_trial(self._bench.cases[name])
            originals += [case.original(answer, self._words) for answer in case.answers]
        for original in originals:
            self._words.learn(original)
        self._for_all = self._remedies.for_all(originals)

    def _add(self, case: CaseOnTrial) -> bool:
        """Whether there was a mutant to try."""
        failed = case.failed_by_log()
        self._answers.update(answer.source.value for answer in case.answers)
        self._without += not case.answers
        for number, (remedy, _) in enumerate(self._for_all):
            if number not in self._broken and not _passes(case, remedy):
                self._broken.add(number)
        alive: defaultdict[tuple[Operator, str], list[Trial]] = defaultdict(list)
        tried = False
        for trial in case.trials(self._words):
            tried = True
            failed.update(trial.failed)
            operator = trial.mutant.operator
            self._fates[operator.name, trial.fate] += 1
            if trial.fate is Fate.SURVIVED:
                alive[self._group_of(trial)].append(trial)
            elif trial.fate is Fate.EQUIVALENT:
                self._strict += bool(trial.failed)
        for key, trials in alive.items():
            self._survived(self._groups.setdefault(key, _Group()), case, trials)
        self._failed |= failed
        if tried:
            own = range(len(self._bench.suite.checks), len(case.checks))
            self._tell_vacuous(case, (number for number in own if number not in failed), case.case.name)
        return tried

    def _group_of(self, trial: Trial) -> tuple[Operator, str]:
        key = trial.mutant.operator, shown(trial.mutant.path)
        return key if key in self._groups or len(self._groups) < _MOST_GROUPS else (key[0], _OTHER_FIELDS)

    def _survived(self, group: _Group, case: CaseOnTrial, trials: list[Trial]) -> None:
        """Counts the mutants of one group that live in one case, and tries what would kill them."""
        group.mutants += len(trials)
        group.cases += 1
        group.example = group.example or trials[0]
        operator = trials[0].mutant.operator
        if not operator.must:
            return
        for number, (remedy, against) in enumerate(self._for_all):
            if number in self._broken or (against is not None and operator.name not in against):
                continue
            # Telling a language takes a hundred times as long as the rest, so that is tried on some.
            some = trials if against != _SLOW else trials[: max(0, _MOST_TRIED - group.tried[number])]
            group.tried[number] += len(some)
            group.killed_by[number] += _kills(case, remedy, some)
        if group.add is None and group.tries < _MOST_TRIES:
            group.tries += 1
            for remedy in self._remedies.for_case(case, trials[0]):
                if _kills(case, remedy, trials) == len(trials) and _passes(case, remedy):
                    group.example = trials[0]
                    place = case.written.where.place("case") if case.written else self._bench.suite.place(("log",))
                    group.add = CaseToAdd(remedy.yaml, case.case.name, str(place), len(trials), len(trials))
                    return

    def _tell_vacuous(self, case: CaseOnTrial, numbers: Iterable[int], name: str | None) -> None:
        for number in numbers:
            if not case.can_fail(number):
                continue
            if len(self._vacuous) >= _MOST_VACUOUS:
                self._vacuous_more += 1
                continue
            spec = case.specs[number]
            written = spec.name if spec.argument is None else f"{spec.name}: {quoted(spec.argument)}"
            self._vacuous.append(VacuousCheck(written, str(spec.where.place(key=True)), name))

    def _result(self) -> SuiteMutation:
        groups = sorted(self._groups.items(), key=lambda item: (not item[0][0].must, -item[1].mutants))
        return SuiteMutation(
            suite=self._bench.suite.name,
            path=self._path,
            run=self._record.run if self._record else None,
            cases=len(self._bench.cases),
            answers={
                source.value: self._answers[source.value] for source in AnswerSource if self._answers[source.value]
            },
            without_answer=self._without,
            operators=[self._row(operator) for operator in OPERATORS if self._made(operator)],
            survivors=[self._survivors(operator, where, group) for (operator, where), group in groups],
            vacuous=self._vacuous,
            vacuous_more=self._vacuous_more,
            strict=self._strict,
        )

    def _made(self, operator: Operator) -> int:
        return sum(self._fates[operator.name, fate] for fate in Fate)

    def _row(self, operator: Operator) -> OperatorRow:
        counts = {fate.value: self._fates[operator.name, fate] for fate in Fate}
        return OperatorRow(
            name=operator.name,
            must=operator.must,
            stands_for=operator.stands_for,
            made=self._made(operator),
            equivalent=counts[Fate.EQUIVALENT],
            unjudged=counts[Fate.UNJUDGED],
            killed=counts[Fate.KILLED],
            survived=counts[Fate.SURVIVED],
        )

    def _survivors(self, operator: Operator, where: str, group: _Group) -> Survivors:
        example = group.example
        assert example is not None
        return Survivors(
            operator=operator.name,
            must=operator.must,
            field=where,
            mutants=group.mutants,
            cases=group.cases,
            case=example.original.case,
            original=example.original.text,
            mutant=example.mutant.text,
            add=self._best(group),
        )

    def _best(self, group: _Group) -> CaseToAdd | None:
        """What kills most of a group; of two that kill as many, the one for all cases."""
        sound = [
            (count / group.tried[number], -number)
            for number, count in group.killed_by.items()
            if count and number not in self._broken
        ]
        if not sound:
            return group.add
        part, number = max(sound)
        if group.add is not None and group.add.kills > part * group.mutants:
            return group.add
        kills, tried = group.killed_by[-number], group.tried[-number]
        suite = self._bench.suite
        place = suite.place(("checks",), key=True) if suite.checks else suite.place(("suite",), key=True)
        return CaseToAdd(self._for_all[-number][0].yaml, None, str(place), kills, tried)


def _passes(case: CaseOnTrial, remedy: Remedy) -> bool:
    """Whether all good answers pass with a remedy added."""
    return all(case.evaluate(answer, answer.text, remedy.beside(case.checks)).passed for answer in case.answers)


def _kills(case: CaseOnTrial, remedy: Remedy, trials: Iterable[Trial]) -> int:
    """How many of these mutants fail with a remedy added."""
    checks = remedy.beside(case.checks)
    found = (case.evaluate(trial.answer, trial.mutant.text, checks) for trial in trials)
    return sum(not (one.passed or one.errored) for one in found)
