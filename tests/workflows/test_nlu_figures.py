"""What a report says of intents and slots, with labels and texts that try to get out of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from promptbench.metrics.nlu import ConfidenceBin, LabelScore, ThresholdRow
from promptbench.report.document import Target
from promptbench.report.figures import (
    Confidence,
    Confused,
    Nlu,
    NluComparison,
    NluSummary,
    Part,
    figures,
    percent,
)
from tests.report import kit
from tests.report.golden import check

SUMMARY = NluSummary(
    prompt="triage.few-shot",
    side="candidate",
    model="gguf/smollm2-135m",
    accuracy=Part(4700, 5500, 0.845, 0.864),
    in_scope=Part(4166, 4500, 0.918, 0.933),
    out_of_scope=Part(375, 1000, 0.345, 0.406),
    macro=LabelScore(0.871, 0.88, 0.8712, 5500, 0.862, 0.878),
    micro=LabelScore(0.9, 0.88, 0.89, 5500),
    weighted=LabelScore(0.9, 0.88, 0.89, 5500),
    intents={"billing": LabelScore(1.0, 0.5, 2 / 3, 8), kit.MARKUP: LabelScore(0.0, 0.0, 0.0, 1)},
    confused=[
        Confused("billing", "delivery", 26, 3, "late", "where is the invoice of my parcel"),
        Confused(kit.MARKUP, kit.WIDE, 2, 0, "markup", kit.ESCAPES),
        Confused("a", kit.LINES, 1, 0, "lines", kit.RIGHT_TO_LEFT),
        Confused("b", "c", 1, 0, "never shown", "never shown"),
    ],
    outside={kit.ESCAPES: 3, kit.LINES: 2, kit.WIDE: 1, "d": 1, "e": 1, "f": 1},
    outside_count=9,
    unread=1,
    slots=LabelScore(0.951, 0.932, 0.94, 1794, 0.926, 0.951),
    by_slot={"city": LabelScore(1.0, 1.0, 1.0, 3)},
    exact=Part(20, 20, 0.832, 1.0),
    confidence=Confidence(
        5500,
        0.0697,
        [ConfidenceBin(0.0, 0.0667, 5500, 0.05, 0.1)],
        [ThresholdRow(0.0, 0.93, 0.1), ThresholdRow(0.41, 0.91, 0.6), ThresholdRow(0.9, 0.4, 0.99)],
    ),
)
BASELINE = replace(
    SUMMARY,
    prompt="",
    side="baseline",
    model="python/model.py:predict",
    accuracy=Part(1, 3, 0.008, 0.906),
    in_scope=Part(1, 3, 0.008, 0.906),
    out_of_scope=None,
    confused=[],
    outside={},
    outside_count=0,
    unread=2,
    slots=None,
    exact=None,
    confidence=None,
)
NLU = Nlu(
    [SUMMARY, BASELINE],
    [
        NluComparison("triage.few-shot on gguf/smollm2-135m", kit.MARKUP, 5500, 3, 40, 1.2e-9, stands=True),
        NluComparison("python/model.py:predict", "http/nlu", 5500, 3, 4, 0.72, stands=False),
    ],
)


def test_golden() -> None:
    text = kit.rendered("terminal", [kit.passed(nlu=NLU)], Target(width=80))
    check("nlu.txt", text)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_lines_fit_and_nothing_reaches_the_terminal_raw(width: int) -> None:
    shown = kit.rendered("terminal", [kit.passed(nlu=NLU)], Target(width=width))
    said = [line for line in shown.splitlines() if " read it: " not in line and " undo it: " not in line]
    assert all(cell_len(line) <= width and line.isprintable() for line in said)


def test_a_threshold_is_suggested_if_one_does_better() -> None:
    assert ("calibration error", "7.0 %", "threshold 0.41: 91.0 % / 60.0 %") in figures(SUMMARY)
    confidence = Confidence(9, 0.1, [], [ThresholdRow(0.0, 0.9, 0.9), ThresholdRow(0.5, 0.5, 0.9)])
    assert ("calibration error", "10.0 %", "") in figures(replace(SUMMARY, confidence=confidence))


@pytest.mark.parametrize(
    ("share", "said"),
    [(1.0, "100.0 %"), (0.9999, "99.9 %"), (0.0, "0.0 %"), (0.0001, "0.1 %"), (0.9258, "92.6 %"), (None, "–")],
)
def test_all_and_none_are_said_of_all_and_none_only(share: float | None, said: str) -> None:
    assert percent(share) == said
