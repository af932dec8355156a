"""Runs suites: plans, asks, judges. Everything it decides is decided elsewhere."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

from promptbench import __version__
from promptbench.api.earlier import Earlier
from promptbench.api.workspace import Project
from promptbench.core.canonical import digest
from promptbench.core.clock import today
from promptbench.core.errors import Interrupted
from promptbench.core.events import AttemptDone, Event, Listener, Notice, RunStarted
from promptbench.core.secrets import Secrets
from promptbench.core.types import Answer, Attempt, AttemptKey, CacheMode, Json, Judging
from promptbench.core.words import number_of
from promptbench.engine import leaving
from promptbench.engine.plan import Repeats, Task, first_round_size
from promptbench.engine.rounds import More, run_rounds
from promptbench.engine.runner import Runner
from promptbench.engine.scoring import ADVISORY
from promptbench.formats.ladder import LADDER
from promptbench.gate.candidates import judge_candidates
from promptbench.gate.flips import CaseInfo, wanted
from promptbench.gate.judge import GatedModel, Result, Verdict
from promptbench.gate.policy import CRITICAL_REPEATS, Policy, TagPolicy
from promptbench.gate.table import Table
from promptbench.gateway import Budget, Cache, Gateway, Market, Pacer, PriceFile, Prices
from promptbench.project.bench import PreparedModel, PreparedSuite
from promptbench.project.judges import JUDGE_DEFAULTS
from promptbench.store.run_cases import RunCase
from promptbench.store.runs import SHARD, RunInfo, RunStore, RunVariant

_MERGE = "`promptbench runs merge` judges all shards together"
_BEST_FIRST = (Result.PASS, Result.INCONCLUSIVE, Result.FAIL, Result.NO_VERDICT)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for: the command that makes the run again, what it selects of the suite, use of the cache."""

    command: str
    selection: Mapping[str, Sequence[str]]
    cache: CacheMode = CacheMode.OFF


class Trial(Protocol):
    """How the answers of a run are judged."""

    def wanted(self, table: Table) -> Collection[AttemptKey]:
        """The attempts that a verdict still wants."""

    def verdicts(self, table: Table, *, asked_all: bool) -> tuple[Verdict, ...]:
        """At least one, the best candidate's first."""


@dataclass(frozen=True, slots=True)
class ByGate:
    """The trial of candidates that want to take the champion's place."""

    prepared: PreparedSuite
    earlier: Earlier | None = None

    def wanted(self, table: Table) -> Collection[AttemptKey]:
        return _wanted(self.prepared, table)

    def verdicts(self, table: Table, *, asked_all: bool) -> tuple[Verdict, ...]:
        return judge_all(self.prepared, table, asked_all=asked_all, earlier=self.earlier)


@dataclass(frozen=True, slots=True)
class Finished:
    """A run with its verdicts, the best candidate's first."""

    info: RunInfo
    verdicts: tuple[Verdict, ...]
    table: Table

    @property
    def verdict(self) -> Verdict:
        return self.verdicts[0]


def policy_of(prepared: PreparedSuite) -> Policy:
    """The suite's `gate:` as the gate reads it."""
    gate = prepared.suite.gate
    return Policy(
        margin=gate.margin,
        repeats=gate.repeats,
        fixed=gate.fixed,
        format_floor=gate.format_floor,
        answer_floor=gate.answer_floor,
        max_age=gate.max_age,
        tags={tag: TagPolicy(wants.floor, wants.margin) for tag, wants in gate.tags.items()},
        cost_ratio=gate.cost_ratio,
        latency_ratio=gate.latency_ratio,
        critical_repeats=CRITICAL_REPEATS if prepared.cases.critical else 0,
    )


def repeats_of(prepared: PreparedSuite) -> Repeats:
    """How often the first round of a run asks the same."""
    policy = policy_of(prepared)
    return Repeats(policy.repeats, policy.screen(critical=True))


