"""Call the judges of a case about an answer. Their cost and failures are kept apart from the model's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from promptbench.core.canonical import digest, digest_text
from promptbench.core.clock import now
from promptbench.core.types import Answer, Attempt, Judging, Request
from promptbench.engine.prepare.evaluate import JudgeRequest, judge_requests
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite
from promptbench.engine.runner import Engine
from promptbench.engine.scoring import checks_of, score_attempt


class JudgeRecord(Protocol):
    """Where the verdicts of a run are stored."""

    def judged(self, request_hash: str) -> Answer | None:
        """Return a judge's answer that contains a verdict."""


class Judges:
    """The judges of one run. The same answer to the same case is judged once: answers that nobody can tell apart must
    not be fixed or broken by the variance of a judge.
    """

    def __init__(self, prepared: PreparedSuite, engine: Engine, record: JudgeRecord) -> None:
        self._prepared = prepared
        self._engine = engine
        self._record = record
        self._open: dict[str, asyncio.Future[Judging]] = {}  # in flight, or answered and not yet on record

    async def judge(self, case: PreparedCase, attempt: Attempt) -> Attempt:
        """Return the attempt with its scores and the new judgings."""
        if attempt.answer is None or attempt.fallback is not None:
            return score_attempt(self._prepared, case, attempt)
        text, checks = attempt.answer.text, checks_of(case, attempt.key.variant)
        asked = judge_requests(text, checks, self._prepared.accept, case.variables)
        judgings = await asyncio.gather(*(self._judging(item, case.name, text) for item in asked))
        new = tuple(judging for judging, is_new in judgings if is_new)
        return replace(score_attempt(self._prepared, case, attempt, [judging for judging, _ in judgings]), judgings=new)

    def settle(self, attempts: Iterable[Attempt]) -> None:
        """Forget the judgings that are now on record."""
        for attempt in attempts:
            for judging in attempt.judgings:
                self._open.pop(judging.request_hash, None)

    async def _judging(self, item: JudgeRequest, case: str, text: str) -> tuple[Judging, bool]:
        """Return the judging, and whether it is not on record yet."""
        request = self._prepared.as_sent(item.request)
        key = digest(request.as_dict())
        if key in self._open:
            return await self._open[key], True
        kept = self._record.judged(key)
        judging = Judging(key, str(request.model), case, digest_text(text), kept, None, started=now())
        if kept is not None:
            return replace(judging, verdict=item.check.verdict(kept)), False
        future = self._open[key] = asyncio.get_running_loop().create_future()
        try:
            judging = await self._call(request, item, judging)
            future.set_result(judging)
        finally:
            if not future.done():
                future.cancel()
        return judging, True

    async def _call(self, request: Request, item: JudgeRequest, judging: Judging) -> Judging:
        reply = await self._engine.call(request)
        if reply is None:
            reason = "the budget was used up" if self._engine.spent else "the run was stopped"
            return replace(judging, error=self._engine.down.get(judging.judge, f"{reason} before the judge was called"))
        return replace(
            judging,
            answer=reply.answer,
            verdict=item.check.verdict(reply.answer) if reply.answer else None,
            error=reply.failure.message if reply.failure else None,
            tries=reply.tries,
            queue_ms=reply.queue_ms,
            cost=reply.cost if reply.tries else 0.0,
        )
