"""What a report shows, as plain data. Every format reads this, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from promptbench.core.errors import Exit
from promptbench.core.types import Json
from promptbench.report.nlu import Nlu
from promptbench.report.qa import Qa

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
    """One prompt's part in a flip: passes of attempts, and one answer with what the checks say of it.

    `interval` is that of the pass rate, at 95 %, in [0, 1]; None where one attempt is the fact.
    """

    passed: int
    attempts: int
    answer: str | None
    reasons: Sequence[str]
    interval: tuple[float, float] | None = None


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
    cause: str = ""
    """Why the candidate fails, without what differs from answer to answer, by which cases are grouped; else empty."""
    expected: str | None = None
    """What stands under `expect:`; None where only checks say what is right, or where that is not known any more."""
    notes: Sequence[str] = ()
    """What is known of the case besides: how much it flakes, who set it apart and why."""
    cluster: str | None = None
    """What it has in common with other cases; None where it stands for itself."""


@dataclass(frozen=True, slots=True)
class CheckChange:
    """At how many cases a check is passed by the candidate and not by the champion on a model, and the other way round,
    by the answers of the first round.
    """

    check: str
    model: str
    fixed: int
    broken: int


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case with one prompt on one model, over all its attempts, those that the gate asked for again included.

    Of the candidate that the verdict is about, `state` is the gate's word: fixed, broken, still passing and so on. Else
    it is passing, failing or no answer. `answer` is the first failing one, or the first; `reasons`, `error` and `rung`
    belong to it. Times are in milliseconds and costs in US dollars, both summed up; an unknown cost is None.
    """

    case: str
    model: str
    gated: bool
    prompt: str
    side: str
    judged: bool
    """Whether the prompt is the one that the verdict is about; the model may still be one that need not pass."""
    state: str
    critical: bool
    logged: bool
    tags: Sequence[str]
    file: str
    """Where the case is written, from the project's root; where a log brought it, the place that names the log."""
    line: int
    expected: str | None
    """What stands under `expect:`; None where only checks say what is right."""
    attempts: int
    """Answered ones."""
    passed: int
    errored: int
    answer: str | None
    reasons: Sequence[str]
    error: str | None
    rung: str | None
    provider_ms: float
    cost: float | None
    interval: tuple[float, float] | None = None
    """Of the pass rate, exact at 95 %; None of a single attempt."""
    cluster: str | None = None
    """What it has in common with other cases; None where it stands for itself."""


@dataclass(frozen=True, slots=True)
class Saving:
    """The attempts that a run made on models that do not always answer the same, and how many it would have made with
    all tries at every case.
    """

    asked: int
    everywhere: int


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
    proof: str = ""
    """On what it rests, in words; empty where nothing proves it."""


@dataclass(frozen=True, slots=True)
class PromptText:
    """A prompt version that took part. `label` is as in `Row`, `source` the prompt file's text."""

    label: str
    side: str
    hash: str
    source: str


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt. `prompt` is the version's hash, empty for a baseline; times are in milliseconds, the cost in US
    dollars; None is unknown, or was not taken now.
    """

    prompt: str
    model: str
    repeat: int
    counted: bool
    """Whether it enters rates: it was not asked because of a failure."""
    outcome: str
    answer: str | None
    rung: str | None
    repairs: Sequence[str]
    reasons: Sequence[str]
    error: str | None
    fallback: str | None
    tries: int
    cached: bool
    provider_ms: float | None
    queue_ms: float
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    started: str


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case with what was asked and every attempt. `number` is its place in the suite.

    `states` has for each model what became of it: a `FlipRow.flip`, `still passing`, or `passing` where nothing was
    compared. `expected` is a list of one, since null may be the right answer; empty where the case expects nothing.
    `asked` has the messages, each a role and a text, by the prompt's hash. `was` are logged answers that are wrong.
    """

    case: str
    number: int
    tags: Sequence[str]
    critical: bool
    states: Mapping[str, str]
    variables: Mapping[str, Json]
    expected: Sequence[Json]
    was: Sequence[str]
    asked: Mapping[str, Sequence[tuple[str, str]]]
    attempts: Sequence[AttemptRow]


@dataclass(frozen=True, slots=True)
class PastRow:
    """One prompt on one model in an earlier run of the same suite, or in this one. `answered` and `passed` are attempts
    that enter rates; `well_formed` of those `read` as data.
    """

    run: str
    started: str
    result: str
    prompt: str
    side: str
    model: str
    answered: int
    passed: int
    read: int
    well_formed: int
    mean_ms: float | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class Explored:
    """A run in full: for formats that show single attempts. Cases and history are read from the record on the way,
    each time they are iterated, so that nobody else waits for them. The history's oldest run is first.
    """

    prompts: Sequence[PromptText]
    cases: Iterable[CaseRow]
    history: Iterable[PastRow]


@dataclass(frozen=True, slots=True)
class Attempts:
    """What a page needs to list single attempts: the prompts, the cases, and which of them the verdict is about.

    `candidate` is the judged prompt's hash, `models` says of each model whether it is judged, and `intents` are the
    labels that the suite expects, if it is about intents.
    """

    prompts: Sequence[PromptText]
    cases: Iterable[CaseRow]
    candidate: str
    models: Mapping[str, bool]
    intents: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run and its verdict. `exit` is the exit code that the verdict means."""

    run: str
    """Its name in the record; empty where nothing was asked for want of a key."""
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
    saving: Saving | None = None
    """None where every model always answers the same, or nothing was compared."""
    errors: Sequence[str] = ()
    """Why providers gave no answer, each reason once with its count."""
    judges: Sequence[JudgeRow] = ()
    unjudged: Sequence[str] = ()
    """Why answers are without a verdict from their judges, each reason once with its count."""
    advisory: Sequence[str] = ()
    """What checks say that are reported and decide nothing."""
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Cases that are not compared, by name, under the reason why."""
    checks: Sequence[CheckChange] = ()
    """What became of each check that holds with one side and not with the other."""
    nlu: Nlu | None = None
    """What the checks `intent` and `slots` found, over all cases."""
    qa: Qa | None = None
    """What the checks of answers from documents found, over all cases."""
    waits: Sequence[str] = ()
    """Models that were waited for longer than they took, and what for."""
    results: Iterable[CaseResult] = field(default_factory=tuple)
    """Every case with every prompt on every model: by model, then in the suite's order, then by prompt. There may be
    many, so they are read on the way."""
    failures: Iterable[Mapping[str, Json]] = field(default_factory=tuple)
    """The failing calls, as lines of a log: for the format `log`. There may be many, so they are read on the way."""
    proof: Mapping[str, Json] | None = None
    """The evidence: for the format `evidence`. Several suites about one prompt have one proof, in the last report."""
    promotion: Promotion | None = None
    explored: Explored | None = None
    """The single attempts: for the format `html`."""
