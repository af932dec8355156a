"""Measure latency and cost of one prompt's calls to several models, and report recorded measurements."""

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from itertools import accumulate, islice
from pathlib import Path
from random import Random

from promptbench import __version__
from promptbench.core.errors import EnvironmentFailure, Exit, InputError
from promptbench.core.events import CallMeasured, Listener, RunStarted
from promptbench.core.types import Json, MeasuredCall, Request, Usage
from promptbench.engine.plan import Estimate
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedModel, PreparedSuite
from promptbench.engine.runner import CallPlan, Engine
from promptbench.gateway import Prices, RateLimiter, Reply
from promptbench.gateway.tokens import estimate
from promptbench.project import SUITE_FILE, Project
from promptbench.store.bench_runs import BenchRunInfo
from promptbench.store.prompts import Store
from promptbench.store.runs import RunStore
from promptbench.workflows.judge.budgets import Spending, require_prices
from promptbench.workflows.judge.execute import gateway_of, prices_of
from promptbench.workflows.judge.recorded_calls import prepare_prompt
from promptbench.workflows.measure.bench_report import MeasuredModel, MeasurementReport
from promptbench.workflows.measure.measured_calls import examples_of, models_of, report_of


# A call that is due is sent at once, however many are in flight, and its latency counts from the time it was due. A
# server that stalls delays all calls that arrive meanwhile; a client that waits with it would not measure that
# (coordinated omission).
class Arrivals(StrEnum):
    """When a call is due: after another one has ended (closed), or at a time of its own (the others)."""

    CLOSED = "closed"
    CONSTANT = "constant"
    POISSON = "poisson"


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` is in calls per second to each model; `concurrency` is the number of calls at once to all models together,
    for closed arrivals.
    """

    arrivals: Arrivals = Arrivals.CLOSED
    rate: float = 1.0
    concurrency: int = 1

    @property
    def open(self) -> bool:
        return self.arrivals is not Arrivals.CLOSED


@dataclass(frozen=True, slots=True)
class Due:
    """One call: the index of its model, its number among the calls to that model, and the seconds from the start at
    which it is due; None if it is due when an earlier call has ended.
    """

    model: int
    number: int
    at: float | None = None


def schedule(load: Load, models: int, calls: int, random: Random) -> Iterator[Due]:
    """Yield all calls in the order in which they are due, `calls` to each model.

    Closed arrivals come in rounds of one call to each model, in random order. Constant arrivals of the models are
    evenly interleaved; Poisson arrivals are drawn for each model.
    """
    if load.arrivals is Arrivals.CLOSED:
        for number in range(calls):
            for model in random.sample(range(models), models):
                yield Due(model, number)
        return
    if load.arrivals is Arrivals.CONSTANT:
        ways = [[(number + model / models) / load.rate for number in range(calls)] for model in range(models)]
    else:
        ways = [list(accumulate(random.expovariate(load.rate) for _ in range(calls))) for _ in range(models)]
    merged = heapq.merge(*([(at, model, number) for number, at in enumerate(way)] for model, way in enumerate(ways)))
    yield from (Due(model, number, at) for at, model, number in merged)


Keep = Callable[[Sequence[MeasuredCall]], None]
_COMMIT_SECONDS = 1.0  # between two commits: one per call would delay the next call
_QUEUE = ""  # one for all models


@dataclass(frozen=True, slots=True)
class ModelRequests:
    """A model, and the requests that it gets in turn, each with its case's name."""

    model: str
    requests: Sequence[tuple[str, Request]]

    def request(self, number: int) -> tuple[str, Request]:
        """Return the case and the request of a call. When a case comes again, it is a repeat."""
        repeat, position = divmod(number, len(self.requests))
        case, request = self.requests[position]
        return case, replace(request, repeat=repeat)


class Measurement:
    """One measurement, as the work of an engine. `keep` stores the calls that have ended, in batches."""

    def __init__(self, engine: Engine, models: Sequence[ModelRequests], keep: Keep, listen: Listener) -> None:
        self._engine = engine
        self._models = models
        self._keep = keep
        self._listen = listen
        self._uncommitted: list[MeasuredCall] = []
        self._began: float | None = None
        self._committed = 0.0

    def measure(self, load: Load, schedule: Iterator[Due], warm_up: int) -> None:
        """Make the calls of a schedule, after `warm_up` calls to each model that open connections and load weights."""
        warming = (Due(model, number) for number in range(warm_up) for model in range(len(self._models)))
        self._engine.run(self._open(warming), self, {_QUEUE: 1})
        began = self._began = time.perf_counter()
        try:
            self._engine.run(
                self._open(schedule),
                self,
                {_QUEUE: load.concurrency},
                (lambda item: began + (item.at or 0.0)) if load.open else None,
            )
        finally:
            self._commit()

    def queue(self, task: Due) -> str:
        return _QUEUE

    async def begin(self, task: Due) -> CallPlan | None:
        return CallPlan(self._models[task.model].request(task.number)[1])

    async def finish(self, task: Due, plan: CallPlan, reply: Reply | None) -> None:
        if reply is None or self._began is None:
            return
        due = plan.began if task.at is None else self._began + task.at
        late, latency = ((moment - due) * 1000 for moment in (plan.began, time.perf_counter()))
        self._uncommitted.append(
            _measured(
                task,
                self._models[task.model],
                plan,
                reply,
                (due - self._began) * 1000,
                late,
                latency,
            )
        )
        self._listen(CallMeasured(errored=reply.answer is None, cost=reply.cost))
        if time.perf_counter() - self._committed >= _COMMIT_SECONDS:
            self._commit()
        elif len(self._uncommitted) == 1:
            # In case no other call ends soon.
            asyncio.get_running_loop().call_later(_COMMIT_SECONDS, self._commit)

    def _open(self, schedule: Iterable[Due]) -> Iterator[Due]:
        return (due for due in schedule if str(self._models[due.model].request(0)[1].model) not in self._engine.down)

    def _commit(self) -> None:
        if self._uncommitted:
            self._keep(self._uncommitted)
            self._uncommitted, self._committed = [], time.perf_counter()


def _measured(
    task: Due, asked: ModelRequests, plan: CallPlan, reply: Reply, due: float, late: float, latency: float
) -> MeasuredCall:
    answer = reply.answer
    return MeasuredCall(
        model=asked.model,
        number=task.number,
        case=asked.request(task.number)[0],
        due_ms=due,
        late_ms=late,
        latency_ms=latency,
        queue_ms=late + reply.queue_ms,
        tries=reply.tries,
        provider_ms=answer.provider_ms if answer else None,
        connect_ms=answer.connect_ms if answer else None,
        first_byte_ms=answer.first_byte_ms if answer else None,
        first_token_ms=answer.first_token_ms if answer else None,
        usage=answer.usage if answer else None,
        cost=reply.cost,
        error=reply.failure.message if reply.failure and answer is None else None,
    )


CALLS = 100
WARM_UP = 2
_MOST_PAST = 20  # measurements in the history


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """How to measure: `calls` to each model, after `warm_up` others that are not counted. `variables` are values for a
    prompt without a suite; `per_month` is the number of interactions per month.
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
    """The expected calls, tokens and US dollars by model, and the least duration in seconds."""

    prompt: str
    cases: int
    expected: dict[str, Estimate]
    seconds: float | None


def load_of(rate: float | None, arrivals: str | None, concurrency: int | None) -> Load:
    """Return the load for a command's options. Raise InputError if they do not fit together."""
    if rate is None:
        if arrivals is not None:
            raise InputError("--arrivals needs a rate", hint="add --rate CALLS-A-SECOND")
        return Load(Arrivals.CLOSED, concurrency=concurrency or 1)
    if concurrency is not None:
        hint = "with --rate calls are sent when they are due, however many are in flight"
        raise InputError("--rate and --concurrency exclude each other", hint=hint)
    return Load(Arrivals(arrivals or Arrivals.POISSON), rate=rate)


def plan_measurement(project: Project, target: Path, options: MeasureOptions) -> MeasurePlan:
    """Return what `measure` would do. Raise InputError if the suite or the options are invalid."""
    with project.prompts() as store, project.recordings() as runs:
        return _plan(project, _prepared(project, target, options, store, runs), options)


def measure(
    project: Project, target: Path, options: MeasureOptions, spending: Spending, listen: Listener
) -> tuple[MeasurementReport, Exit]:
    """Call the models of a suite, or those in the options, in turns, and record each call.

    If Ctrl-C, a budget or a disabled model ends it early, the calls until then are reported. Raise InputError before
    any call if the suite or the options are invalid, EnvironmentFailure if no model answered.
    """
    with project.prompts() as store, project.runs() as runs:
        prepared = _prepared(project, target, options, store, runs)
        prices = prices_of(project, prepared.reachable)
        if spending.max_cost is not None:
            require_prices(prices, prepared.models)
        table = runs.bench_runs()
        facts = _facts(project, prepared, options, prices)
        suite = prepared.suite.name if prepared.suite.path.is_file() else ""
        name = table.start(suite, prepared.prompt_name, prepared.candidates[0].hash, __version__, facts)
        listen(RunStarted(name, prepared.prompt_name, options.calls * len(prepared.models), 0))
        engine = _call_models(project, prepared, options, prices, spending, runs, name, listen)
        if not engine.halted and not engine.down:
            table.finish(name)
        report = report_of(project, runs, table.find(name), options.per_month)
        notes = [*_endings(engine), *report.notes]
        down = {model.name: engine.down.get(str(model.ref)) for model in prepared.models}
        report = replace(report, notes=notes, models=[replace(item, down=down[item.model]) for item in report.models])
        if not any(model.answered for model in report.models) and not engine.stopped:
            why = next(iter(engine.down.values()), engine.spent or "no call was made")
            raise EnvironmentFailure(f"no model answered: {why}")
    stopped = Exit.INTERRUPTED if engine.stopped else Exit.ENVIRONMENT
    return report, Exit.YES if report.complete else stopped


def show_measurement(project: Project, name: str, *, per_month: int | None = None) -> MeasurementReport:
    """Return the report of a recorded measurement. Raise InputError if it is missing."""
    with project.recordings() as runs:
        if runs is None:
            raise InputError("nothing is measured yet", hint="`promptbench bench SUITE` measures")
        return report_of(project, runs, runs.bench_runs().find(name), per_month)


def measurements(project: Project, *, about: str | None = None) -> list[tuple[BenchRunInfo, MeasuredModel]]:
    """Return the models of the newest measurements, oldest first; `about` filters by suite or prompt name."""
    with project.recordings() as runs:
        if runs is None:
            return []
        found = runs.bench_runs().newest(about=about, limit=_MOST_PAST)
        return [(info, model) for info in reversed(found) for model in models_of(runs, info)]


def _endings(engine: Engine) -> Iterator[str]:
    if engine.stopped:
        yield "stopped before all calls were made; the figures cover those that were"
    if engine.spent is not None:
        yield f"stopped at the budget: {engine.spent}"
    yield from engine.down.values()


def _prepared(
    project: Project, target: Path, options: MeasureOptions, store: Store, runs: RunStore | None
) -> PreparedSuite:
    """Return the suite to measure: the target, the one next to the target prompt, or a prompt with given variables."""
    is_suite = target.is_dir() or target.suffix in (".yaml", ".yml")
    beside = target.parent / SUITE_FILE
    if options.variables and is_suite:
        raise InputError("--var is for a prompt without a suite", hint="the cases of a suite bring their own values")
    if not is_suite and not target.is_file():
        raise InputError(f"{target} not found", hint="name a .prompt file, or a suite's folder")
    if is_suite or (beside.is_file() and not options.variables):
        path, prompts = (target, ()) if is_suite else (beside, (target,))
        selection = Selection(paths=(project.suite_file(path),), prompts=prompts, models=options.models)
        prepared = project.assemble(selection, store=store, runs=runs)[0][0]
    else:
        if not options.models:
            raise InputError("no model is named", hint="add --model PROVIDER/NAME, once for each")
        prepared = prepare_prompt(project, target, target.parent, options.models, options.variables, store, runs)
    if prepared.suite.steps:
        hint = "`promptbench run` has the latency of each step"
        raise InputError("a chain is several calls, and single calls are measured", hint=hint)
    if len(prepared.candidates) > 1 and any(model.uses_prompt for model in prepared.models):
        names = ", ".join(item.label for item in prepared.candidates)
        hint = f"name its file: promptbench bench {project.shown(prepared.suite.folder / prepared.candidates[0].label)}"
        raise InputError(f"the suite has several candidates, and one prompt is measured: {names}", hint=hint)
    replayed = [model.name for model in prepared.models if model.replays]
    if replayed:
        message = f"{replayed[0]} replays stored answers, so its latency cannot be measured"
        raise InputError(message, hint="name the model itself with --model")
    return prepared


def _requests(prepared: PreparedSuite, model: PreparedModel, options: MeasureOptions) -> ModelRequests:
    cases = [prepared.cases[name] for name in islice(prepared.cases.on(model.name), options.calls)]
    Random(options.seed).shuffle(cases)
    variant = prepared.candidates[0] if model.uses_prompt else model.own_prompt
    requests = [(case.name, replace(prepared.request(model, variant, case, 0), stream=True)) for case in cases]
    return ModelRequests(model.name, requests)


def _plan(project: Project, prepared: PreparedSuite, options: MeasureOptions) -> MeasurePlan:
    prices = prices_of(project, prepared.reachable)
    expected = {}
    for model in prepared.models:
        requests, takes = _requests(prepared, model, options), Estimate(0, 0, 0, 0.0)
        for number in (*range(options.warm_up), *range(options.calls)):
            usage = estimate(requests.request(number)[1])
            takes = takes.plus(usage, prices.of_tokens(model.ref, usage))
        expected[model.name] = takes
    seconds = options.calls / options.load.rate if options.load.open else None
    return MeasurePlan(prepared.candidates[0].label, len(prepared.cases), expected, seconds)


def _facts(project: Project, prepared: PreparedSuite, options: MeasureOptions, prices: Prices) -> dict[str, Json]:
    millions = {model.name: prices.of_tokens(model.ref, Usage(1_000_000, 0)) for model in prepared.models}
    return {
        "label": prepared.candidates[0].label,
        "path": project.shown(prepared.suite.path) if prepared.suite.path.is_file() else None,
        "load": asdict(options.load),
        "calls": options.calls,
        "warm_up": options.warm_up,
        "seed": options.seed,
        "cases": min(len(prepared.cases), options.calls),
        "examples": examples_of(prepared, prepared.candidates[0]),
        "models": [
            {
                "model": model.name,
                "uses_prompt": model.uses_prompt,
                "local": model.local,
                "input_price": None if million is None else million / 1e6,
                **model.facts,
            }
            for model, million in zip(prepared.models, millions.values(), strict=True)
        ],
        "machine_price_per_hour": project.settings.values.machine_price_per_hour,
        "prices": prices.facts(),
    }


def _call_models(
    project: Project,
    prepared: PreparedSuite,
    options: MeasureOptions,
    prices: Prices,
    spending: Spending,
    runs: RunStore,
    name: str,
    listen: Listener,
) -> Engine:
    """Make the calls and record them. Return the engine, which knows how they ended."""
    table, secrets = runs.bench_runs(), project.secrets
    models = [_requests(prepared, model, options) for model in prepared.models]
    due = schedule(options.load, len(models), options.calls, Random(options.seed))
    at_once = None if options.load.open else options.load.concurrency
    # From the settings only: without a limit there, concurrency must not adapt to the load.
    limits = project.settings.values.limits
    found = {str(ref): limits.get(str(ref)) or limits.get(ref.provider) for ref in (it.ref for it in prepared.models)}
    limiters = {model: RateLimiter(limit.by_kind()) for model, limit in found.items() if limit}
    gateway = gateway_of(project, prepared.models, prices, (spending.budget(),), limiters, listen, concurrency=at_once)

    def keep(calls: Sequence[MeasuredCall]) -> None:
        table.add(name, [replace(call, error=secrets.mask(call.error)) if call.error else call for call in calls])

    with Engine(gateway, listen) as engine:
        Measurement(engine, models, keep, listen).measure(options.load, due, options.warm_up)
    return engine
