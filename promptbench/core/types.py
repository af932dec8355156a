"""The data types that the parts exchange. Frozen, slotted, standard library only.

Times are in milliseconds, costs in US dollars, dates in UTC as ISO 8601.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Any, Literal

from promptbench.core.canonical import parse_json
from promptbench.core.files import FileValue, Pinned

# `tool` is the result of a tool. If it does not name its call, as in a log, it is sent as a message of the user.
Role = Literal["system", "user", "assistant", "tool"]
Json = Any  # Plain data: None, bool, int, float, str, list and dict of the same.


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool in an answer. `arguments` is the text that the model wrote: a JSON object, if it is right."""

    name: str
    arguments: str
    id: str = ""

    def parsed(self) -> Json:
        """Return the arguments as data, None if they are not JSON."""
        try:
            return parse_json(self.arguments)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Message:
    """A message. `calls` are the tools that an assistant called; a `tool` names the call that it answers, by id.

    `turn` is an answer as its provider wants it back, if that is more than text and calls, such as signed thoughts.
    With files, `parts` are the texts and files in order, and `content` names each file in brackets.
    """

    role: Role
    content: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    turn: Json = None
    parts: tuple[str | FileValue, ...] = ()

    @classmethod
    def of_parts(cls, role: Role, parts: Sequence[str | FileValue]) -> Message:
        """Return the message of texts and files. White space next to a file is layout."""
        kept: list[str | FileValue] = []
        for is_text, group in groupby(parts, lambda part: isinstance(part, str)):
            run = list(group)
            kept += filter(None, ["".join(map(str, run)).strip()]) if is_text else run
        text = "\n".join(part if isinstance(part, str) else f"[{part}]" for part in kept)
        return cls(role, text, parts=tuple(kept))

    def as_dict(self) -> dict[str, Json]:
        """Return what people and logs read: ids only connect calls and results, which are in the same order."""
        calls = [{"name": call.name, "arguments": call.arguments} for call in self.calls]
        return {"role": self.role, "content": self.content, **({"calls": calls} if calls else {})}

    def as_data(self) -> dict[str, Json]:
        """Return what shapes an answer: a file by its name, type, size and hash."""
        parts = [{"text": part} if isinstance(part, str) else part for part in self.parts]
        return {**self.as_dict(), **({"content": parts} if parts else {})}


