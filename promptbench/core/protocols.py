"""Interfaces between parts that do not import each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, TypeGuard

from promptbench.core.types import (
    Answer,
    BadRecord,
    CallFacts,
    Json,
    LoggedCall,
    ModelRef,
    Reading,
    Request,
    Rung,
    Score,
)


class Recordings(Protocol):
    """Recorded answers of real calls, by the hash of their request."""

    def find(self, request_hash: str) -> tuple[Answer, bool] | None:
        """Return the answer, and True if its model is deterministic."""

    def deterministic(self, model: str) -> bool | None:
        """Return True if every recording of `model` is of a deterministic model; None if there is no recording."""


class KeptAnswers(Protocol):
    """The cache: answers by a key of everything that affects them."""

    def find(self, key: str) -> Answer | None:
        """Return the answer as it was received."""

    def keep(self, key: str, model: str, answer: Answer) -> None:
        """Store an answer. It replaces an older one with the same key."""


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What a provider knows besides the name of a model. `options` is its table in the settings."""

    root: Path
    folder: Path
    environ: Mapping[str, str]
    options: Mapping[str, Json] = field(default_factory=dict)
    allowed_code: Sequence[str] = ()
    recordings: Recordings | None = None


class Provider(Protocol):
    """One model behind one provider. Made by the module's `connect(name, context)`; `close` is called once.

    `connect` must be cheap and must not import an SDK, load weights or open a connection: that happens in the first
    `ask`. What can be known to be wrong before any call is told by the module's `problems(name, context)`.
    """

    concurrency: int
    """How many requests at once do good."""

    def deterministic(self, params: Mapping[str, Json]) -> bool:
        """Whether the same request always has the same answer."""

    async def ask(self, request: Request) -> Answer:
        """The answer. Raises ProviderFailure, and nothing else that is expected."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Problem:
    """An error that a provider finds before any call. `code` is a name of `diagnostics.Code`."""

    code: str
    message: str
    hint: str | None = None
    absent: str | None = None  # The environment variable that is not set, if nothing else is wrong.


class ProviderModule(Protocol):
    """A file in `providers/`, or a module behind the entry point group `promptbench.providers`.

    It may also have `unsupported(name, context, params) -> list[Problem]`, the words of a prompt's config that a model
    does not take, and `reads_prompt` and `runs_here(name, context) -> bool`, where its models differ from each other.
    `context_window(name, context) -> int | None` is how many tokens a model takes with its answer, where that is known;
    it may import a list of models, so it is asked only about requests of some length.

    `shaped_by(name, context) -> Json` is what shapes an answer besides the request, for the key of the cache: address,
    options, the state of its files. There is no secret in it. None says that not all of it is known, so that the
    model's answers are not cached. Without the function it is the settings' table without secrets.
    """

    sees_prompt: bool
    """Whether its models get messages; a model that is a function gets the variables only."""
    local: bool
    """Whether its models run on this machine, at the machine's price."""

    @staticmethod
    def connect(name: str, context: ProviderContext) -> Provider: ...

    @staticmethod
    def problems(name: str, context: ProviderContext) -> list[Problem]: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """An answer as a check sees it."""

    text: str
    read: Callable[[], Reading]
    """The answer read as JSON; computed once for all checks."""
    accept: Rung
    variables: Mapping[str, Json]
    call: CallFacts | None = None
    """None for a text that no call gave: a wish, or a logged answer of which nothing else is known."""
    tell: Callable[[Reading], None] | None = None
    """Takes what a check that reads other data than JSON found; the first such reading is that of the answer."""


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a check may know when it is built from its YAML argument. `folder` is the suite's, `root` the project's.

    Python files run only below `root`, and only those that one of the globs in `allowed_code` matches.
    """

    folder: Path
    output_schema: Mapping[str, Json] | None = None
    root: Path | None = None
    allowed_code: Sequence[str] = ()


class Check(Protocol):
    """A built check. Scoring raises nothing: whatever the answer is, the result is a score."""

    def score(self, subject: Subject) -> Score: ...


class InformedCheck(Check, Protocol):
    """A check that takes the right answer from its case where its own argument has none: one line stands for all cases.
    A check is told to be one by its `informed`.
    """

    def informed(self, expected: Json) -> Check:
        """The check for a case that says `expect:` so. Raises ValueError, in a phrase, where that cannot be right."""


class JudgedCheck(Check, Protocol):
    """A check that other models decide. It asks nobody: it says what to ask, and concludes from what came back.

    `score` concludes from nothing, so its result is errored. A check is told to be one by its `questions`.
    """

    @property
    def judges(self) -> Sequence[ModelRef]:
        """Whom it asks."""

    @property
    def config(self) -> Mapping[str, Json] | None:
        """What its author wants sent, as in a prompt's config; None leaves it to us, as far as a judge takes it."""

    @property
    def criterion(self) -> str:
        """What it asks, in its author's words."""

    @property
    def identity(self) -> str:
        """Hash of all that shapes its verdicts but the judges' weights: what an agreement with people is about."""

    @property
    def counts(self) -> bool:
        """Whether it agrees with people well enough to decide; else it is advisory, and its scores have no weight."""

    @property
    def standing(self) -> str:
        """What it counts by, or why it does not, in a few words."""

    def unproven(self) -> JudgedCheck:
        """The same check as if no agreement were on record: what another one is found with."""

    def questions(self, subject: Subject) -> Sequence[Request]:
        """What to ask the judges about an answer; nothing where the answer can be scored without."""

    def conclude(self, subject: Subject, answers: Sequence[Answer | None]) -> Score:
        """The score from the answers to the questions, in their order; None is a question without an answer."""

    def verdict(self, answer: Answer) -> str | None:
        """The verdict in one answer of a judge; None where it has none."""


