"""Call models outside of a run. Each answer is recorded as it comes, so that the same command resumes."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from promptbench.core.errors import Diagnostics, EnvironmentFailure, InputError, Interrupted
from promptbench.core.events import Listener
from promptbench.core.types import Answer, Json, Request
from promptbench.engine.prepare.assemble import assemble
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.runner import CallPlan, Engine
from promptbench.gateway import Budget, Reply
from promptbench.project import SUITE_FILE, Project, Selection, input_error
from promptbench.prompts.parser import load as load_prompt
from promptbench.store.prompts import Store
from promptbench.store.runs import RunStore
from promptbench.suite.loader import read as read_suite
from promptbench.workflows.judge.budgets import Spending, require_prices
from promptbench.workflows.judge.determinism import same_judges
from promptbench.workflows.judge.execute import gateway_of, limiters_of, prices_of
from promptbench.yaml.source import Source

_Task = tuple[str, Request]


class RecordedCalls:
    """Calls of the models and judges of a prepared suite, within `spending`. A context manager.

    `failures` are the requests that got no answer, by key, with the reason. `made` and `cost`, in US dollars or None if
    unknown, are of all calls until now. `budgets` are those that other calls share; by default a new one.
    """

    def __init__(
        self,
        project: Project,
        prepared: PreparedSuite,
        runs: RunStore,
        spending: Spending,
        listen: Listener,
        budgets: Sequence[Budget] = (),
    ) -> None:
        self.failures: dict[str, str] = {}
        self.made = 0
        self.cost: float | None = 0.0
        self._secrets = project.secrets
        self._prepared = prepared
        self._runs = runs
        self._limits_cost = spending.max_cost is not None
        self._same = same_judges(prepared)
        self._answers: dict[str, Answer] = {}
        self.prices = prices_of(project, prepared.reachable)
        limiters = limiters_of(project, prepared, None)
        budgets = budgets or [spending.budget()]
        gateway = gateway_of(project, prepared.reachable, self.prices, budgets, limiters, listen)
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
        usable: Callable[[Answer], bool] = lambda answer: True,
    ) -> dict[str, Answer]:
        """Return the answers to requests by key: usable ones on record, unless `again` is set, else from the models.

        Raise EnvironmentFailure if the budget ends, Interrupted if the user stops; the answers so far are on record.
        """
        found = {}
        for key in () if again else requests:
            kept = self._runs.find(key)
            if kept is not None and usable(kept[0]):
                found[key] = kept[0]
        missing = [(key, request) for key, request in requests.items() if key not in found]
        called = {str(request.model) for _, request in missing}
        models = {str(model.ref): model for model in self._prepared.reachable if str(model.ref) in called}
        if self._limits_cost:
            require_prices(self.prices, models.values())
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
            self._answers[key] = answer
            self.made += reply.tries
            self.cost = None if self.cost is None or reply.cost is None else self.cost + reply.cost
        elif reply is not None or not self._engine.halted:
            failure = reply.failure.message if reply and reply.failure else "no reason is given"
            self.failures[key] = self._engine.down.get(model, failure)


def prepare_prompt(
    project: Project,
    target: Path,
    folder: Path,
    models: Sequence[str],
    variables: Mapping[str, Json],
    store: Store,
    runs: RunStore | None,
) -> PreparedSuite:
    """Return a suite for a prompt without one: a case with the given variables, and nothing checked.

    `folder` is that from which functions as models are named. Raise InputError if a value is missing.
    """
    found = Diagnostics()
    prompt = load_prompt(target, project.shown(target), found)
    if prompt and (missing := prompt.missing(variables)):
        hint = f"add --var {missing[0]}=TEXT, or name a suite, whose cases bring values"
        raise InputError(f"{target.name} needs a value for {', '.join(missing)}", hint=hint)
    # Nothing is scored, but a case must have a check.
    case = {"case": "the given values", "vars": dict(variables), "checks": [{"regex": "^"}]}
    name = target.name.partition(".")[0]
    suite = {"suite": name, "prompt": target.name, "models": list(models), "cases": [case]}
    source = Source(project.shown(target), json.dumps(suite, ensure_ascii=False))
    # What is wrong with a model is reported where the command names it, below.
    read = read_suite(source, folder / SUITE_FILE, Diagnostics())
    around = project.prepare_options(Selection(prompts=(target,), models=tuple(models)), store, runs)
    prepared = assemble(read, around, found) if read else None
    if prepared is None or found.errors:
        raise input_error(found)
    return prepared
