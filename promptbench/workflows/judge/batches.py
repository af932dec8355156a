"""Answers by batch: what a round asks is sent as files, and the round is run again with the answers.

The first pass over a round collects the requests, because `reply` stops each that has no answer yet; `fetch` sends
them and waits; the next pass finds their answers. So everything behind the gateway is the same as with single calls.
Requests that follow from answers, of judges and of later steps, are collected by that pass in turn.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import chain

from promptbench.checks._nested import with_nested
from promptbench.core.canonical import digest
from promptbench.core.errors import Code, ConflictError, Diagnostics, EnvironmentFailure, InputError
from promptbench.core.events import Listener, Notice
from promptbench.core.plugins import module_name
from promptbench.core.protocols import BatchApi, BatchLine, Provider
from promptbench.core.types import FailedTry, FailureKind, ModelRef, ProviderFailure, Request
from promptbench.core.words import number_of
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.runner import Engine
from promptbench.gateway import Budget, Prices, Reply, Stopped
from promptbench.project import Project, input_error
from promptbench.store.batches import Batches, StoredBatch
from promptbench.suite.models import WrittenCheck
from promptbench.text.tokens import estimate
from promptbench.workflows.judge.shutdowns import ask_provider

_LONGEST_POLL = 300.0  # seconds
_LATER = (FailureKind.TRANSIENT, FailureKind.RATE_LIMIT)

Line = tuple[str, bytes, float]  # The key of a request, its line, and the US dollars that it may cost.


def batch_apis(prepared: PreparedSuite) -> dict[str, BatchApi]:
    """Return the batch APIs of a suite's models and judges, by reference. Fallbacks are for an outage, so never here.

    A model that is declared deterministic is called once, and live.
    """
    live = {model.ref for model in prepared.models if prepared.deterministic(model)}
    judges = (judge.model for judge in prepared.judges.values())
    models = [model for model in (*prepared.models, *prepared.step_models.values(), *judges) if model.ref not in live]
    return {str(model.ref): api for model in models if (api := model.provider.batch())}


def batched_models(project: Project, prepared: PreparedSuite, sizes: Mapping[str, int]) -> dict[str, str]:
    """Return the references, by name, of the models and judges whose first round, of these sizes, goes by batch.

    A judge that is also a model of the suite is called as the model is.
    """
    apis, least = batch_apis(prepared), project.settings.values.batch_min
    refs = {str(ref): str(ref) for check in prepared.judged_checks if not check.embeds for ref in check.judges}
    refs |= {it.name: str(it.ref) for it in prepared.models}
    return {name: ref for name, ref in refs.items() if ref in apis and sizes[name] >= least}


# What a batch cannot tell about a call, and why.
_NOT_BY_BATCH = {
    "latency": "the time of a call is unknown",
    "latency_ratio": "the time of a call is unknown",
    "cost": "a call costs half of what it costs in production",
}


def check_batch(prepared_suites: Sequence[PreparedSuite], *, wait: bool = True) -> None:
    """Raise InputError for a suite that cannot be judged by batch, before anything is sent."""
    found = Diagnostics()
    for suite in (prepared.suite for prepared in prepared_suites):
        written: list[WrittenCheck] = [*suite.checks, *(check for step in suite.steps for check in step.checks)]
        for case in suite.cases.scan(Diagnostics()):
            written += [*case.checks, *(check for turn in case.turns for check in turn.checks)]
        places = [
            (name, it.where.location(key=True)) for it in written for name, _ in with_nested(it.name, it.argument)
        ]
        ratio = ("latency_ratio", suite.location(("gate", "latency_ratio"), key=True))
        places += [ratio] if suite.gate.latency_ratio is not None else []
        for name, location in places:
            if (why := _NOT_BY_BATCH.get(module_name(name))) is not None:
                found.add(
                    Code.NOT_BY_BATCH,
                    f"'{name.replace('_', ' ')}' cannot be judged by batch: {why}",
                    location,
                    hint="run the suite without --batch",
                )
    if found.errors:
        raise input_error(found)
    if not wait and len(prepared_suites) > 1:
        raise InputError("--no-wait takes one suite", hint="write a command for each suite")


def cancel_batches(project: Project, run: str) -> dict[str, str]:
    """Cancel the batches of a run at their providers, and return their models by id.

    What they have answered is read when the run resumes. Raises ConflictError if a process holds the run, and
    EnvironmentFailure if a provider refuses.
    """

    async def cancel(batch: str, provider: Provider) -> None:
        if (api := provider.batch()) is not None:
            await api.cancel(batch)

    with project.recorded() as runs:
        name = runs.run(run).id
        if not runs.hold(name):
            hint = "press Ctrl-C where it runs, then cancel its batches"
            raise ConflictError(f"run {name} is in progress", hint=hint)
        batches = {batch.remote_id: batch.model for batch in runs.batches().unread(name) if batch.remote_id}
        try:
            for batch, model in batches.items():
                ask_provider(project, ModelRef.parse(model), partial(cancel, batch))
        except ProviderFailure as failure:
            raise EnvironmentFailure(failure.message) from None
        return batches


class BatchRounds:
    """The batches of one run. `command` is the one that resumes it; without `wait` it ends when all is sent."""

    def __init__(
        self,
        project: Project,
        kept: Batches,
        run: str,
        command: str,
        prices: Prices,
        budgets: Sequence[Budget],
        listen: Listener,
        *,
        wait: bool,
    ) -> None:
        self._kept = kept
        self._run = run
        self._settings = project.settings.values
        self._prices = prices
        self._budgets = budgets
        self._notice: Callable[[str], None] = lambda text: listen(Notice(text))
        self._hint = f"`{command}` continues; `promptbench runs cancel {run}` cancels the batches"
        self._wait = wait
        self._apis: Mapping[str, BatchApi] = {}
        self._waiting: dict[str, dict[str, Line]] = {}  # by model and key
        self._refused: dict[str, ProviderFailure] = {}  # models whose batches are refused as a whole
        # Which models are called live in this round: all prompts of a case the same way.
        self._live: dict[str, bool] = {}

    @contextmanager
    def asking(self, prepared: PreparedSuite, engine: Engine, *, by_batch: bool) -> Iterator[Callable[[], bool]]:
        """Ask the models of a suite by batch inside of this context, which is `fetch` for the engine."""
        self._apis = batch_apis(prepared) if by_batch else {}
        for name in sorted({str(model.ref) for model in prepared.models} - self._apis.keys()) if by_batch else ():
            self._notice(f"{name} is called live, not by batch")
        yield partial(self.fetch, engine)
        self._apis = {}

    def reply(self, request: Request) -> Reply | None:
        """Return the reply in a batch, None if the request has to be sent. Raise Stopped if it waits for a batch."""
        api = self._apis.get(name := str(request.model))
        if api is None or request.stream or request.embeds:
            return None
        key = digest(request.as_dict()).removeprefix("sha256:")
        failures = [self._refused[name]] if name in self._refused else []
        for status, body, milliseconds in self._kept.lines(self._run, key):
            self._live.setdefault(name, False)
            try:
                answer = api.read(request, status, body)
            except ProviderFailure as failure:
                failures.append(failure)
                continue
            return Reply(
                answer,
                None,
                len(failures) + 1,
                _tries(failures),
                milliseconds,
                self._prices.cost(request.model, answer),
            )
        if failures and (failures[-1].kind not in _LATER or len(failures) > self._settings.retries):
            return Reply(None, failures[-1], len(failures), _tries(failures), 0.0)
        try:
            line = b"" if self._live.get(name) else api.line(key, request) + b"\n"
        except ProviderFailure:
            return None  # A single call fails for the same reason.
        if not 0 < len(line) <= api.max_bytes:
            return None
        usage = estimate(request.messages, request.params, request.tools)
        cost = self._prices.of_tokens(request.model, usage, by_batch=True)
        self._waiting.setdefault(name, {})[key] = (key, line, cost or 0.0)
        raise Stopped

    def fetch(self, engine: Engine) -> bool:
        """Fetch what the tasks of a round wait for. Return True if they have to be run again.

        Raises:
            EnvironmentFailure: the provider is unavailable, or is not waited for; the same command continues.
        """
        if self._waiting and not engine.halted:
            engine.wait(self._fetch())
            self._waiting = {}
            return not engine.halted
        self._live = {}
        return False

    async def _fetch(self) -> None:
        """Send what waits and is not under way, and look at the batches, until nothing waits."""
        under_way = self._kept.keys(self._run)
        for name, lines in self._waiting.items():
            new = [cost for key, _, cost in lines.values() if key not in under_way]
            if self._live.setdefault(name, len(new) == len(lines) < self._settings.batch_min):
                self._notice(f"{name}: {len(new):,} calls are made live, fewer than batch-min")
                lines.clear()
            for budget in self._budgets if lines and new else ():
                budget.take(sum(new), len(new))
        total = left = sum(map(len, self._waiting.values()))
        delay, heard = self._settings.batch_poll, time.monotonic()
        while left:
            done, sent = 0, ((batch, b"") for batch in self._kept.unread(self._run))
            for batch, content in chain(sent, self._planned()):
                try:
                    done += await self._advance(batch, content)
                    heard = time.monotonic()
                except ProviderFailure as failure:
                    # Without a reply to sending, it may have been accepted.
                    unsent = content and batch.remote_id is None and failure.kind is not FailureKind.TRANSIENT
                    silent = time.monotonic() - heard > self._settings.outage_minutes * 60
                    self._failed(batch, failure, refused=bool(unsent) or failure.refused == "batch", silent=silent)
            left = sum(map(len, self._waiting.values()))
            self._notice(f"{total - left + done:,} of {number_of(total, 'request')} by batch are done")
            if left and not self._wait:
                raise EnvironmentFailure(
                    f"NO VERDICT: {number_of(left, 'request')} by batch in progress", hint=self._hint
                )
            if left:
                for budget in self._budgets:
                    budget.check(delay, calls=0)
                await asyncio.sleep(delay)
                delay = min(delay * 1.5, max(_LONGEST_POLL, self._settings.batch_poll))

    def _planned(self) -> Iterator[tuple[StoredBatch, bytes]]:
        """Yield a batch to send, and its content, for each part of what waits and is not under way."""
        under_way = self._kept.keys(self._run)
        for name, lines in self._waiting.items():
            api = self._apis[name]
            new = [line for key, line in lines.items() if key not in under_way]
            for part in parts_of(new, min(api.max_lines, self._settings.batch_lines or api.max_lines), api.max_bytes):
                keys, texts, costs = zip(*part, strict=True)
                content = b"".join(texts)
                yield self._kept.plan(self._run, name, content, keys, sum(costs)), content

    async def _advance(self, batch: StoredBatch, content: bytes) -> int:
        """Send a batch that has a content, or find it, or store what came back.

        Return how many of its requests are done while it is in progress.
        """
        api, tag = self._apis[batch.model], f"{self._run}/{batch.part}/{batch.fingerprint[:16]}"
        if content:
            self._kept.accepted(batch, await api.send(content, tag))
            self._notice(f"{batch.model}: sent {batch.size:,} requests as batch {batch.part} ({batch.remote_id})")
        elif batch.remote_id is None:
            since = datetime.fromisoformat(batch.sent).timestamp()
            if time.time() - since < self._settings.batch_poll:
                return 0  # The provider's list of batches may be a moment behind.
            keys = self._kept.keys(self._run, batch.part)
            found = await api.find(tag, keys, since, self._kept.remote_ids())
            if found is None:
                self._kept.drop(batch)
                return 0
            self._kept.accepted(batch, found)
        done, lines = await api.look(batch.remote_id or "")
        if lines is None:
            return done
        self._end(batch, lines)
        return 0

    def _end(self, batch: StoredBatch, lines: Sequence[BatchLine]) -> None:
        self._settle(batch)
        self._kept.end(batch, lines)
        self._notice(f"{batch.model}: {len(lines):,} of {batch.size:,} answers of batch {batch.part} came back")

    def _settle(self, batch: StoredBatch) -> None:
        for key in self._kept.keys(self._run, batch.part):
            self._waiting.get(batch.model, {}).pop(key, None)

    def _failed(self, batch: StoredBatch, failure: ProviderFailure, *, refused: bool, silent: bool) -> None:
        """Decide what follows from a failed call about a batch. One that is `refused` was certainly not accepted."""
        later = failure.kind in _LATER
        gone = failure.status == 404 and batch.remote_id is not None  # or not there yet
        if refused and not later:
            self._refused[batch.model] = ProviderFailure(FailureKind.FATAL, failure.message)
            self._settle(batch)
            for budget in self._budgets:
                budget.take(-batch.estimate, -batch.size)
        elif failure.kind is FailureKind.RATE_LIMIT or ((gone or later) and not silent):
            self._notice(f"{failure.message}; trying again")
        elif gone:
            self._end(batch, ())
        else:
            raise EnvironmentFailure(f"NO VERDICT: {failure.message}", hint=self._hint)
        if refused:
            self._kept.drop(batch)


def parts_of(lines: Iterable[Line], most_lines: int, most_bytes: int) -> Iterator[list[Line]]:
    """Yield the lines in parts of at most this many lines and bytes. A longer line is a part of its own."""
    part, size = list[Line](), 0
    for line in lines:
        if part and (len(part) == most_lines or size + len(line[1]) > most_bytes):
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line[1])
    if part:
        yield part


def _tries(failures: Iterable[ProviderFailure]) -> tuple[FailedTry, ...]:
    return tuple(FailedTry(it.kind, it.message, it.status, 0.0) for it in failures)
