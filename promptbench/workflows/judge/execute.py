"""Make the run of a suite: call its models, record their answers, judge them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING

from promptbench import __version__
from promptbench.core.canonical import digest
from promptbench.core.clock import today
from promptbench.core.errors import Interrupted
from promptbench.core.events import AttemptDone, Event, Listener, MoreWanted, Notice, RunStarted
from promptbench.core.types import AttemptKey, CacheMode, Request
from promptbench.core.words import number_of
from promptbench.engine.attempts import Attempts, More
from promptbench.engine.plan import Repeats, Task, confirmation, first_round_size
from promptbench.engine.prepare.prepared_suite import PreparedModel, PreparedSuite
from promptbench.engine.runner import Engine
from promptbench.engine.scoring import ADVISORY
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.candidates import judge_candidates
from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.judge import GatedModel, Result, Verdict
from promptbench.gate.policy import CRITICAL_REPEATS, Policy, TagPolicy
from promptbench.gate.trial import NO_RECORD, RULE, LookRecord
from promptbench.gateway import Budget, Cache, Gateway, Market, PriceFile, Prices, RateLimiter, Reply
from promptbench.project import Project
from promptbench.prompts.chain import unverified
from promptbench.store.run_cases import RunCase
from promptbench.store.runs import SHARD, RunInfo, RunStore, RunVariant
from promptbench.workflows.judge.baseline import ProductionBaseline
from promptbench.workflows.judge.batches import BatchRounds
from promptbench.workflows.judge.blame import make_swaps
from promptbench.workflows.judge.cluster import placed_models
from promptbench.workflows.judge.determinism import CASES_TO_CONFIRM, as_confirmed, same_judges
from promptbench.workflows.judge.looks import RunLooks, record_of, run_to_continue
from promptbench.workflows.judge.run_record import RunRecord
from promptbench.workflows.judge.shutdowns import watch

if TYPE_CHECKING:
    from promptbench.workflows.judge.comparison_sides import Pairing

_MERGE = "`promptbench runs merge` judges all shards together"
_BEST_FIRST = (Result.PASS, Result.INCONCLUSIVE, Result.FAIL, Result.NO_VERDICT)


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """The run of one suite with its verdicts, the best candidate's first."""

    prepared: PreparedSuite
    info: RunInfo
    verdicts: tuple[Verdict, ...]
    table: AttemptMatrix
    record: LookRecord = NO_RECORD

    @property
    def verdict(self) -> Verdict:
        return self.verdicts[0]


def policy_of(prepared: PreparedSuite) -> Policy:
    """Return the suite's `gate:` as a policy."""
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
    """Return the tries per case in the first round of a run."""
    policy = policy_of(prepared)
    return Repeats(policy.repeats, policy.screen(critical=True))


def case_infos(prepared: PreparedSuite, names: Iterable[str] | None = None) -> list[CaseInfo]:
    """Return the cases as the gate knows them, all or those with these names."""
    cases, day = prepared.cases, today()
    infos = []
    for name in cases.names if names is None else names:
        tags = tuple(tag for tag, names in cases.tagged.items() if name in names)
        apart = cases.quarantined.get(name)
        review_by = apart.review_by if apart else ""
        cluster = cases.clusters.get(name, "")
        until = (review_by, "" < review_by < day)
        infos.append(CaseInfo(name, name in cases.critical, tags, cluster, *until, *cases.terms(name)))
    return infos


def run_cases(prepared: PreparedSuite) -> Iterator[RunCase]:
    """Yield the cases for the record of a run."""
    names = [item.name for item in fields(CaseInfo) if item.name != "name"]
    for info, content in zip(case_infos(prepared), prepared.cases.contents, strict=True):
        yield RunCase(info.name, content, {name: value for name in names if (value := getattr(info, name))})


def gated_models(prepared: PreparedSuite) -> list[GatedModel]:
    """Return the models that must pass."""
    gated = ((model, prepared.deterministic(model)) for model in prepared.models if model.gated)
    confirmed = prepared.confirmed
    return [GatedModel(it.name, same, same and confirmed.get(it.name) is True, it.facts) for it, same in gated]


