"""Score attempts with the checks of their case."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.core.canonical import digest
from promptbench.core.protocols import Check
from promptbench.core.types import Answer, Attempt, CallFacts, Json, Judging, Outcome, Request, Score
from promptbench.engine.prepare.evaluate import Evaluation, JudgeRequest, evaluate, judge_requests, subject_of
from promptbench.engine.prepare.prepared_suite import BASELINE, PreparedCase, PreparedSuite
from promptbench.prompts.chain import STEPS

# Finish reasons of an answer that the provider withheld, in lower case. Without a text, checks such as "must not
# contain" would pass what no user ever got to read.
_WITHHELD = frozenset(
    {"content_filter", "refusal", "safety", "prohibited_content", "blocklist", "guardrail_intervened"}
)
ADVISORY = "nothing that counts was checked: all checks of the case are advisory"


def checks_of(case: PreparedCase, variant: str) -> tuple[Check, ...]:
    """Return the checks for an answer to a prompt version; `variant` is empty for a model without prompt."""
    return case.checks[variant or BASELINE]


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """An answer of an attempt that checks look at, and what they know besides."""

    answer: Answer
    checks: tuple[Check, ...]
    variables: Mapping[str, Json]
    facts: CallFacts
    step: str = ""  # The step of a chain that it is of.


def checks_by_answer(case: PreparedCase, variant: str) -> list[tuple[tuple[Check, ...], Mapping[str, Json]]]:
    """Return the checks of each answer to a case, one for each turn, with the values that they see."""
    if not case.turns:
        return [(checks_of(case, variant), case.variables)]
    return [(turn.checks[variant or BASELINE], {"user": turn.user, **case.variables}) for turn in case.turns]


def checked_answers(
    prepared: PreparedSuite, case: PreparedCase, attempt: Attempt, answer: Answer
) -> list[CheckedAnswer]:
    """Return the answers that the checks look at: the attempt's `answer`, or that of each turn.

    Of a chain these are the last answer, if it got that far, and then that of each step.
    """
    variant, steps = attempt.key.variant, attempt.steps
    facts_of = [CallFacts(it.answer.provider_ms, it.answer.usage, it.cost, it.answer.calls) for it in steps]
    if case.turns and steps:
        return [
            CheckedAnswer(step.answer, *checked, facts)
            for step, facts, checked in zip(steps, facts_of, checks_by_answer(case, variant), strict=False)
        ]
    found: list[CheckedAnswer] = []
    if (chain := prepared.chain_of(variant)) is not None:
        outputs = prepared.outputs(chain, [step.answer.text for step in steps])
        values = {**case.variables, STEPS: outputs}
        found = [
            CheckedAnswer(step.answer, checks, values, facts, name)
            for step, facts, (name, checks) in zip(steps, facts_of, case.steps[variant], strict=False)
        ]
        if len(steps) < len(chain.steps):
            return found
    calls = tuple(call for step in steps for call in step.answer.calls) or answer.calls
    facts = CallFacts(answer.provider_ms, answer.usage, attempt.cost, calls, len(steps) or 1)
    return [CheckedAnswer(answer, checks_of(case, variant), case.variables, facts), *found]


def judge_requests_of(prepared: PreparedSuite, case: PreparedCase, attempt: Attempt) -> list[tuple[JudgeRequest, str]]:
    """Return the requests to judges that score an attempt, each with the text that it is about."""
    if attempt.answer is None:
        return []
    found = []
    for item in checked_answers(prepared, case, attempt, attempt.answer):
        text = item.answer.text
        subject = subject_of(text, prepared.accept, item.variables, prepared.ladder, case.was)
        found += [(request, text) for request in judge_requests(item.checks, subject)]
    return found


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

    checked = checked_answers(prepared, case, attempt, answer)
    evaluated = [
        evaluate(
            item.answer.text,
            item.checks,
            prepared.accept,
            item.variables,
            item.facts,
            None if item.step else case.threshold,
            judged,
            prepared.ladder,
            case.was,
        )
        for item in checked
    ]
    found = _of_all(evaluated, [item.step for item in checked])
    why = _no_answer(prepared, case, attempt, answer)
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


def _of_all(found: Sequence[Evaluation], steps: Sequence[str]) -> Evaluation:
    """Return the result of a conversation or a chain, which passes if the answer in every turn or step does."""
    if len(found) == 1:
        return found[0]
    # A turn whose checks are all advisory decides nothing.
    decided = [item for item in found if not item.errored or any(score.weight for score in item.scores)]
    failed = any(not (item.passed or item.errored) for item in decided)
    read = [item for item in found if item.rung is not None]
    return Evaluation(
        passed=bool(decided) and all(item.passed for item in decided),
        rung=max((item.rung for item in read if item.rung), key=lambda rung: rung.depth, default=None),
        well_formed=bool(read) and all(item.well_formed for item in read),
        repairs=tuple(repair for item in found for repair in item.repairs),
        scores=tuple(
            replace(score, check=f"{step}: {score.check}")
            if step
            else replace(score, reason=f"turn {number}: {score.reason}")
            if score.reason and not any(steps)
            else score
            for number, (item, step) in enumerate(zip(found, steps, strict=True), 1)
            for score in item.scores
        ),
        errored=not failed and (not decided or any(item.errored for item in decided)),
    )


def _no_answer(prepared: PreparedSuite, case: PreparedCase, attempt: Attempt, answer: Answer) -> list[str]:
    """Return why an answer is none to its user, whatever the checks say of its text; empty if it is one."""
    chain, steps = prepared.chain_of(attempt.key.variant), attempt.steps
    if chain is not None and len(steps) < len(chain.steps):
        why = prepared.why_stopped(chain, case, [step.answer.text for step in steps])
        return [f"'{chain.steps[len(steps)].name}' was not called: {why}"]
    for number, one in enumerate([step.answer for step in attempt.steps] if case.turns else [answer], 1):
        if not one.text.strip() and (one.finish_reason or "").lower() in _WITHHELD:
            turn = f"turn {number}: " if case.turns else ""
            return [f"{turn}the provider withheld the answer: {one.finish_reason}"]
    if case.turns:
        at = len(attempt.steps)
        return [f"turn {at}: the answer is empty, so the conversation ended"] if 0 < at < len(case.turns) else []
    if attempt.steps and answer.calls and chain is None:
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