def is_judged(check: Check) -> TypeGuard[JudgedCheck]:
    """Whether a check asks judges."""
    return hasattr(check, "questions")


class MissingExtra(ValueError):
    """Raised by a check's `build` when a package that it needs is not installed. Its text says how to install it."""


class CheckModule(Protocol):
    """A file in `checks/`, or a module behind the entry point group `promptbench.checks`.

    Its docstring has the parts What / When / Options / Example and is what people read. A check that depends on a file
    also has `fingerprint(argument, context) -> Json`: what of the file decides the score, or None. It raises nothing.
    """

    argument_schema: Mapping[str, Json]
    """JSON Schema of the YAML argument, for editors."""

    @staticmethod
    def build(argument: Json, context: CheckContext) -> Check:
        """Raises ValueError with one sentence when the argument is not one for this check, or MissingExtra."""
        ...


class Log(Protocol):
    """One file of an import, as `formats.log_file.LogFile` gives it to a reader: without compression and encoding."""

    @property
    def name(self) -> str:
        """How the user knows it."""
        ...

    @property
    def path(self) -> Path | None:
        """Where it lies, for what only opens files (SQLite); None when it is compressed or came by a pipe."""
        ...

    @property
    def head(self) -> bytes:
        """Its first 64 KB."""
        ...

    @property
    def others(self) -> Sequence[Log]:
        """The other files of the same import, for formats that come as a pair."""
        ...

    @property
    def mapping(self) -> Mapping[str, str]:
        """The user's word for which column holds what, for formats without names of their own: field to column."""
        ...

    def open(self) -> BinaryIO:
        """The bytes from the start. May be called again."""
        ...

    def text(self) -> Iterator[str]:
        """The decoded lines, each with its end as LF."""
        ...

    def records(self, at: Sequence[str] = ()) -> Iterator[tuple[str, Json] | BadRecord]:
        """Each JSON record with its place; `at` are the keys that lead to a list of records deep in a document."""
        ...

    def sample(self) -> dict[str, Json] | None:
        """The first record, if it is an object."""
        ...

    def keys(self) -> frozenset[str]:
        """The keys of the file's first object: that of the first line, or of the document around the records."""
        ...


class LogReader(Protocol):
    """A file in `ingest/`, or a module behind the entry point group `promptbench.ingest`.

    `specificity: int` says how sure its `matches` is; 0 without it. The readers are tried from the highest down, those
    of equal rank by name: 100 for a mark of the format's own, 50 for several keys that only this format has together,
    10 for a few common keys, negative for what takes nearly anything.
    """

    @staticmethod
    def matches(file: Log) -> bool:
        """Whether the file is of this format, by its head, keys or first record. Raises nothing."""
        ...

    @staticmethod
    def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
        """The calls, one at a time, in flat memory. Raises ValueError, in a phrase, when the file gives no more."""
        ...