def table_of(prepared: PreparedSuite, runs: RunStore, run: str, *, answered: bool = False) -> AttemptMatrix:
    """Return the outcomes of a recorded run, as far as the gate needs them; `answered` as for `RunStore.outcomes`."""
    measured = policy_of(prepared).measured
    return AttemptMatrix.of(runs.outcomes(run, answered=answered), prepared.cases.numbers, measured=measured)


def execute(
    project: Project,
    prepared: PreparedSuite,
    runs: RunStore,
    listen: Listener,
    *,
    command: str,
    selection: Mapping[str, Sequence[str]],
    cache: CacheMode = CacheMode.OFF,
    budgets: Sequence[Budget] = (),
    limiters: dict[str, RateLimiter] | None = None,
    concurrency: int | None = None,
    earlier: ProductionBaseline | None = None,
    pairings: Sequence[Pairing] = (),
    ends: bool = True,
    champions: Sequence[str] = (),
    blame: bool = False,
    by_batch: bool = False,
    wait: bool = True,
) -> JudgedRun:
    """Make the run of one suite, or resume an interrupted one, and judge it. If a budget ends, nothing is decided.

    Args:
        command: the command that repeats the run.
        selection: what the command selects of the suite, by flag.
        limiters: those of earlier suites, so that the known rate limits stay known.
        concurrency: calls at once to each model, by default those of the settings.
        earlier: earlier answers of the production version, to notice drift.
        pairings: judge these comparisons, in this order, instead of the candidates by the gate.
        ends: False to keep the run open, so that the same command resumes what follows it.
        champions: the production versions whose looks are counted together, by default the present one.
        blame: make swaps after the verdict, to find the step of a chain that broke a case.
        by_batch: ask models by batch where their provider has a batch API.
        wait: False to end when the batches are sent.

    Raises:
        EnvironmentFailure: batches are not waited for, or cannot be; the same command continues.
        Interrupted: the user stops the run; the answers until then are on record.
    """
    prices = prices_of(project, prepared.reachable)
    # A comparison makes calls that a trial of candidates may make too, and must not pass for one.
    # Nor may one prompt of a case be asked by batch and the other live.
    kinds = {"compared": pairings, "redacted": project.secrets.redacts, "batch": by_batch}
    plan = plan_hash(prepared, cache, RULE, *filter(kinds.get, kinds))
    if not pairings:
        _continue(prepared, runs, plan, champions, listen)
    info, _ = runs.start(
        plan,
        prepared.suite.name,
        prepared.prompt_name,
        _facts(project, prepared, prices, runs, command, selection, cache),
        [RunVariant(item.hash, item.side, item.label, item.prompt.source) for item in prepared.by_hash.values()],
        __version__,
    )
    runs.cases().keep(info.id, run_cases(prepared))
    # Attempts that got no answer are made again: the report must not mix their errors with those of this time.
    if count := runs.forget_errors(info.id):
        listen(Notice(f"{number_of(count, 'attempt')} without an answer will be made again"))
    table = table_of(prepared, runs, info.id, answered=True)
    prepared = as_confirmed(prepared, runs, info, ended=False)
    size = first_round_size(prepared, repeats_of(prepared))
    listen(RunStarted(info.id, prepared.suite.name, size, table.answers()))

    def take(event: Event) -> None:
        if isinstance(event, AttemptDone):
            table.add(event.attempt)
        listen(event)

    batches = BatchRounds(project, runs.batches(), info.id, command, prices, budgets, listen, wait=wait)
    gateway = gateway_of(
        project,
        placed_models(project, prepared),
        prices,
        budgets,
        limiters_of(project, prepared, limiters),
        listen,
        _cache(project, prepared, runs, cache, listen),
        concurrency,
        batches.reply,
    )
    record = RunRecord(runs, info.id, project.secrets, same_judges(prepared), prepared.own_names)
    warn_of_shutdowns = watch(project, (model.ref for model in prepared.reachable), lambda text: listen(Notice(text)))
    with Engine(gateway, listen) as engine:
        known = (runs.covered(info.id), runs.unjudged(info.id), table.answering())
        for number in range(CASES_TO_CONFIRM if prepared.unconfirmed else 0):
            attempts = Attempts(prepared, engine, record, take, *known)
            repeated = attempts.open(confirmation(prepared, number, info.id), table.answered)
            engine.run(repeated, attempts, attempts.workers)
            prepared = as_confirmed(prepared, runs, info, ended=number + 1 == CASES_TO_CONFIRM)
        listen(MoreWanted(first_round_size(prepared, repeats_of(prepared)) - size))
        pairings = [pairing.confirmed(prepared) for pairing in pairings]
        looks = looks_of(prepared, runs, info, champions)
        attempts = Attempts(prepared, engine, record, take, *known)
        more = _more(prepared, table, partial(_wanted, pairings, info.id) if pairings else looks.wanted)
        with batches.asking(prepared, engine, by_batch=by_batch) as fetch:
            for tasks in attempts.rounds(repeats_of(prepared), table.answered, more, info.id, fetch):
                engine.run(tasks, attempts, attempts.workers)
        prepared = as_confirmed(prepared, runs, info)
        pairings = [pairing.confirmed(prepared) for pairing in pairings]
        verdicts = (
            tuple(item.judge(item.joint(table, table), asked_all=attempts.complete) for item in pairings)
            if pairings
            else judge_all(prepared, table, asked_all=attempts.complete, earlier=earlier, record=looks.record)
        )
        for why in attempts.rejecting.values() if verdicts[0].result is Result.NO_VERDICT else ():
            verdicts = tuple(undecided(item, item.result, f"{item.sentence}; {why}") for item in verdicts)
        stopped = _why_stopped(prepared, engine)
        verdicts = (
            tuple(undecided(item, Result.NO_VERDICT, f"NO VERDICT: {stopped}") for item in verdicts)
            if stopped
            else without_judges(project, prepared, runs, info, verdicts)
        )
        judged = JudgedRun(prepared, info, verdicts, table, NO_RECORD if pairings else looks.record)
        if blame and judged.verdict.result is not Result.NO_VERDICT:
            make_swaps(prepared, judged.verdict, engine, record, listen)
    warn_of_shutdowns()
    if engine.stopped:
        raise Interrupted(f"stopped; {table.answers()} answers are on record", hint=f"`{command}` resumes the run")
    judged = finish(runs, judged) if ends else judged
    if not pairings and judged.verdict.result is not Result.NO_VERDICT:
        looks.finish(verdicts)
    return judged


