"""The record of one run, as the attempts of the engine are stored in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.core.secrets import Secrets
from promptbench.core.types import Answer, Attempt, AttemptKey, Step
from promptbench.store.runs import RunStore


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The record of one run, without what must not be written: secrets, and personal data if it is redacted."""

    runs: RunStore
    run: str
    secrets: Secrets
    same_judges: frozenset[str]
    own_names: Mapping[str, str]  # The models that a suite names itself, with their references.
    swaps: bool = False  # True for attempts at chains with steps of two versions, which are none of the run.

    def add(self, attempts: Iterable[tuple[Attempt, bool]]) -> None:
        masked = [(self._masked(attempt), same) for attempt, same in attempts]
        self.runs.add(self.run, masked, self.same_judges, self.own_names, swaps=self.swaps)

    def attempt(self, key: AttemptKey) -> Attempt | None:
        # A judge never sees a redacted answer: the call is made again.
        return None if self.secrets.redacts else self.runs.attempt(self.run, key)

    def add_step(self, key: AttemptKey, number: int, step: Step, *, same: bool) -> None:
        model = self.own_names.get(key.model, key.model)
        self.runs.add_step(self.run, key, number, self.secrets.mask_step(step), model, deterministic=same)

    def steps(self, key: AttemptKey) -> Sequence[Step]:
        # Nor does a model.
        return () if self.secrets.redacts else self.runs.steps(self.run, key)

    def judged(self, request_hash: str) -> Answer | None:
        return self.runs.judged(self.run, request_hash)

    def _masked(self, attempt: Attempt) -> Attempt:
        mask, mask_answer = self.secrets.mask, self.secrets.mask_answer
        judgings = tuple(
            replace(
                item,
                answer=mask_answer(item.answer) if item.answer else None,
                error=mask(item.error) if item.error else None,
            )
            for item in attempt.judgings
        )
        return replace(
            attempt,
            answer=mask_answer(attempt.answer) if attempt.answer else None,
            error=mask(attempt.error) if attempt.error else None,
            scores=tuple(
                replace(score, reason=mask(score.reason)) if score.reason else score for score in attempt.scores
            ),
            failed_tries=tuple(replace(failed, message=mask(failed.message)) for failed in attempt.failed_tries),
            judgings=judgings,
            steps=tuple(map(self.secrets.mask_step, attempt.steps)),
        )
