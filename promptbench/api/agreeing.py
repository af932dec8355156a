"""How far the judge of a check agrees with people: asks it about answers that they have labelled, and records it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptbench.api.running import first_error, gateway_of, pacers_of, prices_of, same_judges
from promptbench.api.spending import Spending, require_prices
from promptbench.api.workspace import Project
from promptbench.checks import _agreement
from promptbench.checks._agreement import Agreement
from promptbench.core.canonical import digest, lf
from promptbench.core.clock import now
from promptbench.core.diagnostics import Code, Diagnostics, did_you_mean
from promptbench.core.errors import EnvironmentFailure, InputError, Interrupted
from promptbench.core.events import Listener
from promptbench.core.protocols import JudgedCheck, Subject
from promptbench.core.types import Answer, Request, Score
from promptbench.core.words import number_of
from promptbench.engine import leaving
from promptbench.formats.json_text import read
from promptbench.gateway import Gateway, ModelDown, Stopped
from promptbench.metrics.agreement import Confusion, point_biserial
from promptbench.project.bench import PreparedSuite
from promptbench.project.options import Selection
from promptbench.store.runs import RunStore
from promptbench.suite.labelled import Labelled, read_labelled, sheet

_MOST_WITHOUT_VERDICT = 0.02
"""As in the gate: a judge that leaves out what is hard for it would agree on the rest."""

_SHEET_ROWS = 200
"""More than people like to label, and enough for an interval of kappa of about ±0.1."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What came of it. `counts` tells whether the check decides from now on, `standing` why or why not.

    `calls` were made now; the other `questions` had their answers on record. `cost` is in US dollars, None if unknown.
    """

    agreement: Agreement
    counts: bool
    standing: str
    questions: int
    calls: int
    cost: float | None
    file: str


@dataclass(frozen=True, slots=True)
class _Item:
    """A labelled answer as a check sees it."""

    subject: Subject
    passed: bool


@dataclass(frozen=True, slots=True)
class _Call:
    """A question's answer by its judge, and what it took now."""

    judge: str
    answer: Answer
    calls: int = 0
    cost: float | None = 0.0


def agree(
    project: Project,
    suite: Path,
    labels: Path,
    *,
    criterion: str | None = None,
    run: str | None = None,
    again: bool = False,
    spending: Spending | None = None,
    listen: Listener,
) -> Agreed:
    """Asks the judge of a check about labelled answers, and writes the agreement beside the suite.

    `criterion` is the start of the check's criterion, where the suite has several. Answers that the labels do not hold
    are those of `run`, the suite's latest by default. Judges are asked once: what they said of an answer is taken from
    the record, unless they are to be asked `again`.

    Raises InputError with every mistake in the labels, EnvironmentFailure when the judge does not answer, Interrupted
    when the user stops it; what was answered until then is on record.
    """
    with project.prompts() as store, project.runs() as runs:
        [prepared, *others], _ = project.assemble(Selection(paths=(suite,)), store=store, runs=runs)
        if others:
            raise InputError(f"there are several suites in {project.shown(suite)}", hint="name one of them")
        check = _chosen(prepared, criterion)
        found = Diagnostics()
        rows = read_labelled(labels, project.shown(labels), found)
        items = _items(prepared, rows, _Recorded(runs, prepared, run), found)
        _refuse(found, items)
        check = check.unproven()
        asking = _Asking(project, prepared, runs, check, again, spending or Spending(), listen)
        answers = asking.answers(items)
        agreement = _agreement_of(prepared, check, items, answers)
        try:
            file = _agreement.keep(prepared.suite.folder, agreement)
        except (ValueError, OSError) as error:
            raise InputError(f"the agreement cannot be written: {error}") from None
        [prepared], _ = project.assemble(Selection(paths=(suite,)), store=store, runs=runs)
    proven = next(item for item in prepared.judged_checks if item.identity == check.identity)
    calls = answers.values()
    return Agreed(
        agreement,
        proven.counts,
        proven.standing,
        len(answers),
        sum(call.calls for call in calls),
        None if any(call.cost is None for call in calls) else sum(call.cost or 0.0 for call in calls),
        project.shown(file),
    )


def write_sheet(project: Project, suite: Path, file: Path, *, run: str | None = None) -> tuple[int, int]:
    """Writes answers of a recorded run into a CSV sheet for people to label; how many, and how many there are.

    Of more than 200 it takes a part that does not depend on their order. Raises InputError when there is no run, or
    the file is there already.
    """
    with project.prompts() as store, project.runs() as runs:
        [prepared, *_], _ = project.assemble(Selection(paths=(suite,)), store=store, runs=runs)
        texts = [
            (case, *item) for case, found in _Recorded(runs, prepared, run).all().items() for item in found.items()
        ]
        chosen = {(case, text) for case, text, _ in sorted(texts, key=_shuffled)[:_SHEET_ROWS]}
        rows = [
            {"case": case, "model": models[0], "input": _input(prepared, case), "answer": text}
            for case, text, models in texts
            if (case, text) in chosen
        ]
    try:
        with file.open("x", encoding="utf-8-sig", errors="replace", newline="") as target:
            target.write(sheet(rows))
    except FileExistsError:
        raise InputError(f"{file} is there already", hint="name another file: labels are work") from None
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None
    return len(rows), len(texts)