def _wanted(pairings: Sequence[Pairing], seed: str, table: AttemptMatrix) -> Collection[AttemptKey]:
    """Return the further attempts that comparisons need, each once."""
    return dict.fromkeys(key for pairing in pairings for key in pairing.wanted(table, seed)).keys()


def _why_stopped(prepared: PreparedSuite, engine: Engine) -> str:
    """Return why no verdict is possible although there may be enough answers; empty if one is.

    A service that changed was two versions during the run, even if only its last answer shows it.
    """
    if engine.spent is not None:
        return f"stopped at the budget: {engine.spent}; the same command resumes it"
    services = any(unverified(item.prompt.content) for item in prepared.variants)
    return next(iter(engine.gateway.disabled.values()), "") if services else ""


def _continue(prepared: PreparedSuite, runs: RunStore, plan: str, champions: Sequence[str], listen: Listener) -> None:
    """Reopen the newest run of the plan if it ended without a PASS and more tries of it may decide."""
    info = run_to_continue(runs, plan, policy_of(prepared))
    if info is None or prepared.champion is None or prepared.shard is not None:
        return
    looks = looks_of(as_confirmed(prepared, runs, info), runs, info, champions)
    calls = looks.continuation(table_of(prepared, runs, info.id))
    if calls and runs.reopen(info.id):
        looks.resume(calls)
        listen(Notice(f"continues run {info.id}, which ended {info.result}: its tries are pooled with new ones"))


def looks_of(prepared: PreparedSuite, runs: RunStore, info: RunInfo, champions: Sequence[str] = ()) -> RunLooks:
    """Return the looks of a run on its models that are not deterministic; `champions` as for `execute`."""
    models = [model for model in gated_models(prepared) if not model.deterministic]
    counted = champions or ([prepared.champion.hash] if prepared.champion else [])
    # Without production to compare with there are no looks, and of the cases nothing is kept for them.
    record, cases = record_of(runs, info), case_infos(prepared) if prepared.champion else []
    return RunLooks(runs, info.id, prepared, models, cases, policy_of(prepared), counted, record)


