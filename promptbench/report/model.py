"""The result of a run or comparison as plain data. The dataclasses are the shape of its JSON.

Texts below fields become descriptions in the JSON Schema of reports.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from promptbench.core.errors import Exit
from promptbench.core.protocols import PastRow
from promptbench.core.types import Json, Score
from promptbench.metrics.latency import TokenTimes
from promptbench.report.figures import Nlu, Qa
from promptbench.report.words import excerpt

SCHEMA_VERSION = 1
_LONGEST = 80  # of what is shown of arguments and of a result, in columns


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
    # Attempts with an answer from the cache: they count for the pass rate, and have no time, tokens or cost.
    cached: int = 0
    timed: int = 0  # The number of calls behind the times.
    few: bool = False  # True if these are fewer than 100 calls, so that the p99 is between the two slowest.
    p90_ms: float | None = None
    # From sending the request to the head of the answer; None without a network.
    first_byte_p50_ms: float | None = None
    queue_p99_ms: float | None = None
    by_input_tokens: Sequence[TokenTimes] = ()
    by_output_tokens: Sequence[TokenTimes] = ()

    @property
    def mean_input_tokens(self) -> float | None:
        """The mean of the calls that were made."""
        made = self.attempts - self.cached
        return self.input_tokens / made if self.input_tokens and made else None


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of a chain on one model, or the whole chain. `checked` is False if no check of the step counts."""

    step: str
    checked: bool
    figures: Row


@dataclass(frozen=True, slots=True)
class CalledTool:
    """A tool that the model called in a step of an attempt, counted from 1. `result` is None if it got none."""

    step: int
    name: str
    arguments: str
    result: str | None

    def __str__(self) -> str:
        came = "without result" if self.result is None else f"→ {excerpt(self.result, _LONGEST)}"
        return f"step {self.step}: {excerpt(self.name, _LONGEST)} {excerpt(self.arguments, _LONGEST)} {came}"


@dataclass(frozen=True, slots=True)
class TurnAnswer:
    """The answer in a turn of a conversation, or in a step of a chain with its name, counted from 1."""

    step: int
    answer: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name or f'turn {self.step}'}: {excerpt(self.answer, _LONGEST)}"


@dataclass(frozen=True, slots=True)
class SideResult:
    """One prompt's result at a case: passes and attempts, and one answer with the reasons of the checks.

    `interval` is the 95 % interval of the pass rate, in [0, 1]; None for a single attempt.
    """

    passed: int
    attempts: int
    answer: str | None
    reasons: Sequence[str]
    interval: tuple[float, float] | None = None
    called: Sequence[CalledTool | TurnAnswer] = ()  # What led to the answer: calls of tools with results, or turns.


@dataclass(frozen=True, slots=True)
class FlipRow:
    """A case whose state needs attention; `logged` if it is from a log."""

    model: str
    case: str
    flip: str
    critical: bool
    logged: bool
    champion: SideResult | None
    candidate: SideResult
    # Why the candidate fails, without what differs between answers: the key for grouping; empty if it passes.
    cause: str = ""
    expected: str | None = None  # The value of `expect:`; None without one, or if it is not known any more.
    notes: Sequence[str] = ()  # Remarks on the case: how flaky it is, or who quarantined it and why.
    cluster: str | None = None  # The name of the cluster of cases that it belongs to; None if it is independent.


@dataclass(frozen=True, slots=True)
class CheckChange:
    """The number of cases at which a check passes for the candidate only (fixed) or for production only (broken).

    It counts the answers of the first round on one model.
    """

    check: str
    model: str
    fixed: int
    broken: int


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case with one prompt on one model, over all its attempts, retests included.

    For the judged candidate, `state` is the gate's: fixed, broken, still passing and so on. Otherwise it is passing,
    failing or no answer. `answer` is the first failing one, or the first; `reasons`, `error` and `rung`
    belong to it. Times are in milliseconds and costs in US dollars, both summed up; an unknown cost is None.
    """

    case: str
    model: str
    gated: bool
    prompt: str
    side: str
    judged: bool  # True for the prompt that the verdict is about, even on a model that does not have to pass.
    state: str
    critical: bool
    logged: bool
    tags: Sequence[str]
    file: str  # The file of the case, from the project's root; for a logged case, the file that names the log.
    line: int
    expected: str | None  # The value of `expect:`; None without one.
    attempts: int  # The number of answered attempts.
    passed: int
    errored: int
    answer: str | None
    reasons: Sequence[str]
    error: str | None
    rung: str | None
    provider_ms: float
    cost: float | None
    interval: tuple[float, float] | None = None  # The exact 95 % interval of the pass rate; None for a single attempt.
    cluster: str | None = None  # The name of the cluster of cases that it belongs to; None if it is independent.
    called: Sequence[CalledTool | TurnAnswer] = ()  # As in `SideResult`.


@dataclass(frozen=True, slots=True)
class SkippedCase:
    """A case that was not called, and the reason. `file` and `line` are as in `CaseResult`."""

    case: str
    reason: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Saving:
    """The attempts that a run made on models whose answers vary, and the number with all tries at every case."""

    asked: int
    everywhere: int


@dataclass(frozen=True, slots=True)
class LogSummary:
    """The logged failing calls: the number of inputs, how many pass now, and which still fail."""

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
    """The calls to one judge in a run. Costs are in US dollars; None is unknown.

    `without_answer` counts calls that its provider did not answer, `without_verdict` answers without a verdict.
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
    returning: Sequence[str] = ()  # Cases that the replaced version had fixed, and that fail again from now on.
    proof: str = ""  # The proof in words; empty without one.
    already: bool = False  # It was like that before: the command was repeated, or somebody else was faster.
    notes: Sequence[str] = ()  # What somebody should know who relies on the version, or on one next to it.


