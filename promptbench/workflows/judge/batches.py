"""Answers by batch: what a round asks is sent as files, and the round is run again with the answers.

The first pass over a round collects the requests, because `reply` defers each that has no answer yet; `fetch` sends
them and waits; the next pass finds their answers. So everything behind the gateway is the same as with single calls.
Requests that follow from answers, of judges and of later steps, are collected by that pass in turn.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from promptbench.checks._nested import with_nested
from promptbench.core.canonical import digest
from promptbench.core.clock import now
from promptbench.core.errors import Code, ConflictError, Diagnostics, EnvironmentFailure, InputError
from promptbench.core.events import Listener, Notice
from promptbench.core.plugins import module_name
from promptbench.core.protocols import BatchApi, BatchLine
from promptbench.core.types import FailedTry, FailureKind, ModelRef, ProviderFailure, Request
from promptbench.core.words import number_of
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.runner import Engine
from promptbench.gateway import BATCH_SHARE, Budget, Deferred, Prices, Reply
from promptbench.project import Project, input_error
from promptbench.providers import provider_spec
from promptbench.store.batches import Batches, StoredBatch
from promptbench.suite.models import WrittenCheck
from promptbench.text.tokens import estimate

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


def batched_models(project: Project, prepared: PreparedSuite, sizes: Mapping[str, int]) -> set[str]:
    """Return the models of a suite whose first round, of these sizes, goes by batch."""
    apis, least = batch_apis(prepared), project.settings.values.batch_min
    return {it.name for it in prepared.models if str(it.ref) in apis and sizes[it.name] >= least}


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
        if suite.gate.latency_ratio is not None:
            places.append(("latency_ratio", suite.location(("gate", "latency_ratio"), key=True)))
        for name, location in places:
            if (why := _NOT_BY_BATCH.get(module_name(name))) is not None:
                message = f"'{name.replace('_', ' ')}' cannot be judged by batch: {why}"
                found.add(Code.NOT_BY_BATCH, message, location, hint="run the suite without --batch")
    if found.errors:
        raise input_error(found)
    if not wait and len(prepared_suites) > 1:
        raise InputError("--no-wait takes one suite", hint="write a command for each suite")


def cancel_batches(project: Project, run: str) -> dict[str, str]:
    """Cancel the batches of a run at their providers, and return their models by id.

    What they have answered is read when the run resumes. Raises ConflictError if a process holds the run, and
    EnvironmentFailure if a provider refuses.
    """

    async def cancel(model: ModelRef, batch: str) -> None:
        provider = provider_spec(model.provider).connect(model.name, project.provider_context(model.provider))
        try:
            if (api := provider.batch()) is not None:
                await api.cancel(batch)
        except ProviderFailure as failure:
            raise EnvironmentFailure(failure.message) from None
        finally:
            await provider.close()

    with project.recorded() as runs:
        name = runs.run(run).id
        if not runs.hold(name):
            hint = "press Ctrl-C where it runs, then cancel its batches"
            raise ConflictError(f"run {name} is in progress", hint=hint)
        batches = {batch.remote_id: batch.model for batch in runs.batches().unread(name) if batch.remote_id}
        for batch, model in batches.items():
            asyncio.run(cancel(ModelRef.parse(model), batch))
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
        self._folder = project.settings.state / "batches"
        self._settings = project.settings.values
        self._prices = prices
        self._budgets = budgets
        self._listen = listen
        self._hint = f"`{command}` continues; `promptbench runs cancel {run}` cancels the batches"
        self._wait = wait
        self._apis: Mapping[str, BatchApi] = {}
        self._waiting: dict[str, dict[str, Line]] = {}  # by model and key
        self._refused: dict[str, ProviderFailure] = {}  # models whose batches are refused as a whole
        # Which models are called live in this round: all prompts of a case the same way.
        self._live: dict[str, bool] = {}
        self._heard = 0.0  # when the provider last answered, in seconds of `time.monotonic`

    def _notice(self, text: str) -> None:
        self._listen(Notice(text))

    @contextmanager
    def asking(self, prepared: PreparedSuite, engine: Engine, *, by_batch: bool) -> Iterator[Callable[[], bool]]:
        """Ask the models of a suite by batch inside of this context, which is `fetch` for the engine."""
        self._apis = batch_apis(prepared) if by_batch else {}
        for name in sorted({str(model.ref) for model in prepared.models} - self._apis.keys()) if by_batch else ():
            self._notice(f"{name} is called live, not by batch")
        yield partial(self.fetch, engine)
        # Not after each round: a run that resumes passes the first ones at once, and needs the answers of later ones.
        if self._apis and not (engine.halted or engine.gateway.disabled):
            self._kept.clear(self._run)
        self._apis = {}

    def reply(self, request: Request) -> Reply | None:
        """Return the reply in a batch, None if the request has to be sent. Raise Deferred if it waits for a batch."""
        name, key = str(request.model), digest(request.as_dict()).removeprefix("sha256:")
        api = self._apis.get(name)
        if api is None or request.stream or request.embeds:
            return None
        failures = [self._refused[name]] if name in self._refused else []
        for status, body, milliseconds in self._kept.lines(self._run, key):
            self._live.setdefault(name, False)
            try:
                answer = api.read(request, status, body)
            except ProviderFailure as failure:
                failures.append(failure)
                continue
            cost = self._prices.cost(request.model, answer)
            return Reply(answer, None, len(failures) + 1, _tries(failures), milliseconds, cost)
        if failures and (failures[-1].kind not in _LATER or len(failures) > self._settings.retries):
            return Reply(None, failures[-1], len(failures), _tries(failures), 0.0)
        try:
            line = b"" if self._live.get(name) else api.line(key, request) + b"\n"
        except ProviderFailure:
            return None  # A single call fails for the same reason.
        if not 0 < len(line) <= api.max_bytes:
            return None
        usage = estimate(request.messages, request.params, request.tools)
        cost = self._prices.of_tokens(request.model, usage) or 0.0
        self._waiting.setdefault(name, {})[key] = (key, line, cost * BATCH_SHARE)
        raise Deferred

    def fetch(self, engine: Engine) -> bool:
        """Fetch what the tasks of a round wait for. Return True if they have to be run again.

        Raises:
            EnvironmentFailure: the provider is unavailable, or is not waited for; the same command continues.
        """
        if self._waiting and not engine.halted:
            engine.wait(self._fetch())
            return not engine.halted
        self._waiting, self._live = {}, {}
        return False

    async def _fetch(self) -> None:
        waiting, self._waiting = self._waiting, {}
        under_way = self._kept.keys(self._run)
        for name, lines in waiting.items():
            new = [line for key, line in lines.items() if key not in under_way]
            if self._live.setdefault(name, len(new) == len(lines) < self._settings.batch_min):
                self._notice(f"{name}: {len(new):,} calls are made live, fewer than batch-min")
                continue
            api = self._apis[name]
            for part in parts_of(new, min(api.max_lines, self._settings.batch_lines or api.max_lines), api.max_bytes):
                fingerprint = self._write(b"".join(line for _, line, _ in part))
                keys = [key for key, _, _ in part]
                self._kept.plan(self._run, name, fingerprint, keys, sum(cost for _, _, cost in part))
        delay, shown, self._heard = self._settings.batch_poll, "", time.monotonic()
        while batches := self._kept.unread(self._run):
            done = 0
            for batch in batches:
                try:
                    done += await self._advance(self._apis[batch.model], batch)
                    self._heard = time.monotonic()
                except ProviderFailure as failure:
                    self._failed(batch, failure)
            text = f"{done:,} of {number_of(sum(batch.size for batch in batches), 'request')} by batch are done"
            if text != shown:
                self._notice(shown := text)
            if left := self._kept.unread(self._run):
                if not self._wait:
                    size = number_of(sum(batch.size for batch in left), "request")
                    raise EnvironmentFailure(f"NO VERDICT: {size} by batch in progress", hint=self._hint)
                for budget in self._budgets:
                    budget.check(delay, calls=0)
                await asyncio.sleep(delay)
                delay = min(delay * 1.5, max(_LONGEST_POLL, self._settings.batch_poll))

    async def _advance(self, api: BatchApi, batch: StoredBatch) -> int:
        """Send a batch that is not sent, or store what came back. Return how many of its requests are done."""
        tag, path = f"{self._run}/{batch.part}/{batch.fingerprint[:16]}", self._path(batch.fingerprint)
        if batch.remote_id is None and batch.sent is not None:
            since = datetime.fromisoformat(batch.sent).timestamp()
            if time.time() - since < self._settings.batch_poll:
                return 0  # The provider's list of batches may be a moment behind.
            keys = self._kept.keys(self._run, batch.part)
            self._kept.mark(batch, batch.sent, await api.find(tag, keys, since, self._kept.remote_ids()))
        if batch.remote_id is None and not path.exists():
            self._kept.drop(batch)
            return 0
        if batch.remote_id is None:
            for budget in self._budgets:
                budget.take(batch.estimate, batch.size)
            self._kept.mark(batch, now())
            try:
                self._kept.mark(batch, batch.sent, await api.send(path.read_bytes(), tag))
            except ProviderFailure as failure:
                # Without a reply, it may have been accepted.
                failure.refused = None if failure.kind is FailureKind.TRANSIENT else "batch"
                raise
            self._notice(f"{batch.model}: sent {batch.size:,} requests as batch {batch.part} ({batch.remote_id})")
        done, lines = await api.look(batch.remote_id or "")
        if lines is not None:
            self._end(batch, lines)
        return done

    def _end(self, batch: StoredBatch, lines: Sequence[BatchLine]) -> None:
        self._kept.end(batch, lines)
        self._path(batch.fingerprint).unlink(missing_ok=True)
        self._notice(f"{batch.model}: {len(lines):,} of {batch.size:,} answers of batch {batch.part} came back")

    def _failed(self, batch: StoredBatch, failure: ProviderFailure) -> None:
        """Decide what follows from a failed call about a batch."""
        silent = time.monotonic() - self._heard > self._settings.outage_minutes * 60
        gone = failure.status == 404 and batch.remote_id is not None  # or not there yet
        if failure.refused == "batch":
            self._kept.mark(batch, None)  # It was certainly not accepted.
            for budget in self._budgets:
                budget.take(-batch.estimate, -batch.size)
        if failure.refused == "batch" and failure.kind not in _LATER:
            self._refused[batch.model] = ProviderFailure(FailureKind.FATAL, failure.message)
            self._kept.drop(batch)
            self._path(batch.fingerprint).unlink(missing_ok=True)
        elif failure.kind is FailureKind.RATE_LIMIT or ((gone or failure.kind in _LATER) and not silent):
            self._notice(f"{failure.message}; trying again")
        elif gone:
            self._end(batch, ())
        else:
            raise EnvironmentFailure(f"NO VERDICT: {failure.message}", hint=self._hint)

    def _write(self, content: bytes) -> str:
        """Write a file that only its owner may read, because it has prompts in it. Return its sha256."""
        fingerprint = hashlib.sha256(content).hexdigest()
        self._folder.mkdir(parents=True, exist_ok=True)
        opened = os.open(self._path(fingerprint), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(opened, "wb") as file:
            file.write(content)
        return fingerprint

    def _path(self, fingerprint: str) -> Path:
        return self._folder / f"{self._run}-{fingerprint[:16]}.jsonl"


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
