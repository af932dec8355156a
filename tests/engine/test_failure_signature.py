from __future__ import annotations

import time

import pytest

from promptbench.core.types import Score
from promptbench.engine.failure_signature import build_score_signature, find_json_fault, strip_details, strip_values


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("team: expected 'delivery', got 'other'", "team: expected …, got …"),
        ("team: expected 'delivery', got null", "team: expected …, got null"),
        ("order: expected null, got 'LARS'", "order: expected null, got …"),
        ("a: expected 'y', got 'x'; b: expected 4, got 3", "a: expected …, got …; b: expected …, got …"),
        ('team: expected one of ["a","b"], got \'x\'', 'team: expected one of ["a","b"], got …'),
        ("items.3.price: expected at least 7.50, got 5", "items.*.price: expected at least 7.50, got …"),
        ("words: expected at most 10, got 12", "words: expected at most 10, got …"),
        ("expected 'good', got 'it's fine'", "expected …, got …"),
        ("x: expected 'another long one…, got 'a long text that is…", "x: expected …, got …"),
        # Reasons of earlier versions.
        ("team is 'other', not 'delivery'", "team is …, not …"),
        ("team is null, not 'delivery'", "team is null, not …"),
        ("order is 'LARS', not null", "order is …, not null"),
        ("a is 'x', not 'y'; b is 3, not 4", "a is …, not …; b is …, not …"),
        ("b is missing; a is 'x', not 'y'", "b is missing; a is …, not …"),
        ("the answer lacks 'team'", "the answer lacks 'team'"),
        ("'refund' is not in the answer", "'refund' is not in the answer"),
        (
            "the answer has 'street', which the schema does not allow",
            "the answer has …, which the schema does not allow",
        ),
        ('team is \'x\', none of ["a","b"]', 'team is …, none of ["a","b"]'),
        ("items.3.price is 5, not at least 7.50", "items.*.price is …, not at least 7.50"),
        ("the answer has 12 words, not at most 10", "the answer has …, not at most 10"),
        ("the similarity is 0.43, less than 0.8", "the similarity is …, less than 0.8"),
        ("the answer is 'it's fine', not 'good'", "the answer is …, not …"),
        ("x is 'a long text that is…, not 'another long one…", "x is …, not …"),
        ("line2 is missing", "line2 is missing"),
        ("code in place of a value (at character 17)", "code in place of a value (at character …)"),
    ],
)
def test_names_and_limits_stay_and_values_go(reason: str, cause: str) -> None:
    assert strip_values(reason) == cause


def test_messages_of_programs() -> None:
    assert strip_details("request 7f3a9c21bd of 'acme' failed after 31 ms") == "request # of … failed after # ms"


def test_the_first_check_that_counts() -> None:
    scores = [
        Score("length", False, 0.0, "12 words", weight=0.0),
        Score("json", True, 1.0),
        Score("expect", False, 0.0, "team is 'a', not 'b'"),
        Score("regex", False, 0.0, "no match"),
    ]
    assert build_score_signature(scores) == "expect: team is …, not …"
    assert build_score_signature(scores[:2]) == "the checks"
    assert find_json_fault("It is for billing.") == "JSON: no_data"
    assert find_json_fault("{}") is None


@pytest.mark.parametrize("part", ["x is 'a", " is [", ", not '", "'", "-1", "0."])
def test_a_long_reason_takes_no_longer(part: str) -> None:
    began = time.perf_counter()
    assert len(strip_values(part * 500_000)) <= 120
    assert len(strip_details(part * 500_000)) <= 120
    assert time.perf_counter() - began < 10
