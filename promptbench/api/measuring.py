"""Measures what one prompt's calls take and cost on several models, and tells what is on record of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from random import Random

from promptbench import __version__
from promptbench.api.measured import examples_of, history_lines, report_of
from promptbench.api.running import first_error, gateway_of, prices_of
from promptbench.api.spending import Spending, require_prices
from promptbench.api.workspace import SUITE_FILE, Project, input_error
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import EnvironmentFailure, Exit, InputError
from promptbench.core.events import Listener, RunStarted
from promptbench.core.measured import MeasuredCall
from promptbench.core.types import Json, Usage
from promptbench.engine import leaving
from promptbench.engine.arrivals import Arrivals, Load, read_trace, schedule
from promptbench.engine.estimate import Estimate
from promptbench.engine.measuring import Asked, Measuring
from promptbench.formats.source import Source
from promptbench.gateway import Pacer, Prices
from promptbench.gateway.tokens import estimate
from promptbench.project.assemble import assemble
from promptbench.project.bench import PreparedModel, PreparedSuite, Variant
from promptbench.project.options import Selection
from promptbench.prompts.parser import load as load_prompt
from promptbench.report.measurement import HistoryLine, MeasurementReport
from promptbench.store.prompts import Store
from promptbench.store.runs import RunStore
from promptbench.suite.loader import read as read_suite

CALLS = 100
WARM_UP = 2


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """How to measure: `calls` to each model, after `warm_up` others that are not counted. `variables` are the values of
    a prompt that has no suite beside it; `per_month` is how many interactions a month has.
    """

    load: Load = field(default_factory=Load)
    calls: int = CALLS
    warm_up: int = WARM_UP
    models: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    seed: int = 1
    per_month: int | None = None


@dataclass(frozen=True, slots=True)
class MeasurePlan:
    """What a measurement would ask: calls, tokens and US dollars by model, and for how long at the least."""

    prompt: str
    cases: int
    expected: dict[str, Estimate]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement, and the exit code of a command that made it."""

    report: MeasurementReport
    exit: Exit


