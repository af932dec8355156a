"""The report on mutants: what it says, in 80 columns, whatever a model wrote."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from promptbench.core.errors import Exit
from promptbench.report.document import Report, Target
from promptbench.report.words import width_of
from promptbench.workflows.trust.mutation_report import (
    OperatorRow,
    SuiteMutation,
    Survivors,
    VacuousCheck,
    mutation_report,
)
from tests.report.golden import check
from tests.report.kit import ESCAPES, LONG, MARKUP, WIDE, rendered


def alive(operator: str, where: str, mutants: int, **changes: object) -> Survivors:
    plain = Survivors(operator, True, where, mutants, 2, "charged twice", '{"team": "billing"}', '{"team": "other"}')
    return replace(plain, **changes)  # type: ignore[arg-type]


SUITE = SuiteMutation(
    suite="triage",
    path="suites/triage/suite.yaml",
    run="20261124-093012-ab12",
    cases=14,
    answers={"should be": 2, "run": 9, "expect": 1},
    without_answer=2,
    operators=[
        OperatorRow("drop a field", True, "The model leaves out a field.", 24, 0, 0, 12, 12),
        OperatorRow("swap two labels", True, "The model takes one class for another.", 12, 0, 2, 4, 6),
        OperatorRow("fence", True, "The model puts its JSON into Markdown.", 12, 12, 0, 0, 0),
        OperatorRow("reorder a list", False, "The model gives another order.", 3, 0, 0, 1, 2),
    ],
    survivors=[
        alive("drop a field", "priority", 12, mutant="{}"),
        alive("drop a field", "team", 6, mutant="{}"),
        alive("swap two labels", "priority", 6, original=LONG, mutant=LONG[:40] + ESCAPES),
        alive("invent a name", WIDE, 2, case=MARKUP, mutant=""),
        *(alive("wrong type", f"field {number}", 1, cases=1) for number in range(9)),
        alive("reorder a list", "tags", 2, must=False),
    ],
    vacuous=[
        VacuousCheck("not contains: 'sorry'", "suites/triage/suite.yaml:5:5", None),
        VacuousCheck(f"regex: '{ESCAPES}'", "suites/triage/suite.yaml:15:9", "charged twice"),
    ],
    vacuous_more=1,
    strict=3,
)
EMPTY = SuiteMutation("mail", "suites/mail/suite.yaml", None, 3, {}, 3, [], [], [], 0, 0)
REPORT = mutation_report([SUITE, EMPTY])


def test_looks_as_it_did() -> None:
    check("mutation.txt", rendered("terminal", [REPORT], Target(80)))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_fits_the_width_and_obeys_nobody(width: int) -> None:
    lines = rendered("terminal", [REPORT], Target(width)).splitlines()
    assert max(map(width_of, lines)) <= width
    assert "\x1b" not in "".join(lines)
    assert " ".join(lines).endswith(REPORT.document.verdict)


@pytest.mark.parametrize(
    ("report", "said", "code"),
    [
        (REPORT, "the checks kill 16 of 34 mutants (47 %); 3 checks never fail", Exit.YES),
        (
            mutation_report([SUITE], 0.9),
            "FAIL: the checks kill 16 of 34 mutants (47 %); triage is below 90 %; 3 checks never fail",
            Exit.NO,
        ),
        (
            mutation_report([replace(SUITE, vacuous=[], vacuous_more=0)], 0.4),
            "PASS: the checks kill 16 of 34 mutants (47 %); none is below 40 %",
            Exit.YES,
        ),
        (
            mutation_report([replace(SUITE, vacuous=[]), EMPTY], 0.4),
            "NO VERDICT: the checks kill 16 of 34 mutants (47 %); none is below 40 %; 1 check never fails",
            Exit.NOTHING,
        ),
    ],
)
def test_the_sentence_and_the_exit_code(report: Report, said: str, code: Exit) -> None:
    assert (report.document.verdict, report.exit) == (said, code)


def test_as_json_it_has_everything() -> None:
    data = json.loads(json.dumps(REPORT.data()))
    assert data["sentence"] == REPORT.document.verdict
    [suite, empty] = data["suites"]
    assert (suite["killed"], suite["counted"], empty["score"]) == (16, 34, None)
    assert suite["survivors"][0]["mutants"] == 12
