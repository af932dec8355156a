"""What the parts expect of each other without importing each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from promptbench.core.types import Answer, CallFacts, Json, LoggedCall, Reading, Request, Rung, Score


class Recordings(Protocol):
    """Kept real answers, looked up by the hash of the request they answered."""

    def find(self, request_hash: str) -> tuple[Answer, bool] | None:
        """The answer, and whether the model that gave it is deterministic."""

    def deterministic(self, model: str) -> bool | None:
        """Whether all recordings of `model` are of a deterministic model; None when there is none."""


class KeptAnswers(Protocol):
    """The cache: answers by the key of all that shaped them."""

    def find(self, key: str) -> Answer | None:
        """The answer as it was when it was asked for."""

    def keep(self, key: str, model: str, answer: Answer) -> None:
        """Keeps an answer in the place of the one before."""


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What a provider may know besides the model's name. `options` are the settings' table for this provider."""

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
    """What a provider knows to be wrong before any call. `code` is a name of `diagnostics.Code`."""

    code: str
    message: str
    hint: str | None = None


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


class LogReader(Protocol):
    """A file in `ingest/`, or a module behind the entry point group `promptbench.ingest`."""

    @staticmethod
    def matches(head: bytes, name: str) -> bool:
        """Whether a file that starts with `head` is of this format."""
        ...

    @staticmethod
    def read(path: Path) -> Iterator[LoggedCall]:
        """Raises ValueError, with the line in its text, on a record that cannot be read."""
        ...
