"""The plain data that travels between the parts. Frozen, slotted, standard library only.

Times are in milliseconds, costs in US dollars, dates in UTC as ISO 8601.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]
Json = Any
"""Plain data: None, bool, int, float, str, list and dict of the same."""


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str

    def as_dict(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class ModelRef:
    """`provider/name`, split at the first slash."""

    provider: str
    name: str

    @classmethod
    def parse(cls, text: str) -> ModelRef:
        """Raises ValueError when there is no slash, or nothing on one side of it."""
        provider, slash, name = text.strip().partition("/")
        if not (provider and slash and name):
            raise ValueError(text)
        return cls(provider, name)

    def __str__(self) -> str:
        return f"{self.provider}/{self.name}"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `input_tokens` is the total, `cached_tokens` the part of it that was read from a cache."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that shapes one answer. `variables` is there for models that are functions and see no prompt."""

    model: ModelRef
    messages: tuple[Message, ...]
    params: Mapping[str, Json]
    output_schema: Mapping[str, Json] | None
    variables: Mapping[str, Json]
    repeat: int
    stream: bool = False
    """Whether the answer is wanted in pieces, so that the first one can be timed. It is the same answer, so this is no
    part of what is asked."""

    def as_dict(self) -> dict[str, Json]:
        return {
            "model": str(self.model),
            "messages": [message.as_dict() for message in self.messages],
            "params": dict(self.params),
            "output_schema": self.output_schema,
            "variables": dict(self.variables) if not self.messages else {},
            "repeat": self.repeat,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider returned. `model` and `params` are as the provider names and took them."""

    text: str
    model: str
    params: Mapping[str, Json] = field(default_factory=dict)
    usage: Usage | None = None
    finish_reason: str | None = None
    provider_ms: float = 0.0
    """From the call to the last byte of its answer, connecting included."""
    structured: bool = False
    """Whether the output schema was enforced by the provider."""
    recorded: bool = False
    """Whether this is a kept answer that was not asked for now; its times are those of the call that gave it."""
    connect_ms: float | None = None
    """Opening a connection, with the name's address, proxy and TLS; 0 on one that was kept. None without a network."""
    first_byte_ms: float | None = None
    """From the open connection, when the request goes out, to the head of the answer. None without a network."""
    first_token_ms: float | None = None
    """From the call to the first piece of its text. None where it came as a whole."""
    limits: Mapping[str, str] | None = None
    """The headers about rate limits, by lower-case name; for the gateway, and not kept."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a call took besides its answer; None is unknown."""

    latency_ms: float | None = None
    usage: Usage | None = None
    cost: float | None = None


class FailureKind(StrEnum):
    """Why a call gave no answer, as the provider classifies it; the gateway decides what follows."""

    TRANSIENT = "transient"
    RATE_LIMIT = "rate_limit"
    REJECTED = "rejected"
    """This request will never be answered; others may."""
    FATAL = "fatal"
    """No request to this model will be answered: bad key, unknown model, broken weights."""


class ProviderFailure(Exception):
    """Raised by a provider instead of its SDK's errors. `retry_after` is in seconds, where the provider said so;
    `limits` are the headers about rate limits, as in `Answer`.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        limits: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.limits = limits


class CacheMode(StrEnum):
    """What a run does with the answers that are kept for it. The default is `off`: every question is asked."""

    OFF = "off"
    READ = "read"
    """An answer that is kept is taken instead of a call; all others are asked and kept."""
    WRITE = "write"
    """Every question is asked, and its answer is kept in the place of the one before."""


@dataclass(frozen=True, slots=True)
class FailedTry:
    """One call that gave no answer. `status` is HTTP's, where there is one."""

    kind: FailureKind
    message: str
    status: int | None
    provider_ms: float


class Outcome(StrEnum):
    """What became of one attempt. `errored`: a provider failed, or a judge, which says nothing about the answer."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    SKIPPED = "skipped"


class Rung(StrEnum):
    """The format ladder, best first."""

    RAW = "raw"
    EXTRACTED = "extracted"
    REPAIRED_SAFE = "repaired_safe"
    REPAIRED_RISKY = "repaired_risky"
    NONE = "none"

    @property
    def depth(self) -> int:
        """0 for raw; larger is worse."""
        return _RUNGS.index(self)

    def within(self, accept: Rung) -> bool:
        """Whether an answer on this rung counts as readable at the accept level."""
        return self.depth <= accept.depth and self is not Rung.NONE


_RUNGS = tuple(Rung)


@dataclass(frozen=True, slots=True)
class Repair:
    """A named step that made a text readable, and the offset in characters where it was applied."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A model's text, read as data. On rung `none`, `value` is None and `error` says why in one sentence."""

    rung: Rung
    value: Json = None
    repairs: tuple[Repair, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """The result of one check on one answer. `value` is in [0, 1]; `reason` is one sentence, empty when passed.

    `weight` is what the check counts among the others of its case; with 0 it is reported and decides nothing. It is
    `errored` when nobody could tell: a judge that was to say it gave no verdict. That says nothing about the answer.
    """

    check: str
    passed: bool
    value: float
    reason: str = ""
    weight: float = 1.0
    errored: bool = False


class FailureTier(StrEnum):
    """The stage at which a logged call failed. Each stage needs another fix, so they are counted separately."""

    # No answer: an HTTP error or a timeout.
    TRANSPORT = "transport"
    # The finish reason reports a truncated or refused answer.
    TRUNCATED = "cut"
    # A complete answer that is wrong: it does not parse, does not match its schema, or the source marked it.
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One call from a production log. `failed` says by what it was marked as failed, if at all, in the source's words;
    `tier` says what of it failed. `format` is the reader's name, `expected` the right answer where the log has one,
    `raw` the whole record, `cost` in US dollars. `extra` keeps the fields that have no place here.
    """

    id: str
    answer: str | None
    model: str = ""
    time: str | None = None
    variables: Mapping[str, Json] | None = None
    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    prompt_version: str | None = None
    error: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    latency_ms: float | None = None
    failed: str | None = None
    tags: tuple[str, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict)
    tier: FailureTier | None = None
    format: str = ""
    expected: Json = None
    cost: float | None = None
    raw: Json = None


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record of a log that cannot be read: where it is (`line 12`), and why."""

    place: str
    reason: str


class Side(StrEnum):
    """Which of the two prompts an attempt was made with; a baseline is a model that uses no prompt."""

    CHAMPION = "champion"
    CANDIDATE = "candidate"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class AttemptKey:
    """The identity of an attempt inside its run. `variant` is the prompt version's hash, empty for a baseline."""

    variant: str
    model: str
    case: str
    repeat: int


@dataclass(frozen=True, slots=True)
class Judging:
    """One question of a check to a judge, and what came back: an answer, or an error.

    `verdict` is what the check reads in the answer; None where there is none to read. `tries` are calls, none where the
    answer was on record. `text_hash` is of the judged answer.
    """

    request_hash: str
    judge: str
    case: str
    text_hash: str
    answer: Answer | None
    verdict: str | None
    error: str | None = None
    tries: int = 0
    queue_ms: float = 0.0
    cost: float | None = None
    started: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One question to one model, what came back, and what the checks say of it."""

    key: AttemptKey
    outcome: Outcome
    request_hash: str
    answer: Answer | None = None
    rung: Rung | None = None
    """None where nobody reads the answer as data."""
    well_formed: bool = False
    """Readable at the suite's accept level, and valid against the schemas that are checked."""
    repairs: tuple[Repair, ...] = ()
    scores: tuple[Score, ...] = ()
    error: str | None = None
    tries: int = 1
    """Calls made; none where the answer came from the cache."""
    queue_ms: float = 0.0
    """Waiting in promptbench: for a free slot, for a rate limit, between tries."""
    limit_ms: float = 0.0
    """The part of it for a rate limit."""
    backoff_ms: float = 0.0
    """The part of it between tries, and for a model that fell silent."""
    cost: float | None = None
    started: str = ""
    failed_tries: tuple[FailedTry, ...] = ()
    """The calls that gave no answer, in order; written to the record, and not read back."""
    fallback: str | None = None
    """The model that answered in the place of this one, which was given up: the attempt is errored all the same."""
    judgings: tuple[Judging, ...] = ()
    """What judges were asked about the answer; written to the record, and not read back."""

    @property
    def cached(self) -> bool:
        """Whether the answer came from the cache: nothing was asked, so it took no time and cost nothing."""
        return self.tries == 0 and self.outcome in (Outcome.PASSED, Outcome.FAILED)

    @property
    def reasons(self) -> Sequence[str]:
        return [f"{score.check}: {score.reason}" for score in self.scores if not score.passed and score.weight]
