from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from promptbench.checks import plugins
from promptbench.core.protocols import Check, CheckContext, JudgedCheck, Subject
from promptbench.core.types import Answer, CallFacts, Json, Message, ModelRef, Request, Rung, Score
from promptbench.engine.prepare.evaluate import WeightedCheck, evaluate, judge_requests, subject_of


def check(name: str, argument: Json = None) -> Check:
    built: Check = plugins.load(name).build(argument, CheckContext(Path(), None))
    return built


@pytest.mark.parametrize(
    ("text", "accept", "passed", "rung", "well_formed"),
    [
        ('{"a": 1}', Rung.RAW, True, Rung.RAW, True),
        ('```\n{"a": 1}\n```', Rung.EXTRACTED, True, Rung.EXTRACTED, True),
        ('```\n{"a": 1}\n```', Rung.RAW, False, Rung.EXTRACTED, False),
        ('{"a": 1,}', Rung.EXTRACTED, False, Rung.REPAIRED_SAFE, False),
        ("no", Rung.REPAIRED_SAFE, False, Rung.NONE, False),
    ],
)
def test_the_rung_and_whether_it_counts(text: str, accept: Rung, passed: bool, rung: Rung, well_formed: bool) -> None:
    result = evaluate(text, [check("json")], accept, {})
    assert (result.passed, result.rung, result.well_formed) == (passed, rung, well_formed)


def test_a_wrong_answer_can_be_well_formed() -> None:
    result = evaluate('{"a": 1}', [check("json"), check("expect", {"a": 2})], Rung.RAW, {})
    assert (result.passed, result.well_formed) == (False, True)
    assert [score.passed for score in result.scores] == [True, False]


def test_what_does_not_fit_the_schema_is_not_well_formed() -> None:
    assert not evaluate("{}", [check("json_schema", {"required": ["a"]})], Rung.RAW, {}).well_formed


def test_nobody_reads_a_text_that_no_check_wants_as_json() -> None:
    result = evaluate("{", [check("contains", "{")], Rung.RAW, {})
    assert (result.passed, result.rung, result.well_formed, result.repairs) == (True, None, False, ())


def test_it_is_read_once() -> None:
    class Twice:
        def score(self, subject: Subject) -> Score:
            return Score("twice", subject.read() is subject.read(), 1.0)

    assert evaluate("[1]", [Twice(), Twice()], Rung.RAW, {}).passed


def weighed(threshold: float | None, *checks: tuple[str, float]) -> bool:
    built = [WeightedCheck(check("contains", word), weight) for word, weight in checks]
    return evaluate("a b", built, Rung.RAW, {}, threshold=threshold).passed


def test_a_threshold_is_reached_by_the_weighted_mean() -> None:
    assert weighed(0.75, ("a", 3), ("x", 1))
    assert not weighed(0.76, ("a", 3), ("x", 1))
    assert weighed(0.8, *((word, 1) for word in "abaxa"))
    assert not weighed(None, ("a", 3), ("x", 1))


def test_a_check_without_weight_decides_nothing() -> None:
    assert weighed(None, ("a", 1), ("x", 0))
    assert weighed(0.9, ("a", 1), ("x", 0))
    assert weighed(0.9, ("x", 0))
    result = evaluate("a", [WeightedCheck(check("contains", "x"), 0)], Rung.RAW, {})
    assert [(score.passed, score.weight) for score in result.scores] == [(False, 0)]


def test_without_checks_everything_passes() -> None:
    assert evaluate("x", [], Rung.RAW, {}).passed


def test_a_check_sees_what_the_call_took() -> None:
    assert evaluate("x", [check("latency", "1 s")], Rung.RAW, {}, CallFacts(latency_ms=900)).passed
    assert not evaluate("x", [check("latency", "1 s")], Rung.RAW, {}, CallFacts(latency_ms=1100)).passed


class Asking(JudgedCheck):
    """A judged check that takes the first answer's text for its verdict."""

    judges = (ModelRef("openai", "j"),)
    config = None
    criterion = identity = standing = ""
    counts = True

    def __init__(self, counts: bool = True) -> None:
        self.counts = counts

    def without_agreement(self) -> Asking:
        return self

    def requests(self, subject: Subject) -> list[Request]:
        return [Request(self.judges[0], (Message("user", subject.text),), {}, None, {}, 0)]

    def conclude(self, subject: Subject, answers: Sequence[Answer | None]) -> Score:
        said = answers[0].text if answers[0] else None
        weight = float(self.counts)
        return Score("asking", said == "yes", float(said == "yes"), "" if said == "yes" else "no", weight, said is None)

    def verdict(self, answer: Answer) -> str | None:
        return answer.text

    def score(self, subject: Subject) -> Score:
        return self.conclude(subject, [None])


def judged(
    said: str | None, *others: tuple[str, float], counts: bool = True, weight: float = 1, threshold: float | None = None
) -> bool | None:
    """Whether `a b` passes; None where that is not known."""
    checks = [
        WeightedCheck(Asking(counts), weight),
        *(WeightedCheck(check("contains", word), other) for word, other in others),
    ]
    answer = Answer(said, "j") if said else None
    found = evaluate("a b", checks, Rung.RAW, {}, threshold=threshold, answers=lambda question: answer)
    assert not (found.passed and found.errored)
    return None if found.errored else found.passed


def test_what_a_judge_says_counts() -> None:
    assert judged("yes")
    assert judged("no") is False
    assert judged("no", ("a", 1), threshold=0.5)
    assert judged("no", ("a", 1), weight=2, threshold=0.5) is False


def test_without_a_verdict_nobody_knows_unless_it_does_not_matter() -> None:
    assert judged(None) is None
    assert judged(None, ("a", 1)) is None
    assert judged(None, ("x", 1)) is False, "it fails whatever the judge says"
    assert judged(None, ("a", 1), threshold=0.5), "it passes whatever the judge says"
    assert judged(None, ("a", 1), threshold=0.6) is None
    assert judged(None, ("x", 1), threshold=0.6) is False


def test_what_is_advisory_decides_nothing_and_is_not_enough() -> None:
    assert judged("no", ("a", 1), counts=False)
    assert judged(None, ("a", 1), counts=False)
    assert judged("yes", ("x", 1), counts=False) is False
    assert judged("yes", counts=False) is None, "a case with nothing else passes by nothing"
    assert judged("yes", counts=False, weight=5) is None


def test_questions_are_those_of_judged_checks() -> None:
    checks = [check("json"), WeightedCheck(Asking(), 1)]
    [asked] = judge_requests(checks, subject_of("text", Rung.RAW, {}))
    assert asked.request.messages[0].content == "text"