def case_infos(prepared: PreparedSuite) -> list[CaseInfo]:
    cases, day = prepared.cases, today()
    infos = []
    for name in cases.names:
        tags = tuple(tag for tag, names in cases.tagged.items() if name in names)
        apart = cases.quarantined.get(name)
        review_by = apart.review_by if apart else ""
        cluster = cases.clusters.get(name, "")
        infos.append(CaseInfo(name, name in cases.critical, tags, cluster, review_by, "" < review_by < day))
    return infos


def run_cases(prepared: PreparedSuite) -> Iterator[RunCase]:
    """The cases of a bench for the record of its run."""
    infos = zip(case_infos(prepared), prepared.cases.contents, strict=True)
    return (RunCase(info.name, content, _said_of(info)) for info, content in infos)


def _said_of(info: CaseInfo) -> dict[str, Json]:
    return {
        field.name: value for field in fields(info) if field.name != "name" and (value := getattr(info, field.name))
    }


def gated_models(prepared: PreparedSuite) -> list[GatedModel]:
    """The models that must pass."""
    return [GatedModel(model.name, prepared.deterministic(model)) for model in prepared.models if model.gated]


def table_of(prepared: PreparedSuite, runs: RunStore, run: str, *, answered: bool = False) -> Table:
    """What a run on record found, as much as the gate of the bench asks for; `answered` as in `RunStore.outcomes`."""
    measured = policy_of(prepared).measured
    found = runs.outcomes(run, answered=answered, measured=bool(measured))
    return Table(found, prepared.cases.numbers, measured=measured)


def execute(
    project: Project,
    prepared: PreparedSuite,
    runs: RunStore,
    listen: Listener,
    *,
    asked: Asked,
    budgets: Sequence[Budget] = (),
    pacers: dict[str, Pacer] | None = None,
    trial: Trial | None = None,
) -> Finished:
    """Makes the run of one bench, or goes on with an interrupted one, and judges it; no verdict at a budget's end.

    `pacers` are those of the suites before, so that what is known of a model's rate limits stays known.

    Raises Interrupted when the user stops it; what was answered until then is on record.
    """
    prices = prices_of(project, prepared)
    variants = [RunVariant(item.hash, item.side, item.label, item.prompt.source) for item in prepared.variants]
    trial = trial or ByGate(prepared)
    info, _ = runs.start(
        # A comparison asks what a trial of candidates may ask too, and must not pass for one.
        plan_hash(prepared, asked.cache) if isinstance(trial, ByGate) else digest([prepared.plan_hash, "compared"]),
        prepared.suite.name,
        prepared.prompt_name,
        _facts(project, prepared, asked, prices),
        variants,
        __version__,
    )
    runs.cases().keep(info.id, run_cases(prepared))
    # Attempts that got no answer are made again, so the old ones count for nothing.
    table = table_of(prepared, runs, info.id, answered=True)
    listen(RunStarted(info.id, prepared.suite.name, first_round_size(prepared, repeats_of(prepared)), table.answers()))
    cache = _cache(project, prepared, runs, asked.cache, listen)
    pacers = pacers_of(project, prepared, pacers)
    end = _ask(project, prepared, runs, info, prices, budgets, pacers, cache, table, listen, trial)
    if end.stopped:
        raise Interrupted(
            f"stopped; {table.answers()} answers are on record", hint=f"`{asked.command}` goes on where it stood"
        )
    verdicts = trial.verdicts(table, asked_all=end.complete)
    if end.spent is not None:
        sentence = (
            f"NO VERDICT about the prompt: stopped at the budget: {end.spent}; the same command goes on from here"
        )
        verdicts = tuple(undecided(verdict, Result.NO_VERDICT, sentence) for verdict in verdicts)
    else:
        verdicts = without_judges(project, prepared, runs, info.id, verdicts)
    best = verdicts[0]
    # With more shards than cases some have nothing to ask.
    if best.result is not Result.NO_VERDICT or (prepared.shard is not None and not prepared.cases):
        result, sentence = best.result.value, best.sentence
        if prepared.shard is not None:
            result, sentence = (
                SHARD,
                f"{SHARD} {prepared.shard}: {number_of(len(prepared.cases), 'case')} asked; {_MERGE}",
            )
        runs.finish(info.id, result, sentence)
    return Finished(runs.run(info.id), verdicts, table)


