"""Interfaces between parts that do not import each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from promptbench.core.types import (
    Answer,
    BadRecord,
    CallFacts,
    Json,
    Message,
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
        """Return True if every recording of `model` is of a deterministic model; None if no recording exists."""

    def has_logged(self, model: str) -> bool:
        """Return True if an imported log has an answer of `model`, with or without its provider's name."""

    def logged(self, model: str, messages: Sequence[Message], variables: Mapping[str, Json]) -> Answer | None:
        """Return the newest logged answer of `model` to these messages, or without any to these variables; else None.

        White space around a message does not count.
        """


class KeptAnswers(Protocol):
    """The cache: answers by a key of everything that affects them."""

    def find(self, key: str) -> Answer | None:
        """Return the answer as it was received."""

    def keep(self, key: str, model: str, answer: Answer) -> None:
        """Store an answer. It replaces an older one with the same key."""


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What a provider knows besides the name of a model. `options` is its table in the settings.

    `may_receive_key` returns whether a server at an address may get the key in a variable: an address that only the
    project's files name may not, because then whoever writes them could collect keys.
    """

    root: Path
    folder: Path
    environ: Mapping[str, str]
    options: Mapping[str, Json] = field(default_factory=dict)
    allowed_code: Sequence[str] = ()
    recordings: Recordings | None = None
    may_receive_key: Callable[[str, str], bool] = lambda url, variable: True


BatchLine = tuple[str, int, str]  # A line that came back: the key of the request, HTTP status, and body as JSON.


class BatchApi(Protocol):
    """The batch API of one model. All methods raise ProviderFailure."""

    max_lines: int
    max_bytes: int

    def line(self, key: str, request: Request) -> bytes:
        """Return a request as a line to send."""

    def read(self, request: Request, status: int, body: str | None) -> Answer:
        """Return the answer in a line that came back; `status` is 0 if the batch ended without one."""

    async def send(self, content: bytes, tag: str) -> str:
        """Send lines, and return the id of the batch."""

    async def find(self, tag: str, keys: Collection[str], since: float, known: Collection[str]) -> str | None:
        """Return the id of the batch that was sent with this tag and these keys `since` a Unix time, None if none was.

        `known` are ids of other batches. Raises a failure of kind RATE_LIMIT if that is known only later.
        """

    async def look(self, batch: str) -> tuple[int, Sequence[BatchLine] | None]:
        """Return how many requests are done, and what came back if the batch has ended, else None.

        A batch that is refused as a whole is a failure with `refused` "batch".
        """

    async def cancel(self, batch: str) -> None: ...


class Provider(Protocol):
    """One model behind one provider. Inherit from it: all but `complete` has a default."""

    concurrency: int = 50  # Calls at once where the user sets no `--concurrency`.
    # Calls at once that the model can never exceed, whatever the user sets; None if it has no bound of its own.
    max_concurrency: int | None = None

    def deterministic(self, params: Mapping[str, Json]) -> bool:
        """Return whether the same request always gets the same answer with these parameters."""
        return False

    async def complete(self, request: Request) -> Answer:
        """Return the model's answer. Raises ProviderFailure for everything that is expected to go wrong."""
        raise NotImplementedError

    async def listed(self) -> Mapping[str, str | None] | None:
        """Return the server's models, each with the date of its shutdown (YYYY-MM-DD) if one is announced.

        None if the server has no list. Raises ProviderFailure. It is free, and shows that address and key are right.
        """
        return None

    def batch(self) -> BatchApi | None:
        """Return the batch API of the model; None if it has none."""
        return None

    async def close(self) -> None:
        """Release what the model holds. Called once, also if `complete` never was."""
        return


@dataclass(frozen=True, slots=True)
class Problem:
    """An error that a provider finds before any call. `code` is a name of `errors.Code`."""

    code: str
    message: str
    hint: str | None = None
    absent: str | None = None  # The environment variable that is not set, if nothing else is wrong.
    word: str | None = None  # The word of a config that the problem is about.


