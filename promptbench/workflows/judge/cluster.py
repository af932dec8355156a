"""Models that run in a process, gguf and python, and scoring, on the workers of a Dask cluster (extra `cluster`).

A worker gets a request and returns the answer. Cache, limits, budgets, retries, circuit breakers and the record stay in
this process, as they are without a cluster. So do keys: a worker connects a model by its own settings.
"""

import asyncio
import platform
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from promptbench import __version__
from promptbench.core.addresses import host, is_loopback
from promptbench.core.canonical import digest, digest_text, lf
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.types import Answer, FailureKind, Json, ModelRef, ProviderFailure, Request
from promptbench.engine.prepare.prepared_suite import PreparedModel, PreparedSuite
from promptbench.plugins import Provider
from promptbench.project import Project
from promptbench.providers import provider_spec
from promptbench.workflows.judge.workers import Workers, core_count

# Batch systems start workers late.
_PATIENCE_SECONDS = 60


def placed_models(project: Project, prepared: PreparedSuite) -> tuple[PreparedModel, ...]:
    """Return the models that a suite can call; those that run in a process are on the cluster of the settings, if any.

    Raise EnvironmentFailure, with the worker's address, if it has another promptbench, suite or model.
    """
    placed = {model.ref: model for model in prepared.reachable if _runs_in_process(project, model)}
    if not (placed and project.settings.values.cluster):
        return prepared.reachable
    client, suite = _connect(project), project.shown(prepared.suite.path)
    for number, (ref, model) in enumerate(placed.items()):
        place = _Place(client.id, project.settings.root, suite, ref)
        placed[ref] = replace(model, provider=_RemoteModel(client, place, closes=not number))
    return tuple(placed.get(model.ref, model) for model in prepared.reachable)


def _runs_in_process(project: Project, model: PreparedModel) -> bool:
    # A local server has an address, which means another one on each machine.
    addresses = provider_spec(model.ref.provider).addresses(project.provider_context(model.ref.provider))
    return model.local and not model.replays and not addresses


def _connect(project: Project, *, reruns: int = 0) -> Any:
    # Return the client of the cluster. A call that the scheduler makes again when a worker ends would go around limits,
    # budgets and the record: the gateway retries.
    address, own = project.settings.values.cluster or "", project.settings.own_hosts
    secure = address == "local" or address.startswith("tls://")
    if not (secure or (address.startswith("tcp://") and (is_loopback(address) or host(address) in own))):
        raise InputError(
            f"expected the cluster as 'local' or 'tls://HOST:PORT', got '{address}'",
            hint="tcp:// lets anyone on the way run code; 'trusted-hosts' in your own settings allows its HOST:PORT",
        )
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise InputError("--cluster needs distributed", hint="pip install 'promptbench-gate[cluster]'") from None
    try:
        # One thread a worker: a local model uses a core for a call.
        options: dict[str, Any] = {
            "n_workers": core_count(),
            "threads_per_worker": 1,
            # Without an address the scheduler takes port 8787, and warns if another one has it.
            "dashboard_address": "127.0.0.1:0",
            "scheduler_kwargs": {"dashboard": False},
            "silence_logs": 50,
        }
        where = distributed.LocalCluster(**options) if address == "local" else address
        client = distributed.Client(where, timeout=_PATIENCE_SECONDS)
        client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
        client.run_on_scheduler(_rerun, reruns)
    except (OSError, TypeError) as error:  # the latter without a certificate
        raise EnvironmentFailure(f"the cluster {address} cannot be used: {error}") from None
    return client


def cluster_workers(project: Project, scope: ExitStack) -> Workers:
    """Return the workers of the cluster of the settings, for work that calls no model."""
    client = _connect(project, reruns=3)
    scope.callback(_disconnect, client)
    executor = client.get_executor(pure=False, retries=0)
    return Workers(executor, len(client.nthreads()), import_module("distributed").KilledWorker)


def _disconnect(client: Any) -> None:
    local = client.cluster
    client.close()
    if local is not None:
        local.close()