def _shuffled(item: tuple[str, str, list[str]]) -> str:
    return digest([item[0], item[1]])


def _input(prepared: PreparedSuite, case: str) -> str:
    return "\n".join(f"{name}: {value}" for name, value in prepared.cases[case].variables.items())


def _chosen(prepared: PreparedSuite, criterion: str | None) -> JudgedCheck:
    known = prepared.judged_checks
    if not known:
        raise InputError(f"the suite '{prepared.suite.name}' has no judged check", hint="`promptbench explain rubric`")
    fitting = [check for check in known if criterion is None or check.criterion.startswith(criterion)]
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(check.criterion for check in known)
    problem = "no judged check starts with that" if not fitting else "several judged checks are meant"
    raise InputError(f"{problem}: {listed}", hint="say which: --criterion 'its first words'")


class _Recorded:
    """The answers of a run by case and text, read when one is wanted."""

    def __init__(self, runs: RunStore, prepared: PreparedSuite, run: str | None) -> None:
        self._runs = runs
        self._prepared = prepared
        self._run = run
        self._texts: dict[str, dict[str, list[str]]] | None = None

    def all(self) -> dict[str, dict[str, list[str]]]:
        """By case and text, the models that gave it. Raises InputError when there is no such run."""
        if self._texts is None:
            info = self._runs.run(self._run or self._runs.latest_of_suite(self._prepared.suite.name))
            self._texts = {}
            for attempt in self._runs.attempts(info.id):
                if attempt.answer is not None and attempt.fallback is None and attempt.key.case in self._prepared.cases:
                    models = self._texts.setdefault(attempt.key.case, {}).setdefault(attempt.answer.text, [])
                    models.append(attempt.key.model)
        return self._texts

    def texts(self, case: str, model: str | None) -> list[str]:
        return [text for text, models in self.all().get(case, {}).items() if model is None or model in models]


def _items(prepared: PreparedSuite, rows: Sequence[Labelled], recorded: _Recorded, found: Diagnostics) -> list[_Item]:
    """The labelled answers, each once. What does not fit goes to `found`."""
    items: dict[tuple[str, str], tuple[_Item, Labelled]] = {}
    for row in rows:
        if row.case not in prepared.cases:
            guess = did_you_mean(row.case, prepared.cases.names)
            hint = f"did you mean '{guess}'?" if guess else None
            found.add(Code.BAD_VALUE, f"the suite has no case '{row.case}'", row.location("case"), hint=hint)
            continue
        text = row.answer if row.answer is not None else _only_text(row, recorded, found)
        if text is None:
            continue
        key = (row.case, lf(text))
        if key in items and items[key][0].passed is not row.passed:
            message = "the same answer is labelled pass here and fail there"
            related = items[key][1].location("label")
            found.add(
                Code.BAD_VALUE, message, row.location("label"), hint="agree on one, or leave it out", related=related
            )
        variables = prepared.cases[row.case].variables
        items.setdefault(key, (_Item(_subject(prepared, text, variables), row.passed), row))
    return [item for item, _ in items.values()]


def _subject(prepared: PreparedSuite, text: str, variables: Mapping[str, object]) -> Subject:
    return Subject(text, lambda: read(text), prepared.accept, variables)


def _only_text(row: Labelled, recorded: _Recorded, found: Diagnostics) -> str | None:
    texts = recorded.texts(row.case, row.model)
    if len(texts) == 1:
        return texts[0]
    message = (
        f"{len(texts)} different answers to '{row.case}' are on record" if texts else "no such answer is on record"
    )
    hint = "write the answer itself into the column 'answer', or its model into 'model'"
    found.add(Code.BAD_VALUE, message, row.location("case"), hint=hint)
    return None


def _refuse(found: Diagnostics, items: Sequence[_Item]) -> None:
    if found.errors:
        count = len(found.errors)
        raise InputError(number_of(count, "error"), diagnostics=found)
    if len({item.passed for item in items}) < 2:
        raise InputError(
            "the labels are all the same, so agreement cannot be told from chance",
            hint="label answers that pass and answers that fail",
        )