def finish(runs: RunStore, judged: JudgedRun) -> JudgedRun:
    """Record the verdict. A run without one stays open, so that its command resumes it."""
    prepared, result, sentence = judged.prepared, judged.verdict.result, judged.verdict.sentence
    # With more shards than cases some have nothing to call.
    if result is not Result.NO_VERDICT or (prepared.shard is not None and not prepared.cases):
        if prepared.shard is None:
            runs.finish(judged.info.id, result.value, sentence)
        else:
            cases = number_of(len(prepared.cases), "case")
            runs.finish(judged.info.id, SHARD, f"{SHARD} {prepared.shard}: {cases} run; {_MERGE}")
    return replace(judged, info=runs.run(judged.info.id))


def undecided(verdict: Verdict, result: Result, sentence: str) -> Verdict:
    """Return a verdict that decides nothing, for the reason in the sentence."""
    models = tuple(replace(model, result=result, sentence=sentence) for model in verdict.models)
    return replace(verdict, result=result, sentence=sentence, models=models)


def without_judges(
    project: Project, prepared: PreparedSuite, runs: RunStore, info: RunInfo, verdicts: tuple[Verdict, ...]
) -> tuple[Verdict, ...]:
    """Return the verdicts; if there is none because judges are missing, with that reason."""
    reasons = runs.unjudged_reasons(info.id)
    if not reasons:
        return verdicts
    if next(iter(reasons)) == ADVISORY:
        folder = shlex.quote(project.shown(prepared.suite.folder))
        why = f"{ADVISORY}; `promptbench suite agreement {folder} --labels FILE` records whether they may count"
    else:
        answers = number_of(sum(reasons.values()), "answer")
        why = f"{answers} without a judge's verdict; `{info.facts['command']}` requests it again"
    return tuple(
        undecided(item, item.result, f"NO VERDICT: {why}") if item.result is Result.NO_VERDICT else item
        for item in verdicts
    )


def judge_all(
    prepared: PreparedSuite,
    table: AttemptMatrix,
    *,
    asked_all: bool | None,
    earlier: ProductionBaseline | None = None,
    record: LookRecord = NO_RECORD,
) -> tuple[Verdict, ...]:
    """Return a verdict for each candidate, the best first. Production is compared with its `earlier` answers."""
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
        record=record,
    )

    def rank(verdict: Verdict) -> tuple[int, float]:
        rates = (model.candidate.answers or 0.0 for model in verdict.models)
        return _BEST_FIRST.index(verdict.result), -min(rates, default=0.0)

    return tuple(sorted(verdicts, key=rank))


def gateway_of(
    project: Project,
    models: Iterable[PreparedModel],
    prices: Prices,
    budgets: Sequence[Budget],
    limiters: Mapping[str, RateLimiter],
    listen: Listener,
    cache: Cache | None = None,
    concurrency: int | None = None,
    batched: Callable[[Request], Reply | None] = lambda request: None,
) -> Gateway:
    """Return the gateway to some models, as configured in the settings, where `concurrency` may be given instead."""
    values = project.settings.values
    return Gateway(
        {str(model.ref): model.provider for model in models},
        retries=values.retries,
        concurrency=concurrency or values.concurrency,
        patience=values.outage_minutes * 60,
        price=prices.cost,
        bill=prices.of_tokens,
        budgets=budgets,
        limiters=limiters,
        cache=cache,
        batched=batched,
        notice=lambda text: listen(Notice(text)),
    )


def plan_hash(prepared: PreparedSuite, cache: CacheMode, rule: int = RULE, *kinds: str) -> str:
    """Return the hash by which a run is resumed: of the plan, the ladder, the gate's rule, the cache, and `kinds`."""
    return digest([prepared.plan_hash, prepared.ladder.hash, rule, cache.value, *kinds])