def undecided(verdict: Verdict, result: Result, sentence: str) -> Verdict:
    """A verdict that decides nothing, for the reason in the sentence."""
    models = tuple(replace(model, result=result, sentence=sentence) for model in verdict.models)
    return replace(verdict, result=result, sentence=sentence, models=models)


def without_judges(
    project: Project, prepared: PreparedSuite, runs: RunStore, run: str, verdicts: tuple[Verdict, ...]
) -> tuple[Verdict, ...]:
    """The verdicts, where there is none for want of judges with that reason."""
    reasons = runs.unjudged_reasons(run)
    if not reasons:
        return verdicts
    if next(iter(reasons)) == ADVISORY:
        folder = shlex.quote(project.shown(prepared.suite.folder))
        why = f"{ADVISORY}; `promptbench agree {folder} --labels FILE` records whether they may count"
    else:
        count = sum(reasons.values())
        answers = "1 answer is" if count == 1 else f"{count} answers are"
        why = f"{answers} without a judge's verdict; `{runs.run(run).facts['command']}` asks for it again"
    sentence = f"NO VERDICT about the prompt: {why}"
    return tuple(
        undecided(item, item.result, sentence) if item.result is Result.NO_VERDICT else item for item in verdicts
    )


def judge_all(
    prepared: PreparedSuite, table: Table, *, asked_all: bool, earlier: Earlier | None = None
) -> tuple[Verdict, ...]:
    """A verdict for each candidate, the best first. What is in production is held against its `earlier` answers."""
    models, cases, policy = gated_models(prepared), case_infos(prepared), policy_of(prepared)
    verdicts = judge_candidates(
        table,
        champion=prepared.champion.hash if prepared.champion else None,
        candidates=[candidate.hash for candidate in prepared.candidates],
        models=models,
        cases=cases,
        policy=policy,
        asked_all=asked_all,
        drifts=earlier.drifts(table, [model.name for model in models], cases, policy) if earlier else {},
    )
    return tuple(sorted(verdicts, key=lambda item: (_BEST_FIRST.index(item.result), -_answers(item))))


def _answers(verdict: Verdict) -> float:
    return min((model.candidate.answers or 0.0 for model in verdict.models), default=0.0)


@dataclass(frozen=True, slots=True)
class _End:
    """How asking ended: `complete` when all was asked, `stopped` by the user, `spent` at the end of a budget."""

    complete: bool
    stopped: bool
    spent: str | None = None


