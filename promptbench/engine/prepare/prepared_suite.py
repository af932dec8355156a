"""A prepared suite: its prompts, models, checks and cases, validated and ready to run."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from promptbench.core.call_config import laid_over
from promptbench.core.canonical import digest
from promptbench.core.errors import InputError, Location
from promptbench.core.files import NOTHING_PINNED
from promptbench.core.protocols import Check, JudgedCheck, Provider
from promptbench.core.types import Json, LoggedCall, Message, ModelRef, Request, Rung, Side
from promptbench.parsing.ladder import BUILT_IN, Ladder
from promptbench.plugins import Billing
from promptbench.prompts.chain import STEPS, Chain
from promptbench.prompts.prompt import Prompt
from promptbench.suite.file import QuarantineFile
from promptbench.suite.models import Suite

if TYPE_CHECKING:
    from promptbench.engine.prepare.tool_results import ToolResults
    from promptbench.engine.shards import Shard

BASELINE = ""  # Takes the place of a variant's hash for a model that uses no prompt.


@dataclass(frozen=True, slots=True)
class Variant:
    """A prompt version with its side. `label` is how messages show it: the name of a file, or `triage@3`."""

    prompt: Prompt
    side: Side
    label: str

    @property
    def hash(self) -> str:
        return self.prompt.hash


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model with its provider, which is not connected before the first call."""

    ref: ModelRef
    provider: Provider
    uses_prompt: bool
    gated: bool
    local: bool
    # Everything besides the request that affects the answers. None if that is not fully known: then none is cached.
    shaped_by: Json
    fallback: PreparedModel | None = None  # Called in its place when it is disabled.
    absent: str | None = None  # The environment variable that it needs and that is not set.
    replays: bool = False  # True if its answers come from a record, so that they cost nothing and have no rate limit.
    billing: Billing = field(default_factory=Billing)
    declared: bool | None = None  # Deterministic or not, by the suite. None if the provider decides.
    own_name: str | None = None  # What the suite calls it: one model may be there several times.
    config: Mapping[str, Json] = field(default_factory=dict)  # Laid over the prompt's config.
    locations: Mapping[str, Location] = field(default_factory=dict)  # Where the words of this config are.
    own_prompt: Variant | None = None  # The only prompt that it gets: a baseline with a prompt.

    @property
    def name(self) -> str:
        return self.own_name or str(self.ref)

    @property
    def facts(self) -> dict[str, Json]:
        """What stands behind the name, for hashes and records; empty for a model under its reference alone."""
        of = {"of": str(self.ref)} if self.own_name else {}
        prompt = {"prompt": self.own_prompt.hash} if self.own_prompt else {}
        return {**of, **({"config": dict(self.config)} if self.config else {}), **prompt}


@dataclass(frozen=True, slots=True)
class PreparedJudge:
    """A model that judges answers. `unsupported` are default parameters that it does not take."""

    model: PreparedModel
    unsupported: frozenset[str]


class CaseTerms(NamedTuple):
    """How often and where a case runs: at least `repeats` first tries, on `models` only; on all if empty."""

    repeats: int = 0
    models: tuple[str, ...] = ()

    def allow(self, model: str) -> bool:
        """Return True if the case runs on the model."""
        return not self.models or model in self.models


ALWAYS = CaseTerms()


@dataclass(frozen=True, slots=True)
class PreparedTurn:
    """A turn of a conversation: what the user says, and all checks of the answer, as in `PreparedCase`."""

    user: str
    checks: Mapping[str, tuple[Check, ...]]


@dataclass(frozen=True, slots=True)
class PreparedCase:
    """A case with its checks built.

    `checks` are by the variant's hash, because `json schema: output` means each prompt's own schema. `was` holds
    logged answers to this input, each a known failure. With `turns`, `history` has what the user says in the first one,
    and `checks` are those of every answer.
    """

    name: str
    variables: Mapping[str, Json]
    history: tuple[Message, ...]
    checks: Mapping[str, tuple[Check, ...]]
    critical: bool
    tags: tuple[str, ...]
    was: tuple[str, ...]
    logged: bool
    threshold: float | None = None  # The weighted mean score that passes, 0 to 1. None if every check must pass.
    cluster: str | None = None
    quarantine: QuarantineFile | None = None
    terms: CaseTerms = ALWAYS
    skip: str | None = None
    turns: tuple[PreparedTurn, ...] = ()
    tools: ToolResults | None = None  # With them, the model continues after it called tools.
    origin: Json = None
    # Of each chain, by its hash: the names of the steps with the checks of their answers.
    steps: Mapping[str, Sequence[tuple[str, tuple[Check, ...]]]] = field(default_factory=dict)