@dataclass(frozen=True, slots=True)
class Subject:
    """An answer as a check sees it."""

    text: str
    # Returns the answer read as JSON. It is read once for all checks, and only if one of them calls this.
    read: Callable[[], Reading]
    accept: Rung
    variables: Mapping[str, Json]
    # None for a text that did not come from a call: an example answer, or a logged one without further data.
    call: CallFacts | None = None
    # Takes the reading of a check that reads another format than JSON. The first one counts as the answer's.
    report_reading: Callable[[Reading], None] | None = None
    was: str | None = None  # The logged answer of its case.


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a check may know when it is built from its YAML argument. `folder` is the suite's, `root` the project's.

    Python files run only below `root`, and only if one of the globs in `allowed_code` matches them. `at` is the suite's
    path of the value that its checks look at, which is applied around them.
    """

    folder: Path
    output_schema: Mapping[str, Json] | None = None
    root: Path | None = None
    allowed_code: Sequence[str] = ()
    at: str | None = None


class Check(Protocol):
    """A built check. Scoring never raises: any answer, however broken, results in a score."""

    def score(self, subject: Subject) -> Score: ...


class ExpectingCheck(ABC):
    """A check that can take the right answer from its case, so that one line under `checks:` serves all cases."""

    __slots__ = ()

    @abstractmethod
    def score(self, subject: Subject) -> Score: ...

    @abstractmethod
    def with_expected(self, expected: Json) -> Check:
        """Return the check for a case whose `expect:` is `expected`, or itself if its own argument decides.

        Raises ValueError, with a phrase, if the expected answer is invalid for this check.
        """


class JudgedCheck(ABC):
    """A check whose score depends on answers of other models.

    It calls nothing itself: `requests` returns what to send, and `conclude` scores what came back. `score` concludes
    without any answer, so its result is errored.
    """

    __slots__ = ()

    judges: Sequence[ModelRef]  # The models to call.
    # Parameters to send, as in a prompt's config. None means our defaults, as far as the judge supports them.
    config: Mapping[str, Json] | None
    criterion: str  # What is judged, in the author's words.
    # True if its models return embeddings, which are compared and need no agreement with people.
    embeds: bool = False

    @property
    @abstractmethod
    def identity(self) -> str:
        """Hash of all that shapes the verdicts, except the judges' weights. An agreement with people refers to it."""

    @property
    @abstractmethod
    def counts(self) -> bool:
        """True if it agrees with people well enough to decide. Otherwise it is advisory: its scores have no weight."""

    @property
    @abstractmethod
    def standing(self) -> str:
        """The agreement that lets it count, or the reason why it does not, in a few words."""

    @property
    def compares_with_was(self) -> bool:
        """True if it compares with the logged answer of the case, so that the case needs one."""
        return False

    @abstractmethod
    def without_agreement(self) -> JudgedCheck:
        """Return the same check as if no agreement were on record, to measure a new one."""

    @abstractmethod
    def requests(self, subject: Subject) -> Sequence[Request]:
        """Return the requests to the judges. Empty if the answer can be scored without them."""

    @abstractmethod
    def conclude(self, subject: Subject, answers: Sequence[Answer | None]) -> Score:
        """Return the score, given the answers in the order of the requests. None is a request without an answer."""

    @abstractmethod
    def verdict(self, answer: Answer) -> str | None:
        """Return the verdict in one answer of a judge, or None if it has none."""

    def score(self, subject: Subject) -> Score:
        return self.conclude(subject, [None for _ in self.requests(subject)])


class MissingExtra(ValueError):
    """A package that a check needs is not installed. The message says how to install it."""


class Log(Protocol):
    """One file of an import as a reader sees it: decompressed and decoded. `LogFile` implements it."""

    @property
    def name(self) -> str:
        """The name that the user knows."""

    @property
    def path(self) -> Path | None:
        """The location, for libraries that only open files (SQLite); None if the file is compressed or a pipe."""

    @property
    def head(self) -> bytes:
        """The first 64 KB."""

    @property
    def others(self) -> Sequence[Log]:
        """The other files of the same import, for formats that consist of two files."""

    @property
    def mapping(self) -> Mapping[str, str]:
        """Field to column as the user mapped them, for formats whose columns have other than the usual names."""

    @property
    def first_record(self) -> dict[str, Json] | None:
        """The first record, if it is an object."""

    @property
    def document_keys(self) -> frozenset[str]:
        """The keys of the first object of the file: of the first line, or of the document around the records."""

    def open(self) -> BinaryIO:
        """Return the bytes from the start. May be called again."""

    def text(self) -> Iterator[str]:
        """Yield the decoded lines, each ending in LF."""

    def records(self, at: Sequence[str] = ()) -> Iterator[tuple[str, Json] | BadRecord]:
        """Yield each JSON record with its location; `at` are the keys that lead to a nested list of records."""


# A recorded attempt as a verdict sees it: the parts of its key, outcome, rung and `well_formed`, then `missing`,
# `rejected` and `cached` as of `Attempt`, and the milliseconds and US dollars of its call.
OutcomeRow = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class PastRow:
    """One prompt on one model in a run of a suite.

    `answered` and `passed` count attempts without retests; `well_formed` is of those `read` as data.
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