def _ask(
    project: Project,
    prepared: PreparedSuite,
    runs: RunStore,
    info: RunInfo,
    prices: Prices,
    budgets: Sequence[Budget],
    pacers: Mapping[str, Pacer],
    cache: Cache | None,
    table: Table,
    listen: Listener,
    trial: Trial,
) -> _End:
    """Asks what has no answer in the table."""

    def heard(event: Event) -> None:
        if isinstance(event, AttemptDone):
            table.add(event.attempt)
        listen(event)

    async def main() -> _End:
        asyncio.get_running_loop().set_default_executor(leaving.DaemonThreads())
        gateway = gateway_of(project, prepared.reachable, prices, budgets, pacers, listen, cache)
        record = _Record(runs, info.id, project.secrets, same_judges(prepared))
        covered, unjudged = runs.covered(info.id), runs.unjudged(info.id)
        runner = Runner(prepared, gateway, record, heard, covered, unjudged)
        try:
            more = _more(prepared, table, trial)
            complete = await run_rounds(runner, prepared, repeats_of(prepared), table.answered, more, listen)
        finally:
            await gateway.close(leaving.patience())
        return _End(complete, runner.stopped, runner.spent)

    try:
        return asyncio.run(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _End(complete=False, stopped=True)
    except BaseExceptionGroup as group:
        raise first_error(group) from group


def gateway_of(
    project: Project,
    models: Iterable[PreparedModel],
    prices: Prices,
    budgets: Sequence[Budget],
    pacers: Mapping[str, Pacer],
    listen: Listener,
    cache: Cache | None = None,
) -> Gateway:
    """The way to some models, as the settings want it."""
    values = project.settings.values
    return Gateway(
        {model.name: model.provider for model in models},
        retries=values.retries,
        concurrency=values.concurrency,
        patience=values.outage_minutes * 60,
        price=prices.cost,
        bill=prices.of_tokens,
        budgets=budgets,
        pacers=pacers,
        cache=cache,
        notice=lambda text: listen(Notice(text)),
    )


def same_judges(prepared: PreparedSuite) -> frozenset[str]:
    """The judges that always answer the same to the same."""
    found: set[str] = set()
    for check in prepared.judged_checks:
        config = JUDGE_DEFAULTS if check.config is None else check.config
        found |= {str(ref) for ref in check.judges if prepared.judges[str(ref)].model.provider.deterministic(config)}
    return frozenset(found)


def plan_hash(prepared: PreparedSuite, cache: CacheMode) -> str:
    """What a run is resumed by; with the cache another than without, so that no run goes on with answers from it."""
    return prepared.plan_hash if cache is CacheMode.OFF else digest([prepared.plan_hash, cache.value])


def _cache(
    project: Project, prepared: PreparedSuite, runs: RunStore, mode: CacheMode, listen: Listener
) -> Cache | None:
    """The cache of a run that uses it. Another version of this program may ask, or read an answer, in another way."""
    if mode is CacheMode.OFF:
        return None
    shapes = {model.name: [__version__, model.shaped_by] for model in prepared.reachable if model.shaped_by is not None}
    for model in prepared.reachable:
        if model.name not in shapes:
            listen(Notice(f"no answer of {model.name} is cached: not all that shapes them is known"))
    return Cache(mode, runs.cache(), shapes, project.secrets)


def pacers_of(project: Project, prepared: PreparedSuite, known: dict[str, Pacer] | None) -> dict[str, Pacer]:
    """A pacer for each model that is asked over a network; a limit by model wins over one by provider."""
    limits = project.settings.values.limits
    pacers = {} if known is None else known
    for model in prepared.reachable:
        if model.name in pacers or model.local or model.ref.provider == "recorded":
            continue
        found = limits.get(model.name) or limits.get(model.ref.provider)
        pacers[model.name] = Pacer(found.by_kind() if found else None)
    return pacers


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@dataclass(frozen=True, slots=True)
class _Record:
    """One run's place in the record. What an answer repeats of the environment's secrets stays out of it."""

    runs: RunStore
    run: str
    secrets: Secrets
    same_judges: frozenset[str]

    def add(self, attempts: Iterable[tuple[Attempt, bool]]) -> None:
        self.runs.add(self.run, [(self._masked(attempt), same) for attempt, same in attempts], self.same_judges)

    def attempt(self, key: AttemptKey) -> Attempt | None:
        return self.runs.attempt(self.run, key)

    def judged(self, request_hash: str) -> Answer | None:
        return self.runs.judged(self.run, request_hash)

    def _masked(self, attempt: Attempt) -> Attempt:
        answer = self.secrets.mask_answer(attempt.answer) if attempt.answer else None
        scores = tuple(replace(score, reason=self.secrets.mask(score.reason)) for score in attempt.scores)
        tries = tuple(replace(failed, message=self.secrets.mask(failed.message)) for failed in attempt.failed_tries)
        judgings = tuple(self._masked_judging(judging) for judging in attempt.judgings)
        if answer is attempt.answer and scores == attempt.scores and not (attempt.error or tries or judgings):
            return attempt
        error = self.secrets.mask(attempt.error) if attempt.error else None
        return replace(attempt, answer=answer, error=error, scores=scores, failed_tries=tries, judgings=judgings)

    def _masked_judging(self, judging: Judging) -> Judging:
        answer = self.secrets.mask_answer(judging.answer) if judging.answer else None
        return replace(judging, answer=answer, error=self.secrets.mask(judging.error) if judging.error else None)


def _more(prepared: PreparedSuite, table: Table, trial: Trial) -> More:
    """What a trial wants asked again, of models that do not always answer the same."""
    models = {model.name: model for model in prepared.models}
    variants = {variant.hash: variant for variant in prepared.variants}

    def more() -> tuple[int, Iterable[Task]]:
        keys = trial.wanted(table)
        tasks = (Task(variants[key.variant], models[key.model], prepared.cases[key.case], key.repeat) for key in keys)
        return len(keys), tasks

    return more


def _wanted(prepared: PreparedSuite, table: Table) -> Collection[AttemptKey]:
    """The attempts that the gate still wants; those of the champion are wanted by every candidate, and made once."""
    keys: dict[AttemptKey, None] = {}
    if prepared.champion is None:
        return keys
    for gated in gated_models(prepared):
        if gated.deterministic:
            continue
        for candidate in prepared.candidates:
            wants = wanted(
                table, prepared.champion.hash, candidate.hash, gated.name, case_infos(prepared), policy_of(prepared)
            )
            for want in wants:
                have = table.cell(want.variant, gated.name, want.case)
                missing = (repeat for repeat in range(want.repeats) if not have.made(repeat))
                keys.update((AttemptKey(want.variant, gated.name, want.case, repeat), None) for repeat in missing)
    return keys


def prices_of(project: Project, prepared: PreparedSuite) -> Prices:
    """The prices of the models of a bench. Raises InputError on a price file that cannot be read."""
    values, environ = project.settings.values, project.environ
    addresses: dict[str, str] = {}
    behind: dict[str, str] = {}
    for provider in {model.ref.provider for model in prepared.reachable}:
        options = values.providers.get(provider, {})
        address = options.get("base_url") or environ.get(f"{provider.upper()}_BASE_URL", "").strip()
        if address:
            addresses[provider] = str(address)
        behind |= {f"{provider}/{name}": str(model) for name, model in options.get("deployments", {}).items()}
    local = frozenset(model.name for model in prepared.reachable if model.local)
    file = PriceFile.read(project.settings.root / values.prices) if values.prices else None
    return Prices(Market(addresses, local, values.machine_price_per_hour, behind), file)


def _facts(project: Project, prepared: PreparedSuite, asked: Asked, prices: Prices) -> dict[str, object]:
    return {
        "command": asked.command,
        "selection": dict(asked.selection),
        "cache": asked.cache.value,
        **what_is_asked(project, prepared),
        "machine_price_per_hour": project.settings.values.machine_price_per_hour,
        "prices": prices.facts(),
        "models": [
            {
                "model": model.name,
                "uses_prompt": model.uses_prompt,
                "gated": model.gated,
                "deterministic": prepared.deterministic(model),
            }
            for model in prepared.models
        ],
    }


def what_is_asked(project: Project, prepared: PreparedSuite) -> dict[str, object]:
    """The facts that a promotion compares with the suite as it is then."""
    return {
        "path": project.shown(prepared.suite.path),
        "suite_hash": prepared.suite_hash,
        "checks_hash": prepared.checks_hash,
        "ladder": LADDER,
        "accept": prepared.accept.value,
        "policy": policy_of(prepared).as_dict(),
        "partial": prepared.partial or prepared.shard is not None,
        **({"shard": prepared.shard, "whole_plan": prepared.whole_plan} if prepared.shard is not None else {}),
    }
