"""Call models outside of a run. Each answer is recorded as it comes, so that the same command resumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Self

from promptbench.core.errors import EnvironmentFailure, Interrupted
from promptbench.core.events import Listener
from promptbench.core.types import Answer, Request
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.runner import CallPlan, Engine
from promptbench.gateway import Reply
from promptbench.project import Project
from promptbench.store.runs import RunStore
from promptbench.workflows.judge.budgets import Spending, require_prices
from promptbench.workflows.judge.execute import gateway_of, limiters_of, prices_of, same_judges

_Task = tuple[str, Request]


class RecordedCall(NamedTuple):
    """An answer. `calls` and `cost`, in US dollars or None if unknown, are of this command: 0 for one on record."""

    model: str
    answer: Answer
    calls: int = 0
    cost: float | None = 0.0


class RecordedCalls:
    """Calls of the models and judges of a prepared suite, within `spending`. A context manager.

    `failures` are the requests that got no answer, by key, with the reason.
    """

    def __init__(
        self, project: Project, prepared: PreparedSuite, runs: RunStore, spending: Spending, listen: Listener
    ) -> None:
        self.failures: dict[str, str] = {}
        self._secrets = project.secrets
        self._prepared = prepared
        self._runs = runs
        self._limits_cost = spending.max_cost is not None
        self._same = same_judges(prepared)
        self._answers: dict[str, RecordedCall] = {}
        self._prices = prices_of(project, prepared)
        limiters = limiters_of(project, prepared, None)
        budgets = [spending.budget()]
        gateway = gateway_of(project, prepared.reachable, self._prices, budgets, limiters, listen)
        self._engine = Engine(gateway, listen)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._engine.__exit__(kind, *rest):
            raise Interrupted("stopped; the answers so far are on record", hint="the same command resumes")

    def answers(
        self,
        requests: Mapping[str, Request],
        *,
        again: bool = False,
        usable: Callable[[Request, Answer], bool] = lambda request, answer: True,
    ) -> dict[str, RecordedCall]:
        """Return the answers to requests by key: usable ones on record, unless `again` is set, else from the models.

        Raise EnvironmentFailure if the budget ends, Interrupted if the user stops; the answers so far are on record.
        """
        found = {}
        for key, request in () if again else requests.items():
            kept = self._runs.find(key)
            if kept is not None and usable(request, kept[0]):
                found[key] = RecordedCall(str(request.model), kept[0])
        missing = [(key, request) for key, request in requests.items() if key not in found]
        called = {str(request.model) for _, request in missing}
        models = {str(model.ref): model for model in self._prepared.reachable if str(model.ref) in called}
        if self._limits_cost:
            require_prices(self._prices, models.values())
        if missing:
            self._engine.run(missing, self, {name: self._engine.gateway.concurrency(name) for name in models})
        if self._engine.stopped:
            raise KeyboardInterrupt
        if self._engine.spent is not None:
            raise EnvironmentFailure(self._engine.spent, hint="the answers so far are on record")
        found |= {key: self._answers[key] for key, _ in missing if key in self._answers}
        return {key: found[key] for key in requests if key in found}

    def queue(self, task: _Task) -> str:
        return str(task[1].model)

    async def begin(self, task: _Task) -> CallPlan | None:
        return CallPlan(task[1])

    async def finish(self, task: _Task, plan: CallPlan, reply: Reply | None) -> None:
        key, model = task[0], self.queue(task)
        if reply is not None and reply.answer is not None:
            answer = self._secrets.mask_answer(reply.answer)
            self._runs.record(key, model, answer, deterministic=model in self._same)
            self._answers[key] = RecordedCall(model, answer, reply.tries, reply.cost)
        elif reply is not None or not self._engine.halted:
            failure = reply.failure.message if reply and reply.failure else "no reason is given"
            self.failures[key] = self._engine.down.get(model, failure)
