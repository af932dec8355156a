"""Times and costs of the calls in log files, by model. Calls no model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import BinaryIO

from promptbench.core.errors import NothingSelected
from promptbench.core.types import BadRecord, FailureTier, LoggedCall, MeasuredCall
from promptbench.core.words import number_of
from promptbench.gateway import listed
from promptbench.ingest.files.calls import read_records
from promptbench.ingest.files.log_file import LogFile
from promptbench.ingest.files.log_paths import LogFiles
from promptbench.workflows.measure.advice import advise, costs
from promptbench.workflows.measure.bench_report import Accuracy, MeasuredModel, MeasurementReport
from promptbench.workflows.measure.measured_calls import common_notes, contrasts, rate, summed

_NAMED = 3


def measured_in_logs(
    paths: Sequence[str],
    *,
    stdin: BinaryIO,
    columns: Mapping[str, str] | None = None,
    model: str = "",
    per_month: int | None = None,
) -> MeasurementReport:
    """Return the figures of all calls with a logged latency, and of those without an answer.

    A log that names no model counts as one model with the file's name. Costs are from the log, else from the price
    list. Raise InputError for a file that is not a log, NothingSelected if no call has a latency.
    """
    calls: dict[str, list[MeasuredCall]] = defaultdict(list)
    wrong: Counter[str] = Counter()
    bad: list[BadRecord] = []
    names: list[str] = []
    for file, format_ in LogFiles(paths, columns or {}, model).logs(stdin):
        names.append(PurePath(file.name).name)
        for record in _records(file, format_):
            if isinstance(record, BadRecord):
                bad.append(record)
            elif call := _measured(record, names[-1], calls):
                calls[call.model].append(call)
                wrong[call.model] += record.tier in (FailureTier.CONTENT, FailureTier.TRUNCATED)
    if not calls:
        why = f"; {bad[0].place}: {bad[0].reason}" if bad else ""
        raise NothingSelected(f"no call in {', '.join(names) or ', '.join(paths)} has a latency{why}")
    priced = {model: _priced(model, mine) for model, mine in calls.items()}
    models = [_model(model, mine, wrong[model], per_month) for model, mine in priced.items()]
    guessed = [model for model, mine in priced.items() if mine is not calls[model]]
    at_list = [f"the cost of {', '.join(guessed)} is at today's list price, for the logged tokens"]
    total = sum(map(len, calls.values()))
    where = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} files"
    left_out = [f"{number_of(len(bad), 'record')} left out; the first, {bad[0].place}: {bad[0].reason}"] if bad else []
    return MeasurementReport(
        name="",
        started="",
        suite="",
        prompt="",
        version="",
        about=f"{number_of(total, 'logged call')} in {where}",
        how="latencies are from the log; no model was called",
        complete=True,
        models=models,
        contrasts=list(contrasts(models)),
        beside_own=[],
        advice=advise(models),
        notes=[*left_out, *(at_list if guessed else []), *common_notes(models)],
        per_month=per_month,
    )


def _records(file: LogFile, format_: str) -> Iterator[LoggedCall | BadRecord]:
    try:
        yield from read_records(file, format_, timings=True)
    except (ValueError, OSError) as error:
        yield BadRecord(file.name, str(error))


def _measured(call: LoggedCall, file: str, known: Mapping[str, Sequence[MeasuredCall]]) -> MeasuredCall | None:
    model = call.model or PurePath(file).name.partition(".")[0]
    failed = (call.error or call.failed or "no answer") if call.tier is FailureTier.TRANSPORT else None
    if call.latency_ms is None and failed is None:
        return None
    first = call.extra.get("first_token_ms")
    return MeasuredCall(
        model=model,
        number=len(known.get(model, ())),
        case=call.id,
        due_ms=0.0,
        late_ms=0.0,
        latency_ms=call.latency_ms or 0.0,
        queue_ms=0.0,
        tries=1,
        provider_ms=call.latency_ms,
        first_token_ms=first if isinstance(first, float) else None,
        usage=call.usage,
        cost=call.cost,
        error=failed,
    )


def _priced(model: str, calls: list[MeasuredCall]) -> list[MeasuredCall]:
    if any(call.cost is not None for call in calls) or not any(call.usage for call in calls):
        return calls
    price = listed(model)
    if price is None:
        return calls
    return [replace(call, cost=price(call.usage)) if call.usage else call for call in calls]


def _model(name: str, calls: Sequence[MeasuredCall], wrong: int, per_month: int | None) -> MeasuredModel:
    # A log without any answer marked as wrong is assumed to have no verdicts.
    model = summed(name, calls, uses_prompt=True, logged=True)
    right = Accuracy(rate(model.answered - wrong, model.answered), model.answered, "") if wrong else None
    bill = costs(calls, per_month=per_month, examples=None, input_price=None)
    return replace(model, costs=bill, accuracy=right)
