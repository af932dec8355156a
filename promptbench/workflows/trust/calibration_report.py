"""The result of `calibrate`: flaky cases, the gate's false alarms because of them, and the report on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from promptbench.core.words import number_of
from promptbench.report.document import Block, CodeBlock, Document, Report, Section, TableBlock, TableColumn, Text
from promptbench.yaml.text import mapping_lines

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Share:
    """In how many of the drawn runs something was reported, with the exact 95 % interval of the share in [0, 1]."""

    count: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        share, low, high = (f"{value * 100:.1f} %" for value in (self.count / self.of, self.low, self.high))
        return f"{share} (95 %: {low} to {high})"


@dataclass(frozen=True, slots=True)
class FlakyCase:
    """A case that passed some tries and failed others; `low` and `high` are the exact 95 % bounds of its pass rate."""

    case: str
    passes: int
    tries: int
    low: float
    high: float
    critical: bool
    quarantined: bool


@dataclass(frozen=True, slots=True)
class CalibratedModel:
    """The result on one model, the flakiest case first.

    `broken`, `fixed` and `unstable` are the gate's false alarms in runs drawn with the observed rates; `halves` counts
    cases under the same names, for the two sides as they were run.
    """

    model: str
    cases: int
    flaky: Sequence[FlakyCase]
    broken: Share
    fixed: Share
    unstable: Share
    halves: dict[str, int]


@dataclass(frozen=True, slots=True)
class CalibratedSuite:
    """The result of one suite. `run` is None if no model was called. `repeats` are the tries of each side.

    `steady` are models that always answer the same, or that use no prompt. `room` is how many more cases may be in
    quarantine.
    """

    suite: str
    path: str
    prompt: str
    run: str | None
    repeats: int
    models: Sequence[CalibratedModel]
    steady: Sequence[str]
    room: int
    owner: str
    review_by: str


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    suites: Sequence[CalibratedSuite]


def calibration_report(found: CalibrationReport) -> Report:
    """Return the report on a calibration."""
    sections = [section for suite in found.suites for section in _sections(suite)]
    models = [model for suite in found.suites for model in suite.models]
    cases, flaky = sum(model.cases for model in models), sum(len(model.flaky) for model in models)
    verb = "is" if flaky == 1 else "are"
    verdict = f"{flaky} of {number_of(cases, 'case')} {verb} flaky" if cases else "nothing to calibrate"
    return Report("calibrate", Document("", sections, verdict), partial(asdict, found))


def _sections(suite: CalibratedSuite) -> Iterator[Section]:
    tries = f", {suite.repeats} {'try' if suite.repeats == 1 else 'tries'} for each side" if suite.run else ""
    steady = [
        Text(f"nothing to calibrate on {name}: it always answers the same, or uses no prompt") for name in suite.steady
    ]
    yield Section(
        steady or [Text(f"run {suite.run}", "quiet")], title=f"{suite.suite}: {suite.prompt} against itself{tries}"
    )
    for model in suite.models:
        verb = "is" if len(model.flaky) == 1 else "are"
        flaky = (
            f"{len(model.flaky)} of {number_of(model.cases, 'case')} {verb} flaky" if model.flaky else "no flaky case"
        )
        yield Section(list(_model(suite, model)), title=f"on {model.model}: {flaky}")


def _model(suite: CalibratedSuite, model: CalibratedModel) -> Iterator[Block]:
    if model.flaky:
        yield TableBlock(
            [
                TableColumn("case", numeric=False),
                TableColumn("passes"),
                TableColumn("95 % interval"),
                TableColumn("", numeric=False, drop=1),
            ],
            [
                (
                    item.case,
                    f"{item.passes} of {item.tries} tries",
                    f"{item.low * 100:.0f} % to {item.high * 100:.0f} %",
                    ", ".join(mark for mark in ("critical", "quarantined") if getattr(item, mark)),
                )
                for item in model.flaky[:_SHOWN]
            ],
            label="Flaky cases",
            note=f"and {len(model.flaky) - _SHOWN} more" if len(model.flaky) > _SHOWN else "",
        )
    shares = {"a case is broken": model.broken, "one is fixed": model.fixed, "one is unstable": model.unstable}
    alarms = ", ".join(f"{what} in {share}" for what, share in shares.items())
    runs = f"{model.broken.of:,} runs drawn with these rates in which nothing changes"
    yield Text(f"false alarms of the gate, in {runs}: {alarms}")
    halves = ", ".join(f"{count} {word}" for word, count in model.halves.items())
    yield Text(f"the two sides as they were, judged as production and candidate: {halves}")
    first = next((item for item in model.flaky if not (item.critical or item.quarantined)), None)
    if first is not None and suite.room > 0:
        yield Text(f"to quarantine the flakiest until {suite.review_by}, add to '{first.case}':")
        reason = f"passes {first.passes} of {first.tries} tries of {suite.prompt} on {model.model}"
        fields = {"owner": suite.owner, "reason": reason, "review by": suite.review_by}
        yield CodeBlock("\n".join(["quarantine:", *mapping_lines(fields, 2)]), indent=4)
