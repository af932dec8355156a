"""How much production's answers flake, and how often the gate errs by it: the data, and how a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from textwrap import wrap

from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.formats.yaml_text import mapping_lines
from promptbench.report.words import Target, clean, excerpt

SCHEMA_VERSION = 1
_IN = "  "
_SHOWN = 10
_NAME = 40


@dataclass(frozen=True, slots=True)
class Share:
    """In how many of so many drawn runs something was said, with the exact 95 % interval of its share in [0, 1]."""

    count: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        share, low, high = (f"{value * 100:.1f} %" for value in (self.count / self.of, self.low, self.high))
        return f"{share} (95 %: {low} to {high})"


@dataclass(frozen=True, slots=True)
class FlakyCase:
    """A case that passed some tries and failed others; `low` and `high` bound its pass rate at 95 %, exactly."""

    case: str
    passes: int
    tries: int
    low: float
    high: float
    critical: bool
    quarantined: bool


@dataclass(frozen=True, slots=True)
class CalibratedModel:
    """What was found on one model, the flakiest case first.

    `broken`, `fixed` and `unstable` are the gate's false alarms in runs drawn with the rates that were seen;
    `halves` has the same words with counts of cases, for the tries of the two sides as they were.
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
    """`run` is None where no model was asked. `repeats` are the tries of each side. `steady` are the models that
    always answer the same, or that use no prompt. `room` is how many more cases may be in quarantine.
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

    def as_dict(self) -> dict[str, Json]:
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def render(report: CalibrationReport, target: Target) -> str:
    """The report as text."""
    blocks = ["\n".join(_suite(suite, target.width)) for suite in report.suites]
    return "\n\n".join(blocks) + "\n"


def _suite(suite: CalibratedSuite, width: int) -> Iterator[str]:
    head = f"{suite.suite}: {suite.prompt} against itself"
    yield clean(
        head + (f", {suite.repeats} {'try' if suite.repeats == 1 else 'tries'} for each side" * bool(suite.run))
    )
    for name in suite.steady:
        yield from wrap(clean(f"nothing to calibrate on {name}: it always answers the same, or gets no prompt"), width)
    for model in suite.models:
        yield ""
        yield from _model(suite, model, width)


def _model(suite: CalibratedSuite, model: CalibratedModel, width: int) -> Iterator[str]:
    verb = "is" if len(model.flaky) == 1 else "are"
    flaky = (
        f"{len(model.flaky)} of {number_of(model.cases, 'case')} {verb} flaky" if model.flaky else "no case is flaky"
    )
    yield clean(f"on {model.model}: {flaky}")
    for item in model.flaky[:_SHOWN]:
        rate = f"passes {item.passes} of {item.tries} tries (95 %: {item.low * 100:.0f} % to {item.high * 100:.0f} %)"
        marks = [mark for mark, true in (("critical", item.critical), ("quarantined", item.quarantined)) if true]
        about = f" [{', '.join(marks)}]" if marks else ""
        yield f"{_IN}{excerpt(item.case, _NAME)}{about} {rate}"
    if len(model.flaky) > _SHOWN:
        yield f"{_IN}and {len(model.flaky) - _SHOWN} more"
    alarms = f"false alarms of the gate, in {model.broken.of:,} runs drawn with these rates in which nothing changes:"
    said = {"a case is broken": model.broken, "one is fixed": model.fixed, "one is unstable": model.unstable}
    yield from wrap(f"{alarms} {', '.join(f'{what} in {share}' for what, share in said.items())}", width)
    halves = ", ".join(f"{count} {word}" for word, count in model.halves.items())
    yield from wrap(f"the two sides as they were, judged as champion and candidate: {halves}", width)
    first = next((item for item in model.flaky if not (item.critical or item.quarantined)), None)
    if first is not None and suite.room > 0:
        yield ""
        yield from wrap(
            f"to set the flakiest apart until {suite.review_by}, write into {excerpt(first.case, _NAME)}:", width
        )
        yield from _block(suite, model, first)


def _block(suite: CalibratedSuite, model: CalibratedModel, item: FlakyCase) -> Iterator[str]:
    reason = f"passes {item.passes} of {item.tries} tries of {suite.prompt} on {model.model}"
    quarantine = {"owner": suite.owner, "reason": reason, "review by": suite.review_by}
    yield "    quarantine:"
    yield from mapping_lines(quarantine, 6)
