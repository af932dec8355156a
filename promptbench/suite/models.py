"""A loaded suite and its cases, as plain objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from promptbench.core.errors import Code, Diagnostics, Location, suggest
from promptbench.core.types import Json, Message, ModelRef, Rung
from promptbench.suite.file import CHECK_OPTIONS, GateFile, QuarantineFile, field_name, option_of, path_in_file
from promptbench.yaml.marked import YamlDocument


class Marked(Protocol):
    """Parsed YAML or a line of JSON: plain data, with the location of everything in it."""

    @property
    def value(self) -> Json: ...

    def location(self, path: tuple[str | int, ...] = (), *, key: bool = False) -> Location: ...

    def is_blank(self, path: tuple[str | int, ...]) -> bool: ...


@dataclass(frozen=True, slots=True)
class Where:
    """A position in a document, as a path of field names."""

    document: Marked
    path: tuple[str | int, ...] = ()

    def below(self, *steps: str | int) -> Where:
        return Where(self.document, (*self.path, *steps))

    def location(self, *steps: str | int, key: bool = False) -> Location:
        """Return the location of the value `steps` below, or of its key."""
        path = (*self.path, *steps)
        written = path_in_file(path, self.document.value)
        # A value written for a list of one, or for a mapping, has no key of its own.
        has_key = bool(written) and field_name(str(written[-1])) == field_name(str(path[-1]))
        return self.document.location(written, key=key and has_key)

    @property
    def value(self) -> Json:
        """Return the data there."""
        value = self.document.value
        for step in path_in_file(self.path, value):
            value = value[step]
        return value


@dataclass(frozen=True, slots=True)
class WrittenCheck:
    """A check as written: its name, its argument, where the argument is, and the options of every check.

    `reading` is "strict" or "loose"; with None the check decides how it reads an answer. `at` is the path of the value
    that it looks at; with None it is the whole answer.
    """

    name: str
    argument: Json
    where: Where
    reading: str | None = None
    weight: float = 1.0
    at: str | None = None

    @classmethod
    def of(cls, item: Mapping[str, Any], where: Where) -> WrittenCheck:
        """Return the check in a validated mapping at `where`."""
        [name] = [key for key in item if field_name(key) not in CHECK_OPTIONS]
        reading, weight, at = (option_of(dict(item), option) for option in CHECK_OPTIONS)
        return cls(name, item[name], where.below(name), reading, float(weight), None if at is None else str(at))

    def as_entry(self) -> dict[str, Json]:
        """Return the check as an entry of `checks:`."""
        options = {"reading": self.reading, "weight": None if self.weight == 1 else self.weight, "at": self.at}
        return {self.name: self.argument, **{key: value for key, value in options.items() if value is not None}}


@dataclass(frozen=True, slots=True)
class Common:
    """What a suite gives its cases and calls: values of variables, a config, the checks of `files` that suites share.

    `folder` is the suite's, or the current one without a suite: the files of cases are below it.
    """

    folder: Path = Path()
    variables: Mapping[str, Json] = field(default_factory=dict)
    checks: Mapping[str, tuple[WrittenCheck, ...]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    config: Mapping[str, Json] = field(default_factory=dict)  # Below that of the prompt.
    locations: Mapping[str, Location] = field(default_factory=dict)  # of the words of the config
    complete: bool = True  # False if a file could not be read: then an unknown name is no error.

    def expand(self, specs: Iterable[WrittenCheck], found: Diagnostics) -> tuple[WrittenCheck, ...]:
        """Return the checks with named ones in place of each `use`, whose options count for all of them."""
        expanded: list[WrittenCheck] = []
        for spec in specs:
            named = self.checks.get(str(spec.argument)) if field_name(spec.name) == "use" else (spec,)
            if named is None and self.complete:
                known = f"named checks: {', '.join(self.checks) or 'none; name their file under use checks:'}"
                hint = suggest(str(spec.argument), self.checks, known)
                message = f"no checks are named '{spec.argument}'"
                found.add(Code.UNKNOWN_CHECK, message, spec.where.location(), hint=hint)
            for item in named or ():
                at = spec.at if item.at is None else item.at
                reading, weight = item.reading or spec.reading, item.weight * spec.weight
                expanded.append(item if item is spec else replace(item, reading=reading, weight=weight, at=at))
        return tuple(expanded)


NOTHING_COMMON = Common()


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a conversation: what the user says, and what the answer is checked by. `expect` is as in `Case`."""

    user: str
    has_expect: bool
    expect: Json
    checks: tuple[WrittenCheck, ...]
    where: Where


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `has_expect` and `has_wish` distinguish an absent key from the value null.

    `cluster` groups dependent cases, which statistics count as one; None if the case is independent. `repeats` are its
    first tries if they are more than the gate's, `only_models` the models that it is for, all if empty, and `skip` the
    reason why it is not called.
    """

    name: str
    variables: Mapping[str, Json]
    messages: tuple[Message, ...]
    has_expect: bool
    expect: Json
    was: str | None
    has_wish: bool
    should_be: Json
    checks: tuple[WrittenCheck, ...]
    tags: tuple[str, ...]
    where: Where
    threshold: float | None = None
    cluster: str | None = None
    quarantine: QuarantineFile | None = None
    repeats: int | None = None
    only_models: tuple[str, ...] = ()
    skip: str | None = None
    tool_results: Json = None  # As written; None if absent.
    turns: tuple[Turn, ...] = ()
    origin: Json = None
    expect_at: Mapping[str, Json] = field(default_factory=dict)  # What should come back from steps, by name.

    @property
    def critical(self) -> bool:
        return "critical" in self.tags

    @property
    def said(self) -> tuple[Message, ...]:
        """Return the messages, and what the user says in the turns."""
        return (*self.messages, *(Message("user", turn.user) for turn in self.turns))


class Cases(Protocol):
    """All cases of a suite, in order. Those in files next to it are read when needed, not kept in memory."""

    def scan(self, found: Diagnostics) -> Iterator[Case]:
        """Yield every valid case, and add problems to `found`, duplicate names included."""

    @property
    def numbers(self) -> dict[str, int]:
        """Return the position of each case, by name, as of the last scan."""

    def __getitem__(self, name: str) -> Case:
        """Return a case of the last scan. Raise KeyError if unknown, InputError if its file has changed since."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model of the suite. `uses_prompt` and `deterministic` are None if the provider decides.

    `fallback` is called in an outage. `own_name` is what the suite calls the model, if not by its reference; `config`
    is laid over that of the prompt. `prompt` is the file of a prompt that only this model gets. `trained_on` names the
    manifests of its training data.
    """

    ref: ModelRef
    uses_prompt: bool | None
    path: tuple[str | int, ...]
    fallback: ModelRef | None = None
    deterministic: bool | None = None
    own_name: str | None = None
    config: Mapping[str, Json] = field(default_factory=dict)
    locations: Mapping[str, Location] = field(default_factory=dict, compare=False)  # of the words of the config
    prompt: str | None = None
    trained_on: tuple[str, ...] = ()
    judged: bool = False

    @property
    def name(self) -> str:
        return self.own_name or str(self.ref)


@dataclass(frozen=True, slots=True)
class SuiteStep:
    """A step of a chain: the files of its `prompts`, of which each is a candidate, or its own `model`.

    A suite whose model is judged itself has one step with this model. `version` is what a service must report, and
    `production` where the version in production answers.

    `files` are patterns of what the model reads. `at` is the path of the value that the step's checks look at.
    """

    name: str
    prompts: tuple[str, ...]
    model: ModelRef | None
    files: tuple[str, ...]
    deterministic: bool | None
    at: str | None
    checks: tuple[WrittenCheck, ...]
    where: Where
    version: str | None = None
    production: ModelRef | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """A loaded suite file. Whether it fits its prompts, models and logs is checked when it is assembled.

    `threshold` is the weighted mean score that a case needs; with None every check must pass. `at` is the path of the
    value that the checks look at; with None it is the whole answer.
    """

    name: str
    about: str | None
    path: Path
    document: YamlDocument
    prompts: tuple[str, ...]
    models: tuple[ModelEntry, ...]
    checks: tuple[WrittenCheck, ...]
    threshold: float | None
    at: str | None
    logs: tuple[str, ...]
    accept: Rung
    cases: Cases
    gate: GateFile
    tool_results: Json = None  # As in a case.
    max_steps: int = 8
    common: Common = NOTHING_COMMON
    steps: tuple[SuiteStep, ...] = ()  # Of a chain, which has no `prompts` of its own.

    @property
    def chain(self) -> str:
        """Return the chain's name in the prompt store: that of the folder."""
        return self.path.resolve().parent.name

    @property
    def folder(self) -> Path:
        return self.path.parent

    def location(self, path: Sequence[str | int], *, key: bool = False) -> Location:
        """Return the location of the value at a path of field names, or of its key."""
        return Where(self.document).location(*path, key=key)
