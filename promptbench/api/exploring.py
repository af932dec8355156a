"""A run in full, for reports that show single attempts: read from the record while they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from promptbench.api.results import PASSING
from promptbench.core.types import Attempt, Outcome
from promptbench.gate.flips import Flip
from promptbench.gate.judge import Verdict
from promptbench.project.bench import BASELINE, PreparedSuite
from promptbench.report.model import AttemptRow, CaseRow, Explored, PastRow, PromptText
from promptbench.store.runs import RunStore


def explored(prepared: PreparedSuite, record: Path, run: str, verdict: Verdict, screen: Mapping[str, int]) -> Explored:
    """The prompts, cases and history of a run. `screen` is how often each model was asked in the first round."""
    return Explored(
        prompts=[
            PromptText(item.label.removesuffix(".prompt"), item.side.value, item.hash, item.prompt.source)
            for item in prepared.variants
        ],
        cases=_Cases(prepared, record, run, verdict, screen),
        history=_History(record, prepared.suite.name, prepared.prompt_name),
    )


@dataclass(frozen=True, slots=True)
class _History:
    record: Path
    suite: str
    prompt: str

    def __iter__(self) -> Iterator[PastRow]:
        with RunStore(self.record) as runs:
            for item in runs.history(self.suite, self.prompt):
                yield PastRow(**{**asdict(item), "prompt": item.prompt.removesuffix(".prompt")})


@dataclass(frozen=True, slots=True)
class _Cases:
    """The cases, as often as they are iterated over. One is in memory at a time."""

    prepared: PreparedSuite
    record: Path
    run: str
    verdict: Verdict
    screen: Mapping[str, int]

    def __iter__(self) -> Iterator[CaseRow]:
        states = {
            (model.model, item.case.name): item.flip.value for model in self.verdict.models for item in model.flips
        }
        places = [
            (variant.hash if variant else BASELINE, model.name)
            for model in self.prepared.models
            for variant in (self.prepared.variants if model.uses_prompt else (None,))
        ]
        with RunStore(self.record) as runs:
            for name in self.prepared.cases.names:
                attempts = [item for place in places for item in runs.attempts_at(self.run, *place, name)]
                yield self._case(name, attempts, states)

    def _case(self, name: str, attempts: list[Attempt], states: Mapping[tuple[str, str], str]) -> CaseRow:
        case, cases = self.prepared.cases[name], self.prepared.suite.cases
        written = cases[name] if name in cases.numbers else None
        return CaseRow(
            case=name,
            number=self.prepared.cases.numbers[name],
            tags=case.tags,
            critical=case.critical,
            states={
                model.name: states.get((model.name, name)) or self._state(attempts, model.name)
                for model in self.prepared.models
            },
            variables=case.variables,
            expected=[written.expect] if written and written.has_expect else [],
            was=case.was,
            asked={
                variant.hash: [
                    (message.role, message.content) for message in variant.prompt.render(case.variables, case.history)
                ]
                for variant in self.prepared.variants
            },
            attempts=[_row(item, self.screen) for item in attempts],
        )

    def _state(self, attempts: list[Attempt], model: str) -> str:
        """What is said of a case that the gate did not compare: on what the verdict is about, or the baseline."""
        outcomes = {
            item.outcome
            for item in attempts
            if item.key.model == model and item.key.variant in (self.verdict.candidate, BASELINE)
        }
        if Outcome.FAILED in outcomes:
            return Flip.FAILING.value
        return PASSING if Outcome.PASSED in outcomes else Flip.NO_ANSWER.value


def _row(attempt: Attempt, screen: Mapping[str, int]) -> AttemptRow:
    key, answer = attempt.key, attempt.answer
    usage = answer.usage if answer else None
    taken = answer is not None and not answer.recorded and not attempt.cached
    return AttemptRow(
        prompt=key.variant,
        model=key.model,
        repeat=key.repeat,
        counted=key.repeat < screen.get(key.model, 1),
        outcome=attempt.outcome.value,
        answer=answer.text if answer else None,
        rung=attempt.rung.value if attempt.rung else None,
        repairs=list(dict.fromkeys(repair.name for repair in attempt.repairs)),
        reasons=attempt.reasons,
        error=attempt.error,
        fallback=attempt.fallback,
        tries=attempt.tries,
        cached=attempt.cached,
        provider_ms=answer.provider_ms if answer and taken else None,
        queue_ms=attempt.queue_ms,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        cost=attempt.cost,
        started=attempt.started,
    )
