"""A suite joined with its prompts, models, checks and logs: everything a run needs, and nothing that is still wrong."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from promptbench.core.canonical import digest
from promptbench.core.protocols import Check, JudgedCheck, Provider
from promptbench.core.types import Json, LoggedCall, Message, ModelRef, Request, Rung, Side
from promptbench.prompts.prompt import Prompt
from promptbench.suite.models import Quarantine, Suite

BASELINE = ""
"""Stands for the variant's hash where a model uses no prompt."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A prompt version with its part in the run. `label` is how it is shown: a file's name, or `triage@production`."""

    prompt: Prompt
    side: Side
    label: str

    @property
    def hash(self) -> str:
        return self.prompt.hash


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model with its open provider."""

    ref: ModelRef
    provider: Provider
    uses_prompt: bool
    gated: bool
    local: bool
    shaped_by: Json
    """What shapes its answers besides the request; None where not all of it is known, so that none is cached."""
    fallback: PreparedModel | None = None
    """The model that is asked in its place when it is given up."""
    absent: str | None = None
    """The environment variable that it cannot be asked without, and that is not set."""

    @property
    def name(self) -> str:
        return str(self.ref)


@dataclass(frozen=True, slots=True)
class PreparedJudge:
    """A model that checks ask. `spared` are words of a config that it does not take, and is not sent unasked."""

    model: PreparedModel
    spared: frozenset[str]


@dataclass(frozen=True, slots=True)
class PreparedCase:
    """A case as it is asked. `checks` are by the variant's hash, since `output` means each prompt's own schema.

    `was` holds the logged answers to this input, each a known failure.
    """

    name: str
    variables: Mapping[str, Json]
    history: tuple[Message, ...]
    checks: Mapping[str, tuple[Check, ...]]
    critical: bool
    tags: tuple[str, ...]
    was: tuple[str, ...]
    logged: bool
    threshold: float | None = None
    """The share of the weighted scores that is needed; None where every check must pass."""
    cluster: str | None = None
    quarantine: Quarantine | None = None


class PreparedCases:
    """The cases of a bench, in order, by name. One that is not held is built again when it is asked for.

    Held are those whose author wrote them into the suite; a file beside it may have hundreds of thousands.
    """

    def __init__(self, build: Callable[[str], PreparedCase], tags: Iterable[str] = ()) -> None:
        self._build = build
        self._held: dict[str, PreparedCase] = {}
        self.numbers: dict[str, int] = {}
        """The place of each case in the order."""
        self.contents = array("q")
        """By these numbers: a hash of each case's input and checks, those of the suite included; 64 bits, signed."""
        self.critical: set[str] = set()
        self.with_log: set[str] = set()
        """Cases with a logged answer that is known to be wrong."""
        self.tagged: dict[str, set[str]] = {tag: set() for tag in tags}
        """The cases with each of `tags`, by which the gate asks for more."""
        self.clusters: dict[str, str] = {}
        """What cases have in common, by their names."""
        self.quarantined: dict[str, Quarantine] = {}

    def add(self, case: PreparedCase, content: int, *, held: bool) -> None:
        if case.name not in self.numbers:
            self.numbers[case.name] = len(self.numbers)
            self.contents.append(content)
        if held:
            self._held[case.name] = case
        if case.critical:
            self.critical.add(case.name)
        if case.was:
            self.with_log.add(case.name)
        for tag in self.tagged.keys() & case.tags:
            self.tagged[tag].add(case.name)
        if case.cluster:
            self.clusters[case.name] = case.cluster
        if case.quarantine:
            self.quarantined[case.name] = case.quarantine

    def only(self, names: Iterable[str]) -> PreparedCases:
        """A part of the cases, in the order of `names`."""
        part = PreparedCases(self._build)
        for name in names:
            part.numbers[name] = len(part.numbers)
            part.contents.append(self.contents[self.numbers[name]])
        there = part.numbers.keys()
        part._held = {name: case for name, case in self._held.items() if name in there}
        part.critical, part.with_log = self.critical & there, self.with_log & there
        part.tagged = {tag: tagged & there for tag, tagged in self.tagged.items()}
        part.clusters = {name: cluster for name, cluster in self.clusters.items() if name in there}
        part.quarantined = {name: apart for name, apart in self.quarantined.items() if name in there}
        return part

    def share(self, numbers: dict[str, int]) -> None:
        """Takes another's numbers for its own where they are the same, so that they are in memory once."""
        if numbers == self.numbers:
            self.numbers = numbers

    @property
    def names(self) -> Iterable[str]:
        return self.numbers.keys()

    def __len__(self) -> int:
        return len(self.numbers)

    def __contains__(self, name: object) -> bool:
        return name in self.numbers

    def __iter__(self) -> Iterator[PreparedCase]:
        return map(self.__getitem__, self.numbers)

    def __getitem__(self, name: str) -> PreparedCase:
        """Raises KeyError, and InputError when the file that holds the case has changed."""
        if name not in self.numbers:
            raise KeyError(name)
        held = self._held.get(name)
        return self._build(name) if held is None else held