def load_of(rate: float | None, arrivals: str | None, concurrency: int | None, trace: Path | None) -> Load:
    """The load that the options of a command mean. Raises InputError where they do not fit together."""
    if trace is not None:
        if rate is not None or arrivals is not None or concurrency is not None:
            raise InputError("--trace says when calls arrive", hint="leave out --rate, --arrivals and --concurrency")
        try:
            return Load(Arrivals.TRACE, trace=read_trace(trace.read_text(encoding="utf-8-sig")))
        except OSError as error:
            raise InputError(f"{trace} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise InputError(f"{trace} is no trace: {error}", hint="write a number of seconds on each line") from None
    if rate is None:
        if arrivals is not None:
            raise InputError("--arrivals needs a rate", hint="add --rate CALLS-A-SECOND")
        return Load(Arrivals.CLOSED, concurrency=concurrency or 1)
    if concurrency is not None:
        hint = "with --rate calls are sent when they are due, however many are under way"
        raise InputError("--rate and --concurrency exclude each other", hint=hint)
    return Load(Arrivals(arrivals or Arrivals.POISSON), rate=rate)


def plan_measurement(project: Project, target: Path, options: MeasureOptions) -> MeasurePlan:
    """What `measure` would ask. Raises InputError when something in it is wrong."""
    with project.prompts() as store, project.recordings() as runs:
        return _plan(project, _prepared(project, target, options, store, runs), options)


def measure(project: Project, target: Path, options: MeasureOptions, spending: Spending, listen: Listener) -> Measured:
    """Asks the models of a suite, or those that are named, in turns, and puts each call on record.

    What was measured until ^C, the end of a budget or a model's silence is kept and reported. Raises InputError when
    something is wrong before any call, EnvironmentFailure when no model gave any answer.
    """
    with project.prompts() as store, project.runs() as runs:
        prepared = _prepared(project, target, options, store, runs)
        prices = prices_of(project, prepared)
        if spending.max_cost is not None:
            require_prices(prices, prepared.models)
        table = runs.measurements()
        facts = _facts(project, prepared, options, prices)
        suite = prepared.suite.name if prepared.suite.path.is_file() else ""
        name = table.start(suite, prepared.prompt_name, _variant(prepared).hash, __version__, facts)
        listen(RunStarted(name, prepared.prompt_name, _calls(options) * len(prepared.models), 0))
        done = _ask(project, prepared, options, prices, spending, runs, name, listen)
        if not done.halted and not done.down:
            table.finish(name)
        report = report_of(project, runs, table.find(name), options.per_month)
        notes = [*_endings(done), *report.notes]
        report = replace(report, notes=notes, models=[replace(m, down=done.down.get(m.model)) for m in report.models])
        if not any(model.answered for model in report.models):
            why = next(iter(done.down.values()), done.spent or "nothing was asked")
            if not done.stopped:
                raise EnvironmentFailure(f"no model answered: {why}")
    stopped = Exit.INTERRUPTED if done.stopped else Exit.ENVIRONMENT
    return Measured(report, Exit.YES if report.complete else stopped)


def show_measurement(project: Project, name: str, *, per_month: int | None = None) -> MeasurementReport:
    """A measurement on record, as figures. Raises InputError when there is none of that name."""
    with project.recordings() as runs:
        if runs is None:
            raise InputError("nothing is measured yet", hint="`promptbench bench SUITE` measures")
        return report_of(project, runs, runs.measurements().find(name), per_month)


def measurements(project: Project, *, about: str | None = None, limit: int = 20) -> list[HistoryLine]:
    """The newest measurements, a line for each model, the oldest first; `about` a suite or a prompt of that name."""
    with project.recordings() as runs:
        if runs is None:
            return []
        found = runs.measurements().newest(about=about, limit=limit)
        return [line for info in reversed(found) for line in history_lines(project, runs, info)]


def _endings(done: Measuring) -> Iterator[str]:
    if done.stopped:
        yield "stopped before all calls were made; the figures are of those that were"
    if done.spent is not None:
        yield f"stopped at the budget: {done.spent}"
    yield from done.down.values()


def _prepared(
    project: Project, target: Path, options: MeasureOptions, store: Store, runs: RunStore | None
) -> PreparedSuite:
    """What is measured: a suite, or a prompt with the cases of the suite beside it, or with the variables given."""
    is_suite = target.is_dir() or target.suffix in (".yaml", ".yml")
    beside = target.parent / SUITE_FILE
    if options.variables and is_suite:
        raise InputError("--var is for a prompt without a suite", hint="the cases of a suite bring their own values")
    if not is_suite and not target.is_file():
        raise InputError(f"there is no prompt or suite {target}", hint="name a .prompt file, or a suite's folder")
    if is_suite or (beside.is_file() and not options.variables):
        path, prompts = (target, ()) if is_suite else (beside, (target,))
        selection = Selection(paths=(project.suite_file(path),), prompts=prompts, models=options.models)
        prepared = project.assemble(selection, store=store, runs=runs)[0][0]
    else:
        prepared = _alone(project, target, options, store, runs)
    if len(prepared.candidates) > 1 and any(model.uses_prompt for model in prepared.models):
        names = ", ".join(item.label for item in prepared.candidates)
        hint = f"name its file: promptbench bench {project.shown(prepared.suite.folder / prepared.candidates[0].label)}"
        raise InputError(f"the suite has several candidates, and one prompt is measured: {names}", hint=hint)
    kept = [model.name for model in prepared.models if model.ref.provider == "recorded"]
    if kept:
        raise InputError(f"{kept[0]} takes no time: its answers were kept", hint="name the model itself with --model")
    return prepared


def _alone(
    project: Project, target: Path, options: MeasureOptions, store: Store, runs: RunStore | None
) -> PreparedSuite:
    """A prompt with no suite: one case with the variables given, and nothing checked."""
    if not options.models:
        raise InputError("no model is named", hint="add --model PROVIDER/NAME, once for each")
    found = Diagnostics()
    prompt = load_prompt(target, project.shown(target), found)
    if prompt and (missing := prompt.missing(options.variables)):
        hint = f"add --var {missing[0]}=TEXT, or name a suite, whose cases bring values"
        raise InputError(f"{target.name} wants a value for {', '.join(missing)}", hint=hint)
    # Nothing is scored, and a case wants a check.
    case = {"case": "the given values", "vars": dict(options.variables), "checks": [{"regex": "^"}]}
    name = target.name.partition(".")[0]
    suite = {"suite": name, "prompt": target.name, "models": list(options.models), "cases": [case]}
    source = Source(project.shown(target), json.dumps(suite, ensure_ascii=False))
    read = read_suite(source, target.with_name(SUITE_FILE), found)
    around = project.prepare_options(Selection(prompts=(target,), models=options.models), store, runs)
    prepared = assemble(read, around, found) if read else None
    if prepared is None or found.errors:
        raise input_error(found)
    return prepared


def _variant(prepared: PreparedSuite) -> Variant:
    return prepared.candidates[0]


def _requests(prepared: PreparedSuite, model: PreparedModel, options: MeasureOptions) -> Asked:
    """What a model is asked, in an order that is the same for all models, and not that of the file."""
    cases = list(islice(prepared.cases, options.calls))
    Random(options.seed).shuffle(cases)
    variant = _variant(prepared) if model.uses_prompt else None
    asked = [(case.name, replace(prepared.request(model, variant, case, 0), stream=True)) for case in cases]
    return Asked(model.name, asked)


def _plan(project: Project, prepared: PreparedSuite, options: MeasureOptions) -> MeasurePlan:
    prices = prices_of(project, prepared)
    expected = {}
    for model in prepared.models:
        asked, takes = _requests(prepared, model, options), Estimate(0, 0, 0, 0.0)
        for number in (*range(options.warm_up), *range(_calls(options))):
            usage = estimate(asked.request(number)[1])
            takes = takes.plus(usage, prices.of_tokens(model.ref, usage))
        expected[model.name] = takes
    load, calls = options.load, _calls(options)
    seconds = (load.trace[calls - 1] if load.trace else calls / load.rate) if load.open and calls else None
    return MeasurePlan(_variant(prepared).label, len(prepared.cases), expected, seconds)


def _calls(options: MeasureOptions) -> int:
    trace = options.load.trace
    return min(options.calls, len(trace)) if trace else options.calls


def _facts(project: Project, prepared: PreparedSuite, options: MeasureOptions, prices: Prices) -> dict[str, Json]:
    load = {name: value for name, value in asdict(options.load).items() if name != "trace"}
    million = Usage(1_000_000, 0)
    return {
        "label": _variant(prepared).label,
        "path": project.shown(prepared.suite.path) if prepared.suite.path.is_file() else None,
        "load": {**load, "trace": len(options.load.trace)},
        "calls": _calls(options),
        "warm_up": options.warm_up,
        "seed": options.seed,
        "cases": min(len(prepared.cases), options.calls),
        "examples": examples_of(prepared, _variant(prepared)),
        "models": [
            {
                "model": model.name,
                "uses_prompt": model.uses_prompt,
                "local": model.local,
                "input_price": _per_token(prices.of_tokens(model.ref, million)),
            }
            for model in prepared.models
        ],
        "machine_price_per_hour": project.settings.values.machine_price_per_hour,
        "prices": prices.facts(),
    }


def _per_token(million: float | None) -> float | None:
    return None if million is None else million / 1e6


def _ask(
    project: Project,
    prepared: PreparedSuite,
    options: MeasureOptions,
    prices: Prices,
    spending: Spending,
    runs: RunStore,
    name: str,
    listen: Listener,
) -> Measuring:
    """Makes the calls; what became of them is on record."""
    table, secrets = runs.measurements(), project.secrets
    asked = [_requests(prepared, model, options) for model in prepared.models]
    due = schedule(options.load, len(asked), options.calls, Random(options.seed))
    limits = _limits(project, prepared.models)
    gateway = gateway_of(project, prepared.models, prices, (spending.budget(),), limits, listen)

    def keep(calls: Sequence[MeasuredCall]) -> None:
        table.add(name, [replace(call, error=secrets.mask(call.error)) if call.error else call for call in calls])

    measuring = Measuring(gateway, asked, keep, listen)

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(leaving.DaemonThreads())
        try:
            await measuring.work(options.load, due, options.warm_up)
        finally:
            await gateway.close(leaving.patience())

    try:
        asyncio.run(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        measuring.stopped = True
    except BaseExceptionGroup as group:
        raise first_error(group) from group
    return measuring


def _limits(project: Project, models: Sequence[PreparedModel]) -> dict[str, Pacer]:
    """The rate limits that the settings know. No other: where there is none, as much is asked at once as arrives."""
    limits = project.settings.values.limits
    found = {model.name: limits.get(model.name) or limits.get(model.ref.provider) for model in models}
    return {name: Pacer(limit.by_kind()) for name, limit in found.items() if limit}