def _rerun(times: int, dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = times


@dataclass(frozen=True, slots=True)
class _Place:
    """A model as a process connects it: the suite's file, from the root of the project, and the model's name."""

    session: str
    root: Path
    suite: str
    ref: ModelRef

    def open(self) -> tuple[dict[str, Json], Provider]:
        # Return what must be the same in all processes, and the model.
        project, name = Project.open(self.root if self.root.is_dir() else None), self.ref.provider
        file, spec = project.settings.root / self.suite, provider_spec(name)
        allowed = tuple(project.settings.values.python)
        context = replace(project.provider_context(name), folder=file.parent, allowed_code=allowed)
        if problems := spec.problems(self.ref.name, context):
            raise EnvironmentFailure(problems[0].message)
        shape: Mapping[str, Json] = (spec.fingerprint or spec.shaped_by)(self.ref.name, context) or {}
        facts = {
            "promptbench": __version__,
            self.suite: digest_text(lf(file.read_text(encoding="utf-8"))),
            **{f"{key} of {self.ref}": value for key, value in shape.items()},
            "kind of CPU": _cpu(),
        }
        return facts, spec.connect(self.ref.name, context)


def _cpu() -> str:
    # Floats are computed by other instructions on other CPUs, so that the same model may give other answers.
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    flags = [line for line in lines if line.startswith(("flags", "Features"))]
    return digest([platform.machine(), platform.processor(), *flags[:1]])


class _RemoteModel(Provider):
    def __init__(self, client: Any, place: _Place, *, closes: bool) -> None:
        self._client, self._place, self._closes = client, place, closes
        self._died: type[Exception] = import_module("distributed").KilledWorker
        self._submit = client.get_executor(pure=False, retries=0).submit
        # Workers may be unlike this machine, but not each other: both versions of a case need the same conditions.
        self._expected = place.open()[0] | {"kind of CPU": next(iter(client.run(_cpu, on_error="return").values()))}
        self.concurrency, threads = 0, client.nthreads()
        for address, calls in client.run(_calls_there, place, self._expected, on_error="return").items():
            if isinstance(calls, BaseException):
                raise EnvironmentFailure(f"the worker {address} cannot answer for {place.ref}: {calls}")
            self.concurrency += min(calls, threads.get(address, 1))
        self.max_concurrency = self.concurrency

    async def complete(self, request: Request) -> Answer:
        try:
            found = await asyncio.wrap_future(self._submit(_complete_there, self._place, self._expected, request))
        except self._died:
            raise ProviderFailure(FailureKind.TRANSIENT, "the worker ended before it answered") from None
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise EnvironmentFailure("the connection to the cluster is lost", hint="the same command resumes") from None
        if isinstance(found, Answer):
            return found
        raise ProviderFailure(**found)

    async def close(self) -> None:
        if self._closes:
            await asyncio.to_thread(self._client.run, _close_there, self._place.session, on_error="ignore")
            await asyncio.to_thread(_disconnect, self._client)


# What runs on workers.

_connected: dict[_Place, Provider] = {}


def _model_there(place: _Place, expected: Mapping[str, Json]) -> Provider:
    # Raises EnvironmentFailure if this process is unlike the one that sends the requests; also for a late worker.
    if place not in _connected:
        facts, model = place.open()
        for key, value in expected.items():
            if facts.get(key) != value:
                raise EnvironmentFailure(f"{key}: expected {value}, got {facts.get(key)} on {platform.node()}")
        _connected[place] = model
    return _connected[place]


def _calls_there(place: _Place, expected: Mapping[str, Json]) -> int:
    return _model_there(place, expected).concurrency


async def _complete_there(place: _Place, expected: Mapping[str, Json], request: Request) -> Answer | dict[str, Any]:
    try:
        return await _model_there(place, expected).complete(request)
    except ProviderFailure as failure:
        return vars(failure)  # The exception does not pickle.


async def _close_there(session: str) -> None:
    for place in [place for place in _connected if place.session == session]:
        await _connected.pop(place).close()