@dataclass(frozen=True)
class PreparedSuite:
    """One suite, ready to run."""

    suite: Suite
    candidates: tuple[Variant, ...]
    champion: Variant | None
    models: tuple[PreparedModel, ...]
    cases: PreparedCases
    accept: Rung
    suite_hash: str
    checks_hash: str
    partial: bool
    """Whether cases or models of the suite were left out, so that a verdict proves nothing about the whole."""
    judges: Mapping[str, PreparedJudge] = field(default_factory=dict)
    """Whom the checks ask, by model."""
    judged_checks: tuple[JudgedCheck, ...] = ()
    """The checks that ask them, each once."""
    calls: Mapping[str, tuple[LoggedCall, ...]] = field(default_factory=dict)
    """The logged calls that fail a case's checks, by its name."""
    shard: str | None = None
    """Which part of the cases these are, such as 3/10; hashes are of the whole all the same."""
    replayed: bool = False
    """Whether logged calls are asked instead of the suite's cases."""

    @property
    def prompt_name(self) -> str:
        return self.candidates[0].prompt.name

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """Champion and candidates, each version once."""
        champion = (self.champion,) if self.champion else ()
        known = {variant.hash for variant in champion}
        return (*champion, *(item for item in self.candidates if item.hash not in known))

    @cached_property
    def reachable(self) -> tuple[PreparedModel, ...]:
        """The models, their fallbacks and the judges, each once."""
        fallbacks = (model.fallback for model in self.models if model.fallback)
        judges = (judge.model for judge in self.judges.values())
        return tuple({model.name: model for model in (*judges, *fallbacks, *self.models)}.values())

    @cached_property
    def absent(self) -> dict[str, str]:
        """The models that cannot be asked, each with the environment variable that is not set."""
        return {model.name: model.absent for model in self.reachable if model.absent}

    @cached_property
    def decisive(self) -> frozenset[str]:
        """Without whom there is no verdict: the models that must pass, and the judges of checks that count."""
        gated = (model.name for model in self.models if model.gated)
        return frozenset((*gated, *(str(ref) for check in self.judged_checks if check.counts for ref in check.judges)))

    def deterministic(self, model: PreparedModel) -> bool:
        """Whether the model answers every prompt in play the same again, so that asking once is enough."""
        if not model.uses_prompt:
            return model.provider.deterministic({})
        return all(model.provider.deterministic(variant.prompt.config) for variant in self.variants)

    def request(self, model: PreparedModel, variant: Variant | None, case: PreparedCase, repeat: int) -> Request:
        """What is asked. A model without prompt gets the variables and no messages."""
        prompt = variant.prompt if variant else None
        return Request(
            model=model.ref,
            messages=prompt.render(case.variables, case.history) if prompt else (),
            params=prompt.config if prompt else {},
            output_schema=prompt.output_schema if prompt else None,
            variables=case.variables,
            repeat=repeat,
        )

    def as_asked(self, question: Request) -> Request:
        """A check's question as its judge is sent it."""
        return sparing(question, self.judges[str(question.model)].spared)

    @cached_property
    def plan_hash(self) -> str:
        """Of everything that decides what is asked and how it is scored: the same plan resumes the same run."""
        return self.whole_plan if self.shard is None else digest([self.whole_plan, self.shard, *self.cases.names])

    @cached_property
    def whole_plan(self) -> str:
        """The `plan_hash` of all shards together."""
        return digest(
            {
                "suite": self.suite_hash,
                "checks": self.checks_hash,
                # What a run may cost says nothing about what it asks: with a larger budget it goes on.
                "policy": self.suite.gate.model_dump(exclude={"max_cost"}),
                "variants": [variant.hash for variant in self.variants],
                "champion": self.champion.hash if self.champion else None,
                "models": [[model.name, model.uses_prompt] for model in self.models],
                # A run of a suite must not go on with the same questions of a replay, which proves nothing about it.
                **({"replayed": True} if self.replayed else {}),
            }
        )


def sparing(question: Request, words: frozenset[str]) -> Request:
    """A question without some words of its config."""
    return replace(question, params={word: value for word, value in question.params.items() if word not in words})
