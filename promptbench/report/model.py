"""What a report shows, as plain data. Every format reads this, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from promptbench.core.errors import Exit
from promptbench.core.types import Json

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class TokenTimes:
    """The times of the calls with `least` to `most` tokens, both included, in milliseconds; `few` as in `Row`."""

    least: int
    most: int
    calls: int
    few: bool
    p50_ms: float
    p90_ms: float
    p99_ms: float
    deviation_ms: float


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt on one model. Shares are in [0, 1], times in milliseconds, costs in US dollars; None is unknown.

    Times are of calls that were made now: an answer from the cache or a recording has none.
    """

    prompt: str
    side: str
    model: str
    gated: bool
    attempts: int
    passed: int
    errored: int
    well_formed: int | None
    rungs: Mapping[str, int]
    p50_ms: float | None
    p99_ms: float | None
    mean_ms: float | None
    deviation_ms: float | None
    queue_p50_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    cost_per_1000: float | None
    repairs: Mapping[str, int]
    cached: int = 0
    """Attempts with an answer from the cache: part of the pass rate, and of no time, no tokens and no cost."""
    timed: int = 0
    """How many calls the times are of."""
    few: bool = False
    """Whether these are fewer calls than a p99 takes: below 100 it lies between the two slowest."""
    p90_ms: float | None = None
    first_byte_p50_ms: float | None = None
    """From sending the request to the head of the answer; None without a network."""
    queue_p99_ms: float | None = None
    by_input_tokens: Sequence[TokenTimes] = ()
    by_output_tokens: Sequence[TokenTimes] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """One prompt's part in a flip: passes of attempts, and one answer with what the checks say of it."""

    passed: int
    attempts: int
    answer: str | None
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class FlipRow:
    """A case whose state is worth a look. `logged` tells that it comes from a log."""

    model: str
    case: str
    flip: str
    critical: bool
    logged: bool
    champion: Side | None
    candidate: Side


@dataclass(frozen=True, slots=True)
class LogSummary:
    """What became of the logged failing calls: how many inputs, how many pass now, which do not."""

    calls: int
    mended: int
    still_failing: Sequence[str]
    model: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one candidate."""

    candidate: str
    candidate_hash: str
    champion: str | None
    champion_hash: str | None
    mode: str
    result: str
    sentence: str
    counts: Mapping[str, int]
    mid_p: float | None


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """What one judge was asked in a run, apart from the models. Costs are in US dollars; None is unknown.

    `without_answer` are questions that its provider did not answer, `without_verdict` answers that hold none.
    """

    judge: str
    returned: Sequence[str]
    questions: int
    without_answer: int
    without_verdict: int
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class Promotion:
    """A label that moved."""

    prompt: str
    label: str
    version: int
    hash: str
    previous: int | None
    undo: str
    returning: Sequence[str] = ()
    """Cases that the version left behind had fixed, and that fail again from now on."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run and its verdict. `exit` is the exit code that the verdict means."""

    run: str
    suite: str
    path: str
    prompt: str
    started: str
    result: str
    sentence: str
    exit: Exit
    cases: int
    judgements: Sequence[Judgement]
    rows: Sequence[Row]
    flips: Sequence[FlipRow]
    log: LogSummary | None
    comparisons: Sequence[str]
    notes: Sequence[str]
    reproduce: str
    errors: Sequence[str] = ()
    """Why providers gave no answer, each reason once with its count."""
    judges: Sequence[JudgeRow] = ()
    unjudged: Sequence[str] = ()
    """Why answers are without a verdict from their judges, each reason once with its count."""
    advisory: Sequence[str] = ()
    """What checks say that are reported and decide nothing."""
    waits: Sequence[str] = ()
    """Models that were waited for longer than they took, and what for."""
    failures: Iterable[Mapping[str, Json]] = field(default_factory=tuple)
    """The failing calls, as lines of a log: for the format `log`. There may be many, so they are read on the way."""
    proof: Mapping[str, Json] | None = None
    """The evidence: for the format `evidence`. Several suites about one prompt have one proof, in the last report."""
    promotion: Promotion | None = None
