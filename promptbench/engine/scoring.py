"""Score attempts with the checks of their case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from promptbench.core.canonical import digest
from promptbench.core.protocols import Check
from promptbench.core.types import Answer, Attempt, CallFacts, Judging, Outcome, Request, Score
from promptbench.engine.prepare.evaluate import Evaluation, JudgeRequest, evaluate, judge_requests, subject_of
from promptbench.engine.prepare.prepared_suite import BASELINE, PreparedCase, PreparedSuite

# Finish reasons of an answer that the provider withheld, in lower case. Without a text, checks such as "must not
# contain" would pass what no user ever got to read.
_WITHHELD = frozenset(
    {"content_filter", "refusal", "safety", "prohibited_content", "blocklist", "guardrail_intervened"}
)
ADVISORY = "nothing that counts was checked: all checks of the case are advisory"


def checks_of(case: PreparedCase, variant: str) -> tuple[Check, ...]:
    """Return the checks for an answer to a prompt version; `variant` is empty for a model without prompt."""
    return case.checks[variant or BASELINE]


def judge_requests_of(prepared: PreparedSuite, case: PreparedCase, variant: str, text: str) -> list[JudgeRequest]:
    """Return the requests to judges that the checks of a case need to score an answer."""
    subject = subject_of(text, prepared.accept, case.variables, prepared.ladder, case.was)
    return judge_requests(checks_of(case, variant), subject)


def score_attempt(
    prepared: PreparedSuite, case: PreparedCase, attempt: Attempt, judgings: Iterable[Judging] = ()
) -> Attempt:
    """Return the attempt with its scores, in place of any it has; one that a fallback answered stays errored.

    `judgings` are the judges' answers about it.
    """
    answer = attempt.answer
    if answer is None:
        return attempt
    asked = list(judgings)
    answers = {judging.request_hash: judging.answer for judging in asked}

    def judged(question: Request) -> Answer | None:
        return answers.get(digest(prepared.as_sent(question).as_dict())) if answers else None

    calls = tuple(call for step in attempt.steps for call in step.answer.calls) or answer.calls
    facts = CallFacts(answer.provider_ms, answer.usage, attempt.cost, calls, len(attempt.steps) or 1)
    found = evaluate(
        answer.text,
        checks_of(case, attempt.key.variant),
        prepared.accept,
        case.variables,
        facts,
        case.threshold,
        judged,
        prepared.ladder,
        case.was,
    )
    why = _no_answer(attempt, answer)
    outcome = Outcome.PASSED if found.passed and not why else Outcome.FAILED
    return replace(
        attempt,
        outcome=Outcome.ERRORED if attempt.fallback or found.errored else outcome,
        rung=found.rung,
        well_formed=found.well_formed,
        repairs=found.repairs,
        scores=(*found.scores, *(Score("answer", passed=False, value=0.0, reason=reason) for reason in why)),
        error=attempt.error if attempt.fallback else _why_unknown(found, asked),
    )


def _no_answer(attempt: Attempt, answer: Answer) -> list[str]:
    """Return why an answer is none to its user, whatever the checks say of its text; empty if it is one."""
    if not answer.text.strip() and (answer.finish_reason or "").lower() in _WITHHELD:
        return [f"the provider withheld the answer: {answer.finish_reason}"]
    if attempt.steps and answer.calls:
        names = ", ".join(dict.fromkeys(call.name for call in answer.calls))
        return [f"no final answer after {len(attempt.steps)} steps ('max steps'): the model still calls {names}"]
    return []


def _why_unknown(found: Evaluation, judgings: Iterable[Judging]) -> str | None:
    if not found.errored:
        return None
    unsaid = [score for score in found.scores if score.errored and score.weight]
    if not unsaid:
        return ADVISORY
    return next(
        (f"judge {judging.judge}: {judging.error}" for judging in judgings if judging.error),
        "; ".join(dict.fromkeys(f"{score.check}: {score.reason}" for score in unsaid)),
    )