def _cache(
    project: Project, prepared: PreparedSuite, runs: RunStore, mode: CacheMode, listen: Listener
) -> Cache | None:
    """Return the cache of a run, None if it is off. Its keys contain our version: another may differ in requests."""
    if mode is CacheMode.OFF:
        return None
    models = {str(model.ref): model.shaped_by for model in prepared.reachable}
    shapes = {name: [__version__, shape] for name, shape in models.items() if shape is not None}
    for name in models:
        if name not in shapes:
            listen(Notice(f"answers of {name} are not cached: not everything that shapes them is known"))
    return Cache(mode, runs.cache(), shapes, project.secrets)


def limiters_of(
    project: Project, prepared: PreparedSuite, known: dict[str, RateLimiter] | None
) -> dict[str, RateLimiter]:
    """Return a rate limiter for each remote model and each with a limit; one by model wins over one by provider."""
    limits = project.settings.values.limits
    limiters = {} if known is None else known
    for model in prepared.reachable:
        name = str(model.ref)
        found = limits.get(name) or limits.get(model.ref.provider)
        if name in limiters or model.replays or (model.local and found is None):
            continue
        per_minute = found.by_kind() if found else None
        limiters[name] = RateLimiter(per_minute, share=prepared.shard.share if prepared.shard else float)
    return limiters


def _more(
    prepared: PreparedSuite, table: AttemptMatrix, wanted: Callable[[AttemptMatrix], Collection[AttemptKey]]
) -> More:
    """Return a function that returns the next round: the attempts that a verdict still needs."""
    models = {model.name: model for model in prepared.models}
    variants = {variant.hash: variant for variant in prepared.variants}

    def task(key: AttemptKey) -> Task:
        return Task(variants[key.variant], models[key.model], prepared.cases[key.case], key.repeat)

    def more() -> tuple[int, Callable[[], Iterable[Task]]]:
        keys = wanted(table)
        return len(keys), lambda: map(task, keys)

    return more


def prices_of(project: Project, models: Sequence[PreparedModel]) -> Prices:
    """Return the prices of models. Raises InputError if the price file is invalid."""
    values = project.settings.values
    market = Market(
        {model.ref.provider: model.billing.address for model in models if model.billing.address},
        frozenset(str(model.ref) for model in models if model.local),
        values.machine_price_per_hour,
        {str(model.ref): model.billing.model for model in models if model.billing.model},
        frozenset(str(model.ref) for model in models if model.replays),
    )
    file = PriceFile.read(project.settings.root / values.prices) if values.prices else None
    return Prices(market, file)


def _facts(
    project: Project,
    prepared: PreparedSuite,
    prices: Prices,
    runs: RunStore,
    command: str,
    selection: Mapping[str, Sequence[str]],
    cache: CacheMode,
) -> dict[str, object]:
    watched = runs.looks().watched(prepared.suite.name, prepared.champion.hash) if prepared.champion else {}
    return {
        "rule": RULE,
        **({"watched": watched} if watched else {}),
        **({"redacted": True} if project.secrets.redacts else {}),
        "command": command,
        "selection": dict(selection),
        "cache": cache.value,
        **suite_facts(project, prepared),
        "machine_price_per_hour": project.settings.values.machine_price_per_hour,
        "prices": prices.facts(),
        "models": [
            {
                "model": model.name,
                "uses_prompt": model.uses_prompt,
                "gated": model.gated,
                "deterministic": prepared.deterministic(model),
                **({"confirms": True} if model in prepared.unconfirmed else {}),
                **model.facts,
            }
            for model in prepared.models
        ],
    }


def suite_facts(project: Project, prepared: PreparedSuite) -> dict[str, object]:
    """Return the facts of a run that a promotion compares with the suite as it is then."""
    return {
        "path": project.shown(prepared.suite.path),
        "suite_hash": prepared.suite_hash,
        "checks_hash": prepared.checks_hash,
        "ladder": prepared.ladder.hash,
        "repairs": prepared.ladder.named_rules(),
        "accept": prepared.accept.value,
        "policy": policy_of(prepared).as_dict(),
        "partial": prepared.partial or prepared.shard is not None,
        **({"shard": str(prepared.shard), "whole_plan": prepared.whole_plan} if prepared.shard is not None else {}),
    }
