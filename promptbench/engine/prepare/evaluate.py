"""Score a text with the checks of a case."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache

from promptbench.checks._paths import Path, subjects_at
from promptbench.core.protocols import Check, JudgedCheck, Subject
from promptbench.core.types import Answer, CallFacts, Json, Reading, Repair, Request, Rung, Score
from promptbench.parsing.ladder import BUILT_IN, Ladder

_MOST_REPAIRS = 100
# Returns the answer of a judge to a request, or None if it was not called or did not answer.
Answers = Callable[[Request], Answer | None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of all checks on one text. `repairs` holds the first 100: a broken megabyte has one on each line.

    It is `errored` if it depends on a judge without a verdict, or if all its checks are advisory. Then `passed` is
    False, but the text has not failed.
    """

    passed: bool
    rung: Rung | None
    well_formed: bool
    repairs: tuple[Repair, ...]
    scores: tuple[Score, ...]
    errored: bool = False

    def as_dict(self) -> dict[str, Json]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WeightedCheck:
    """A check with its weight, and the answers of its judges if it has some.

    A judged check that is advisory has the weight 0, whatever its author wrote.
    """

    check: Check
    weight: float
    # Of a judged check: the path of the value that the judge sees.
    at: Path | None = None

    def score(self, subject: Subject) -> Score:
        return self.score_with(subject, no_answers)

    def score_with(self, subject: Subject, answers: Answers) -> Score:
        """Return the score, given the answers of judges."""
        if isinstance(self.check, JudgedCheck):
            seen, problem = self.seen(subject)
            if problem is not None:
                return replace(self.check.score(subject), passed=False, value=0.0, reason=problem, errored=False)
            score = self.check.conclude(seen, [answers(request) for request in self.check.requests(seen)])
        else:
            score = self.check.score(subject)
        return replace(score, weight=self.weight * score.weight)

    def seen(self, subject: Subject) -> tuple[Subject, str | None]:
        """Return what the judge sees, or the problem if the answer has nothing at the path."""
        if self.at is None:
            return subject, None
        found, problem = subjects_at(subject, self.at)
        return (found[0], None) if problem is None else (subject, problem)


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """A request to a judge, with the check that makes it."""

    check: JudgedCheck
    request: Request


def no_answers(request: Request) -> None:
    """Return None: no judge has answered."""


def judged_check(check: object) -> JudgedCheck | None:
    """Return the check that other models decide, or None if it is another one."""
    inner = check.check if isinstance(check, WeightedCheck) else None
    return inner if isinstance(inner, JudgedCheck) else None


def needs_judge(check: object) -> bool:
    """Return True if other models decide the check."""
    return judged_check(check) is not None


def evaluate(
    text: str,
    checks: Sequence[Check],
    accept: Rung,
    variables: Mapping[str, Json],
    call: CallFacts | None = None,
    threshold: float | None = None,
    answers: Answers = no_answers,
    ladder: Ladder = BUILT_IN,
    was: Sequence[str] = (),
) -> Evaluation:
    """Score a text, and the call that returned it. `was` are the logged answers of its case.

    It passes if every check passes or, given a `threshold`, if the weighted mean of the scores reaches it. The text
    is parsed as JSON once, and only if a check needs that.
    """
    read = cache(lambda: ladder.read(text))
    other: list[Reading] = []
    subject = Subject(text, read, accept, variables, call, other.append, next(iter(was), None))
    scores = tuple(
        check.score_with(subject, answers) if isinstance(check, WeightedCheck) else check.score(subject)
        for check in checks
    )
    result = _result(checks, scores, threshold)
    passed, errored = bool(result), result is None
    as_json = [read()] if read.cache_info().currsize else []
    # A check that wants a string may have taken the answer as one.
    readings = (
        [found for found in other if as_json and as_json[0].string is not None and found.rung is Rung.RAW]
        or as_json
        or other
    )
    if not readings:
        return Evaluation(passed, None, False, (), scores, errored)
    rung = readings[0].rung
    return Evaluation(
        passed,
        rung,
        rung.within(accept) and all(score.passed for score in scores if score.check in ("json", "json schema")),
        readings[0].repairs[:_MOST_REPAIRS],
        scores,
        errored,
    )


def subject_of(
    text: str,
    accept: Rung,
    variables: Mapping[str, Json],
    ladder: Ladder = BUILT_IN,
    was: Sequence[str] = (),
) -> Subject:
    """Return a subject without a call. Its text is parsed as JSON once, and only if a check needs that."""
    return Subject(text, cache(lambda: ladder.read(text)), accept, variables, was=next(iter(was), None))


def judge_requests(checks: Sequence[Check], subject: Subject) -> list[JudgeRequest]:
    """Return the requests to judges that the checks need to score a text."""
    found = []
    for weighted in checks:
        if isinstance(weighted, WeightedCheck) and isinstance(weighted.check, JudgedCheck):
            seen, problem = weighted.seen(subject)
            requests = weighted.check.requests(seen) if problem is None else ()
            found += [JudgeRequest(weighted.check, request) for request in requests]
    return found


def _result(checks: Sequence[Check], scores: Sequence[Score], threshold: float | None) -> bool | None:
    # Return True if the text passes; None if that depends on a missing verdict, or all its checks are advisory.
    if any(score.weight and score.errored for score in scores):
        best = [replace(score, passed=True, value=1.0) if score.errored else score for score in scores]
        sure = _passes(scores, threshold)
        return sure if sure == _passes(best, threshold) else None
    all_advisory = not any(score.weight for score in scores) and any(map(needs_judge, checks))
    return None if all_advisory else _passes(scores, threshold)


def _passes(scores: Sequence[Score], threshold: float | None) -> bool:
    weights = sum(score.weight for score in scores)
    if threshold is None or not weights:
        return all(score.passed for score in scores if score.weight)
    # The tolerance lets 4 of 5 reach 0.8 in binary floating point.
    return sum(score.weight * score.value for score in scores) >= threshold * weights - 1e-9