class _Asking:
    """Answers to a check's questions: from the record, else from its judges."""

    def __init__(
        self,
        project: Project,
        prepared: PreparedSuite,
        runs: RunStore,
        check: JudgedCheck,
        again: bool,
        spending: Spending,
        listen: Listener,
    ) -> None:
        self._project = project
        self._prepared = prepared
        self._runs = runs
        self._check = check
        self._again = again
        self._spending = spending
        self._listen = listen
        self._same = same_judges(prepared)

    def answers(self, items: Sequence[_Item]) -> dict[str, _Call]:
        """By the hash of the question. Raises EnvironmentFailure, Interrupted."""
        questions = {
            digest(question.as_dict()): question
            for item in items
            for question in map(self._prepared.as_sent, self._check.questions(item.subject))
        }
        kept = {} if self._again else {key: self._recorded(key, question) for key, question in questions.items()}
        found = {key: call for key, call in kept.items() if call is not None}
        missing = {key: question for key, question in questions.items() if key not in found}
        if missing:
            try:
                found |= asyncio.run(self._ask(missing))
            except (KeyboardInterrupt, asyncio.CancelledError):
                raise Interrupted("stopped; what was answered is on record", hint="the same command goes on") from None
            except BaseExceptionGroup as group:
                raise first_error(group) from group
        return {key: found[key] for key in questions}

    def _recorded(self, key: str, question: Request) -> _Call | None:
        kept = self._runs.find(key)
        if kept is None or self._check.verdict(kept[0]) is None:
            return None
        return _Call(str(question.model), kept[0])

    async def _ask(self, questions: Mapping[str, Request]) -> dict[str, _Call]:
        asyncio.get_running_loop().set_default_executor(leaving.DaemonThreads())
        project, prepared = self._project, self._prepared
        judges = [prepared.judges[str(ref)].model for ref in self._check.judges]
        prices, pacers = prices_of(project, prepared), pacers_of(project, prepared, None)
        budgets = [self._spending.budget()]
        if self._spending.max_cost is not None:
            require_prices(prices, judges)
        gateway = gateway_of(project, judges, prices, budgets, pacers, self._listen)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    key: group.create_task(self._answer(gateway, key, question)) for key, question in questions.items()
                }
        finally:
            await gateway.close(leaving.patience())
        return {key: task.result() for key, task in tasks.items()}

    async def _answer(self, gateway: Gateway, key: str, question: Request) -> _Call:
        try:
            reply = await gateway.ask(question)
        except (ModelDown, Stopped) as error:
            raise EnvironmentFailure(f"the judge {question.model} does not answer: {error}") from None
        if reply.answer is None:
            why = reply.failure.message if reply.failure else "no reason is given"
            raise EnvironmentFailure(f"the judge {question.model} does not answer: {why}")
        answer = self._project.secrets.mask_answer(reply.answer)
        self._runs.record(key, str(question.model), answer, deterministic=str(question.model) in self._same)
        return _Call(str(question.model), answer, reply.tries, reply.cost)


def _agreement_of(
    prepared: PreparedSuite, check: JudgedCheck, items: Sequence[_Item], answers: Mapping[str, _Call]
) -> Agreement:
    """Raises EnvironmentFailure when too many answers are without a verdict, or a judge is not one model."""
    pairs = [(item, _score(prepared, check, item, answers)) for item in items]
    judged = [(item, score) for item, score in pairs if not score.errored]
    missing = len(pairs) - len(judged)
    if missing > max(1, _MOST_WITHOUT_VERDICT * len(pairs)):
        why = next(score.reason for _, score in pairs if score.errored)
        raise EnvironmentFailure(
            f"{missing} of {len(pairs)} answers are without a verdict ({why}), so the agreement is not known",
            hint="nothing was recorded",
        )
    returned: dict[str, set[str]] = {}
    for call in answers.values():
        returned.setdefault(call.judge, set()).add(call.answer.model)
    for judge, names in returned.items():
        if len(names) > 1:
            raise EnvironmentFailure(
                f"{judge} has answered as {' and as '.join(sorted(names))}", hint="--again asks about all answers anew"
            )
    human, judge_says = [item.passed for item, _ in judged], [score.passed for _, score in judged]
    lengths = [len(item.subject.text) for item, _ in judged]
    return Agreement(
        check=check.identity,
        rubric=check.criterion,
        judges={judge: sorted(names) for judge, names in returned.items()},
        counts=Confusion.of(human, judge_says),
        without_verdict=missing,
        made=now(),
        judge_length=point_biserial(judge_says, lengths),
        human_length=point_biserial(human, lengths),
    )


def _score(prepared: PreparedSuite, check: JudgedCheck, item: _Item, answers: Mapping[str, _Call]) -> Score:
    keys = [digest(prepared.as_sent(question).as_dict()) for question in check.questions(item.subject)]
    return check.conclude(item.subject, [answers[key].answer for key in keys])