@dataclass(frozen=True, slots=True)
class ModelRef:
    """`provider/name`, split at the first slash."""

    provider: str
    name: str

    @classmethod
    def parse(cls, text: str) -> ModelRef:
        """Parse `provider/name`. Raise ValueError if the slash or one of the two sides is missing."""
        provider, slash, name = text.strip().partition("/")
        if not (provider and slash and name):
            raise ValueError(text)
        return cls(provider, name)

    def __str__(self) -> str:
        return f"{self.provider}/{self.name}"


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one call. `cached_tokens` is the part of `input_tokens` that the provider read from its cache."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that shapes one answer. Models that are functions get `variables` instead of messages."""

    model: ModelRef
    messages: tuple[Message, ...]
    params: Mapping[str, Json]
    output_schema: Mapping[str, Json] | None
    variables: Mapping[str, Json]
    repeat: int
    # Stream the answer, so that its first token can be timed. The answer is the same, so hashes leave this out.
    stream: bool = False
    tools: tuple[Mapping[str, Json], ...] = ()  # `name`, `description` and `inputSchema`, a JSON Schema
    # The answer is the embedding of the one message, as a JSON list of numbers. A function gets it as `text`.
    embeds: bool = False
    # What has to answer, if the function or service is judged itself; else it is as it is now.
    pinned: Pinned | None = None

    def as_dict(self) -> dict[str, Json]:
        return {
            "model": str(self.model),
            "messages": [message.as_data() for message in self.messages],
            "params": dict(self.params),
            "output_schema": self.output_schema,
            "variables": dict(self.variables) if not self.messages else {},
            "repeat": self.repeat,
            **({"tools": [dict(tool) for tool in self.tools]} if self.tools else {}),
            # It came later: without it the hash is that of older versions.
            **({"embeds": True} if self.embeds else {}),
            **({"pinned": self.pinned.hash} if self.pinned else {}),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer. `model` and `params` are those that the provider reports.

    `text` shows everything that checks and readers see. If the model called tools, the calls are below its text as a
    JSON list of `name` and `arguments`, as in a log; `calls` has them with their ids.
    """

    text: str
    model: str
    params: Mapping[str, Json] = field(default_factory=dict)
    usage: Usage | None = None
    finish_reason: str | None = None
    provider_ms: float = 0.0  # From the call to the last byte of its answer, connecting included.
    structured: bool = False  # The provider enforced the output schema.
    # The answer was stored earlier and not requested now; its times are those of the original call.
    recorded: bool = False
    # DNS, proxy, TCP and TLS; 0 on a connection that was reused. None without a network.
    connect_ms: float | None = None
    # From sending the request on the open connection to the response head. None without a network.
    first_byte_ms: float | None = None
    first_token_ms: float | None = None  # From the call to the first piece of text. None without streaming.
    # Rate-limit headers by lower-case name; the gateway reads them, and they are not stored.
    limits: Mapping[str, str] | None = None
    calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None  # What the model thought, as far as the provider shows it; not part of `text`.
    turn: Json = None  # As in `Message`.
    by_batch: bool = False  # The answer came with many others, so its own time is unknown.


@dataclass(frozen=True, slots=True)
class CallFacts:
    """Time, tokens and cost of a call, None if unknown; and the tools that its answer calls.

    Of an attempt whose model got the results of its tools, these are the sums over its `steps`, the calls of the model,
    and all tools that they called.
    """

    latency_ms: float | None = None
    usage: Usage | None = None
    cost: float | None = None
    calls: tuple[ToolCall, ...] = ()
    steps: int = 1


class FailureKind(StrEnum):
    """Why a call failed. The provider classifies the error, the gateway decides whether to retry."""

    TRANSIENT = "transient"
    RATE_LIMIT = "rate_limit"
    REJECTED = "rejected"  # This request will never succeed; others may.
    FATAL = "fatal"  # No request to this model will succeed: bad key, unknown model, broken weights.


class ProviderFailure(Exception):
    """A failed call, raised by a provider in place of its SDK's errors.

    `retry_after` is in seconds, None if the server did not send it; `limits` are the rate-limit headers, as in
    `Answer`. `refused` is the word of the config that the server refused, None if it named none.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        limits: Mapping[str, str] | None = None,
        refused: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.limits = limits
        self.refused = refused


class CacheMode(StrEnum):
    """How a run uses the answer cache. The default is `off`: every request is sent."""

    OFF = "off"
    READ = "read"  # Take cached answers; send all other requests and cache their answers.
    WRITE = "write"  # Send every request and replace the cached answer.


@dataclass(frozen=True, slots=True)
class FailedTry:
    """One failed call. `status` is the HTTP status, None without a response."""

    kind: FailureKind
    message: str
    status: int | None
    provider_ms: float


class Outcome(StrEnum):
    """The outcome of one attempt. `errored` means that a provider or a judge failed, never that the answer is wrong."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"


class Rung(StrEnum):
    """The format ladder, best first."""

    RAW = "raw"
    EXTRACTED = "extracted"
    REPAIRED_SAFE = "repaired_safe"
    REPAIRED_RISKY = "repaired_risky"
    NONE = "none"

    @property
    def depth(self) -> int:
        """Return the position on the ladder: 0 for raw; larger is worse."""
        return _RUNGS.index(self)

    def within(self, accept: Rung) -> bool:
        """Return whether an answer on this rung counts as readable at the accept level."""
        return self.depth <= accept.depth and self is not Rung.NONE


_RUNGS = tuple(Rung)


@dataclass(frozen=True, slots=True)
class Repair:
    """A named repair of a text, and the offset in characters where it was applied."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A model's text read as data. On rung `none`, `value` is None and `error` gives the reason in one sentence.

    If the text is a JSON string that contains an object or array, `value` is what it contains and `string` the string,
    which is on rung `raw` for whoever wants a string.
    """

    rung: Rung
    value: Json = None
    repairs: tuple[Repair, ...] = ()
    error: str | None = None
    string: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """The result of one check on one answer. `value` is in [0, 1]; `reason` is one sentence, empty when passed.

    `weight` is the check's share in the case's score; a check of weight 0 is reported and decides nothing. `errored`
    means that the check has no result, for example because its judge gave no verdict.
    """

    check: str
    passed: bool
    value: float
    reason: str = ""
    weight: float = 1.0
    errored: bool = False


def failures(scores: Iterable[Score]) -> list[str]:
    """Return check and reason of the scores that did not pass, without those that decide nothing."""
    return [f"{score.check}: {score.reason}" for score in scores if not score.passed and score.weight]


class FailureTier(StrEnum):
    """The kind of failure of a logged call. The kinds are kept apart because each needs a different fix."""

    TRANSPORT = "transport"  # No answer came: an HTTP error, a timeout.
    TRUNCATED = "cut"  # The answer was cut short or refused, by its finish reason.
    CONTENT = "content"  # An answer came and was wrong: it did not parse, did not fit, or was judged so by the source.


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One call from a production log.

    `failed` is the source's own mark of a failure, None if there is none; `tier` its kind. `format` is the name of the
    log format, `expected` the right answer if the log has one, `raw` the whole record, `cost` in US dollars. `extra`
    holds the fields that have no attribute here.
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
class StoredCall:
    """An imported call. `id` is the record's name for it, `call.id` the log's; `source` is the imported file."""

    id: str
    source: str
    call: LoggedCall


@dataclass(frozen=True, slots=True)
class BadRecord:
    """An unreadable record of a log: its location (`line 12`) and the reason."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class MeasuredCall:
    """A measured call.

    `latency_ms` lasts from the time at which the call was due until its answer or last failure, with all waiting.
    It consists of `queue_ms`, the time spent waiting in promptbench, `provider_ms`, the time of the successful try,
    and the time of failed tries.
    """

    model: str
    number: int  # From 0 for each model, in the order of `due_ms`.
    case: str
    due_ms: float  # Since the start of the measurement.
    late_ms: float  # The part of `queue_ms` caused by a late start of this machine.
    latency_ms: float
    queue_ms: float
    tries: int
    provider_ms: float | None = None
    connect_ms: float | None = None
    first_byte_ms: float | None = None
    # From the call to the first text of the answer; None if the provider does not stream.
    first_token_ms: float | None = None
    usage: Usage | None = None
    cost: float | None = None
    error: str | None = None  # The reason why there is no answer.


class Side(StrEnum):
    """The prompt of an attempt; a baseline is a model that uses no prompt."""

    CHAMPION = "champion"
    CANDIDATE = "candidate"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class AttemptKey:
    """The identity of an attempt within its run. `variant` is the prompt version's hash, empty for a baseline."""

    variant: str
    model: str
    case: str
    repeat: int


@dataclass(frozen=True, slots=True)
class Judging:
    """One request of a check to a judge with the judge's answer, or the error.

    `verdict` is what the check reads in the answer, None if it finds none. `tries` counts calls, 0 if the answer was on
    record. `text_hash` is the hash of the judged answer.
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
class Step:
    """One call of several in an attempt. `results` are those of the tools that the model called.

    `source` is the hash of what decides the results, `name` that of a step of a chain. Fields that `Attempt` has too
    are of this call alone.
    """

    request_hash: str
    answer: Answer
    results: tuple[str, ...] = ()
    source: str = ""
    tool_ms: float = 0.0  # The time of the tools, which is not part of the model's.
    tries: int = 1
    queue_ms: float = 0.0
    limit_ms: float = 0.0
    backoff_ms: float = 0.0
    cost: float | None = None
    started: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to one model with its answer and scores.

    If its tools have results, it is all `steps` of the model: the request is the first, the answer the last, and times,
    tokens, tries and cost are the sums.
    """

    key: AttemptKey
    outcome: Outcome
    request_hash: str
    answer: Answer | None = None
    rung: Rung | None = None  # None if no check reads the answer as data.
    well_formed: bool = False  # Readable at the suite's accept level, and valid against the schemas that are checked.
    repairs: tuple[Repair, ...] = ()
    scores: tuple[Score, ...] = ()
    error: str | None = None
    tries: int = 1  # Calls made; 0 if the answer came from the cache.
    queue_ms: float = 0.0  # Waiting in promptbench: for a free slot, for a rate limit, between tries.
    limit_ms: float = 0.0  # The part of it for a rate limit.
    backoff_ms: float = 0.0  # The part of it between tries and during an outage.
    cost: float | None = None
    started: str = ""
    # The failed calls, in order. Only the kind of the last one is read back, if there is no answer.
    failed_tries: tuple[FailedTry, ...] = ()
    # The model that answered instead, because this one was disabled for the run; the attempt counts as errored.
    fallback: str | None = None
    # The requests to judges about the answer; written to the record, never read back.
    judgings: tuple[Judging, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def cached(self) -> bool:
        """Return whether the answer came from the cache, without a call, time or cost."""
        return self.tries == 0 and self.outcome in (Outcome.PASSED, Outcome.FAILED)

    @property
    def missing(self) -> bool:
        """Return whether there is no answer at all: neither one without a judge's verdict, nor a fallback model's."""
        return self.outcome is Outcome.ERRORED and self.answer is None and self.fallback is None

    @property
    def rejected(self) -> bool:
        """Return whether there is no answer because the provider rejected the request."""
        return self.missing and bool(self.failed_tries) and self.failed_tries[-1].kind is FailureKind.REJECTED
