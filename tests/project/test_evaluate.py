from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.checks import plugins
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import CallFacts, Json, Rung, Score
from promptbench.project.evaluate import Weighed, evaluate


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
    built = [Weighed(check("contains", word), weight) for word, weight in checks]
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
    result = evaluate("a", [Weighed(check("contains", "x"), 0)], Rung.RAW, {})
    assert [(score.passed, score.weight) for score in result.scores] == [(False, 0)]


def test_without_checks_everything_passes() -> None:
    assert evaluate("x", [], Rung.RAW, {}).passed


def test_a_check_sees_what_the_call_took() -> None:
    assert evaluate("x", [check("latency", "1 s")], Rung.RAW, {}, CallFacts(latency_ms=900)).passed
    assert not evaluate("x", [check("latency", "1 s")], Rung.RAW, {}, CallFacts(latency_ms=1100)).passed
