"""Asks the judges of a case about an answer. What they cost and where they fail is kept apart from the model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from promptbench.core.canonical import digest, digest_text
from promptbench.core.clock import now
from promptbench.core.types import Answer, Attempt, Judging, Request
from promptbench.engine.scoring import checks_of, scored
from promptbench.gateway import BudgetReached, Gateway, ModelDown, Stopped
from promptbench.project.bench import PreparedCase, PreparedSuite
from promptbench.project.evaluate import JudgeRequest, judge_requests


class Verdicts(Protocol):
    """What judges have said in this run before."""

    def judged(self, request_hash: str) -> Answer | None:
        """The answer to a question, if it has a verdict."""


class Judges:
    """The judges of one run. The same answer to the same case is judged once: what nobody can tell apart is never
    fixed or broken by a judge in another mood.
    """

    def __init__(self, prepared: PreparedSuite, gateway: Gateway, record: Verdicts) -> None:
        self._prepared = prepared
        self._gateway = gateway
        self._record = record
        self._open: dict[str, asyncio.Future[Judging]] = {}
        """Questions that are asked now, or answered and not yet on record."""
        self.down: dict[str, str] = {}
        """Judges that were given up, and why."""
        self.spent: str | None = None
        """What part of the budget is used up, if one is."""

    @property
    def concurrency(self) -> int:
        """How many answers are judged at once; none where there is no judge."""
        return sum(judge.model.provider.concurrency for judge in self._prepared.judges.values())

    async def judge(self, case: PreparedCase, attempt: Attempt) -> Attempt:
        """The attempt with its scores, and what was asked for them."""
        if attempt.answer is None or attempt.fallback is not None:
            return scored(self._prepared, case, attempt)
        text, checks = attempt.answer.text, checks_of(case, attempt.key.variant)
        asked = judge_requests(text, checks, self._prepared.accept, case.variables)
        judgings = await asyncio.gather(*(self._judging(item, case.name, text) for item in asked))
        # What was on record is there already.
        new = tuple(judging for judging, is_new in judgings if is_new)
        return replace(scored(self._prepared, case, attempt, [judging for judging, _ in judgings]), judgings=new)

    def settle(self, attempts: Iterable[Attempt]) -> None:
        """What is on record now is found there."""
        for attempt in attempts:
            for judging in attempt.judgings:
                self._open.pop(judging.request_hash, None)

    async def _judging(self, item: JudgeRequest, case: str, text: str) -> tuple[Judging, bool]:
        """The judging, and whether it is still to be put on record."""
        question = self._prepared.as_sent(item.request)
        key = digest(question.as_dict())
        if key in self._open:
            return await self._open[key], True
        kept = self._record.judged(key)
        judging = Judging(key, str(question.model), case, digest_text(text), kept, None, started=now())
        if kept is not None:
            return replace(judging, verdict=item.check.verdict(kept)), False
        future = self._open[key] = asyncio.get_running_loop().create_future()
        try:
            judging = await self._ask(question, item, judging)
            future.set_result(judging)
        finally:
            if not future.done():
                future.cancel()
        return judging, True

    async def _ask(self, question: Request, item: JudgeRequest, judging: Judging) -> Judging:
        try:
            reply = await self._gateway.ask(question)
        except ModelDown as error:
            self.down.setdefault(judging.judge, str(error))
            return replace(judging, error=str(error))
        except BudgetReached as error:
            self.spent = self.spent or error.message
            self._gateway.stop()
            return replace(judging, error="the budget was used up before the judge was asked")
        except Stopped:
            return replace(judging, error="stopped before the judge was asked")
        return replace(
            judging,
            answer=reply.answer,
            verdict=item.check.verdict(reply.answer) if reply.answer else None,
            error=reply.failure.message if reply.failure else None,
            tries=reply.tries,
            queue_ms=reply.queue_ms,
            cost=reply.cost if reply.tries else 0.0,
        )