class UnreadableStep(ValueError):
    """An answer of a step without what the next step needs of it; the message has the reason."""


class PreparedCases:
    """The cases of a prepared suite by name, in order.

    Only cases written in the suite itself stay in memory. A file next to it may hold hundreds of thousands, so its
    cases are built each time they are used.
    """

    def __init__(self, build: Callable[[str], PreparedCase], tags: Iterable[str] = ()) -> None:
        self._build = build
        self._held: dict[str, PreparedCase] = {}
        self.numbers: dict[str, int] = {}  # The position of each case.
        # By position: a hash of the case's input and checks, including the suite's; 64 bits, signed.
        self.contents = array("q")
        self.critical: set[str] = set()
        self.with_log: set[str] = set()  # Cases with a logged answer that is a known failure.
        # The cases of each tag that the gate has a threshold for.
        self.tagged: dict[str, set[str]] = {tag: set() for tag in tags}
        self.clusters: dict[str, str] = {}  # The cluster of each case that has one.
        self.quarantined: dict[str, QuarantineFile] = {}
        self._terms: dict[str, CaseTerms] = {}
        self.skipped: dict[str, str] = {}  # Cases that are left out, with the reason.

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
        if any(case.terms):
            self._terms[case.name] = case.terms

    def terms(self, name: str) -> CaseTerms:
        """Return how often and where a case runs."""
        return self._terms.get(name, ALWAYS)

    def on(self, model: str) -> Iterator[str]:
        """Yield the names of the cases that run on a model."""
        return (name for name in self.numbers if self.terms(name).allow(model))

    def only(self, names: Iterable[str]) -> PreparedCases:
        """Return the cases with these names, in this order."""
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
        part._terms, part.skipped = self._terms, self.skipped
        return part

    def share(self, numbers: dict[str, int]) -> None:
        """Use the same dictionary as another object if the positions are equal, so that memory holds them once."""
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
        """Return a case. Raise KeyError, or InputError if the file that holds the case has changed."""
        if name not in self.numbers:
            raise KeyError(name)
        held = self._held.get(name)
        return self._build(name) if held is None else held


