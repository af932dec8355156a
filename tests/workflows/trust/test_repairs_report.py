"""The report on repairs: what it says, in 80 columns, whatever a model wrote."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from promptbench.report.document import Target
from promptbench.report.words import width_of
from promptbench.workflows.trust.repairs import (
    AnswerGroup,
    PromptRepairs,
    RepairUse,
    repairs_report,
)
from tests.report.golden import check
from tests.report.kit import ESCAPES, LONG, MARKUP, WIDE, rendered

RUNGS = {"raw": 11, "extracted": 8, "repaired_safe": 4, "repaired_risky": 3, "none": 6}
CHAMPION = PromptRepairs(
    prompt="triage@7",
    side="champion",
    model="openai/gpt-5-mini",
    answers=32,
    rungs=RUNGS,
    rules=[
        RepairUse("prose_around", "extracted", True, 9, 6, 8),
        RepairUse("trailing_comma", "repaired_safe", False, 4, 3, 0),
        RepairUse("missing_comma", "repaired_risky", False, 3, 3, 0),
        RepairUse("fence", "extracted", True, 2, 2, 2),
    ],
    rescued=8,
    beyond=7,
    unreadable=[
        AnswerGroup("unclosed:object@value", 4, f"An object is never closed (at character 812) {ESCAPES}"),
        AnswerGroup("no_data", 2, "There is no JSON object or array in the text"),
    ],
    misfits=[
        AnswerGroup("team is …, none of [1]", 3, f"team is '{LONG}', none of [1]"),
        AnswerGroup("the answer lacks 'team'", 1, "the answer lacks 'team'"),
        *(AnswerGroup(f"{number}. {WIDE} is …, not text", 1, MARKUP) for number in range(9)),
    ],
)
CLEAN = PromptRepairs(
    prompt="triage.with-a-name-that-goes-on-and-on-until-nobody-reads-it-any-more-or-wants-to",
    side="candidate",
    model="openai/gpt-5-mini",
    answers=32,
    rungs={"raw": 32, "extracted": 0, "repaired_safe": 0, "repaired_risky": 0, "none": 0},
    rules=[],
    rescued=0,
    beyond=0,
    unreadable=[],
    misfits=[],
)
BASELINE = replace(CLEAN, prompt="", side="baseline", model="python/classifier.py:classify")
REPORT = repairs_report("20261124-093012-ab12", "triage", "extracted", [CHAMPION, CLEAN, BASELINE], 4)


def test_looks_as_it_did() -> None:
    check("repairs.txt", rendered("terminal", [REPORT], Target(80)))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_fits_the_width_and_obeys_nobody(width: int) -> None:
    lines = rendered("terminal", [REPORT], Target(width)).splitlines()
    assert max(map(width_of, lines)) <= width
    assert "\x1b" not in "".join(lines)
    assert " ".join(lines).endswith(REPORT.document.verdict)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [CHAMPION, CLEAN],
            "8 of 64 answers depend on 2 rules; 7 more need rules that the suite does not accept; "
            "19 can only be fixed by another prompt",
        ),
        ([CLEAN], "none of 32 answers depends on a rule; none can only be fixed by another prompt"),
        ([], "no check of this suite reads an answer as data, so there are no formats to report"),
    ],
)
def test_the_sentence(rows: list[PromptRepairs], said: str) -> None:
    assert repairs_report("r", "triage", "extracted", rows, 0).document.verdict == said


def test_as_json_it_has_everything() -> None:
    data = json.loads(json.dumps(REPORT.data()))
    assert data["sentence"] == REPORT.document.verdict
    assert len(data["rows"][0]["misfits"]) == 11
    assert data["rows"][0]["rules"][0] == {
        "name": "prose_around",
        "rung": "extracted",
        "accepted": True,
        "needed": 9,
        "alone": 6,
        "lost": 8,
    }
