"""What a measurement found, as plain data: how long calls take on each model, what they cost, and how models compare.

Times are in milliseconds, costs in US dollars, shares in [0, 1]. Intervals are at 95 %, each for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from promptbench.core.types import Json
from promptbench.report.model import TokenTimes

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with the bounds of its interval; None where there are too few calls for a bound."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """How a figure is spread over `count` calls; `few` tells that there are fewer than a p99 takes."""

    count: int
    few: bool
    p50: Figure
    p90: Figure
    p95: Figure
    p99: Figure
    deviation: Figure
    mean: float


@dataclass(frozen=True, slots=True)
class Costs:
    """US dollars of one interaction, of a thousand, and of a month; None is unknown. `examples` is the share of the
    bill that is for the prompt's examples.
    """

    each: float | None
    per_1000: float | None
    per_month: float | None
    examples: float | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The share of right answers, and the run of the same prompt that it is from; empty where a log says it."""

    share: Figure
    answers: int
    run: str


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """One model. `latency` is what a caller waits, from the moment at which a call was due; `provider` is the part of
    it that the model took, `queue` the part waited here. Calls without an answer are in none of these.
    """

    model: str
    uses_prompt: bool
    calls: int
    answered: int
    errored: Figure
    retried: Figure | None
    """The share of calls that took more than one try; None where that is not known."""
    errors: Mapping[str, int]
    latency: Spread | None
    provider: Spread | None = None
    queue: Spread | None = None
    first_token: Spread | None = None
    tokens_per_second: Spread | None = None
    by_input_tokens: Sequence[TokenTimes] = ()
    by_output_tokens: Sequence[TokenTimes] = ()
    input_tokens: float | None = None
    output_tokens: float | None = None
    cached_share: float | None = None
    """The share of the input tokens that the provider read from its cache."""
    late_p99: float | None = None
    """By how much this machine was late to send a call."""
    costs: Costs = field(default_factory=lambda: Costs(None, None, None, None))
    accuracy: Accuracy | None = None
    down: str | None = None
    """Why it was disabled."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """How many times as long the slower of two models takes, by quantile; None where a quantile is not positive."""

    faster: str
    slower: str
    p50: Figure | None
    p90: Figure | None
    p99: Figure | None


@dataclass(frozen=True, slots=True)
class Advice:
    """The models that no other one is better than in all of `by`, what follows from it, and why."""

    by: Sequence[str]
    front: Sequence[str]
    recommended: str | None
    sentences: Sequence[str]


@dataclass(frozen=True, slots=True)
class MeasurementReport:
    """`about` is what was measured, in words, and `how` the way. `name` is that of the record, empty of a log."""

    name: str
    started: str
    suite: str
    prompt: str
    version: str
    about: str
    how: str
    complete: bool
    models: Sequence[MeasuredModel]
    contrasts: Sequence[Contrast]
    beside_own: Sequence[str]
    """Models that use the prompt beside those that do not, in words."""
    advice: Advice
    notes: Sequence[str]
    per_month: int | None = None

    def as_dict(self) -> dict[str, Json]:
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One model in one measurement on record."""

    name: str
    started: str
    suite: str
    prompt: str
    version: str
    complete: bool
    how: str
    model: str
    answered: int
    calls: int
    p50: Figure | None
    p99: Figure | None
    per_1000: float | None


def history_dict(lines: Sequence[HistoryLine]) -> dict[str, Json]:
    return {"schema_version": SCHEMA_VERSION, "measurements": [asdict(line) for line in lines]}


def to_fastest(report: MeasurementReport) -> Iterator[Contrast]:
    """The contrasts with the model that is the fastest by its p50, that is: as many as there are other models."""
    known = [model for model in report.models if model.latency]
    if known:
        first = min(known, key=lambda model: model.latency.p50.value if model.latency else 0.0).model
        yield from (item for item in report.contrasts if first in (item.faster, item.slower))