@dataclass(frozen=True, slots=True)
class PromptText:
    """A prompt version of a run. `label` is as in `Row`, `source` the prompt file's text."""

    label: str
    side: str
    hash: str
    source: str


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt. `prompt` is the version's hash, empty for a baseline.

    Times are in milliseconds, costs in US dollars; None is unknown, or not measured now.
    """

    prompt: str
    model: str
    repeat: int
    counted: bool  # True if it counts for rates, because it is not a retest.
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
    called: Sequence[CalledTool | TurnAnswer] = ()  # As in `SideResult`.
    scores: Sequence[Score] = ()


@dataclass(frozen=True, slots=True)
class CaseAttempts:
    """A case with its messages and every attempt. `number` is its position in the suite.

    `states` has its state by model: a `FlipRow.flip`, `still passing`, or `passing` if nothing was compared. `expected`
    is a list of one, because null may be the right answer; empty without an expectation. `asked` has the messages (role
    and text) by the prompt's hash. `was` are logged wrong answers.
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

    @property
    def columns(self) -> list[list[AttemptRow]]:
        """The attempts of each prompt on each model."""
        found: dict[tuple[str, str], list[AttemptRow]] = {}
        for item in self.attempts:
            found.setdefault((item.prompt, item.model), []).append(item)
        return list(found.values())


@dataclass(frozen=True, slots=True)
class Explored:
    """All attempts of a run, for formats that show them.

    Cases and history are read from the record on iteration, so that other formats do not wait for them. The history
    starts with the oldest run. `candidate` is the judged prompt's hash, `models` holds for each model if it is judged,
    and `intents` are the labels that the suite expects, if it is about intents.
    """

    prompts: Sequence[PromptText]
    cases: Iterable[CaseAttempts]
    history: Iterable[PastRow]
    candidate: str = ""
    models: Mapping[str, bool] = field(default_factory=dict)
    intents: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RungChange:
    """An answer that is on another rung of the format ladder than it is on in the record."""

    model: str
    prompt: str  # Its name in reports; empty for a model that uses none.
    case: str
    repeat: int  # Counts from 0.
    before: str
    after: str
    repairs: Sequence[str]  # The names of the repairs it needs now.


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run or comparison with its verdict. `exit` is the verdict's exit code."""

    run: str  # Its name in the record; empty if no call was made because a key is missing.
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
    saving: Saving | None = None  # None if every model is deterministic, or nothing was compared.
    errors: Sequence[str] = ()  # Errors of providers, each once with its count.
    judges: Sequence[JudgeRow] = ()
    unjudged: Sequence[str] = ()  # Reasons why judges gave no verdict, each once with its count.
    advisory: Sequence[str] = ()  # Results of checks without weight.
    # Names of the cases that are not compared, by reason.
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    checks: Sequence[CheckChange] = ()  # Checks that pass for one side only, with their numbers of cases.
    nlu: Nlu | None = None  # Figures of the checks `intent` and `slots` over all cases.
    qa: Qa | None = None  # Figures of the checks of answers from documents over all cases.
    steps: Sequence[StepRow] = ()  # Figures of the steps of chains.
    causes: Sequence[str] = ()  # What the steps of chains get right, and which of them broke cases.
    # Of a run that was scored again: the answers on another rung than in the record, and the hashes of the ladder then
    # ("unknown" if the record has none) and now.
    rungs: Sequence[RungChange] = ()
    ladders: Sequence[str] = ()
    skipped: Sequence[SkippedCase] = ()  # Cases that are not among the `cases`, because their `skip:` says why.
    waits: Sequence[str] = ()  # Models whose queue took longer than their answers, and why.
    # Every case with every prompt on every model: by model, then in the suite's order, then by prompt. Read from the
    # record on iteration, because there may be many.
    results: Iterable[CaseResult] = field(default_factory=tuple)
    # The failing calls as lines of a log, for the format `log`. Read from the record on iteration.
    failures: Iterable[Mapping[str, Json]] = field(default_factory=tuple)
    # All attempts, each with its line of a log, for the format `otlp`. Read from the record on iteration.
    calls: Iterable[Json] = field(default_factory=tuple)
    # The evidence, for the format `evidence`. Several suites about one prompt share one, in the last report.
    proof: Mapping[str, Json] | None = None
    promotion: Promotion | None = None
    promote: str = ""  # The command that promotes the candidate; empty if it did not pass, or is promoted already.
    explored: Explored | None = None  # The single attempts, for the format `html`.
