"""Measure how far the judge of a check agrees with human labels, record it, and report it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from promptbench.checks import _agreement
from promptbench.checks._agreement import Agreement
from promptbench.core.canonical import digest, lf
from promptbench.core.clock import now
from promptbench.core.errors import Code, Diagnostics, EnvironmentFailure, Exit, InputError, suggest
from promptbench.core.events import Listener
from promptbench.core.protocols import JudgedCheck, Subject
from promptbench.core.types import Answer, Request
from promptbench.core.words import number_of
from promptbench.engine.prepare.evaluate import subject_of
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.metrics.agreement import Confusion, point_biserial
from promptbench.project import Project
from promptbench.report.document import Document, Report, Section, TableBlock, TableColumn, Text
from promptbench.report.words import money
from promptbench.store.runs import RunStore
from promptbench.suite.labelled import Labelled, read_labelled, sheet
from promptbench.workflows.judge.budgets import Spending
from promptbench.workflows.judge.recorded_calls import RecordedCalls

# As in the gate: a judge that gives no verdict on hard answers would agree on the rest.
_MOST_WITHOUT_VERDICT = 0.02
# More than people like to label, and enough for an interval of kappa of about ±0.1.
_SHEET_ROWS = 200


class _Item(NamedTuple):
    subject: Subject
    passed: bool


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
) -> Report:
    """Call the judge of a check about labelled answers, and write the agreement next to the suite. Return the report.

    `criterion` is the start of the check's criterion, if the suite has several. Answers that the labels do not contain
    are taken from `run`, by default the suite's latest. A judge's recorded answers are used, unless `again` is set.

    Raise InputError with every error in the labels, EnvironmentFailure if the judge does not answer, Interrupted if
    the user stops; the answers until then are on record.
    """
    with project.prompts() as store, project.runs() as runs:
        [prepared, *others], _ = project.assemble(Selection(paths=(suite,)), store=store, runs=runs)
        if others:
            raise InputError(f"there are several suites in {project.shown(suite)}", hint="name one of them")
        check = _chosen(prepared, criterion)
        found = Diagnostics()
        rows = read_labelled(labels, project.shown(labels), found)
        items = _items(prepared, rows, cache(partial(_recorded_texts, runs, prepared, run)), found)
        if found.errors:
            raise InputError(f"{number_of(len(found.errors), 'error')} in the labels", diagnostics=found)
        if len({item.passed for item in items}) < 2:
            raise InputError(
                "all labels are the same, so agreement cannot be distinguished from chance",
                hint="label answers that pass and answers that fail",
            )
        check = check.without_agreement()
        requests = {
            digest(request.as_dict()): request
            for item in items
            for request in map(prepared.as_sent, check.requests(item.subject))
        }
        with RecordedCalls(project, prepared, runs, spending or Spending(), listen) as calls:
            answers = calls.answers(requests, again=again, usable=lambda answer: check.verdict(answer) is not None)
        for key, why in calls.failures.items():
            raise EnvironmentFailure(f"the judge {requests[key].model} does not answer: {why}")
        agreement = _agreement_of(prepared, check, items, requests, answers)
        try:
            file = _agreement.save(prepared.suite.folder, agreement)
        except (ValueError, OSError) as error:
            raise InputError(f"the agreement cannot be written: {error}") from None
        [prepared], _ = project.assemble(Selection(paths=(suite,)), store=store, runs=runs)
    proven = next(item for item in prepared.judged_checks if item.identity == check.identity)
    return _report(agreement, proven, len(answers), calls, project.shown(file))


def write_sheet(project: Project, suite: Path, file: Path, *, run: str | None = None) -> tuple[int, int]:
    """Write answers of a recorded run to a CSV sheet for labelling. Return how many, and how many the run has.

    More than 200 are sampled, independently of their order.
    Raise InputError if the run is not found or the file exists.
    """
    with project.prompts() as store, project.runs() as runs:
        [prepared, *_], _ = project.assemble(Selection(paths=(suite,)), store=store, runs=runs)
        recorded = _recorded_texts(runs, prepared, run)
        texts = [(case, *item) for case, found in recorded.items() for item in found.items()]
        shuffled = sorted(((case, text) for case, text, _ in texts), key=lambda item: digest([*item]))
        chosen = set(shuffled[:_SHEET_ROWS])
        inputs = {
            case: "\n".join(f"{name}: {value}" for name, value in prepared.cases[case].variables.items())
            for case in recorded
        }
        rows = [
            {"case": case, "model": models[0], "input": inputs[case], "answer": text}
            for case, text, models in texts
            if (case, text) in chosen
        ]
    try:
        with file.open("x", encoding="utf-8-sig", errors="replace", newline="") as target:
            target.write(sheet(rows))
    except FileExistsError:
        raise InputError(f"{file} exists already", hint="name another file: labels are work") from None
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None
    return len(rows), len(texts)


def _chosen(prepared: PreparedSuite, criterion: str | None) -> JudgedCheck:
    known = [check for check in prepared.judged_checks if not check.embeds]
    if not known:
        raise InputError(f"the suite '{prepared.suite.name}' has no judged check", hint="`promptbench explain rubric`")
    fitting = [check for check in known if criterion is None or check.criterion.startswith(criterion)]
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(check.criterion for check in known)
    problem = "no judged check starts with that" if not fitting else "several judged checks are meant"
    raise InputError(f"{problem}: {listed}", hint="choose one: --criterion 'its first words'")


# Models by answer, by case.
_Texts = dict[str, dict[str, list[str]]]


def _recorded_texts(runs: RunStore, prepared: PreparedSuite, run: str | None) -> _Texts:
    """Return the answers of a run. Raise InputError if it is missing."""
    info = runs.run(run or runs.latest_of_suite(prepared.suite.name))
    texts: _Texts = {}
    for attempt in runs.attempts(info.id):
        if attempt.answer is not None and attempt.fallback is None and attempt.key.case in prepared.cases:
            texts.setdefault(attempt.key.case, {}).setdefault(attempt.answer.text, []).append(attempt.key.model)
    return texts


def _items(
    prepared: PreparedSuite, rows: Sequence[Labelled], recorded: Callable[[], _Texts], found: Diagnostics
) -> list[_Item]:
    """Return the labelled answers, each once. Errors go to `found`."""
    items: dict[tuple[str, str], tuple[_Item, Labelled]] = {}
    for row in rows:
        if row.case not in prepared.cases:
            hint = suggest(row.case, prepared.cases.names, "") or None
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
        case = prepared.cases[row.case]
        subject = subject_of(text, prepared.accept, case.variables, prepared.ladder, case.was)
        items.setdefault(key, (_Item(subject, row.passed), row))
    return [item for item, _ in items.values()]


def _only_text(row: Labelled, recorded: Callable[[], _Texts], found: Diagnostics) -> str | None:
    answers = recorded().get(row.case, {}).items()
    texts = [text for text, models in answers if row.model is None or row.model in models]
    if len(texts) == 1:
        return texts[0]
    message = (
        f"{len(texts)} different answers to '{row.case}' are on record" if texts else "no such answer is on record"
    )
    hint = "write the answer itself into the column 'answer', or its model into 'model'"
    found.add(Code.BAD_VALUE, message, row.location("case"), hint=hint)
    return None


def _agreement_of(
    prepared: PreparedSuite,
    check: JudgedCheck,
    items: Sequence[_Item],
    requests: Mapping[str, Request],
    answers: Mapping[str, Answer],
) -> Agreement:
    """Raise EnvironmentFailure if too many answers have no verdict, or a judge is not one model."""
    pairs = []
    for item in items:
        keys = [digest(prepared.as_sent(request).as_dict()) for request in check.requests(item.subject)]
        pairs.append((item, check.conclude(item.subject, [answers[key] for key in keys])))
    judged = [(item, score) for item, score in pairs if not score.errored]
    missing = len(pairs) - len(judged)
    if missing > max(1, _MOST_WITHOUT_VERDICT * len(pairs)):
        why = next(score.reason for _, score in pairs if score.errored)
        raise EnvironmentFailure(
            f"{missing} of {len(pairs)} answers have no verdict ({why}), so the agreement is unknown",
            hint="nothing was recorded",
        )
    returned: dict[str, set[str]] = {}
    for key, answer in answers.items():
        returned.setdefault(str(requests[key].model), set()).add(answer.model)
    for judge, names in returned.items():
        if len(names) > 1:
            raise EnvironmentFailure(
                f"{judge} has answered as {' and as '.join(sorted(names))}", hint="--again repeats all calls"
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


def _report(agreement: Agreement, check: JudgedCheck, questions: int, calls: RecordedCalls, file: str) -> Report:
    """Return the table of both judgements, kappa, and if the check counts.

    The judges answered `questions`, of which those that are not among `calls` were on record.
    """
    judges = ", ".join(f"{judge} (as {', '.join(names)})" for judge, names in agreement.judges.items())
    counts = agreement.counts
    table = TableBlock(
        [TableColumn("", numeric=False), TableColumn("judge: pass"), TableColumn("judge: fail")],
        [
            ("person: pass", str(counts.yes_yes), str(counts.yes_no)),
            ("person: fail", str(counts.no_yes), str(counts.no_no)),
        ],
        label="Agreement",
    )
    lines = []
    if kappa := agreement.kappa:
        interval = f"95 % interval {kappa.low:.2f} to {kappa.high:.2f}"
        lines.append(f"kappa {kappa.value:.2f} ({interval}) over {number_of(counts.total, 'labelled answer')}")
    lengths = ", ".join(
        f"{who} unknown" if value is None else f"{who} {value:+.2f}"
        for who, value in (("judge", agreement.judge_length), ("people", agreement.human_length))
    )
    lines.append(f"correlation of pass with the answer's length: {lengths}")
    recorded = questions - calls.made
    lacks = f", {agreement.without_verdict} answers without verdict" if agreement.without_verdict else ""
    lines.append(f"judges: {number_of(questions, 'call')}, {recorded} of them recorded, {money(calls.cost)}{lacks}")
    state = "counts from now on" if check.counts else "stays advisory"
    verdict = f"the check {state} ({check.standing}); recorded in {file}"
    sections = [Section([table, *map(Text, lines)])]
    document = Document(f"{agreement.rubric}: judged by {judges}", sections, verdict)
    made = {"questions": questions, "calls": calls.made, "cost": calls.cost, "file": file}
    data = {**agreement.as_dict(), "counts": check.counts, "standing": check.standing, **made}
    return Report("agree", document, lambda: data, exit=Exit.YES if check.counts else Exit.NO)