@dataclass(frozen=True)
class PreparedSuite:
    """A suite that is ready to run."""

    suite: Suite
    candidates: tuple[Variant, ...]
    champion: Variant | None
    models: tuple[PreparedModel, ...]
    cases: PreparedCases
    accept: Rung
    suite_hash: str
    checks_hash: str
    partial: bool  # True if cases or models are left out, so that a verdict is not about the whole suite.
    judges: Mapping[str, PreparedJudge] = field(default_factory=dict)  # The models that checks call, by name.
    judged_checks: tuple[JudgedCheck, ...] = ()  # The checks that call them, each once.
    # The logged calls that fail the checks of a case, by its name.
    calls: Mapping[str, tuple[LoggedCall, ...]] = field(default_factory=dict)
    shard: Shard | None = None  # The part of the cases. The hashes are of the whole suite.
    ladder: Ladder = BUILT_IN
    replayed: bool = False  # True if logged calls replace the suite's cases.
    # By model that is declared deterministic: whether a repeated request of the run got the same answer; None if no
    # request was answered twice.
    confirmed: Mapping[str, bool | None] = field(default_factory=dict)
    step_models: Mapping[str, PreparedModel] = field(default_factory=dict)  # Of steps with a model, by reference.

    @property
    def prompt_name(self) -> str:
        return self.candidates[0].prompt.name

    def require_one_prompt(self, command: str) -> None:
        """Raise InputError if the suite has several prompts, or steps or a judged model in place of one."""
        if self.suite.steps or len(self.candidates) > 1:
            raise InputError(
                f"{command} needs one prompt, and the suite '{self.suite.name}' has "
                + ("steps or a judged model" if self.suite.steps else "several"),
                hint="name a suite that tests one prompt" if self.suite.steps else "name one of them: --prompt FILE",
            )

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The champion and the candidates, each version once."""
        champion = (self.champion,) if self.champion else ()
        known = {variant.hash for variant in champion}
        return (*champion, *(item for item in self.candidates if item.hash not in known))

    def prompts_of(self, model: PreparedModel) -> tuple[Variant | None, ...]:
        """The prompts that a model gets: the suite's, only its own, or None if it gets none."""
        return self.variants if model.uses_prompt else (model.own_prompt,)

    @cached_property
    def by_hash(self) -> dict[str, Variant]:
        """All prompts: those of the suite, then those of single models."""
        own = {model.own_prompt.hash: model.own_prompt for model in self.models if model.own_prompt}
        suites = {item.hash: item for item in self.variants}
        return {**suites, **own, **suites}

    @cached_property
    def reachable(self) -> tuple[PreparedModel, ...]:
        """The models, their fallbacks and the judges, each once by its reference: what a gateway is made for."""
        fallbacks = (model.fallback for model in self.models if model.fallback)
        judges = (judge.model for judge in self.judges.values())
        steps = self.step_models.values()
        return tuple({model.ref: model for model in (*judges, *fallbacks, *steps, *self.models)}.values())

    @cached_property
    def own_names(self) -> dict[str, str]:
        """The models that the suite names itself, with their references."""
        return {model.name: str(model.ref) for model in self.models if model.own_name}

    @cached_property
    def absent(self) -> dict[str, str]:
        """The models that cannot be called, each with the environment variable that is not set."""
        return {str(model.ref): model.absent for model in self.reachable if model.absent}

    @cached_property
    def decisive(self) -> frozenset[str]:
        """The models that a verdict needs: those that must pass, by name and reference; judges of checks that count."""
        gated = (name for model in self.models if model.gated for name in (model.name, str(model.ref)))
        return frozenset(
            (
                *gated,
                *self.step_models,
                *(str(ref) for check in self.judged_checks if check.counts for ref in check.judges),
            )
        )

    def deterministic(self, model: PreparedModel) -> bool:
        """Return True if the model always gives the same answers to all variants, so that one call is enough.

        That is so if it is declared, and no repeated request of the run has shown otherwise.
        """
        return self._declared(model) and bool(self.confirmed.get(model.name, True))

    @property
    def unconfirmed(self) -> list[PreparedModel]:
        """The models that are declared deterministic and have not repeated an answer; a replay needs no proof."""
        found = (model for model in self.models if model.name not in self.confirmed and not model.replays)
        return [model for model in found if self._declared(model)]

    def _declared(self, model: PreparedModel) -> bool:
        # An attempt is all steps of a chain, so each of them must be deterministic.
        if model.uses_prompt and not all(step.declared for step in self.step_models.values()):
            return False
        if model.declared is not None:
            return model.declared
        prompts = [prompt for item in self.prompts_of(model) for prompt in (item.prompt.prompts if item else (None,))]
        return all(model.provider.deterministic(self.params(model, prompt)) for prompt in prompts)

    def params(self, model: PreparedModel, prompt: Prompt | None) -> Mapping[str, Json]:
        """Return the parameters of calls: the prompt's over the suite's, and the model's over both."""
        config = laid_over(self.suite.common.config, prompt.config) if prompt else {}
        return laid_over(config, model.config)

    def request(
        self,
        model: PreparedModel,
        variant: Variant | None,
        case: PreparedCase,
        repeat: int,
        answers: Sequence[str] = (),
    ) -> Request:
        """Return the request for a case. A model without a prompt gets the variables and no messages.

        That for a chain is of the step after these `answers`. Raises UnreadableStep if they lack what it needs.
        """
        prompt, values = variant.prompt if variant else None, case.variables
        if isinstance(prompt, Chain):
            step = prompt.steps[len(answers)]
            if why := self.why_stopped(prompt, case, answers):
                raise UnreadableStep(why)
            values = self._with_outputs(prompt, values, answers)
            if step.prompt is None:
                live = self.suite.steps[0].production if self.suite.steps and variant is self.champion else None
                pinned = None if step.pinned == NOTHING_PINNED else step.pinned
                return Request(live or ModelRef.parse(step.model or ""), (), {}, None, values, repeat, pinned=pinned)
            prompt = step.prompt
        return Request(
            model=model.ref,
            messages=prompt.render(values, case.history) if prompt else (),
            params=self.params(model, prompt),
            output_schema=prompt.output_schema if prompt else None,
            variables=case.variables,
            repeat=repeat,
            tools=prompt.tools if prompt else (),
        )

    def outputs(self, chain: Chain, answers: Sequence[str]) -> dict[str, Json]:
        """Return the answers of the first steps by name: a JSON object or list as data, all other texts as they are."""
        found: dict[str, Json] = {}
        for step, text in zip(chain.steps, answers, strict=False):
            reading = self.ladder.read(text)
            is_data = reading.rung.within(self.accept) and isinstance(reading.value, (dict, list))
            found[step.name] = reading.value if is_data else text
        return found

    def why_stopped(self, chain: Chain, case: PreparedCase, answers: Sequence[str]) -> str | None:
        """Return why the step after these answers cannot be called: they lack what it needs. None if it can."""
        prompt = chain.steps[len(answers)].prompt
        missing = prompt.missing(self._with_outputs(chain, case.variables, answers)) if prompt else []
        if not missing:
            return None
        step, _, path = missing[0].removeprefix(f"{STEPS}.").partition(".")
        value = self.outputs(chain, answers).get(step)
        if not isinstance(value, str):
            return f"the answer of '{step}' has no '{path}'"
        error = self.ladder.read(value).error
        return f"the answer of '{step}' is not readable as JSON" + (f": {error}" if error else "")

    def _with_outputs(self, chain: Chain, values: Mapping[str, Json], answers: Sequence[str]) -> Mapping[str, Json]:
        # `{{steps.NAME}}` is the answer as it came, also where it is read as data for `{{steps.NAME.field}}`.
        as_text = {f"{STEPS}.{step.name}": text for step, text in zip(chain.steps, answers, strict=False)}
        whole = as_text if chain.steps[len(answers)].prompt else {}
        return {**values, **whole, **({STEPS: self.outputs(chain, answers)} if answers else {})}

    def chain_of(self, variant: str) -> Chain | None:
        """Return the chain with this hash, None if it is that of a prompt, or unknown."""
        found = self.by_hash.get(variant)
        return found.prompt if found and isinstance(found.prompt, Chain) else None

    def as_sent(self, request: Request) -> Request:
        """Return a check's request as its judge is sent it."""
        return without_params(request, self.judges[str(request.model)].unsupported)

    @cached_property
    def plan_hash(self) -> str:
        """The hash of everything that decides the calls and their scores. A run with the same plan resumes."""
        return self.whole_plan if self.shard is None else digest([self.whole_plan, str(self.shard), *self.cases.names])

    @cached_property
    def whole_plan(self) -> str:
        """The `plan_hash` of all shards together."""
        return digest(
            {
                "suite": self.suite_hash,
                "checks": self.checks_hash,
                # The budget does not change the calls: with a larger one, the run resumes.
                "policy": self.suite.gate.model_dump(exclude={"max_cost"}),
                "variants": [variant.hash for variant in self.variants],
                "champion": self.champion.hash if self.champion else None,
                "models": [
                    [
                        model.name,
                        model.uses_prompt,
                        *([] if model.declared is None else [model.declared]),
                        *([model.facts] if model.facts else []),
                    ]
                    for model in self.models
                ],
                # A run must not resume a replay of the same calls, which proves nothing about the suite.
                **({"replayed": True} if self.replayed else {}),
                **({"repairs": self.ladder.named_rules()} if self.ladder.rules else {}),
            }
        )


def slot_of(variant: Variant | None) -> str:
    """Return what takes the place of a prompt in the key of an attempt: its hash, or `BASELINE` without one."""
    return variant.hash if variant else BASELINE


def without_params(request: Request, names: frozenset[str]) -> Request:
    return replace(request, params={name: value for name, value in request.params.items() if name not in names})
