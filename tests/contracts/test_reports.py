"""What holds for every report format."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from promptbench.cli import options
from promptbench.report.document import Target
from promptbench.report.renderers import plugins
from promptbench.workflows.logs.failures import failures_report
from promptbench.workflows.logs.replay import LoggedModel, rescore_report
from promptbench.workflows.measure.bench_report import bench_report, history_report
from promptbench.workflows.trust.calibrate import (
    CalibratedModel,
    CalibratedSuite,
    FlakyCase,
    Share,
    calibration_report,
)
from tests.report import kit
from tests.workflows.measure import test_bench_report
from tests.workflows.trust import test_mutation_report, test_repairs_report

FORMATS = plugins.names()
SHARE = Share(3, 100, 0.01, 0.09)
FLAKY = FlakyCase("hello", 18, 22, 0.6, 0.95, critical=False, quarantined=False)
CALIBRATED = CalibratedModel("openai/fake", 3, [FLAKY], SHARE, SHARE, SHARE, {"broken": 0})
OTHERS = {
    "bench": bench_report(test_bench_report.report("a/x", "b/y")),
    "bench history": history_report([]),
    "mutate": test_mutation_report.REPORT,
    "repairs": test_repairs_report.REPORT,
    "replay": rescore_report("suite.yaml", [LoggedModel("m", 4, 3)], Counter(json=3), ["c5"], {"no answer": 1}),
    "calibrate": calibration_report(
        [CalibratedSuite("s", "s.yaml", "p@1", "r", 11, [CALIBRATED], ["gguf/m"], 2, "someone", "2026-12-24")]
    ),
    "failures": failures_report([]),
}


def test_there_are_formats() -> None:
    assert {"terminal", "plain", "json", "log", "evidence"} <= set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("target", [Target(), Target(60), Target(200, colour=True)])
def test_everything_can_be_rendered_and_written(name: str, target: Target) -> None:
    for report in (kit.report(), kit.passed(), kit.unasked()):
        text = kit.rendered(name, [report], target)
        assert text.encode("utf-8").decode() == text
        assert text.endswith("\n")
        assert "\r" not in text
        assert kit.rendered(name, [report], target) == text


@pytest.mark.parametrize("name", FORMATS)
def test_colour_only_where_it_is_wanted(name: str) -> None:
    assert "\x1b" not in kit.rendered(name, [kit.report()], Target(80, colour=False))


def test_help_names_all_that_come_with_promptbench() -> None:
    helps = [
        kind.__metadata__[0].help.removesuffix(".").partition(": ")[2] for kind in (options.RunFormat, options.Format)
    ]
    every, others = (set(re.split(", | or ", text)) for text in helps)
    assert (every, others) == (set(FORMATS), set(FORMATS) - {"log", "otlp", "evidence"})


@pytest.mark.parametrize("name", FORMATS)
def test_it_says_what_it_is_for(name: str) -> None:
    assert plugins.load(name).__doc__


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("log", "otlp", "evidence")])
@pytest.mark.parametrize("command", OTHERS)
def test_every_commands_result_has_every_format(command: str, name: str) -> None:
    report = OTHERS[command]
    text = kit.rendered(name, [report], Target())
    assert text.endswith("\n")
    assert "\r" not in text
    if name in ("plain", "markdown", "github", "junit"):
        assert report.document.verdict.split()[0] in text
    if name in ("terminal", "plain"):
        quiet = kit.rendered(name, [report], Target(200, quiet=True))
        assert quiet == f"{report.document.verdict}\n" * bool(report.document.verdict)
